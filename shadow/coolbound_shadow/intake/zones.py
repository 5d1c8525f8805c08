"""From the clock's face to UTC, once and here only.

A zone's rules say what each quarter hour of a face can mean: one instant, two in the
repeated autumn hour, none in the skipped spring hour. Nothing is guessed: two
meanings are refused, told apart by the order of the rows where that proves it, or
flagged.
"""

import dataclasses
import functools
from datetime import datetime, timedelta
from typing import SupportsInt
from zoneinfo import ZoneInfo

import numpy as np

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.file_types import FileMap
from coolbound_shadow.intake.map_types import TimeMap
from coolbound_shadow.intake.reasons import (
    ABBREVIATION,
    IN_FUTURE,
    NONEXISTENT,
    ROW_GOOD,
    TOO_EARLY,
    UNREADABLE,
)
from coolbound_shadow.intake.stamps import NO_STAMP, Stamps

BLOCK_MS = 900_000
"""Zones change their offset on quarter hours only. [ms]"""

EPOCH = datetime(1970, 1, 1)

SKIPPED_SHARE = 0.5
"""Rows over more than this of a skipped hour: the log does not keep the zone. [1]"""

MARGIN_MS = 3 * 86_400_000


@dataclasses.dataclass(frozen=True)
class Instants:
    """When each row was taken. Static.

    Attributes:
        utc_ms: UTC epoch, int64, shape (n,). [ms]
        row_reason: Why a row is rejected, places in `ROW_NAMES`, uint8, shape (n,).
            Rows that can be used have 0. [1]
        is_ambiguous: Whether the stamp means two instants and stays so, shape (n,).
            [1]
        is_jump: Whether the row is stamped before rows that precede it, shape (n,).
            [1]
    """

    utc_ms: np.ndarray
    row_reason: np.ndarray
    is_ambiguous: np.ndarray
    is_jump: np.ndarray

    def take(self, order: np.ndarray) -> "Instants":
        """Return some of the rows, in some order."""
        fields = dataclasses.fields(self)
        return Instants(*(getattr(self, f.name)[order] for f in fields))


@dataclasses.dataclass(frozen=True)
class Place:
    """Where rows stand, for messages. Static.

    Attributes:
        name: File name.
        row: Row numbers, shape (n,). [1]
    """

    name: str
    row: np.ndarray

    def of(self, i: int) -> str:
        """Return the place of a row."""
        return f"{self.name}, row {self.row[i]}"


@dataclasses.dataclass(frozen=True)
class ZoneTable:
    """What each quarter hour of a face means, over the span of a log. Static.

    Attributes:
        first: Number of the first quarter hour since 1970. [1]
        early: Local time minus UTC by the first meaning, int64, shape (n,). [s]
        late: The same by the second meaning, int64, shape (n,). [s]
        names: Abbreviations by the first and the second meaning, shape (n,) each.
    """

    first: int
    early: np.ndarray
    late: np.ndarray
    names: tuple[np.ndarray, np.ndarray]

    def place(self, wall_ms: np.ndarray) -> np.ndarray:
        """Return the row of the table for each stamp."""
        place = wall_ms // BLOCK_MS - self.first
        return np.clip(place, 0, len(self.early) - 1)


@functools.lru_cache(maxsize=8)
def _zone_table(zone: str, first: int, last: int) -> ZoneTable:
    rules = ZoneInfo(zone)
    faces = [EPOCH + timedelta(milliseconds=b * BLOCK_MS) for b in range(first, last)]
    folds = [
        [face.replace(tzinfo=rules, fold=fold) for face in faces] for fold in (0, 1)
    ]
    early, late = (
        np.asarray([_seconds(stamp.utcoffset()) for stamp in fold], dtype=np.int64)
        for fold in folds
    )
    one, other = (np.asarray([s.tzname() or "" for s in fold]) for fold in folds)
    return ZoneTable(first, early, late, (one, other))


def _seconds(delta: timedelta | None) -> int:
    return int(delta.total_seconds()) if delta is not None else 0


def zone_table(zone: str, low_ms: int, high_ms: int) -> ZoneTable:
    """Return what the face of a zone's clock means from one instant to another.

    Args:
        zone: IANA name.
        low_ms: First stamp. [ms]
        high_ms: Last stamp. [ms]
    """
    # Whole years, so that the files of one log share a table.
    year = 366 * 96
    first = (low_ms - MARGIN_MS) // BLOCK_MS // year * year
    last = -(-(high_ms + MARGIN_MS) // BLOCK_MS // year) * year
    return _zone_table(zone, first, last)


def to_utc(
    stamps: Stamps,
    file: FileMap,
    time: TimeMap,
    now_s: int,
    where: Place,
) -> Instants:
    """Return the instants of a file's stamps, in the order of its rows.

    Args:
        stamps: What was written.
        file: The file's map.
        time: What stamps mean in the map.
        now_s: When the log is imported, UTC epoch. [s]
        where: File and rows, for messages.

    Raises:
        InputError: Stamps are ambiguous and the map refuses that, or a skipped hour
            is full of rows.
    """
    meaning = file.stamps or time.stamps
    wall, reason = stamps.wall_ms, np.zeros(len(stamps.wall_ms), dtype=np.uint8)
    reason[~stamps.is_read] = UNREADABLE
    nothing = np.zeros(len(wall), dtype=bool)
    low, high = 1000 * time.min_utc, 1000 * (now_s + time.max_future_s)
    if stamps.is_utc or meaning == "utc":
        return _bounded(Instants(wall, reason, nothing, nothing), low, high)
    if meaning == "fixed_offset":
        utc = np.where(reason == ROW_GOOD, wall - 1000 * time.fixed_offset, wall)
        return _bounded(Instants(utc, reason, nothing, nothing), low, high)
    if meaning == "offset_in_text":
        return _bounded(_by_offset(stamps, reason, nothing), low, high)
    # Before a zone is asked, so that a stamp of 1970 asks for no table of its own.
    day = 86_400_000
    reason[(reason == ROW_GOOD) & (wall < low - day)] = TOO_EARLY
    reason[(reason == ROW_GOOD) & (wall > high + day)] = IN_FUTURE
    found = _localise(stamps, reason, time, where)
    return _bounded(found, low, high)


def _bounded(found: Instants, low: int, high: int) -> Instants:
    reason = found.row_reason
    good = reason == ROW_GOOD
    reason[good & (found.utc_ms < low)] = TOO_EARLY
    reason[good & (found.utc_ms > high)] = IN_FUTURE
    return found


def _by_offset(stamps: Stamps, reason: np.ndarray, nothing: np.ndarray) -> Instants:
    if stamps.offset_s is None:
        reason[reason == ROW_GOOD] = UNREADABLE
        return Instants(stamps.wall_ms, reason, nothing, nothing)
    has_none = stamps.offset_s == NO_STAMP
    reason[has_none & (reason == ROW_GOOD)] = UNREADABLE
    offset = np.where(has_none, 0, stamps.offset_s)
    utc = np.where(reason == ROW_GOOD, stamps.wall_ms - 1000 * offset, stamps.wall_ms)
    return Instants(utc, reason, nothing, nothing)


def _localise(
    stamps: Stamps,
    reason: np.ndarray,
    time: TimeMap,
    where: Place,
) -> Instants:
    wall = stamps.wall_ms
    good, nothing = reason == ROW_GOOD, np.zeros(len(wall), dtype=bool)
    if not np.any(good):
        return Instants(wall, reason, nothing, nothing)
    table = zone_table(time.zone, int(wall[good].min()), int(wall[good].max()))
    place = table.place(np.where(good, wall, wall[good][0]))
    early, late = table.early[place], table.late[place]
    is_skipped, is_double = good & (early < late), good & (early > late)
    _refuse_full_skip(wall, is_skipped, good, time.zone, where)
    reason[is_skipped] = NONEXISTENT
    offset, left = _choose(stamps, table, place, is_double, reason, time, where)
    utc = np.where(reason == ROW_GOOD, wall - 1000 * offset, wall)
    return Instants(utc, reason, left, nothing)


def _choose(
    stamps: Stamps,
    table: ZoneTable,
    place: np.ndarray,
    is_double: np.ndarray,
    reason: np.ndarray,
    time: TimeMap,
    where: Place,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the offset of each stamp, and where two meanings are left."""
    early, late = table.early[place], table.late[place]
    if stamps.zone is not None:
        return _by_name(stamps.zone, table, place, reason), np.zeros_like(is_double)
    if not np.any(is_double):
        return early, is_double
    if time.on_ambiguous == "refuse":
        row = int(np.argmax(is_double))
        raise InputError(
            f"{where.of(row)}: found {face(stamps.wall_ms[row])}, which "
            f"occurs twice in {time.zone} ({int(is_double.sum())} such rows), expected "
            "stamps with one meaning; set `on_ambiguous` to 'ordered' or 'flag_both', "
            "or `stamps` to what the logger's clock kept"
        )
    if time.on_ambiguous == "flag_both":
        return early, is_double
    is_second, is_proven = _by_order(stamps.wall_ms, is_double)
    return np.where(is_second, late, early), is_double & ~is_proven


def _by_name(
    zone: np.ndarray, table: ZoneTable, place: np.ndarray, reason: np.ndarray
) -> np.ndarray:
    is_early, is_late = (names[place] == zone for names in table.names)
    reason[(reason == ROW_GOOD) & ~is_early & ~is_late] = ABBREVIATION
    return np.where(is_early, table.early[place], table.late[place])


def _by_order(
    wall_ms: np.ndarray, is_double: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which stamps are of the second hour, and which the order proves.

    In each run of doubtful stamps the face must fall back exactly once: rows before
    are of the first hour, rows from there on of the second.
    """
    is_second, is_proven = np.zeros_like(is_double), np.zeros_like(is_double)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_double, [0]])))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        falls = np.flatnonzero(np.diff(wall_ms[start:end]) < 0)
        if len(falls) == 1:
            is_second[start + falls[0] + 1 : end] = True
            is_proven[start:end] = True
    return is_second, is_proven


def _refuse_full_skip(
    wall: np.ndarray,
    is_skipped: np.ndarray,
    good: np.ndarray,
    zone: str,
    where: Place,
) -> None:
    rows = np.flatnonzero(is_skipped)
    if len(rows) < 2:
        return
    blocks = len(np.unique(wall[rows] // BLOCK_MS))
    usual = float(np.median(np.diff(np.unique(wall[good]))))
    if len(rows) > SKIPPED_SHARE * blocks * BLOCK_MS / usual:
        raise InputError(
            f"{where.of(int(rows[0]))}: found {face(wall[rows[0]])} and "
            f"{len(rows) - 1} more rows in an hour that {zone} skips, expected none; "
            "the logger's clock kept another zone or no summer time: correct `zone`, "
            "or set `stamps` to 'fixed_offset' or 'utc'"
        )


def face(wall_ms: SupportsInt) -> str:
    """Return a stamp as text, without a zone."""
    stamp = EPOCH + timedelta(milliseconds=int(wall_ms))
    return stamp.isoformat(timespec="seconds")
