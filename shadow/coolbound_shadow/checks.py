"""Checks of one point's readings, and their place on the log's regular clock.

Checks look backwards only: a value counts as stuck from the moment at which it
has stood still for too long, as a live system would have seen it.
"""

import dataclasses

import numpy as np

from coolbound_envs.types import Quality
from coolbound_shadow.log_types import Episode
from coolbound_shadow.point_types import PointSpec
from coolbound_shadow.reading import HELD, MISSING, OUT_OF_RANGE, REASONS, STUCK


@dataclasses.dataclass(frozen=True)
class Readings:
    """One point as it was sampled, before it meets the log's clock. Static.

    Attributes:
        utc: UTC epoch, int64, shape (n,). [s]
        values: In the point's unit, float64, shape (n,). [the point's unit]
        code: Place of the failed check in `REASONS`, 0 for none, shape (n,).
    """

    utc: np.ndarray
    values: np.ndarray
    code: np.ndarray


@dataclasses.dataclass(frozen=True)
class Series:
    """One point on the log's clock. Static.

    Attributes:
        values: float64, shape (T,), NaN where missing. [the point's unit]
        quality: `Quality`, int8, shape (T,).
        held: Steps that hold an older reading. [1]
    """

    values: np.ndarray
    quality: np.ndarray
    held: int


def check(readings: Readings, spec: PointSpec) -> Readings:
    """Return the readings with the range and stuck checks applied."""
    values, code = readings.values, readings.code.copy()
    outside = (values < spec.lower) | (values > spec.upper)
    code[(code == 0) & outside] = OUT_OF_RANGE
    if spec.stuck_s > 0:
        still = readings.utc - readings.utc[_run_starts(values)]
        code[(code == 0) & (still >= spec.stuck_s)] = STUCK
    return dataclasses.replace(readings, code=code)


def _run_starts(values: np.ndarray) -> np.ndarray:
    """Return for each reading the index at which its value was first read."""
    new = np.ones(len(values), dtype=bool)
    new[1:] = values[1:] != values[:-1]
    return np.maximum.accumulate(np.where(new, np.arange(len(values)), 0))


def count_reasons(readings: Readings) -> dict[str, int]:
    """Return the number of readings that failed each check."""
    counts = np.bincount(readings.code, minlength=len(REASONS))
    return {REASONS[i]: int(n) for i, n in enumerate(counts) if i and n}


def episodes(readings: Readings, name: str) -> list[Episode]:
    """Return the runs of at least two readings that failed the same check."""
    code = readings.code
    edges = np.flatnonzero(np.diff(code)) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(code)]])
    first_seen = _run_starts(readings.values)
    found = []
    for start, end in zip(starts, ends, strict=True):
        if code[start] == 0 or end - start < 2:
            continue
        # A stuck value has been standing since before the check could tell.
        begin = first_seen[start] if code[start] == STUCK else start
        found.append(
            Episode(
                point=name,
                reason=REASONS[code[start]],
                start=int(readings.utc[begin]),
                end=int(readings.utc[end - 1]),
                readings=int(end - start),
            )
        )
    return found


def cell_of(utc: np.ndarray, step_s: int, phase: int) -> np.ndarray:
    """Return the end of the step that each instant falls into, int64 [s]."""
    return -((phase - utc) // step_s) * step_s + phase


def to_clock(
    readings: Readings,
    cells: np.ndarray,
    step_s: int,
    phase: int,
    resample: str,
    max_age: float,
) -> Series:
    """Put the readings of one point on the log's clock.

    A step takes the readings since the step before: their mean, or the last. It
    is GOOD where all passed, UNCERTAIN where some failed, BAD where all failed.
    Without any, the last reading is held while it is younger than `max_age`.

    Args:
        readings: What was sampled, in order of time.
        cells: Ends of the log's steps, shape (T,). [s]
        step_s: Length of a step. [s]
        phase: Offset of the steps from whole multiples of their length. [s]
        resample: "mean" or "last".
        max_age: Longest time a reading is held. [s]
    """
    good, bad = readings.code == 0, readings.code > MISSING
    place, inside = _places(readings.utc, cells, step_s, phase)
    count = np.bincount(place[inside & good], minlength=len(cells))
    failed = np.bincount(place[inside & bad], minlength=len(cells))
    values = _last(readings.values, place, inside & bad, len(cells))
    if resample == "mean":
        kept = inside & good
        total = np.bincount(place[kept], readings.values[kept], minlength=len(cells))
        best = total / np.maximum(count, 1)
    else:
        best = _last(readings.values, place, inside & good, len(cells))
    values = np.where(count > 0, best, values)
    quality = np.select(
        [(count > 0) & (failed == 0), count > 0, failed > 0],
        [Quality.GOOD, Quality.UNCERTAIN, Quality.BAD],
        Quality.MISSING,
    ).astype(np.int8)
    return _hold(Series(values, quality, 0), readings, cells, max_age)


def _places(
    utc: np.ndarray, cells: np.ndarray, step_s: int, phase: int
) -> tuple[np.ndarray, np.ndarray]:
    cell = cell_of(utc, step_s, phase)
    place = np.minimum(np.searchsorted(cells, cell), len(cells) - 1)
    return place, cells[place] == cell


def _last(
    values: np.ndarray, place: np.ndarray, kept: np.ndarray, size: int
) -> np.ndarray:
    latest = np.full(size, -1)
    np.maximum.at(latest, place[kept], np.flatnonzero(kept))
    return np.where(latest >= 0, values[latest], np.nan)


def _hold(
    series: Series, readings: Readings, cells: np.ndarray, max_age: float
) -> Series:
    before = np.searchsorted(readings.utc, cells, side="right") - 1
    age = cells - readings.utc[before]
    can_hold = (before >= 0) & (age <= max_age) & (readings.code[before] == 0)
    held = can_hold & (series.quality == Quality.MISSING)
    return Series(
        values=np.where(held, readings.values[before], series.values),
        quality=np.where(held, np.int8(Quality.UNCERTAIN), series.quality),
        held=int(np.sum(held)),
    )


HELD_REASON = REASONS[HELD]
"""How a held reading is named in the counts of a log."""
