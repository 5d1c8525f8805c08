"""The numbers of the first page: service, utilisation, interventions, data health."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import final

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, POINT_NAMES
from coolbound_envs.types import Quality
from coolbound_shadow.overrides.columns import Ticks
from coolbound_shadow.overrides.event_types import Event, EventKind
from coolbound_shadow.overrides.material import Material


@final
@dataclasses.dataclass(frozen=True)
class RunFigures:
    """One run within the period. Static.

    Attributes:
        run: Name of the run.
        step_s: Nominal length of a step. [s]
        decisions: Ticks in the period. [1]
        due: Steps from the first to the last of them, gaps included. [1]
        in_service: Steps with a proposal and no fallback. [1]
        free: Channel-steps in service that nobody held and nothing changed. [1]
        channel_steps: Channel-steps in service with a proposal. [1]
        held: Of the rest, those that an override held. [1]
        bad: Readings that could not be used, of points that read at all. [1]
        readings: Readings of points that read at all. [1]
        silent_points: Points without a usable reading in the whole period.
        first_seq: Place of the first tick. [1]
        last_seq: Place of the last tick. [1]
        least_seq: Least place of any tick. [1]
        most_seq: Largest place of any tick. [1]
        offsets: Local time minus UTC at the first and the last tick.
        digests: Policies that proposed, with their ticks.
        limit_steps: Limits that stood in the way, with the steps of each that they
            bound most; `fallback` where none did.
    """

    run: str
    step_s: int
    decisions: int
    due: int
    in_service: int
    free: int
    channel_steps: int
    held: int
    bad: int
    readings: int
    silent_points: tuple[str, ...]
    first_seq: int
    last_seq: int
    least_seq: int
    most_seq: int
    offsets: tuple[int, int]
    digests: tuple[tuple[str, int], ...]
    limit_steps: tuple[tuple[str, int], ...]

    @property
    def hours(self) -> float:
        """Time that the decisions cover [h]."""
        return self.decisions * self.step_s / 3600.0


def run_figures(material: Material, events: Sequence[Event]) -> list[RunFigures]:
    """Return the figures of each run with ticks in the period."""
    holds = [event for event in events if event.kind is EventKind.OVERRIDE]
    return [_figures(ticks, within(ticks, material), holds) for ticks in material.ticks]


def within(ticks: Ticks, material: Material) -> np.ndarray:
    """Return the rows of a run that lie in the period."""
    after = ticks.time_utc > material.start
    return np.flatnonzero(after & (ticks.time_utc <= material.end))


def _figures(ticks: Ticks, rows: np.ndarray, holds: Sequence[Event]) -> RunFigures:
    time = ticks.time_utc[rows]
    proposed = np.isfinite(ticks.asked[rows])
    serving = np.any(proposed, axis=1) & (ticks.kind[rows] != EventKind.FALLBACK.value)
    offered = proposed & serving[:, None]
    held = offered & _held(time, ticks.step_s, holds)
    free = offered & ~held & ~ticks.changed[rows]
    bad, readings, silent = _health(ticks, rows)
    span = int(time[-1] - time[0])
    return RunFigures(
        run=ticks.run,
        step_s=ticks.step_s,
        decisions=len(rows),
        due=round(span / ticks.step_s) + 1,
        in_service=int(np.sum(serving)),
        free=int(np.sum(free)),
        channel_steps=int(np.sum(offered)),
        held=int(np.sum(held)),
        bad=bad,
        readings=readings,
        silent_points=silent,
        first_seq=int(ticks.seq[rows[0]]),
        last_seq=int(ticks.seq[rows[-1]]),
        least_seq=int(np.min(ticks.seq[rows])),
        most_seq=int(np.max(ticks.seq[rows])),
        offsets=(int(ticks.offset[rows[0]]), int(ticks.offset[rows[-1]])),
        digests=tuple(ticks.digests.items()),
        limit_steps=_limit_steps(ticks, rows),
    )


def _limit_steps(ticks: Ticks, rows: np.ndarray) -> tuple[tuple[str, int], ...]:
    kinds = (EventKind.LIMIT.value, EventKind.FALLBACK.value)
    stopped = ticks.limit[rows[np.isin(ticks.kind[rows].astype(str), kinds)]]
    return tuple(Counter(name or "fallback" for name in stopped).most_common())


def _held(time: np.ndarray, step_s: int, holds: Sequence[Event]) -> np.ndarray:
    """Return which channel an override held at which step, bool, shape (T, 10)."""
    found = np.zeros((len(time), len(CHANNEL_NAMES)), dtype=bool)
    for hold in holds:
        if hold.subject in CHANNEL_NAMES:
            ends = time[-1] if hold.end is None else hold.end
            during = (time > hold.start) & (time - step_s < ends)
            found[during, CHANNEL_NAMES.index(hold.subject)] = True
    return found


def _health(ticks: Ticks, rows: np.ndarray) -> tuple[int, int, tuple[str, ...]]:
    is_bad = unusable(ticks, rows)
    reads = ~np.all(is_bad, axis=0)
    silent = tuple(n for n, read in zip(POINT_NAMES, reads, strict=True) if not read)
    return int(np.sum(is_bad[:, reads])), int(len(rows) * np.sum(reads)), silent


def unusable(ticks: Ticks, rows: np.ndarray) -> np.ndarray:
    """Return which readings could not be used, bool, shape (T, P)."""
    poor = ticks.quality[rows] < Quality.UNCERTAIN
    return poor | ~np.isfinite(ticks.observed[rows])


@final
@dataclasses.dataclass(frozen=True)
class BadPeriod:
    """Consecutive steps without a usable reading of a point, or without a tick. Static.

    Attributes:
        run: Name of the run.
        point: The point; empty where whole ticks are missing.
        word: What was wrong: `missing`, `bad` or `no decision`.
        start: Start of the first step, UTC epoch. [s]
        end: End of the last step, UTC epoch. [s]
        offset: Local time minus UTC. [s]
        steps: Steps concerned. [1]
        first_seq: Place of the first tick, of a gap the one before. [1]
        last_seq: Place of the last tick, of a gap the one after. [1]
    """

    run: str
    point: str
    word: str
    start: int
    end: int
    offset: int
    steps: int
    first_seq: int
    last_seq: int


def bad_periods(material: Material) -> list[BadPeriod]:
    """Return the periods without usable data, longest first; silent points left out."""
    found: list[BadPeriod] = []
    for ticks in material.ticks:
        rows = within(ticks, material)
        found += _gaps(ticks, rows)
        is_bad = unusable(ticks, rows)
        for i in np.flatnonzero(is_bad.any(axis=0) & ~is_bad.all(axis=0)).tolist():
            found += _point_periods(ticks, rows, is_bad[:, i], i)
    return sorted(found, key=lambda p: (-p.steps, p.start, p.point, p.run))


def _gaps(ticks: Ticks, rows: np.ndarray) -> list[BadPeriod]:
    time = ticks.time_utc[rows]
    found = []
    for i in np.flatnonzero(np.diff(time) > 1.5 * ticks.step_s).tolist():
        start, end = int(time[i]), int(time[i + 1]) - ticks.step_s
        steps = round((end - start) / ticks.step_s)
        before, after = int(ticks.seq[rows[i]]), int(ticks.seq[rows[i + 1]])
        offset = int(ticks.offset[rows[i]])
        found.append(
            BadPeriod(
                ticks.run, "", "no decision", start, end, offset, steps, before, after
            )
        )
    return found


def _point_periods(
    ticks: Ticks, rows: np.ndarray, is_bad: np.ndarray, point: int
) -> list[BadPeriod]:
    marked = np.flatnonzero(is_bad)
    jumps = (np.diff(marked) > 1) | (
        np.diff(ticks.time_utc[rows][marked]) > 1.5 * ticks.step_s
    )
    found = []
    for group in np.split(marked, np.flatnonzero(jumps) + 1):
        first, last = int(rows[group[0]]), int(rows[group[-1]])
        is_missing = ticks.quality[first, point] == Quality.MISSING
        found.append(
            BadPeriod(
                run=ticks.run,
                point=POINT_NAMES[point],
                word="missing" if is_missing else "bad",
                start=int(ticks.time_utc[first]) - ticks.step_s,
                end=int(ticks.time_utc[last]),
                offset=int(ticks.offset[first]),
                steps=len(group),
                first_seq=int(ticks.seq[first]),
                last_seq=int(ticks.seq[last]),
            )
        )
    return found
