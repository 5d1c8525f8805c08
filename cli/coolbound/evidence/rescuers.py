"""Controllers that do their best to keep the inlets cool, whatever it costs."""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp

from coolbound_controllers.g36 import G36
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.site import Site
from coolbound_envs.spec import channel_array
from coolbound_envs.types import (
    Action,
    Controller,
    Key,
    Observation,
    action_from_vector,
)


@final
@dataclasses.dataclass(frozen=True)
class Rescue:
    """All the cooling there is, as fast as the ramps allow. Static.

    Attributes:
        economizer: 1 or 0; None leaves it as it is. [1]
        chillers: Machines asked for. [1]
        is_lawful: True where the chilled water stays above the room's dew point.
    """

    economizer: float | None = None
    chillers: float = 3.0
    is_lawful: bool = False

    def init(self, params: Any = ()) -> jax.Array:
        """Return the memory of a batch of shape `params`: none is needed."""
        return jnp.zeros(params, jnp.float32)

    def act(
        self, key: Key, state: jax.Array, observation: Observation
    ) -> tuple[Action, jax.Array]:
        """Return the coldest and fastest that the ramps allow."""
        del key
        applied = observation.applied
        goal = jnp.asarray(
            [16, 16, 1, 1, 7, 120, 1, 1, self.chillers, 0], applied.dtype
        )
        goal = jnp.broadcast_to(goal, applied.shape)
        if self.is_lawful:
            dew = jnp.max(observation.read_halls("room_dew_point"), axis=-1)
            goal = goal.at[..., 4].set(jnp.nan_to_num(jnp.clip(dew + 1.5, 7.0, 18.0)))
        wants = applied[..., 9] if self.economizer is None else self.economizer
        goal = goal.at[..., 9].set(wants)
        ramp = jnp.asarray(channel_array("ramp"), applied.dtype)
        # The emergency rate of chilled water, which heat allows.
        ramp = jnp.broadcast_to(ramp.at[4].set(1.0), applied.shape)
        vector = jnp.clip(goal, applied - ramp, applied + ramp)
        # Between off and its lowest speed the tower fan has no ramp.
        least = jnp.asarray(0.2, applied.dtype)
        vector = vector.at[..., 7].set(jnp.maximum(vector[..., 7], least))
        return action_from_vector(vector), state


@final
@dataclasses.dataclass(frozen=True)
class Hold:
    """The set-points in force go on. Static."""

    def init(self, params: Any = ()) -> jax.Array:
        """Return the memory of a batch of shape `params`: none is needed."""
        return jnp.zeros(params, jnp.float32)

    def act(
        self, key: Key, state: jax.Array, observation: Observation
    ) -> tuple[Action, jax.Array]:
        """Return the set-points in force."""
        del key
        return action_from_vector(observation.applied), state


def rescuers(site: Site) -> dict[str, Controller]:
    """Return who tries to avoid a violation.

    Raises:
        InputError: The operators' settings are wrong.
    """
    return {
        "all cooling": Rescue(),
        "all cooling, economizer closed": Rescue(economizer=0.0),
        "all cooling, economizer open": Rescue(economizer=1.0),
        "all cooling, two machines": Rescue(chillers=2.0),
        "all cooling above the dew point": Rescue(is_lawful=True),
        "g36": G36(parse_operator(site)),
        "hold": Hold(),
    }
