"""The 21 hard limits: their table, their values, and h(x, u) on the true state.

h <= 0 keeps a limit. Each h is in the unit of its row below. A limit that has
nothing to watch (no chiller runs, say) reads `IDLE`.
"""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.interval import CONTROL_INTERVAL, Summary
from coolbound_envs.params import PlantParams
from coolbound_envs.plant import PlantState
from coolbound_envs.spec import CHANNELS, CHILLERS
from coolbound_envs.tables import InputError, Table
from coolbound_envs.types import Action, Scalar

IDLE: Final = -1.0e3
"""Reading of a limit that has nothing to watch. [each limit's unit]"""

SETTLING: Final = 900.0
"""Lift, surge, part load and valves count this long after a mode change. [s]"""

TOLERANCE: Final = 1.0e-3
"""A violation is an h above this: float32 rounding is none. [each limit's unit]"""

GROUPS: Final = ("thermal", "hydronic", "condenser", "machines")
"""Cost groups of learning, each with its own multiplier."""


@dataclasses.dataclass(frozen=True)
class LimitSpec:
    """One limit. Static.

    Attributes:
        name: Short name, as in reports and site files.
        title: What it says, in words.
        unit: Unit of h.
        group: Cost group of learning; empty where actuators keep it exactly.
        near: Cost begins this far inside the limit. [the limit's unit]
        scale: A violation of this size costs 1. [the limit's unit]
        kept_by: Who keeps it: envelope row, bound, interlock or the BAS.
    """

    name: str
    title: str
    unit: str
    group: str
    near: float
    scale: float
    kept_by: str


LIMITS: Final[tuple[LimitSpec, ...]] = (
    LimitSpec("CA_T_MAX", "Hottest server inlet", "K", "thermal", 1.0, 1.0, "row"),
    LimitSpec("CA_T_MIN", "Coldest server inlet", "K", "thermal", 0.2, 1.0, "row"),
    LimitSpec("CA_ROC", "Inlet change in 15 min", "K", "thermal", 1.0, 1.0, "row"),
    LimitSpec(
        "DEWPOINT_MARGIN", "Chilled water above dew point", "K", "", 0, 1, "bound"
    ),
    LimitSpec(
        "AIRFLOW_RATIO", "CRAH air over server air", "1", "thermal", 0.01, 0.05, "row"
    ),
    LimitSpec("CRAH_FAN", "Fan range and rate", "1", "", 0.0, 1.0, "bound"),
    LimitSpec("SAT_BOX_RATE", "Supply-air range and rate", "K", "", 0.0, 1.0, "bound"),
    LimitSpec("CHWS_BOX", "Chilled-water range", "K", "", 0.0, 1.0, "bound"),
    LimitSpec("CHWS_SLEW", "Chilled-water rate", "K", "", 0.0, 1.0, "bound"),
    LimitSpec("EVAP_FLOW_MIN", "Evaporator flow, least", "kg/s", "", 0.0, 5.0, "BAS"),
    LimitSpec("EVAP_FLOW_MAX", "Evaporator flow, most", "kg/s", "", 0.0, 5.0, "BAS"),
    LimitSpec(
        "CHW_FLOW_ROC", "Evaporator flow change", "1/min", "hydronic", 0.05, 0.1, "BAS"
    ),
    LimitSpec(
        "CHW_DP_MIN",
        "Remote pressure, widest valve",
        "kPa",
        "hydronic",
        2.0,
        5.0,
        "row",
    ),
    LimitSpec("ECWT_MIN", "Tower water, coldest", "K", "condenser", 0.2, 1.0, "row"),
    LimitSpec(
        "ECWT_CWRT_MAX", "Condenser water, hottest", "K", "condenser", 0.5, 1.0, "row"
    ),
    LimitSpec("LIFT_MIN", "Chiller lift, least", "K", "condenser", 0.5, 1.0, "row"),
    LimitSpec(
        "SURGE_LINE", "Lift below the surge line", "K", "condenser", 1.0, 2.0, "row"
    ),
    LimitSpec("CW_FLOW_MIN", "Condenser flow, least", "kg/s", "", 0.0, 10.0, "bound"),
    LimitSpec(
        "CT_CWP_RATE", "Tower and pump range and rate", "1", "", 0.0, 1.0, "bound"
    ),
    LimitSpec(
        "CAPACITY_N1_POWER",
        "Load, power and part load",
        "1",
        "machines",
        0.02,
        0.1,
        "interlock",
    ),
    LimitSpec(
        "SHORT_CYCLE_MODE",
        "Timers of the machines",
        "min",
        "machines",
        0.0,
        5.0,
        "interlock",
    ),
)
"""The 21 limits, in the order of `info["limits"]`."""

LIMIT_NAMES: Final = tuple(limit.name for limit in LIMITS)


@struct.dataclass
class LimitValues:
    """Numbers of the limits. Dynamic: replace one to try it.

    Attributes:
        inlet_max: CA_T_MAX. [degC]
        inlet_min: CA_T_MIN. [degC]
        inlet_change: CA_ROC, in 15 min. [K]
        dew_point_margin: DEWPOINT_MARGIN. [K]
        airflow_ratio: AIRFLOW_RATIO. [1]
        chws_emergency_rate: Downward per interval above inlet 26 degC. [K]
        evaporator_flow_min: EVAP_FLOW_MIN, share of design. [1]
        evaporator_flow_max: EVAP_FLOW_MAX, share of design. [1]
        flow_change: CHW_FLOW_ROC, relative, per minute. [1]
        pressure_min: CHW_DP_MIN, remote differential pressure. [kPa]
        valve_max: CHW_DP_MIN, widest coil valve. [1]
        tower_water_min: ECWT_MIN with a chiller on. [degC]
        tower_water_min_free: ECWT_MIN in free cooling. [degC]
        cw_entering_max: ECWT_CWRT_MAX, entering. [degC]
        cw_leaving_max: ECWT_CWRT_MAX, leaving. [degC]
        lift_min: LIFT_MIN. [K]
        surge_base: SURGE_LINE at zero load. [K]
        surge_slope: SURGE_LINE, rise to full load. [K]
        cw_flow_min: CW_FLOW_MIN, share of a machine's design. [1]
        capacity_share: CAPACITY_N1_POWER, share of what is left. [1]
        part_load_min: CAPACITY_N1_POWER, least part load. [1]
        feeder_power: CAPACITY_N1_POWER, mechanical power. [W]
        machine_timer: SHORT_CYCLE_MODE, least run and rest. [s]
        start_window: SHORT_CYCLE_MODE, two starts in this time. [s]
        economizer_timer: SHORT_CYCLE_MODE, economizer hold. [s]
        is_on: 1 where a limit is switched on, shape (21,). [1]
    """

    inlet_max: Scalar
    inlet_min: Scalar
    inlet_change: Scalar
    dew_point_margin: Scalar
    airflow_ratio: Scalar
    chws_emergency_rate: Scalar
    evaporator_flow_min: Scalar
    evaporator_flow_max: Scalar
    flow_change: Scalar
    pressure_min: Scalar
    valve_max: Scalar
    tower_water_min: Scalar
    tower_water_min_free: Scalar
    cw_entering_max: Scalar
    cw_leaving_max: Scalar
    lift_min: Scalar
    surge_base: Scalar
    surge_slope: Scalar
    cw_flow_min: Scalar
    capacity_share: Scalar
    part_load_min: Scalar
    feeder_power: Scalar
    machine_timer: Scalar
    start_window: Scalar
    economizer_timer: Scalar
    is_on: jax.Array


# field: limit, key in the site file, unit, least, most, reference value
_FIELDS: Final[dict[str, tuple[str, str, str, float, float, float]]] = {
    "inlet_max": ("CA_T_MAX", "value", "degC", 20.0, 45.0, 27.0),
    "inlet_min": ("CA_T_MIN", "value", "degC", 5.0, 25.0, 18.0),
    "inlet_change": ("CA_ROC", "value", "delta_degC", 1.0, 20.0, 5.0),
    "dew_point_margin": ("DEWPOINT_MARGIN", "value", "delta_degC", 0.0, 5.0, 2.0),
    "airflow_ratio": ("AIRFLOW_RATIO", "value", "", 0.8, 1.5, 1.0),
    "chws_emergency_rate": ("CHWS_SLEW", "emergency", "delta_degC", 0.5, 3.0, 1.0),
    "evaporator_flow_min": ("EVAP_FLOW_MIN", "value", "", 0.2, 0.9, 0.45),
    "evaporator_flow_max": ("EVAP_FLOW_MAX", "value", "", 1.0, 2.0, 1.25),
    "flow_change": ("CHW_FLOW_ROC", "value", "", 0.05, 0.5, 0.30),
    "pressure_min": ("CHW_DP_MIN", "value", "kPa", 5.0, 200.0, 34.5),
    "valve_max": ("CHW_DP_MIN", "valve", "", 0.5, 1.0, 0.95),
    "tower_water_min": ("ECWT_MIN", "value", "degC", 5.0, 25.0, 12.8),
    "tower_water_min_free": ("ECWT_MIN", "free_cooling", "degC", 1.0, 15.0, 5.0),
    "cw_entering_max": ("ECWT_CWRT_MAX", "value", "degC", 25.0, 45.0, 32.0),
    "cw_leaving_max": ("ECWT_CWRT_MAX", "leaving", "degC", 28.0, 50.0, 38.0),
    "lift_min": ("LIFT_MIN", "value", "delta_degC", 2.0, 20.0, 8.0),
    "surge_base": ("SURGE_LINE", "value", "delta_degC", 5.0, 30.0, 14.0),
    "surge_slope": ("SURGE_LINE", "slope", "delta_degC", 0.0, 40.0, 16.0),
    "cw_flow_min": ("CW_FLOW_MIN", "value", "", 0.2, 0.9, 0.5),
    "capacity_share": ("CAPACITY_N1_POWER", "value", "", 0.5, 1.0, 0.95),
    "part_load_min": ("CAPACITY_N1_POWER", "part_load", "", 0.05, 0.5, 0.2),
    "machine_timer": ("SHORT_CYCLE_MODE", "value", "s", 60.0, 7200.0, 900.0),
    "start_window": ("SHORT_CYCLE_MODE", "start_window", "s", 0.0, 14400.0, 3600.0),
    "economizer_timer": ("SHORT_CYCLE_MODE", "economizer", "s", 60.0, 14400.0, 1200.0),
}


def parse_limits(root: Table, feeder_power: float) -> LimitValues:
    """Read `[limits.*]`; what a site leaves out keeps the reference value.

    Raises:
        InputError: A limit or key is unknown, or a value has another unit or
            is out of its range.
    """
    section = root.table("limits") if root.has("limits") else Table({}, root.where)
    for name in section.data:
        if name not in LIMIT_NAMES:
            raise InputError(
                f"{section.where}: found unknown limit {name!r}, expected one of "
                f"{', '.join(LIMIT_NAMES)}; correct the name"
            )
    tables = {
        name: section.table(name) if section.has(name) else Table({}, section.where)
        for name in LIMIT_NAMES
    }
    numbers = {field: _read(tables[row[0]], *row[1:]) for field, row in _FIELDS.items()}
    is_on = [tables[name].boolean("on", default=True) for name in LIMIT_NAMES]
    for name in LIMIT_NAMES:
        # The safety layer reads its margin from the same table.
        tables[name].seen.add("margin")
        tables[name].finish()
    if numbers["inlet_min"] >= numbers["inlet_max"]:
        raise InputError(
            f"{section.where}: found CA_T_MIN {numbers['inlet_min']:g} degC not below "
            f"CA_T_MAX {numbers['inlet_max']:g} degC; correct one of them"
        )
    return LimitValues(
        **{name: jnp.asarray(value, jnp.float32) for name, value in numbers.items()},
        feeder_power=jnp.asarray(feeder_power, jnp.float32),
        is_on=jnp.asarray(is_on, jnp.float32),
    )


def _read(
    table: Table, key: str, unit: str, lower: float, upper: float, default: float
) -> float:
    if unit:
        return table.quantity(key, unit, lower, upper, default)
    return table.number(key, lower, upper, default)


@struct.dataclass
class Moment:
    """All that the limits look at after one interval. Dynamic.

    Attributes:
        summary: What the interval amounted to.
        before: State at its start.
        after: State at its end.
        inlet_before: Zone inlets 15 min earlier, (halls, zones). [degC]
        action: Applied in the interval.
        previous: Applied in the interval before.
    """

    summary: Summary
    before: PlantState
    after: PlantState
    inlet_before: jax.Array
    action: Action
    previous: Action


def limit_values(moment: Moment, limits: LimitValues, params: PlantParams) -> jax.Array:
    """Return h of all 21 limits on the true state, shape (21, ...).

    Each in its own unit; 0 or less keeps the limit. Switched-off limits and
    those with nothing to watch read `IDLE`.
    """
    rows = [
        *_thermal(moment, limits),
        *_actuators(moment, limits),
        *_hydronic(moment, limits, params),
        *_condenser(moment, limits, params),
        _tower_and_pump(moment),
        _capacity(moment, limits, params),
        _short_cycle(moment, limits),
    ]
    stacked = jnp.stack(rows)
    is_on = limits.is_on.reshape((len(LIMITS),) + (1,) * (stacked.ndim - 1))
    return jnp.where(is_on > 0.5, stacked, IDLE)


def _thermal(moment: Moment, limits: LimitValues) -> list[jax.Array]:
    summary, action = moment.summary, moment.action
    change = jnp.abs(summary.mean.inlet_temp - moment.inlet_before)
    dew_point = moment.after.room_dew_point
    return [
        summary.inlet_temp_max - limits.inlet_max,
        limits.inlet_min - summary.inlet_temp_min,
        jnp.max(change, axis=(0, 1)) - limits.inlet_change,
        dew_point + limits.dew_point_margin - action.chw_supply_setpoint,
        limits.airflow_ratio - summary.airflow_ratio_min,
    ]


def _box(value: jax.Array, index: int) -> jax.Array:
    channel = CHANNELS[index]
    return jnp.maximum(channel.lower - value, value - channel.upper)


def _rate(value: jax.Array, previous: jax.Array, index: int) -> jax.Array:
    return jnp.abs(value - previous) - CHANNELS[index].ramp


def _actuators(moment: Moment, limits: LimitValues) -> list[jax.Array]:
    """CRAH_FAN, SAT_BOX_RATE, CHWS_BOX and CHWS_SLEW."""
    now, last = moment.action, moment.previous
    fan = jnp.maximum(
        _box(now.crah_fan_speed, 2), _rate(now.crah_fan_speed, last.crah_fan_speed, 2)
    )
    air = jnp.maximum(
        _box(now.supply_air_setpoint, 0),
        _rate(now.supply_air_setpoint, last.supply_air_setpoint, 0),
    )
    change = now.chw_supply_setpoint - last.chw_supply_setpoint
    is_hot = moment.summary.inlet_temp_max > limits.inlet_max - 1.0
    down = jnp.where(is_hot, limits.chws_emergency_rate, CHANNELS[4].ramp)
    return [
        jnp.max(fan, axis=-1),
        jnp.max(air, axis=-1),
        _box(now.chw_supply_setpoint, 4),
        jnp.maximum(change - CHANNELS[4].ramp, -change - down),
    ]


def _watch(is_active: jax.Array, value: jax.Array) -> jax.Array:
    return jnp.where(is_active, value, IDLE)


def _hydronic(
    moment: Moment, limits: LimitValues, params: PlantParams
) -> list[jax.Array]:
    """EVAP_FLOW_MIN, EVAP_FLOW_MAX, CHW_FLOW_ROC and CHW_DP_MIN."""
    mean = moment.summary.mean
    design = params.chiller.evaporator_flow
    is_running = _settled(moment)
    flow = mean.evaporator_flow
    valve = jnp.max(moment.after.valve, axis=0)
    pressure = mean.chw_pressure / 1e3
    # What the pressure would have to rise by to bring the widest valve back.
    wanted = pressure * ((valve / limits.valve_max) ** 4 - 1.0)
    return [
        _watch(is_running, limits.evaporator_flow_min * design - flow),
        _watch(is_running, flow - limits.evaporator_flow_max * design),
        moment.summary.flow_change_max - limits.flow_change,
        jnp.maximum(limits.pressure_min - pressure, _watch(_is_quiet(moment), wanted)),
    ]


def _is_quiet(moment: Moment) -> jax.Array:
    """Return whether the whole interval lay beyond the settling time."""
    return moment.after.sequencer.mode_age >= SETTLING + CONTROL_INTERVAL


def _settled(moment: Moment) -> jax.Array:
    return _is_quiet(moment) & (moment.after.sequencer.running_count > 0.5)


def _condenser(
    moment: Moment, limits: LimitValues, params: PlantParams
) -> list[jax.Array]:
    """ECWT_MIN, ECWT_CWRT_MAX, LIFT_MIN, SURGE_LINE and CW_FLOW_MIN."""
    mean, sequencer = moment.summary.mean, moment.after.sequencer
    is_settled = _settled(moment)
    is_cooling = moment.summary.running > 0.5
    coldest = jnp.where(is_cooling, limits.tower_water_min, limits.tower_water_min_free)
    hottest = jnp.maximum(
        mean.cw_entering_temp - limits.cw_entering_max,
        mean.cw_leaving_temp - limits.cw_leaving_max,
    )
    surge = mean.lift - limits.surge_slope * mean.part_load - limits.surge_base
    needed = limits.cw_flow_min * params.chiller.condenser_flow
    return [
        coldest - moment.summary.basin_temp_min,
        hottest,
        _watch(is_settled, limits.lift_min - mean.lift),
        _watch(is_settled, surge),
        needed * sequencer.commanded_count - mean.cw_flow,
    ]


def _tower_and_pump(moment: Moment) -> jax.Array:
    """CT_CWP_RATE: ranges and rates; a flow floor outranks the pump's rate."""
    now, last = moment.action, moment.previous
    fan, pump = now.tower_fan_speed, now.cw_pump_speed
    is_off = fan < 1e-4
    gap = jnp.where(is_off, 0.0, 0.2 - fan)
    # Between off and the lowest speed there is no ramp.
    is_switch = (is_off | (last.tower_fan_speed < 1e-4)) & (
        jnp.maximum(fan, last.tower_fan_speed) <= 0.2 + 1e-4
    )
    rate = jnp.where(is_switch, -1.0, _rate(fan, last.tower_fan_speed, 7))
    pump_row = jnp.maximum(_box(pump, 6), _rate(pump, last.cw_pump_speed, 6))
    return jnp.maximum(jnp.maximum(gap, jnp.maximum(rate, fan - 1.0)), pump_row)


def _capacity(moment: Moment, limits: LimitValues, params: PlantParams) -> jax.Array:
    """CAPACITY_N1_POWER: load with one machine lost, feeder, part load."""
    mean = moment.summary.mean
    left = (CHILLERS - 1) * params.chiller.capacity
    # What the halls and pumps give off: a pull-down after a start is no load.
    load = jnp.sum(mean.it_power + mean.crah_power, axis=0) + mean.chw_pump_power
    return jnp.maximum(
        jnp.maximum(
            load / (limits.capacity_share * left) - 1.0,
            mean.mechanical_power / limits.feeder_power - 1.0,
        ),
        _watch(_settled(moment), limits.part_load_min - mean.part_load),
    )


def _short_cycle(moment: Moment, limits: LimitValues) -> jax.Array:
    """SHORT_CYCLE_MODE: what changed, and whether it was time [min]."""
    before, after = moment.before.sequencer, moment.after.sequencer
    has_changed = jnp.abs(after.commanded - before.commanded) > 0.5
    early = jnp.where(
        has_changed, limits.machine_timer - before.machine_age, 60.0 * IDLE
    )
    worst = jnp.max(early, axis=0)
    has_started = jnp.any(after.commanded > before.commanded, axis=0)
    crowded = jnp.where(
        has_started, limits.start_window - before.start_age_second, 60.0 * IDLE
    )
    switched = jnp.abs(after.economizer - before.economizer) > 0.5
    hasty = jnp.where(
        switched, limits.economizer_timer - before.economizer_age, 60.0 * IDLE
    )
    both = jnp.where(switched & jnp.any(has_changed, axis=0), 60.0, 60.0 * IDLE)
    return jnp.maximum(jnp.maximum(worst, crowded), jnp.maximum(hasty, both)) / 60.0


def group_costs(values: jax.Array) -> jax.Array:
    """Return the cost of each group, shape (4, ...), from h (21, ...) [1].

    cost = sum over the group's limits of max(0, h + near) / scale: it begins a
    little inside the limit and grows in proportion, without a cap.
    """
    costs = []
    for group in GROUPS:
        rows = [
            jnp.maximum(values[i] + limit.near, 0.0) / limit.scale
            for i, limit in enumerate(LIMITS)
            if limit.group == group
        ]
        costs.append(sum(rows[1:], rows[0]))
    return jnp.stack(costs)
