"""A golden year: what the operators' energies were, to notice when they change.

The figures are those of one machine. Another processor or jax rounds otherwise, and a
change of machines then falls an interval earlier or later, so they are compared within
tolerances; the hash only says that nobody edited the file by hand.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from coolbound.compose import named_controller, plant_task
from coolbound.validation.years import HOURS_PER_DAY, Account, Progress, run_years
from coolbound_controllers.atomic import write_atomic
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError

SCHEMA = "coolbound.golden/1"
CITIES = ("chicago", "phoenix")
OPERATORS = ("legacy", "g36")
LOAD = "google2019"

SPANS = {"month": (90, 30), "year": (0, 365)}
"""First day and days of each account: a month with changes of mode, and a year."""

ENERGY, PEAK, COUNT = "MWh", "degC", "times"

TOLERANCES = {ENERGY: 1e-3, PEAK: 0.1, COUNT: 0.02}
"""Relative for energies and counts, in kelvin for temperatures. [mixed units]"""

LEAST = {ENERGY: 0.03, PEAK: 0.0, COUNT: 2.0}
"""Differences up to this are none: without code optimisation, or with narrower
instructions, no figure of a year moved by more than 0.006 MWh. [each unit]"""


@dataclasses.dataclass(frozen=True)
class Change:
    """One figure that is not what it was. Static.

    Attributes:
        name: Which, as a path through the file.
        golden: What it was. [the figure's unit]
        found: What it is. [the figure's unit]
    """

    name: str
    golden: float
    found: float

    def __str__(self) -> str:
        """Return one line for a person."""
        return f"{self.name}: was {self.golden:g}, is {self.found:g}"


def measure(
    site: Site, span: str, progress: Progress | None = None
) -> dict[str, dict[str, Any]]:
    """Return the figures of every city and operator over a span.

    Args:
        site: Whose plant runs.
        span: A key of `SPANS`.
        progress: Told how many days are done.
    """
    first_day, days = SPANS[span]
    task = plant_task(site, CITIES, [LOAD])
    operators = {name: named_controller(name, site).controller for name in OPERATORS}
    found = run_years(
        operators, task, CITIES, days, first_day=first_day, progress=progress
    )
    return {
        city: {name: figures(found[name, city]) for name in OPERATORS}
        for city in CITIES
    }


def figures(account: Account) -> dict[str, Any]:
    """Return the figures that are kept of one account, rounded."""
    hours = len(account.work)
    month = np.minimum(np.arange(hours) // (HOURS_PER_DAY * 365 // 12), 11)
    power = {name: account.power[name] for name in sorted(account.power)}
    violations = dict(zip(LIMIT_NAMES, account.violations.sum(axis=0), strict=True))
    return {
        ENERGY: {
            name: [_rounded(watt[month == m].sum() / 1e6) for m in np.unique(month)]
            for name, watt in power.items()
        },
        "m3": _rounded(3.6 * float(account.water.sum()), 2),
        PEAK: {"worst inlet": _rounded(account.inlet.max(), 2)},
        COUNT: {
            "chiller starts": _rounded(account.starts.sum(), 0),
            "hours without a chiller": _rounded((account.running < 0.5).sum(), 0),
            **{n: _rounded(v, 0) for n, v in violations.items() if v > 0.0},
        },
    }


def _rounded(value: float, digits: int = 3) -> float:
    return round(float(value), digits)


def bless(site: Site, folder: Path, progress: Progress | None = None) -> list[Path]:
    """Measure every span and write one file per city into a folder.

    Raises:
        InputError: There is no such folder.
    """
    if not folder.is_dir():
        raise InputError(
            f"--bless: found no folder {folder}, expected that of the golden files; "
            "create it or name another"
        )
    spans = {span: measure(site, span, progress) for span in SPANS}
    paths = []
    for city in CITIES:
        content = {
            "schema": SCHEMA,
            "site": site.name,
            "weather": city,
            "load": LOAD,
            **{span: found[city] for span, found in spans.items()},
        }
        text = json.dumps(content | {"sha256": digest(content)}, indent=1)
        paths.append(folder / f"{city}.json")
        write_atomic(paths[-1], (text + "\n").encode())
    return paths


def digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a golden file's content, its own hash left out."""
    kept = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def changes(golden: Mapping[str, Any], found: Mapping[str, Any]) -> list[Change]:
    """Return the figures of two accounts that differ by more than their tolerance."""
    listed = []
    old, new = dict(_flat(golden)), dict(_flat(found))
    for name in sorted(old.keys() | new.keys()):
        unit, was, now = _unit(name), old.get(name, 0.0), new.get(name, 0.0)
        allowed = TOLERANCES[unit] * (1.0 if unit == PEAK else abs(was))
        if abs(now - was) > max(allowed, LEAST[unit]):
            listed.append(Change(name, was, now))
    return listed


def _unit(name: str) -> str:
    """Return the unit that a figure is compared in; water counts as energy does."""
    parts = name.split("/")
    return next((unit for unit in (PEAK, COUNT) if unit in parts), ENERGY)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _flat(entry, f"{name}/{key}" if name else str(key))
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _flat(entry, f"{name}/{number + 1}")
    else:
        yield name, float(value)
