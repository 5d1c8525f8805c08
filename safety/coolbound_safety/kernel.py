"""The projection inside a jitted program: float32, batched, exact, self-checked.

    minimise    |u - c|^2 / 2 + price . s
    subject to  lower <= u <= upper,  G u <= h - margin + s,  s >= 0

solved by the dual active-set method of `coolbound_safety.kernel_batch`. The rows
are tightened by a margin that covers what float32 can miss, so that an answer with
`ok` keeps every row that it does not declare relaxed, judged in float64. A lane that
does not finish, fails its own check or holds a value that is not finite is given the
backup action, or a point on the way to it, and `ok` is false: count those lanes.

Gradients do not pass: the filter is part of the environment.
"""

import dataclasses
import functools
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_safety.kernel_batch import (
    DONE,
    EPS_LOCK,
    EPS_VIOLATION,
    SATURATED,
    Lanes,
    Problem,
    apply_rows,
    solve_lanes,
)
from coolbound_safety.types import Envelope

ARRAYS: Final = ("lower", "upper", "G", "h", "price", "priority", "held", "backup")


@dataclasses.dataclass(frozen=True)
class ProjectConfig:
    """Settings of the kernel; the defaults serve. Static.

    Attributes:
        margin: Rows are tightened by this; below 3e-6 float32 may miss a row. [1]
        step_limit: Steps before a lane is given up; ordinary lanes need 60. [1]
        chunk: Lanes solved together; their memory should fit the cache. [1]
    """

    margin: float = 5e-6
    step_limit: int = 128
    chunk: int = 256


DEFAULT_CONFIG: Final = ProjectConfig()


@struct.dataclass
class Projection:
    """Answers of the kernel, leading batch axis B (none for a single lane). Dynamic.

    Attributes:
        u: Action, unit coordinates, shape (B, n). [1]
        multipliers: Price paid at each row, shape (B, m). [1]
        slack: Excess over each row as given, shape (B, m). [1]
        ok: True where the lane finished and passed its own check, shape (B,). [1]
        iterations: Steps taken, int32, shape (B,). [1]
    """

    u: jax.Array
    multipliers: jax.Array
    slack: jax.Array
    ok: jax.Array
    iterations: jax.Array


def project_batch(
    envelope: Envelope, c: jax.Array, config: ProjectConfig = DEFAULT_CONFIG
) -> Projection:
    """Project B proposals, each onto its own envelope, every array with axis B.

    Args:
        envelope: Float32 envelopes; see `narrow` for float64 ones.
        c: Proposed actions, unit coordinates, shape (B, n). [1]
        config: Settings.
    """
    data = {name: jnp.asarray(getattr(envelope, name)) for name in ARRAYS}
    data = jax.lax.stop_gradient({**data, "c": jnp.asarray(c)})
    return _solver(config)(data)


def project_one(
    envelope: Envelope, c: jax.Array, config: ProjectConfig = DEFAULT_CONFIG
) -> Projection:
    """Project one proposal, shape (n,); under `vmap` it is one batched solve."""
    data = {name: jnp.asarray(getattr(envelope, name))[None] for name in ARRAYS}
    data = jax.lax.stop_gradient({**data, "c": jnp.asarray(c)[None]})
    return jax.tree.map(lambda x: x[0], _solver(config)(data))


def narrow(envelope: Envelope) -> Envelope:
    """Return a float64 numpy envelope in float32, bounds rounded inward."""
    lower = np.asarray(envelope.lower, dtype=np.float64)
    upper = np.asarray(envelope.upper, dtype=np.float64)
    low, high = lower.astype(np.float32), upper.astype(np.float32)
    low = np.where(low < lower, np.nextafter(low, np.float32(np.inf)), low)
    high = np.where(high > upper, np.nextafter(high, np.float32(-np.inf)), high)
    names = ("G", "h", "price", "scale", "held", "backup")
    single = {k: np.asarray(getattr(envelope, k), dtype=np.float32) for k in names}
    return dataclasses.replace(envelope, lower=low, upper=high, **single)


@functools.cache
def _solver(config: ProjectConfig) -> Any:
    """Return the solver; `vmap` around it merges its axis into the batch."""

    @jax.custom_batching.custom_vmap
    def solve(data: dict[str, jax.Array]) -> Projection:
        return _solve(data, config)

    @solve.def_vmap
    def _(size: int, is_batched: Any, data: dict[str, jax.Array]) -> Any:
        def merge(x: jax.Array, has_axis: bool) -> jax.Array:
            full = x if has_axis else jnp.broadcast_to(x[None], (size, *x.shape))
            return full.reshape(size * full.shape[1], *full.shape[2:])

        merged = jax.tree.map(merge, data, is_batched[0])
        found = solve(merged)
        apart = jax.tree.map(lambda x: x.reshape(size, -1, *x.shape[1:]), found)
        return apart, jax.tree.map(lambda _: True, apart)

    return solve


@functools.partial(jax.jit, static_argnums=1)
def _solve(data: dict[str, jax.Array], config: ProjectConfig) -> Projection:
    """Return the answers, in chunks where the batch is larger than one."""
    batch = data["c"].shape[0]
    if batch <= config.chunk:
        return _solve_rows(data, config)
    chunks = -(-batch // config.chunk)

    def split(x: jax.Array) -> jax.Array:
        copies = jnp.broadcast_to(x[:1], (chunks * config.chunk - batch, *x.shape[1:]))
        full = jnp.concatenate([x, copies])
        return full.reshape(chunks, config.chunk, *x.shape[1:])

    parts = jax.tree.map(split, data)
    found = jax.lax.map(lambda part: _solve_rows(part, config), parts)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:batch], found)


def _solve_rows(data: dict[str, jax.Array], config: ProjectConfig) -> Projection:
    """Return the answers of one chunk, batch first."""
    last = {name: jnp.moveaxis(x, 0, -1) for name, x in data.items()}
    found = _solve_chunk(last, config)
    return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), found)


def _solve_chunk(data: dict[str, jax.Array], config: ProjectConfig) -> Projection:
    """Solve, check and repair one chunk, batch last."""
    is_finite = jnp.stack([_is_finite(x) for x in data.values()]).all(axis=0)
    data = {name: _quiet(name, x, is_finite) for name, x in data.items()}
    given = Problem(
        rows=data["G"],
        h=data["h"] - config.margin,
        price=data["price"],
        lower=data["lower"],
        upper=data["upper"],
        proposed=data["c"],
    )
    problem = lock(given)
    lanes = solve_lanes(problem, config.step_limit)
    u, residual = _polish(problem, lanes)
    multipliers = _multipliers(problem, lanes)
    slack = jnp.maximum(apply_rows(given.rows, u) - data["h"], 0.0)
    is_kept = ~jnp.any((slack > 0.0) & (data["priority"] == 0), axis=0)
    is_checked = residual <= 2.0 * EPS_VIOLATION
    ok = is_finite & (lanes.phase == DONE) & is_checked & is_kept
    backup = jnp.clip(data["backup"], problem.lower, problem.upper)
    u = jnp.where(ok[None], u, shrink(given, u, backup))
    known = jnp.where(_is_finite(data["backup"])[None], data["backup"], data["held"])
    u = jnp.where(is_finite[None], u, known)
    multipliers = jnp.where(ok[None], multipliers, 0.0)
    slack = jnp.maximum(apply_rows(given.rows, u) - data["h"], 0.0)
    return Projection(u, multipliers, slack, ok, lanes.steps)


def _is_finite(x: jax.Array) -> jax.Array:
    """Return which lanes are finite throughout, shape (B,)."""
    return jnp.all(jnp.isfinite(x), axis=tuple(range(x.ndim - 1)))


def _quiet(name: str, x: jax.Array, is_finite: jax.Array) -> jax.Array:
    """Replace lanes that are not finite by a problem that is solved at once."""
    if name in ("backup", "held"):
        return x
    mask = jnp.broadcast_to(is_finite, x.shape)
    return jnp.where(mask, x, jnp.ones_like(x) if name == "h" else jnp.zeros_like(x))


def lock(problem: Problem) -> Problem:
    """Take locked actuators out of the problem: their columns become zero."""
    is_locked = problem.upper - problem.lower < EPS_LOCK
    value = jnp.where(is_locked, jnp.minimum(problem.lower, problem.upper), 0.0)

    def pin(x: jax.Array) -> jax.Array:
        return jnp.where(is_locked, value, x)

    return Problem(
        rows=jnp.where(is_locked[None], 0.0, problem.rows),
        h=problem.h - apply_rows(problem.rows, value),
        price=problem.price,
        lower=pin(problem.lower),
        upper=pin(problem.upper),
        proposed=pin(problem.proposed),
    )


def shrink(problem: Problem, u: jax.Array, backup: jax.Array) -> jax.Array:
    """Return the farthest point from the backup towards u that keeps all rows.

    Where the backup itself exceeds a row, that is the backup. Batch last; u and
    backup inside the bounds, shape (n, B).
    """
    way = u - backup
    rate = apply_rows(problem.rows, way)
    room = problem.h - apply_rows(problem.rows, backup)
    is_toward = rate > 0.0
    reach = jnp.where(is_toward, room / jnp.where(is_toward, rate, 1.0), 1.0)
    share = jnp.clip(jnp.min(reach, axis=0), 0.0, 1.0)
    share = jnp.where(jnp.all(room >= 0.0, axis=0), share, 0.0)
    point = jnp.clip(backup + share[None] * way, problem.lower, problem.upper)
    return jnp.where((share > 0.0)[None], point, backup)


def _polish(problem: Problem, lanes: Lanes) -> tuple[jax.Array, jax.Array]:
    """Return the point after one Newton correction and its worst row excess."""
    m, n, _ = problem.rows.shape
    excess = jnp.concatenate(
        [
            apply_rows(problem.rows, lanes.u) - problem.h,
            lanes.u - problem.upper,
            problem.lower - lanes.u,
        ]
    )
    ids = jnp.arange(m + 2 * n, dtype=jnp.int32)[None, :, None]
    is_held = lanes.slot[:, None] == ids
    missing = jnp.sum(jnp.where(is_held, excess[None], 0.0), axis=1)
    newton = lanes.u - jnp.sum(lanes.inverse * missing[:, None], axis=0)
    plain, newton = (
        jnp.clip(x, problem.lower, problem.upper) for x in (lanes.u, newton)
    )
    at_plain, at_newton = (_worst(problem, lanes, x) for x in (plain, newton))
    is_better = at_newton <= jnp.maximum(at_plain, EPS_VIOLATION)
    u = jnp.where(is_better[None], newton, plain)
    return u, jnp.where(is_better, at_newton, at_plain)


def _worst(problem: Problem, lanes: Lanes, u: jax.Array) -> jax.Array:
    """Return the largest excess over a row that is not saturated, shape (B,)."""
    excess = apply_rows(problem.rows, u) - problem.h
    is_saturated = lanes.stat[: problem.h.shape[0]] == SATURATED
    return jnp.max(jnp.where(is_saturated, -jnp.inf, excess), axis=0)


def _multipliers(problem: Problem, lanes: Lanes) -> jax.Array:
    """Return the multiplier of each row, shape (m, B)."""
    m = problem.h.shape[0]
    ids = jnp.arange(m, dtype=jnp.int32)[None, :, None]
    held = lanes.slot[:, None] == ids
    found = jnp.sum(jnp.where(held, lanes.lam[:, None], 0.0), axis=0)
    found = jnp.where(lanes.stat[:m] == SATURATED, problem.price, found)
    return jnp.clip(found, 0.0, problem.price)
