"""Masks on machines and modes: what may be asked of the sequencer at all.

Whole numbers and on/off choices stand outside the projection. The masks become
bounds of the request channels and of the tower fan.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.spec import CHANNELS, CHILLERS, HALLS
from coolbound_envs.types import Scalar, action_from_vector
from coolbound_safety.alarm import LOAD_JUMP
from coolbound_safety.estimate import Estimate
from coolbound_safety.margins import SafetyModel
from coolbound_safety.model import (
    coil_capability,
    coil_floor,
    free_approach,
    free_supply,
    left_to_machines,
    part_load,
    tower_predictions,
)
from coolbound_safety.timers import Permissions

FREE_SUPPLY_START = 16.6
"""Free cooling may begin if it would give this at full fan. [degC]"""

FREE_SUPPLY_STOP = 17.8
"""Free cooling must end if it would give no better than this. [degC]"""

FREE_WATER_MAX = 18.5
"""Free cooling must end with chilled water as warm as this. [degC]"""

FREE_WATER_WARM = 15.8
"""In free cooling the towers run for chilled water that is warmer. [degC]"""

FREE_FAN = 0.70
"""The towers run at least this fast before the chillers may stop. [1]"""

FREE_EXCESS = 1.5
"""Free cooling with water this far above its set-point drives the fans up. [K]"""

CHANGE_MARGIN = 0.8
"""The air overshoots by this at least while its valves follow the warmer water. [K]"""

CHANGE_OVERSHOOT = 0.5
"""Kelvin that the air overshoots by for each kelvin by which the water gets warmer
within a step; 0.45 was seen. [1]"""

HELD_BY_PIPES = 0.35
"""Share that the water in pipes and tank keeps of its temperature while the mode
changes: 17.9 degC was reached where this says 17.9, from 15.6 and 20.5. [1]"""

SHORT_EXCESS = 1.0
"""Machines with water this far above its set-point, lasting, are too few. [K]"""

FAN_OFF_TEMP = 24.0
"""Above this tower water the fans may not stop. [degC]"""

LOAD_SHARE = 0.92
"""Machines are asked for so that none carries more than this. [1]"""

SHARED_RESERVE = 0.05
"""Part load that must be free before a machine beside the economizer stops. [1]"""


@struct.dataclass
class Masks:
    """Allowed requests and fan range of one step. Dynamic.

    Attributes:
        chillers_min: Fewest machines that may be asked for. [1]
        chillers_max: Most machines that may be asked for. [1]
        chillers_carry: Machines that carry the load without free cooling. [1]
        economizer_min: 1 where it may not stop. [1]
        economizer_max: 0 where it may not start. [1]
        fan_min: Lowest tower fan speed. [1]
        fan_max: Highest tower fan speed. [1]
    """

    chillers_min: jax.Array
    chillers_max: jax.Array
    chillers_carry: jax.Array
    economizer_min: jax.Array
    economizer_max: jax.Array
    fan_min: jax.Array
    fan_max: jax.Array


def interlocks(
    now: Estimate,
    previous: jax.Array,
    proposed: jax.Array,
    permitted: Permissions,
    model: SafetyModel,
    ramp_scale: Scalar | float = 1.0,
) -> Masks:
    """Return the masks of one lane.

    Args:
        now: The estimate.
        previous: Applied action before, shape (10,). [each channel's unit]
        proposed: Proposed action, shape (10,). [each channel's unit]
        permitted: Which changes it is time for.
        model: Plant, limits and margins.
        ramp_scale: Length of the step over 300 s. [1]
    """
    carry = _machines_for_load(now, previous, model)
    fewest, most = _chiller_range(now, previous, carry, model)
    fan_min, fan_max = _fan_range(now, previous[7], proposed[7], model, ramp_scale)
    low, high = _economizer_range(now, permitted)
    return Masks(
        chillers_min=fewest,
        chillers_max=most,
        chillers_carry=jnp.where(jnp.isfinite(carry), carry, fewest),
        economizer_min=low,
        economizer_max=high,
        fan_min=fan_min,
        fan_max=fan_max,
    )


def _economizer_range(now: Estimate, permitted: Permissions) -> tuple[Scalar, Scalar]:
    """Return the least and greatest request: it stays until machines took over."""
    is_open = now.economizer > 0.5
    stays = is_open & ((now.running < 1.5) | ~permitted.switch)
    waits = ~is_open & ~permitted.switch
    known = jnp.isfinite(now.economizer) & jnp.isfinite(now.running)
    low = jnp.where(known, stays.astype(jnp.float32), 0.0)
    return low, jnp.where(known & waits, 0.0, 1.0)


def _machines_for_load(
    now: Estimate, previous: jax.Array, model: SafetyModel
) -> Scalar:
    """Return the machines that carry the heat, NaN where it is not known [1]."""
    load = part_load(jnp.ones_like(now.heat), now, model.plant)
    alone = jnp.clip(jnp.ceil(load / LOAD_SHARE), 1.0, float(CHILLERS))
    shared = load * _share_left(now, previous, model)
    # A machine is stopped only where what is left to carry has fallen well below,
    # and not while the load has more in it than a day's work.
    reserve = jnp.where(now.running > 1.5, SHARED_RESERVE, 0.0)
    beside = jnp.clip(jnp.ceil((shared + reserve) / LOAD_SHARE), 1.0, alone)
    is_jumpy = jnp.any(now.load_growth > LOAD_JUMP) & (now.running > 1.5)
    beside = jnp.where(is_jumpy, alone, beside)
    # The instrument may be stuck: what was asked for must agree with it.
    is_open = (now.economizer > 0.5) & (previous[9] > 0.5) & (now.running > 0.5)
    needed = jnp.where(is_open, beside, alone)
    return jnp.maximum(needed, _one_more(now, alone))


def _share_left(now: Estimate, previous: jax.Array, model: SafetyModel) -> Scalar:
    """Return the most that the economizer leaves to the machines, share of heat [1].

    By the basin now or where fans and pumps lead it, whichever is warmer.
    """
    act = action_from_vector(previous)
    tower = tower_predictions(act.tower_fan_speed, act.cw_pump_speed, now, model.plant)
    basin = jnp.maximum(now.cw_supply, tower.later)
    return left_to_machines(basin, now, model.plant)


def _chiller_range(
    now: Estimate, previous: jax.Array, needed: Scalar, model: SafetyModel
) -> tuple[Scalar, Scalar]:
    """Return the fewest and most machines that may be asked for.

    Enough for the load, not so many that one falls below its least load or
    behind the surge line; none only where free cooling holds.
    """
    load = part_load(jnp.ones_like(now.heat), now, model.plant)
    least_load = model.limits.part_load_min + model.margins.part_load
    most = jnp.clip(jnp.floor(load / least_load), needed, float(CHILLERS))
    supply = free_supply(jnp.ones_like(now.heat), now, model.plant)
    is_free = now.chillers < 0.5
    # The instrument may be stuck: what was asked for must agree with it.
    is_open = (now.economizer > 0.5) & (previous[9] > 0.5)
    is_ready = is_open & (previous[7] >= FREE_FAN)
    water = _water_at_change(now, previous, model)
    is_cool = _halls_bear(water, now, previous, model)
    may_begin = is_ready & (supply < FREE_SUPPLY_START) & is_cool
    is_held = now.chw_supply < FREE_WATER_MAX
    # Water that is still warm from the change cools with the towers at full fan.
    will_be = jnp.minimum(now.chw_supply, supply)
    is_borne = jnp.all(_hottest(will_be, now, previous, model) <= 0.0)
    may_stay = is_free & (supply < FREE_SUPPLY_STOP) & is_held & is_borne
    fewest = jnp.where(may_begin | may_stay, 0.0, needed)
    known = jnp.isfinite(load) & jnp.isfinite(now.chillers) & jnp.isfinite(supply)
    held = jnp.clip(previous[8], 0.0, float(CHILLERS))
    return jnp.where(known, fewest, held), jnp.where(known, most, held)


def _water_at_change(now: Estimate, previous: jax.Array, model: SafetyModel) -> Scalar:
    """Return the warmest chilled water on the way into free cooling [degC].

    The pipes still hold what the machines made, and the basin cools from where the
    machines' lift kept it, now without their work.
    """
    act = action_from_vector(previous)
    idle = dataclasses.replace(now, chiller_power=jnp.zeros_like(now.chiller_power))
    tower = tower_predictions(act.tower_fan_speed, act.cw_pump_speed, idle, model.plant)
    basin = 0.5 * (now.cw_supply + tower.soon)
    free = basin + free_approach(act.cw_pump_speed, now, model.plant)
    return free + HELD_BY_PIPES * (now.chw_supply - free)


def _halls_bear(
    water: Scalar, now: Estimate, previous: jax.Array, model: SafetyModel
) -> jax.Array:
    """Return whether the inlets bear a change to water so warm, overshoot included."""
    hottest = model.limits.inlet_max - model.margins.inlet_max
    warmer = CHANGE_OVERSHOOT * (water - now.chw_supply)
    over = jnp.maximum(warmer, CHANGE_MARGIN)
    will_be = _hottest(water, now, previous, model)
    return jnp.all(will_be <= -over) & (now.inlet_max <= hottest - over)


def _hottest(
    water: Scalar, now: Estimate, previous: jax.Array, model: SafetyModel
) -> jax.Array:
    """Return the hottest inlets with water so warm, above their limit with its margin.

    With the set-points in force and open valves, (halls,) [K].
    """
    act = action_from_vector(previous)
    needed, nominal = coil_capability(
        act.supply_air_setpoint,
        act.crah_fan_speed,
        water,
        act.chw_pressure_setpoint,
        now.it_power,
        model.limits.valve_max,
        model.plant,
    )
    air = model.plant.crah.air_flow / HALLS * act.crah_fan_speed * (AIR_HEAT / 1e3)
    floor = coil_floor(
        act.supply_air_setpoint, water, needed, nominal * now.coil_factor, air
    )
    will_be = jnp.maximum(floor, act.supply_air_setpoint) + now.rise_max
    return will_be - (model.limits.inlet_max - model.margins.inlet_max)


def _one_more(now: Estimate, alone: Scalar) -> Scalar:
    """Return the machines to ask for where those that run do not hold the water.

    Args:
        now: The estimate.
        alone: Machines that carry the load without the economizer: beside it no
            more are worth asking for. [1]
    """
    is_short = (now.chw_excess > SHORT_EXCESS) & (now.running > 0.5)
    is_settled = now.chillers - now.running < 0.5
    most = jnp.where(now.economizer < 0.5, float(CHILLERS), alone)
    more = jnp.minimum(now.running + 1.0, most)
    return jnp.where(is_short & is_settled, more, 0.0)


def _fan_range(
    now: Estimate,
    last: Scalar,
    wanted: Scalar,
    model: SafetyModel,
    ramp_scale: Scalar | float,
) -> tuple[Scalar, Scalar]:
    """Return the fan's range: {0} or 0.2 to 1, and its ramp from there."""
    ramp = CHANNELS[7].ramp * ramp_scale
    is_off = last < 0.1
    # Without chillers the towers alone hold the chilled water.
    is_alone = (now.economizer > 0.5) & (now.running < 1.5)
    is_warm = now.chw_supply > FREE_WATER_WARM
    must_rise = is_alone & (now.chw_excess > FREE_EXCESS) & is_warm
    lowest = free_supply(jnp.full_like(last, 0.2), now, model.plant)
    is_needed = is_alone & (lowest > FREE_WATER_WARM)
    wants_on = (wanted >= 0.1) | must_rise | is_needed
    may_stop = (last <= 0.2 + 1e-4) & ~wants_on & (now.cw_supply < FAN_OFF_TEMP)
    stays_off = is_off & ~wants_on & (now.cw_supply < FAN_OFF_TEMP)
    goes_off = stays_off | (~is_off & may_stop)
    low = jnp.maximum(last - ramp, 0.2)
    high = jnp.minimum(last + ramp, 1.0)
    low = jnp.where(is_off, 0.2, low)
    high = jnp.where(is_off, 0.2, jnp.maximum(high, 0.2))
    low = jnp.where(must_rise, high, low)
    return jnp.where(goes_off, 0.0, low), jnp.where(goes_off, 0.0, high)
