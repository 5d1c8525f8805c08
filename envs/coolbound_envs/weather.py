"""A year of weather on an hourly grid, shipped or from a user's file.

Files are CSV (`coolbound_envs.weather_csv`) or EPW (`coolbound_envs.weather_epw`),
plain or gzipped. Temperature and humidity are the pair that counts: wet bulb and
dew point are computed from them, and a given dew point is only compared. What
weather cannot be is refused (`coolbound_envs.weather_checks`).

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
from coolbound_envs.csv_files import read_columns, read_numbers
from coolbound_envs.tables import InputError
from coolbound_envs.weather_checks import check_table
from coolbound_envs.weather_csv import read_csv
from coolbound_envs.weather_epw import is_epw, read_epw
from coolbound_envs.weather_table import WeatherTable

DATA = Path(__file__).parent / "data"
HOUR = 3600.0
"""Interval of the grid. [s]"""

YEAR_HOURS = (8760, 8784)
"""Hours of a common year and of a leap year. [1]"""

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
    """Return a shipped year by name, or a user's from a CSV or an EPW file.

    Args:
        name_or_path: One of `weather_names`, or a file; EPW if it ends in `.epw`.
        allow_partial: Take a part of a year, whose climate is not judged.
        elevation_m: Of the station. By default an EPW file's own, or that in
            `sites.csv` of a file of that name. Where pressure is empty it is the
            standard atmosphere there, at sea level if nobody says, which a note
            of the result tells. [m]

    Raises:
        InputError: The file cannot be read, does not keep to the format or is
            not plausible; not a whole year, unless `allow_partial`.
    """
    name, shipped = str(name_or_path), _shipped()
    if name in shipped:
        return _build(shipped[name], name, allow_partial, elevation_m)
    path = Path(name_or_path)
    if not path.suffix:
        raise InputError(
            f"weather: found {name!r}, expected a CSV or EPW file or one of "
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
    table = read_epw(path) if is_epw(path) else read_csv(path)
    elevation = _elevation(table, elevation_m)
    shift = _check_length(table, allow_partial)
    check_table(table, elevation, is_year=table.hours in YEAR_HOURS)
    pressure, notes = _pressure(table, elevation)
    quantities = (table.values("dry_bulb"), table.values("relative_humidity"), pressure)
    grid = [np.roll(values, shift) for values in quantities]
    start = table.start - datetime.timedelta(hours=shift)
    return _derive(grid, name, start, (*table.notes, *notes))


def _elevation(table: WeatherTable, given: float | None) -> float | None:
    if given is not None:
        return given
    if table.elevation is not None:
        return table.elevation
    return _elevations().get(table.path.name)


def _check_length(table: WeatherTable, allow_partial: bool) -> int:
    """Return by how many hours to turn the rows; 0 for a part of a year."""
    if table.hours in YEAR_HOURS:
        middle = table.start + datetime.timedelta(hours=table.hours // 2)
        new_year = middle.replace(month=1, day=1, hour=0)
        return round((table.start - new_year).total_seconds() / HOUR)
    if not allow_partial:
        raise InputError(
            f"{table.path}: found {table.hours} rows, expected the {YEAR_HOURS[0]} or "
            f"{YEAR_HOURS[1]} hours of a whole year; complete the file or allow a part"
        )
    return 0


def _pressure(
    table: WeatherTable, elevation: float | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    if "pressure" in table.columns:
        return table.values("pressure"), ()
    basis = "sea level, as no elevation is given" if elevation is None else "elevation"
    pressure = float(psychrometrics.standard_pressure(elevation or 0.0))
    note = f"Pressure is the standard atmosphere at {elevation or 0.0:g} m ({basis})."
    return np.full(table.hours, pressure), (note,)


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
