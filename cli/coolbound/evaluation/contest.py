"""Where the controllers meet: weather, loads, faults, plants, the same for all."""

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
        names: Of the places, as tables print them; alike for all starts of one.
        lanes: Of what is run side by side: place and start.
        observation: The first one, places first.
        state: The simulation that belongs to it.
    """

    task: TaskParams
    names: tuple[str, ...]
    lanes: tuple[str, ...]
    observation: Observation
    state: TaskState


def prepare(
    site: Site,
    weather: Sequence[str],
    loads: Sequence[str],
    drills: Sequence[str],
    days: int,
    starts: Sequence[int] = (0,),
    vary: float = 0.0,
    faults_a_day: float = 0.0,
    seed: int = 0,
) -> Contest:
    """Return the places: every weather, load, fault schedule and start with each.

    Args:
        site: Whose plant and limits are taken.
        weather: Years, shipped or files.
        loads: Load traces, shipped or files.
        drills: Files of faults, or `none`.
        days: How long. [1]
        starts: Each in days after 1 January: everything begins anew at each. [1]
        vary: Half-width within which every place's plant is drawn: 0.1 is that of the
            reference tasks. [1]
        faults_a_day: Random faults besides, in the mix of the reference tasks. [1]
        seed: Of plants, random faults and instruments.

    Raises:
        InputError: A name or a file is wrong, or stands there twice.
    """
    given = {"weather": weather, "load": loads, "faults": drills, "start": starts}
    for option, names in given.items():
        _refuse_twice(option, [str(name) for name in names])
    task = dataclasses.replace(
        plant_task(site, _rows(weather, drills), loads),
        variation=spread(vary),
        faults=_plan([_events(name) for name in drills], faults_a_day, days),
    )
    numbers = combinations(weather, loads, drills, starts)
    place = place_of(numbers, len(drills), starts)
    begin = jax.jit(CoolingTask(settle_steps=SETTLE_STEPS).start_at)
    observation, state = begin(jax.random.key(seed), place, task)
    names = tuple(_place_name(weather, loads, drills, *each[:3]) for each in numbers)
    lanes = names
    if len(starts) > 1:
        firsts = (starts[each[3]] + 1 for each in numbers)
        lanes = tuple(f"{n}, day {day}" for n, day in zip(names, firsts, strict=True))
    return Contest(task, names, lanes, observation, state)


def combinations(*options: Sequence[Any]) -> list[tuple[int, ...]]:
    """Return each of the options with each, by number."""
    return list(itertools.product(*(range(len(names)) for names in options)))


def _rows(weather: Sequence[str], drills: Sequence[str]) -> list[str]:
    """Return the weather of each row: one row for each schedule, as it goes by row."""
    return [name for name in weather for _ in drills]


def place_of(
    numbers: Sequence[tuple[int, ...]], drills: int, starts: Sequence[int]
) -> Place:
    """Return where everyone begins.

    Args:
        numbers: Weather, load, schedule and start of each place.
        drills: Schedules; each has a row of its own for each weather. [1]
        starts: Each in days after 1 January. [1]
    """
    city, trace, drill, start = np.asarray(numbers, np.int32).T
    time = np.asarray(starts, np.int64)[start] * int(DAY)
    return Place(
        city=jnp.asarray(city * drills + drill, jnp.int32),
        trace=jnp.asarray(trace, jnp.int32),
        time=jnp.asarray(time, jnp.int32),
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
        for i, place in enumerate(contest.lanes)
    }


def drawn_faults(contest: Contest) -> dict[str, list[dict[str, Any]]]:
    """Return the faults of each place in the order in which they begin."""
    found: dict[str, list[dict[str, Any]]] = {}
    schedule = jax.tree.map(np.asarray, contest.state.faults)
    for i, place in enumerate(contest.lanes):
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
