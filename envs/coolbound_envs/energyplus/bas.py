"""The building automation system in front of EnergyPlus: our own sequencer.

EnergyPlus has no staging timers. Requests become running machines and an open
economizer through the same timers as on our plant; what runs is then all that
EnergyPlus is told.
"""

import dataclasses
from typing import final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs import sequencer
from coolbound_envs.drives import pump_speed_floor
from coolbound_envs.interval import (
    CONTROL_INTERVAL,
    START_BASIN_TEMP,
    SUBSTEPS,
    decide,
)
from coolbound_envs.params import PlantParams
from coolbound_envs.settling import initial_state
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Action


@dataclasses.dataclass(frozen=True)
class Running:
    """What runs during one interval. Static.

    Attributes:
        machines: Chillers that cool. [1]
        commanded: Chillers told to run. [1]
        is_open: Whether the economizer is open.
        is_wanted: Whether the economizer is told to run.
        pump_floor: Condenser-pump speed that the machines need. [1]
    """

    machines: int
    commanded: int
    is_open: bool
    is_wanted: bool
    pump_floor: float


@final
class Bas:
    """The sequencer and its clock."""

    def __init__(self, plant: PlantParams, disturbance: Disturbance) -> None:
        """Begin as our plant does: two machines at work, economizer shut.

        Args:
            plant: The site's plant.
            disturbance: What acts at first.
        """
        self._plant, self._disturbance = plant, disturbance
        self._state = initial_state(disturbance, plant, ())
        self._decide = jax.jit(_decide)
        self._advance = jax.jit(_advance)

    @property
    def machines(self) -> sequencer.SequencerState:
        """What is commanded, and since when; leaves (chillers,), ()."""
        return self._state.sequencer

    def decide(self, action: Action, chw_return: float, basin: float) -> Running:
        """Return what runs in the interval that begins now.

        A machine that has come up during the last interval cools from now on: it
        starts up to 300 s later than on our plant, never earlier.

        Args:
            action: Asked for.
            chw_return: Water entering the plant. [degC]
            basin: Water leaving the towers. [degC]
        """
        seen = dataclasses.replace(
            self._state,
            buffer_temp=jnp.asarray(chw_return, jnp.float32),
            basin_temp=jnp.asarray(basin, jnp.float32),
        )
        self._state, numbers = self._decide(
            seen, action, self._disturbance, self._plant
        )
        return _running(numbers)

    def advance(self, basin: float) -> Running:
        """Let the timers run over the interval; returns what runs at its end.

        Args:
            basin: Water leaving the towers. [degC]
        """
        basin_temp = jnp.asarray(basin, jnp.float32)
        self._state, numbers = self._advance(self._state, basin_temp, self._plant)
        return _running(numbers)


def _running(numbers: jax.Array) -> Running:
    machines, commanded, position, economizer, floor = np.asarray(numbers).tolist()
    return Running(
        machines=round(machines),
        commanded=round(commanded),
        is_open=position > 0.5,
        is_wanted=economizer > 0.5,
        pump_floor=floor,
    )


def _numbers(
    machines: jax.Array, now: sequencer.SequencerState, plant: PlantParams
) -> jax.Array:
    """Return what `Running` holds as one array: it is fetched at once."""
    floor = pump_speed_floor(now.commanded_count, plant)
    found = (machines, now.commanded_count, now.economizer_position, now.economizer)
    return jnp.stack([*found, floor])


def _decide(
    state: PlantState, action: Action, acting: Disturbance, plant: PlantParams
) -> tuple[PlantState, jax.Array]:
    state = decide(state, action, acting, plant)
    now = state.sequencer
    return state, _numbers(jnp.sum(now.running * now.commanded), now, plant)


def _advance(
    state: PlantState, basin: jax.Array, plant: PlantParams
) -> tuple[PlantState, jax.Array]:
    warm = jnp.asarray(START_BASIN_TEMP, jnp.float32)

    def substep(
        machines: sequencer.SequencerState, _: None
    ) -> tuple[sequencer.SequencerState, None]:
        moved = sequencer.advance(
            machines,
            basin,
            warm,
            CONTROL_INTERVAL / SUBSTEPS,
            plant.chiller,
            plant.sequencer,
        )
        return moved, None

    machines, _ = jax.lax.scan(substep, state.sequencer, None, length=SUBSTEPS)
    state = dataclasses.replace(state, sequencer=machines)
    return state, _numbers(machines.running_count, machines, plant)
