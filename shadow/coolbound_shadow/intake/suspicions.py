"""What looks wrong with a series although no check of the map caught it.

Nothing is changed here: a suspicion is named, with its evidence, and a person decides.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from coolbound_envs.types import Quality
from coolbound_shadow.intake.findings import Finding
from coolbound_shadow.intake.judge import RESTING, run_starts, usual_interval_ms
from coolbound_shadow.intake.map_types import MapPoint, sort_of
from coolbound_shadow.intake.order import duration
from coolbound_shadow.intake.readings import Series
from coolbound_shadow.intake.units import quantity_of

DAY_MS = 86_400_000

STILL_DAYS = 2.0
"""A measurement that stands still longer than this looks stuck. [1]"""

STILL_RUNS = 12.0
"""And for so many times as long as it usually stands still. [1]"""

DISTINCT_LEAST = 10
"""Fewer different values are states, not measurements. [1]"""

ISOLATED = 1.0
"""A code lies this many times the spread of all else away from it. [1]"""

REPEATS_LEAST = 3

ZERO_FAR = 0.3
"""Zero is far away if the least other value is above this share of the median. [1]"""

SLOW_LEAST = 3
"""Readings that a slow feed repeats at least. [1]"""

SLOW_SHARE = 0.95
"""Changes that fall on the slow feed's own clock. [1]"""

READINGS_LEAST = 20


def suspicions(series: Series, point: MapPoint, quality: np.ndarray) -> list[Finding]:
    """Return what looks wrong with a point's readings.

    Args:
        series: Judged readings in order of time.
        point: The point.
        quality: Quality of each reason. [1]
    """
    kept = series.only(quality[series.code] >= Quality.UNCERTAIN)
    if len(kept.raw) == 0:
        text = "has no usable reading at all"
        return [Finding("point_without_readings", "warning", point.id, text)]
    if sort_of(point.role, point.kind) in ("state", "counter") or (
        len(kept.raw) < READINGS_LEAST
    ):
        return []
    found = [_never_moves(kept, point)]
    if found[0] is None:
        checks: tuple[Callable[[Series, MapPoint], Finding | None], ...] = (
            stuck_sensor,
            zero_while_off,
            suspected_sentinel,
            slow_feed,
        )
        found = [check(kept, point) for check in checks]
    return [each for each in found if each is not None]


def _never_moves(series: Series, point: MapPoint) -> Finding | None:
    if np.any(series.raw != series.raw[0]):
        return None
    if series.utc_ms[-1] - series.utc_ms[0] < DAY_MS or point.role == "act":
        return None
    text = f"never moves from {series.raw[0]:g}"
    return _finding("never_moves", "note", point, text, series)


def _finding(
    kind: str, severity: str, point: MapPoint, text: str, series: Series
) -> Finding:
    time = series.utc_ms
    return Finding(
        kind, severity, point.id, text, len(time), int(time[0]), int(time[-1])
    )


def stuck_sensor(series: Series, point: MapPoint) -> Finding | None:
    """Return the longest stand-still of a measurement, if it is no usual one."""
    if point.role == "act" or len(np.unique(series.raw)) < DISTINCT_LEAST:
        return None
    start = run_starts(series.raw)
    edges = np.flatnonzero(np.diff(start, append=-1))
    length = (series.utc_ms[edges] - series.utc_ms[start[edges]]).astype(np.float64)
    if quantity_of(point.unit) in RESTING:
        length[series.raw[edges] == 0.0] = 0.0
    longest = int(np.argmax(length))
    usual = float(np.quantile(length, 0.9))
    if length[longest] < STILL_DAYS * DAY_MS or length[longest] < STILL_RUNS * usual:
        return None
    last = int(edges[longest])
    part = series.take(np.arange(start[last], last + 1))
    text = f"stands at {part.raw[0]:g} for {duration(length[longest])}"
    return _finding("stuck_sensor", "warning", point, text, part)


def zero_while_off(series: Series, point: MapPoint) -> Finding | None:
    """Return the zeros of a point that is never near zero otherwise."""
    is_zero = series.raw == 0.0
    others = np.abs(series.raw[~is_zero])
    is_level = quantity_of(point.unit) in ("temperature", "pressure")
    if not is_level or np.sum(is_zero) < REPEATS_LEAST or len(others) < READINGS_LEAST:
        return None
    if np.min(others) < ZERO_FAR * np.median(others):
        return None
    part = series.take(np.flatnonzero(is_zero))
    episodes = int(np.sum(np.diff(is_zero.astype(np.int8), prepend=0) == 1))
    text = (
        f"reads exactly 0 in {len(part.raw)} readings ({episodes} times) and "
        f"{np.min(others):g} or more in all others, as if written while off"
    )
    return _finding("zero_while_off", "warning", point, text, part)


def suspected_sentinel(series: Series, point: MapPoint) -> Finding | None:
    """Return a value that comes again and again, far from everything else."""
    for value in (series.raw.min(), series.raw.max()):
        here = series.raw == value
        rest = series.raw[~here]
        if np.sum(here) < REPEATS_LEAST or len(rest) < READINGS_LEAST or value == 0.0:
            continue
        nearest = float(np.min(np.abs(rest - value)))
        spread = float(np.quantile(rest, 0.999) - np.quantile(rest, 0.001))
        if nearest > ISOLATED * max(spread, 1e-9) and len(np.unique(rest)) > 2:
            part = series.take(np.flatnonzero(here))
            text = (
                f"reads exactly {value:g} in {len(part.raw)} readings and never comes "
                f"within {nearest:.4g} of it otherwise, as a code for a fault would"
            )
            found = _finding("suspected_sentinel", "warning", point, text, part)
            return dataclasses.replace(found, value=float(value))
    return None


def slow_feed(series: Series, point: MapPoint) -> Finding | None:
    """Return a feed that is repeated between its own, longer intervals."""
    interval = usual_interval_ms(series)
    changes = series.utc_ms[1:][series.raw[1:] != series.raw[:-1]]
    if interval <= 0 or len(changes) < READINGS_LEAST or point.sampling != "poll":
        return None
    steps = np.diff(changes)
    own = float(np.quantile(steps, 0.1))
    if own < SLOW_LEAST * interval:
        return None
    phase = np.abs((changes - changes[0] + own / 2) % own - own / 2)
    if np.mean(phase <= interval / 2) < SLOW_SHARE:
        return None
    text = (
        f"changes every {duration(own)} only, although it is logged every "
        f"{duration(interval)}: a slow feed, repeated"
    )
    return _finding("slow_feed", "note", point, text, series)


def clock_findings(utc_ms: np.ndarray, name: str) -> list[Finding]:
    """Return gaps, shifts and drift of a file's clock.

    Args:
        utc_ms: Instants of its rows, increasing, shape (n,). [ms]
        name: File name.
    """
    steps = np.diff(utc_ms)
    steps = steps[steps > 0]
    if len(steps) < READINGS_LEAST:
        return []
    usual = float(np.median(steps))
    found = [_gaps(utc_ms, usual, name), _drift(steps, usual, name)]
    if found[1] is None:
        found.append(_shift(utc_ms, usual, name))
    return [each for each in found if each is not None]


def _gaps(utc_ms: np.ndarray, usual: float, name: str) -> Finding | None:
    steps = np.diff(utc_ms)
    gaps = np.flatnonzero(steps > 1.5 * usual)
    if len(gaps) == 0:
        return None
    longest = int(gaps[np.argmax(steps[gaps])])
    lost = int(np.sum(np.round(steps[gaps] / usual) - 1))
    text = (
        f"has {len(gaps)} gaps with {lost} rows of {duration(usual)} missing; the "
        f"longest lasts {duration(float(steps[longest]))}"
    )
    severity = "warning" if steps[longest] >= DAY_MS / 24 else "note"
    start, end = int(utc_ms[longest]), int(utc_ms[longest + 1])
    return Finding("gaps", severity, name, text, len(gaps), start, end)


def _drift(steps: np.ndarray, usual: float, name: str) -> Finding | None:
    off = np.abs(steps - usual)
    near = off[off < usual / 2]
    if len(near) < READINGS_LEAST or np.mean(near > 0) < 0.02:
        return None
    text = (
        f"has stamps that wander: {100 * np.mean(near > 0):.0f} % of the steps are not "
        f"{duration(usual)}"
    )
    return Finding("clock_drift", "note", name, text, int(np.sum(near > 0)))


def _shift(utc_ms: np.ndarray, usual: float, name: str) -> Finding | None:
    phase = np.round(utc_ms % usual).astype(np.int64)
    values, counts = np.unique(phase, return_counts=True)
    if (
        len(values) < 2
        or len(values) > 20
        or counts[counts.argsort()[-2]] < REPEATS_LEAST
    ):
        return None
    changes = np.flatnonzero(np.diff(phase))
    at = int(changes[0]) + 1
    text = (
        f"has a clock that was set {len(changes)} times: stamps move from "
        f"{duration(float(phase[at - 1]))} to {duration(float(phase[at]))} past the "
        f"whole {duration(usual)}"
    )
    start = int(utc_ms[at])
    return Finding("clock_shift", "warning", name, text, len(changes), start, start)
