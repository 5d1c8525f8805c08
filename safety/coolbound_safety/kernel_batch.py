"""Dual active-set iteration on many problems at once, batch axis last.

The method of `coolbound_safety.reference.solve_active_set`, written as
element-wise operations and reductions over short leading axes, so that one
instruction serves many lanes: a row is selected by a one-hot mask, and adding and
dropping a constraint share one masked rank-1 update. Every lane stops by itself:
finished, failed, or at the step cap; none depends on another.

Shapes: n channels, m general rows, M = m + 2n rows with the bounds (upper, then
lower), B lanes, always the last axis.
"""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

EPS_VIOLATION: Final = 1e-6
"""A row is met below this, float32; at 3e-6 nearly dependent rows cost 1e-4. [1]"""

EPS_DEPENDENT: Final = 1e-5
"""A squared direction below this counts as zero, float32. [1]"""

EPS_ZERO: Final = 1e-11
"""A squared direction below this is rounding, float32. [1]"""

EPS_RATIO: Final = 1e-7
"""A multiplier that changes more slowly never blocks. [1]"""

EPS_LOCK: Final = 1e-6
"""Bounds this close lock the actuator. [1]"""

COMMON_STEPS: Final = 10
"""Steps that all lanes of a chunk take together. [1]"""

GROUP: Final = 64
"""Lanes that need more are finished in groups of this many. [1]"""

IDLE, WORKING, SATURATED = 0, 1, 2
RUNNING, DONE, FAILED = 0, 1, 2


@struct.dataclass
class Problem:
    """Projections to be solved, batch last. Dynamic.

    Attributes:
        rows: Unit rows, shape (m, n, B). [1]
        h: Right-hand sides, shape (m, B). [1]
        price: Largest multiplier of each row, shape (m, B). [1]
        lower: Lowest action, shape (n, B). [1]
        upper: Highest action, shape (n, B). [1]
        proposed: Point to project, shape (n, B). [1]
    """

    rows: jax.Array
    h: jax.Array
    price: jax.Array
    lower: jax.Array
    upper: jax.Array
    proposed: jax.Array


@struct.dataclass
class Lanes:
    """Working memory of the iteration, batch last. Dynamic.

    Attributes:
        u: Current point, shape (n, B). [1]
        slot: Row held by each slot or -1, int32, shape (n, B). [1]
        slot_cap: Largest multiplier of each slot's row, shape (n, B). [1]
        lam: Multiplier of each slot, shape (n, B). [1]
        inverse: Pseudo-inverse row of each slot, shape (n, n, B). [1]
        null: Projector on what the slots leave free, shape (n, n, B). [1]
        stat: IDLE, WORKING or SATURATED, int32, shape (M, B). [1]
        row: Row in process or -1, int32, shape (B,). [1]
        mu: Multiplier of the row in process, shape (B,). [1]
        sign: +1 entering, -1 leaving saturation, shape (B,). [1]
        phase: RUNNING, DONE or FAILED, int32, shape (B,). [1]
        steps: Steps taken, int32, shape (B,). [1]
    """

    u: jax.Array
    slot: jax.Array
    slot_cap: jax.Array
    lam: jax.Array
    inverse: jax.Array
    null: jax.Array
    stat: jax.Array
    row: jax.Array
    mu: jax.Array
    sign: jax.Array
    phase: jax.Array
    steps: jax.Array


@struct.dataclass
class _Entering:
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
class _Step:
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


def solve_lanes(problem: Problem, step_limit: int) -> Lanes:
    """Iterate until every lane is done, has failed or stands at the limit.

    After a few steps most lanes are done; the rest are gathered into groups, so
    that one long lane does not make all the others wait.
    """
    lanes = _start(problem)
    size = problem.h.shape[-1]
    if size <= GROUP:
        return _iterate(problem, lanes, step_limit, step_limit)
    lanes = _iterate(problem, lanes, COMMON_STEPS, step_limit)

    def finish_group(lanes: Lanes) -> Lanes:
        is_running = lanes.phase == RUNNING
        at = jnp.nonzero(is_running, size=GROUP, fill_value=size)[0]
        part, group = (
            jax.tree.map(lambda x: jnp.take(x, at, axis=-1, mode="clip"), tree)
            for tree in (problem, lanes)
        )
        # A filler repeats the last lane; it is not stepped and not written back.
        phase = jnp.where(at < size, group.phase, DONE)
        group = _iterate(
            part, dataclasses.replace(group, phase=phase), step_limit, step_limit
        )
        return jax.tree.map(
            lambda x, y: x.at[..., at].set(y, mode="drop"), lanes, group
        )

    return jax.lax.while_loop(_is_running, finish_group, lanes)


def _iterate(problem: Problem, lanes: Lanes, steps: int, step_limit: int) -> Lanes:
    """Step until no lane runs or the lanes have taken that many steps."""

    def is_unfinished(lanes: Lanes) -> jax.Array:
        is_early = (lanes.phase == RUNNING) & (lanes.steps < steps)
        return jnp.any(is_early)

    return jax.lax.while_loop(
        is_unfinished, lambda lanes: _advance(problem, lanes, step_limit), lanes
    )


def _is_running(lanes: Lanes) -> jax.Array:
    return jnp.any(lanes.phase == RUNNING)


def apply_rows(rows: jax.Array, u: jax.Array) -> jax.Array:
    """Return the rows times u, shape (m, B) [1]."""
    return jnp.sum(rows * u[None], axis=1)


def _start(problem: Problem) -> Lanes:
    """Return the best point of the box, which is dual feasible."""
    m, n, lanes = problem.rows.shape
    c, u = problem.proposed, jnp.clip(problem.proposed, problem.lower, problem.upper)
    sign = jnp.sign(c - u).astype(jnp.int32)
    upper_row = jnp.broadcast_to(m + jnp.arange(n, dtype=jnp.int32)[:, None], c.shape)
    slot = jnp.where(sign > 0, upper_row, jnp.where(sign < 0, upper_row + n, -1))
    bounds = jnp.concatenate([sign > 0, sign < 0]).astype(jnp.int32) * WORKING
    eye = jnp.eye(n, dtype=c.dtype)[:, :, None]
    counter = jnp.zeros((lanes,), jnp.int32)
    return Lanes(
        u=u,
        slot=slot,
        slot_cap=jnp.full_like(c, jnp.inf),
        lam=jnp.abs(c - u),
        inverse=eye * sign.astype(c.dtype)[None],
        null=eye * (sign == 0).astype(c.dtype)[None],
        stat=jnp.concatenate([jnp.zeros((m, lanes), jnp.int32), bounds]),
        row=counter - 1,
        mu=jnp.zeros((lanes,), c.dtype),
        sign=jnp.ones((lanes,), c.dtype),
        phase=counter + RUNNING,
        steps=counter,
    )


def _advance(problem: Problem, lanes: Lanes, step_limit: int) -> Lanes:
    """Pick a row where a lane has none, then take one step in every lane."""
    lanes, entering = _pick(problem, lanes)
    z = jnp.sum(lanes.null * entering.normal[None], axis=1)
    r = jnp.sum(lanes.inverse * entering.normal[None], axis=1)
    zz = jnp.sum(z * z, axis=0)
    # A dependent row moves multipliers only. Its multiplier may travel as far as
    # its price, over which the rounding left in z would carry u away.
    z = jnp.where((zz > EPS_ZERO)[None], z, 0.0)
    step = _step(lanes, entering, zz, r)
    lanes = _update_factors(lanes, step, z, r, zz)
    lanes = _move(lanes, entering, step, z, r)
    steps = lanes.steps + (lanes.phase == RUNNING).astype(jnp.int32)
    failed = (step.failed | (steps >= step_limit)) & (lanes.phase == RUNNING)
    return dataclasses.replace(
        lanes, steps=steps, phase=jnp.where(failed, FAILED, lanes.phase)
    )


def _pick(problem: Problem, lanes: Lanes) -> tuple[Lanes, _Entering]:
    """Return the lanes with a row in process, and that row."""
    m, n, _ = problem.rows.shape
    excess = jnp.concatenate(
        [
            apply_rows(problem.rows, lanes.u) - problem.h,
            lanes.u - problem.upper,
            problem.lower - lanes.u,
        ]
    )
    score = jnp.where(lanes.stat == SATURATED, -excess, excess)
    score = jnp.where(lanes.stat == WORKING, -jnp.inf, score)
    worst = jnp.max(score, axis=0)
    ids = jnp.arange(m + 2 * n, dtype=jnp.int32)[:, None]
    picked = jnp.min(jnp.where(score == worst[None], ids, m + 2 * n), axis=0)
    is_fresh = (lanes.row < 0) & (lanes.phase == RUNNING)
    is_done = is_fresh & (worst <= EPS_VIOLATION)
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
    return lanes, _Entering(mask=mask, normal=normal, excess=over, cap=cap)


def _step(lanes: Lanes, entering: _Entering, zz: jax.Array, r: jax.Array) -> _Step:
    """Return the longest step that keeps every multiplier within its cap."""
    is_free = zz > EPS_DEPENDENT
    gain = jnp.maximum(lanes.sign * entering.excess, 0.0)
    t_full = jnp.where(is_free, gain / jnp.where(is_free, zz, 1.0), jnp.inf)
    t_own = jnp.where(lanes.sign > 0, entering.cap - lanes.mu, lanes.mu)
    rate = lanes.sign[None] * r
    is_live = lanes.slot >= 0
    falls, rises = is_live & (rate > EPS_RATIO), is_live & (rate < -EPS_RATIO)
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
    return _Step(
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


def _move(
    lanes: Lanes, entering: _Entering, step: _Step, z: jax.Array, r: jax.Array
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


def _book_rows(lanes: Lanes, entering: _Entering, step: _Step) -> jax.Array:
    """Return the rows' status after the step, shape (M, B)."""
    own = jnp.where(lanes.sign > 0, SATURATED, IDLE)
    own = jnp.where(step.is_full, WORKING, own)
    is_own = entering.mask & (step.is_full | step.is_own)[None]
    # A slot holds row -1 while empty, so 0 here means that none is dropped.
    gone = jnp.sum(jnp.where(step.dropped, lanes.slot + 1, 0), axis=0)
    ids = jnp.arange(1, lanes.stat.shape[0] + 1, dtype=jnp.int32)[:, None]
    fate = jnp.where(step.is_capped, SATURATED, IDLE)
    stat = jnp.where(is_own, own[None], lanes.stat)
    return jnp.where(ids == gone[None], fate[None], stat)


def _update_factors(
    lanes: Lanes, step: _Step, z: jax.Array, r: jax.Array, zz: jax.Array
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
