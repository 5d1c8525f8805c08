"""Everything that the validation page rests on, measured in one go."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coolbound.compose import plant_task
from coolbound.validation import chillers, convergence, headroom, physics, tower
from coolbound.validation.bands import YearFigures, year_figures
from coolbound.validation.chillers import ChillerComparison
from coolbound.validation.convergence import Convergence
from coolbound.validation.engines import EngineComparison, compare_engines
from coolbound.validation.headroom import CityHeadroom
from coolbound.validation.physics import Warming
from coolbound.validation.tower import TowerBand
from coolbound.validation.years import Account, Progress, run_years
from coolbound_controllers.g36 import G36
from coolbound_controllers.legacy import Legacy
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.episode import TaskParams
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_envs.types import Controller

CITIES: Final = (
    "phoenix",
    "san-jose-2021",
    "chicago",
    "dallas",
    "honolulu",
    "singapore-2021",
    "frankfurt-2021",
    "tokyo-2021",
)
"""Eight climates; the first four are also in the reference's tables."""

LOAD: Final = "google2019"
BANDED: Final = ("legacy", "g36 24")
"""Operators whose years are held against the bands: each at its own set-point."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is measured. Static.

    Attributes:
        cities: Names of weather years or paths of files.
        days: Of every year. [1]
        every: Hours from one compared hour to the next. [1]
        weeks: First days of the weeks of the convergence study, by city name. [1]
        week_days: Length of each. [1]
        is_whole: False for a quick run, whose figures are no evidence.
    """

    cities: tuple[str, ...]
    days: int
    every: int
    weeks: tuple[tuple[str, int], ...]
    week_days: int
    is_whole: bool


WHOLE: Final = Plan(
    cities=CITIES,
    days=365,
    every=47,
    weeks=tuple((c, d) for c in ("phoenix", "chicago") for d in (15, 95, 195, 285)),
    week_days=7,
    is_whole=True,
)
QUICK: Final = Plan(
    cities=("phoenix", "chicago"),
    days=3,
    every=6,
    weeks=(("phoenix", 15), ("chicago", 95)),
    week_days=1,
    is_whole=False,
)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """All that was measured. Static.

    Attributes:
        plan: How much was measured.
        closure: Largest share of heat unaccounted for in any account. [1]
        accounts: How many accounts that is of. [1]
        years: Figures of every city and banded operator.
        concentration: Cycles of concentration of the towers' water. [1]
        towers: Against YorkCalc, by band.
        chillers: Fitted machines against their records.
        warming: Halls without cooling.
        steps: Load, minutes and share done of a step of supply air.
        convergence: Steps of 30 s against 5 s.
        headroom: Operators, rules and optima, by city.
        engines: Responses beside EnergyPlus.
    """

    plan: Plan
    closure: float
    accounts: int
    years: Sequence[YearFigures]
    concentration: float
    towers: Sequence[TowerBand]
    chillers: Sequence[ChillerComparison]
    warming: Warming
    steps: Sequence[tuple[float, NDArray[np.floating], NDArray[np.floating]]]
    convergence: Convergence
    headroom: Sequence[CityHeadroom]
    engines: EngineComparison


def more_cities(folder: Path) -> tuple[str, ...]:
    """Return the typical years of a folder that are not shipped.

    Raises:
        InputError: There are none.
    """
    found = sorted(folder.rglob("*_tmyx.csv.gz"))
    if not found:
        raise InputError(
            f"--shared-weather {folder}: found no file *_tmyx.csv.gz, expected typical "
            "years in the documented CSV format; name another folder or leave it out"
        )
    return tuple(str(path) for path in found)


def line_up(site: Site) -> dict[str, Controller]:
    """Return the operators of the page; numbers are supply air.

    Raises:
        InputError: The operators' settings are wrong.
    """
    settings = parse_operator(site)
    cold, warm = (
        dataclasses.replace(settings, supply_air=22.0, supply_air_reset=air)
        for air in (22.0, 24.0)
    )
    return {"legacy": Legacy(cold), "g36 22": G36(cold), "g36 24": G36(warm)}


def gather(site: Site, plan: Plan, progress: Progress) -> Evidence:
    """Measure everything.

    Args:
        site: Whose plant is looked at.
        plan: How much of it.
        progress: Told how far each part is.

    Raises:
        InputError: A weather file or the site cannot be used.
    """
    operators = line_up(site)
    task = plant_task(site, plan.cities, [LOAD])
    accounts = run_years(operators, task, plan.cities, plan.days, progress=progress)
    names = {city: Path(city).name.removesuffix(".csv.gz") for city in plan.cities}
    loads = physics.TIME_CONSTANT_LOADS
    return Evidence(
        plan=plan,
        closure=physics.worst_closure(accounts.values(), site.plant),
        accounts=len(accounts),
        years=_years(accounts, task, plan, names),
        concentration=float(site.plant.condenser.concentration),
        towers=tower.compare_towers(site.plant.condenser),
        chillers=chillers.compare_chillers(site.plant.chiller),
        warming=physics.lose_cooling(site.plant),
        steps=[(load, *physics.server_step(site.plant, load)) for load in loads],
        convergence=_convergence(site, operators["g36 24"], plan),
        headroom=_headroom(site, accounts, task, plan, names, progress),
        engines=_engines(site, plan),
    )


def _years(
    accounts: Mapping[tuple[str, str], Account],
    task: TaskParams,
    plan: Plan,
    names: Mapping[str, str],
) -> list[YearFigures]:
    concentration = float(task.plant.condenser.concentration)
    bulbs = np.asarray(task.scenario.wet_bulb, np.float64).mean(axis=1)
    return [
        year_figures(
            names[city],
            operator.partition(" ")[0],
            accounts[operator, city],
            float(bulb),
            concentration,
        )
        for city, bulb in zip(plan.cities, bulbs, strict=True)
        for operator in BANDED
    ]


def _convergence(site: Site, operator: Controller, plan: Plan) -> Convergence:
    cities, days = zip(*plan.weeks, strict=True)
    task = plant_task(site, cities, [LOAD])
    return convergence.compare_steps(operator, task, days, plan.week_days)


def _headroom(
    site: Site,
    accounts: Mapping[tuple[str, str], Account],
    task: TaskParams,
    plan: Plan,
    names: Mapping[str, str],
    progress: Progress,
) -> list[CityHeadroom]:
    limits = parse_limits(site.root, site.feeder_power)
    found = []
    for place, city in enumerate(plan.cities):
        own = {name: a for (name, where), a in accounts.items() if where == city}
        found.append(
            headroom.headroom_of(
                names[city], place, own, task.scenario, site.plant, limits, plan.every
            )
        )
        progress("headroom", place + 1, len(plan.cities))
    return found


def _engines(site: Site, plan: Plan) -> EngineComparison:
    if not plan.is_whole:
        return EngineComparison((), "A quick run leaves this comparison out.")
    return compare_engines(site)
