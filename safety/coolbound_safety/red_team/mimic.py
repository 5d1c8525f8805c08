"""Opponents made of an honest controller: turned upside down, or out of date."""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp

from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.types import (
    Action,
    Controller,
    Key,
    Observation,
    action_from_vector,
    action_to_vector,
    from_unit,
    to_unit,
)


@final
@dataclasses.dataclass(frozen=True)
class Inverted:
    """Asks for the opposite of what an honest controller wants. Static.

    Attributes:
        honest: That controller.
    """

    honest: Controller

    def init(self, params: Any = ()) -> Any:
        """Return the honest controller's memory of a batch of shape `params`."""
        return self.honest.init(params)

    def act(self, key: Key, state: Any, observation: Observation) -> tuple[Action, Any]:
        """Return its proposal mirrored in the middle of every range."""
        wanted, state = self.honest.act(key, state, observation)
        unit = jnp.clip(to_unit(action_to_vector(wanted)), 0.0, 1.0)
        return action_from_vector(from_unit(1.0 - unit)), state


@final
@dataclasses.dataclass(frozen=True)
class Replayed:
    """Asks now for what an honest controller wanted some time ago. Static.

    Attributes:
        honest: That controller.
        delay: Steps between its wish and the proposal. [1]
    """

    honest: Controller
    delay: int = 144

    def init(self, params: Any = ()) -> tuple[Any, jax.Array, jax.Array]:
        """Return its memory, its last wishes in unit coordinates [1], and a count."""
        wishes = jnp.full((self.delay, *params, ACTION_SIZE), 0.5, jnp.float32)
        return self.honest.init(params), wishes, jnp.zeros((), jnp.int32)

    def act(
        self,
        key: Key,
        state: tuple[Any, jax.Array, jax.Array],
        observation: Observation,
    ) -> tuple[Action, tuple[Any, jax.Array, jax.Array]]:
        """Return the wish of `delay` steps ago; the first ones at once."""
        memory, wishes, count = state
        wanted, memory = self.honest.act(key, memory, observation)
        now = to_unit(action_to_vector(wanted))
        place = count % self.delay
        old = jnp.where(count < self.delay, now, wishes[place])
        wishes = wishes.at[place].set(now)
        return action_from_vector(from_unit(old)), (memory, wishes, count + 1)
