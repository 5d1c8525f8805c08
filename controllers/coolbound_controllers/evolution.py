"""Differential evolution: minimisation without gradients, many problems side by side.

Storn and Price, J. Global Optim. 11 (1997) 341, in the variant current-to-best/1
with binomial crossover. Members step along differences of other members, so the
steps stretch along a narrow valley, such as a limit that binds, and shrink with
the population.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from coolbound_envs.types import Key

Score = Callable[[jax.Array], jax.Array]

_CROSSOVER = 0.9
_PULL = (0.1, 0.8)
_STEP = (0.3, 0.9)


def minimise(
    key: Key,
    score: Score,
    bounds: tuple[jax.Array, jax.Array],
    problems: tuple[int, int],
    population: int,
    generations: int,
) -> jax.Array:
    """Return the best point found for every problem.

    Random numbers are shared along the second axis of problems, so that what is
    found for one of them does not depend on which others stand beside it.

    Args:
        key: For the random numbers.
        score: To be made least: points (D, A, population, B) to (A, population, B).
        bounds: Lower and upper end of each coordinate, shape (D,). [mixed units]
        problems: A and B.
        population: Members of each problem's population.
        generations: Of members; each costs one evaluation of all of them.

    Returns:
        Points within the bounds, shape (D, A, B).
    """
    lower, upper = (end.reshape((-1, 1, 1, 1)) for end in bounds)
    first, later = jax.random.split(key)
    shape = (lower.shape[0], problems[0], population, 1)
    spread = jax.random.uniform(first, shape)
    points = jnp.broadcast_to(
        lower + spread * (upper - lower), (*shape[:-1], problems[1])
    )
    step = functools.partial(_generation, score=score, lower=lower, upper=upper)
    start = points, score(points)
    (points, scores), _ = jax.lax.scan(
        step, start, jax.random.split(later, generations)
    )
    return _best(points, scores)[:, :, 0]


def _best(points: jax.Array, scores: jax.Array) -> jax.Array:
    """Return the best member of every population, (D, A, 1, B)."""
    place = jnp.argmin(scores, axis=1, keepdims=True)[None]
    rows = jnp.broadcast_to(place, (points.shape[0], *place.shape[1:]))
    return jnp.take_along_axis(points, rows, axis=2)


def _generation(
    carry: tuple[jax.Array, jax.Array],
    key: Key,
    score: Score,
    lower: jax.Array,
    upper: jax.Array,
) -> tuple[tuple[jax.Array, jax.Array], None]:
    """Let every member try one step, and keep what is no worse."""
    points, scores = carry
    members = points.shape[2]
    keys = jax.random.split(key, 6)
    one, other = (
        jnp.roll(points, jax.random.randint(k, (), 1, members), axis=2)
        for k in keys[:2]
    )
    shape = (*points.shape[:-1], 1)
    pull = jax.random.uniform(
        keys[2], (1, *shape[1:]), minval=_PULL[0], maxval=_PULL[1]
    )
    step = jax.random.uniform(
        keys[3], (1, *shape[1:]), minval=_STEP[0], maxval=_STEP[1]
    )
    moved = points + pull * (_best(points, scores) - points) + step * (one - other)
    moved = jnp.where(jax.random.uniform(keys[4], shape) < _CROSSOVER, moved, points)
    # Beyond an end: onto it, or half way there, so that neither side is favoured.
    share = jnp.where(jax.random.uniform(keys[5], shape) < 0.5, 1.0, 0.5)
    moved = jnp.where(moved < lower, points + share * (lower - points), moved)
    moved = jnp.where(moved > upper, points + share * (upper - points), moved)
    found = score(moved)
    is_kept = found <= scores
    return (
        jnp.where(is_kept[None], moved, points),
        jnp.where(is_kept, found, scores),
    ), None
