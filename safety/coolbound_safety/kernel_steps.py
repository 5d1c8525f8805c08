"""One step of the dual active-set method: which row enters, and how far it gets.

A row is selected by a one-hot mask, so that one instruction serves many lanes; batch
axis last, shapes as in `coolbound_safety.kernel_lanes`.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_safety.kernel_lanes import (
    DONE,
    IDLE,
    RUNNING,
    SATURATED,
    WORKING,
    Lanes,
    Problem,
    row_excess,
    tolerances,
)


@struct.dataclass
class Entering:
    """The row in process of each lane, batch last. Dynamic.

    Attributes:
        mask: One-hot over the rows, shape (M, B). [1]
        normal: Its normal, shape (n, B). [1]
        excess: By how much it is exceeded, shape (B,). [1]
        cap: Its largest multiplier, shape (B,). [1]
    """

    mask: jax.Array
    normal: jax.Array
    excess: jax.Array
    cap: jax.Array


@struct.dataclass
class Step:
    """One step of each lane, batch last. Dynamic.

    Attributes:
        length: Step length, 0 where the lane does not move, shape (B,). [1]
        is_full: The row in process becomes tight, shape (B,). [1]
        is_own: The row in process saturates or returns to zero, shape (B,). [1]
        is_drop: A slot is emptied first, shape (B,). [1]
        is_capped: That slot's multiplier reached its cap, shape (B,). [1]
        added: One-hot of the slot to be filled, shape (n, B). [1]
        dropped: One-hot of the slot to be emptied, shape (n, B). [1]
        failed: No finite step exists, shape (B,). [1]
    """

    length: jax.Array
    is_full: jax.Array
    is_own: jax.Array
    is_drop: jax.Array
    is_capped: jax.Array
    added: jax.Array
    dropped: jax.Array
    failed: jax.Array


def pick_row(problem: Problem, lanes: Lanes) -> tuple[Lanes, Entering]:
    """Return the lanes with a row in process, and that row."""
    m, n, _ = problem.rows.shape
    excess = row_excess(problem, lanes.u)
    score = jnp.where(lanes.stat == SATURATED, -excess, excess)
    score = jnp.where(lanes.stat == WORKING, -jnp.inf, score)
    worst = jnp.max(score, axis=0)
    ids = jnp.arange(m + 2 * n, dtype=jnp.int32)[:, None]
    picked = jnp.min(jnp.where(score == worst[None], ids, m + 2 * n), axis=0)
    is_fresh = (lanes.row < 0) & (lanes.phase == RUNNING)
    is_done = is_fresh & (worst <= tolerances(worst.dtype).violation)
    is_fresh = is_fresh & ~is_done
    row = jnp.where(is_fresh, picked, lanes.row)
    mask = ids == row[None]
    cap = jnp.sum(jnp.where(mask[:m], problem.price, 0.0), axis=0)
    cap = jnp.where(row < m, cap, jnp.inf)
    is_leaving = is_fresh & jnp.any(mask & (lanes.stat == SATURATED), axis=0)
    lanes = dataclasses.replace(
        lanes,
        row=row,
        stat=jnp.where(mask & is_leaving[None], IDLE, lanes.stat),
        mu=jnp.where(is_fresh, jnp.where(is_leaving, cap, 0.0), lanes.mu),
        sign=jnp.where(is_fresh, jnp.where(is_leaving, -1.0, 1.0), lanes.sign),
        phase=jnp.where(is_done, DONE, lanes.phase),
    )
    normal = jnp.sum(jnp.where(mask[:m, None], problem.rows, 0.0), axis=0)
    normal = normal + mask[m : m + n].astype(normal.dtype)
    normal = normal - mask[m + n :].astype(normal.dtype)
    over = jnp.sum(jnp.where(mask, excess, 0.0), axis=0)
    return lanes, Entering(mask=mask, normal=normal, excess=over, cap=cap)


def longest_step(lanes: Lanes, entering: Entering, zz: jax.Array, r: jax.Array) -> Step:
    """Return the longest step that keeps every multiplier within its cap."""
    eps = tolerances(zz.dtype)
    is_free = zz > eps.dependent
    gain = jnp.maximum(lanes.sign * entering.excess, 0.0)
    t_full = jnp.where(is_free, gain / jnp.where(is_free, zz, 1.0), jnp.inf)
    t_own = jnp.where(lanes.sign > 0, entering.cap - lanes.mu, lanes.mu)
    rate = lanes.sign[None] * r
    is_live = lanes.slot >= 0
    falls, rises = is_live & (rate > eps.ratio), is_live & (rate < -eps.ratio)
    divisor = jnp.where(falls | rises, jnp.abs(rate), 1.0)
    t_zero = jnp.where(falls, jnp.maximum(lanes.lam, 0.0) / divisor, jnp.inf)
    t_cap = jnp.where(rises, (lanes.slot_cap - lanes.lam) / divisor, jnp.inf)
    t_slot = jnp.minimum(t_zero, t_cap)
    t_drop = jnp.min(t_slot, axis=0)
    blocking = _first(t_slot == t_drop[None])
    t = jnp.minimum(jnp.minimum(t_full, t_own), t_drop)
    is_running = lanes.phase == RUNNING
    is_moving = is_running & jnp.isfinite(t)
    is_full = is_moving & (t == t_full)
    is_own = is_moving & ~is_full & (t == t_own)
    is_drop = is_moving & ~is_full & ~is_own
    return Step(
        length=jnp.where(is_moving, t, 0.0),
        is_full=is_full,
        is_own=is_own,
        is_drop=is_drop,
        is_capped=jnp.any(blocking & (t_cap < t_zero), axis=0),
        added=_first(~is_live) & is_full[None],
        dropped=blocking & is_drop[None],
        failed=is_running & ~is_moving,
    )


def _first(mask: jax.Array) -> jax.Array:
    """Return the mask with only its first true entry left, shape (k, B)."""
    ids = jnp.arange(mask.shape[0], dtype=jnp.int32)[:, None]
    return ids == jnp.min(jnp.where(mask, ids, mask.shape[0]), axis=0)[None]
