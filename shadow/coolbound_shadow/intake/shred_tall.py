"""Tall files into pieces: rows of many points, told apart by name."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.cells import CellForm, Cells, read_cells
from coolbound_shadow.intake.reasons import NOT_IN_MAP
from coolbound_shadow.intake.row_counts import RowCounts
from coolbound_shadow.intake.shredded import (
    Shredded,
    Tell,
    add_stamped,
    cell_form,
    count_rows,
    join_time,
    reject_unread,
)
from coolbound_shadow.intake.sources import Wanted
from coolbound_shadow.intake.stamps import Stamps, read_stamps
from coolbound_shadow.intake.tables import Sheet, in_order, read_batches
from coolbound_shadow.intake.text_blocks import Batch

TAGS_SHOWN = 1000
"""Different names of a tall file that are kept for the report. [1]"""


def shred_tall(
    sheet: Sheet,
    wanted: Sequence[Wanted],
    form: str,
    number: int,
    into: Shredded,
    tell: Tell,
) -> None:
    """Cut a tall file into pieces.

    Args:
        sheet: The file.
        wanted: The sources that it holds.
        form: Format of its stamps.
        number: Its place among the files. [1]
        into: Takes the pieces.
        tell: Told the rows that have been cut so far.
    """
    tag_ref = sheet.file.tag
    if tag_ref is None:
        raise InputError(
            f"{sheet.name}: found no `tag_column`, expected the column that names the "
            "point in a tall file; add it to the map"
        )
    tag, first = sheet.place(tag_ref, "the point names"), wanted[0]
    places = sorted(
        {p for p in (tag, first.value, first.status, *first.time) if p >= 0}
    )
    forms = [cell_form(sheet, w.source.point, w.source.tap) for w in wanted]
    is_alike = len(set(forms)) == 1
    by_tag = {w.tag: i for i, w in enumerate(wanted)}
    counts = into.counts[number]

    def work(job: Callable[[], Batch]) -> tuple[Batch, pa.Array, Stamps, Cells | None]:
        batch = job()
        column = join_time([batch.columns[place] for place in first.time])
        cells = read_cells(batch.columns[first.value], forms[0]) if is_alike else None
        return batch, column, read_stamps(column, form), cells

    for batch, column, found, cells in in_order(work, read_batches(sheet, places)):
        count_rows(batch, counts)
        is_read = reject_unread(batch, column, found, sheet, form, first.time, counts)
        owner = _owners(batch, tag, by_tag, is_read, into, counts)
        # Texts that are no numbers are told of the point that they stand at.
        cells = None if cells is None or cells.tokens else cells
        order = np.argsort(owner, kind="stable")
        edges = np.searchsorted(owner[order], np.arange(len(wanted) + 1))
        for i, w in enumerate(wanted):
            part = order[edges[i] : edges[i + 1]]
            if len(part):
                _add_part(into, w, number, forms[i], batch, found, cells, part)
        tell(counts.read)


def _owners(
    batch: Batch,
    tag: int,
    by_tag: dict[str, int],
    is_read: np.ndarray,
    into: Shredded,
    counts: RowCounts,
) -> np.ndarray:
    """Return which wanted source each row is of; past the last for none."""
    column = batch.columns[tag]
    if not pa.types.is_string(column.type):
        column = column.cast(pa.string())
    coded = column.fill_null("").dictionary_encode()
    names = [name.strip() for name in coded.dictionary.to_pylist()]
    nobody = len(by_tag)
    owner = np.asarray([by_tag.get(n, nobody) for n in names], dtype=np.int32)
    owner = owner[np.asarray(coded.indices)]
    lost = np.flatnonzero((owner == nobody) & is_read)
    if len(lost):
        places = np.asarray(coded.indices)[lost]
        for code, count in zip(*np.unique(places, return_counts=True), strict=True):
            name = names[int(code)]
            if len(into.unknown_tags) < TAGS_SHOWN or name in into.unknown_tags:
                into.unknown_tags[name] += int(count)
        row = int(batch.row[lost[0]])
        counts.reject(NOT_IN_MAP, row, names[int(places[0])], len(lost))
    owner[~is_read] = nobody
    return owner


def _add_part(
    into: Shredded,
    wanted: Wanted,
    number: int,
    form: CellForm,
    batch: Batch,
    found: Stamps,
    cells: Cells | None,
    part: np.ndarray,
) -> None:
    status = (
        batch.columns[wanted.status].take(pa.array(part))
        if wanted.status >= 0
        else None
    )
    if cells is None:
        mine = read_cells(batch.columns[wanted.value].take(pa.array(part)), form)
    else:
        mine = Cells(cells.values[part], cells.code[part], cells.tokens)
    taken = Stamps(
        found.wall_ms[part],
        None if found.offset_s is None else found.offset_s[part],
        None if found.zone is None else found.zone[part],
        found.is_utc,
    )
    keep = np.ones(len(part), dtype=bool)
    add_stamped(into, wanted, number, mine, taken, batch.row[part], keep, status)
