"""What the pages show of a ledger: kept as long as it holds, never stale."""

import dataclasses
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, final

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.chain import Entry, Tail
from coolbound_shadow.ledger.database import DAMAGE
from coolbound_shadow.ledger.keys import PublicKeys
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.overrides.columns import (
    IS_TICK,
    RUN,
    TIME,
    epoch,
    local_offset,
    run_names,
)
from coolbound_shadow.overrides.event_types import Event, EventKind, ReviewNote
from coolbound_shadow.overrides.events import SERIOUSNESS, read_events
from coolbound_shadow.overrides.material import (
    DAY_S,
    SLACK_S,
    Told,
    note_of,
    read_told,
)
from coolbound_shadow.overrides.outcomes import Bounds

TIMED: Final = (Kind.TICK, Kind.OVERRIDE, Kind.OUTCOME)
"""Records that change an event."""

FIRST_TICK: Final = f"SELECT min({TIME}) FROM ledger WHERE {IS_TICK} AND {RUN} = ?"

LAST_TICK: Final = (
    "SELECT json_extract(body, '$.time'), json_extract(body, '$.local') FROM ledger "
    "WHERE json_extract(body, '$.kind') = 'tick' ORDER BY seq DESC LIMIT 1"
)

Notes = Mapping[str, tuple[ReviewNote, ...]]
"""What people said, by what they said it about."""


@final
@dataclasses.dataclass(frozen=True)
class Look:
    """A ledger at one moment. Static.

    Attributes:
        tail: Its last record.
        events: All events, by start.
        notes: All reviews.
        runs: Names of the shadow runs.
        last_tick: UTC epoch of the tick written last; None for none. [s]
        offset: Local time minus UTC at that tick, or at the last event. [s]
        first_tick: UTC epoch of the tick written first; None for none. [s]
    """

    tail: Tail
    events: tuple[Event, ...]
    notes: Notes
    runs: tuple[str, ...]
    last_tick: int | None
    offset: int
    first_tick: int | None = None

    def event(self, key: str) -> Event | None:
        """Return the event of a key."""
        return next((each for each in self.events if each.key == key), None)


@final
class Book:
    """Reads a ledger once, and after that what was added. Threads may share it."""

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        """Open a ledger.

        Args:
            folder: Its folder.
            bounds: Between what measured quantities shall stay.

        Raises:
            InputError: The folder holds none.
        """
        self.reader = LedgerReader(folder)
        self.bounds = bounds
        self._lock = threading.Lock()
        self._look: Look | None = None
        self._told: tuple[Told, ...] = ()

    def look(self) -> Look:
        """Return the ledger as it is now.

        Raises:
            InputError: It cannot be read, or says what no ledger says.
        """
        with self._lock:
            try:
                return self._now()
            except (*DAMAGE, ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"ALARM: {self.reader.folder}: found {error!r}, expected records "
                    "that can be read; keep the folder as it is and run `coolbound "
                    "ledger verify`"
                ) from error

    def _now(self) -> Look:
        tail, old = self.reader.tail(), self._look
        if old is None or not self._goes_on(old.tail, tail):
            found = self._first(tail)
        elif old.tail.seq < tail.seq:
            found = self._later(old, tail)
        else:
            found = old
        self._look = found
        return found

    def _goes_on(self, old: Tail, new: Tail) -> bool:
        """Return whether the new end is the old one or follows it."""
        if old.seq > new.seq:
            return False
        return old.seq == 0 or self.reader.entry(old.seq).hash == old.hash

    def _first(self, tail: Tail) -> Look:
        self._told = tuple(read_told(self.reader, last=tail.seq))
        notes = _with_notes({}, self._told)
        events = read_events(self.reader, bounds=self.bounds, told=self._told)
        runs = tuple(run_names(self.reader.folder))
        return self._made(tail, events, notes, runs)

    def _later(self, old: Look, tail: Tail) -> Look:
        first = old.tail.seq + 1
        said = read_told(self.reader, first, tail.seq)
        # A look that failed half-way may have read them before.
        kept = tuple(told for told in self._told if told.seq < first)
        self._told = (*kept, *said)
        notes = _with_notes(old.notes, said)
        earliest, runs = _extent(self.reader.entries(first, tail.seq, TIMED))
        if not runs <= set(old.runs):
            return self._first(tail)
        if earliest is None:
            return dataclasses.replace(old, tail=tail, notes=notes)
        events = self._events_since(old, earliest)
        return self._made(tail, events, notes, old.runs)

    def _events_since(self, old: Look, earliest: int) -> Iterable[Event]:
        """Return the events, those read anew that a record of that time may change."""
        # A day: what was measured then is an outcome of an event that began before.
        since = earliest - DAY_S - SLACK_S
        kept = [e for e in old.events if e.end is not None and e.end <= since]
        newer = read_events(self.reader, since, bounds=self.bounds, told=self._told)
        return [*kept, *newer]

    def _made(
        self, tail: Tail, events: Iterable[Event], notes: Notes, runs: tuple[str, ...]
    ) -> Look:
        found = {event.key: _whoever_ran(event, runs) for event in events}
        order = sorted(
            found.values(), key=lambda e: (e.start, SERIOUSNESS.index(e.kind))
        )
        row = self.reader.connection.execute(LAST_TICK).fetchone()
        offset = local_offset(row[1]) if row else (order[-1].offset if order else 0)
        return Look(
            tail=tail,
            events=tuple(order),
            notes=notes,
            runs=runs,
            last_tick=epoch(row[0]) if row else None,
            offset=offset,
            first_tick=min(map(self._begin, runs), default=None),
        )

    def _begin(self, run: str) -> int:
        """Return the time of a run's first tick [s]."""
        return epoch(self.reader.connection.execute(FIRST_TICK, (run,)).fetchone()[0])


def _extent(entries: Iterable[Entry]) -> tuple[int | None, set[str]]:
    """Return the earliest time of records [s], None for none, and their runs."""
    times, runs = [], set()
    for entry in entries:
        body = entry.data
        times.append(epoch(body["time"]))
        runs |= {body["run"]} if body["kind"] == Kind.TICK else set()
    return min(times, default=None), runs


def _whoever_ran(event: Event, runs: Sequence[str]) -> Event:
    """Return an override without what one of several runs alone would have given.

    A part of the ledger may hold ticks of one run where the whole holds two.
    """
    is_shared = event.kind is EventKind.OVERRIDE and len(runs) > 1
    return dataclasses.replace(event, given={}) if is_shared else event


def _with_notes(old: Notes, told: Iterable[Told]) -> Notes:
    found = dict(old)
    for each in told:
        if each.kind == Kind.REVIEW:
            about = each.body["subject"]
            found[about] = (*found.get(about, ()), note_of(each))
    return found


@final
@dataclasses.dataclass(frozen=True)
class Checked:
    """What a check of the whole ledger found. Static.

    Attributes:
        passed: Whether nothing is wrong.
        sentence: The verdict in words.
        records: Records that it saw. [rows]
        at: When it ended, UTC epoch. [s]
        took_s: How long it took. [s]
    """

    passed: bool
    sentence: str
    records: int
    at: float
    took_s: float


@final
class Watch:
    """Checks the whole ledger again and again, beside the pages."""

    def __init__(
        self, folder: Path, trusted: PublicKeys | None, every_s: float = 60.0
    ) -> None:
        """Begin with nothing checked.

        Args:
            folder: The ledger's folder.
            trusted: Keys that may sign; None for those in the folder.
            every_s: Least time between two checks; a long one comes less often. [s]
        """
        self.folder, self.trusted, self.every_s = folder, trusted, every_s
        self._lock = threading.Lock()
        self._checked: Checked | None = None
        self._is_running = False

    def checked(self) -> Checked:
        """Return the last check, and begin another where that is due."""
        found = self._checked or self.check()
        due = found.at + max(self.every_s, 50.0 * found.took_s)
        with self._lock:
            if time.time() < due or self._is_running:
                return found
            self._is_running = True
        threading.Thread(target=self._again, daemon=True).start()
        return found

    def check(self) -> Checked:
        """Check now and return what was found."""
        begin = time.perf_counter()
        try:
            verdict = verify(self.folder, self.trusted)
            words = verdict.passed, verdict.sentence(), verdict.records
        except InputError as error:
            words = False, f"FAILED: {error}", 0
        self._checked = Checked(*words, time.time(), time.perf_counter() - begin)
        return self._checked

    def _again(self) -> None:
        try:
            self.check()
        finally:
            self._is_running = False
