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
from coolbound_safety.envelope import envelope_at
from coolbound_safety.judge import judge
from coolbound_safety.kernel import Projection, project_batch
from coolbound_safety.margins import SafetyModel
from coolbound_safety.types import Envelope


@struct.dataclass
class ShieldedParams:
    """A task and the safety model in front of it. Dynamic.

    The two may differ: the filter need not know the plant exactly.
    """

    task: TaskParams
    safety: SafetyModel


@struct.dataclass
class ShieldedState:
    """The simulation and what the filter saw last. Dynamic."""

    task: TaskState
    observation: Observation


def shield(
    observation: Observation, proposed: jax.Array, model: SafetyModel
) -> tuple[jax.Array, Projection, Envelope]:
    """Return certified actions (B, 10), physical units, for a batch.

    Args:
        observation: Batch axis first.
        proposed: Shape (B, 10). [each channel's unit]
        model: Plant, limits and margins, shared by the batch.
    """
    lower = jnp.asarray(channel_array("lower"), proposed.dtype)[None, :]
    span = jnp.asarray(channel_array("upper"), proposed.dtype)[None, :] - lower
    envelopes = jax.vmap(lambda o, p: envelope_at(o, p, model))(observation, proposed)
    unit = (proposed - lower) / span
    projection = project_batch(envelopes, unit)
    return lower + span * projection.u, projection, envelopes


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
        return observation, ShieldedState(task=state, observation=observation)

    def select(
        self, ended: jax.Array, fresh: ShieldedState, kept: ShieldedState
    ) -> ShieldedState:
        """Return a batch with the lanes that ended replaced by fresh ones."""

        def lanes_first(new: jax.Array, old: jax.Array) -> jax.Array:
            return jnp.where(ended.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        return ShieldedState(
            task=self.inner.select(ended, fresh.task, kept.task),
            observation=jax.tree.map(lanes_first, fresh.observation, kept.observation),
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
        the kernel fell back [1], and `envelope`, what was projected onto.
        """
        asked = action_to_vector(action)
        in_force = state.observation.applied
        is_finite = jnp.all(jnp.isfinite(asked), axis=-1)
        proposed = jnp.where(is_finite[..., None], asked, in_force)
        applied, projection, envelopes = shield(
            state.observation, proposed, params.safety
        )
        applied = jax.lax.stop_gradient(applied)
        observation, task, reward, terminated, truncated, info = self.inner.step(
            key, state.task, action_from_vector(applied), params.task
        )
        span = jnp.asarray(channel_array("upper") - channel_array("lower"), jnp.float32)
        band = jnp.asarray(channel_array("dead_band"), jnp.float32)[None, :]
        moved = jnp.abs(applied - proposed)
        judged = jax.vmap(lambda o, p: judge(o, p, params.safety))
        info = info | {
            "proposed_limits": judged(state.observation, proposed),
            "proposed": proposed,
            "certified": applied,
            "correction": jnp.sqrt(jnp.sum((moved / span[None, :]) ** 2, axis=-1)),
            "intervention": jnp.any(moved > band, axis=-1).astype(jnp.float32),
            "slack": jnp.max(jnp.maximum(projection.slack, 0.0), axis=-1),
            "is_flagged": (~projection.ok).astype(jnp.float32),
            "action_refused": info["action_refused"] | ~is_finite,
            "envelope": envelopes,
        }
        next_state = ShieldedState(task=task, observation=observation)
        return observation, next_state, reward, terminated, truncated, info
