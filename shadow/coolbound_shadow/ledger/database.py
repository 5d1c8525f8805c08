"""The SQLite file: its table, its guard rails, and how it is opened.

Triggers refuse to change, delete or skip. They are a guard rail against mistakes:
who may write the file may drop them. The evidence is the signed chain.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.chain import GENESIS, Entry, Tail

FILE, LOCK_FILE, HEADS_FILE = "ledger.sqlite", "writer.lock", "heads.jsonl"
KEYS_FOLDER, SEALS_FOLDER = "keys", "seals"

APPLICATION_ID = 0x43424C47
"""Tells a ledger from any other SQLite file: "CBLG"."""

FIXED_SQLITE = (3, 51, 3)
"""The first release without the WAL-reset bug, which `lock` keeps away before."""

DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError, OverflowError)
"""What reading a damaged file raises: even SQLite's own words may be unreadable."""

BUSY_MS = 5000
"""How long SQLite itself waits for a lock. [ms]"""

OBJECTS = {
    "ledger": "CREATE TABLE ledger(seq INTEGER PRIMARY KEY, prev BLOB NOT NULL "
    "UNIQUE, hash BLOB NOT NULL, body TEXT NOT NULL) STRICT",
    "by_kind": "CREATE INDEX by_kind ON ledger(json_extract(body, '$.kind'))",
    "one_tick": "CREATE UNIQUE INDEX one_tick ON ledger("
    "json_extract(body, '$.run'), json_extract(body, '$.time')) "
    "WHERE json_extract(body, '$.kind') = 'tick'",
    "no_gap": "CREATE TRIGGER no_gap BEFORE INSERT ON ledger "
    "WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM ledger) "
    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: seq must be the next'); "
    "END",
    "no_update": "CREATE TRIGGER no_update BEFORE UPDATE ON ledger "
    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no update'); END",
    "no_delete": "CREATE TRIGGER no_delete BEFORE DELETE ON ledger "
    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no delete'); END",
}
"""Everything in the file by name, as SQLite keeps it."""

INSERT = "INSERT INTO ledger(seq, prev, hash, body) VALUES (?, ?, ?, ?)"

WRITER_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "fullfsync": 1,
    "recursive_triggers": 1,
    "busy_timeout": BUSY_MS,
}
"""Settings of a writing connection; each holds for that connection only."""


def open_writing(folder: Path) -> sqlite3.Connection:
    """Open the ledger of a folder for appending, and make it if there is none.

    The caller holds the lock.

    Raises:
        InputError: The file is not a ledger, or a setting is refused.
    """
    path = folder / FILE
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _require_ledger(connection, path, is_new_allowed=True)
        for name, value in WRITER_PRAGMAS.items():
            _set(connection, name, value, path)
        _create(connection)
    except DAMAGE as error:
        connection.close()
        raise _unusable(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def open_reading(folder: Path) -> sqlite3.Connection:
    """Open the ledger of a folder so that nothing can be written through it.

    Raises:
        InputError: There is no ledger.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(
            f"{folder}: found no {FILE}, expected the folder of a ledger; give the "
            "folder that a shadow run named"
        )
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        _require_ledger(connection, path, is_new_allowed=False)
    except DAMAGE as error:
        connection.close()
        raise _unusable(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _unusable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: found a file that SQLite cannot use ({error}), expected a ledger; "
        "restore it from a copy, or read one that `coolbound ledger export` made"
    )


def _require_ledger(
    connection: sqlite3.Connection, path: Path, is_new_allowed: bool
) -> None:
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    if found == APPLICATION_ID:
        return
    is_empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[
        0
    ]
    if not (is_new_allowed and is_empty and found == 0):
        raise InputError(
            f"{path}: found application id {found}, expected a ledger's "
            f"({APPLICATION_ID}); give the folder of a ledger"
        )


def _set(
    connection: sqlite3.Connection, name: str, value: int | str, path: Path
) -> None:
    """Set a pragma and read it back: SQLite ignores what it cannot do."""
    connection.execute(f"PRAGMA {name} = {value}")
    found = connection.execute(f"PRAGMA {name}").fetchone()[0]
    if found != value:
        raise InputError(
            f"{path}: found {name} = {found!r}, expected {value!r}; put the ledger on "
            "a local disk, not on a network share"
        )


def _create(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        if schema(connection):
            return
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for statement in OBJECTS.values():
            connection.execute(statement)


def schema(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what the file holds besides rows, by name, as SQLite keeps it."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL")
    return {str(name): str(sql) for name, sql in rows}


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing; when this ends without an error, it is on the disk."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def read_tail(connection: sqlite3.Connection) -> Tail:
    """Return where the next record goes."""
    row = connection.execute(
        "SELECT seq, hash, json_extract(body, '$.recorded') FROM ledger "
        "ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return Tail(0, GENESIS, "") if row is None else Tail(row[0], row[1], row[2])


def hash_at(connection: sqlite3.Connection, seq: int) -> bytes | None:
    """Return the hash of one record, None where there is none."""
    row = connection.execute("SELECT hash FROM ledger WHERE seq = ?", (seq,)).fetchone()
    return row[0] if row else None


def insert(connection: sqlite3.Connection, entries: list[Entry]) -> None:
    """Insert entries; the caller holds lock and transaction."""
    rows = ((each.seq, each.prev, each.hash, each.body) for each in entries)
    connection.executemany(INSERT, rows)
