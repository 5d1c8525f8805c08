"""Could anybody have avoided it? Violations of the hard limit, tried again.

An episode is run again with the same key, bit for bit the same, and its state is
kept some steps before each violation. From there the bare plant goes on with the
same weather, load, faults and constants under controllers that do their best.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Final, final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound.evidence.causes import CLASSES, cause
from coolbound.evidence.episode import Arena, gathered
from coolbound.evidence.rescuers import rescuers
from coolbound.evidence.tallies import HOT, NEVER, ONSETS
from coolbound.evidence.violations import (
    LEADS,
    REACTION_MOST,
    STARTS,
    Violation,
    avoiders,
    reaction_steps,
)
from coolbound.validation.years import Lineup
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.limit_table import TOLERANCE
from coolbound_envs.site import Site
from coolbound_envs.types import Observation

AFTER: Final = 6
"""Steps from the violation's beginning that a rescue must get through. [1]"""

LENGTH: Final = REACTION_MOST + AFTER
"""Length of the longest rescue. [1]"""

BATCH: Final = 64
"""Violations that are tried again side by side. [1]"""


@final
@dataclasses.dataclass(frozen=True)
class Inquest:
    """Looks again at the violations of an arena. Static.

    Attributes:
        site: Whose plant it is.
        plain: The bare task.
        arena: Where the violations were.
        names: Of its policies, in order.
    """

    site: Site
    plain: CoolingTask
    arena: Arena
    names: Sequence[str]

    def compile(self) -> tuple[Any, Any]:
        """Return the compiled second look and rescue."""
        return jax.jit(self.arena.run), jax.jit(self._rescue)

    def look(
        self,
        tools: tuple[Any, Any],
        key: jax.Array,
        params: Any,
        memory: Any,
        task: TaskParams,
    ) -> tuple[Any, list[Violation]]:
        """Return the tally of a batch of episodes and its violations, tried again.

        Args:
            tools: From `compile`.
            key: Of the episodes.
            params: The arena's.
            memory: The arena's controller's.
            task: The bare task's parameters.
        """
        run, rescue = tools
        count = len(STARTS) * ONSETS
        lanes = self.arena.policies * self.arena.lanes
        none = jnp.full((count, lanes), NEVER, jnp.int32)
        tally, kept, _ = run(key, params, memory, none)
        onsets = np.asarray(tally.onsets)
        if not np.any(onsets >= 0):
            return tally, []
        targets = self._targets(kept[0], tally.onsets)
        # A decision that came too late is not tried, but its place is filled.
        steps = jnp.repeat(tally.onsets.T, len(STARTS), axis=0)
        within = jnp.minimum(targets, steps)
        again, kept, seen = run(key, params, memory, within)
        if not np.array_equal(np.asarray(again.onsets), onsets):
            raise RuntimeError("the same key gave another episode; report this")
        found = np.argwhere(onsets >= 0)
        return tally, self._judge(rescue, found, onsets, targets, kept, seen, key, task)

    def _targets(self, task: TaskState, onsets: jax.Array) -> jax.Array:
        """Return the steps at which states are kept, (starts x onsets, B) [1]."""
        rows = []
        for j in range(ONSETS):
            step = onsets[:, j]
            leads = (step - n for n in LEADS.values())
            starts = [*reaction_steps(task, step), *leads]
            rows += [
                jnp.where(step == NEVER, NEVER, jnp.maximum(start, 0))
                for start in starts
            ]
        return jnp.stack(rows)

    def _judge(
        self,
        rescue: Any,
        found: np.ndarray,
        onsets: np.ndarray,
        targets: jax.Array,
        kept: Sequence[TaskState],
        seen: Sequence[Observation],
        key: jax.Array,
        task: TaskParams,
    ) -> list[Violation]:
        begins = np.asarray(targets)
        names = list(rescuers(self.site))
        saved: dict[tuple[int, int], dict[str, tuple[str, ...]]] = {}
        lanes = self.arena.policies * self.arena.lanes
        for s, start in enumerate(STARTS):
            states = [kept[j * len(STARTS) + s] for j in range(ONSETS)]
            looks = [seen[j * len(STARTS) + s] for j in range(ONSETS)]
            for part in range(0, len(found), BATCH):
                rows = found[part : part + BATCH]
                padded = np.resize(rows, (BATCH, 2))
                order = jnp.asarray(padded[:, 1] * lanes + padded[:, 0], jnp.int32)
                lead = onsets[tuple(padded.T)]
                lead = lead - begins[padded[:, 1] * len(STARTS) + s, padded[:, 0]]
                lead = np.maximum(lead, 0)
                ok = np.asarray(
                    rescue(key, states, looks, order, jnp.asarray(lead), task)
                )
                for (lane, j), column in zip(rows, ok.T, strict=False):
                    in_time = begins[j * len(STARTS) + s, lane] <= onsets[lane, j]
                    by = avoiders(names, column, bool(in_time))
                    saved.setdefault((lane, j), {})[start] = by
        causes = self._causes(kept[0], onsets)
        return [
            Violation(
                policy=self.names[int(lane) // self.arena.lanes],
                cause=CLASSES[causes[lane, j]],
                step=int(onsets[lane, j]),
                avoided_by=saved[lane, j],
                begun={
                    start: int(onsets[lane, j] - begins[j * len(STARTS) + s, lane])
                    for s, start in enumerate(STARTS)
                },
            )
            for lane, j in found
        ]

    def _causes(self, task: TaskState, onsets: np.ndarray) -> np.ndarray:
        columns = [cause(task.faults, jnp.asarray(onsets[:, j])) for j in range(ONSETS)]
        return np.stack([np.asarray(column) for column in columns], axis=1)

    def _rescue(
        self,
        key: jax.Array,
        kept: Sequence[TaskState],
        seen: Sequence[Observation],
        order: jax.Array,
        lead: jax.Array,
        task: TaskParams,
    ) -> jax.Array:
        """Return whether each rescuer avoids each violation, (rescuers, BATCH).

        Args:
            key: Of the instruments.
            kept: States, one for each place of `ONSETS`.
            seen: Observations that belong to them.
            order: Lane within all of them, one after the other, (BATCH,). [1]
            lead: Steps from the start to the violation, (BATCH,). [1]
            task: The bare task.
        """
        helpers = tuple(rescuers(self.site).values())
        order = jnp.tile(order, len(helpers))
        state = gathered(_side_by_side(kept), order)
        looks = jax.tree.map(lambda *x: jnp.concatenate(x)[order], *seen)
        lineup = Lineup(helpers, BATCH)

        def body(carry: Any, number: jax.Array) -> tuple[Any, jax.Array]:
            observation, state, memory = carry
            act_key, step_key = jax.random.split(jax.random.fold_in(key, number))
            action, memory = lineup.act(act_key, memory, observation)
            observation, state, _, _, _, info = self.plain.step(
                step_key, state, action, task
            )
            h = info["limits"][:, HOT]
            return (observation, state, memory), ~(h <= TOLERANCE)

        numbers = jnp.arange(LENGTH + 1, dtype=jnp.int32)
        first = (looks, state, lineup.init())
        _, is_hot = jax.lax.scan(body, first, numbers)
        matters = numbers[:, None] <= jnp.tile(lead, len(helpers))[None] + AFTER
        return ~jnp.any(is_hot & matters, axis=0).reshape(len(helpers), BATCH)


def _side_by_side(states: Sequence[TaskState]) -> TaskState:
    """Return some batches as one, the lanes of each after those before."""
    applied = jax.tree.map(
        lambda *x: jnp.concatenate(x), *(state.applied for state in states)
    )
    others = jax.tree.map(
        lambda *x: jnp.concatenate(x, axis=-1),
        *(dataclasses.replace(state, applied=None) for state in states),
    )
    return dataclasses.replace(others, applied=applied)
