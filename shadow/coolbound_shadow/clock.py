"""Time stamps of an export, turned into UTC once and here only.

A local stamp has two instants in the repeated autumn hour and none in the
skipped spring hour. Both are found from the zone's own rules, never guessed.
"""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import SupportsInt, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from coolbound_envs.tables import InputError
from coolbound_shadow.point_types import FileSpec, PointMap
from coolbound_shadow.reading import RawTable

BLOCK_S = 900
"""Zones change their offset on quarter hours only. [s]"""

SKIPPED_HOUR_MOST = 0.01
"""More of the rows than this in a skipped hour: the zone itself is wrong. [1]"""

CELL_SHOWN = 80
"""Characters of a cell that an error shows. [1]"""

EPOCH = datetime(1970, 1, 1)

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Clock:
    """When each row of a file was taken. Static.

    Attributes:
        utc: UTC epoch, int64, shape (n,). [s]
        offset: Local time minus UTC, int64, shape (n,). [s]
        reason: Why a row cannot be used; empty where it can, shape (n,).
    """

    utc: np.ndarray
    offset: np.ndarray
    reason: np.ndarray


def read_clock(table: RawTable, spec: FileSpec, points: PointMap) -> Clock:
    """Return the clock of a file.

    Raises:
        InputError: A stamp is empty, unreadable, ambiguous or runs backwards.
    """
    if spec.time_column not in table.columns:
        raise InputError(
            f"{table.name}: found no column {spec.time_column!r}, expected the time "
            f"column among {', '.join(table.columns)}; correct `time_column`"
        )
    column = table.columns[spec.time_column]
    zone = ZoneInfo(points.zone)
    clock = _parse(column, table, spec, zone, points.on_ambiguous)
    clock = _reject_outside(clock, points.earliest, points.latest)
    return _in_order(clock, table)


def _parse(
    column: pa.Array,
    table: RawTable,
    spec: FileSpec,
    zone: ZoneInfo,
    on_ambiguous: str,
) -> Clock:
    empty = np.flatnonzero(np.asarray(column.is_null(nan_is_null=True)))
    if len(empty):
        raise _bad_stamp(table, int(empty[0]), "an empty time stamp")
    if pa.types.is_timestamp(column.type):
        utc = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
        wall = np.asarray(utc.to_numpy(zero_copy_only=False), dtype=np.int64)
        is_utc = column.type.tz is not None or spec.stamps == "utc"
    elif pa.types.is_string(column.type) and spec.stamps == "offset":
        return _with_offset(column, table)
    else:
        wall = _wall_seconds(column, table, spec)
        is_utc = spec.stamps == "utc" or spec.formats[0].startswith("unix")
    if is_utc:
        return Clock(wall, offsets_of_utc(wall, zone), _no_reason(len(wall)))
    return _localise(wall, zone, table, on_ambiguous)


def _no_reason(rows: int) -> np.ndarray:
    return np.full(rows, "", dtype="<U32")


def _bad_stamp(table: RawTable, row: int, found: str, expected: str = "") -> InputError:
    expected = expected or "a time stamp in every row"
    # A cell can be a whole file when a quote is missing: its start is enough.
    shown = found if len(found) <= CELL_SHOWN else f"{found[:CELL_SHOWN]}..."
    return InputError(
        f"{table.name}, row {table.line[row]}: found {shown}, expected {expected}; "
        "correct the row or the file's `formats` and `stamps`"
    )


def _with_offset(column: pa.Array, table: RawTable) -> Clock:
    texts = column.to_pylist()
    utc = np.empty(len(texts), dtype=np.int64)
    offset = np.empty(len(texts), dtype=np.int64)
    for row, text in enumerate(texts):
        stamp = _try(datetime.fromisoformat, text)
        delta = stamp.utcoffset() if stamp else None
        if stamp is None or delta is None:
            expected = "ISO 8601 time with its offset, as 2024-05-01T10:00:00+02:00"
            raise _bad_stamp(table, row, repr(text), expected)
        utc[row] = int(stamp.timestamp())
        offset[row] = int(delta.total_seconds())
    return Clock(utc, offset, _no_reason(len(texts)))


def _wall_seconds(column: pa.Array, table: RawTable, spec: FileSpec) -> np.ndarray:
    texts = [str(each) for each in column.to_pylist()]
    fits = []
    failures = []
    for form in spec.formats:
        seconds = [_try(_reader(form), text) for text in texts]
        bad = next((i for i, each in enumerate(seconds) if each is None), None)
        if bad is None:
            fits.append(np.asarray(seconds, dtype=np.int64))
        failures.append(len(texts) if bad is None else bad)
    if not fits:
        row = max(failures)
        raise _bad_stamp(table, row, repr(texts[row]), " or ".join(spec.formats))
    if any(not np.array_equal(fits[0], other) for other in fits[1:]):
        raise InputError(
            f"{table.name}: found time stamps that fit several of {spec.formats} with "
            "different days, expected one reading; leave one format in `formats`"
        )
    return fits[0]


def _reader(form: str) -> Callable[[str], int]:
    if form in ("unix_s", "unix_ms"):
        divisor = 1000.0 if form == "unix_ms" else 1.0
        return lambda text: int(float(text) // divisor)
    if form == "iso":
        return lambda text: _naive_seconds(datetime.fromisoformat(text))
    return lambda text: _naive_seconds(datetime.strptime(text, form))


def _naive_seconds(stamp: datetime) -> int:
    if stamp.tzinfo is not None:
        raise ValueError("an offset in a stamp that should have none")
    return (stamp - EPOCH) // timedelta(seconds=1)


def _try(read: Callable[[str], T], text: str) -> T | None:
    try:
        return read(text)
    except (ValueError, TypeError, OverflowError):
        return None


def offsets_of_utc(utc: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """Return local time minus UTC of each instant, int64, shape (n,) [s]."""
    block, inverse = np.unique(utc // BLOCK_S, return_inverse=True)
    offsets = [_offset(datetime.fromtimestamp(int(b) * BLOCK_S, zone)) for b in block]
    return np.asarray(offsets, dtype=np.int64)[inverse]


def _offset(stamp: datetime) -> int:
    delta = stamp.utcoffset()
    return int(delta.total_seconds()) if delta is not None else 0


def _localise(
    wall: np.ndarray, zone: ZoneInfo, table: RawTable, on_ambiguous: str
) -> Clock:
    block, inverse = np.unique(wall // BLOCK_S, return_inverse=True)
    first, second = (
        np.asarray([_wall_offset(int(b), zone, fold) for b in block])[inverse]
        for fold in (0, 1)
    )
    reason = _no_reason(len(wall))
    reason[first > second] = "ambiguous time"
    reason[first < second] = "time does not exist"
    ambiguous = np.flatnonzero(first > second)
    if len(ambiguous) and on_ambiguous == "refuse":
        found = f"{_wall_text(wall[ambiguous[0]])}, which occurs twice in {zone.key}"
        expected = "times with one meaning (or on_ambiguous = 'flag')"
        raise _bad_stamp(table, int(ambiguous[0]), found, expected)
    if np.mean(first < second) > SKIPPED_HOUR_MOST:
        row = int(np.argmax(first < second))
        found = f"{_wall_text(wall[row])}, which {zone.key} skips"
        raise _bad_stamp(table, row, found, "the zone in which the log was written")
    return Clock(wall - first, first, reason)


def _wall_offset(block: int, zone: ZoneInfo, fold: int) -> int:
    wall = EPOCH + timedelta(seconds=block * BLOCK_S)
    return _offset(wall.replace(tzinfo=zone, fold=fold))


def _wall_text(wall: SupportsInt) -> str:
    return (EPOCH + timedelta(seconds=int(wall))).isoformat()


def _reject_outside(clock: Clock, earliest: int, latest: int) -> Clock:
    reason = clock.reason.copy()
    outside = (clock.utc < earliest) | (clock.utc > latest)
    reason[outside & (reason == "")] = "time out of range"
    return dataclasses.replace(clock, reason=reason)


def _in_order(clock: Clock, table: RawTable) -> Clock:
    """Refuse time that runs backwards; reject the second row of one instant."""
    reason = clock.reason.copy()
    kept = np.flatnonzero(reason == "")
    change = np.diff(clock.utc[kept])
    back = np.flatnonzero(change < 0)
    if len(back):
        row, before = int(kept[back[0] + 1]), int(kept[back[0]])
        times = [datetime.fromtimestamp(int(clock.utc[i]), UTC) for i in (row, before)]
        raise _bad_stamp(
            table,
            row,
            f"{times[0]:%Y-%m-%dT%H:%M:%SZ} after {times[1]:%Y-%m-%dT%H:%M:%SZ}",
            "time that only runs forwards",
        )
    reason[kept[1:][change == 0]] = "repeated time"
    return dataclasses.replace(clock, reason=reason)
