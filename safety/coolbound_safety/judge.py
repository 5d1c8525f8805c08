"""What one action means for each limit in one observed state.

The same 21 limits as on the true state, but seen from the instruments and for
any action: the operator's, the proposed, the certified one. Actuator limits are
exact, state limits are the nominal model's prediction 15 min ahead, without
margins. NaN says that a limit is not observable here: timers and rates of flow
need more than one observation, and a plant meter does not show what passes
around the evaporators.
"""

import dataclasses

import jax
import jax.numpy as jnp

from coolbound_envs.drives import pump_speed_floor
from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS
from coolbound_envs.spec import CHANNELS, CHILLERS
from coolbound_envs.types import Action, Observation, Scalar, action_from_vector
from coolbound_safety.estimate import Estimate
from coolbound_safety.margins import SafetyModel
from coolbound_safety.rows import IS_RECOVERY, ROW_NAMES, row_values

JUDGED_UNITS = {limit.name: limit.unit for limit in LIMITS} | {"CHW_DP_MIN": "kW"}
"""Units of the judged values: CHW_DP_MIN is judged by the coils' reserve of heat
with the widest valve at its limit, since the pressure that would be needed is
not on any instrument."""


def bare(model: SafetyModel) -> SafetyModel:
    """Return a model without margins."""
    return dataclasses.replace(
        model, margins=jax.tree.map(jnp.zeros_like, model.margins)
    )


def judge(
    observation: Observation,
    action: jax.Array,
    now: Estimate,
    model: SafetyModel,
    ramp_scale: Scalar | float = 1.0,
) -> jax.Array:
    """Return h of all 21 limits for one action in one observed state, (21,).

    Each in the unit of `JUDGED_UNITS`; 0 or less keeps the limit. NaN where the
    instruments do not show it.

    Args:
        observation: One lane; `applied` is the action in force before.
        action: Shape (10,). [each channel's unit]
        now: The estimate of that state.
        model: Plant and limits; the margins are not used.
        ramp_scale: Length of the step over 300 s. [1]
    """
    # An alarm silences rows, not limits.
    calm = dataclasses.replace(now, emergency=jnp.zeros_like(now.emergency))
    values = _rows(row_values(action, calm, bare(model)))
    act = action_from_vector(action)
    last = action_from_vector(observation.applied)
    values |= _actuators(act, last, now, model, ramp_scale)
    values |= _machines(act, observation, now, model)
    missing = jnp.full_like(now.heat, jnp.nan)
    stacked = jnp.stack([values.get(name, missing) for name in LIMIT_NAMES])
    return jnp.where(model.limits.is_on > 0.5, stacked, jnp.nan)


def _rows(rows: jax.Array) -> dict[str, Scalar]:
    """Return the worst row of each limit.

    Where a row is missing, the others still show a violation, never its absence.
    """
    grouped: dict[str, list[jax.Array]] = {}
    for i, name in enumerate(ROW_NAMES):
        if IS_RECOVERY[i]:
            continue
        grouped.setdefault(name.partition(":")[0], []).append(rows[i])
    return {name: _worst(jnp.stack(found)) for name, found in grouped.items()}


def _worst(rows: jax.Array) -> Scalar:
    worst = jnp.nanmax(rows)
    is_seen = jnp.all(jnp.isfinite(rows)) | (worst > 0.0)
    return jnp.where(is_seen, worst, jnp.nan)


def _over(
    value: jax.Array, last: jax.Array, index: int, ramp_scale: Scalar | float
) -> jax.Array:
    """Return the worst excess over a channel's range and ramp."""
    channel = CHANNELS[index]
    box = jnp.maximum(channel.lower - value, value - channel.upper)
    rate = jnp.abs(value - last) - channel.ramp * ramp_scale
    return jnp.max(jnp.maximum(box, rate))


def _actuators(
    act: Action,
    last: Action,
    now: Estimate,
    model: SafetyModel,
    ramp_scale: Scalar | float,
) -> dict[str, Scalar]:
    water, last_water = act.chw_supply_setpoint, last.chw_supply_setpoint
    change = water - last_water
    is_hot = now.inlet_max > model.limits.inlet_max - 1.0
    down = jnp.where(is_hot, model.limits.chws_emergency_rate, CHANNELS[4].ramp)
    fan, last_fan = act.tower_fan_speed, last.tower_fan_speed
    is_off = fan < 1e-4
    is_switch = (is_off | (last_fan < 1e-4)) & (jnp.maximum(fan, last_fan) <= 0.2001)
    fan_rate = jnp.abs(fan - last_fan) - CHANNELS[7].ramp * ramp_scale
    fan_gap = jnp.where(is_off, 0.0, 0.2 - fan)
    fan_box = jnp.maximum(fan_gap, fan - CHANNELS[7].upper)
    tower = jnp.maximum(fan_box, jnp.where(is_switch, -1.0, fan_rate))
    floor = pump_speed_floor(jnp.nan_to_num(now.chillers, nan=0.0), model.plant)
    speed, last_speed = act.cw_pump_speed, last.cw_pump_speed
    # A flow floor outranks the rate: the pumps already run at it.
    from_floor = jnp.clip(speed, last_speed, jnp.maximum(last_speed, floor))
    pump = _over(speed, from_floor, 6, ramp_scale)
    return {
        "CRAH_FAN": _over(act.crah_fan_speed, last.crah_fan_speed, 2, ramp_scale),
        "SAT_BOX_RATE": _over(
            act.supply_air_setpoint, last.supply_air_setpoint, 0, ramp_scale
        ),
        "CHWS_BOX": jnp.maximum(CHANNELS[4].lower - water, water - CHANNELS[4].upper),
        "CHWS_SLEW": jnp.maximum(
            change - CHANNELS[4].ramp * ramp_scale, -change - down * ramp_scale
        ),
        "CT_CWP_RATE": jnp.maximum(tower, pump),
    }


def _machines(
    act: Action, observation: Observation, now: Estimate, model: SafetyModel
) -> dict[str, Scalar]:
    limits, chiller = model.limits, model.plant.chiller
    flow = observation.read("chw_flow")
    is_running = now.running > 0.5
    each = flow / jnp.maximum(now.running, 1.0)
    least = limits.evaporator_flow_min * chiller.evaporator_flow
    evaporator = jnp.where(is_running, least - each, -least)
    cw_flow = model.plant.condenser.design_flow * act.cw_pump_speed
    needed = limits.cw_flow_min * chiller.condenser_flow * now.chillers
    left = (CHILLERS - 1) * chiller.capacity / 1e3
    mechanical = observation.read("facility_power") - jnp.sum(now.it_power)
    share = now.heat / (jnp.maximum(act.chiller_demand, 1.0) * chiller.capacity / 1e3)
    idle = -jnp.ones_like(share)
    part = jnp.where(act.chiller_demand > 0.5, limits.part_load_min - share, idle)
    return {
        "EVAP_FLOW_MIN": jnp.where(jnp.isfinite(now.running), evaporator, jnp.nan),
        "CW_FLOW_MIN": needed - cw_flow,
        "CAPACITY_N1_POWER": jnp.maximum(
            jnp.maximum(
                now.heat / (limits.capacity_share * left) - 1.0,
                mechanical * 1e3 / limits.feeder_power - 1.0,
            ),
            part,
        ),
    }
