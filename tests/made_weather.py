"""Weather files written from shipped years, whole or spoiled: for the tests."""

import csv
import datetime
import functools
import gzip
from collections.abc import Callable, Iterable
from pathlib import Path

from coolbound_envs.weather import DATA

Row = dict[str, str]
CSV_COLUMNS: tuple[str, ...] = (
    "time",
    "dry_bulb_c",
    "relative_humidity_pct",
    "pressure_pa",
    "dew_point_c",
)
PHOENIX = "typical_year/phoenix_az_tmy3.csv.gz"
CHICAGO = "typical_year/chicago_il_tmy3.csv.gz"
DALLAS = "observed/dallas_2021.csv.gz"


@functools.cache
def _source(name: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    with gzip.open(DATA / "weather" / name, "rt", newline="") as file:
        return tuple(tuple(row.items()) for row in csv.DictReader(file))


def rows_of(name: str) -> list[Row]:
    """Return fresh rows of a shipped file, to be changed at will."""
    return [dict(row) for row in _source(name)]


def write_csv(path: Path, rows: Iterable[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, CSV_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def spoiled(rows: list[Row], change: Callable[[int, Row], Row | None]) -> list[Row]:
    """Return rows with `change` applied; None leaves a row as it was."""
    return [change(i, row) or row for i, row in enumerate(rows)]


EPW_HEADER = (
    "LOCATION,{city},AZ,USA,TMY3,722780,{latitude},{longitude},{zone},{elevation}",
    "DESIGN CONDITIONS,0",
    "TYPICAL/EXTREME PERIODS,0",
    "GROUND TEMPERATURES,0",
    "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0",
    "COMMENTS 1,made for a test",
    "COMMENTS 2,",
    "DATA PERIODS,{periods},{per_hour},Data,Sunday, 1/ 1,12/31",
)
PLACE = {
    "city": "Phoenix",
    "latitude": "33.45",
    "longitude": "-111.98",
    "zone": "-7.0",
    "elevation": "337.0",
    "periods": "1",
    "per_hour": "1",
}
REST = "0,0,292,0,0,0,0,0,0,0,110,1.5,0,0,16.0,77777,9,999999999,150,0.047,0,88"


def epw_rows(
    rows: list[Row],
    minute: str = "0",
    year_of_month: Callable[[int], int] | None = None,
) -> list[str]:
    """Return EPW rows; an hour's stamp becomes hours 1 to 24 of its day."""
    lines = []
    for row in rows:
        stamp = datetime.datetime.fromisoformat(row["time"])
        begin = stamp - datetime.timedelta(hours=1)
        year = year_of_month(begin.month) if year_of_month else begin.year
        when = f"{year},{begin.month},{begin.day},{begin.hour + 1},{minute},?9?9"
        values = (
            row["dry_bulb_c"],
            row["dew_point_c"] or "99.9",
            row["relative_humidity_pct"],
            row["pressure_pa"] or "999999",
        )
        lines.append(f"{when},{','.join(values)},{REST}")
    return lines


def write_epw(path: Path, lines: list[str], **place: str) -> Path:
    header = [line.format(**PLACE | place) for line in EPW_HEADER]
    text = "\n".join([*header, *lines]) + "\n"
    path.write_text(text, encoding="utf-8")
    return path
