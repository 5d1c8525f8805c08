"""What a step of the dual active-set method leaves behind: point, books, factors.

Adding and dropping a constraint share one masked rank-1 update; batch axis last,
shapes as in `coolbound_safety.kernel_lanes`.
"""

import dataclasses

import jax
import jax.numpy as jnp

from coolbound_safety.kernel_lanes import IDLE, SATURATED, WORKING, Lanes
from coolbound_safety.kernel_steps import Entering, Step


def move_lanes(
    lanes: Lanes, entering: Entering, step: Step, z: jax.Array, r: jax.Array
) -> Lanes:
    """Return the lanes after the step, with rows and slots booked."""
    signed = lanes.sign * step.length
    mu = lanes.mu + signed
    lam = jnp.where(lanes.slot >= 0, lanes.lam - signed[None] * r, 0.0)
    lam = jnp.where(step.added, mu[None], jnp.where(step.dropped, 0.0, lam))
    slot = jnp.where(step.added, lanes.row[None], lanes.slot)
    is_closed = step.is_full | step.is_own
    return dataclasses.replace(
        lanes,
        u=lanes.u - signed[None] * z,
        slot=jnp.where(step.dropped, -1, slot),
        slot_cap=jnp.where(step.added, entering.cap[None], lanes.slot_cap),
        lam=lam,
        stat=_book_rows(lanes, entering, step),
        row=jnp.where(is_closed, -1, lanes.row),
        mu=mu,
    )


def _book_rows(lanes: Lanes, entering: Entering, step: Step) -> jax.Array:
    """Return the rows' status after the step, shape (M, B)."""
    own = jnp.where(lanes.sign > 0, SATURATED, IDLE)
    own = jnp.where(step.is_full, WORKING, own)
    is_own = entering.mask & (step.is_full | step.is_own)[None]
    # A slot holds row -1 while empty, so 0 here means that none is dropped.
    gone = jnp.max(jnp.where(step.dropped, lanes.slot + 1, 0), axis=0)
    ids = jnp.arange(1, lanes.stat.shape[0] + 1, dtype=jnp.int32)[:, None]
    fate = jnp.where(step.is_capped, SATURATED, IDLE)
    stat = jnp.where(is_own, own[None], lanes.stat)
    return jnp.where(ids == gone[None], fate[None], stat)


def update_factors(
    lanes: Lanes, step: Step, z: jax.Array, r: jax.Array, zz: jax.Array
) -> Lanes:
    """Return the lanes with a row added to or dropped from the factors.

    Both are inverse -= a q', null -= s w q', with (w, a, s) = (z, r, +1) to add
    and (inverse[j], inverse inverse[j], -1) to drop; q = w / |w|^2.
    """
    old = jnp.sum(jnp.where(step.dropped[:, None], lanes.inverse, 0.0), axis=0)
    is_full = step.is_full[None]
    w = jnp.where(is_full, z, old)
    ww = jnp.where(step.is_full, zz, jnp.sum(old * old, axis=0))
    is_used = (step.is_full | step.is_drop) & (ww > 0.0)
    q = jnp.where(is_used[None], w / jnp.where(is_used, ww, 1.0)[None], 0.0)
    a = jnp.where(is_full, r, jnp.sum(lanes.inverse * old[None], axis=1))
    sw = jnp.where(is_full, z, -old)
    inverse = lanes.inverse - a[:, None] * q[None]
    inverse = jnp.where(step.added[:, None], q[None], inverse)
    inverse = jnp.where(step.dropped[:, None], 0.0, inverse)
    return dataclasses.replace(
        lanes, inverse=inverse, null=lanes.null - sw[:, None] * q[None]
    )
