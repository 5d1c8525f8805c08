"""Reading a ledger. Nothing can be written through a reader."""

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, final

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.chain import Entry, Tail
from coolbound_shadow.ledger.database import FILE, HEADS_FILE, open_reading, read_tail
from coolbound_shadow.ledger.heads import Head, read_heads
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.ledger.walk import CHUNK

LAST_SEQ = 2**63 - 1
"""No record stands behind this place. [1]"""

ENTRIES = "SELECT seq, prev, hash, body FROM ledger WHERE seq BETWEEN ? AND ?"

LAST_TICK = (
    "SELECT json_extract(body, '$.time') FROM ledger "
    "WHERE json_extract(body, '$.kind') = 'tick' AND json_extract(body, '$.run') = ? "
    "ORDER BY 1 DESC LIMIT 1"
)


@dataclasses.dataclass(frozen=True)
class Status:
    """How a ledger stands. Static.

    Attributes:
        records: Records in it. [rows]
        hash: Hash of the last one, hexadecimal.
        recorded: When that was written.
        head: Last signed head, None for none.
        unsigned: Records after that head. [rows]
        wal_bytes: Size of SQLite's write-ahead log. [bytes]
    """

    records: int
    hash: str
    recorded: str
    head: Head | None
    unsigned: int
    wal_bytes: int


@final
class LedgerReader:
    """Reads the ledger of a folder while others write it. Threads may share one."""

    def __init__(self, folder: Path) -> None:
        """Open a ledger.

        Raises:
            InputError: The folder holds none.
        """
        self.folder = folder.absolute()
        self._threads = threading.Lock()
        self.connection = open_reading(self.folder)

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def tail(self) -> Tail:
        """Return the last record's place, hash and time."""
        with self._threads:
            return read_tail(self.connection)

    def entry(self, seq: int) -> Entry:
        """Return one record.

        Raises:
            InputError: There is no such record.
        """
        found = next(self.entries(seq, seq), None)
        if found is None:
            raise InputError(
                f"{self.folder}: found no record {seq:,}, expected 1 to "
                f"{self.tail().seq:,}; give one of these"
            )
        return found

    def entries(
        self, first: int = 1, last: int = LAST_SEQ, kinds: Sequence[Kind] = ()
    ) -> Iterator[Entry]:
        """Yield records in order, in short reads, of some kinds or of all.

        Args:
            first: Place of the first record. [1]
            last: Place of the last record. [1]
            kinds: Kinds that are wanted; none for all.
        """
        places = ", ".join("?" for _ in kinds)
        wanted = f" AND json_extract(body, '$.kind') IN ({places})" if kinds else ""
        select = f"{ENTRIES}{wanted} ORDER BY seq LIMIT ?"
        names = [kind.value for kind in kinds]
        while rows := self._all(select, (first, last, *names, CHUNK)):
            yield from (Entry(*row) for row in rows)
            first = rows[-1][0] + 1

    def last_tick(self, run: str) -> str | None:
        """Return the time of a run's last tick, as 2026-11-20T10:05:00Z, or None."""
        rows = self._all(LAST_TICK, (run,))
        return rows[0][0] if rows else None

    def status(self) -> Status:
        """Return how the ledger stands."""
        # Heads first: a record that is written meanwhile only counts as unsigned.
        signed = read_heads(self.folder / HEADS_FILE).heads
        head = signed[-1] if signed else None
        tail = self.tail()
        wal = self.folder / f"{FILE}-wal"
        return Status(
            records=tail.seq,
            hash=tail.hash.hex(),
            recorded=tail.recorded,
            head=head,
            unsigned=tail.seq - (head.count if head else 0),
            wal_bytes=wal.stat().st_size if wal.is_file() else 0,
        )

    def _all(self, select: str, values: Sequence[object]) -> list[tuple]:
        with self._threads:
            return self.connection.execute(select, tuple(values)).fetchall()
