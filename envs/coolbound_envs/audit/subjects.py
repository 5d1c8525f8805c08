"""From a task to what the audit runs on: the calm task and its rough twin."""

import dataclasses
from typing import Final

from coolbound_envs.curriculum import at_difficulty, easiest
from coolbound_envs.episode import TaskParams
from coolbound_envs.fault_schedule import random_plan
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.tasks import MISHAPS, TENTH
from coolbound_envs.variation import make_spread

HASTE: Final = 10.0
"""Faults come this much more often than in the hardest reference task, so that
episodes of some hours meet several. [1]"""


def calm_and_rough(
    params: TaskParams, episode_steps: int
) -> tuple[TaskParams, TaskParams]:
    """Return a task without faults and variation, and the same with both.

    Their arrays have the same shapes, so that one compilation serves both.

    Args:
        params: The task.
        episode_steps: Control steps in which random faults begin. [1]
    """
    rates = {kind: HASTE * rate for kind, rate in MISHAPS.items()}
    rough = dataclasses.replace(
        params,
        faults=random_plan(rates, episode_steps * CONTROL_INTERVAL),
        variation=make_spread(**TENTH),
    )
    return at_difficulty(rough, easiest(rough)), rough
