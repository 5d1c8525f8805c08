"""Where a safe action heads: the backup, all cooling, and an action without sight."""

import jax
import jax.numpy as jnp

from coolbound_envs.spec import HALLS
from coolbound_envs.types import action_from_vector
from coolbound_safety.coordinates import constant
from coolbound_safety.estimate import Estimate
from coolbound_safety.hall_rows import SHORT_OF_WATER, coldest_air
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

ENOUGH = 0.2
"""Coils that hold their air within this have enough water. [K]"""

UNWOUND = 0.5
"""Below supply air that a valve no longer holds the set-point stays by this. [K]"""

_COLDEST = (19.0, 19.0, 1.0, 1.0, 7.0, 120.0, 1.0, 1.0, 3.0, 0.0)
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
    """Return all cooling there is, (10,) [each channel's unit].

    No colder air than the coils reach in the next step: a set-point beyond their reach
    opens both halls' valves wide, and takes pressure and water from each other.
    """
    coldest = _heading(_COLDEST, previous, now, model)
    # Machines that take over from free cooling warm the towers first: only where the
    # coils cannot do with the water that it gives.
    held = coldest_air(action_from_vector(previous), now, model)
    is_enough = jnp.all(held <= previous[:HALLS] + ENOUGH)
    is_free = (now.chillers < 0.5) & (now.economizer > 0.5) & is_enough
    # One more is started for want of water only: starts wear machines out.
    is_short = (now.chw_excess > SHORT_OF_WATER) | (now.running < previous[8] - 0.5)
    is_idle = is_free | ((now.running > 0.5) & ~is_short)
    coldest = coldest.at[8].set(jnp.where(is_idle, previous[8], coldest[8]))
    air = _reached(coldest, previous, now, model)
    return coldest.at[:HALLS].set(jnp.where(jnp.isfinite(air), air, coldest[:HALLS]))


def _reached(
    coldest: jax.Array, previous: jax.Array, now: Estimate, model: SafetyModel
) -> jax.Array:
    """Return the coldest air that coils reach in the next step, (halls,) [degC]."""
    ramp = constant("ramp")
    next_step = jnp.clip(coldest, previous - ramp, previous + ramp)
    reached = coldest_air(action_from_vector(next_step), now, model)
    return jnp.maximum(coldest[:HALLS], jnp.minimum(reached, previous[:HALLS]))


def answering(action: jax.Array, now: Estimate) -> jax.Array:
    """Return an action whose set-points call for air that stuck valves give, (10,).

    A valve that stays open while its loop wants it shut winds the loop up, and once it
    moves again it shuts, until the loop has unwound: minutes without cooling. A
    set-point below the supply air keeps the loop at the open end.
    """
    supply = action[:HALLS]
    most = jnp.where(now.stuck_open > 0.5, now.supply_air - UNWOUND, supply)
    return action.at[:HALLS].set(jnp.minimum(supply, most))
