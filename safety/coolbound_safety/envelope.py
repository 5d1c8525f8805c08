"""From the estimate to one affine envelope around the previous applied action.

Rows are the predictions of `coolbound_safety.rows`, linearised in the projection's
coordinates and scaled to unit norm. The tangent touches at the
proposal, clipped to its bounds: there the rows say what the model says, and the
answer is seldom far away; where it is and the model disagrees, they are taken again
at the answer. A row whose inputs are missing or that does not apply now is empty:
G = 0, h = 1. One that no channel can move keeps its headroom: G = 0, h = -value.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.drives import pump_speed_floor
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.types import Scalar
from coolbound_safety.coordinates import (
    constant,
    from_coordinates,
    to_coordinates,
)
from coolbound_safety.estimate import Estimate
from coolbound_safety.headings import backup_action
from coolbound_safety.interlocks import Masks
from coolbound_safety.margins import PRICE_FIRST, SafetyModel, price_of
from coolbound_safety.rows import (
    IS_RECOVERY,
    NOTICEABLE,
    ROW_LIMITS,
    ROW_NAMES,
    is_on,
    row_values,
)
from coolbound_safety.staging import Staging
from coolbound_safety.types import Envelope

HOT_MARGIN = 0.5
"""The emergency rate of chilled water waits for this much more than the limit's
own threshold, so that no sensor's noise grants it. [K]"""

MACHINES = 8
"""Channel of the machines asked for; no row depends on it or on the one after."""

DIFFERENCE = 0.01
"""Half of the distance over which a slope is taken, in coordinates. [1]"""

SOFT = 2
"""Priority of rows that look one step further. [1]"""


@struct.dataclass
class RowPrices:
    """Price and priority of every row, shape (m,). Dynamic.

    Attributes:
        price: Cost of one unit of slack. [1]
        priority: 0 is never relaxed, 1 is relaxed after 2. [1]
    """

    price: jax.Array
    priority: jax.Array


def row_prices(model: SafetyModel) -> RowPrices:
    """Return what it costs to relax each row: its limit's, or less for foresight."""
    is_soft = jnp.asarray(IS_RECOVERY)
    priority = model.priority[jnp.asarray(ROW_LIMITS)]
    return RowPrices(
        price=jnp.where(is_soft, PRICE_FIRST, price_of(priority)).astype(jnp.float32),
        priority=jnp.where(is_soft, SOFT, priority).astype(jnp.int32),
    )


def slopes(now: Estimate, action: jax.Array, model: SafetyModel) -> jax.Array:
    """Return the rows' derivatives by coordinates, (m, 10) [the limit's unit].

    Central differences: twenty times as fast here as forward derivatives, whose
    tangents the compiler interleaves badly, equal to them to 1e-3 where the model is
    smooth, and the mean of both sides at its kinks. Zero where a row does not apply.
    """
    moving = DIFFERENCE * jnp.eye(MACHINES, ACTION_SIZE, dtype=jnp.float32)
    steps = from_coordinates(moving) - constant("lower")[None, :]
    points = action[None, :] + jnp.concatenate([steps, -steps])
    value = jax.vmap(lambda at: row_values(at, now, model))(points)
    found = (value[:MACHINES] - value[MACHINES:]).T / (2.0 * DIFFERENCE)
    found = jnp.where(jnp.isfinite(found), found, 0.0)
    return jnp.pad(found, ((0, 0), (0, ACTION_SIZE - MACHINES)))


def action_bounds(
    now: Estimate,
    previous: jax.Array,
    masks: Masks,
    model: SafetyModel,
    ramp_scale: Scalar | float,
) -> tuple[jax.Array, jax.Array]:
    """Return lower and upper bounds (10,), physical units: range, ramp, masks.

    The previous applied action lies within them, but for a flow floor that has
    risen: that outranks the ramp. The machines asked for are left to staging.
    """
    low, high = constant("lower"), constant("upper")
    ramp = constant("ramp") * ramp_scale
    is_hot = now.inlet_max > model.limits.inlet_max - 1.0 + HOT_MARGIN
    down = ramp.at[4].set(
        jnp.where(is_hot, model.limits.chws_emergency_rate * ramp_scale, ramp[4])
    )
    held = jnp.clip(previous, low, high)
    lower = jnp.maximum(low, held - down)
    upper = jnp.minimum(high, held + ramp)
    floor = _pump_floor(jnp.nan_to_num(now.chillers, nan=0.0), model)
    lower = lower.at[6].max(jnp.minimum(floor, 1.0))
    lower = lower.at[5].max(jnp.minimum(_pressure_floor(model), held[5] + ramp[5]))
    upper = jnp.maximum(upper, lower)
    lower = lower.at[7].set(masks.fan_min).at[9].set(masks.economizer_min)
    upper = upper.at[7].set(masks.fan_max).at[9].set(masks.economizer_max)
    return lower, upper


def _pump_floor(chillers: Scalar, model: SafetyModel) -> Scalar:
    """Return the pump speed that keeps CW_FLOW_MIN and the BAS's own floor [1]."""
    each = model.limits.cw_flow_min * model.plant.chiller.condenser_flow
    wanted = each * chillers / model.plant.condenser.design_flow
    return jnp.maximum(wanted, pump_speed_floor(chillers, model.plant))


def _pressure_floor(model: SafetyModel) -> Scalar:
    """Return the least remote pressure of CHW_DP_MIN; the ramp outranks it [kPa]."""
    is_on_too = model.limits.is_on[LIMIT_NAMES.index("CHW_DP_MIN")] > 0.5
    return jnp.where(is_on_too, model.limits.pressure_min, 0.0)


def build_envelopes(
    now: Estimate,
    previous: jax.Array,
    asked: jax.Array,
    masks: Masks,
    staging: Staging,
    model: SafetyModel,
    ramp_scale: Scalar | float = 1.0,
) -> Envelope:
    """Return one envelope per candidate number of machines, leading axis (3,).

    Args:
        now: The estimate.
        previous: Applied action before, shape (10,). [each channel's unit]
        asked: What will be projected, shape (10,). [each channel's unit]
        masks: Of machines and modes.
        staging: Numbers of machines to choose from.
        model: Plant, limits and margins.
        ramp_scale: Length of the step over 300 s. [1]
    """
    lower, upper = action_bounds(now, previous, masks, model, ramp_scale)
    backup = jnp.clip(backup_action(previous, now, model), lower, upper)
    touch = jnp.clip(asked, lower, upper)
    slope = slopes(now, touch, model)
    prices = row_prices(model)

    def one(machines: Scalar) -> Envelope:
        rows, sides, scale = _rows(now, touch, slope, model, machines)

        def unit(action: jax.Array) -> jax.Array:
            return to_coordinates(action.at[MACHINES].set(machines))

        return Envelope(
            lower=unit(lower),
            upper=unit(upper),
            G=rows,
            h=sides,
            price=prices.price,
            scale=scale,
            priority=prices.priority,
            held=to_coordinates(previous),
            backup=unit(backup),
            names=ROW_NAMES,
        )

    return jax.vmap(one)(staging.machines)


def tangent(
    unit: jax.Array, now: Estimate, model: SafetyModel, machines: Scalar
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return rows (m, n), right-hand sides and scales (m,) that touch at a point.

    Args:
        unit: Where the tangent touches, in coordinates, shape (n,). [1]
        now: The estimate.
        model: Plant, limits and margins.
        machines: Machines that will run. [1]
    """
    touch = from_coordinates(unit)
    return _rows(now, touch, slopes(now, touch, model), model, machines)


def relinearised(
    envelope: Envelope,
    unit: jax.Array,
    now: Estimate,
    model: SafetyModel,
    machines: Scalar,
) -> Envelope:
    """Return an envelope with its rows taken at another point, one lane."""
    rows, sides, scale = tangent(unit, now, model, machines)
    return dataclasses.replace(envelope, G=rows, h=sides, scale=scale)


def _rows(
    now: Estimate,
    touch: jax.Array,
    slope: jax.Array,
    model: SafetyModel,
    machines: Scalar,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return unit-norm rows (m, n), right-hand sides and scales (m,)."""
    value = row_values(touch, now, model, machines)
    norm = jnp.sqrt(jnp.sum(slope * slope, axis=1))
    is_seen = jnp.isfinite(value) & is_on(model)
    is_used = is_seen & (norm > jnp.asarray(NOTICEABLE, jnp.float32))
    scale = jnp.where(is_used, norm, 1.0)
    rows = jnp.where(is_used[:, None], slope / scale[:, None], 0.0)
    sides = jnp.sum(rows * to_coordinates(touch)[None, :], axis=1) - value / scale
    # Foresight that nothing can serve any more is no news.
    is_stated = is_seen & ~jnp.asarray(IS_RECOVERY) & (value > 0.0)
    idle = jnp.where(is_stated, -value, 1.0)
    return rows, jnp.where(is_used, sides, idle), scale
