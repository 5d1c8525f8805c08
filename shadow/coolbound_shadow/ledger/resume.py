"""Going on with a ledger: what must hold at its end, and what is put on record."""

import importlib.metadata
import json
import platform
import sqlite3
import uuid
from pathlib import Path
from typing import Any

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.chain import GENESIS, Tail
from coolbound_shadow.ledger.database import (
    FIXED_SQLITE,
    OBJECTS,
    hash_at,
    read_tail,
    schema,
)
from coolbound_shadow.ledger.heads import Head
from coolbound_shadow.ledger.keys import Signer
from coolbound_shadow.ledger.records import Kind, Record
from coolbound_shadow.ledger.upkeep import Change
from coolbound_shadow.ledger.walk import identity, walk

SCHEMA = "coolbound.ledger/1"

ACTOR = "coolbound"
"""Who is named where no person acts."""

LEDGER, SOFTWARE, SIGNING_KEY = "ledger", "software", "signing key"
"""Events of a ledger's own records."""

LAST_OF = (
    "SELECT body FROM ledger WHERE json_extract(body, '$.kind') = ? "
    "AND json_extract(body, '$.event') = ? ORDER BY seq DESC LIMIT 1"
)


def check_end(connection: sqlite3.Connection, folder: Path, head: Head | None) -> None:
    """Refuse to go on behind an end that does not hold.

    All after the last signed head is walked, so that this is quick; the whole is
    what `coolbound ledger verify` is for.

    Raises:
        InputError: Records were cut off or changed, or guard rails are gone.
    """
    if schema(connection) != OBJECTS:
        raise _damaged(folder, "a table, index or trigger that was changed")
    start = Tail(head.count, bytes.fromhex(head.hash), "") if head else None
    if head and start and hash_at(connection, head.count) != start.hash:
        raise _damaged(
            folder,
            f"{read_tail(connection).seq:,} records that are not those of its last "
            f"signed head, which counts {head.count:,}",
        )
    found = walk(connection, start or Tail(0, GENESIS, ""))
    if found.findings:
        raise _damaged(folder, found.findings[0].sentence)
    if head and head.ledger != read_identity(connection, folder):
        raise _damaged(folder, "signed heads of another ledger")


def _damaged(folder: Path, found: str) -> InputError:
    return InputError(
        f"{folder}: found {found}, expected a ledger as it was left; nothing was "
        "appended: run `coolbound ledger verify`, keep this folder, begin a new one"
    )


def read_identity(connection: sqlite3.Connection, folder: Path) -> str:
    """Return the identity of a ledger from its first record.

    Raises:
        InputError: The first record does not say it.
    """
    row = connection.execute("SELECT body FROM ledger WHERE seq = 1").fetchone()
    found = identity(json.loads(row[0])) if row else ""
    if not found:
        raise _damaged(folder, "a first record without an identity")
    return found


def opening_records(
    connection: sqlite3.Connection, signer: Signer | None
) -> list[Record]:
    """Return what must be put on record before anything else is appended."""
    records: list[Record] = []
    if read_tail(connection).seq == 0:
        new = {"id": uuid.uuid4().hex, "schema": SCHEMA}
        records.append(Change(Kind.CONFIG, ACTOR, LEDGER, None, new, "first record"))
    software = _software()
    before = last_change(connection, Kind.CONFIG, SOFTWARE)
    if before != software:
        reason = "the first writer" if before is None else "another writer"
        records.append(Change(Kind.CONFIG, ACTOR, SOFTWARE, before, software, reason))
    if signer:
        key = {"key": signer.key, "public": signer.public_pem().decode("ascii")}
        before = last_change(connection, Kind.KEY, SIGNING_KEY)
        if before != key:
            reason = "heads are signed with it from here on"
            records.append(Change(Kind.KEY, ACTOR, SIGNING_KEY, before, key, reason))
    return records


def last_change(connection: sqlite3.Connection, kind: Kind, event: str) -> Any:
    """Return what an event changed something to last; None where it never did."""
    row = connection.execute(LAST_OF, (kind.value, event)).fetchone()
    return json.loads(row[0])["new"] if row else None


def _software() -> dict[str, Any]:
    return {
        "coolbound": importlib.metadata.version("coolbound"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "has_wal_reset_bug": sqlite3.sqlite_version_info < FIXED_SQLITE,
    }
