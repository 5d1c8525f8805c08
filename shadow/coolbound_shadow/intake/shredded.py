"""Pieces of files as they are cut, and what is counted on the way."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.cells import CellForm, Cells
from coolbound_shadow.intake.map_types import MapPoint, Tap
from coolbound_shadow.intake.reasons import (
    EMPTY_LINE,
    NO_TIME,
    REPEATED_HEADER,
    UNREADABLE,
)
from coolbound_shadow.intake.row_counts import RowCounts
from coolbound_shadow.intake.sources import Wanted
from coolbound_shadow.intake.spill import Spill
from coolbound_shadow.intake.stamps import Stamps
from coolbound_shadow.intake.tables import Sheet
from coolbound_shadow.intake.text_blocks import Batch

TEXTS_MOST = 30_000
"""More different texts than that are no statuses. [1]"""

TAG_SHOWN = 80
"""Characters of a cell that an error shows. [1]"""


@dataclasses.dataclass(frozen=True)
class FileClock:
    """The stamps of a file whose columns share them. Static.

    Attributes:
        stamps: What was written.
        row: Row numbers, int64, shape (n,). [1]
    """

    stamps: Stamps
    row: np.ndarray


@final
class Texts:
    """Texts by number, so that a piece keeps two bytes for each."""

    def __init__(self) -> None:
        """Begin with the empty text."""
        self.known = {"": 0}

    def codes(self, column: pa.Array) -> np.ndarray:
        """Return the numbers of a column of texts, int16, shape (n,)."""
        if not pa.types.is_string(column.type):
            column = column.cast(pa.string())
        coded = column.fill_null("").dictionary_encode()
        texts = coded.dictionary.to_pylist()
        numbers = [self.known.setdefault(t.strip(), len(self.known)) for t in texts]
        if len(self.known) > TEXTS_MOST:
            raise InputError(
                f"found more than {TEXTS_MOST} different texts in a status column "
                f"(such as {texts[0]!r}), expected a few; correct `status` in the map"
            )
        return np.asarray(numbers, dtype=np.int16)[np.asarray(coded.indices)]

    @property
    def names(self) -> tuple[str, ...]:
        """Every text, at the place of its number."""
        return tuple(self.known)


@dataclasses.dataclass
class Shredded:
    """What cutting the files has left. Grows while they are cut.

    Attributes:
        spill: The readings.
        statuses: Status texts.
        zones: Zone abbreviations.
        clocks: Clock of each file; None where pieces have stamps of their own.
        counts: What became of the rows of each file.
        tokens: Texts that are no numbers, by source.
        unknown_tags: Names of tall files that the map lacks.
    """

    spill: Spill
    statuses: Texts = dataclasses.field(default_factory=Texts)
    zones: Texts = dataclasses.field(default_factory=Texts)
    clocks: list[FileClock | None] = dataclasses.field(default_factory=list)
    counts: list[RowCounts] = dataclasses.field(default_factory=list)
    tokens: dict[int, Counter[str]] = dataclasses.field(default_factory=dict)
    unknown_tags: Counter[str] = dataclasses.field(default_factory=Counter)


Tell = Callable[[int], None]


def cell_form(sheet: Sheet, point: MapPoint, tap: Tap) -> CellForm:
    """Return how the numbers of a point are written in a file."""
    text = sheet.file.text
    nulls = sheet.file.null_tokens
    return CellForm(text.decimal, text.thousands, tap.suffix, point.states, nulls)


def join_time(columns: Sequence[pa.Array]) -> pa.Array:
    """Return the stamp's cells; a date and a time become one text."""
    if len(columns) == 1:
        return columns[0]
    texts = [c if pa.types.is_string(c.type) else c.cast(pa.string()) for c in columns]
    return pc.call_function("binary_join_element_wise", [*texts, pa.scalar(" ")])


def _header_texts(sheet: Sheet, time: Sequence[int]) -> set[str]:
    """Return what the time column's header rows say, to know them again."""
    head = sheet.head
    if head is None:
        return set()
    cells = [" ".join(row[p] for p in time if p < len(row)) for row in head.rows]
    return {cell for cell in cells if cell}


def count_rows(batch: Batch, counts: RowCounts) -> None:
    """Count the rows of a batch, and those that could not be cut into cells."""
    counts.read += len(batch.row) + len(batch.bad)
    for bad in batch.bad:
        counts.reject(bad.reason, bad.row, bad.text)


def _require_some(
    batch: Batch, column: pa.Array, found: Stamps, sheet: Sheet, form: str
) -> None:
    """Refuse a file of whose first rows no stamp can be read."""
    texts = column.drop_null()
    if len(texts) and not np.any(found.is_read):
        shown = str(texts[0].as_py())[:TAG_SHOWN]
        raise InputError(
            f"{sheet.name}, row {batch.row[0]}: found time stamp {shown!r} and none in "
            f"{len(batch.row)} rows that fits {form!r}; correct `formats`, "
            "`time_column` or `skip_rows` of the file"
        )


def reject_unread(
    batch: Batch,
    column: pa.Array,
    found: Stamps,
    sheet: Sheet,
    form: str,
    time: Sequence[int],
    counts: RowCounts,
) -> np.ndarray:
    """Count the rows whose stamp cannot be read; return which could be."""
    if counts.read == len(batch.row) + len(batch.bad):
        _require_some(batch, column, found, sheet, form)
    headers = _header_texts(sheet, time)
    unread = np.flatnonzero(~found.is_read)
    for i in unread:
        text = (
            "" if not column[int(i)].is_valid else str(column[int(i)].as_py()).strip()
        )
        row = int(batch.row[i])
        if text in headers:
            counts.reject(REPEATED_HEADER, row, text)
        elif text:
            counts.reject(UNREADABLE, row, text)
        else:
            cells = [c[int(i)] for c in batch.columns.values()]
            is_empty = not any(cell.is_valid for cell in cells)
            counts.reject(EMPTY_LINE if is_empty else NO_TIME, row)
    return found.is_read


def add_piece(
    into: Shredded,
    wanted: Wanted,
    number: int,
    first: int,
    cells: Cells,
    status: pa.Array | None,
) -> None:
    """Write the readings of a source in a batch; its stamps are the file's."""
    arrays = {"values": cells.values}
    if np.any(cells.code):
        arrays["code"] = cells.code
    if status is not None:
        arrays["status"] = into.statuses.codes(status)
    _note_tokens(into, wanted, cells)
    into.spill.add(wanted.source.key, number, first, arrays)


def _note_tokens(into: Shredded, wanted: Wanted, cells: Cells) -> None:
    if cells.tokens:
        known = into.tokens.setdefault(wanted.source.key, Counter())
        known.update(cells.tokens)


def add_stamped(
    into: Shredded,
    wanted: Wanted,
    number: int,
    cells: Cells,
    stamps: Stamps,
    row: np.ndarray,
    keep: np.ndarray,
    status: pa.Array | None,
) -> None:
    """Write the readings at some places of a batch, with their stamps."""
    arrays = {
        "values": cells.values[keep],
        "code": cells.code[keep],
        "wall": stamps.wall_ms[keep],
        "row": row[keep],
    }
    if stamps.offset_s is not None:
        arrays["offset"] = stamps.offset_s[keep]
    if stamps.zone is not None:
        arrays["zone"] = into.zones.codes(pa.array(stamps.zone[keep], pa.string()))
    if stamps.is_utc:
        arrays["is_utc"] = np.ones(1, dtype=bool)
    if status is not None:
        arrays["status"] = into.statuses.codes(status)[keep]
    _note_tokens(into, wanted, cells)
    into.spill.add(wanted.source.key, number, -1, arrays)
