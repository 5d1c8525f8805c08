"""Made-up exports of a small plant, and every way in which exports go wrong."""

import csv
import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from coolbound_shadow.intake.handover import import_site
from coolbound_shadow.intake.map_reader import parse_map

START = datetime(2024, 5, 1)
STEP = timedelta(minutes=10)
ROWS = 432
"""Three days of ten minutes. [rows]"""

NOW_S = 1_750_000_000
"""June 2025: when made exports are imported, UTC epoch. [s]"""

HEADER = ("Time", "CHWS", "CHWR", "kW", "SP")


@dataclasses.dataclass
class Export:
    """A table that a test may damage before it is written."""

    times: list[str]
    columns: dict[str, list[str]]
    header: list[str] | None = None
    name: str = "plant.csv"

    def rows(self) -> list[list[str]]:
        return [
            [time, *(cells[i] for cells in self.columns.values())]
            for i, time in enumerate(self.times)
        ]

    def lines(self) -> list[str]:
        header = self.header or ["Time", *self.columns]
        return [",".join(row) for row in (header, *self.rows())]

    def write(self, folder: Path, lines: Sequence[str] | None = None) -> Path:
        path = folder / self.name
        path.write_text("\n".join(lines or self.lines()) + "\n", encoding="utf-8")
        return path


def stamps(
    count: int = ROWS,
    start: datetime = START,
    step: timedelta = STEP,
    form: str = "%Y-%m-%d %H:%M:%S",
) -> list[str]:
    return [(start + i * step).strftime(form) for i in range(count)]


def numbers(count: int = ROWS, seed: int = 0) -> dict[str, np.ndarray]:
    """Return the plant's readings: supply and return in degF, power in kW."""
    rng = np.random.default_rng(seed)
    wave = np.sin(2 * np.pi * np.arange(count) / 144.0)
    supply = 44.0 + 1.5 * wave + rng.normal(0, 0.2, count)
    return {
        "CHWS": np.round(supply, 2),
        "CHWR": np.round(supply + 9.0 + wave, 2),
        "kW": np.round(180.0 + 60.0 * wave + rng.normal(0, 3, count), 1),
        "SP": np.round(44.0 + 2.0 * (wave > 0), 1),
    }


def made_export(count: int = ROWS, seed: int = 0, **more: Any) -> Export:
    columns = {k: [f"{x:g}" for x in v] for k, v in numbers(count, seed).items()}
    return Export(stamps(count, **more), columns)


def made_map(
    time: str = "",
    file: str = "",
    points: Sequence[str] = (),
    more: str = "",
    resample: str = "step_s = 600",
    **changes: str,
) -> str:
    """Return the map of a made export; `changes` add lines to a point."""
    own = {
        "CHWS": 'feeds = "chw_supply_temp"\nunit_in = "degF"\n'
        "limits = { range = [0.0, 30.0] }",
        "CHWR": 'feeds = "chw_return_temp"\nunit_in = "degF"\n'
        "limits = { range = [0.0, 40.0] }",
        "kW": 'feeds = "chiller_power"\nunit_in = "kW"',
        "SP": 'feeds = "chw_supply_setpoint"\nunit_in = "degF"',
    }
    for name, lines in changes.items():
        own[name] = lines if lines.startswith("=") else f"{own[name]}\n{lines}"
        own[name] = own[name].removeprefix("=")
    if "zone" not in time:
        time = f'zone = "Europe/Berlin"\n{time}'
    blocks = "\n".join(
        f'[[point]]\nid = "{n.lower()}"\nsource = {{ column = "{n}" }}\n{lines}\n'
        for n, lines in own.items()
    )
    match = "" if "match" in file else 'match = "*.csv"\n'
    column = "" if "time_column" in file else 'time_column = "Time"\n'
    return (
        f'schema = 1\nsite = {{ id = "made" }}\n[time]\n{time}\n'
        f"[resample]\n{resample}\n{more}\n[[file]]\n{match}{column}{file}\n{blocks}"
        + "\n".join(points)
    )


def bring_in(
    paths: Path | Sequence[Path], text: str, out: Path, **more: Any
) -> dict[str, Any]:
    """Import made exports by the text of a map."""
    given = [paths] if isinstance(paths, Path) else list(paths)
    return import_site(given, parse_map(text, "map.toml"), out, now_s=NOW_S, **more)


def kinds_of(data: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the findings of an import by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in data["findings"]:
        found.setdefault(each["kind"], []).append(each)
    return found


Damage = Callable[[Export], None]


def write_rows(path: Path, rows: Sequence[Sequence[str]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return path
