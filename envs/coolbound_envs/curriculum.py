"""From easy to hard while a learner trains: a hook, and the straight way.

A curriculum maps progress, 0 at the start of training and 1 at its end, to how
hard the task is there. All of it is traced numbers: a jitted training loop that
calls the hook with the progress of the moment never compiles again.
"""

import dataclasses
from typing import Protocol

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.episode import TaskParams
from coolbound_envs.sensors import SensorParams
from coolbound_envs.types import Scalar
from coolbound_envs.variation import VariationSpread


@struct.dataclass
class Difficulty:
    """How hard a task is. Dynamic.

    Attributes:
        variation: How much plants differ from the nominal one.
        fault_rates: Random faults of each kind, as in `FaultPlan`, (15,). [1/s]
        sensors: How good the instruments are.
    """

    variation: VariationSpread
    fault_rates: jax.Array
    sensors: SensorParams


class Curriculum(Protocol):
    """How hard the task is at some point of training."""

    def __call__(self, progress: Scalar) -> Difficulty:
        """Return the difficulty at a progress of 0 to 1 [1]."""
        ...


@struct.dataclass
class LinearCurriculum:
    """Straight from one difficulty to another, and then level. Dynamic.

    Attributes:
        easy: At the start.
        hard: From `until` on.
        until: Progress at which it is reached, above 0. [1]
    """

    easy: Difficulty
    hard: Difficulty
    until: jax.Array

    def __call__(self, progress: Scalar) -> Difficulty:
        """Return the difficulty at a progress of 0 to 1 [1]."""
        share = jnp.clip(progress / self.until, 0.0, 1.0)
        # The two ends are met exactly, whatever the rounding between them.
        return jax.tree.map(
            lambda a, b: (1.0 - share) * a + share * b, self.easy, self.hard
        )


def difficulty_of(params: TaskParams) -> Difficulty:
    """Return how hard a task is as it stands."""
    return Difficulty(
        variation=params.variation,
        fault_rates=params.faults.rates,
        sensors=params.sensors,
    )


def easiest(params: TaskParams) -> Difficulty:
    """Return the same task without random faults, variation or wrong instruments.

    The instruments keep their own noise and drop-outs.
    """
    hard = difficulty_of(params)
    return Difficulty(
        variation=jax.tree.map(jnp.zeros_like, hard.variation),
        fault_rates=jnp.zeros_like(hard.fault_rates),
        sensors=dataclasses.replace(
            hard.sensors,
            bias=jnp.zeros_like(hard.sensors.bias),
            drift=jnp.zeros_like(hard.sensors.drift),
            delay=jnp.zeros_like(hard.sensors.delay),
        ),
    )


def linear_curriculum(params: TaskParams, until: float = 0.5) -> LinearCurriculum:
    """Return the straight way from the easiest task to the one that is given.

    Args:
        params: The hard task; its fault plan must have room for its own rates.
        until: Progress at which it is as hard as that, 0 to 1, not 0. [1]
    """
    if not 0.0 < until <= 1.0:
        raise ValueError(f"until: found {until!r}, expected above 0 and up to 1")
    return LinearCurriculum(
        easy=easiest(params),
        hard=difficulty_of(params),
        until=jnp.asarray(until, jnp.float32),
    )


def at_difficulty(params: TaskParams, difficulty: Difficulty) -> TaskParams:
    """Return the task at a difficulty; what it had of that kind is replaced."""
    return dataclasses.replace(
        params,
        variation=difficulty.variation,
        faults=dataclasses.replace(params.faults, rates=difficulty.fault_rates),
        sensors=difficulty.sensors,
    )
