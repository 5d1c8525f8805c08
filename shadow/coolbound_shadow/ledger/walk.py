"""Walking along the chain, from any record to the end, in short reads."""

import dataclasses
import json
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from coolbound_shadow.ledger.chain import Tail, link
from coolbound_shadow.ledger.database import DAMAGE
from coolbound_shadow.ledger.records import Kind

CHUNK = 5000
"""Rows of one read: a long reader would keep the write-ahead log growing. [rows]"""

SELECT = (
    "SELECT seq, prev, hash, CAST(body AS BLOB) FROM ledger "
    "WHERE seq > ? ORDER BY seq LIMIT ?"
)

BEFORE_ALL = -(2**63)

KINDS = frozenset(kind.value for kind in Kind)

TICK = b'"kind":"tick"'

FINDINGS_KEPT = 20
"""A damaged ledger is not described record by record. [1]"""

Row = tuple[int, bytes, bytes, bytes]
Count = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that is wrong, and where. Static.

    Attributes:
        what: `unreadable`, `schema`, `edited`, `missing`, `broken`, `truncated`,
            `rewritten`, `heads`, `signature`, `seal` or `unsigned`.
        seq: First record concerned; 0 for none in particular. [1]
        sentence: What was found, for a person.
    """

    what: str
    seq: int
    sentence: str


@dataclasses.dataclass
class Walk:
    """What a walk has seen so far.

    Attributes:
        last: The last record.
        hashes: Hash of each record by its place.
        seals: What each seal record says, by its place.
        ledger: Identity, where the walk began at the first record.
        findings: What is wrong with the chain.
    """

    last: Tail
    hashes: dict[int, bytes] = dataclasses.field(default_factory=dict)
    seals: dict[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    ledger: str = ""
    findings: list[Finding] = dataclasses.field(default_factory=list)


def walk(
    connection: sqlite3.Connection, start: Tail, count: Count | None = None
) -> Walk:
    """Check every record after `start`: place, predecessor, bytes, content.

    Args:
        connection: The ledger.
        start: The record after which to begin.
        count: Told how many records have been seen.
    """
    found = Walk(start)
    try:
        for row in _rows(connection, start.seq or BEFORE_ALL):
            _check(found, row)
            if count and len(found.hashes) % CHUNK == 0:
                count(len(found.hashes))
    except DAMAGE as error:
        where = found.last.seq
        sentence = f"the file cannot be read after record {where:,}: {error}"
        found.findings.append(Finding("unreadable", where, sentence))
    return found


def _rows(connection: sqlite3.Connection, after: int) -> Iterator[Row]:
    while rows := connection.execute(SELECT, (after, CHUNK)).fetchall():
        yield from rows
        after = rows[-1][0]


def _check(found: Walk, row: Row) -> None:
    seq, prev, own, body = row
    last = found.last
    problem = _place(seq, last) or _bytes(row) or _predecessor(seq, prev, last)
    # Ticks are nearly all of a ledger, and nothing here depends on what they say.
    is_tick = isinstance(body, bytes) and TICK in body
    content = None if is_tick else _content(body)
    is_known = is_tick or (content is not None and content.get("kind") in KINDS)
    if problem is None and not is_known:
        what = f"record {seq:,} says nothing that a ledger holds"
        problem = Finding("edited", seq, what)
    if problem and len(found.findings) < FINDINGS_KEPT:
        found.findings.append(problem)
    found.hashes[seq] = own
    found.last = Tail(seq, own, "")
    if content and content.get("kind") == Kind.SEAL:
        found.seals[seq] = content
    if seq == 1 and content:
        found.ledger = identity(content)


def _place(seq: int, last: Tail) -> Finding | None:
    if seq == last.seq + 1:
        return None
    if seq <= last.seq or seq < 1:
        return Finding("broken", seq, f"record {seq:,} stands where none may be")
    return Finding(
        "missing",
        last.seq + 1,
        f"{span(last.seq + 1, seq - 1)} missing: record {seq:,} comes next",
    )


def _bytes(row: Row) -> Finding | None:
    seq, prev, own, body = row
    try:
        is_own = link(prev, body) == own
    except TypeError:
        is_own = False
    if is_own:
        return None
    return Finding(
        "edited", seq, f"record {seq:,} was edited: its bytes do not give its hash"
    )


def _predecessor(seq: int, prev: bytes, last: Tail) -> Finding | None:
    if prev == last.hash:
        return None
    before = f"record {last.seq:,}" if last.seq else "the beginning"
    return Finding(
        "broken",
        seq,
        f"record {seq:,} does not follow {before}: one of the two was exchanged, "
        "inserted or rewritten",
    )


def _content(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def identity(content: dict[str, Any]) -> str:
    """Return the ledger's identity from its first record; empty if it says none."""
    new = content.get("new")
    return str(new.get("id", "")) if isinstance(new, dict) else ""


def span(first: int, last: int) -> str:
    """Return records as words, with their verb."""
    if first == last:
        return f"record {first:,} is"
    return f"records {first:,} to {last:,} are"
