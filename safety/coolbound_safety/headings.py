"""Where a safe action heads: the backup, all cooling, and an action without sight."""

import jax
import jax.numpy as jnp

from coolbound_safety.coordinates import constant
from coolbound_safety.estimate import Estimate
from coolbound_safety.margins import SafetyModel
from coolbound_safety.rows import ROW_NAMES, is_on, row_values

_NEUTRAL = (22.0, 22.0, 1.0, 1.0, 10.0, 120.0, 1.0, 0.8, 2.0, 0.0)
"""Where an action without sight heads: cool air, full fans. [each channel's unit]"""

NEAR = 0.5
"""The backup answers condenser rows from this far inside on. [K]"""

_HOT_ROWS = tuple(
    i for i, name in enumerate(ROW_NAMES) if name.startswith(("ECWT_CWRT", "SURGE"))
)
_COLD_ROWS = tuple(
    i for i, name in enumerate(ROW_NAMES) if name.startswith(("ECWT_MIN", "LIFT"))
)

_COLDEST = (18.5, 18.5, 1.0, 1.0, 7.0, 120.0, 1.0, 1.0, 3.0, 0.0)
"""Where an emergency heads: all cooling there is. [each channel's unit]"""


def _heading(
    target: tuple[float, ...],
    previous: jax.Array,
    now: Estimate,
    model: SafetyModel,
) -> jax.Array:
    """Return where a safe action heads, with water above the dew point, (10,)."""
    wanted = jnp.asarray(target, jnp.float32)
    driest = now.room_dew_point + model.limits.dew_point_margin
    least = driest + model.margins.dew_point + now.dew_point_spread
    water = jnp.fmax(wanted[4], least)
    # A tower that already cools enough is left as it is.
    is_cold = now.cw_supply < model.limits.tower_water_min + 3.0
    fan = jnp.where(is_cold, jnp.minimum(previous[7], wanted[7]), wanted[7])
    return wanted.at[4].set(water).at[7].set(fan).at[9].set(previous[9])


def neutral_heading(
    previous: jax.Array, now: Estimate, model: SafetyModel
) -> jax.Array:
    """Return where an action without sight heads, (10,) [each channel's unit]."""
    return _heading(_NEUTRAL, previous, now, model)


def backup_action(previous: jax.Array, now: Estimate, model: SafetyModel) -> jax.Array:
    """Return the action in force, moved towards more air and pressure, (10,).

    Fans and pressure go up by a ramp; air stays, since cooling it takes heat out of
    the halls; tower and condenser pump go where their rows ask them to. Physical
    units, before bounds.
    """
    value = row_values(previous, now, model)

    def is_near(rows: tuple[int, ...]) -> jax.Array:
        found = jnp.where(is_on(model), value, jnp.nan)[jnp.asarray(rows)]
        return jnp.nanmax(found) > -NEAR

    cold, hot = is_near(_COLD_ROWS), is_near(_HOT_ROWS)
    tower = jnp.where(hot, 1.0, jnp.where(cold, -1.0, 0.0))
    pump = jnp.where(hot, 1.0, 0.0)
    water = jnp.where(cold & ~hot, -0.5, 0.0)
    still = jnp.zeros_like(tower)
    up = jnp.ones_like(tower)
    moves = jnp.stack([still, still, up, up, water, up, pump, tower, still, still])
    moved = previous + moves * constant("ramp")
    driest = now.room_dew_point + model.limits.dew_point_margin
    least = driest + model.margins.dew_point + now.dew_point_spread
    return moved.at[4].set(jnp.fmax(moved[4], least))


def emergency_heading(
    previous: jax.Array, now: Estimate, model: SafetyModel
) -> jax.Array:
    """Return all cooling there is, (10,) [each channel's unit]."""
    return _heading(_COLDEST, previous, now, model)
