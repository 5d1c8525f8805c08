"""Opponents with a plan: each aims at one weakness that a plant may have."""

import dataclasses
from typing import Any, Final, final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.spec import HALLS, ZONES
from coolbound_envs.types import (
    Action,
    Key,
    Observation,
    action_from_vector,
)

# supply air (2), CRAH fans (2), chilled water, pressure, condenser pumps, tower
# fans, machines, economizer
CORNERS: Final[dict[str, tuple[float, ...]]] = {
    "all off": (25.0, 25.0, 0.3, 0.3, 18.0, 34.5, 0.4, 0.0, 0.0, 0.0),
    "hot": (25.0, 25.0, 1.0, 1.0, 18.0, 34.5, 0.4, 0.2, 1.0, 0.0),
    "cold": (16.0, 16.0, 1.0, 1.0, 7.0, 120.0, 1.0, 1.0, 3.0, 1.0),
    "starved air": (16.0, 16.0, 0.3, 0.3, 7.0, 34.5, 1.0, 1.0, 3.0, 0.0),
    "one hall off": (25.0, 16.0, 0.3, 1.0, 18.0, 34.5, 1.0, 1.0, 2.0, 0.0),
    "towers off": (22.0, 22.0, 1.0, 1.0, 7.0, 120.0, 0.4, 0.0, 3.0, 0.0),
    "free in the heat": (25.0, 25.0, 1.0, 1.0, 18.0, 120.0, 1.0, 0.2, 0.0, 1.0),
}
"""Proposals that never change. [each channel's unit]"""

_LIMIT: Final = 27.0
"""Hottest server inlet that is allowed at the reference site. [degC]"""


def hottest(observation: Observation) -> jax.Array:
    """Return the hottest measured inlet of each hall (..., halls) [degC]."""
    zones = [
        jnp.stack(
            [observation.read(f"inlet_temp_hall{h + 1}_zone{z + 1}") for h in range(2)],
            axis=-1,
        )
        for z in range(ZONES)
    ]
    return jnp.nanmax(jnp.stack(zones), axis=0, initial=-jnp.inf)


def _steps(params: Any) -> jax.Array:
    return jnp.zeros(params, jnp.int32)


def _rows(values: tuple[float, ...], like: jax.Array) -> jax.Array:
    row = jnp.asarray(np.asarray(values, np.float32))
    return jnp.broadcast_to(row, like.shape)


@final
@dataclasses.dataclass(frozen=True)
class Corner:
    """The same proposal for ever. Static.

    Attributes:
        proposal: One of `CORNERS`. [each channel's unit]
    """

    proposal: tuple[float, ...]

    def init(self, params: Any = ()) -> jax.Array:
        """Return the memory of a batch of shape `params`: none is needed."""
        return _steps(params)

    def act(
        self, key: Key, state: jax.Array, observation: Observation
    ) -> tuple[Action, jax.Array]:
        """Return the proposal."""
        del key
        return action_from_vector(_rows(self.proposal, observation.applied)), state


@final
@dataclasses.dataclass(frozen=True)
class Alternate:
    """One corner, then another one, in turn: whatever has inertia is worked. Static.

    Attributes:
        first: One proposal. [each channel's unit]
        second: The other one. [each channel's unit]
        hold: Steps that each stays. [1]
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    hold: int = 1

    def init(self, params: Any = ()) -> jax.Array:
        """Return the number of the step of a batch of shape `params` [1]."""
        return _steps(params)

    def act(
        self, key: Key, state: jax.Array, observation: Observation
    ) -> tuple[Action, jax.Array]:
        """Return the proposal whose turn it is."""
        del key
        like = observation.applied
        is_first = (state // self.hold) % 2 == 0
        vector = jnp.where(
            is_first[..., None], _rows(self.first, like), _rows(self.second, like)
        )
        return action_from_vector(vector), state + 1


@final
@dataclasses.dataclass(frozen=True)
class ParkAndSpring:
    """Holds the inlets at their limit, then takes all cooling away at once. Static.

    While it waits, chilled water and the buffer are kept as warm and the machines
    as few as it can ask for, so that nothing is stored.

    Attributes:
        wait: Steps at the limit. [1]
        spring: Steps without cooling. [1]
    """

    wait: int = 36
    spring: int = 12

    def init(self, params: Any = ()) -> jax.Array:
        """Return the number of the step of a batch of shape `params` [1]."""
        return _steps(params)

    def act(
        self, key: Key, state: jax.Array, observation: Observation
    ) -> tuple[Action, jax.Array]:
        """Return the proposal."""
        del key
        applied = observation.applied
        room = jnp.nan_to_num(_LIMIT - hottest(observation), posinf=0.0, neginf=0.0)
        air = jnp.clip(applied[..., :HALLS] + room, 16.0, 25.0)
        parked = _rows((0, 0, 0.4, 0.4, 18.0, 60.0, 0.6, 0.2, 1.0, 0.0), applied)
        parked = parked.at[..., :HALLS].set(air)
        is_waiting = state % (self.wait + self.spring) < self.wait
        vector = jnp.where(
            is_waiting[..., None], parked, _rows(CORNERS["all off"], applied)
        )
        return action_from_vector(vector), state + 1


@final
@dataclasses.dataclass(frozen=True)
class StarveOnRise:
    """Fans and water to their least whenever load rises, else plenty. Static.

    Attributes:
        threshold: Rise of load in one step that sets it off. [kW]
        hold: Steps that it keeps on. [1]
    """

    threshold: float = 15.0
    hold: int = 6

    def init(self, params: Any = ()) -> tuple[jax.Array, jax.Array]:
        """Return the last load [kW] and the steps left of a batch."""
        return jnp.full(params, jnp.inf, jnp.float32), _steps(params)

    def act(
        self, key: Key, state: tuple[jax.Array, jax.Array], observation: Observation
    ) -> tuple[Action, tuple[jax.Array, jax.Array]]:
        """Return the proposal."""
        del key
        last, left = state
        load = jnp.sum(observation.read_halls("it_power"), axis=-1)
        has_risen = load - last > self.threshold
        left = jnp.where(has_risen, self.hold, jnp.maximum(left - 1, 0))
        applied = observation.applied
        plenty = _rows((21.0, 21.0, 0.9, 0.9, 12.0, 90.0, 0.8, 0.6, 2.0, 0.0), applied)
        vector = jnp.where(
            (left > 0)[..., None], _rows(CORNERS["all off"], applied), plenty
        )
        # A reading that is missing is no rise at the next step.
        known = jnp.where(jnp.isfinite(load), load, last)
        return action_from_vector(vector), (known, left)


SHIVER: Final = (
    (22.0, 22.0, 0.8, 0.8, 12.0, 90.0, 0.8, 0.6, 3.0, 1.0),
    (22.0, 22.0, 0.8, 0.8, 12.0, 90.0, 0.8, 0.6, 0.0, 0.0),
)
"""Machines and economizer on and off again; the rest as usual."""

WARM_THEN_LOAD: Final = (
    (25.0, 25.0, 0.4, 0.4, 18.0, 34.5, 0.4, 0.2, 1.0, 0.0),
    (16.0, 16.0, 1.0, 1.0, 18.0, 120.0, 0.4, 0.2, 1.0, 0.0),
)
"""Warm water and little air, then all the coils open on it."""
