"""The start rule keeps its schedule, its hysteresis and its reserve of air."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import observed, site

from coolbound_envs import start_action as rule
from coolbound_envs.features import feature_map
from coolbound_envs.spec import channel_array
from coolbound_envs.types import Observation


def seen(applied: dict[int, float] | None = None, **readings: Any) -> Observation:
    """Return observations with some readings and set-points in force replaced."""
    first = observed(**readings)
    values = first.applied
    for channel, value in (applied or {}).items():
        values = values.at[..., channel].set(value)
    return dataclasses.replace(first, applied=values)


def asked(observation: Observation) -> np.ndarray:
    """Return the rule's set-points of the first lane, (10,)."""
    return np.asarray(rule.start_action(observation, feature_map(site()).sizes))[0]


FREE: dict[str, Any] = {
    "chillers_running": 0.0,
    "chillers_starting": 0.0,
    "economizer_running": 1.0,
}
OPEN: dict[str, Any] = {
    "chillers_running": 2.0,
    "chillers_starting": 0.0,
    "economizer_running": 1.0,
}
ALONE: dict[str, Any] = {
    "chillers_running": 2.0,
    "chillers_starting": 0.0,
    "economizer_running": 0.0,
}


def test_the_shares_stay_inside_the_range() -> None:
    shares = np.asarray(feature_map(site()).start(observed()))
    assert np.all((shares >= 0.01) & (shares <= 0.99))
    lower, upper = channel_array("lower"), channel_array("upper")
    ends = np.asarray(rule.as_shares(jnp.asarray([lower, upper], jnp.float32)))
    np.testing.assert_allclose(ends, [[0.01] * 10, [0.99] * 10], atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "wet_bulb", "is_open"),
    [
        (ALONE, rule.OPEN_START - 0.1, True),
        (ALONE, rule.OPEN_START + 0.1, False),
        (OPEN, rule.OPEN_STOP - 0.1, True),
        (OPEN, rule.OPEN_STOP + 0.1, False),
        (FREE, rule.OPEN_STOP + 5.0, True),
    ],
)
def test_the_economizer_opens_and_shuts_with_a_hysteresis(
    mode: dict[str, Any], wet_bulb: float, is_open: bool
) -> None:
    """Without machines it stays, whatever the weather: nothing else cools."""
    assert asked(seen(outdoor_wet_bulb=wet_bulb, **mode))[9] == float(is_open)


@pytest.mark.parametrize(
    ("mode", "wet_bulb", "fan", "excess", "machines"),
    [
        (OPEN, rule.FREE_START - 0.1, 0.9, 0.0, 0.0),
        (OPEN, rule.FREE_START + 0.1, 0.9, 0.0, 2.0),
        (OPEN, rule.FREE_START - 0.1, 0.6, 0.0, 2.0),
        (OPEN, rule.FREE_START - 0.1, 0.9, 0.8, 2.0),
        (ALONE, rule.FREE_START - 0.1, 0.9, 0.0, 2.0),
        (FREE, rule.FREE_STOP - 0.1, 0.6, 0.8, 0.0),
        (FREE, rule.FREE_STOP - 5.0, 0.6, 3.9, 0.0),
        (FREE, rule.FREE_STOP - 5.0, 0.6, 4.1, 2.0),
        (FREE, rule.FREE_STOP + 0.1, 0.9, 0.0, 2.0),
        (FREE, rule.FREE_STOP - 0.1, 0.9, 1.2, 2.0),
    ],
)
def test_machines_stop_when_the_towers_are_ready_and_start_when_they_fail(
    mode: dict[str, Any], wet_bulb: float, fan: float, excess: float, machines: float
) -> None:
    water = 15.0
    observation = seen(
        {4: water, 7: fan},
        outdoor_wet_bulb=wet_bulb,
        chw_supply_temp=water + excess,
        **mode,
    )
    assert asked(observation)[8] == machines


@pytest.mark.parametrize("i", range(len(rule.WET_BULB)))
def test_set_points_follow_the_schedule_in_free_cooling(i: int) -> None:
    action = asked(seen(outdoor_wet_bulb=rule.WET_BULB[i], **FREE))
    np.testing.assert_allclose(action[:2], rule.SUPPLY_AIR[i], rtol=1e-5)
    np.testing.assert_allclose(action[4], rule.CHW_SUPPLY[i], rtol=1e-5)
    assert action[6] == pytest.approx(rule.PUMP_OPEN)


def test_air_and_water_are_cold_before_machines_stop() -> None:
    action = asked(seen({7: 0.5}, outdoor_wet_bulb=6.0, **OPEN))
    assert action[0] == pytest.approx(rule.LEAVING_AIR)
    assert action[4] == pytest.approx(rule.LEAVING_WATER)
    assert action[7] == pytest.approx(0.5 + channel_array("ramp")[7])


@pytest.mark.parametrize("load", [0.5, 0.7, 0.9])
def test_the_air_is_ready_for_a_rise_of_the_load(load: float) -> None:
    """By the servers' own air: more heat draws more of it, to a line."""
    it, crah = site().plant.it, site().plant.crah
    power = load * float(it.design_power) / 2e3
    fans = asked(seen(it_power_hall1=power, it_power_hall2=power))[2:4]
    later = load * (1.0 + rule.RISE)
    share = float(it.flow_base) + (1.0 - float(it.flow_base)) * min(later, 1.1)
    design = float(it.design_power) / 2.0 / (1006.0 * float(it.air_rise))
    wanted = rule.AIR_RESERVE * design * share / (float(crah.air_flow) / 2.0)
    np.testing.assert_allclose(fans, wanted, rtol=0.01)


@pytest.mark.parametrize("valve", [0.6, rule.VALVE, 0.95])
def test_the_pressure_brings_the_widest_valve_to_its_place(valve: float) -> None:
    readings = {"crah_valve_hall1": valve, "crah_valve_hall2": valve - 0.1}
    pressure = asked(seen({5: 80.0}, **readings))[5]
    assert np.sign(pressure - 80.0) == np.sign(round(valve - rule.VALVE, 6))


@pytest.mark.parametrize(("lift", "direction"), [(8.0, -1.0), (11.0, 1.0)])
def test_with_machines_the_towers_hold_the_lift(lift: float, direction: float) -> None:
    water = 15.0
    readings: dict[str, Any] = {
        "cw_return_temp": water + lift,
        "cw_supply_temp": water + lift - 5.0,
        "outdoor_wet_bulb": 8.9,
    }
    fan = asked(seen({4: water, 7: 0.6}, **readings, **ALONE))[7]
    assert np.sign(fan - 0.6) == direction


@pytest.mark.parametrize(
    ("running", "wet_bulb", "basin", "power", "machines"),
    [
        (2.0, rule.ONE_START - 0.1, 15.0, 1800.0, 1.0),
        (2.0, rule.ONE_START + 0.1, 15.0, 1800.0, 2.0),
        (1.0, rule.ONE_STOP - 0.1, 15.0, 1800.0, 1.0),
        (1.0, rule.ONE_STOP + 0.1, 15.0, 1800.0, 2.0),
        (2.0, rule.ONE_START - 0.1, 23.0, 1800.0, 2.0),
        (1.0, rule.ONE_START - 0.1, 23.0, 1800.0, 2.0),
        (2.0, rule.ONE_START - 0.1, 23.0, 900.0, 1.0),
    ],
)
def test_one_machine_runs_where_the_economizer_leaves_it_little(
    running: float, wet_bulb: float, basin: float, power: float, machines: float
) -> None:
    """A cold basin takes most of the heat, a warm one next to nothing."""
    observation = seen(
        {7: 0.6},
        outdoor_wet_bulb=wet_bulb,
        cw_supply_temp=basin,
        chw_supply_temp=15.0,
        chw_return_temp=23.0,
        it_power_hall1=power,
        it_power_hall2=power,
        **(OPEN | {"chillers_running": running}),
    )
    assert asked(observation)[8] == machines


@pytest.mark.parametrize("running", [1.0, 2.0])
def test_the_load_of_one_machine_has_a_hysteresis(running: float) -> None:
    middle = 0.5 * (rule.ONE_LOAD + rule.ONE_LOAD_MAX)
    machine = float(site().plant.chiller.capacity) / 1e3
    power = middle * machine / 2.0
    observation = seen(
        {7: 0.6},
        outdoor_wet_bulb=rule.ONE_START - 0.1,
        cw_supply_temp=23.0,
        chw_return_temp=23.0,
        it_power_hall1=power,
        it_power_hall2=power,
        **(OPEN | {"chillers_running": running}),
    )
    assert asked(observation)[8] == running
