"""A year of weather on an hourly grid, shipped or from a user's file.

The format is CSV, plain or gzipped, with the columns `time` (ISO 8601 with one
UTC offset all year: local standard time), `dry_bulb_c`, `relative_humidity_pct`
(over water) and, possibly absent or empty, `pressure_pa` and `dew_point_c`.
Temperature and humidity are the pair that counts: wet bulb and dew point are
computed from them, and a given dew point is only checked for plausibility.

Sources and licences of the shipped files: `data/ATTRIBUTION.md`.
"""

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_envs import psychrometrics
from coolbound_envs.csv_files import Columns, cell_place, read_columns, read_numbers
from coolbound_envs.tables import InputError

DATA = Path(__file__).parent / "data"
HOUR = 3600.0
"""Interval of the grid. [s]"""

YEAR_HOURS = (8760, 8784)
"""Hours of a common year and of a leap year. [1]"""

DEW_POINT_MAX = 35.0
"""About the highest ever observed, at the Persian Gulf. [degC]"""

SITES_COLUMNS = (
    "file",
    "site",
    "country",
    "kind",
    "station_id",
    "latitude_deg",
    "longitude_deg",
    "elevation_m",
    "standard_utc_offset",
    "source_year_of_each_month",
)


@struct.dataclass
class Weather:
    """Outdoor air on an hourly grid. Arrays are dynamic, the rest is static.

    A whole year is turned so that index 0 is 1 January 00:00 local standard
    time; a part of a year starts at its first row. Several years have a
    leading axis (see `stack_weather`).

    Attributes:
        dry_bulb: Air temperature, float32, shape (hours,). [degC]
        wet_bulb: Thermodynamic wet bulb, shape (hours,). [degC]
        dew_point: Over water, shape (hours,). [degC]
        pressure: Of the air at the station, shape (hours,). [Pa]
        name: Shipped name or file name.
        start: Time of index 0, ISO 8601 with its offset.
        utc_offset_s: Local standard time minus UTC. [s]
        hours: Length of the grid. [1]
        notes: What was assumed, one sentence each, for reports.
    """

    dry_bulb: jax.Array
    wet_bulb: jax.Array
    dew_point: jax.Array
    pressure: jax.Array
    name: str = struct.field(pytree_node=False)
    start: str = struct.field(pytree_node=False)
    utc_offset_s: float = struct.field(pytree_node=False)
    hours: int = struct.field(pytree_node=False)
    notes: tuple[str, ...] = struct.field(pytree_node=False, default=())


def weather_names() -> tuple[str, ...]:
    """Return the names of the shipped years, sorted."""
    return tuple(sorted(_shipped()))


def load_weather(
    name_or_path: str | Path,
    allow_partial: bool = False,
    elevation_m: float | None = None,
) -> Weather:
    """Return a shipped year by name, or a user's from a CSV file.

    Where pressure is empty it is the standard atmosphere at `elevation_m`; by
    default the elevation in `sites.csv` of a file of that name, else sea level,
    which a note of the result says.

    Raises:
        InputError: The file cannot be read or does not keep to the format; not
            a whole year, unless `allow_partial`.
    """
    name, shipped = str(name_or_path), _shipped()
    if name in shipped:
        return _build(shipped[name], name, allow_partial, elevation_m)
    path = Path(name_or_path)
    if not path.suffix:
        raise InputError(
            f"weather: found {name!r}, expected a CSV file or one of "
            f"{', '.join(sorted(shipped))}; correct the name"
        )
    return _build(path, path.name, allow_partial, elevation_m)


def interpolate(values: jax.Array, time: jax.Array) -> jax.Array:
    """Return values at any time, linear between hours, cyclic over the grid.

    Args:
        values: One quantity on the hourly grid, shape (hours,).
        time: Seconds since index 0, any shape. Multiples of 300 s up to a year
            are exact in float32. [s]
    """
    hours = values.shape[-1]
    position = time.astype(values.dtype) / HOUR
    whole = jnp.floor(position)
    share = position - whole
    low = whole.astype(jnp.int32) % hours
    return values[low] * (1.0 - share) + values[(low + 1) % hours] * share


def stack_weather(years: Sequence[Weather]) -> Weather:
    """Return several years as one, arrays of shape (years, hours).

    Names are joined; start, offset and notes are those of the first.

    Raises:
        InputError: The years differ in length.
    """
    if len({year.hours for year in years}) != 1:
        found = ", ".join(f"{year.name}: {year.hours}" for year in years)
        raise InputError(
            f"weather: found years of {found or 'no'} hours, expected one length; "
            "leave leap years out or give all of one kind"
        )
    names = "+".join(year.name for year in years)
    alike = [
        dataclasses.replace(
            year,
            name=names,
            start=years[0].start,
            utc_offset_s=years[0].utc_offset_s,
            notes=years[0].notes,
        )
        for year in years
    ]
    return jax.tree.map(lambda *arrays: jnp.stack(arrays), *alike)


def _shipped() -> dict[str, Path]:
    """Return the shipped files by name: `phoenix`, `dallas-2021`."""
    typical = sorted((DATA / "weather" / "typical_year").glob("*.csv.gz"))
    observed = sorted((DATA / "weather" / "observed").glob("*.csv.gz"))
    names = {path.name.split("_")[0]: path for path in typical}
    return names | {p.name.split(".")[0].replace("_", "-"): p for p in observed}


def _elevations() -> dict[str, float]:
    sites = DATA / "weather" / "sites.csv"
    columns = read_columns(sites, SITES_COLUMNS)
    metres = read_numbers(
        sites, "elevation_m", columns["elevation_m"], -500.0, 5000.0, "m"
    )
    return {
        Path(file).name: float(metre)
        for file, metre in zip(columns["file"], metres, strict=True)
    }


def _build(
    path: Path, name: str, allow_partial: bool, elevation_m: float | None
) -> Weather:
    columns = read_columns(
        path,
        ("time", "dry_bulb_c", "relative_humidity_pct"),
        ("pressure_pa", "dew_point_c"),
    )
    stamps = _read_times(path, columns["time"])
    dry_bulb = read_numbers(
        path, "dry_bulb_c", columns["dry_bulb_c"], -60.0, 60.0, "degC"
    )
    percent = read_numbers(
        path, "relative_humidity_pct", columns["relative_humidity_pct"], 0, 100, "%"
    )
    _check_dew_point(path, columns, dry_bulb, percent)
    pressure, notes = _read_pressure(path, columns, elevation_m)
    shift = _check_length(path, stamps, allow_partial)
    grid = [np.roll(values, shift) for values in (dry_bulb, percent, pressure)]
    start = stamps[0] - datetime.timedelta(hours=shift)
    return _derive(grid, name, start, notes)


def _derive(
    grid: list[np.ndarray], name: str, start: datetime.datetime, notes: tuple[str, ...]
) -> Weather:
    dry_bulb, percent, pressure = (jnp.asarray(x, jnp.float32) for x in grid)
    share = percent / 100.0
    over_bulb = psychrometrics.humidity_as_psychrolib(dry_bulb, share)
    offset = start.utcoffset() or datetime.timedelta()
    return Weather(
        dry_bulb=dry_bulb,
        wet_bulb=psychrometrics.wet_bulb(dry_bulb, over_bulb, pressure),
        dew_point=psychrometrics.dew_point(dry_bulb, share),
        pressure=pressure,
        name=name,
        start=start.isoformat(),
        utc_offset_s=offset.total_seconds(),
        hours=dry_bulb.shape[0],
        notes=notes,
    )


def _read_times(path: Path, cells: list[str]) -> list[datetime.datetime]:
    stamps = [_read_time(path, row, cell) for row, cell in enumerate(cells)]
    for row in range(1, len(stamps)):
        before, here = stamps[row - 1], stamps[row]
        if here.utcoffset() != before.utcoffset():
            raise _refuse_time(path, row, cells, "the UTC offset of the row before")
        if here - before != datetime.timedelta(hours=1):
            raise _refuse_time(path, row, cells, f"one hour after {cells[row - 1]}")
    return stamps


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


def _refuse_time(path: Path, row: int, cells: list[str], expected: str) -> InputError:
    return InputError(
        f"{cell_place(path, 'time', row)}: found {cells[row]!r}, expected {expected}; "
        "give hourly rows without gaps in local standard time"
    )


def _check_length(
    path: Path, stamps: list[datetime.datetime], allow_partial: bool
) -> int:
    """Return by how many hours to turn the rows; 0 for a part of a year."""
    if len(stamps) in YEAR_HOURS:
        middle = stamps[len(stamps) // 2]
        new_year = middle.replace(month=1, day=1, hour=0)
        return round((stamps[0] - new_year).total_seconds() / HOUR)
    if not allow_partial:
        raise InputError(
            f"{path}: found {len(stamps)} rows, expected the {YEAR_HOURS[0]} or "
            f"{YEAR_HOURS[1]} hours of a whole year; complete the file or allow a part"
        )
    return 0


def _check_dew_point(
    path: Path, columns: Columns, dry_bulb: np.ndarray, percent: np.ndarray
) -> None:
    found = np.asarray(
        psychrometrics.dew_point(
            jnp.asarray(dry_bulb, jnp.float32),
            jnp.asarray(percent / 100.0, jnp.float32),
        )
    )
    _refuse_dew_point(
        path,
        "relative_humidity_pct",
        columns["relative_humidity_pct"],
        found > DEW_POINT_MAX,
        f"humidity with a dew point up to {DEW_POINT_MAX:g} degC",
    )
    cells = columns.get("dew_point_c", [])
    if not any(cells):
        return
    given = read_numbers(path, "dew_point_c", cells, -90.0, DEW_POINT_MAX, "degC")
    expected = "at most the dry bulb and 0.5 K"
    _refuse_dew_point(path, "dew_point_c", cells, given > dry_bulb + 0.5, expected)


def _refuse_dew_point(
    path: Path, column: str, cells: list[str], wrong: np.ndarray, expected: str
) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        raise InputError(
            f"{cell_place(path, column, int(rows[0]))}: found {cells[rows[0]]!r}, "
            f"expected {expected}; correct that row"
        )


def _read_pressure(
    path: Path, columns: Columns, elevation_m: float | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    cells = columns.get("pressure_pa", [])
    if any(cells):
        return read_numbers(path, "pressure_pa", cells, 5e4, 1.1e5, "Pa"), ()
    elevation = _elevations().get(path.name) if elevation_m is None else elevation_m
    basis = "sea level, as no elevation is given" if elevation is None else "elevation"
    pressure = float(psychrometrics.standard_pressure(elevation or 0.0))
    note = f"Pressure is the standard atmosphere at {elevation or 0.0:g} m ({basis})."
    return np.full(len(columns["time"]), pressure), (note,)
