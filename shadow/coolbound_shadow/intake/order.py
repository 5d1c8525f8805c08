"""The order of time: what breaks it is named before anything is used.

Rows of one file are checked here as they stand in it, readings of one point where
several files or rows speak of the same instant.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.readings import Series
from coolbound_shadow.intake.reasons import CONFLICT, DUPLICATE, MISSING, ROW_GOOD, put
from coolbound_shadow.intake.zones import Instants, Place, face

DAY_MS = 86_400_000

LONG_STEP = 20
"""A step of so many usual ones is a jump. [1]"""

SWAP_GAIN = 3
"""Jumps must become fewer by this factor for days and months to be swapped. [1]"""

JUMPS_LEAST = 2

HOUR_MS = 3_600_000


def check_order(
    found: Instants, wall_ms: np.ndarray, on_backwards: str, where: Place
) -> Instants:
    """Return the instants with rows marked that run backwards.

    Args:
        found: Instants of the rows of one file, in its order.
        wall_ms: What was written, shape (n,). [ms]
        on_backwards: What the map says of time that runs backwards.
        where: File and rows, for messages.

    Raises:
        InputError: Days and months are swapped, or time runs backwards and the map
            refuses that.
    """
    kept = np.flatnonzero((found.row_reason == ROW_GOOD) & ~found.is_ambiguous)
    utc = found.utc_ms[kept]
    if len(utc) < 3:
        return found
    _refuse_swap(wall_ms[kept], kept, where)
    falls = np.flatnonzero(np.diff(utc) < 0)
    if len(falls) == 0 or on_backwards == "sort":
        return found
    if on_backwards == "refuse":
        raise _backwards(utc, falls, kept, where)
    is_jump = found.is_jump.copy()
    is_jump[kept] = utc < np.maximum.accumulate(utc)
    return dataclasses.replace(found, is_jump=is_jump)


def _backwards(
    utc: np.ndarray, falls: np.ndarray, kept: np.ndarray, where: Place
) -> InputError:
    steps = np.diff(utc)
    if len(falls) == np.count_nonzero(steps):
        return InputError(
            f"{where.name}: found time that runs backwards from the first row to the "
            "last, expected the oldest row first; set `order = 'newest_first'` of the "
            "file"
        )
    first = int(falls[0])
    back = int(-steps[first])
    hint = (
        "this may be the end of summer time, so that `stamps` should be 'local'"
        if back == HOUR_MS
        else "the clock may have been set back, or rows of several exports mixed"
    )
    return InputError(
        f"{where.of(int(kept[first + 1]))}: found {face(utc[first + 1])}Z after "
        f"{face(utc[first])}Z, a clock jump back by {duration(back)} "
        f"({len(falls)} such places), expected time that runs forwards; "
        f"{hint}: correct the export, or set `on_backwards` to 'flag' or 'sort'"
    )


def duration(ms: float) -> str:
    """Return a length of time in words."""
    for unit, size in (("d", DAY_MS), ("h", HOUR_MS), ("min", 60_000)):
        if ms >= 2 * size or (ms >= size and ms % size == 0):
            return f"{ms / size:.4g} {unit}"
    return f"{ms / 1000:.4g} s"


def _refuse_swap(wall_ms: np.ndarray, kept: np.ndarray, where: Place) -> None:
    jumps = _jumps(wall_ms)
    if np.sum(jumps) < JUMPS_LEAST:
        return
    swapped = swap_day_month(wall_ms)
    is_other = swapped != wall_ms
    if not np.any(is_other) or np.sum(_jumps(swapped)) * SWAP_GAIN > np.sum(jumps):
        return
    rows = np.flatnonzero(is_other)
    first = int(rows[0])
    raise InputError(
        f"{where.of(int(kept[first]))}: found {face(wall_ms[first])}, which follows "
        f"from its neighbours as {face(swapped[first])}: day and month are swapped in "
        f"{len(rows)} rows, expected one order; correct `formats`, or export again "
        "with ISO 8601 stamps if a spreadsheet has rewritten them"
    )


def _jumps(wall_ms: np.ndarray) -> np.ndarray:
    """Return which steps are no steps of a log: backwards, or very long."""
    steps = np.diff(wall_ms)
    usual = float(np.median(np.abs(steps[steps != 0]))) if np.any(steps) else 1.0
    return (steps < 0) | (steps > LONG_STEP * usual)


def swap_day_month(wall_ms: np.ndarray) -> np.ndarray:
    """Return stamps with day and month exchanged where both can be either, [ms]."""
    days = wall_ms // DAY_MS
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    day = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    year = months.astype("datetime64[Y]")
    month = (months - year.astype("datetime64[M]")).astype(np.int64) + 1
    can = (day <= 12) & (day != month)
    other = (year.astype("datetime64[M]") + (day - 1)).astype("datetime64[D]")
    other = other.astype(np.int64) + month - 1
    return np.where(can, other * DAY_MS + wall_ms % DAY_MS, wall_ms)


def in_time(
    series: Series, on_overlap: str, names: Sequence[str], point: str
) -> Series:
    """Return the readings in order of time, doubles and conflicts marked.

    Args:
        series: The readings of one point, file after file.
        on_overlap: What the map says of files that disagree.
        names: Names of the files.
        point: The point's id, for messages.

    Raises:
        InputError: Two files disagree about one instant and the map refuses that.
    """
    if np.any(np.diff(series.utc_ms) < 0):
        series = series.take(np.argsort(series.utc_ms, kind="stable"))
    is_double = np.zeros(len(series.utc_ms), dtype=bool)
    is_double[1:] = np.diff(series.utc_ms) == 0
    if not np.any(is_double):
        return series
    group = np.cumsum(~is_double) - 1
    low, high, count = _spread(series.raw, group)
    is_conflict = (high > low)[group] & np.isfinite(series.raw)
    code = series.code.copy()
    if np.any(is_conflict) and on_overlap == "refuse":
        _refuse_overlap(series, is_conflict, group, names, point)
    put(code, is_conflict, CONFLICT)
    put(code, _repeats(series.raw, group, count), DUPLICATE)
    is_vain = (code == MISSING) & (np.bincount(group)[group] > 1) & (count[group] > 0)
    code[is_vain] = DUPLICATE
    return dataclasses.replace(series, code=code)


def _spread(
    raw: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return least and largest finite value of each instant, and their count."""
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    finite = np.isfinite(raw)
    low = np.minimum.reduceat(np.where(finite, raw, np.inf), starts)
    high = np.maximum.reduceat(np.where(finite, raw, -np.inf), starts)
    return low, high, np.add.reduceat(finite.astype(np.int64), starts)


def _repeats(raw: np.ndarray, group: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return which finite readings stand after another of the same instant."""
    finite = np.isfinite(raw)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    order = np.cumsum(finite)
    before = (order - finite)[starts][group]
    return finite & (order - before > 1) & (count[group] > 1)


def _refuse_overlap(
    series: Series,
    is_conflict: np.ndarray,
    group: np.ndarray,
    names: Sequence[str],
    point: str,
) -> None:
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    first = np.minimum.reduceat(series.sheet, starts)
    last = np.maximum.reduceat(series.sheet, starts)
    across = np.flatnonzero(is_conflict & (first != last)[group])
    if len(across) == 0:
        return
    at = across[group[across] == group[across[0]]]
    one, other = int(at[0]), int(at[series.sheet[at] != series.sheet[at[0]]][0])
    pair = [names[int(series.sheet[i])] for i in (one, other)]
    instants = len(np.unique(group[across]))
    raise InputError(
        f"{pair[0]} and {pair[1]}: found overlapping files that disagree about "
        f"{point!r} at {face(series.utc_ms[one])}Z ({series.raw[one]:g} and "
        f"{series.raw[other]:g}; {instants} such instants), expected one value; leave "
        "one file out, or set `on_overlap = 'flag'`"
    )
