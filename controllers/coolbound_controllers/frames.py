"""The last few observations in place of one: a short memory without recurrence.

One observation does not say whether water is warming or cooling. A task with k frames
shows its learner the features of the last k control steps, oldest first, the present
ones last. An episode begins with its first observation k times.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.task import Step, Task
from coolbound_envs.types import Key


@struct.dataclass
class FrameState:
    """The lanes and what they showed last. Dynamic.

    Attributes:
        inner: State of the task of single frames.
        frames: Raw features of the last k steps, shape (n, k F). [mixed units]
    """

    inner: Any
    frames: jax.Array


def repeated(features: jax.Array, count: int) -> jax.Array:
    """Return features (..., F) as `count` equal frames, (..., count F)."""
    return jnp.concatenate([features] * count, axis=-1)


def pushed(frames: jax.Array, features: jax.Array) -> jax.Array:
    """Return frames (..., k F) without the oldest and with features (..., F) last."""
    return jnp.concatenate([frames[..., features.shape[-1] :], features], axis=-1)


@dataclasses.dataclass(frozen=True, eq=False)
class _Framed:
    """A task's functions with frames. Static."""

    task: Task
    count: int

    def reset(self, key: Key, lanes: int) -> tuple[jax.Array, FrameState]:
        features, inner = self.task.reset_batch(key, lanes)
        frames = repeated(features, self.count)
        return frames, FrameState(inner=inner, frames=frames)

    def step(self, key: Key, state: FrameState, action: jax.Array) -> Step:
        step = self.task.step_batch(key, state.inner, action)
        final = pushed(state.frames, step.final_features)
        ended = (step.terminated > 0.5) | (step.truncated > 0.5)
        fresh = repeated(step.features, self.count)
        frames = jnp.where(ended[:, None], fresh, pushed(state.frames, step.features))
        return dataclasses.replace(
            step,
            features=frames,
            final_features=final,
            state=FrameState(inner=step.state, frames=frames),
        )


def with_frames(task: Task, count: int) -> Task:
    """Return a task that shows the last `count` control steps, at least 1.

    Raises:
        ValueError: There would be none.
    """
    if count < 1:
        raise ValueError(f"count: found {count}, expected 1 at least")
    if count == 1:
        return task
    framed = _Framed(task, count)
    return dataclasses.replace(
        task,
        reset_batch=framed.reset,
        step_batch=framed.step,
        feature_size=count * task.feature_size,
    )
