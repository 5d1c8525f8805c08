"""What an import counted: points, files, findings; made for JSON and for the page."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coolbound_envs.types import Quality
from coolbound_shadow.intake.findings import Finding
from coolbound_shadow.intake.gridding import CellRun
from coolbound_shadow.intake.judge import run_starts, usual_interval_ms
from coolbound_shadow.intake.map_types import MapPoint
from coolbound_shadow.intake.readings import Series
from coolbound_shadow.intake.reasons import GOOD, Reason
from coolbound_shadow.intake.row_counts import RowTotals
from coolbound_shadow.log_types import utc_text

EPISODES_KEPT = 5
"""Runs of failed readings that are kept for each point. [1]"""

DAY_MS = 86_400_000

DECLARED = ("sentinel", "zero_when_off", "not_valid_then", "nan", "duplicate")
"""Reasons that ask nobody to do anything."""


@dataclasses.dataclass(frozen=True)
class FailedRun:
    """Consecutive readings of a point that failed the same check. Static.

    Attributes:
        point: The point's id.
        reason: The check.
        start_ms: First reading concerned, UTC epoch. [ms]
        end_ms: Last reading concerned, UTC epoch. [ms]
        readings: Readings concerned. [1]
        value: What the first one showed, NaN for nothing. [the point's unit]
    """

    point: str
    reason: str
    start_ms: int
    end_ms: int
    readings: int
    value: float


@dataclasses.dataclass(frozen=True)
class PointTotals:
    """What was counted of one point. Static.

    Attributes:
        point: The point.
        readings: Readings in all files. [1]
        qualities: Readings by quality.
        reasons: Readings that are not GOOD, by reason.
        overrides: Readings while a person or the BAS held the point. [1]
        blanks: Empty cells that say that nothing was reported. [1]
        first_ms: First reading, UTC epoch; 0 for none. [ms]
        last_ms: Last reading, UTC epoch; 0 for none. [ms]
        interval_ms: Usual time between readings. [ms]
        low: Least usable value. [the point's unit]
        median: Median usable value. [the point's unit]
        high: Largest usable value. [the point's unit]
        runs: Longest runs of failed readings.
        tokens: Texts that are no numbers, with counts.
        days: Share of usable readings of each day from the first on, shape (n,). [1]
        held: Cells that hold an older reading. [1]
        thin: Cells left out for too little coverage. [1]
        stale: Cells left out since the last reading was too old. [1]
    """

    point: MapPoint
    readings: int
    qualities: Mapping[str, int]
    reasons: Mapping[str, int]
    overrides: int
    blanks: int
    first_ms: int
    last_ms: int
    interval_ms: float
    low: float
    median: float
    high: float
    runs: tuple[FailedRun, ...]
    tokens: Mapping[str, int]
    days: np.ndarray
    held: int
    thin: int
    stale: int


@dataclasses.dataclass(frozen=True)
class FileTotals:
    """What was counted of one file. Static.

    Attributes:
        name: File name.
        sha256: Digest of its bytes.
        size: Its length. [bytes]
        rows: What became of its rows.
        unlisted: Columns that the map does not use.
        first_ms: First usable row, UTC epoch; 0 for none. [ms]
        last_ms: Last usable row, UTC epoch; 0 for none. [ms]
    """

    name: str
    sha256: str
    size: int
    rows: RowTotals
    unlisted: tuple[str, ...]
    first_ms: int
    last_ms: int


def point_totals(
    series: Series,
    point: MapPoint,
    reasons: Sequence[Reason],
    quality: np.ndarray,
    cells: CellRun | None,
    blanks: int,
    tokens: Counter[str],
) -> PointTotals:
    """Return what was counted of one point.

    Args:
        series: Judged readings in order of time.
        point: The point.
        reasons: Reasons by code.
        quality: Quality of each reason. [1]
        cells: The point on the regular clock.
        blanks: Empty cells that say that nothing was reported. [1]
        tokens: Texts that are no numbers.
    """
    count = len(series.utc_ms)
    by_code = np.bincount(series.code, minlength=len(reasons))
    worth = quality[series.code]
    usable = series.values[worth >= Quality.UNCERTAIN]
    low, median, high = (
        (float(f(usable)) for f in (np.min, np.median, np.max))
        if len(usable)
        else (np.nan, np.nan, np.nan)
    )
    named = Counter({q.name: int(np.sum(worth == q)) for q in Quality})
    failed = {reasons[c].name: int(n) for c, n in enumerate(by_code) if c and n}
    return PointTotals(
        point=point,
        readings=count,
        qualities=dict(named),
        reasons=failed,
        overrides=int(np.sum(series.is_override)),
        blanks=blanks,
        first_ms=int(series.utc_ms[0]) if count else 0,
        last_ms=int(series.utc_ms[-1]) if count else 0,
        interval_ms=usual_interval_ms(series),
        low=low,
        median=median,
        high=high,
        runs=failed_runs(series, point.id, reasons),
        tokens=dict(tokens.most_common(EPISODES_KEPT)),
        days=_days(series, worth),
        held=cells.held if cells else 0,
        thin=cells.thin if cells else 0,
        stale=cells.stale if cells else 0,
    )


def _days(series: Series, worth: np.ndarray) -> np.ndarray:
    if len(series.utc_ms) == 0:
        return np.zeros(0)
    day = (series.utc_ms - series.utc_ms[0]) // DAY_MS
    size = int(day[-1]) + 1
    usable = np.bincount(day, worth >= Quality.UNCERTAIN, minlength=size)
    return usable / np.maximum(np.bincount(day, minlength=size), 1)


def failed_runs(
    series: Series, name: str, reasons: Sequence[Reason]
) -> tuple[FailedRun, ...]:
    """Return the longest runs of at least two readings that failed one check."""
    code = series.code
    if not np.any(code):
        return ()
    start = run_starts(code.astype(np.float64))
    last = np.flatnonzero(np.diff(start, append=-1))
    first = start[last]
    kept = np.flatnonzero((code[last] != GOOD) & (last > first))
    length = series.utc_ms[last[kept]] - series.utc_ms[first[kept]]
    longest = kept[np.argsort(-length, kind="stable")][:EPISODES_KEPT]
    return tuple(
        FailedRun(
            name,
            reasons[int(code[first[i]])].name,
            int(series.utc_ms[first[i]]),
            int(series.utc_ms[last[i]]),
            int(last[i] - first[i] + 1),
            float(series.values[first[i]]),
        )
        for i in longest
    )


def reason_findings(
    points: Sequence[PointTotals], reasons: Sequence[Reason]
) -> list[Finding]:
    """Return one finding for each reason at each point."""
    meaning = {reason.name: reason for reason in reasons}
    found = []
    for each in points:
        for name, count in each.reasons.items():
            share = 100.0 * count / max(each.readings, 1)
            is_bad = meaning[name].quality == Quality.BAD and name not in DECLARED
            run = next((r for r in each.runs if r.reason == name), None)
            tokens = ", ".join(f"{t!r}" for t in list(each.tokens)[:3])
            more = f" ({tokens})" if name == "not_a_number" and tokens else ""
            found.append(
                Finding(
                    name,
                    "warning" if is_bad else "note",
                    each.point.id,
                    f"{count:,} readings ({share:.3g} %): "
                    f"{_lower(meaning[name].meaning)}{more}",
                    count,
                    run.start_ms if run else 0,
                    run.end_ms if run else 0,
                )
            )
    return found


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def row_findings(
    files: Sequence[FileTotals], meanings: Mapping[str, str]
) -> list[Finding]:
    """Return one finding for each reason for which rows of a file were rejected."""
    found = []
    for file in files:
        for name, count in file.rows.reasons.items():
            row, text = (file.rows.examples.get(name) or ((0, ""),))[0]
            shown = f", first in row {row}" + (f": {text!r}" if text else "")
            is_note = name in ("empty_line", "repeated_header", "point_not_in_map")
            found.append(
                Finding(
                    name,
                    "note" if is_note else "warning",
                    file.name,
                    f"{count:,} rows: {_lower(meanings[name])}{shown}",
                    count,
                )
            )
    return found


def file_data(file: FileTotals) -> dict[str, Any]:
    """Return a file's counts, ready for JSON."""
    return {
        "name": file.name,
        "sha256": file.sha256,
        "bytes": file.size,
        "rows_read": file.rows.read,
        "accepted": file.rows.accepted,
        "flagged": file.rows.flagged,
        "rejected": file.rows.rejected,
        "rejected_by_reason": dict(file.rows.reasons),
        "examples": {k: [list(e) for e in v] for k, v in file.rows.examples.items()},
        "unlisted_columns": list(file.unlisted),
    }


def point_data(totals: PointTotals) -> dict[str, Any]:
    """Return a point's counts, ready for JSON."""
    point = totals.point
    return {
        "id": point.id,
        "role": point.role,
        "kind": point.kind,
        "unit": point.unit,
        "feeds": point.feeds,
        "readings": totals.readings,
        "qualities": dict(totals.qualities),
        "reasons": dict(totals.reasons),
        "overrides": totals.overrides,
        "blanks": totals.blanks,
        "first_utc": utc_text(totals.first_ms // 1000) if totals.readings else None,
        "last_utc": utc_text(totals.last_ms // 1000) if totals.readings else None,
        "interval_s": totals.interval_ms / 1000.0,
        "low": totals.low,
        "median": totals.median,
        "high": totals.high,
        "tokens": dict(totals.tokens),
        "held_cells": totals.held,
        "thin_cells": totals.thin,
        "stale_cells": totals.stale,
    }
