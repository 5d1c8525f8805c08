"""A ring of past transitions that lives on the device.

The newest rows overwrite the oldest. What the learner proposed and what the
plant was told are kept apart: the critics belong to the world behind the
filter and learn from the first, a model of the plant would learn from the
second. Features are kept raw, so that the normaliser may move on.
"""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.types import Key


@struct.dataclass
class Transition:
    """Control steps as they happened, any leading axes. Dynamic.

    Attributes:
        features: Raw features before the action, shape (..., F). [mixed units]
        final_features: The true next features, before any reset, shape (..., F).
            [mixed units]
        u: The proposed action before squashing, shape (..., A). [1]
        executed: What the plant was told, shares of the range, shape (..., A);
            (..., 0) where the task does not say. [1]
        signals: Reward, then costs, in their units, shape (..., 1 + K). [1]
        terminated: 1 where the plant tripped, shape (...). [1]
    """

    features: jax.Array
    final_features: jax.Array
    u: jax.Array
    executed: jax.Array
    signals: jax.Array
    terminated: jax.Array


@struct.dataclass
class Replay:
    """The ring of C transitions. Dynamic.

    Attributes:
        rows: The transitions, shape (C, ...).
        position: Row that the next transition is written to.
        count: Rows written so far, C at most. [1]
    """

    rows: Transition
    position: jax.Array
    count: jax.Array


def init_replay(capacity: int, like: Transition) -> Replay:
    """Return an empty ring for transitions like these, shape (T, n, ...)."""

    def blank(leaf: jax.Array) -> jax.Array:
        return jnp.zeros((capacity, *leaf.shape[2:]), leaf.dtype)

    return Replay(
        rows=jax.tree.map(blank, like),
        position=jnp.zeros((), jnp.int32),
        count=jnp.zeros((), jnp.int32),
    )


def insert(replay: Replay, rollout: Transition) -> Replay:
    """Return the ring with a rollout, shape (T, n, ...), written over the oldest.

    Raises:
        ValueError: The rollout is larger than the ring.
    """
    capacity, size = replay.rows.terminated.shape[0], rollout.terminated.size
    if size > capacity:
        raise ValueError(f"a rollout of {size} does not fit a ring of {capacity}")
    where = (replay.position + jnp.arange(size, dtype=jnp.int32)) % capacity

    def write(old: jax.Array, new: jax.Array) -> jax.Array:
        return old.at[where].set(new.reshape(size, *new.shape[2:]))

    return Replay(
        rows=jax.tree.map(write, replay.rows, rollout),
        position=(replay.position + size) % capacity,
        count=jnp.minimum(replay.count + size, capacity),
    )


def sample(key: Key, replay: Replay, size: int) -> Transition:
    """Return `size` rows drawn with replacement, each row as likely as any other."""
    where = jax.random.randint(key, (size,), 0, replay.count)
    return jax.tree.map(lambda leaf: leaf[where], replay.rows)
