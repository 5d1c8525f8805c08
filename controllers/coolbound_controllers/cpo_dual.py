"""The exact small problem inside one CPO step, for K constraints.

    maximise    g . x
    subject to  c_k + b_k . x <= 0,   k = 1..K
                x' H x / 2 <= delta

J. Achiam et al., arXiv:1705.10528, eq. 10, there for K = 1. Its solution lies in
the span of U = H^-1 [g, b_1..b_K]; with x = U z only inner products with U are
needed, and the answer is exact in that span even where U is not. In coordinates
y in which the trust region is the unit ball,

    maximise    e . y   subject to   v_k + a_k . y <= 0,   |y| <= 1

with unit vectors e, a_k, and v_k the violation as a share of what the trust
region can move. For a set of constraints that hold with equality, y is the
point of their intersection nearest to the centre plus the way from there along
the projected e to the sphere. The best such y over all 2^K sets that breaks no
constraint is the answer: no multiplier has to be guessed or clamped. Where no y
keeps all constraints, the one with the smallest largest v_k + a_k . y is taken;
there the constraints of a set are equally violated and |y| = 1.
"""

import math
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

RECOVERY: Final = 0
"""No step within the trust region keeps all constraints."""

RETURN: Final = 1
"""A constraint is violated now, and kept after the step."""

BOUNDED: Final = 2
"""All constraints are kept, and one of them cuts the trust region."""

FREE: Final = 3
"""All constraints are kept in the whole trust region."""

UNCONSTRAINED: Final = 4
"""No constraint answers to the policy: a step of TRPO."""

CONSTRAINTS_MAX: Final = 10
"""The sets of active constraints are enumerated: 1,024 at most. [1]"""

RANK: Final = 3e-5
"""Squared share of a direction that the others do not have already; below it, it is
rounding and is let go. That costs freedom, never a constraint. [1]"""

TOLERANCE: Final = 5e-6
"""Share of a constraint's reach that rounding may take; also kept clear. [1]"""

IRRELEVANT: Final = -2.0
"""A violation, as a share of the reach, that no step can bring to zero. [1]"""

VIOLATION_MAX: Final = 1e4
"""Violations beyond so many reaches are alike. [1]"""

REACH_MIN: Final = 1e-6
"""A constraint that the trust region moves by less has no gradient. [1]"""

ROUNDING: Final = 1e-5
"""What is left of a unit vector after projection and is no direction. [1]"""

TINY: Final = 1e-12
"""Keeps a division by zero finite. [1]"""


@struct.dataclass
class Plan:
    """The step that the small problem asks for. Dynamic.

    Attributes:
        weights: z, the share of each direction, shape (1 + K,). [1]
        multipliers: Reward per unit of each constraint, shape (K,); in recovery,
            where the reward has no say, their shares in the step, sum 1. [1]
        level: Violation that each constraint may have after the step, shape (K,):
            none, or in recovery the smallest that can be had. [1]
        case: `RECOVERY`, `RETURN`, `BOUNDED`, `FREE` or `UNCONSTRAINED`. [1]
    """

    weights: jax.Array
    multipliers: jax.Array
    level: jax.Array
    case: jax.Array


@struct.dataclass
class _Ball:
    """The problem in coordinates in which the trust region is the unit ball."""

    ascent: jax.Array  # e, (m,)
    rows: jax.Array  # a_k, (K, m)
    violation: jax.Array  # v_k, (K,)
    is_live: jax.Array  # whether the policy can move the constraint, (K,)
    back: jax.Array  # from y to z, (m, m)
    ascent_size: jax.Array  # what the reward can gain
    reach: jax.Array  # what each constraint can move, (K,)


@struct.dataclass
class _Sets:
    """All S = 2^K sets of constraints, held with equality."""

    masks: jax.Array  # 1 for a member, (S, K)
    inverses: jax.Array  # pseudo-inverses of the members' rows, (S, m, K)
    feet: jax.Array  # points of the intersections nearest to the centre, (S, m)


@struct.dataclass
class _Points:
    """One candidate per set."""

    y: jax.Array  # (S, m)
    prices: jax.Array  # (S, K)
    worst: jax.Array  # largest v_k + a_k . y, infinite where no such point, (S,)


def plan_step(
    slopes: jax.Array, metric: jax.Array, violation: jax.Array, trust_region: float
) -> Plan:
    """Return the best step within the span of 1 + K directions.

    Args:
        slopes: Gradient i along direction j, shape (1 + K, 1 + K); reward first.
        metric: Directions' products under H, shape (1 + K, 1 + K).
        violation: c, cost rate above its limit in the unit of b, shape (K,).
        trust_region: delta, largest mean KL divergence, in nats.
    """
    ball = _to_ball(slopes, metric, violation, trust_region)
    sets = _enumerate(ball)
    keeping, recovering = _keeping(ball, sets), _recovering(ball, sets)
    is_kept = keeping.worst <= TOLERANCE
    best = jnp.argmax(jnp.where(is_kept, keeping.y @ ball.ascent, -jnp.inf))
    least = jnp.argmin(recovering.worst)
    is_feasible = jnp.any(is_kept)
    y = jnp.where(is_feasible, keeping.y[best], recovering.y[least])
    prices = keeping.prices[best] * ball.ascent_size / ball.reach
    level = jnp.maximum(recovering.worst[least], 0.0) * ball.reach
    return Plan(
        weights=ball.back @ y,
        multipliers=jnp.where(is_feasible, prices, recovering.prices[least]),
        level=jnp.where(is_feasible, 0.0, level),
        case=_case(ball, is_feasible),
    )


def _to_ball(
    slopes: jax.Array, metric: jax.Array, violation: jax.Array, trust_region: float
) -> _Ball:
    length = jnp.sqrt(jnp.diagonal(metric))
    length = jnp.where(length > 0.0, length, 1.0)
    values, vectors = jnp.linalg.eigh(metric / (length[:, None] * length[None]))
    # 1 / sqrt(value) where the value is safe, and smoothly nothing where it is not
    spread = jnp.sqrt(jnp.maximum(values, 0.0) / (values**2 + RANK**2))
    radius = math.sqrt(2.0 * trust_region) * (1.0 - TOLERANCE)
    back = radius * vectors * spread[None] / length[:, None]
    gradients = slopes @ back
    size = jnp.linalg.norm(gradients, axis=-1)
    units = gradients / jnp.maximum(size, TINY)[:, None]
    is_live = size[1:] > REACH_MIN
    reach = jnp.where(is_live, size[1:], 1.0)
    share = jnp.clip(violation / reach, IRRELEVANT, VIOLATION_MAX)
    return _Ball(
        ascent=units[0],
        rows=jnp.where(is_live[:, None], units[1:], 0.0),
        violation=jnp.where(is_live, share, IRRELEVANT),
        is_live=is_live,
        back=back,
        ascent_size=size[0],
        reach=reach,
    )


def _enumerate(ball: _Ball) -> _Sets:
    count = ball.rows.shape[0]
    bits = (np.arange(2**count)[:, None] >> np.arange(count)[None]) & 1
    masks = jnp.asarray(bits, jnp.float32)
    inverses = jnp.linalg.pinv(masks[:, :, None] * ball.rows[None], rtol=ROUNDING)
    clear = masks * (ball.violation + TOLERANCE)[None]
    feet = -jnp.einsum("smk,sk->sm", inverses, clear)
    return _Sets(masks=masks, inverses=inverses, feet=feet)


def _keeping(ball: _Ball, sets: _Sets) -> _Points:
    """Return the best point of each set's intersection with the ball."""
    prices = jnp.einsum("smk,m->sk", sets.inverses, ball.ascent)
    along = ball.ascent[None] - prices @ ball.rows
    # once more: where little is left, its rounding leaves the intersection
    again = jnp.einsum("smk,sk->sm", sets.inverses, along @ ball.rows.T * sets.masks)
    along = along - again
    length = jnp.linalg.norm(along, axis=-1)
    room = 1.0 - jnp.sum(sets.feet**2, axis=-1)
    way = jnp.sqrt(jnp.maximum(room, 0.0))
    # shorter than that it is rounding: the reward climbs along the members only
    is_way = length > ROUNDING
    pace = jnp.where(is_way, way / jnp.where(is_way, length, 1.0), 0.0)
    y = sets.feet + pace[:, None] * along
    pull = jnp.where(is_way, length / jnp.maximum(way, TINY), 0.0)
    prices = prices - pull[:, None] * jnp.einsum("smk,sm->sk", sets.inverses, sets.feet)
    worst = jnp.where(room >= 0.0, _worst(ball, y), jnp.inf)
    return _Points(y=y, prices=jnp.maximum(prices, 0.0), worst=worst)


def _recovering(ball: _Ball, sets: _Sets) -> _Points:
    """Return the point of the ball at which each set is least, equally violated.

    Members that depend on each other fix their common violation themselves; for
    others it falls until the sphere is met.
    """
    rise = jnp.einsum("smk,sk->sm", sets.inverses, sets.masks)
    apart = sets.masks * (1.0 - rise @ ball.rows.T)
    dependence = jnp.sum(apart**2, axis=-1)
    is_corner = dependence > ROUNDING
    corner = apart @ (ball.violation + TOLERANCE)
    corner = corner / jnp.where(is_corner, dependence, 1.0)
    square = jnp.sum(rise**2, axis=-1)
    cross = jnp.sum(rise * sets.feet, axis=-1)
    constant = jnp.sum(sets.feet**2, axis=-1) - 1.0
    root = jnp.sqrt(jnp.maximum(cross**2 - square * constant, 0.0))
    sphere = -(cross + root) / jnp.maximum(square, TINY)
    level = jnp.where(is_corner, corner, sphere)
    y = level[:, None] * rise + sets.feet
    y = y / jnp.maximum(jnp.linalg.norm(y, axis=-1, keepdims=True), 1.0)
    shares = jnp.maximum(-jnp.einsum("smk,sm->sk", sets.inverses, y), 0.0)
    total = jnp.maximum(jnp.sum(shares, axis=-1, keepdims=True), TINY)
    return _Points(y=y, prices=shares / total, worst=_worst(ball, y))


def _worst(ball: _Ball, y: jax.Array) -> jax.Array:
    found = ball.violation[None] + y @ ball.rows.T
    return jnp.max(found, axis=-1, initial=-jnp.inf)


def _case(ball: _Ball, is_feasible: jax.Array) -> jax.Array:
    is_free = jnp.all(ball.violation < -1.0)
    is_broken = jnp.any(ball.is_live & (ball.violation >= 0.0))
    found = jnp.where(is_free, FREE, BOUNDED)
    found = jnp.where(jnp.any(ball.is_live), found, UNCONSTRAINED)
    found = jnp.where(is_broken, RETURN, found)
    return jnp.where(is_feasible, found, RECOVERY).astype(jnp.int32)
