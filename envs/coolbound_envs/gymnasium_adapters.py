"""Gymnasium: environments by id, for libraries that know tasks by names.

    gymnasium.make("coolbound_envs.gymnasium_adapters:coolbound/Cooling-v0")

Importing this module registers the id, as Gymnasium's `module:id` expects. By id,
actions are shares of their range, 0 to 1, as learning libraries expect them;
`normalised=False` takes physical units. The classes are `CoolingEnv` and
`CoolingVectorEnv`, for any task and parameters.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import gymnasium

from coolbound_envs.cooling import CoolingTask
from coolbound_envs.gymnasium_border import BatchEnvironment
from coolbound_envs.gymnasium_single import CoolingEnv
from coolbound_envs.gymnasium_vector import CoolingVectorEnv
from coolbound_envs.site import load_site
from coolbound_envs.tables import InputError
from coolbound_envs.tasks import SETTLE_STEPS, make_task, reference_task

__all__ = ["ID", "CoolingEnv", "CoolingVectorEnv", "make", "make_vector", "register"]

ID: Final = "coolbound/Cooling-v0"

DEFAULT: Final = "six-climates"
"""The reference task that an id without a name stands for."""

Names = str | Path | Sequence[str | Path]
"""One name or path, or several."""


def register() -> None:
    """Register the id with Gymnasium; again is harmless."""
    if ID not in gymnasium.registry:
        gymnasium.register(
            id=ID,
            entry_point=f"{__name__}:make",
            vector_entry_point=f"{__name__}:make_vector",
            kwargs={"normalised": True},
        )


def make(
    task: str | BatchEnvironment = DEFAULT,
    params: Any = None,
    *,
    site: str | Path = "reference",
    weather: Names | None = None,
    load: Names | None = None,
    days: int | None = None,
    **options: Any,
) -> CoolingEnv:
    """Return one environment: a reference task by name, or a task of one's own.

    Args:
        task: Name in `coolbound_envs.tasks.TASKS`; or with `params` what is to be
            wrapped, and the rest but `options` is left at its defaults.
        params: Parameters of a task of one's own.
        site: Shipped name of a site, or its file.
        weather: Years to draw from instead of the reference task's: shipped names,
            CSV or EPW files.
        load: Traces to draw from instead: shipped names or CSV files.
        days: Length of an episode instead. [d]
        options: Of `CoolingEnv`.

    Raises:
        InputError: A name, a file or a number is wrong.
    """
    task, params = _task(task, params, site, weather, load, days)
    return CoolingEnv(task, params, **options)


def make_vector(
    num_envs: int = 1,
    task: str | BatchEnvironment = DEFAULT,
    params: Any = None,
    *,
    site: str | Path = "reference",
    weather: Names | None = None,
    load: Names | None = None,
    days: int | None = None,
    **options: Any,
) -> CoolingVectorEnv:
    """Return a batch of environments.

    Args:
        num_envs: Lanes. [1]
        task: This and all up to `days` as in `make`.
        params: Parameters of a task of one's own.
        site: Shipped name of a site, or its file.
        weather: Years to draw from.
        load: Traces to draw from.
        days: Length of an episode. [d]
        options: Of `CoolingVectorEnv`.

    Raises:
        InputError: A name, a file or a number is wrong.
    """
    task, params = _task(task, params, site, weather, load, days)
    return CoolingVectorEnv(task, params, num_envs, **options)


def _task(
    task: str | BatchEnvironment,
    params: Any,
    site: str | Path,
    weather: Names | None,
    load: Names | None,
    days: int | None,
) -> tuple[BatchEnvironment, Any]:
    if not isinstance(task, str):
        if params is None:
            raise InputError(
                "make: found a task without params, expected both; give its parameters"
            )
        return task, params
    if params is not None:
        raise InputError(
            f"make: found params beside the reference task {task!r}, which has its "
            "own; give the task itself, or leave params out"
        )
    if days is not None and days < 1:
        raise InputError(f"make: found {days} days, expected 1 or more; raise them")
    changes = {"weather": _listed(weather), "loads": _listed(load), "days": days}
    given = {name: value for name, value in changes.items() if value is not None}
    reference = dataclasses.replace(reference_task(task), **given)
    return CoolingTask(SETTLE_STEPS), make_task(reference, load_site(site))


def _listed(names: Names | None) -> tuple[str | Path, ...] | None:
    if names is None:
        return None
    return (names,) if isinstance(names, str | Path) else tuple(names)


register()
