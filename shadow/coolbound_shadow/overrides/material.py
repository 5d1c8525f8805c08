"""What a ledger holds about a period, read once.

Ticks are cut to the period, widened so that an event at its edge is whole and its
outcome a day later is there. All other records are few and read in order.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from coolbound_shadow.ledger.reader import LAST_SEQ, LedgerReader
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.overrides.columns import (
    Ticks,
    epoch,
    read_ticks,
    run_extent,
    run_names,
)
from coolbound_shadow.overrides.event_types import ReviewNote

DAY_S = 86400
"""A day: the latest outcome comes that long after an event. [s]"""

SLACK_S = 900
"""Room for a step that does not end on the minute. [s]"""

WIDEN_S = 21600
"""How far an event at the edge is followed in one read. [s]"""

READ = (
    Kind.OVERRIDE,
    Kind.REVIEW,
    Kind.OUTCOME,
    Kind.REFUSAL,
    Kind.CLOCK,
    Kind.TRANSITION,
)
"""Kinds that are read beside ticks."""


@final
@dataclasses.dataclass(frozen=True)
class Told:
    """One record that is no tick. Static.

    Attributes:
        seq: Its place. [1]
        kind: Its kind.
        body: What it says.
    """

    seq: int
    kind: str
    body: Mapping[str, Any]


@final
@dataclasses.dataclass(frozen=True)
class Material:
    """What a ledger holds about a period. Static.

    Attributes:
        folder: The ledger's folder.
        start: The period begins after this instant, UTC epoch. [s]
        end: The period ends here, UTC epoch. [s]
        ticks: Of each run that has ticks in the period, the edges widened.
        told: All other records that were read, in order.
    """

    folder: Path
    start: int
    end: int
    ticks: tuple[Ticks, ...]
    told: tuple[Told, ...]

    def of_kind(self, kind: Kind) -> list[Told]:
        """Return the records of one kind, in order."""
        return [each for each in self.told if each.kind == kind]

    def is_empty(self) -> bool:
        """Return whether nothing that happened in the period is on record."""
        held = [epoch(told.body["time"]) for told in self.of_kind(Kind.OVERRIDE)]
        return not self.ticks and not any(self.start <= t <= self.end for t in held)

    def notes(self) -> dict[str, tuple[ReviewNote, ...]]:
        """Return what people said, by key of the event."""
        found: dict[str, tuple[ReviewNote, ...]] = {}
        for each in self.of_kind(Kind.REVIEW):
            subject = each.body["subject"]
            found[subject] = (*found.get(subject, ()), note_of(each))
        return found

    def outcomes(
        self,
    ) -> dict[tuple[str, int], tuple[int, Mapping[str, float | None]]]:
        """Return what was put on record as measured, by run and time."""
        return {
            (each.body["run"], epoch(each.body["time"])): (
                each.seq,
                each.body["measured"],
            )
            for each in self.of_kind(Kind.OUTCOME)
        }


def note_of(told: Told) -> ReviewNote:
    """Return what a person said, of the record of a review."""
    body = told.body
    return ReviewNote(
        told.seq, body["user"], body["action"], body["text"], body["recorded"]
    )


def read_told(reader: LedgerReader, first: int = 1, last: int = LAST_SEQ) -> list[Told]:
    """Return the records that are no ticks, in order; the whole ledger is gone through.

    Args:
        reader: The ledger.
        first: Place of the first record. [1]
        last: Place of the last record. [1]
    """
    entries = reader.entries(first, last, READ)
    return [Told(e.seq, data["kind"], data) for e in entries for data in (e.data,)]


def read_material(
    reader: LedgerReader,
    start: int | None = None,
    end: int | None = None,
    run: str | None = None,
    told: Sequence[Told] | None = None,
) -> Material:
    """Read what a ledger holds about a period.

    Args:
        reader: The ledger.
        start: The period begins after this instant, UTC epoch; None for all. [s]
        end: The period ends here, UTC epoch; None for all. [s]
        run: Name of the run; None for all.
        told: All records that are no ticks, where they were read before.
    """
    told = tuple(read_told(reader) if told is None else told)
    runs = [name for name in run_names(reader.folder) if run in (None, name)]
    first, last = _period(reader.folder, runs, told, start, end)
    found = [_whole_events(reader.folder, name, first, last) for name in runs]
    ticks = tuple(each for each in found if each is not None)
    return Material(reader.folder, first, last, ticks, told)


def _period(
    folder: Path,
    runs: list[str],
    told: tuple[Told, ...],
    start: int | None,
    end: int | None,
) -> tuple[int, int]:
    """Return the period, cut to what is on record where it is open or ends later."""
    extents = {name: run_extent(folder, name, None, None) for name in runs}
    known = {name: each for name, each in extents.items() if each is not None}
    held = [epoch(each.body["time"]) for each in told if each.kind == Kind.OVERRIDE]
    # A step begins before its tick.
    begins = [a - _step(folder, name, a) for name, (a, _) in known.items()]
    first = min(begins + held, default=0) if start is None else start
    last = max([b for _, b in known.values()] + held, default=first)
    # Nobody knows what is held after the last record.
    return first, last if end is None or first < last < end else end


def _step(folder: Path, run: str, first: int) -> int:
    """Return the length of a run's steps, from its first few [s]."""
    ticks = read_ticks(folder, run, first, first + 8 * SLACK_S)
    return ticks.step_s if ticks else 0


def _whole_events(folder: Path, run: str, start: int, end: int) -> Ticks | None:
    if run_extent(folder, run, start + 1, end) is None:
        return None
    first = _edge(folder, run, start + 1, -1)
    last = max(_edge(folder, run, end, 1), end + DAY_S + SLACK_S)
    return read_ticks(folder, run, first, last)


def _edge(folder: Path, run: str, time: int, direction: int) -> int:
    """Return the instant at which the interventions around another one end [s]."""
    while True:
        other = time + direction * WIDEN_S
        piece = read_ticks(folder, run, min(time, other), max(time, other))
        if piece is None:
            return time
        away = piece.is_intervention[::direction]
        if away.all():
            time = other
            continue
        return int(piece.time_utc[::direction][away.argmin()])
