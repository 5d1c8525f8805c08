"""Where the controllers meet: weather, loads, faults, plants, one start for all."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound.compose import plant_task
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.fault_files import load_faults
from coolbound_envs.fault_kinds import AIM_NAMES, KINDS, FaultEvent, FaultKind
from coolbound_envs.fault_schedule import FaultPlan, fixed_plan, random_plan
from coolbound_envs.scenario import Place
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_envs.tasks import DAY, MISHAPS, TENTH
from coolbound_envs.types import Observation
from coolbound_envs.variation import NAMES, VariationSpread, make_spread

SETTLE_STEPS: Final = 24
"""Steps that the plant runs before the comparison begins: two hours. [1]"""

NO_FAULTS: Final = "none"
"""Stands for a schedule without faults."""


@dataclasses.dataclass(frozen=True)
class Contest:
    """What all contenders meet alike. Static.

    Attributes:
        task: Parameters of the plant, its weather, loads and faults.
        names: Of the places, as tables print them.
        observation: The first one, places first.
        state: The simulation that belongs to it.
    """

    task: TaskParams
    names: tuple[str, ...]
    observation: Observation
    state: TaskState


def prepare(
    site: Site,
    weather: Sequence[str],
    loads: Sequence[str],
    drills: Sequence[str],
    days: int,
    start: int = 0,
    vary: float = 0.0,
    faults_a_day: float = 0.0,
    seed: int = 0,
) -> Contest:
    """Return the places: every weather with every load and every fault schedule.

    Args:
        site: Whose plant and limits are taken.
        weather: Years, shipped or files.
        loads: Load traces, shipped or files.
        drills: Files of faults, or `none`.
        days: How long. [1]
        start: Days after 1 January. [1]
        vary: Half-width within which every place's plant is drawn: 0.1 is that of the
            reference tasks. [1]
        faults_a_day: Random faults besides, in the mix of the reference tasks. [1]
        seed: Of plants, random faults and instruments.

    Raises:
        InputError: A name or a file is wrong, or stands there twice.
    """
    for option, names in (("weather", weather), ("load", loads), ("faults", drills)):
        _refuse_twice(option, names)
    task = dataclasses.replace(
        plant_task(site, _rows(weather, drills), loads),
        variation=spread(vary),
        faults=_plan([_events(name) for name in drills], faults_a_day, days),
    )
    numbers = combinations(weather, loads, drills)
    place = place_of(numbers, len(drills), start)
    begin = jax.jit(CoolingTask(settle_steps=SETTLE_STEPS).start_at)
    observation, state = begin(jax.random.key(seed), place, task)
    names = tuple(_place_name(weather, loads, drills, *each) for each in numbers)
    return Contest(task, names, observation, state)


def combinations(*options: Sequence[str]) -> list[tuple[int, ...]]:
    """Return every weather with every load and every schedule, by number."""
    return list(itertools.product(*(range(len(names)) for names in options)))


def _rows(weather: Sequence[str], drills: Sequence[str]) -> list[str]:
    """Return the weather of each row: one row for each schedule, as it goes by row."""
    return [name for name in weather for _ in drills]


def place_of(numbers: Sequence[tuple[int, ...]], drills: int, start: int) -> Place:
    """Return where everyone begins.

    Args:
        numbers: Weather, load and schedule of each place.
        drills: Schedules; each has a row of its own for each weather. [1]
        start: Days after 1 January. [1]
    """
    city, trace, drill = np.asarray(numbers, np.int32).T
    return Place(
        city=jnp.asarray(city * drills + drill, jnp.int32),
        trace=jnp.asarray(trace, jnp.int32),
        time=jnp.full(city.shape, int(start * DAY), jnp.int32),
        load_offset=jnp.zeros(city.shape, jnp.int32),
    )


def _refuse_twice(option: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise InputError(
            f"--{option}: found {twice[0]!r} twice, expected each once; leave one out"
        )


def _place_name(
    weather: Sequence[str],
    loads: Sequence[str],
    drills: Sequence[str],
    city: int,
    load: int,
    drill: int,
) -> str:
    """Return a place's name: its weather, and what else tells it apart."""
    parts = [weather[city]]
    parts += [loads[load]] if len(loads) > 1 else []
    parts += [Path(drills[drill]).stem] if len(drills) > 1 else []
    return ", ".join(parts)


def spread(half_width: float) -> VariationSpread:
    """Return the reference tasks' spread of plants, wider or narrower.

    Raises:
        InputError: It is wider than makes sense.
    """
    factor = half_width / 0.1
    return make_spread(**{name: factor * width for name, width in TENTH.items()})


def _events(name: str) -> tuple[FaultEvent, ...]:
    return () if name == NO_FAULTS else load_faults(name)


def _plan(
    drills: Sequence[Sequence[FaultEvent]], faults_a_day: float, days: int
) -> FaultPlan:
    fixed = fixed_plan(*drills, by_city=True)
    share = faults_a_day / sum(MISHAPS.values())
    rates = {kind: share * rate for kind, rate in MISHAPS.items()}
    return random_plan(rates, days * DAY, fixed) if faults_a_day else fixed


def drawn_plants(contest: Contest) -> dict[str, dict[str, float]]:
    """Return what each place's plant has over the nominal one: factors and offsets.

    Empty where nothing varies.
    """
    variation = contest.state.variation
    values = {name: np.asarray(getattr(variation, name)) for name in NAMES}
    widths = {name: float(getattr(contest.task.variation, name)) for name in NAMES}
    varied = [name for name in NAMES if widths[name] > 0.0]
    if not varied:
        return {}
    return {
        place: {name: float(values[name][i]) for name in varied}
        for i, place in enumerate(contest.names)
    }


def drawn_faults(contest: Contest) -> dict[str, list[dict[str, Any]]]:
    """Return the faults of each place in the order in which they begin."""
    found: dict[str, list[dict[str, Any]]] = {}
    schedule = jax.tree.map(np.asarray, contest.state.faults)
    for i, place in enumerate(contest.names):
        kinds = schedule.kind[:, i]
        rows = [_fault(schedule, int(row), i) for row in np.flatnonzero(kinds > 0)]
        if rows:
            found[place] = sorted(rows, key=lambda row: row["start_s"])
    return found


def _fault(schedule: Any, row: int, place: int) -> dict[str, Any]:
    kind = FaultKind(int(schedule.kind[row, place]))
    duration = float(schedule.duration[row, place])
    return {
        "kind": kind.name.lower(),
        "target": _target(AIM_NAMES[KINDS[kind].aim], schedule.target[row, place]),
        "start_s": float(schedule.start[row, place]),
        "duration_s": duration if np.isfinite(duration) else None,
        "size": float(schedule.size[row, place]),
    }


def _target(names: Mapping[str, int], code: int) -> str:
    return next(name for name, value in names.items() if value == code)
