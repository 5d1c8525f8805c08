"""A proposal for every step, fixed beforehand: what searches hand over."""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.types import (
    Action,
    Key,
    Observation,
    action_from_vector,
    from_unit,
)


@struct.dataclass
class Plan:
    """Proposals by block of steps. Dynamic.

    Attributes:
        blocks: In unit coordinates, (blocks, B, 10). [1]
        step: Steps done. [1]
    """

    blocks: jax.Array
    step: jax.Array


def plan_of(blocks: jax.Array) -> Plan:
    """Return the plan of some blocks (blocks, B, 10) [1], before its first step."""
    return Plan(blocks=blocks, step=jnp.zeros((), jnp.int32))


@final
@dataclasses.dataclass(frozen=True)
class Scripted:
    """Proposes what its memory holds, one block after the other. Static.

    Attributes:
        hold: Steps that each block lasts. [1]
    """

    hold: int

    def init(self, params: Any = ()) -> Plan:
        """Return a plan of one block in the middle of every range."""
        return plan_of(jnp.full((1, *params, 10), 0.5, jnp.float32))

    def act(
        self, key: Key, state: Plan, observation: Observation
    ) -> tuple[Action, Plan]:
        """Return the block's proposal; the last block goes on."""
        del key, observation
        last = state.blocks.shape[0] - 1
        unit = state.blocks[jnp.minimum(state.step // self.hold, last)]
        return action_from_vector(from_unit(unit)), dataclasses.replace(
            state, step=state.step + 1
        )
