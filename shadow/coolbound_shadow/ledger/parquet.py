"""Records as Parquet: for sealed days, exports and analysis."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from coolbound_shadow.ledger.body import instant
from coolbound_shadow.ledger.chain import Entry

SCHEMA = "coolbound.ledger-records/1"

GROUP = 10_000
"""Rows that are held and written at once. [rows]"""

COLUMNS = pa.schema(
    [
        ("seq", pa.int64()),
        ("recorded", pa.timestamp("us", tz="UTC")),
        ("kind", pa.string()),
        ("prev", pa.binary(32)),
        ("hash", pa.binary(32)),
        ("body", pa.string()),
    ],
    metadata={"schema": SCHEMA},
)


@dataclasses.dataclass(frozen=True)
class Written:
    """What went into a file. Static.

    Attributes:
        rows: Records. [rows]
        last: The last one, None for none.
    """

    rows: int
    last: Entry | None


def write_entries(path: Path, entries: Iterable[Entry]) -> Written:
    """Write records as they come; the same records give the same bytes."""
    rows, last = 0, None
    source = iter(entries)
    with pq.ParquetWriter(path, COLUMNS, compression="zstd") as file:
        while group := list(itertools.islice(source, GROUP)):
            file.write_table(_table(group))
            rows, last = rows + len(group), group[-1]
    return Written(rows, last)


def _table(entries: list[Entry]) -> pa.Table:
    data = [entry.data for entry in entries]
    columns = [
        [entry.seq for entry in entries],
        [instant(each["recorded"]) for each in data],
        [each["kind"] for each in data],
        [entry.prev for entry in entries],
        [entry.hash for entry in entries],
        [entry.body for entry in entries],
    ]
    arrays = [
        pa.array(column, field.type)
        for column, field in zip(columns, COLUMNS, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=COLUMNS)


def stored_hashes(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield place and hash of every record of a file.

    Raises:
        OSError: It cannot be read.
        pa.ArrowException: It is no such Parquet file.
    """
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(GROUP, columns=["seq", "hash"]):
            yield from zip(*(column.to_pylist() for column in batch), strict=True)
