"""A judged action reads as the limit would, or says that nobody can see it."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import (
    CITIES,
    limits,
    places,
    scalar,
    start,
    step,
    task_params,
)
from seen_plants import SPAN, applied_now, many, model, one, seen

from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS
from coolbound_envs.types import Observation, action_from_vector
from coolbound_safety.estimator import observe
from coolbound_safety.estimator_state import first_state
from coolbound_safety.judge import JUDGED_UNITS, judge
from coolbound_safety.margins import Margins

LANES = 4
NEVER = ("EVAP_FLOW_MAX", "CHW_FLOW_ROC", "SHORT_CYCLE_MODE")
ACTUATORS = ("CRAH_FAN", "SAT_BOX_RATE", "CHWS_BOX", "CHWS_SLEW", "CT_CWP_RATE")


@functools.cache
def program() -> Any:
    """Return the judged limits after the same was seen some times."""

    def run(seen: Observation, action: Any, safety: Any, rounds: Any) -> jax.Array:
        def body(k: Any, memory: Any) -> Any:
            return observe(memory, seen, safety)[1]

        memory = jax.lax.fori_loop(1, rounds, body, first_state())
        now, _ = observe(memory, seen, safety)
        return judge(seen, action, now, safety)

    return jax.jit(jax.vmap(run, in_axes=(0, 0, None, None)))


def look(seen: Observation, action: Any, safety: Any = None, rounds: int = 3) -> Any:
    """Return judged limits, (21,); a batch is told by its proposals."""
    action = jnp.asarray(action, jnp.float32)
    is_one = action.ndim == 1
    wide = LANES if is_one else action.shape[0]
    if is_one:
        seen, action = jax.tree.map(
            lambda x: jnp.broadcast_to(x, (wide, *x.shape)), (seen, action)
        )
    found = program()(seen, action, safety or model(), jnp.int32(rounds))
    return np.asarray(found[0] if is_one else found)


def h(observation: Observation, name: str, **changes: float) -> float:
    """Return h of the action in force with some channels changed."""
    changed = applied_now(observation, **changes).applied
    return float(look(observation, changed)[LIMIT_NAMES.index(name)])


def test_actuator_limits_are_those_of_the_true_plant() -> None:
    params = task_params(*CITIES, noise=0.0)
    before, state = start(jax.random.key(0), places(4, 2, 180), params)
    generator = np.random.default_rng(0)
    for k in range(12):
        move = generator.uniform(-0.2, 0.2, (4, 10)) * SPAN
        wanted = np.asarray(before.applied) + move
        wanted[:, 7] = np.where(wanted[:, 7] < 0.1, 0.0, wanted[:, 7])
        wanted[:, 8], wanted[:, 9] = 2.0, 0.0
        vector = jnp.asarray(wanted, jnp.float32)
        judged = look(before, vector)
        # Only the set-points are compared: the plant is stepped to get its limits,
        # and put back to its state before.
        *_, info = step(jax.random.key(k), state, action_from_vector(vector), params)
        for name in ACTUATORS:
            i = LIMIT_NAMES.index(name)
            np.testing.assert_allclose(
                judged[:, i], info["limits"][:, i], atol=2e-5, err_msg=name
            )


@pytest.mark.parametrize("name", NEVER)
def test_what_one_observation_cannot_show_is_never_judged(name: str) -> None:
    assert np.isnan(h(seen(), name))


def test_the_rate_of_the_inlets_is_judged_once_ten_minutes_were_seen() -> None:
    index = LIMIT_NAMES.index("CA_ROC")
    values = [look(seen(), seen().applied, rounds=k)[index] for k in (1, 2, 3)]
    assert np.isnan(values[:2]).all()
    assert np.isfinite(values[2])
    # Air asked for 4 K warmer brings the inlets there: 5 K in 15 min is the limit.
    warm = h(seen(), "CA_ROC", supply_air_setpoint_hall1=16.0)
    supply = float(seen().applied[0])
    assert warm == pytest.approx(supply - 16.0 - 5.0, abs=0.3)


def test_every_other_limit_is_judged_on_a_running_plant() -> None:
    values = np.asarray(look(seen(), seen().applied, model()))
    found = {n for n, v in zip(LIMIT_NAMES, values, strict=True) if np.isfinite(v)}
    assert found == set(LIMIT_NAMES) - set(NEVER)


INLETS = tuple(f"inlet_temp_hall1_zone{z}" for z in (1, 2, 3))
TOWER = {"ECWT_MIN", "ECWT_CWRT_MAX", "LIFT_MIN", "SURGE_LINE"}
# Readings that leave no other way to what a limit needs, and the limits.
NEEDS = {
    INLETS: {"CA_T_MAX", "CA_T_MIN", "CA_ROC", "AIRFLOW_RATIO"},
    ("room_dew_point_hall1", "room_dew_point_hall2"): {"DEWPOINT_MARGIN"},
    ("outdoor_wet_bulb", "outdoor_temp"): TOWER,
    ("chw_flow",): {"EVAP_FLOW_MIN"},
    ("facility_power",): {"CAPACITY_N1_POWER"},
    ("inlet_temp_hall1_zone2",): set(),
    ("room_dew_point_hall1",): set(),
    ("chw_supply_temp",): set(),
}


@pytest.mark.parametrize("points", NEEDS, ids="+".join)
def test_a_missing_reading_is_not_observable_and_never_met(
    points: tuple[str, ...],
) -> None:
    values = look(seen(**dict.fromkeys(points, np.nan)), seen().applied)
    gone = {n for n, v in zip(LIMIT_NAMES, values, strict=True) if np.isnan(v)}
    assert gone == NEEDS[points] | set(NEVER)


def test_unknown_machines_leave_their_limits_unjudged() -> None:
    values = look(seen(chillers_running=np.nan), seen().applied, model())
    for name in ("EVAP_FLOW_MIN", "CW_FLOW_MIN", "LIFT_MIN"):
        assert np.isnan(float(values[LIMIT_NAMES.index(name)]))


HOT = {f"inlet_temp_hall2_zone{z}": 40.0 for z in (1, 2, 3)}


def test_a_violation_in_one_hall_shows_though_the_other_is_dark() -> None:
    dark = dict.fromkeys(INLETS, np.nan)
    assert np.isnan(h(seen(**dark), "CA_T_MAX"))
    assert h(seen(**dark, **HOT), "CA_T_MAX") > 10.0


def test_state_limits_are_predictions_without_margins() -> None:
    observation = seen(
        supply_air_temp_hall1=22.0, inlet_temp_hall1_zone3=23.5,
        supply_air_temp_hall2=22.0, inlet_temp_hall2_zone3=23.0,
        inlet_temp_hall1_zone1=22.5, inlet_temp_hall1_zone2=22.5,
        inlet_temp_hall2_zone1=22.5, inlet_temp_hall2_zone2=22.5,
        room_dew_point_hall1=4.0, room_dew_point_hall2=3.0,
    )  # fmt: skip
    now = {"supply_air_setpoint_hall1": 22.0, "supply_air_setpoint_hall2": 22.0}
    warm = {"supply_air_setpoint_hall1": 25.0, "supply_air_setpoint_hall2": 25.0}
    observation = applied_now(observation, **now)
    np.testing.assert_allclose(
        h(observation, "CA_T_MAX", **now), 23.5 - 27.0, atol=1e-4
    )
    # A long step of the set-point overshoots by 0.35 of 1.5 K.
    np.testing.assert_allclose(
        h(observation, "CA_T_MAX", **warm), 26.5 + 0.525 - 27.0, atol=1e-4
    )
    np.testing.assert_allclose(
        h(observation, "CA_T_MIN", **warm), 18.0 - 25.5, atol=1e-4
    )
    found = h(observation, "DEWPOINT_MARGIN", chw_supply_setpoint=7.0)
    np.testing.assert_allclose(found, 4.0 + 2.0 - 7.0, atol=1e-4)


def test_margins_do_not_change_the_verdict() -> None:
    wide = Margins(**{
        f.name: scalar(0.0 if "coil" in f.name else 0.1)
        for f in dataclasses.fields(Margins)
    })  # fmt: skip
    other = dataclasses.replace(model(), margins=wide)
    np.testing.assert_array_equal(
        look(seen(), seen().applied, model()), look(seen(), seen().applied, other)
    )


def test_a_switched_off_limit_is_not_observable() -> None:
    is_on = jnp.asarray([n != "CRAH_FAN" for n in LIMIT_NAMES], jnp.float32)
    numbers = dataclasses.replace(limits(), is_on=is_on)
    safety = dataclasses.replace(model(), limits=numbers)
    values = np.asarray(look(seen(), seen().applied, safety))
    assert np.isnan(values[LIMIT_NAMES.index("CRAH_FAN")])
    assert np.isfinite(values[LIMIT_NAMES.index("SAT_BOX_RATE")])


def test_pumps_below_the_machines_floor_are_told() -> None:
    three = seen(chillers_running=3.0)
    np.testing.assert_allclose(
        h(three, "CW_FLOW_MIN", cw_pump_speed=0.5), 62.85, rtol=1e-4
    )


def test_judged_units_name_every_limit() -> None:
    assert set(JUDGED_UNITS) == set(LIMIT_NAMES)
    own = {limit.name: limit.unit for limit in LIMITS}
    differs = {n for n, unit in JUDGED_UNITS.items() if unit != own[n]}
    assert differs == {"CHW_DP_MIN"}


def test_one_lane_agrees_with_a_batch() -> None:
    observation, proposed = many(LANES)
    batch = look(observation, proposed)
    for k in range(LANES):
        lane = look(one(observation, k), proposed[k])
        np.testing.assert_allclose(lane, batch[k], rtol=1e-4, atol=1e-3)
