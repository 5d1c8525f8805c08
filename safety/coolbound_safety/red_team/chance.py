"""Opponents that propose by chance: anywhere, on a walk, at the ends, no numbers."""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp

from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.types import (
    Action,
    Key,
    Observation,
    action_from_vector,
    from_unit,
)


def ask(unit: jax.Array) -> Action:
    """Return the action at some shares of the channels' ranges (..., 10) [1]."""
    return action_from_vector(from_unit(unit))


@final
@dataclasses.dataclass(frozen=True)
class Uniform:
    """Every channel anywhere in its range, anew at every step. Static."""

    def init(self, params: Any = ()) -> jax.Array:
        """Return the memory of a batch of shape `params`: none is needed."""
        return jnp.zeros(params, jnp.float32)

    def act(
        self, key: Key, state: jax.Array, observation: Observation
    ) -> tuple[Action, jax.Array]:
        """Return a random proposal."""
        shape = observation.applied.shape
        return ask(jax.random.uniform(key, shape, jnp.float32)), state


@final
@dataclasses.dataclass(frozen=True)
class Walk:
    """A random walk between the ends of the channels, reflected there. Static.

    Attributes:
        step: Standard deviation of one step, share of the range. [1]
    """

    step: float = 0.1

    def init(self, params: Any = ()) -> jax.Array:
        """Return where the walks of a batch of shape `params` begin [1]."""
        return jnp.full((*params, ACTION_SIZE), 0.5, jnp.float32)

    def act(
        self, key: Key, state: jax.Array, observation: Observation
    ) -> tuple[Action, jax.Array]:
        """Return the next point of each walk."""
        del observation
        moved = state + self.step * jax.random.normal(key, state.shape, jnp.float32)
        folded = jnp.abs(moved)
        unit = jnp.clip(1.0 - jnp.abs(1.0 - folded), 0.0, 1.0)
        return ask(unit), unit


@final
@dataclasses.dataclass(frozen=True)
class Ends:
    """Every channel at one end of its range, and now and then at the other. Static.

    Attributes:
        chance: Probability that a channel changes sides at a step. [1]
    """

    chance: float = 0.5

    def init(self, params: Any = ()) -> jax.Array:
        """Return on which side every channel begins [1]."""
        return jnp.zeros((*params, ACTION_SIZE), jnp.float32)

    def act(
        self, key: Key, state: jax.Array, observation: Observation
    ) -> tuple[Action, jax.Array]:
        """Return the sides after this step's changes."""
        del observation
        flips = jax.random.bernoulli(key, self.chance, state.shape)
        unit = jnp.where(flips, 1.0 - state, state)
        return ask(unit), unit


@final
@dataclasses.dataclass(frozen=True)
class OneChannel:
    """One channel at one end, the others held; another one after a while. Static.

    Attributes:
        hold: Steps that it stays there. [1]
    """

    hold: int = 48

    def init(self, params: Any = ()) -> tuple[jax.Array, jax.Array]:
        """Return the number of the step, and the channel and end in one code [1]."""
        zero = jnp.zeros(params, jnp.int32)
        return zero, zero

    def act(
        self, key: Key, state: tuple[jax.Array, jax.Array], observation: Observation
    ) -> tuple[Action, tuple[jax.Array, jax.Array]]:
        """Return the action in force with one channel at its end."""
        step, code = state
        drawn = jax.random.randint(key, code.shape, 0, 2 * ACTION_SIZE)
        code = jnp.where(step % self.hold == 0, drawn, code)
        is_chosen = jax.nn.one_hot(code % ACTION_SIZE, ACTION_SIZE, dtype=bool)
        end = from_unit(
            jnp.broadcast_to(
                (code // ACTION_SIZE)[..., None].astype(jnp.float32),
                observation.applied.shape,
            )
        )
        vector = jnp.where(is_chosen, end, observation.applied)
        return action_from_vector(vector), (step + 1, code)


@final
@dataclasses.dataclass(frozen=True)
class NoNumber:
    """Random proposals with NaN, infinity and huge numbers in them. Static.

    Attributes:
        chance: Probability that a channel is spoiled at a step. [1]
    """

    chance: float = 0.1

    def init(self, params: Any = ()) -> jax.Array:
        """Return the memory of a batch of shape `params`: none is needed."""
        return jnp.zeros(params, jnp.float32)

    def act(
        self, key: Key, state: jax.Array, observation: Observation
    ) -> tuple[Action, jax.Array]:
        """Return a random proposal, spoiled."""
        keys = jax.random.split(key, 3)
        shape = observation.applied.shape
        unit = jax.random.uniform(keys[0], shape, jnp.float32)
        sorts = jnp.asarray([jnp.nan, jnp.inf, -jnp.inf, 1e30, -1e30, 2.0], jnp.float32)
        sort = jax.random.randint(keys[1], shape, 0, sorts.shape[0])
        is_spoiled = jax.random.bernoulli(keys[2], self.chance, shape)
        vector = jnp.where(is_spoiled, sorts[sort], from_unit(unit))
        return action_from_vector(vector), state
