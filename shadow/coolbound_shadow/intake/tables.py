"""One export as a table: its columns by name or by place, its rows in batches."""

import dataclasses
import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.exports import PARQUET, Export, as_text
from coolbound_shadow.intake.file_types import ColumnRef, FileMap
from coolbound_shadow.intake.text_blocks import Batch, Head, read_head, text_jobs

WORKERS = 2
"""Blocks that are cut at once. [1]"""

AHEAD = 3
"""Blocks that may wait for the one before. [1]"""

PARQUET_ROWS = 1 << 16
"""Rows of a Parquet file that are read at once. [rows]"""

T = TypeVar("T")
Given = TypeVar("Given")


@dataclasses.dataclass(frozen=True)
class Sheet:
    """An export, opened as its map says. Static.

    Attributes:
        export: The file.
        file: How it is written.
        names: Names of its columns.
        digest: SHA-256 of the header.
        path: Text to be read; none for Parquet.
        head: Header of the text; none for Parquet.
    """

    export: Export
    file: FileMap
    names: tuple[str, ...]
    digest: str
    path: Path | None = None
    head: Head | None = None

    @property
    def name(self) -> str:
        """File name, with its sheet where it has several."""
        sheet = self.file.text.sheet
        return f"{self.export.name} ({sheet})" if sheet else self.export.name

    def place(self, ref: ColumnRef, wanted_by: str) -> int:
        """Return the place of a column.

        Raises:
            InputError: The file has no such column, or has it twice.
        """
        if ref.position >= 0:
            return self._at(ref.position, wanted_by)
        found = [i for i, name in enumerate(self.names) if name == ref.name]
        if len(found) == 1:
            return found[0]
        if not found:
            raise InputError(
                f"{self.name}: found no column {ref.name!r} (wanted by {wanted_by}), "
                f"expected it among {_listed(self.names)}; correct the map, or leave "
                "out an export of another site"
            )
        raise InputError(
            f"{self.name}: found column {ref.name!r} {len(found)} times, expected "
            "every header once; name it by { position = "
            f"{found[0]} }} with `on_duplicate_header = 'by_position'` and "
            "`header_sha256`, or rename it in the export"
        )

    def _at(self, position: int, wanted_by: str) -> int:
        if position < len(self.names):
            return position
        raise InputError(
            f"{self.name}: found {len(self.names)} columns, expected one at position "
            f"{position} (wanted by {wanted_by}); correct the map"
        )


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def open_sheet(export: Export, file: FileMap, folder: Path) -> Sheet:
    """Return an export as a table.

    Args:
        export: The file.
        file: How it is written.
        folder: For copies as UTF-8.

    Raises:
        InputError: It cannot be read so, or its header is not the one declared.
    """
    if export.form == PARQUET:
        names = tuple(_parquet(export).schema_arrow.names)
        sheet = Sheet(export, file, names, header_digest(names))
    else:
        path = as_text(export, file.text.encoding, file.text.sheet, folder)
        head = read_head(path, file.text, export.name)
        sheet = Sheet(export, file, head.names, header_digest(head.names), path, head)
    _check_header(sheet)
    return sheet


def header_digest(names: Sequence[str]) -> str:
    """Return the SHA-256 of a header, hexadecimal."""
    return hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()


def _check_header(sheet: Sheet) -> None:
    wanted = sheet.file.header_sha256
    if wanted and wanted != sheet.digest:
        raise InputError(
            f"{sheet.name}: found a header with sha256 {sheet.digest[:12]}..., "
            f"expected {wanted[:12]}... as the map declares; the export's columns "
            "have changed: look at them again with `coolbound log inspect`"
        )
    twice = sorted({n for n in sheet.names if sheet.names.count(n) > 1})
    is_refused = sheet.file.on_duplicate_header == "refuse"
    if twice and is_refused:
        raise InputError(
            f"{sheet.name}: found column {twice[0]!r} {sheet.names.count(twice[0])} "
            "times, expected every header once; rename one in the export, or set "
            "`on_duplicate_header = 'by_position'`"
        )
    if twice and not wanted:
        raise InputError(
            f"{sheet.name}: found no `header_sha256`, expected {sheet.digest!r} where "
            "columns go by position; add it, so that a changed export is noticed"
        )


def _parquet(export: Export) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(export.path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{export.name}: cannot be read as Parquet ({reason}), expected a whole "
            "file; export it again"
        ) from error


def read_batches(sheet: Sheet, columns: Sequence[int]) -> Iterator[Callable[[], Batch]]:
    """Give the rows of a sheet batch by batch, as calls that any thread may make."""
    if sheet.path is not None and sheet.head is not None:
        for job in text_jobs(sheet.path, sheet.file, sheet.head, columns, sheet.name):
            yield job.cut
        return
    file, row = _parquet(sheet.export), 1
    names = [sheet.names[i] for i in columns]
    for part in file.iter_batches(PARQUET_ROWS, columns=names, use_threads=False):
        batch = _parquet_batch(part, columns, row)
        yield lambda batch=batch: batch
        row += part.num_rows


def _parquet_batch(part: pa.RecordBatch, columns: Sequence[int], row: int) -> Batch:
    cells = {place: part.column(i) for i, place in enumerate(columns)}
    return Batch(cells, row + np.arange(part.num_rows, dtype=np.int64))


def in_order(work: Callable[[Given], T], given: Iterable[Given]) -> Iterator[T]:
    """Do work on threads, a few things ahead, and give the results in order."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[T]] = deque()
        for one in given:
            waiting.append(pool.submit(work, one))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
