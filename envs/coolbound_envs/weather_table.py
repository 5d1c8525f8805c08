"""The hourly rows of a weather file, whatever its format, with their places.

Readers of CSV and EPW end here; what is plausible is judged afterwards, in
`coolbound_envs.weather_checks`, with messages that name the file's own lines
and columns.
"""

import dataclasses
import datetime
from pathlib import Path
from typing import Final

import numpy as np

from coolbound_envs.csv_files import cell_place, to_numbers
from coolbound_envs.tables import InputError

DEW_POINT_MAX: Final = 35.0
"""The highest ever observed, Dhahran, 8 July 2003. [degC]"""

RANGES: Final[dict[str, tuple[float, float, str]]] = {
    "dry_bulb": (-60.0, 60.0, "degC"),
    "relative_humidity": (0.0, 100.0, "%"),
    "pressure": (5e4, 1.1e5, "Pa"),
    "dew_point": (-90.0, DEW_POINT_MAX, "degC"),
}
"""What a cell may hold anywhere on Earth where people build: least, most, unit."""

FAHRENHEIT_SHARE: Final = 0.01
"""Dry bulbs beyond range in more rows than this share are another unit. [1]"""


@dataclasses.dataclass(frozen=True)
class Column:
    """One quantity of a file. Static.

    Attributes:
        name: The file's own name of it.
        cells: Its text, row by row.
        values: The same as numbers, float64, shape (hours,). [the column's unit]
    """

    name: str
    cells: list[str]
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class WeatherTable:
    """Hourly rows without gaps, every cell a number in its range. Static.

    Attributes:
        path: The file.
        first_line: Line of row 0, as an editor counts. [1]
        start: Time of row 0, local standard time with its offset.
        columns: By quantity: `dry_bulb`, `relative_humidity` and, where the file
            has them, `pressure` and `dew_point`.
        elevation: Of the station, where the file says it. [m]
        notes: What was assumed, one sentence each.
    """

    path: Path
    first_line: int
    start: datetime.datetime
    columns: dict[str, Column]
    elevation: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def hours(self) -> int:
        """Return the number of rows [1]."""
        return len(self.columns["dry_bulb"].cells)

    def values(self, quantity: str) -> np.ndarray:
        """Return one quantity, shape (hours,), in the unit of `RANGES`."""
        return self.columns[quantity].values

    def place(self, quantity: str, row: int) -> str:
        """Return how a message names a cell."""
        return cell_place(self.path, self.columns[quantity].name, row, self.first_line)

    def refuse(self, quantity: str, row: int, expected: str, advice: str) -> InputError:
        """Return the error of one cell."""
        return InputError(
            f"{self.place(quantity, row)}: found "
            f"{self.columns[quantity].cells[row]!r}, expected {expected}; {advice}"
        )


def make_table(
    path: Path,
    first_line: int,
    start: datetime.datetime,
    cells: dict[str, tuple[str, list[str]]],
    elevation: float | None = None,
    notes: tuple[str, ...] = (),
) -> WeatherTable:
    """Return the table of a file's cells, each checked against `RANGES`.

    Args:
        path: The file.
        first_line: Line of row 0.
        start: Time of row 0.
        cells: By quantity, the file's name of the column and its cells.
        elevation: Of the station. [m]
        notes: What the reader assumed.

    Raises:
        InputError: A cell is no number or out of range; where the whole column
            looks like another unit, the message says which.
    """
    columns = {
        quantity: Column(name, texts, to_numbers(texts))
        for quantity, (name, texts) in cells.items()
    }
    table = WeatherTable(path, first_line, start, columns, elevation, notes)
    for quantity in columns:
        _check_range(table, quantity)
    return table


def _check_range(table: WeatherTable, quantity: str) -> None:
    lower, upper, unit = RANGES[quantity]
    values = table.values(quantity)
    wrong = np.flatnonzero(~((values >= lower) & (values <= upper)))
    if wrong.size:
        advice = _unit_advice(table, quantity, wrong.size)
        expected = f"{lower:g} to {upper:g} {unit}"
        raise table.refuse(quantity, int(wrong[0]), expected, advice)


def _unit_advice(table: WeatherTable, quantity: str, wrong: int) -> str:
    """Return what to do about cells out of range, from the look of all of them."""
    values = table.values(quantity)
    middle = float(np.nanmedian(values)) if np.any(np.isfinite(values)) else 0.0
    if quantity == "dry_bulb":
        return _dry_bulb_advice(table, wrong, middle)
    if quantity == "pressure" and 500.0 <= middle <= 1100.0:
        return "the column looks like hPa: multiply it by 100"
    if quantity == "pressure" and 50.0 <= middle <= 110.0:
        return "the column looks like kPa: multiply it by 1000"
    return "correct that cell or convert the column's unit"


def _dry_bulb_advice(table: WeatherTable, wrong: int, middle: float) -> str:
    values = table.values("dry_bulb")
    humidity = table.values("relative_humidity")
    if middle > 200.0:
        return "the column looks like kelvin: subtract 273.15"
    if wrong <= FAHRENHEIT_SHARE * len(values) and len(values) > wrong:
        return "correct that cell or convert the column's unit"
    is_percent = np.all((values >= 0.0) & (values <= 100.0))
    is_temperature = np.all((humidity >= -60.0) & (humidity <= 60.0))
    if is_percent and is_temperature:
        return "temperature and humidity look swapped: swap the two columns"
    if np.all(values <= 140.0):
        return "the column looks like Fahrenheit: convert it to degC"
    return "correct that cell or convert the column's unit"
