"""`coolbound tasks`: the reference tasks, and what controllers score on them."""

import dataclasses
from argparse import Namespace
from typing import Any

from coolbound.compose import Named, chosen_site, named_controller, shielded_task
from coolbound.console import Answer, progress_bar, table
from coolbound_controllers.episodes import TaskFigures, score_task
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.limit_table import GROUPS
from coolbound_envs.site import Site
from coolbound_envs.tasks import (
    SETTLE_STEPS,
    TASKS,
    ReferenceTask,
    make_task,
    reference_task,
)
from coolbound_safety.shielded import ShieldedTask

COLUMNS = (
    "task",
    "controller",
    "reward",
    "above IT work kW",
    *(f"cost {group}" for group in GROUPS),
    "violations / 1,000",
    "hottest degC",
    "tripped %",
    "diverged %",
)


def run(options: Namespace) -> Answer:
    """Score controllers on reference tasks.

    Raises:
        InputError: A task, a controller or the site cannot be used.
    """
    site = chosen_site(options.site)
    tasks = [reference_task(name) for name in options.names or TASKS]
    contenders = [named_controller(name, site) for name in options.controllers]
    found: dict[str, dict[str, Any]] = {}
    rows = []
    with progress_bar() as progress:
        for task in tasks:
            found[task.name] = {"adds": task.adds, "days": task.days}
            for contender in contenders:
                progress(task.name, len(rows), len(tasks) * len(contenders))
                figures = _score(task, contender, site, options.episodes, options.seed)
                found[task.name][contender.name] = dataclasses.asdict(figures)
                rows.append(_cells(task, contender, figures))
    data = {
        "schema": "coolbound.tasks/1",
        "site": site.name,
        "episodes": options.episodes,
        "seed": options.seed,
        "tasks": found,
    }
    return Answer(data, table(COLUMNS, rows))


def _score(
    task: ReferenceTask, contender: Named, site: Site, episodes: int, seed: int
) -> TaskFigures:
    """Return the figures of one contender, behind the filter where it belongs."""
    plant = CoolingTask(settle_steps=SETTLE_STEPS)
    params: Any = make_task(task, site)
    steps = int(params.horizon)
    environment: Any = plant
    if contender.is_shielded:
        environment, params = ShieldedTask(plant), shielded_task(site, params)
    return score_task(contender.controller, environment, params, episodes, steps, seed)


def _cells(
    task: ReferenceTask, contender: Named, figures: TaskFigures
) -> tuple[str, ...]:
    return (
        task.name,
        contender.name,
        f"{figures.reward:.3f} ± {figures.reward_spread:.3f}",
        f"{figures.above_work_kw:.0f}",
        *(f"{cost:.4f}" for cost in figures.costs.values()),
        f"{figures.violations:.1f}",
        f"{figures.hottest_c:.1f}",
        f"{100.0 * figures.tripped:.1f}",
        f"{100.0 * figures.diverged:.1f}",
    )
