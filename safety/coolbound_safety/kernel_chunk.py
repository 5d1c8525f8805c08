"""One chunk of projections: solved, polished, checked, and repaired where it failed.

Batch axis last, shapes as in `coolbound_safety.kernel_lanes`.
"""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_safety.kernel_batch import solve_lanes
from coolbound_safety.kernel_lanes import (
    DONE,
    SATURATED,
    Lanes,
    Problem,
    apply_rows,
    row_excess,
    tolerances,
)

Data = dict[str, jax.Array]


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


@struct.dataclass
class Factors:
    """The working set at the answers, leading batch axis B. Dynamic.

    Attributes:
        slot: Row held by each slot or -1: general rows, upper bounds, lower
            bounds; int32, shape (B, n). [1]
        inverse: Pseudo-inverse row of each slot, shape (B, n, n). [1]
        null: Projector on what the slots leave free, shape (B, n, n). [1]
    """

    slot: jax.Array
    inverse: jax.Array
    null: jax.Array


def solve_chunk(
    data: Data, margin: float, step_limit: int
) -> tuple[Projection, Factors]:
    """Solve, check and repair one chunk, every array with the batch axis last."""
    is_sound = jnp.stack([_is_finite(x) for x in data.values()]).all(axis=0)
    is_sound = is_sound & _is_open(data)
    data = {name: _quiet(name, x, is_sound) for name, x in data.items()}
    given = Problem(
        rows=data["G"],
        h=data["h"] - margin,
        price=data["price"],
        lower=data["lower"],
        upper=data["upper"],
        proposed=data["c"],
    )
    problem = lock(given)
    lanes = solve_lanes(problem, step_limit)
    u, residual = _polish(problem, lanes)
    multipliers = _multipliers(problem, lanes)
    slack = jnp.maximum(apply_rows(given.rows, u) - data["h"], 0.0)
    is_kept = ~jnp.any((slack > 0.0) & (data["priority"] == 0), axis=0)
    is_checked = residual <= 2.0 * tolerances(u.dtype).violation
    ok = is_sound & (lanes.phase == DONE) & is_checked & is_kept
    backup = jnp.clip(data["backup"], problem.lower, problem.upper)
    u = jnp.where(ok[None], u, shrink(given, u, backup))
    known = jnp.where(_is_finite(data["backup"])[None], data["backup"], data["held"])
    u = jnp.where(is_sound[None], u, known)
    multipliers = jnp.where(ok[None], multipliers, 0.0)
    slack = jnp.maximum(apply_rows(given.rows, u) - data["h"], 0.0)
    factors = Factors(lanes.slot, lanes.inverse, lanes.null)
    return Projection(u, multipliers, slack, ok, lanes.steps), factors


def _is_finite(x: jax.Array) -> jax.Array:
    """Return which lanes are finite throughout, shape (B,)."""
    return jnp.all(jnp.isfinite(x), axis=tuple(range(x.ndim - 1)))


def _is_open(data: Data) -> jax.Array:
    """Return which lanes have no crossed bounds, rounding apart, shape (B,)."""
    width = data["upper"] - data["lower"]
    return jnp.all(width >= -tolerances(width.dtype).lock, axis=0)


def _quiet(name: str, x: jax.Array, is_sound: jax.Array) -> jax.Array:
    """Replace lanes that are not sound by a problem that is solved at once."""
    if name in ("backup", "held"):
        return x
    mask = jnp.broadcast_to(is_sound, x.shape)
    return jnp.where(mask, x, jnp.ones_like(x) if name == "h" else jnp.zeros_like(x))


def lock(problem: Problem) -> Problem:
    """Take locked actuators out of the problem: their columns become zero."""
    eps = tolerances(problem.upper.dtype)
    is_locked = problem.upper - problem.lower < eps.lock
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
    excess = row_excess(problem, lanes.u)
    ids = jnp.arange(m + 2 * n, dtype=jnp.int32)[None, :, None]
    is_held = lanes.slot[:, None] == ids
    missing = jnp.sum(jnp.where(is_held, excess[None], 0.0), axis=1)
    newton = lanes.u - jnp.sum(lanes.inverse * missing[:, None], axis=0)
    plain, newton = (
        jnp.clip(x, problem.lower, problem.upper) for x in (lanes.u, newton)
    )
    at_plain, at_newton = (_worst(problem, lanes, x) for x in (plain, newton))
    is_better = at_newton <= jnp.maximum(at_plain, tolerances(at_plain.dtype).violation)
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
