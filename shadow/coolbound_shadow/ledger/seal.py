"""Sealing: each closed UTC day becomes a Parquet file whose digest is in the chain.

A day is the day on which its records were written, and what is sealed together is
what stands together: should the clock be set back over midnight, a day is sealed
in several files. Their names say which records they hold.
"""

import dataclasses
import itertools
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.database import SEALS_FOLDER, read_tail
from coolbound_shadow.ledger.files import (
    file_digest,
    remove_leftovers,
    written_aside,
)
from coolbound_shadow.ledger.parquet import stored_hashes, write_entries
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.ledger.upkeep import Seal
from coolbound_shadow.ledger.walk import CHUNK
from coolbound_shadow.ledger.writer import LedgerWriter

LAST_SEAL = (
    "SELECT body FROM ledger WHERE json_extract(body, '$.kind') = ? "
    "ORDER BY seq DESC LIMIT 1"
)

DAYS = (
    "SELECT seq, substr(json_extract(body, '$.recorded'), 1, 10) FROM ledger "
    "WHERE seq > ? ORDER BY seq LIMIT ?"
)


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Records that stand together and were written on one UTC day. Static.

    Attributes:
        day: The day, as 2026-11-20.
        first: The first record. [1]
        last: The last record. [1]
    """

    day: str
    first: int
    last: int

    @property
    def file(self) -> str:
        """Name of the file that seals them."""
        return f"{self.day}_{self.first}-{self.last}.parquet"


def seal_closed_days(writer: LedgerWriter) -> list[Seal]:
    """Seal every closed day that is not sealed, and clear away what a crash left.

    Raises:
        InputError: A file cannot be written, or does not hold what it should.
    """
    folder = writer.folder / SEALS_FOLDER
    with writer.exclusive():
        folder.mkdir(exist_ok=True)
        remove_leftovers(folder)
        today = writer.settings.clock.now().astimezone(UTC)
        stretches = closed_stretches(writer.connection, today)
        seals = [_seal(writer, folder, stretch) for stretch in stretches]
        if seals:
            writer.sign()
    return seals


def closed_stretches(connection: sqlite3.Connection, today: datetime) -> list[Stretch]:
    """Return the days that nothing can be added to and that no seal covers."""
    row = connection.execute(LAST_SEAL, (Kind.SEAL.value,)).fetchone()
    sealed = json.loads(row[0])["last_seq"] if row else 0
    end = read_tail(connection).seq
    days = itertools.groupby(_days(connection, sealed), key=lambda each: each[1])
    stretches = []
    for day, group in days:
        seqs = [seq for seq, _ in group]
        if seqs[-1] < end or day < today.strftime("%Y-%m-%d"):
            stretches.append(Stretch(day, seqs[0], seqs[-1]))
    return stretches


def _days(connection: sqlite3.Connection, after: int) -> Iterator[tuple[int, str]]:
    while rows := connection.execute(DAYS, (after, CHUNK)).fetchall():
        yield from rows
        after = rows[-1][0]


def _seal(writer: LedgerWriter, folder: Path, stretch: Stretch) -> Seal:
    path = folder / stretch.file
    try:
        with LedgerReader(writer.folder) as reader, written_aside(path) as aside:
            written = write_entries(aside, reader.entries(stretch.first, stretch.last))
            digest = file_digest(aside)
    except OSError as error:
        raise InputError(
            f"{path}: found {error.strerror or error} while sealing, expected room and "
            "leave to write; clear that and run `coolbound ledger seal`"
        ) from error
    if written.last is None or not _holds(path, digest, stretch, written.last.hash):
        raise InputError(
            f"{path}: found another content than was written, expected records "
            f"{stretch.first:,} to {stretch.last:,}; check the disk, then run "
            "`coolbound ledger seal`"
        )
    seal = Seal(
        day=stretch.day,
        file=stretch.file,
        sha256=digest,
        first_seq=stretch.first,
        last_seq=stretch.last,
        rows=written.rows,
        last_hash=written.last.hash.hex(),
    )
    writer.append(seal)
    return seal


def _holds(path: Path, digest: str, stretch: Stretch, last_hash: bytes) -> bool:
    """Return whether the file on the disk holds what was meant to go into it."""
    found = list(stored_hashes(path))
    expected = list(range(stretch.first, stretch.last + 1))
    is_whole = [seq for seq, _ in found] == expected and found[-1][1] == last_hash
    return is_whole and file_digest(path) == digest
