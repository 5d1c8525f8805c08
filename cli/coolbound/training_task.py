"""The task that `coolbound train` trains on: the plant behind the safety layer."""

import dataclasses
from argparse import Namespace
from collections.abc import Sequence
from typing import Any, Final

import jax.numpy as jnp

from coolbound.compose import plant_task, shielded_task
from coolbound_controllers.cooling_task import learning_task
from coolbound_controllers.frames import with_frames
from coolbound_controllers.shaping import shaped, stored_heat_potential
from coolbound_controllers.task import Task
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.curriculum import at_difficulty, linear_curriculum
from coolbound_envs.features import feature_map
from coolbound_envs.site import Site
from coolbound_envs.tasks import TENTH
from coolbound_envs.types import Scalar
from coolbound_envs.variation import make_spread
from coolbound_safety.shielded import ShieldedParams, ShieldedTask

EPISODE: Final = 14 * 288
"""Control steps of an episode in training: two weeks. [1]"""

SPREAD: Final = {**TENTH, "load": 0.15}
"""Half-widths of the plants and loads that policies are trained on. [1]"""


def shielded_learning_task(
    site: Site, weather: Sequence[str], loads: Sequence[str]
) -> Task:
    """Return the task that policies are trained on: the plant behind the filter.

    Episodes of two weeks on plants that differ from the site file, ever more so as
    training goes on; the filter knows the site file alone.

    Raises:
        InputError: A name, a file or the site's limits are wrong.
    """
    task = dataclasses.replace(
        plant_task(site, weather, loads),
        horizon=jnp.asarray(EPISODE, jnp.int32),
        variation=make_spread(**SPREAD),
    )
    params = shielded_task(site, task)
    environment = ShieldedTask(CoolingTask())
    return learning_task(environment, params, feature_map(site), _harden)


def _harden(params: ShieldedParams, progress: Scalar) -> ShieldedParams:
    """Return the parameters of episodes at some progress of training."""
    difficulty = linear_curriculum(params.task, until=1.0)(progress)
    return dataclasses.replace(params, task=at_difficulty(params.task, difficulty))


def as_asked(task: Task, options: Namespace, site: Site, settings: Any) -> Task:
    """Return the task with the frames and the shaped reward of a command line.

    Args:
        task: Of single frames, its reward as the plant gives it.
        options: Of `coolbound train`.
        site: Its water and halls hold the heat that shaping looks at.
        settings: The learner's; `gamma` is its discount.
    """
    if options.shaping:
        potential = stored_heat_potential(site, options.shaping)
        task = shaped(task, potential, settings.gamma)
    return with_frames(task, options.frames)
