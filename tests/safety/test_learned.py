"""Factors and offsets go to what the plant is, and never out of their range."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import observed
from seen_plants import model, one

from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.spec import HALLS, POINT_INDEX, POINTS, point_array
from coolbound_envs.types import Observation, action_from_vector
from coolbound_safety.estimate import Estimate
from coolbound_safety.estimator import observe
from coolbound_safety.estimator_state import EstimatorState, first_state
from coolbound_safety.learned import (
    AIR_RANGE,
    AIR_SOUND,
    COIL_RANGE,
    OFFSET_MAX,
    POWER_RANGE,
    RISE_RANGE,
)
from coolbound_safety.model import coil_capability

STEPS = 48
RANGES = {
    "coil_factor": COIL_RANGE,
    "air_factor": AIR_RANGE,
    "basin_offset": (-OFFSET_MAX, OFFSET_MAX),
    "rise_factor": RISE_RANGE,
    "power_offset": POWER_RANGE,
}


@functools.cache
def program() -> Any:
    def run(record: Observation, safety: Any) -> Estimate:
        def body(memory: EstimatorState, seen: Observation) -> Any:
            now, memory = observe(memory, seen, safety)
            return memory, now

        return jax.lax.scan(body, first_state(), record)[1]

    return jax.jit(run)


def learned(record: Observation) -> dict[str, np.ndarray]:
    """Return what was learned along one record, (time, ...) by name."""
    found = program()(record, model())
    return {name: np.asarray(getattr(found, name)) for name in RANGES}


def always(**readings: float) -> Observation:
    """Return a settled plant that goes on for hours, some readings replaced."""
    seen = one(observed(**readings), 1)
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (STEPS, *x.shape)), seen)


def reading(name: str) -> float:
    return float(one(observed(), 1).read(name))


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_the_coil_factor_is_what_the_valve_says(factor: float) -> None:
    """At the valve's opening the model's coils would move the heat over the factor."""
    # A load that leaves the valve room on either side.
    load = {"it_power_hall1": 1500.0, "it_power_hall2": 1400.0}
    own = reading("facility_power") - reading("it_power_hall1")
    total = own - reading("it_power_hall2") + sum(load.values())
    seen = one(observed(**load), 1)
    act = action_from_vector(seen.applied)
    valves = np.linspace(0.26, 1.0, 400).astype(np.float32)
    readings = load | {"facility_power": total}
    for hall in range(HALLS):
        needed, moved = jax.vmap(
            lambda v, h=hall: coil_capability(
                act.supply_air_setpoint[h],
                act.crah_fan_speed[h],
                seen.read("chw_supply_temp"),
                act.chw_pressure_setpoint,
                seen.read(f"it_power_hall{h + 1}"),
                v,
                model().plant,
            )
        )(jnp.asarray(valves))
        ratio = np.asarray(needed) / np.asarray(moved)
        readings[f"crah_valve_hall{hall + 1}"] = float(
            np.interp(-factor, -ratio, valves)
        )
        readings[f"supply_air_temp_hall{hall + 1}"] = float(
            act.supply_air_setpoint[hall]
        )
    found = learned(always(**readings))["coil_factor"]
    np.testing.assert_allclose(found[-1], factor, atol=0.02)
    # Slowly: a quarter of an hour does not teach all of it.
    assert np.all(np.abs(found[2] - 1.0) <= abs(factor - 1.0) * 0.5 + 1e-3)


def air_lost(share: float, is_metered: bool) -> np.ndarray:
    """Return the air factors learned where units stand still, (steps, halls)."""
    seen = one(observed(), 1)
    full = float(model().plant.crah.air_flow) / HALLS
    readings = {}
    for hall in range(HALLS):
        heat = reading(f"it_power_hall{hall + 1}") + reading(
            f"crah_fan_power_hall{hall + 1}"
        )
        flow = share * full * float(seen.applied[2 + hall])
        supply = reading(f"supply_air_temp_hall{hall + 1}")
        readings[f"return_air_temp_hall{hall + 1}"] = supply + heat * 1e3 / (
            AIR_HEAT * flow
        )
        if is_metered:
            drawn = share * reading(f"crah_fan_power_hall{hall + 1}")
            readings[f"crah_fan_power_hall{hall + 1}"] = drawn
    return learned(always(**readings))["air_factor"]


@pytest.mark.parametrize("share", [1.0, 0.9, 0.7, 0.5])
def test_the_air_factor_is_what_heat_and_fans_power_say(share: float) -> None:
    """Air that is lost warms up more; down to `AIR_SOUND` that is no loss."""
    expected = share if share < AIR_SOUND else 1.0
    np.testing.assert_allclose(air_lost(share, True)[-1], expected, atol=0.03)


def test_one_instrument_alone_loses_no_air() -> None:
    np.testing.assert_allclose(air_lost(0.5, False)[-1], 1.0)


@pytest.mark.parametrize("warmer", [-1.5, 1.5])
def test_the_basin_offset_is_what_the_tower_is_off_by(warmer: float) -> None:
    usual = learned(always())["basin_offset"]
    readings = {
        name: reading(name) + warmer for name in ("cw_supply_temp", "cw_return_temp")
    }
    found = learned(always(**readings))["basin_offset"]
    assert found[-1] - usual[-1] == pytest.approx(warmer, abs=0.1)


@pytest.mark.parametrize("lift", [8.6, 9.6])
def test_a_bypass_that_holds_the_lift_teaches_nothing_of_the_towers(
    lift: float,
) -> None:
    """Water that the bypass keeps warm was taken for a weak tower once."""
    water = reading("chw_supply_temp") + lift
    record = always(
        cw_return_temp=water, cw_supply_temp=water - 4.0, outdoor_wet_bulb=2.0
    )
    assert np.all(learned(record)["basin_offset"] == 0.0)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_the_rise_factor_is_what_the_leaving_water_is_off_by(factor: float) -> None:
    usual = learned(always())["rise_factor"]
    rise = reading("cw_return_temp") - reading("cw_supply_temp")
    found = learned(
        always(
            cw_return_temp=reading("cw_supply_temp") + factor * rise,
            cw_flow=reading("cw_flow") / factor,
        )
    )["rise_factor"]
    assert found[-1] / usual[-1] == pytest.approx(factor, abs=0.02)


@pytest.mark.parametrize("more", [-60.0, 60.0])
def test_the_power_offset_is_what_the_meters_are_off_by(more: float) -> None:
    others = reading("facility_power") - reading("tower_fan_power")

    def offset(fans: float) -> np.ndarray:
        record = always(tower_fan_power=fans, facility_power=others + fans)
        return learned(record)["power_offset"]

    usual, found = offset(100.0), offset(100.0 + more)
    assert found[-1] - usual[-1] == pytest.approx(more, abs=1.0)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_read_the_factors_stay_within_their_range(seed: int) -> None:
    generator = np.random.default_rng(seed)
    low, high = point_array("lower"), point_array("upper")
    value = generator.uniform(low, high, (STEPS, len(POINTS))).astype(np.float32)
    value[generator.random(value.shape) < 0.2] = np.nan
    record = dataclasses.replace(always(), value=jnp.asarray(value))
    for name, found in learned(record).items():
        least, most = RANGES[name]
        assert np.all(np.isfinite(found)), name
        assert np.all((found >= least) & (found <= most)), name


@pytest.mark.parametrize("point", sorted(POINT_INDEX))
def test_a_reading_that_is_missing_teaches_nothing_wrong(point: str) -> None:
    """With one instrument gone, all that is still learned stays near what it was.

    Where nobody counts machines, their power is the offset; where nobody meters the
    wet bulb, the basin's offset makes up for the dry bulb that stands in.
    """
    usual = learned(always())
    found = learned(always(**{point: float("nan")}))
    close = {"coil_factor": 0.1, "air_factor": 0.15, "basin_offset": 1.2,
             "rise_factor": 0.1, "power_offset": 60.0}  # fmt: skip
    if point == "chillers_running":
        del close["power_offset"]
    for name, most in close.items():
        assert np.all(np.abs(found[name][-1] - usual[name][-1]) <= most), name
