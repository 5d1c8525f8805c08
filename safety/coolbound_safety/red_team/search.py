"""Search for the worst sequence of proposals, through the whole closed loop.

Cross-entropy method (Rubinstein and Kroese 2004): draw plans, run every one, draw
again around the worst. It knows everything: each plan is scored in the very
episode, with its faults and its noise, in which it is then played.
"""

import dataclasses
from collections.abc import Callable
from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.types import Key

ELITE_SHARE: Final = 0.125
"""Share of the plans that the next ones are drawn around. [1]"""

SPREAD_MIN: Final = 0.08
"""Draws never become narrower than this. [1]"""

Score = Callable[[jax.Array], jax.Array]
"""From plans (blocks, P n, 10) to the harm of each, (P n,); n episodes, P plans."""


@dataclasses.dataclass(frozen=True)
class Search:
    """How hard is searched. Static.

    Attributes:
        plans: Plans for each episode at a time. [1]
        episodes: Episodes searched side by side. [1]
        blocks: Blocks of each plan. [1]
        generations: Times that plans are drawn. [1]
    """

    plans: int
    episodes: int
    blocks: int
    generations: int


def worst_plans(
    key: Key, search: Search, score: Score, begin: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Return the worst plan found for every episode, and its harm.

    Args:
        key: Of the draws.
        search: How hard.
        score: Runs plans; plan p of episode i is lane p n + i.
        begin: Centre of the first draw, (blocks, episodes, 10); the middle of
            every range where None. [1]

    Returns:
        Blocks (blocks, episodes, 10) [1] and harm (episodes,).
    """
    shape = (search.blocks, search.episodes, ACTION_SIZE)
    centre = jnp.full(shape, 0.5, jnp.float32) if begin is None else begin
    spread = jnp.full(shape, 0.6, jnp.float32)
    worst, harm = centre, jnp.full((search.episodes,), -jnp.inf, jnp.float32)
    for number in range(search.generations):
        drawn = _draw(jax.random.fold_in(key, number), centre, spread, search.plans)
        # The worst one so far takes part, so that harm never falls.
        drawn = drawn.at[:, 0].set(worst)
        scores = score(drawn.reshape(search.blocks, -1, ACTION_SIZE))
        scores = scores.reshape(search.plans, search.episodes)
        worst, harm = _best(drawn, scores)
        centre, spread = _fit(drawn, scores)
    return worst, harm


def _draw(key: Key, centre: jax.Array, spread: jax.Array, plans: int) -> jax.Array:
    """Return plans (blocks, plans, episodes, 10), clipped to the ranges [1]."""
    shape = (centre.shape[0], plans, *centre.shape[1:])
    noise = jax.random.normal(key, shape, jnp.float32)
    return jnp.clip(centre[:, None] + spread[:, None] * noise, 0.0, 1.0)


def _best(drawn: jax.Array, scores: jax.Array) -> tuple[jax.Array, jax.Array]:
    which = jnp.argmax(scores, axis=0)
    episodes = jnp.arange(scores.shape[1], dtype=jnp.int32)
    return drawn[:, which, episodes], scores[which, episodes]


def _fit(drawn: jax.Array, scores: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return mean and spread of the elite of every episode."""
    count = max(2, round(ELITE_SHARE * scores.shape[0]))
    _, elite = jax.lax.top_k(scores.T, count)
    episodes = jnp.arange(scores.shape[1], dtype=jnp.int32)
    chosen = drawn[:, elite.T, episodes[None]]
    spread = jnp.maximum(jnp.std(chosen, axis=1), SPREAD_MIN)
    return jnp.mean(chosen, axis=1), spread
