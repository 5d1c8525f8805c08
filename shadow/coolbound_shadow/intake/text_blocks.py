"""A text file in blocks of whole rows, so that memory stays bounded.

A block ends at a line end outside quotes. Rows with another number of cells than the
header are kept apart with their text; every row keeps the number that an editor
shows, unless a quoted cell above it spans lines.
"""

import csv
import dataclasses
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.file_types import FileMap, TextForm
from coolbound_shadow.intake.reasons import EMPTY_LINE, WRONG_CELLS

BLOCK = 1 << 23
"""Read at a time. [bytes]"""

QUOTED_MOST = 4
"""Blocks that an open quote may span before it counts as never closed. [1]"""

HEAD = 1 << 20
"""Read for the header. [bytes]"""

SHOWN = 120
"""Characters of a bad row that are kept. [1]"""


@dataclasses.dataclass(frozen=True)
class BadRow:
    """A row that cannot be cut into cells. Static.

    Attributes:
        row: Row number in the file. [1]
        reason: Place in `ROW_NAMES`. [1]
        text: Its beginning.
    """

    row: int
    reason: int
    text: str


@dataclasses.dataclass(frozen=True)
class Batch:
    """Some rows of a file. Static.

    Attributes:
        columns: Cells by place of the column.
        row: Row number of each row, int64, shape (n,). [1]
        bad: Rows that could not be cut into cells.
    """

    columns: dict[int, pa.Array]
    row: np.ndarray
    bad: tuple[BadRow, ...] = ()


@dataclasses.dataclass(frozen=True)
class Head:
    """The rows above the data. Static.

    Attributes:
        rows: Cells of each header row.
        names: Name of each column.
        start: Where the data begin. [bytes]
        first_row: Number of the first data row. [1]
    """

    rows: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    start: int
    first_row: int


def read_head(path: Path, form: TextForm, name: str) -> Head:
    """Return the header of a text file.

    Raises:
        InputError: The file is shorter than its header.
    """
    with path.open("rb") as file:
        data = file.read(HEAD)
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    for _ in range(form.skip_rows):
        end = data.find(b"\n", start)
        start = len(data) if end < 0 else end + 1
    text = _strict(data[start:], name)
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, delimiter=form.delimiter)
    rows: list[tuple[str, ...]] = []
    for _ in range(form.header_rows):
        rows.append(tuple(cell.strip() for cell in next(reader, [])))
    used = len(stream.getvalue()[: stream.tell()].encode()) if form.header_rows else 0
    width = max([len(row) for row in rows] + [_width(text[used:], form.delimiter)])
    if (not any(rows) and width < 2) or start >= len(data):
        raise InputError(
            f"{name}: found no row below line {form.skip_rows}, expected a header and "
            "data; correct `skip_rows` and `header_rows`, or export a longer period"
        )
    lines = data[:start].count(b"\n") + reader.line_num
    return Head(tuple(rows), _names(rows, form, width), start + used, lines + 1)


def _strict(data: bytes, name: str) -> str:
    """Return the beginning of a text; its last line may be cut off inside a sign."""
    try:
        whole = data[: data.rfind(b"\n") + 1] if len(data) > HEAD // 2 else data
        return whole.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: found byte 0x{data[error.start]:02x}, which is not UTF-8, "
            "expected text in the declared encoding; correct `encoding` of the file"
        ) from error


def _width(text: str, delimiter: str) -> int:
    """Return how many cells most of the first data rows have [1]."""
    rows = csv.reader(io.StringIO(text[:65536]), delimiter=delimiter)
    counts = [len(row) for row, _ in zip(rows, range(50), strict=False) if row][:-1]
    return max(set(counts), key=counts.count) if counts else 0


def _names(
    rows: Sequence[tuple[str, ...]], form: TextForm, width: int
) -> tuple[str, ...]:
    named = [row for i, row in enumerate(rows, 1) if i != form.unit_row]
    names = []
    for place in range(width):
        parts = [row[place] for row in named if place < len(row) and row[place]]
        names.append(" | ".join(parts) or f"column {place}")
    return tuple(names)


def text_jobs(
    path: Path, file: FileMap, head: Head, columns: Sequence[int], name: str
) -> Iterator["Job"]:
    """Give the data of a text file block by block, not yet cut into cells.

    Args:
        path: UTF-8 text.
        file: How it is written.
        head: Its header.
        columns: Places of the columns that are wanted.
        name: The export's name, for messages.

    Raises:
        InputError: A quote is opened and never closed.
    """
    row, width = head.first_row, len(head.names)
    for block in _blocks(path, head.start):
        if b'"' in block and block.count(b'"') % 2:
            raise InputError(
                f"{name}, row {row} or below: found a quote that is opened and never "
                "closed, expected pairs; correct the row or the export's quoting"
            )
        yield Job(name, block, row, file.text, width, tuple(columns), file.null_tokens)
        row += block.count(b"\n")


@dataclasses.dataclass(frozen=True)
class Job:
    """A block of text that any thread may cut into cells. Static.

    Attributes:
        name: File name, for messages.
        data: Whole rows.
        first_row: Number of the first. [1]
        form: How cells are written.
        width: Cells in a row. [1]
        columns: Places of the columns that are wanted.
        nulls: Texts that mean an empty cell.
    """

    name: str
    data: bytes
    first_row: int
    form: TextForm
    width: int
    columns: tuple[int, ...]
    nulls: tuple[str, ...]

    def cut(self) -> Batch:
        """Return the block's cells as text."""
        bad: list[BadRow] = []

        def skip(row: pacsv.InvalidRow) -> str:
            number = self.first_row + (row.number or 1) - 1
            text = row.text.strip()
            reason = (
                WRONG_CELLS if text.strip(self.form.delimiter + '" ') else EMPTY_LINE
            )
            bad.append(BadRow(number, reason, text[:SHOWN]))
            return "skip"

        try:
            table = self._read(skip)
        except pa.ArrowInvalid as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{self.name}: rows from {self.first_row} on cannot be read "
                f"({reason}), expected text in the declared encoding; correct "
                "`encoding`, `delimiter` or the rows"
            ) from error
        rows = self.first_row + np.arange(table.num_rows + len(bad), dtype=np.int64)
        kept = rows[~np.isin(rows, [each.row for each in bad])]
        columns = {i: _one(table.column(str(i))) for i in self.columns}
        return Batch(columns, kept, tuple(bad))

    def _read(self, skip: Callable[[pacsv.InvalidRow], str]) -> pa.Table:
        names = [str(i) for i in range(self.width)]
        return pacsv.read_csv(
            pa.BufferReader(self.data),
            read_options=pacsv.ReadOptions(
                use_threads=False, column_names=names, block_size=len(self.data) + 1
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=self.form.delimiter,
                newlines_in_values=b'"' in self.data,
                ignore_empty_lines=self.width == 1,
                invalid_row_handler=skip,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                include_columns=[str(i) for i in self.columns],
                null_values=list(self.nulls),
                strings_can_be_null=True,
            ),
        )


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _blocks(path: Path, start: int) -> Iterator[bytes]:
    """Give blocks of whole rows; one with an open quote is given as it is."""
    with path.open("rb") as file:
        file.seek(start)
        held, tries = b"", 0
        while chunk := file.read(BLOCK):
            data = held + chunk
            end = _row_end(data)
            tries = tries + 1 if end == 0 else 0
            end = len(data) if tries > QUOTED_MOST else end
            held = data[end:]
            if end:
                yield data[:end]
        if held.strip():
            yield held


def _row_end(data: bytes) -> int:
    """Return where the last whole row ends, outside quotes [bytes]."""
    end = data.rfind(b"\n") + 1
    if b'"' not in data:
        return end
    while end and data.count(b'"', 0, end) % 2:
        end = data.rfind(b"\n", 0, end - 1) + 1
    return end
