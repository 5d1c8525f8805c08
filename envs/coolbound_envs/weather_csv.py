"""Weather from CSV: `time`, `dry_bulb_c`, `relative_humidity_pct` and two more.

`time` is ISO 8601 with one UTC offset all year: local standard time. Humidity
stands over water. `pressure_pa` and `dew_point_c` may be absent or empty.
"""

import datetime
from pathlib import Path
from typing import Final

from coolbound_envs.csv_files import cell_place, read_columns
from coolbound_envs.tables import InputError
from coolbound_envs.weather_table import WeatherTable, make_table

REQUIRED: Final = {
    "dry_bulb": "dry_bulb_c",
    "relative_humidity": "relative_humidity_pct",
}
OPTIONAL: Final = {"pressure": "pressure_pa", "dew_point": "dew_point_c"}
HOUR: Final = datetime.timedelta(hours=1)


def read_csv(path: Path) -> WeatherTable:
    """Return the rows of a weather file in CSV, plain or gzipped.

    Raises:
        InputError: The file cannot be read, its columns are not the documented
            ones, its hours have a gap or a duplicate, or a cell is out of range.
    """
    columns = read_columns(path, ("time", *REQUIRED.values()), tuple(OPTIONAL.values()))
    start = _read_times(path, columns["time"])
    names = REQUIRED | {
        quantity: name
        for quantity, name in OPTIONAL.items()
        if any(columns.get(name, ()))
    }
    cells = {quantity: (name, columns[name]) for quantity, name in names.items()}
    return make_table(path, 2, start, cells)


def _read_times(path: Path, cells: list[str]) -> datetime.datetime:
    """Return the first time, after a check that an hour lies between any two."""
    stamps = [_read_time(path, row, cell) for row, cell in enumerate(cells)]
    for row in range(1, len(stamps)):
        before, here = stamps[row - 1], stamps[row]
        if here.utcoffset() != before.utcoffset():
            expected = "the UTC offset of the row before"
            advice = "give local standard time all year, without summer time"
            raise _refuse(path, row, cells, expected, advice)
        if here - before != HOUR:
            expected = f"one hour after {cells[row - 1]}"
            raise _refuse(path, row, cells, expected, _step_advice(here - before))
    return stamps[0]


def _step_advice(step: datetime.timedelta) -> str:
    if step == datetime.timedelta():
        return "that hour stands there twice: remove one of the two rows"
    if step > HOUR and step % HOUR == datetime.timedelta():
        absent = step // HOUR - 1
        hours = "1 hour is" if absent == 1 else f"{absent} hours are"
        return f"{hours} missing: give hourly rows without gaps"
    if step < datetime.timedelta():
        return "sort the rows by time"
    return "give one row for every full hour"


def _read_time(path: Path, row: int, cell: str) -> datetime.datetime:
    try:
        stamp = datetime.datetime.fromisoformat(cell)
    except ValueError:
        stamp = None
    if stamp is None or stamp.utcoffset() is None or stamp.minute or stamp.second:
        raise InputError(
            f"{cell_place(path, 'time', row)}: found {cell!r}, expected a full hour "
            "with its UTC offset such as '2021-01-01T00:00:00-07:00'; correct it"
        )
    return stamp


def _refuse(
    path: Path, row: int, cells: list[str], expected: str, advice: str
) -> InputError:
    return InputError(
        f"{cell_place(path, 'time', row)}: found {cells[row]!r}, expected {expected}; "
        f"{advice}"
    )
