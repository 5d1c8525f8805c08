"""Masks on machines and modes: what may be asked of the sequencer at all.

Whole numbers and on/off choices stand outside the projection. The masks become
bounds of the request channels and of the tower fan.
"""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.spec import CHANNELS, CHILLERS
from coolbound_envs.types import Scalar
from coolbound_safety.estimate import Estimate
from coolbound_safety.margins import SafetyModel
from coolbound_safety.model import free_supply, part_load

FREE_SUPPLY_START = 15.8
"""Free cooling may begin if it would give this at full fan. [degC]"""

FREE_SUPPLY_STOP = 17.0
"""Free cooling must end if it would give no better than this. [degC]"""

FREE_FAN = 0.70
"""The towers run at least this fast before the chillers may stop. [1]"""

FREE_EXCESS = 1.5
"""Free cooling with water this far above its set-point drives the fans up. [K]"""

FAN_OFF_TEMP = 24.0
"""Above this tower water the fans may not stop. [degC]"""

LOAD_SHARE = 0.92
"""Machines are asked for so that none carries more than this. [1]"""


@struct.dataclass
class Masks:
    """Allowed requests and fan range of one step. Dynamic.

    Attributes:
        chillers_min: Fewest machines that may be asked for. [1]
        chillers_max: Most machines that may be asked for. [1]
        economizer_min: 1 where it may not stop. [1]
        economizer_max: 0 where it may not start. [1]
        fan_min: Lowest tower fan speed. [1]
        fan_max: Highest tower fan speed. [1]
    """

    chillers_min: jax.Array
    chillers_max: jax.Array
    economizer_min: jax.Array
    economizer_max: jax.Array
    fan_min: jax.Array
    fan_max: jax.Array


def interlocks(
    now: Estimate,
    previous: jax.Array,
    proposed: jax.Array,
    model: SafetyModel,
    ramp_scale: float = 1.0,
) -> Masks:
    """Return the masks of one lane.

    Args:
        now: The estimate.
        previous: Applied action before, shape (10,). [each channel's unit]
        proposed: Proposed action, shape (10,). [each channel's unit]
        model: Plant, limits and margins.
        ramp_scale: Length of the step over 300 s. [1]
    """
    fewest, most = _chiller_range(now, previous, model)
    is_open = now.economizer > 0.5
    has_taken_over = now.running > 1.5
    stays = (is_open & ~has_taken_over).astype(jnp.float32)
    fan_min, fan_max = _fan_range(now, previous[7], proposed[7], ramp_scale)
    known = jnp.isfinite(now.economizer) & jnp.isfinite(now.running)
    return Masks(
        chillers_min=fewest,
        chillers_max=most,
        economizer_min=jnp.where(known, stays, 0.0),
        economizer_max=jnp.ones_like(stays),
        fan_min=fan_min,
        fan_max=fan_max,
    )


def _chiller_range(
    now: Estimate, previous: jax.Array, model: SafetyModel
) -> tuple[Scalar, Scalar]:
    """Return the fewest and most machines that may be asked for.

    Enough for the load, not so many that one falls below its least load or
    behind the surge line; none only where free cooling holds.
    """
    load = part_load(jnp.ones_like(now.heat), now, model.plant)
    needed = jnp.ceil(load / LOAD_SHARE)
    needed = jnp.clip(needed, 1.0, float(CHILLERS))
    least_load = model.limits.part_load_min + 0.05
    most = jnp.clip(jnp.floor(load / least_load), needed, float(CHILLERS))
    supply = free_supply(jnp.ones_like(now.heat), now, model.plant)
    is_free = now.chillers < 0.5
    is_ready = (now.economizer > 0.5) & (previous[7] >= FREE_FAN)
    may_begin = is_ready & (supply < FREE_SUPPLY_START)
    is_held = now.chw_supply < FREE_SUPPLY_STOP + 1.5
    may_stay = is_free & (supply < FREE_SUPPLY_STOP) & is_held
    fewest = jnp.where(may_begin | may_stay, 0.0, needed)
    known = jnp.isfinite(load) & jnp.isfinite(now.chillers) & jnp.isfinite(supply)
    held = jnp.clip(previous[8], 0.0, float(CHILLERS))
    return jnp.where(known, fewest, held), jnp.where(known, most, held)


def _fan_range(
    now: Estimate, last: Scalar, wanted: Scalar, ramp_scale: float
) -> tuple[Scalar, Scalar]:
    """Return the fan's range: {0} or 0.2 to 1, and its ramp from there."""
    ramp = CHANNELS[7].ramp * ramp_scale
    is_off = last < 0.1
    # Without chillers the towers alone hold the chilled water.
    is_alone = (now.economizer > 0.5) & (now.running < 1.5)
    must_rise = is_alone & (now.chw_excess > FREE_EXCESS)
    wants_on = (wanted >= 0.1) | must_rise
    may_stop = (last <= 0.2 + 1e-4) & ~wants_on & (now.cw_supply < FAN_OFF_TEMP)
    stays_off = is_off & ~wants_on & (now.cw_supply < FAN_OFF_TEMP)
    goes_off = stays_off | (~is_off & may_stop)
    low = jnp.maximum(last - ramp, 0.2)
    high = jnp.minimum(last + ramp, 1.0)
    low = jnp.where(is_off, 0.2, low)
    high = jnp.where(is_off, 0.2, jnp.maximum(high, 0.2))
    low = jnp.where(must_rise, high, low)
    return jnp.where(goes_off, 0.0, low), jnp.where(goes_off, 0.0, high)
