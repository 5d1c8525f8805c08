"""Weather from EPW, the format of EnergyPlus, hourly files only.

EnergyPlus, Auxiliary Programs, "EPW Data Dictionary": eight header lines, then
rows of year, month, day, hour 1 to 24, minute, source flags, dry bulb [degC],
dew point [degC], relative humidity [%], pressure [Pa] and more that is not
read. Times are local standard time; hour 24 is midnight at the day's end. In
hourly files the minute is 0 or 60, which mean the same. A code at or above
99.9, 99.9, 999 and 999999 means that the value is missing.

A typical year has months of different years: its year is a label.
"""

import csv
import datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from coolbound_envs.csv_files import cell_place, read_text, to_numbers
from coolbound_envs.tables import InputError
from coolbound_envs.weather_table import WeatherTable, make_table

HEADER_LINES: Final = 8
FIRST_LINE: Final = HEADER_LINES + 1
LABEL_YEAR: Final = 2001
"""Given to a typical year of 365 days, as in the shipped files."""

LEAP_LABEL_YEAR: Final = 2004
"""Given to a typical year that has a 29 February."""

FIELDS: Final[dict[str, tuple[int, str, float]]] = {
    "dry_bulb": (6, "dry bulb (field 7)", 99.9),
    "dew_point": (7, "dew point (field 8)", 99.9),
    "relative_humidity": (8, "relative humidity (field 9)", 999.0),
    "pressure": (9, "pressure (field 10)", 999999.0),
}
"""Position from 0, name and code for missing of each field that is read."""

ZONE_TOLERANCE: Final = 4.0
"""Standard time differs from solar time by up to 3 h, in western China. [h]"""

HOUR: Final = datetime.timedelta(hours=1)


class Location(NamedTuple):
    """What the LOCATION line says.

    Attributes:
        zone: Local standard time minus UTC.
        elevation: Above sea level. [m]
    """

    zone: datetime.timezone
    elevation: float


def is_epw(path: Path) -> bool:
    """Return whether a file's name is that of an EPW file, plain or gzipped."""
    return path.name.lower().endswith((".epw", ".epw.gz"))


def read_epw(path: Path) -> WeatherTable:
    """Return the rows of an EPW file, plain or gzipped.

    Raises:
        InputError: The file cannot be read, a header line is wrong, it has more
            than one record per hour or several data periods, its hours do not
            follow the calendar, or a value is missing or out of range.
    """
    text = read_text(path, fallback="latin-1")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    location = _read_location(path, lines)
    _check_periods(path, lines)
    rows = _read_rows(path, lines)
    start, is_label = _read_times(path, rows, location.zone)
    cells, notes = _read_fields(path, rows)
    if is_label:
        notes = (_label_note(rows), *notes)
    return make_table(path, FIRST_LINE, start, cells, location.elevation, notes)


def _header(path: Path, lines: list[str], line: int, keyword: str) -> list[str]:
    """Return the fields after the keyword of a header line, stripped."""
    found = lines[line - 1] if line <= len(lines) else ""
    fields = [cell.strip() for cell in next(csv.reader([found]), [])]
    if not fields or fields[0].upper() != keyword:
        raise InputError(
            f"{path}: line {line}: found {found[:40]!r}, expected {keyword!r} and its "
            f"fields; give an EPW file with its {HEADER_LINES} header lines"
        )
    return fields[1:]


def _header_number(
    path: Path, line: int, field: str, cell: str, lower: float, upper: float
) -> float:
    value = float(to_numbers([cell])[0])
    if not lower <= value <= upper:
        raise InputError(
            f"{path}: line {line}, field {field!r}: found {cell!r}, expected a number "
            f"from {lower:g} to {upper:g}; correct that header line"
        )
    return value


def _read_location(path: Path, lines: list[str]) -> Location:
    fields = _header(path, lines, 1, "LOCATION")
    if len(fields) < 9:
        raise InputError(
            f"{path}: line 1: found {len(fields)} fields after LOCATION, expected 9 "
            "(city, state, country, source, station, latitude, longitude, time zone, "
            "elevation); complete the line"
        )
    latitude = _header_number(path, 1, "latitude", fields[5], -90.0, 90.0)
    longitude = _header_number(path, 1, "longitude", fields[6], -180.0, 180.0)
    zone = _header_number(path, 1, "time zone", fields[7], -12.0, 14.0)
    elevation = _header_number(path, 1, "elevation", fields[8], -500.0, 5000.0)
    ahead = (zone - longitude / 15.0 + 12.0) % 24.0 - 12.0
    # A made-up file may leave its place at 0, 0.
    is_placed = latitude != 0.0 or longitude != 0.0
    if zone * 4.0 != round(zone * 4.0) or (is_placed and abs(ahead) > ZONE_TOLERANCE):
        raise InputError(
            f"{path}: line 1, field 'time zone': found {fields[7]!r}, expected the "
            f"standard time at longitude {longitude:g}, about "
            f"{longitude / 15.0:+.0f} h, in quarters of an hour; correct time zone or "
            "longitude, east is positive"
        )
    offset = datetime.timedelta(hours=zone)
    return Location(zone=datetime.timezone(offset), elevation=elevation)


def _check_periods(path: Path, lines: list[str]) -> None:
    fields = _header(path, lines, HEADER_LINES, "DATA PERIODS")
    for position, field, advice in (
        (0, "data periods", "give a file of one period"),
        (1, "records per hour", "resample the file to hourly values"),
    ):
        found = fields[position] if position < len(fields) else ""
        if found != "1":
            raise InputError(
                f"{path}: line {HEADER_LINES}, field {field!r}: found {found!r}, "
                f"expected '1'; {advice}"
            )


def _read_rows(path: Path, lines: list[str]) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.split(",")] for line in lines[HEADER_LINES:]]
    if not rows:
        raise InputError(
            f"{path}: found {len(lines)} lines, expected hourly rows after line "
            f"{HEADER_LINES}; give an EPW file with data"
        )
    needed = max(position for position, _, _ in FIELDS.values()) + 1
    for line, row in enumerate(rows, start=FIRST_LINE):
        if len(row) != len(rows[0]) or len(row) < needed:
            raise InputError(
                f"{path}: line {line}: found {len(row)} fields, expected "
                f"{max(len(rows[0]), needed)} as in the first row; correct that line"
            )
    return rows


def _read_times(
    path: Path, rows: list[list[str]], zone: datetime.timezone
) -> tuple[datetime.datetime, bool]:
    """Return the time of row 0 and whether its year is only a label."""
    days = [_read_day(path, row, cells) for row, cells in enumerate(rows)]
    stamps = _stamps([year for year, *_ in days], days)
    is_label = stamps is None or _first_break(stamps) is not None
    if is_label:
        stamps = _stamps(_label_years(days), days)
    broken = 0 if stamps is None else _first_break(stamps)
    if stamps is None or broken is not None:
        found = "-".join(rows[broken or 0][1:4])
        raise InputError(
            f"{cell_place(path, 'month-day-hour', broken or 0, FIRST_LINE)}: found "
            f"{found!r}, expected one hour after the row before; give every hour of "
            "the calendar once, in order"
        )
    return stamps[0].replace(tzinfo=zone), is_label


def _read_day(path: Path, row: int, cells: list[str]) -> tuple[int, int, int, int]:
    """Return year, month, day and hour 1 to 24 of a row."""
    names = ("year", "month", "day", "hour", "minute")
    bounds = ((1, 9998), (1, 12), (1, 31), (1, 24), (0, 60))
    numbers = []
    for name, cell, (lower, upper) in zip(names, cells[:5], bounds, strict=True):
        is_whole = cell.isdecimal() and lower <= int(cell) <= upper
        if not is_whole or (name == "minute" and int(cell) not in (0, 60)):
            wanted = "0 or 60" if name == "minute" else f"{lower} to {upper}"
            raise InputError(
                f"{cell_place(path, name, row, FIRST_LINE)}: found {cell!r}, expected "
                f"{wanted}; give hourly values at full hours, hours counted 1 to 24"
            )
        numbers.append(int(cell))
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _label_years(days: list[tuple[int, int, int, int]]) -> list[int]:
    """Return one label for each row: it rises where the months begin again."""
    months = np.array([month for _, month, _, _ in days])
    turns = np.concatenate([[0], np.cumsum(np.diff(months) < 0)])
    leap = [row for row, (_, *day) in enumerate(days) if day[:2] == [2, 29]]
    first = LEAP_LABEL_YEAR - int(turns[leap[0]]) if leap else LABEL_YEAR
    return [first + int(turn) for turn in turns]


def _stamps(
    years: list[int], days: list[tuple[int, int, int, int]]
) -> list[datetime.datetime] | None:
    """Return the times of all rows, or None where a day is not in its year."""
    try:
        return [
            datetime.datetime(year, month, day) + hour * HOUR
            for year, (_, month, day, hour) in zip(years, days, strict=True)
        ]
    except ValueError:
        return None


def _first_break(stamps: list[datetime.datetime]) -> int | None:
    for row in range(1, len(stamps)):
        if stamps[row] - stamps[row - 1] != HOUR:
            return row
    return None


def _label_note(rows: list[list[str]]) -> str:
    years = sorted({int(row[0]) for row in rows})
    named = ", ".join(str(year) for year in years)
    return f"A typical year: its months come from {named}; its year is a label."


def _read_fields(
    path: Path, rows: list[list[str]]
) -> tuple[dict[str, tuple[str, list[str]]], tuple[str, ...]]:
    """Return the cells of each quantity that the file has, and notes."""
    cells: dict[str, tuple[str, list[str]]] = {}
    notes: list[str] = []
    for quantity, (position, name, code) in FIELDS.items():
        texts = [row[position] for row in rows]
        missing = np.flatnonzero(to_numbers(texts) >= code)
        is_absent = quantity == "pressure" and missing.size == len(texts)
        if quantity == "dew_point" and missing.size:
            notes.append(
                f"Dew points are missing in {missing.size} of {len(texts)} hours; none "
                "was compared."
            )
        elif missing.size and not is_absent:
            raise InputError(
                f"{cell_place(path, name, int(missing[0]), FIRST_LINE)}: found "
                f"{texts[missing[0]]!r}, the code for missing, expected a value; fill "
                f"all {missing.size} such rows or take another file"
            )
        elif not is_absent:
            cells[quantity] = (name, texts)
    return cells, tuple(notes)
