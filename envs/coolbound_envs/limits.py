"""h(x, u) of the 21 hard limits on the true state, and what learning pays for them.

h <= 0 keeps a limit. Each h is in the unit of its row in `limit_table`. A limit
that has nothing to watch (no chiller runs, say) reads `IDLE`.
"""

from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.drives import pump_speed_floor
from coolbound_envs.interval import CONTROL_INTERVAL, Summary
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limit_table import GROUPS, IDLE, LIMITS
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import CHANNELS, CHILLERS
from coolbound_envs.state import PlantState
from coolbound_envs.types import Action

SETTLING: Final = 900.0
"""Lift, surge, part load and valves count this long after a mode change. [s]"""


@struct.dataclass
class Moment:
    """All that the limits look at after one interval. Dynamic.

    Attributes:
        summary: What the interval amounted to.
        before: State at its start.
        after: State at its end.
        inlet_before: Zone inlets 15 min earlier, (halls, zones). [degC]
        inlet_last: Zone inlets of the interval before, (halls, zones). [degC]
        action: Applied in the interval.
        previous: Applied in the interval before.
    """

    summary: Summary
    before: PlantState
    after: PlantState
    inlet_before: jax.Array
    inlet_last: jax.Array
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
        _tower_and_pump(moment, params),
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
    is_hot = jnp.max(moment.inlet_last, axis=(0, 1)) > limits.inlet_max - 1.0
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
    # Each step counts against the limit of its own mode.
    coldest = jnp.maximum(
        limits.tower_water_min_free - moment.summary.basin_temp_min,
        limits.tower_water_min - moment.summary.basin_temp_min_cooling,
    )
    hottest = jnp.maximum(
        mean.cw_entering_temp - limits.cw_entering_max,
        mean.cw_leaving_temp - limits.cw_leaving_max,
    )
    surge = mean.lift - limits.surge_slope * mean.part_load - limits.surge_base
    needed = limits.cw_flow_min * params.chiller.condenser_flow
    return [
        coldest,
        hottest,
        _watch(is_settled, limits.lift_min - mean.lift),
        _watch(is_settled, surge),
        needed * sequencer.commanded_count - mean.cw_flow,
    ]


def _tower_and_pump(moment: Moment, params: PlantParams) -> jax.Array:
    """CT_CWP_RATE: ranges and rates.

    A flow floor outranks the pump's rate: upwards it counts from the speed that
    the BAS has kept for the machines commanded before.
    """
    now, last = moment.action, moment.previous
    floor = pump_speed_floor(moment.before.sequencer.commanded_count, params)
    fan, pump = now.tower_fan_speed, now.cw_pump_speed
    is_off = fan < 1e-4
    gap = jnp.where(is_off, 0.0, 0.2 - fan)
    # Between off and the lowest speed there is no ramp.
    is_switch = (is_off | (last.tower_fan_speed < 1e-4)) & (
        jnp.maximum(fan, last.tower_fan_speed) <= 0.2 + 1e-4
    )
    rate = jnp.where(is_switch, -1.0, _rate(fan, last.tower_fan_speed, 7))
    fall = last.cw_pump_speed - pump
    rise = pump - jnp.maximum(last.cw_pump_speed, floor)
    pump_rate = jnp.maximum(rise, fall) - CHANNELS[6].ramp
    pump_row = jnp.maximum(_box(pump, 6), pump_rate)
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
    # A trip and its replacement are the machines' own protection, nobody's choice.
    is_chosen = after.protective < 0.5
    has_changed = (jnp.abs(after.commanded - before.commanded) > 0.5) & is_chosen
    early = jnp.where(
        has_changed, limits.machine_timer - before.machine_age, 60.0 * IDLE
    )
    is_staged = jnp.any(has_changed, axis=0)
    hurried = jnp.where(is_staged, limits.machine_timer - before.stage_age, 60.0 * IDLE)
    worst = jnp.maximum(jnp.max(early, axis=0), hurried)
    has_started = jnp.any((after.commanded > before.commanded) & is_chosen, axis=0)
    crowded = jnp.where(
        has_started, limits.start_window - before.start_age_second, 60.0 * IDLE
    )
    switched = jnp.abs(after.economizer - before.economizer) > 0.5
    hasty = jnp.where(
        switched, limits.economizer_timer - before.economizer_age, 60.0 * IDLE
    )
    both = jnp.where(switched & is_staged, 60.0, 60.0 * IDLE)
    return jnp.maximum(jnp.maximum(worst, crowded), jnp.maximum(hasty, both)) / 60.0


def group_costs(values: jax.Array) -> jax.Array:
    """Return the cost of each group, shape (5, ...), from h (21, ...) [1].

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
