"""One batch of episodes, tallied as it runs: no trajectory is kept.

The program is the same whether states are kept for a second look or not, so that
the same key gives the same episode bit for bit.
"""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound.evidence.causes import CLASSES, cause
from coolbound.evidence.tallies import (
    APART,
    HOT,
    ONSETS,
    SCALES,
    Tally,
    no_tally,
)
from coolbound_controllers.cooling_task import BatchedEnvironment
from coolbound_envs.episode import TaskState, select_lanes
from coolbound_envs.limit_table import LIMIT_NAMES, TOLERANCE
from coolbound_envs.types import Controller, Observation


@struct.dataclass
class Running:
    """What goes from step to step. Dynamic.

    Attributes:
        observation: What the instruments say, lanes first.
        state: The environment's.
        memory: The policies'.
        is_alive: True where the episode goes on, (B,).
        above: Steps that h has been above by now, (B, L). [1]
        last_hot: Last step over the hard thermal limit, (B,). [1]
        tally: So far.
        kept: Simulations at the steps that were asked for.
        seen: Observations that belong to them.
    """

    observation: Observation
    state: Any
    memory: Any
    is_alive: jax.Array
    above: jax.Array
    last_hot: jax.Array
    tally: Tally
    kept: tuple[TaskState, ...]
    seen: tuple[Observation, ...]


def simulation(state: Any) -> TaskState:
    """Return the simulation within an environment's state."""
    return getattr(state, "task", state)


def gathered(state: Any, lanes: jax.Array) -> Any:
    """Return an environment's state with some of its lanes, in a new order."""
    if not isinstance(state, TaskState):
        rest = {
            field.name: jax.tree.map(lambda x: x[lanes], getattr(state, field.name))
            for field in dataclasses.fields(state)
            if field.name != "task"
        }
        return dataclasses.replace(state, task=gathered(state.task, lanes), **rest)
    applied = jax.tree.map(lambda x: x[lanes], state.applied)
    others = jax.tree.map(
        lambda x: x[..., lanes], dataclasses.replace(state, applied=None)
    )
    return dataclasses.replace(others, applied=applied)


def chosen(mask: jax.Array, new: Any, old: Any) -> Any:
    """Return a pytree, lanes first, with some lanes replaced."""
    return jax.tree.map(
        lambda a, b: jnp.where(mask.reshape(-1, *[1] * (a.ndim - 1)), a, b), new, old
    )


@final
@dataclasses.dataclass(frozen=True)
class Arena:
    """Policies side by side in one environment, all in the same episodes. Static.

    Attributes:
        controller: Whoever proposes, for all lanes together: a `Lineup`, mostly.
        policies: Blocks of lanes that are tallied apart. [1]
        lanes: Lanes of each block. [1]
        environment: The plant, or the plant behind the safety layer.
        steps: Length of an episode. [1]
    """

    controller: Controller
    policies: int
    lanes: int
    environment: BatchedEnvironment
    steps: int

    def start(
        self, key: jax.Array, params: Any, memory: Any, snapshots: int
    ) -> Running:
        """Return a fresh batch: every policy meets the same places and faults."""
        reset = self.environment.reset_batch(key, params, (self.lanes,))
        order = jnp.tile(jnp.arange(self.lanes, dtype=jnp.int32), self.policies)
        observation = jax.tree.map(lambda x: x[order], reset[0])
        state = gathered(reset[1], order)
        return Running(
            observation=observation,
            state=state,
            memory=memory,
            is_alive=jnp.ones(order.shape, bool),
            above=jnp.zeros((order.size, len(LIMIT_NAMES)), jnp.float32),
            last_hot=jnp.full(order.shape, -APART, jnp.int32),
            tally=no_tally(self.policies, self.lanes),
            kept=(simulation(state),) * snapshots,
            seen=(observation,) * snapshots,
        )

    def run(
        self, key: jax.Array, params: Any, memory: Any, targets: jax.Array
    ) -> tuple[Tally, tuple[TaskState, ...], tuple[Observation, ...]]:
        """Return the tally of a batch of episodes, and the states asked for.

        Args:
            key: Of everything in them.
            params: The environment's.
            memory: The controller's, before its first decision.
            targets: Steps before which a lane's state is kept, (S, B); `NEVER`
                for none. [1]
        """
        start_key, run_key = jax.random.split(key)
        first = self.start(start_key, params, memory, targets.shape[0])

        def body(running: Running, number: jax.Array) -> tuple[Running, None]:
            step_key = jax.random.fold_in(run_key, number)
            return self._step(step_key, number, running, params, targets), None

        last, _ = jax.lax.scan(body, first, jnp.arange(self.steps, dtype=jnp.int32))
        return last.tally, last.kept, last.seen

    def _step(
        self,
        key: jax.Array,
        number: jax.Array,
        running: Running,
        params: Any,
        targets: jax.Array,
    ) -> Running:
        act_key, step_key = jax.random.split(key)
        running = self._keep(running, number, targets)
        action, memory = self.controller.act(
            act_key, running.memory, running.observation
        )
        task = simulation(running.state)
        causes = cause(task.faults, task.steps)
        observation, state, _, ended, _, info = self.environment.step(
            step_key, running.state, action, params
        )
        h, above, tally = self._count(running, causes, number, ended, info)
        return dataclasses.replace(
            running,
            observation=observation,
            state=state,
            memory=memory,
            is_alive=running.is_alive & ~ended,
            above=above,
            last_hot=jnp.where(h[:, HOT] > TOLERANCE, number, running.last_hot),
            tally=tally,
        )

    def _keep(self, running: Running, number: jax.Array, targets: jax.Array) -> Running:
        def take(running: Running) -> Running:
            task, masks = simulation(running.state), targets == number
            return dataclasses.replace(
                running,
                kept=tuple(
                    select_lanes(mask, task, old)
                    for mask, old in zip(masks, running.kept, strict=True)
                ),
                seen=tuple(
                    chosen(mask, running.observation, old)
                    for mask, old in zip(masks, running.seen, strict=True)
                ),
            )

        return jax.lax.cond(jnp.any(targets == number), take, lambda r: r, running)

    def _by_policy(self, values: jax.Array) -> jax.Array:
        return values.reshape(self.policies, -1, *values.shape[1:])

    def _count(
        self,
        running: Running,
        causes: jax.Array,
        number: jax.Array,
        ended: jax.Array,
        info: dict[str, Any],
    ) -> tuple[jax.Array, jax.Array, Tally]:
        tally, alive = running.tally, running.is_alive
        # A diverged lane has no limits any more; it is a trip, and told as one.
        h = jnp.where(
            alive[:, None] & ~info["diverged"][:, None], info["limits"], -jnp.inf
        )
        is_over = (h > TOLERANCE).astype(jnp.float32)
        kinds = jax.nn.one_hot(causes, len(CLASSES), dtype=jnp.float32)
        kinds = self._by_policy(jnp.where(alive[:, None], kinds, 0.0))
        over = self._by_policy(is_over)
        is_back = (running.above > 0.5) & (is_over < 0.5) & alive[:, None]
        back = is_back.astype(jnp.float32)
        above = jnp.where(is_over > 0.5, running.above + 1.0, 0.0)
        is_calm = causes == CLASSES.index("none")
        calm = jnp.where(is_calm[:, None], h, -jnp.inf)
        zero = jnp.zeros(alive.shape, jnp.float32)

        def count(values: jax.Array) -> jax.Array:
            return jnp.sum(self._by_policy(jnp.where(alive, values, 0.0)), axis=1)

        begins = (is_over[:, HOT] > 0.5) & (number - running.last_hot > APART)
        places = jnp.arange(ONSETS, dtype=jnp.int32)[None]
        is_place = begins[:, None] & (places == tally.onset_count[:, None])
        scales = jnp.asarray(SCALES, jnp.float32)[None]
        is_relaxed = (info.get("slack", zero) > 1e-3).astype(jnp.float32)
        return (
            h,
            above,
            Tally(
                steps=tally.steps + jnp.sum(kinds, axis=1),
                violations=tally.violations + jnp.einsum("pnl,pnc->plc", over, kinds),
                worst=jnp.maximum(tally.worst, jnp.max(self._by_policy(h), axis=1)),
                worst_calm=jnp.maximum(
                    tally.worst_calm, jnp.max(self._by_policy(calm), axis=1)
                ),
                recoveries=tally.recoveries + jnp.sum(self._by_policy(back), axis=1),
                recovery_steps=tally.recovery_steps
                + jnp.sum(self._by_policy(back * running.above), axis=1),
                recovery_longest=jnp.maximum(
                    tally.recovery_longest, jnp.max(self._by_policy(above), axis=1)
                ),
                interventions=tally.interventions
                + count(info.get("intervention", zero)),
                relaxed=tally.relaxed + count(is_relaxed),
                flagged=tally.flagged + count(info.get("is_flagged", zero)),
                correction=tally.correction + count(info.get("correction", zero)),
                trips=tally.trips + count(ended.astype(jnp.float32)),
                onsets=jnp.where(is_place, number, tally.onsets),
                onset_count=tally.onset_count + begins.astype(jnp.int32),
                hottest=jnp.maximum(tally.hottest, h[:, HOT]),
                sharpest=jnp.maximum(tally.sharpest, jnp.max(h / scales, axis=1)),
            ),
        )
