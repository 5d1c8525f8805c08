"""Each limit crosses zero exactly where its number says, and only when it counts."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import action, disturbance, held, limits, scalar, site

from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limit_table import GROUPS, IDLE, LIMIT_NAMES, LIMITS
from coolbound_envs.limits import Moment, group_costs, limit_values
from coolbound_envs.types import Action

Change = Callable[[Moment, float], Moment]


@functools.cache
def quiet() -> Moment:
    """Return a moment in which two chillers have run untouched for hours."""
    act = action()
    state, summary = held(act, disturbance())
    inlet = summary.mean.inlet_temp
    return Moment(
        summary=summary,
        before=state,
        after=state,
        inlet_before=inlet,
        inlet_last=inlet,
        action=act,
        previous=act,
    )


def h(moment: Moment, name: str, numbers: LimitValues | None = None) -> float:
    values = limit_values(moment, numbers or limits(), site().plant)
    return float(values[LIMIT_NAMES.index(name)])


def in_summary(field: str) -> Change:
    def change(moment: Moment, value: float) -> Moment:
        summary = dataclasses.replace(moment.summary, **{field: scalar(value)})
        return dataclasses.replace(moment, summary=summary)

    return change


def in_mean(field: str, scale: float = 1.0) -> Change:
    def change(moment: Moment, value: float) -> Moment:
        mean = moment.summary.mean
        shape = getattr(mean, field).shape
        full = jnp.full(shape, value * scale, jnp.float32)
        mean = dataclasses.replace(mean, **{field: full})
        summary = dataclasses.replace(moment.summary, mean=mean)
        return dataclasses.replace(moment, summary=summary)

    return change


def acting(channel: str, last: float | None = None) -> Change:
    """Set one channel now, and before: to the same value, or to another."""

    def put(act: Action, value: float) -> Action:
        shape = getattr(act, channel).shape
        full = jnp.full(shape, value, jnp.float32)
        return dataclasses.replace(act, **{channel: full})

    def change(moment: Moment, value: float) -> Moment:
        return dataclasses.replace(
            moment,
            action=put(moment.action, value),
            previous=put(moment.previous, value if last is None else last),
        )

    return change


def inlet_rise(moment: Moment, value: float) -> Moment:
    before = moment.summary.mean.inlet_temp - value
    return dataclasses.replace(moment, inlet_before=before)


def dew_point(moment: Moment, value: float) -> Moment:
    after = dataclasses.replace(moment.after, room_dew_point=scalar(value))
    return dataclasses.replace(moment, after=after)


def valve(moment: Moment, value: float) -> Moment:
    one = dataclasses.replace(moment.after, valve=jnp.asarray([0.5, value]))
    return dataclasses.replace(moment, after=one)


def hall_power(moment: Moment, value: float) -> Moment:
    """Set the servers so that halls and pumps give off `value` in all [kW]."""
    mean = moment.summary.mean
    rest = float(mean.crah_power.sum() + mean.chw_pump_power)
    return in_mean("it_power", 500.0)(moment, value - rest / 1e3)


def sequencers(moment: Moment, before: dict[str, Any], after: dict[str, Any]) -> Moment:
    def put(state: Any, fields: dict[str, Any]) -> Any:
        arrays = {k: jnp.asarray(v, jnp.float32) for k, v in fields.items()}
        machines = dataclasses.replace(state.sequencer, **arrays)
        return dataclasses.replace(state, sequencer=machines)

    return dataclasses.replace(
        moment, before=put(moment.before, before), after=put(moment.after, after)
    )


def machine_rest(moment: Moment, minutes: float) -> Moment:
    ages = {"machine_age": [1e5, 1e5, minutes * 60.0]}
    return sequencers(moment, ages, {"commanded": [1.0, 1.0, 1.0]})


def stage_gap(moment: Moment, minutes: float) -> Moment:
    return sequencers(
        moment, {"stage_age": minutes * 60.0}, {"commanded": [1.0, 0.0, 0.0]}
    )


def third_start(moment: Moment, minutes: float) -> Moment:
    return sequencers(
        moment, {"start_age_second": minutes * 60.0}, {"commanded": [1.0, 1.0, 1.0]}
    )


def economizer_hold(moment: Moment, minutes: float) -> Moment:
    return sequencers(moment, {"economizer_age": minutes * 60.0}, {"economizer": 1.0})


EVAPORATOR, CONDENSER, CAPACITY = 74.7, 125.7, 2317.0

# limit, what is changed, where h is zero, side on which the limit is broken
CROSSINGS: list[tuple[str, Change, float, int]] = [
    ("CA_T_MAX", in_summary("inlet_temp_max"), 27.0, +1),
    ("CA_T_MIN", in_summary("inlet_temp_min"), 18.0, -1),
    ("CA_ROC", inlet_rise, 5.0, +1),
    ("CA_ROC", inlet_rise, -5.0, -1),
    ("DEWPOINT_MARGIN", dew_point, 10.0, +1),
    ("AIRFLOW_RATIO", in_summary("airflow_ratio_min"), 1.0, -1),
    ("CRAH_FAN", acting("crah_fan_speed"), 0.30, -1),
    ("CRAH_FAN", acting("crah_fan_speed"), 1.0, +1),
    ("CRAH_FAN", acting("crah_fan_speed", 0.5), 0.6, +1),
    ("CRAH_FAN", acting("crah_fan_speed", 0.5), 0.4, -1),
    ("SAT_BOX_RATE", acting("supply_air_setpoint"), 16.0, -1),
    ("SAT_BOX_RATE", acting("supply_air_setpoint"), 25.0, +1),
    ("SAT_BOX_RATE", acting("supply_air_setpoint", 20.0), 21.0, +1),
    ("CHWS_BOX", acting("chw_supply_setpoint"), 7.0, -1),
    ("CHWS_BOX", acting("chw_supply_setpoint"), 18.0, +1),
    ("CHWS_SLEW", acting("chw_supply_setpoint", 12.0), 12.5, +1),
    ("CHWS_SLEW", acting("chw_supply_setpoint", 12.0), 11.5, -1),
    ("EVAP_FLOW_MIN", in_mean("evaporator_flow"), 0.45 * EVAPORATOR, -1),
    ("EVAP_FLOW_MAX", in_mean("evaporator_flow"), 1.25 * EVAPORATOR, +1),
    ("CHW_FLOW_ROC", in_summary("flow_change_max"), 0.30, +1),
    ("CHW_DP_MIN", in_mean("chw_pressure", 1e3), 34.5, -1),
    ("CHW_DP_MIN", valve, 0.95, +1),
    ("ECWT_MIN", in_summary("basin_temp_min_cooling"), 12.8, -1),
    ("ECWT_MIN", in_summary("basin_temp_min"), 5.0, -1),
    ("ECWT_CWRT_MAX", in_mean("cw_entering_temp"), 32.0, +1),
    ("ECWT_CWRT_MAX", in_mean("cw_leaving_temp"), 38.0, +1),
    ("LIFT_MIN", in_mean("lift"), 8.0, -1),
    ("CW_FLOW_MIN", in_mean("cw_flow"), 2 * 0.5 * CONDENSER, -1),
    ("CT_CWP_RATE", acting("tower_fan_speed"), 0.2, -1),
    ("CT_CWP_RATE", acting("tower_fan_speed"), 1.0, +1),
    ("CT_CWP_RATE", acting("tower_fan_speed", 0.5), 0.65, +1),
    ("CT_CWP_RATE", acting("cw_pump_speed"), 1.0, +1),
    ("CT_CWP_RATE", acting("cw_pump_speed", 0.7), 0.8, +1),
    ("CT_CWP_RATE", acting("cw_pump_speed", 0.7), 0.6, -1),
    ("CAPACITY_N1_POWER", hall_power, 0.95 * 2 * CAPACITY, +1),
    ("CAPACITY_N1_POWER", in_mean("chiller_power", 1e3), 1200.0, +1),
    ("CAPACITY_N1_POWER", in_mean("part_load"), 0.2, -1),
    ("SHORT_CYCLE_MODE", machine_rest, 15.0, -1),
    ("SHORT_CYCLE_MODE", stage_gap, 15.0, -1),
    ("SHORT_CYCLE_MODE", third_start, 60.0, -1),
    ("SHORT_CYCLE_MODE", economizer_hold, 20.0, -1),
]


def test_every_limit_has_a_crossing_here() -> None:
    assert {name for name, *_ in CROSSINGS} | {"SURGE_LINE"} == set(LIMIT_NAMES)


@pytest.mark.parametrize(("name", "change", "value", "side"), CROSSINGS)
def test_h_is_zero_exactly_at_the_limit(
    name: str, change: Change, value: float, side: int
) -> None:
    moment = quiet()
    if name == "DEWPOINT_MARGIN":
        assert float(moment.action.chw_supply_setpoint) == value + 2.0
    if name == "CAPACITY_N1_POWER" and value == 1200.0:
        mean = moment.summary.mean
        value -= float(mean.mechanical_power - mean.chiller_power) / 1e3
    at = h(change(moment, value), name)
    step = 0.01 * max(abs(value), 1.0)
    assert abs(at) < 2e-5 * max(abs(value), 1.0)
    assert h(change(moment, value + side * step), name) > abs(at)
    assert h(change(moment, value - side * step), name) < -abs(at)


def test_surge_line_rises_with_load() -> None:
    for load in (0.3, 0.8):
        moment = in_mean("part_load")(quiet(), load)
        for beyond in (0.1, -0.1):
            lifted = in_mean("lift")(moment, 14.0 + 16.0 * load + beyond)
            np.testing.assert_allclose(h(lifted, "SURGE_LINE"), beyond, atol=1e-4)


def test_chilled_water_may_fall_faster_once_the_inlets_are_hot() -> None:
    fast = acting("chw_supply_setpoint", 12.0)(quiet(), 11.0)
    assert h(fast, "CHWS_SLEW") == pytest.approx(0.5)
    hot = dataclasses.replace(fast, inlet_last=jnp.full((2, 3), 26.1, jnp.float32))
    assert h(hot, "CHWS_SLEW") == pytest.approx(0.0, abs=1e-5)


def test_a_tower_fan_may_step_between_off_and_its_lowest_speed() -> None:
    for now, last in ((0.0, 0.2), (0.2, 0.0), (0.0, 0.0)):
        moment = acting("tower_fan_speed", last)(quiet(), now)
        assert h(moment, "CT_CWP_RATE") <= 0.0
    assert h(acting("tower_fan_speed", 0.3)(quiet(), 0.0), "CT_CWP_RATE") > 0.0


def test_a_flow_floor_outranks_the_rate_of_the_pumps() -> None:
    moment = acting("cw_pump_speed", 0.5)(quiet(), 0.75)
    assert h(moment, "CT_CWP_RATE") == pytest.approx(0.15)
    three = sequencers(moment, {"commanded": [1.0, 1.0, 1.0]}, {})
    assert h(three, "CT_CWP_RATE") <= 0.0


def test_nothing_to_watch_reads_idle() -> None:
    stopped = sequencers(
        quiet(), {"commanded": [0.0] * 3}, {"commanded": [0.0] * 3, "ramp": [0.0] * 3}
    )
    for name in ("EVAP_FLOW_MIN", "EVAP_FLOW_MAX", "LIFT_MIN", "SURGE_LINE"):
        assert h(stopped, name) == IDLE


def test_lift_and_load_do_not_count_just_after_a_mode_change() -> None:
    low = in_mean("lift")(in_mean("part_load")(quiet(), 0.1), 5.0)
    fresh = sequencers(low, {}, {"stage_age": 900.0})
    for name in ("LIFT_MIN", "SURGE_LINE"):
        assert h(fresh, name) == IDLE
        assert h(low, name) != IDLE
    assert h(low, "CAPACITY_N1_POWER") > 0.0 > h(fresh, "CAPACITY_N1_POWER")


@pytest.mark.parametrize("name", LIMIT_NAMES)
def test_a_limit_that_is_switched_off_reads_idle(name: str) -> None:
    one_off = jnp.asarray([n != name for n in LIMIT_NAMES], jnp.float32)
    numbers = dataclasses.replace(limits(), is_on=one_off)
    values = limit_values(quiet(), numbers, site().plant)
    default = limit_values(quiet(), limits(), site().plant)
    index = LIMIT_NAMES.index(name)
    assert float(values[index]) == IDLE
    others = np.arange(len(LIMITS)) != index
    np.testing.assert_array_equal(values[others], default[others])


def test_a_plant_left_alone_keeps_every_limit() -> None:
    assert np.all(np.asarray(limit_values(quiet(), limits(), site().plant)) <= 0.0)


@pytest.mark.parametrize("index", range(len(LIMITS)))
def test_cost_begins_near_the_limit_and_grows_by_its_scale(index: int) -> None:
    limit = LIMITS[index]
    kept = jnp.full(len(LIMITS), IDLE, jnp.float32)

    def cost(value: float) -> np.ndarray:
        return np.asarray(group_costs(kept.at[index].set(value)))

    group = [limit.group == name for name in GROUPS]
    assert np.all(cost(-limit.near - 1e-3) == 0.0)
    np.testing.assert_allclose(
        cost(limit.scale - limit.near), np.array(group, float), atol=1e-5
    )
    # What actuators keep exactly is no business of learning.
    assert any(group) == bool(limit.group)


def test_cost_has_no_cap() -> None:
    far = jnp.full(len(LIMITS), IDLE, jnp.float32).at[0].set(500.0)
    assert float(group_costs(far)[0]) > 500.0


def test_limits_work_on_a_batch_as_on_one_plant() -> None:
    # Actions carry their lanes first, everything of the plant carries them last.
    last = jax.tree.map(lambda x: jnp.stack([x, x], axis=-1), quiet())
    first = jax.tree.map(lambda x: jnp.stack([x, x]), quiet())
    both = dataclasses.replace(last, action=first.action, previous=first.previous)
    batch = limit_values(both, limits(), site().plant)
    single = limit_values(quiet(), limits(), site().plant)
    assert batch.shape == (len(LIMITS), 2)
    np.testing.assert_allclose(batch[:, 1], single, rtol=1e-6, atol=1e-5)


def test_the_table_of_limits_is_complete() -> None:
    assert len(LIMITS) == 21 == len(set(LIMIT_NAMES))
    assert {limit.group for limit in LIMITS} == {*GROUPS, ""}
    assert all(limit.scale > 0.0 and limit.near >= 0.0 for limit in LIMITS)
