"""Readings onto a regular clock: each cell says value, quality, coverage and count.

A cell (start, end] is named by its end. Within it a reading counts for a time of its
own, as its sampling says:

    poll            since the reading before, for 1.5 usual intervals at most
    interval_mean   its own interval, before or after the stamp
    cov, event      until the next report, for `max_age_s` at most
    counter         its increment, since the reading before

Set-points and states are never averaged: the last one counts, while it is not stale.
"""

import dataclasses

import numpy as np

from coolbound_envs.types import Quality
from coolbound_shadow.intake.judge import usual_interval_ms
from coolbound_shadow.intake.map_types import IntakeMap, MapPoint
from coolbound_shadow.intake.readings import Series
from coolbound_shadow.intake.reasons import DUPLICATE

HOLD = 1.5
"""A polled reading stands for so many usual intervals at most. [1]"""

STALE = 3.0
"""A polled reading is stale after so many usual intervals. [1]"""

HEARTBEATS = 2.0
"""A change-of-value reading is stale after so many heartbeats. [1]"""

COV_AGE_S = 3600.0
"""The same where no heartbeat is declared. [s]"""

CELLS_MOST = 10_000_000
"""More cells than that are no log of one plant. [1]"""


@dataclasses.dataclass(frozen=True)
class CellRun:
    """One point on the regular clock, from its first cell to its last. Static.

    Attributes:
        first: Number of the first cell since 1970. [1]
        values: float64, NaN where there is none, shape (n,). [the point's unit]
        quality: `Quality` of each cell, int8, shape (n,).
        coverage: Share of the cell that readings stand for, shape (n,). [1]
        samples: Readings in the cell, int32, shape (n,). [1]
        held: Cells that hold an older reading. [1]
        thin: Cells left out for too little coverage. [1]
        stale: Cells left out since the last reading was too old. [1]
    """

    first: int
    values: np.ndarray
    quality: np.ndarray
    coverage: np.ndarray
    samples: np.ndarray
    held: int = 0
    thin: int = 0
    stale: int = 0


def to_cells(
    series: Series, point: MapPoint, intake: IntakeMap, quality: np.ndarray
) -> CellRun | None:
    """Return a point's cells; None where it has no reading or is not resampled.

    Args:
        series: Its readings, judged and in order of time.
        point: The point.
        intake: The map.
        quality: Quality of each reason. [1]
    """
    # An empty cell of the export stays: the reading behind it does not stand for it.
    series = series.only(series.code != DUPLICATE)
    worth = quality[series.code]
    if point.resample == "none" or not np.any(worth > Quality.MISSING):
        return None
    step = 1000 * intake.resample.step_s
    lead = 0
    if point.sampling == "interval_mean":
        series, lead = _at_its_end(series, point, intake)
    number = -(-series.utc_ms // step)
    first = int((series.utc_ms[0] - lead) // step + 1) if lead else int(number[0])
    if number[-1] - first > CELLS_MOST:
        return None
    frame = _Frame(series, worth, first, number - first, step)
    if point.resample == "last":
        return _last(frame, point, max_age_ms(series, point, intake))
    if point.resample == "max":
        return _max(frame)
    return _covered(frame, point, intake)


def _at_its_end(
    series: Series, point: MapPoint, intake: IntakeMap
) -> tuple[Series, int]:
    """Return interval means stamped at their ends, and the length of one [ms]."""
    interval = round(_interval_ms(series, point))
    after = {"start": 1.0, "instant": 0.5}.get(intake.time.stamp_at, 0.0)
    moved = series.utc_ms + round(after * interval)
    return dataclasses.replace(series, utc_ms=moved), interval


@dataclasses.dataclass(frozen=True)
class _Frame:
    series: Series
    worth: np.ndarray
    first: int
    cell: np.ndarray
    step: int

    @property
    def size(self) -> int:
        return int(self.cell[-1]) + 1

    @property
    def ends(self) -> np.ndarray:
        return (self.first + np.arange(self.size, dtype=np.int64)) * self.step

    @property
    def is_usable(self) -> np.ndarray:
        return self.worth >= Quality.UNCERTAIN

    @property
    def is_bad(self) -> np.ndarray:
        return self.worth == Quality.BAD

    def count(self, mask: np.ndarray) -> np.ndarray:
        return np.bincount(self.cell[mask], minlength=self.size).astype(np.int32)

    def latest(self, mask: np.ndarray) -> np.ndarray:
        """Return the value of the last reading of a kind in each cell."""
        place = np.full(self.size, -1)
        np.maximum.at(place, self.cell[mask], np.flatnonzero(mask))
        return np.where(place >= 0, self.series.values[place], np.nan)


def max_age_ms(series: Series, point: MapPoint, intake: IntakeMap) -> float:
    """Return how old a reading may be before it is stale [ms]."""
    declared = point.max_age_s or intake.resample.max_age_s
    if declared:
        return 1000.0 * declared
    if point.sampling in ("cov", "event"):
        return 1000.0 * (HEARTBEATS * point.heartbeat_s or COV_AGE_S)
    return STALE * _interval_ms(series, point)


def _interval_ms(series: Series, point: MapPoint) -> float:
    return 1000.0 * point.interval_s or usual_interval_ms(series)


def _graded(
    frame: _Frame, has_value: np.ndarray, values: np.ndarray, is_held: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return values and qualities; where all readings failed the last one shows."""
    bad = frame.count(frame.is_bad)
    doubtful = frame.count(frame.worth == Quality.UNCERTAIN)
    only_bad = ~has_value & (bad > 0)
    quality = np.select(
        [has_value & (bad + doubtful == 0) & ~is_held, has_value, only_bad],
        [Quality.GOOD, Quality.UNCERTAIN, Quality.BAD],
        Quality.MISSING,
    ).astype(np.int8)
    shown = np.where(only_bad, frame.latest(frame.is_bad), np.nan)
    return np.where(has_value, values, shown), quality


def _last(frame: _Frame, point: MapPoint, max_age: float) -> CellRun:
    usable = np.flatnonzero(frame.is_usable)
    count = frame.count(frame.is_usable)
    if len(usable) == 0:
        nothing = np.zeros(frame.size, dtype=bool)
        values, quality = _graded(frame, nothing, np.zeros(frame.size), nothing)
        return CellRun(frame.first, values, quality, 0.0 * values, count)
    time = frame.series.utc_ms[usable]
    before = np.searchsorted(time, frame.ends, side="right") - 1
    age = frame.ends - time[before]
    is_fresh = (before >= 0) & (age <= max_age)
    is_held = is_fresh & (count == 0) & (frame.count(frame.is_bad) == 0)
    has_value = is_fresh & (count > 0) | is_held
    is_doubtful = is_held & (point.sampling not in ("cov", "event"))
    worth = frame.worth[usable][before]
    values, quality = _graded(
        frame, has_value, frame.series.values[usable][before], is_doubtful
    )
    quality = np.where(has_value, np.minimum(quality, worth), quality).astype(np.int8)
    return CellRun(
        frame.first,
        values,
        quality,
        has_value.astype(np.float64),
        count,
        held=int(np.sum(is_held)),
        stale=int(np.sum((quality == Quality.MISSING) & (before >= 0))),
    )


def _max(frame: _Frame) -> CellRun:
    mask, count = frame.is_usable, frame.count(frame.is_usable)
    highest = np.full(frame.size, -np.inf)
    np.maximum.at(highest, frame.cell[mask], frame.series.values[mask])
    values, quality = _graded(frame, count > 0, highest, np.zeros(frame.size, bool))
    return CellRun(frame.first, values, quality, (count > 0).astype(np.float64), count)


def _covered(frame: _Frame, point: MapPoint, intake: IntakeMap) -> CellRun:
    start, end, rate = _spans(frame, point, intake)
    covered = _integral(start, end, np.ones(len(rate)), frame)
    total = _integral(start, end, rate, frame)
    coverage = np.clip(covered / frame.step, 0.0, 1.0)
    count = frame.count(frame.is_usable)
    has_value = (coverage >= point.min_coverage) & (coverage > 0.0)
    if point.resample == "time_mean":
        values = total / np.maximum(covered, 1e-9)
    elif point.resample == "delta":
        values = total
    else:
        mask = frame.is_usable
        values = np.bincount(
            frame.cell[mask], frame.series.values[mask], minlength=frame.size
        )
    nothing = np.zeros(frame.size, dtype=bool)
    values, quality = _graded(frame, has_value, values, nothing)
    thin = int(np.sum((quality == Quality.MISSING) & (coverage > 0.0)))
    return CellRun(frame.first, values, quality, coverage, count, thin=thin)


def _spans(
    frame: _Frame, point: MapPoint, intake: IntakeMap
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return from when to when each usable reading counts [ms], and as what."""
    series = frame.series
    time = series.utc_ms.astype(np.float64)
    interval = _interval_ms(series, point)
    if point.resample == "delta":
        return _increments(frame, max_age_ms(series, point, intake))
    values, usable = series.values, frame.is_usable
    if point.sampling in ("cov", "event"):
        age = max_age_ms(series, point, intake)
        following = np.append(time[1:], time[-1] + age)
        end = np.minimum(following, time + age)
        return time[usable], end[usable], values[usable]
    if point.sampling == "interval_mean":
        begin = np.maximum(time - interval, np.append(-np.inf, time[:-1]))
        return begin[usable], time[usable], values[usable]
    before = np.append(time[0] - interval, time[:-1])
    begin = np.maximum(before, time - HOLD * interval)
    return begin[usable], time[usable], values[usable]


def _increments(
    frame: _Frame, max_age: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the spans between a counter's readings, and its rise in each [1/ms].

    A span over which the counter fell, or longer than a reading may be old, is left
    out: what was counted meanwhile is not known.
    """
    mask = frame.is_usable
    time = frame.series.utc_ms[mask].astype(np.float64)
    rise = np.diff(frame.series.values[mask])
    length = np.diff(time)
    kept = (rise >= 0.0) & (length <= max_age) & (length > 0.0)
    return time[:-1][kept], time[1:][kept], (rise / np.maximum(length, 1.0))[kept]


def _integral(
    start: np.ndarray, end: np.ndarray, rate: np.ndarray, frame: _Frame
) -> np.ndarray:
    """Return the integral of spans over each cell; spans do not overlap."""
    if len(rate) == 0:
        return np.zeros(frame.size)
    edges = np.append(frame.ends[0] - frame.step, frame.ends).astype(np.float64)
    whole = np.append(0.0, np.cumsum(rate * (end - start)))
    done = np.searchsorted(end, edges, side="right")
    within = np.minimum(done, len(rate) - 1)
    part = np.clip(edges - start[within], 0.0, None) * rate[within]
    part[done == len(rate)] = 0.0
    return np.diff(whole[done] + part)
