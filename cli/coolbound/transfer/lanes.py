"""What everyone meets on EnergyPlus: weather, load and start, side by side."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from coolbound.evaluation.contest import combinations
from coolbound_controllers.evaluation import DAY_STEPS
from coolbound_envs.energyplus.course import Course, course_of
from coolbound_envs.load import load_trace
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_envs.weather import load_weather

DAY_S = 86400
"""Length of a day. [s]"""


@dataclasses.dataclass(frozen=True)
class Lanes:
    """Runs side by side. Static.

    Attributes:
        names: Of each lane's place, as tables print it; alike for all starts of one.
        lanes: Of each lane: place and start.
        courses: Weather and load of each lane.
        days: How long. [1]
    """

    names: tuple[str, ...]
    lanes: tuple[str, ...]
    courses: tuple[Course, ...]
    days: int

    def rows(self) -> dict[str, list[int]]:
        """Return the lanes of each place."""
        found: dict[str, list[int]] = {}
        for row, name in enumerate(self.names):
            found.setdefault(name, []).append(row)
        return found

    def column(self, name: str) -> np.ndarray:
        """Return what acts on all lanes, sums over the halls, (T, lanes).

        Args:
            name: Field of `Course`.
        """
        found = [getattr(course, name) for course in self.courses]
        flat = [x if x.ndim == 1 else np.sum(x, axis=-1) for x in found]
        return np.stack(flat, axis=1)


def lanes_of(
    site: Site,
    weather: Sequence[str],
    loads: Sequence[str],
    starts: Sequence[int],
    days: int,
) -> Lanes:
    """Return every weather with every load from every start.

    Args:
        site: Whose servers carry the load.
        weather: Years, shipped or files.
        loads: Traces, shipped or files.
        starts: Each in days after 1 January. [1]
        days: How long. [1]

    Raises:
        InputError: A name or a file is wrong, or stands there twice.
    """
    for option, given in (("weather", weather), ("load", loads), ("start", starts)):
        _refuse_twice(option, [str(each) for each in given])
    years = [load_weather(name) for name in weather]
    traces = [load_trace(name) for name in loads]
    steps, names, lanes, courses = days * DAY_STEPS, [], [], []
    for city, load, start in combinations(weather, loads, starts):
        name = weather[city] + (f", {loads[load]}" if len(loads) > 1 else "")
        names.append(name)
        lanes.append(f"{name}, day {starts[start] + 1}" if len(starts) > 1 else name)
        begin = starts[start] * DAY_S
        it = site.plant.it
        courses.append(course_of(it, years[city], traces[load], begin, steps))
    return Lanes(tuple(names), tuple(lanes), _as_numpy(courses), days)


def _refuse_twice(option: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise InputError(
            f"--{option}: found {twice[0]!r} twice, expected each once; leave one out"
        )


def _as_numpy(courses: Sequence[Course]) -> tuple[Course, ...]:
    fields = [field.name for field in dataclasses.fields(Course)]
    return tuple(
        dataclasses.replace(
            course,
            **{
                name: np.asarray(jax.device_get(getattr(course, name)))
                for name in fields
                if name != "start"
            },
        )
        for course in courses
    )
