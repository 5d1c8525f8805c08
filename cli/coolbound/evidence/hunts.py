"""Searches for the worst proposals: every plan that is tried is tallied."""

import dataclasses
from collections.abc import Callable
from typing import Any, Final, final

import jax
import jax.numpy as jnp

from coolbound.evidence.episode import Arena
from coolbound.evidence.rescue import Inquest
from coolbound.evidence.tallies import (
    NEVER,
    ONSETS,
    Tally,
    as_numbers,
    as_one,
    together,
)
from coolbound.evidence.violations import STARTS, Violation
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.site import Site
from coolbound_envs.spec import ACTION_SIZE
from coolbound_safety.red_team.gradient import Climb
from coolbound_safety.red_team.script import Scripted, plan_of
from coolbound_safety.red_team.search import Search, worst_plans
from coolbound_safety.shielded import ShieldedParams, ShieldedTask

HOLD: Final = 3
"""Steps that share one proposal. [1]"""

NEARBY: Final = 0.1
"""Plans around the worst one, by this standard deviation. [1]"""

HUNTS: Final = ("search, inlet", "search, any limit", "gradient, inlet")
"""What is searched for and how."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """How hard is hunted. Static.

    Attributes:
        plans: Plans for each episode at a time. [1]
        episodes: Episodes side by side. [1]
        steps: Length of each. [1]
        generations: Draws of a search, or climbs of a gradient. [1]
        rounds: Batches of episodes for each hunt. [1]
    """

    plans: int
    episodes: int
    steps: int
    generations: int
    rounds: int


@final
class Hunt:
    """The hunts on one task, compiled once. Static."""

    def __init__(self, site: Site, params: ShieldedParams, effort: Effort) -> None:
        """Prepare hunts.

        Args:
            site: Whose plant it is.
            params: The task and the safety model in front of it.
            effort: How hard is hunted.
        """
        self.params, self.effort = params, effort
        plain = CoolingTask(settle_steps=24)
        self.arena = Arena(
            controller=Scripted(HOLD),
            policies=effort.plans,
            lanes=effort.episodes,
            environment=ShieldedTask(plain),
            steps=effort.steps,
        )
        names = [""] * effort.plans
        self.inquest = Inquest(site, plain, self.arena, names)
        self.tools = self.inquest.compile()
        climb = Climb(ShieldedTask(plain), HOLD, effort.generations)
        self._climb = jax.jit(climb.worst)
        self._start = jax.jit(self._first_state)

    def run(
        self, name: str, seed: int, progress: Callable[[int], None]
    ) -> tuple[Tally, list[Violation], int]:
        """Return the tally of all plans tried, and the worst ones' violations.

        The last number is that of the violations that began in plans on the way to
        the worst, or beyond a lane's first few, and were not tried again.

        Args:
            name: One of `HUNTS`.
            seed: Of everything.
            progress: Told the rounds done.
        """
        total, violations = None, []
        for number in range(self.effort.rounds):
            key = jax.random.fold_in(jax.random.key(seed), number)
            tallies, blocks = self._hunted(name, key)
            tally, found = self.inquest.look(
                self.tools, key, self.params, plan_of(blocks), self.params.task
            )
            for one in (*tallies, as_numbers(tally)):
                total = one if total is None else together(total, one)
            violations += [dataclasses.replace(v, policy=name) for v in found]
            progress(number + 1)
        assert total is not None
        missed = round(float(total.onset_count.sum())) - len(violations)
        return as_one(total), violations, missed

    def _hunted(self, name: str, key: jax.Array) -> tuple[list[Tally], jax.Array]:
        if name.startswith("gradient"):
            return [], self._climbed(key)
        return self._searched(key, "hottest" if "inlet" in name else "sharpest")

    def _searched(self, key: jax.Array, goal: str) -> tuple[list[Tally], jax.Array]:
        """Return the tallies of a search, and plans at and around the worst."""
        effort, tallies = self.effort, []
        lanes = effort.plans * effort.episodes
        none = jnp.full((len(STARTS) * ONSETS, lanes), NEVER, jnp.int32)

        def score(blocks: jax.Array) -> jax.Array:
            tally, _, _ = self.tools[0](key, self.params, plan_of(blocks), none)
            tallies.append(as_numbers(tally))
            return getattr(tally, goal)

        search = Search(
            effort.plans, effort.episodes, effort.steps // HOLD, effort.generations
        )
        worst, _ = worst_plans(key, search, score)
        shape = (worst.shape[0], effort.plans, *worst.shape[1:])
        noise = NEARBY * jax.random.normal(jax.random.fold_in(key, 99), shape)
        near = jnp.clip(worst[:, None] + noise.at[:, 0].set(0.0), 0.0, 1.0)
        return tallies, near.reshape(worst.shape[0], lanes, ACTION_SIZE)

    def _first_state(self, key: jax.Array) -> tuple[Any, jax.Array]:
        """Return the states in which a batch of episodes begins, and its keys."""
        start_key, run_key = jax.random.split(key)
        running = self.arena.start(start_key, self.params, (), 0)
        numbers = jnp.arange(self.effort.steps)
        keys = jax.vmap(lambda n: jax.random.split(jax.random.fold_in(run_key, n))[1])(
            numbers
        )
        return running.state, keys

    def _climbed(self, key: jax.Array) -> jax.Array:
        """Return the worst plans of a climb from a random begin in every lane."""
        effort = self.effort
        state, keys = self._start(key)
        shape = (effort.steps // HOLD, effort.plans * effort.episodes, ACTION_SIZE)
        begin = jax.random.uniform(jax.random.fold_in(key, 98), shape, jnp.float32)
        return self._climb(keys, begin, state, self.params)[0]
