"""Any controller and the EnergyPlus plant in closed loop."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from coolbound_envs.energyplus.course import Course
from coolbound_envs.energyplus.plant import EnergyPlusPlant
from coolbound_envs.types import Action, Controller, Observation


@dataclasses.dataclass(frozen=True)
class Record:
    """One control interval. Static.

    Attributes:
        seen: The observation that the controller acted on, no batch axis.
        action: What it asked for, which the plant was given.
        observation: After the interval.
        reward: Of the interval. [1]
        terminated: True where servers were too hot to run.
        info: As `EnergyPlusPlant.step` returns it.
    """

    seen: Observation
    action: Action
    observation: Observation
    reward: float
    terminated: bool
    info: dict[str, Any]


def closed_loop(
    controller: Controller,
    plant: EnergyPlusPlant,
    course: Course,
    seed: int = 0,
    applied: Action | None = None,
) -> Iterator[Record]:
    """Yield one record for every interval of a course, until it ends or trips.

    The controller is asked as everywhere else, with a batch of one and compiled.

    Args:
        controller: An operator, a policy, or any other `Controller`.
        plant: It is reset here; closing it is the caller's.
        course: Weather and load.
        seed: Of instruments and controller.
        applied: Held while the plant settles.

    Raises:
        EnergyPlusError: The engine failed.
    """
    act = jax.jit(functools.partial(_act, controller))
    observation = plant.reset(course, applied, seed)
    memory, key = controller.init((1,)), jax.random.key(seed)
    for step in range(course.steps):
        action, memory = act(jax.random.fold_in(key, step), memory, observation)
        after, reward, terminated, _, info = plant.step(action)
        yield Record(observation, action, after, reward, terminated, info)
        if terminated:
            return
        observation = after


def _act(
    controller: Controller, key: jax.Array, memory: Any, observation: Observation
) -> tuple[Action, Any]:
    """Return the action for one plant, asked for as a batch of one."""
    batch = jax.tree.map(lambda leaf: leaf[None], observation)
    action, memory = controller.act(key, memory, batch)
    return jax.tree.map(lambda leaf: jnp.squeeze(leaf, axis=0), action), memory
