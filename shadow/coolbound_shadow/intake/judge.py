"""Checks of one point's readings, each with a name; nothing is repaired.

Checks look backwards only: a value is stuck from the moment at which it has stood
still for too long, as a live system would have seen it.
"""

import dataclasses

import numpy as np

from coolbound_shadow.intake.map_types import MapPoint
from coolbound_shadow.intake.readings import Series
from coolbound_shadow.intake.reasons import (
    COUNTER_RESET,
    GOOD,
    MISSING,
    OUT_OF_RANGE,
    RATE,
    SENTINEL,
    STEP,
    STUCK,
    ZERO_WHEN_OFF,
    put,
)
from coolbound_shadow.intake.units import quantity_of

RESTING = ("power", "volume_flow", "mass_flow", "frequency", "rotation", "share")
"""Quantities that may rest at exactly zero for weeks: a machine that is off."""

GAP = 3.0
"""Steps longer than this many intervals are no steps. [1]"""


def judge(series: Series, point: MapPoint) -> Series:
    """Return the readings of a point with every check of the map applied.

    Args:
        series: The readings, in order of time.
        point: The point.
    """
    code = series.code.copy()
    put(code, np.isin(series.raw, point.bad_values), SENTINEL)
    put(code, series.raw == point.off_value, ZERO_WHEN_OFF)
    outside = (series.values < point.lower) | (series.values > point.upper)
    put(code, outside, OUT_OF_RANGE)
    if point.stuck_s > 0:
        put(code, _is_stuck(series, code, point), STUCK)
    if point.kind == "counter":
        put(code, _changes(series, code)[1] < 0, COUNTER_RESET)
    elif np.isfinite(point.max_step) or np.isfinite(point.max_rate):
        _mark_steps(series, code, point)
    return dataclasses.replace(series, code=code)


def without_blanks(series: Series, point: MapPoint) -> tuple[Series, int]:
    """Return the readings without the empty cells of a point that reports on change.

    An empty cell of such a point says that nothing was reported, not that a reading
    is missing. The second value is their count.
    """
    if point.sampling not in ("cov", "event"):
        return series, 0
    kept = series.only(series.code != MISSING)
    return kept, len(series.code) - len(kept.code)


def run_starts(values: np.ndarray) -> np.ndarray:
    """Return for each value the place at which it was first read, shape (n,)."""
    new = np.ones(len(values), dtype=bool)
    new[1:] = values[1:] != values[:-1]
    return np.maximum.accumulate(np.where(new, np.arange(len(values)), 0))


def _is_stuck(series: Series, code: np.ndarray, point: MapPoint) -> np.ndarray:
    usable = np.flatnonzero(code == GOOD)
    values, time = series.raw[usable], series.utc_ms[usable]
    still = time - time[run_starts(values)] if len(usable) else time
    is_stuck = still >= 1000.0 * point.stuck_s
    if quantity_of(point.unit) in RESTING:
        is_stuck &= values != 0.0
    found = np.zeros(len(code), dtype=bool)
    found[usable[is_stuck]] = True
    return found


def _changes(series: Series, code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return time [ms] and change since the usable reading before, 0 for the first."""
    usable = np.flatnonzero(code == GOOD)
    step, change = np.zeros(len(code)), np.zeros(len(code))
    step[usable[1:]] = np.diff(series.utc_ms[usable])
    change[usable[1:]] = np.diff(series.values[usable])
    return step, change


def _mark_steps(series: Series, code: np.ndarray, point: MapPoint) -> None:
    step, change = _changes(series, code)
    usual = (
        usual_interval_ms(series) if point.interval_s == 0 else 1e3 * point.interval_s
    )
    is_near = (step > 0) & (step <= GAP * usual)
    put(code, is_near & (np.abs(change) > point.max_step), STEP)
    per_minute = np.abs(change) * 60_000.0 / np.maximum(step, 1.0)
    put(code, is_near & (per_minute > point.max_rate), RATE)


def usual_interval_ms(series: Series) -> float:
    """Return the median time between readings; 0 for fewer than two [ms]."""
    steps = np.diff(series.utc_ms[series.code != MISSING])
    steps = steps[steps > 0]
    if len(steps) == 0:
        return 0.0
    is_regular = steps[0] == np.min(steps) == np.max(steps)
    return float(steps[0] if is_regular else np.median(steps))
