"""Files into pieces of sources: every row looked at once, nothing judged yet.

A wide file has one clock for all its columns, kept in memory: a year of minutes is
half a million stamps. In a tall file, and where columns have stamps of their own,
every piece keeps its stamps.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.cells import Cells, read_cells
from coolbound_shadow.intake.map_types import TimeMap
from coolbound_shadow.intake.reasons import (
    NO_TIME,
)
from coolbound_shadow.intake.row_counts import RowCounts
from coolbound_shadow.intake.shred_tall import shred_tall
from coolbound_shadow.intake.shredded import (
    FileClock,
    Shredded,
    Tell,
    add_piece,
    add_stamped,
    cell_form,
    count_rows,
    join_time,
    reject_unread,
)
from coolbound_shadow.intake.sources import Wanted
from coolbound_shadow.intake.stamps import NO_STAMP, Stamps, read_stamps
from coolbound_shadow.intake.tables import Sheet, in_order, read_batches
from coolbound_shadow.intake.text_blocks import Batch


def shred(
    sheet: Sheet, wanted: Sequence[Wanted], time: TimeMap, into: Shredded, tell: Tell
) -> None:
    """Cut one file into pieces.

    Args:
        sheet: The file.
        wanted: The sources that it holds.
        time: What the map says of stamps.
        into: Takes the pieces.
        tell: Told the rows that have been cut so far.

    Raises:
        InputError: No format fits the stamps, or two fit with different days.
    """
    number = len(into.counts)
    into.counts.append(RowCounts())
    into.clocks.append(None)
    form = choose_format(sheet, wanted[0].time, sheet.file.formats or time.formats)
    if sheet.file.shape == "tall":
        shred_tall(sheet, wanted, form, number, into, tell)
    elif len({w.time for w in wanted}) == 1:
        into.clocks[number] = _wide(sheet, wanted, form, number, into, tell)
    else:
        _own_stamps(sheet, wanted, form, number, into, tell)


def choose_format(sheet: Sheet, time: Sequence[int], formats: Sequence[str]) -> str:
    """Return the format that reads the stamps of a file.

    Raises:
        InputError: Two formats read as many stamps, and differently.
    """
    if len(formats) == 1:
        return formats[0]
    reads = Counter({form: 0 for form in formats})
    differs: set[tuple[str, str]] = set()
    for job in read_batches(sheet, list(time)):
        batch = job()
        column = join_time([batch.columns[place] for place in time])
        stamps = {form: read_stamps(column, form) for form in formats}
        for i, one in enumerate(formats):
            reads[one] += int(stamps[one].is_read.sum())
            for other in formats[i + 1 :]:
                both = stamps[one].is_read & stamps[other].is_read
                pair = stamps[one].wall_ms != stamps[other].wall_ms
                differs |= {(one, other)} if np.any(both & pair) else set()
    best = max(reads.values())
    fits = [form for form in formats if reads[form] == best]
    clash = [pair for pair in differs if set(pair) <= set(fits)]
    if clash:
        raise InputError(
            f"{sheet.name}: found stamps that fit {clash[0][0]!r} and {clash[0][1]!r} "
            "with different days, expected one reading; leave one of them in `formats`"
        )
    return fits[0]


def _wide(
    sheet: Sheet,
    wanted: Sequence[Wanted],
    form: str,
    number: int,
    into: Shredded,
    tell: Tell,
) -> FileClock:
    counts, time = into.counts[number], wanted[0].time
    places = sorted({p for w in wanted for p in (w.value, w.status, *time) if p >= 0})
    forms = [cell_form(sheet, w.source.point, w.source.tap) for w in wanted]

    def work(job: Callable[[], Batch]) -> tuple[Batch, pa.Array, Stamps, list[Cells]]:
        batch = job()
        column = join_time([batch.columns[place] for place in time])
        cells = [
            read_cells(batch.columns[w.value], f)
            for w, f in zip(wanted, forms, strict=True)
        ]
        return batch, column, read_stamps(column, form), cells

    stamps, rows, first = [], [], 0
    for batch, column, found, cells in in_order(work, read_batches(sheet, places)):
        count_rows(batch, counts)
        reject_unread(batch, column, found, sheet, form, time, counts)
        for w, each in zip(wanted, cells, strict=True):
            status = batch.columns[w.status] if w.status >= 0 else None
            add_piece(into, w, number, first, each, status)
        stamps.append(found)
        rows.append(batch.row)
        first += len(batch.row)
        tell(first)
    return FileClock(_join(stamps), np.concatenate(rows) if rows else np.zeros(0, int))


def _join(stamps: Sequence[Stamps]) -> Stamps:
    if not stamps:
        return Stamps(np.zeros(0, dtype=np.int64))
    offsets = [s.offset_s for s in stamps]
    zones = [s.zone for s in stamps]
    return Stamps(
        np.concatenate([s.wall_ms for s in stamps]),
        _whole(offsets, stamps),
        np.concatenate([z for z in zones if z is not None])
        if zones[0] is not None
        else None,
        stamps[0].is_utc,
    )


def _whole(
    parts: Sequence[np.ndarray | None], stamps: Sequence[Stamps]
) -> np.ndarray | None:
    """Return one array of offsets; a batch without any counts as without stamps."""
    if all(part is None for part in parts):
        return None
    filled = [
        np.full(len(s.wall_ms), NO_STAMP, dtype=np.int64) if part is None else part
        for part, s in zip(parts, stamps, strict=True)
    ]
    return np.concatenate(filled)


def _own_stamps(
    sheet: Sheet,
    wanted: Sequence[Wanted],
    form: str,
    number: int,
    into: Shredded,
    tell: Tell,
) -> None:
    """Cut a file in which columns have time columns of their own.

    A row here is a row of the file; its readings are flagged or rejected one by one,
    the row itself is accepted where any of its stamps can be read.
    """
    counts = into.counts[number]
    places = sorted({p for w in wanted for p in (w.value, w.status, *w.time) if p >= 0})
    forms = [cell_form(sheet, w.source.point, w.source.tap) for w in wanted]
    for job in read_batches(sheet, places):
        batch = job()
        count_rows(batch, counts)
        is_used = np.zeros(len(batch.row), dtype=bool)
        for w, cells_as in zip(wanted, forms, strict=True):
            found = read_stamps(join_time([batch.columns[p] for p in w.time]), form)
            cells = read_cells(batch.columns[w.value], cells_as)
            status = batch.columns[w.status] if w.status >= 0 else None
            add_stamped(into, w, number, cells, found, batch.row, found.is_read, status)
            is_used |= found.is_read
        for row in batch.row[~is_used]:
            counts.reject(NO_TIME, int(row))
        tell(counts.read)
