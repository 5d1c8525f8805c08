"""What weather cannot be: refused with the row, the reason and what to do.

Bounds are wide on purpose. Each was set against the 46 files at hand (typical
and observed, 27 places) and against extremes on record, so that a true year
passes, interpolated joins of its months too, and a wrong unit, a stuck sensor or
a mixed-up column does not.
"""

from typing import Final

import jax.numpy as jnp
import numpy as np

from coolbound_envs import psychrometrics
from coolbound_envs.tables import InputError
from coolbound_envs.weather_table import DEW_POINT_MAX, WeatherTable

JUMP_MAX: Final = 25.0
"""Change of dry bulb in one hour; 16.1 K in the typical year of Phoenix. [K]"""

VAPOUR_JUMP_MAX: Final = 3000.0
"""Change of vapour pressure in one hour; 2504 Pa at a join of months. [Pa]"""

STUCK_HOURS: Final = 48
"""Rows of equal temperature and humidity; 17 in the years at hand. [h]"""

STUCK_DRY_BULB_HOURS: Final = 72
"""Rows of equal temperature alone; 28 in the years at hand. [h]"""

DEW_POINT_EXCESS: Final = 0.5
"""A given dew point above dry bulb that rounding explains. [K]"""

DEW_POINT_MISMATCH: Final = 5.0
"""Between a given dew point and the one of humidity, where joins explain it. [K]"""

MISMATCH_SHARE: Final = 0.05
"""Most rows that differ by more; 0.13 % in the years at hand. [1]"""

DEW_POINT_OFFSET: Final = 2.0
"""Median difference of a file; 0.16 K in the years at hand. [K]"""

HUMID_ENOUGH: Final = 10.0
"""Below this, whole percents say too little to compare dew points. [%]"""

DRY_CLIMATE: Final = 45.0
"""Median humidity below which a climate is dry; Phoenix has 30 %. [%]"""

DESERT_DEW_POINT: Final = 28.0
"""Dew points from here on are rare anywhere and need a warm sea nearby. [degC]"""

DESERT_RISE: Final = 20.0
"""Above the year's own median dew point they are out of a dry climate. [K]"""

COAST_RISE: Final = 5.0
"""A humid coast has hours nearly as humid: above its 99th percentile. [K]"""

COAST_ELEVATION: Final = 150.0
"""Dry places with such dew points lie lower: Gulf, Red Sea, Indus. [m]"""

PRESSURE_TOLERANCE: Final = 0.04
"""Median pressure against the standard atmosphere; 1.3 % at hand. [1]"""


def check_table(table: WeatherTable, elevation: float | None, is_year: bool) -> None:
    """Refuse a file whose values cannot be weather.

    Args:
        table: The rows, each in range.
        elevation: Of the station; None where nobody knows. [m]
        is_year: Whether the rows are a whole year, whose climate can be judged.

    Raises:
        InputError: The first thing that is wrong.
    """
    _check_share(table)
    _check_constant(table)
    _check_dew_point_limit(table)
    _check_given_dew_point(table)
    _check_jumps(table)
    _check_stuck(table)
    _check_pressure(table, elevation)
    if is_year:
        _check_desert(table, elevation)


def dew_points(table: WeatherTable) -> np.ndarray:
    """Return dew points from dry bulb and humidity, float64, (hours,) [degC]."""
    share = jnp.asarray(table.values("relative_humidity") / 100.0, jnp.float32)
    dry_bulb = jnp.asarray(table.values("dry_bulb"), jnp.float32)
    return np.asarray(psychrometrics.dew_point(dry_bulb, share), np.float64)


def _vapour(table: WeatherTable) -> np.ndarray:
    share = jnp.asarray(table.values("relative_humidity") / 100.0, jnp.float32)
    dry_bulb = jnp.asarray(table.values("dry_bulb"), jnp.float32)
    return np.asarray(psychrometrics.vapour_pressure(dry_bulb, share), np.float64)


def _first(wrong: np.ndarray) -> int | None:
    rows = np.flatnonzero(wrong)
    return int(rows[0]) if rows.size else None


def _check_share(table: WeatherTable) -> None:
    if table.hours > STUCK_HOURS and table.values("relative_humidity").max() <= 1.0:
        raise table.refuse(
            "relative_humidity",
            0,
            "percent, and no row is above 1",
            "the column looks like a share: multiply it by 100",
        )


def _check_constant(table: WeatherTable) -> None:
    for quantity in ("dry_bulb", "relative_humidity"):
        values = table.values(quantity)
        if table.hours > STUCK_HOURS and np.ptp(values) == 0.0:
            raise table.refuse(
                quantity,
                0,
                f"values that change, and all {table.hours} rows are equal",
                "give measured or typical weather",
            )


def _check_dew_point_limit(table: WeatherTable) -> None:
    row = _first(dew_points(table) > DEW_POINT_MAX)
    if row is not None:
        raise table.refuse(
            "relative_humidity",
            row,
            f"humidity with a dew point up to {DEW_POINT_MAX:g} degC, the highest on "
            "record",
            "correct that row",
        )


def _check_given_dew_point(table: WeatherTable) -> None:
    if "dew_point" not in table.columns:
        return
    given, dry_bulb = table.values("dew_point"), table.values("dry_bulb")
    row = _first(given > dry_bulb + DEW_POINT_EXCESS)
    if row is not None:
        expected = f"at most the dry bulb of {dry_bulb[row]:g} degC"
        raise table.refuse("dew_point", row, expected, "correct that row")
    is_humid = table.values("relative_humidity") >= HUMID_ENOUGH
    if not is_humid.any():
        return
    computed = dew_points(table)
    apart = np.where(is_humid, np.abs(given - computed), 0.0)
    share = np.sum(apart > DEW_POINT_MISMATCH) / np.sum(is_humid)
    if share > MISMATCH_SHARE or np.median(apart[is_humid]) > DEW_POINT_OFFSET:
        row = int(np.argmax(apart))
        raise table.refuse(
            "dew_point",
            row,
            f"about {computed[row]:.1f} degC as dry bulb and humidity of that row say, "
            f"and {np.mean(apart > DEW_POINT_OFFSET):.0%} of all rows contradict each "
            "other",
            "correct humidity or dew points, or leave the dew points empty",
        )


def _check_jumps(table: WeatherTable) -> None:
    steps = np.abs(np.diff(table.values("dry_bulb")))
    row = _first(steps > JUMP_MAX)
    if row is not None:
        before = table.columns["dry_bulb"].cells[row]
        raise table.refuse(
            "dry_bulb",
            row + 1,
            f"at most {JUMP_MAX:g} K from the {before} degC of the hour before",
            "correct that row",
        )
    row = _first(np.abs(np.diff(_vapour(table))) > VAPOUR_JUMP_MAX)
    if row is not None:
        low, high = dew_points(table)[row : row + 2]
        raise table.refuse(
            "relative_humidity",
            row + 1,
            "no air so much wetter or drier than an hour before (dew point from "
            f"{low:.1f} to {high:.1f} degC)",
            "correct that row",
        )


def _check_stuck(table: WeatherTable) -> None:
    is_same = np.diff(table.values("dry_bulb")) == 0.0
    is_both = is_same & (np.diff(table.values("relative_humidity")) == 0.0)
    for equal, most, what in (
        (is_both, STUCK_HOURS, "temperature and humidity"),
        (is_same, STUCK_DRY_BULB_HOURS, "temperature"),
    ):
        row, length = _longest_run(equal)
        if length > most:
            raise table.refuse(
                "dry_bulb",
                row,
                f"at most {most} hours of equal {what}, and from here on {length} are",
                "fill the gap with measured values",
            )


def _longest_run(is_equal: np.ndarray) -> tuple[int, int]:
    """Return first row and length of the longest run of equal rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_equal, [False]])))
    if not edges.size:
        return 0, 1
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int((ends - starts)[longest]) + 1


def _check_pressure(table: WeatherTable, elevation: float | None) -> None:
    if "pressure" not in table.columns or elevation is None:
        return
    standard = float(psychrometrics.standard_pressure(elevation))
    middle = float(np.median(table.values("pressure")))
    if abs(middle / standard - 1.0) > PRESSURE_TOLERANCE:
        raise InputError(
            f"{table.path}: column {table.columns['pressure'].name!r}: found a median "
            f"of {middle:.0f} Pa, expected within {PRESSURE_TOLERANCE:.0%} of the "
            f"{standard:.0f} Pa of the standard atmosphere at {elevation:g} m; give "
            "station pressure, not reduced to sea level, or correct the elevation"
        )


def _check_desert(table: WeatherTable, elevation: float | None) -> None:
    """Refuse dew points, computed or given, that a dry climate does not have.

    Dry coasts of warm seas do have them, but then in hundreds of hours of a
    year; inland deserts have none. Humid climates are left to the record: a
    prairie's median may be 4 degC and its worst week 28.
    """
    points, humidity = dew_points(table), table.values("relative_humidity")
    is_usual = points < DESERT_DEW_POINT
    if not is_usual.any() or np.median(humidity[is_usual]) >= DRY_CLIMATE:
        return
    middle, high = (float(x) for x in np.quantile(points, (0.5, 0.99)))
    most = max(middle + DESERT_RISE, DESERT_DEW_POINT)
    if not _is_inland(table, elevation):
        most = max(most, high + COAST_RISE)
    found = {"relative_humidity": points}
    if "dew_point" in table.columns:
        found["dew_point"] = table.values("dew_point")
    for quantity, values in found.items():
        row = _first(values >= most)
        if row is not None:
            raise table.refuse(
                quantity,
                row,
                f"a dew point below {most:.1f} degC, not {values[row]:.1f}, in a "
                f"climate as dry as this year's (median dew point {middle:.1f} degC)",
                "check the unit of humidity and the sensor of that row",
            )


def _is_inland(table: WeatherTable, elevation: float | None) -> bool:
    if elevation is not None:
        return elevation > COAST_ELEVATION
    if "pressure" not in table.columns:
        return False
    coast = float(psychrometrics.standard_pressure(COAST_ELEVATION))
    return float(np.median(table.values("pressure"))) < coast
