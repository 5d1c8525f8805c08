"""An environment behind the safety layer; it is itself an environment.

The policy owns the proposed action; the plant receives the certified one. The
in-jit projection runs for the whole batch at once, without gradient.
"""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.spec import channel_array
from coolbound_envs.types import (
    Action,
    Key,
    Observation,
    Scalar,
    action_from_vector,
    action_to_vector,
)
from coolbound_safety.guard import Memory, first_memory, guard
from coolbound_safety.judge import bare, judge
from coolbound_safety.margins import SafetyModel
from coolbound_safety.rows import row_values


@struct.dataclass
class ShieldedParams:
    """A task and the safety model in front of it. Dynamic.

    The two may differ: the filter need not know the plant exactly.
    """

    task: TaskParams
    safety: SafetyModel


@struct.dataclass
class ShieldedState:
    """The simulation, what the filter saw last, and what it remembers. Dynamic."""

    task: TaskState
    observation: Observation
    memory: Memory


@final
@dataclasses.dataclass(frozen=True)
class ShieldedTask:
    """A batch of cooling tasks behind the projection. Static.

    Attributes:
        inner: The task that is shielded.
    """

    inner: CoolingTask

    def reset_batch(
        self, key: Key, params: ShieldedParams, shape: tuple[int]
    ) -> tuple[Observation, ShieldedState]:
        """Return first observations and states of a batch, axis first."""
        observation, state = self.inner.reset_batch(key, params.task, shape)
        memory = first_memory(shape)
        return observation, ShieldedState(state, observation, memory)

    def select(
        self, ended: jax.Array, fresh: ShieldedState, kept: ShieldedState
    ) -> ShieldedState:
        """Return a batch with the lanes that ended replaced by fresh ones."""

        def lanes_first(new: jax.Array, old: jax.Array) -> jax.Array:
            return jnp.where(ended.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        return ShieldedState(
            task=self.inner.select(ended, fresh.task, kept.task),
            observation=jax.tree.map(lanes_first, fresh.observation, kept.observation),
            memory=jax.tree.map(lanes_first, fresh.memory, kept.memory),
        )

    def step(
        self, key: Key, state: ShieldedState, action: Action, params: ShieldedParams
    ) -> tuple[Observation, ShieldedState, Scalar, Scalar, Scalar, dict[str, Any]]:
        """Project the proposed actions, apply the answer, run one interval.

        A proposal that is not finite is refused as the bare task refuses it: the
        action in force stands in for it, and `info["action_refused"]` says so. One
        outside its box is a proposal like any other, and an intervention.

        `info` gains `proposed`, `certified` (B, 10) in physical units,
        `proposed_limits` (B, 21), h that the proposal would lead to, NaN where
        not observable, `correction`, the distance of proposed and certified in
        unit coordinates [1], `intervention`, 1 where they differ beyond the dead
        band [1], `slack`, the worst slack of any row [1], `is_flagged`, 1 where
        the kernel fell back [1], `envelope`, what was projected onto, `asked`,
        what was, in the projection's coordinates (B, 10) [1],
        `predicted_limits` (B, m), what the nonlinear model says of the certified
        action without margins, by row, `is_emergency` and `is_blind`, True where
        all cooling was asked for or old readings were not trusted, `searched`, True
        where the nonlinear check moved the answer, and `beyond`, what it could not
        mend, weighed by price [1].
        """
        asked = action_to_vector(action)
        in_force = state.observation.applied
        is_finite = jnp.all(jnp.isfinite(asked), axis=-1)
        proposed = jnp.where(is_finite[..., None], asked, in_force)
        guarded, memory = guard(
            state.memory, state.observation, proposed, params.safety
        )
        applied = jax.lax.stop_gradient(guarded.action)
        observation, task, reward, terminated, truncated, info = self.inner.step(
            key, state.task, action_from_vector(applied), params.task
        )
        span = jnp.asarray(channel_array("upper") - channel_array("lower"), jnp.float32)
        band = jnp.asarray(channel_array("dead_band"), jnp.float32)[None, :]
        moved = jnp.abs(applied - proposed)
        now, projection = guarded.options.estimate, guarded.projection
        judged = jax.vmap(lambda o, p, e: judge(o, p, e, params.safety))
        predict = jax.vmap(lambda u, e, n: row_values(u, e, bare(params.safety), n))
        info = info | {
            "proposed_limits": judged(state.observation, proposed, now),
            "predicted_limits": predict(applied, now, guarded.machines),
            "proposed": proposed,
            "certified": applied,
            "correction": jnp.sqrt(jnp.sum((moved / span[None, :]) ** 2, axis=-1)),
            "intervention": jnp.any(moved > band, axis=-1).astype(jnp.float32),
            "slack": jnp.max(jnp.maximum(projection.slack, 0.0), axis=-1),
            "is_flagged": (~projection.ok).astype(jnp.float32),
            "action_refused": info["action_refused"] | ~is_finite,
            "envelope": guarded.envelope,
            "asked": guarded.options.asked,
            "is_emergency": guarded.options.is_emergency,
            "is_blind": guarded.options.is_blind,
            "searched": guarded.check.share < 1.0,
            "beyond": guarded.check.excess,
        }
        next_state = ShieldedState(task, observation, memory)
        return observation, next_state, reward, terminated, truncated, info
