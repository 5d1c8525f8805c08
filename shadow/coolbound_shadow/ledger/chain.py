"""The chain: hash_n = SHA-256(hash_(n-1) || UTF-8 body_n), hash_0 is 32 zero bytes.

It is taken over the bytes that are stored, so any change of a stored record, its
place or its predecessor shows. Who rewrites all of it to the end leaves a chain
that is whole: only heads that were signed before tell (`heads`).
"""

import dataclasses
import hashlib
import json
from typing import Any

GENESIS = bytes(32)
"""What stands before the first record."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One stored record. Static.

    Attributes:
        seq: Its place, from 1 on, without a gap. [1]
        prev: Hash of the record before it, 32 bytes.
        hash: Its own hash, 32 bytes.
        body: Its text, exactly as stored.
    """

    seq: int
    prev: bytes
    hash: bytes
    body: str

    @property
    def data(self) -> dict[str, Any]:
        """What the body says."""
        return json.loads(self.body)


@dataclasses.dataclass(frozen=True)
class Tail:
    """Where the next record goes. Static.

    Attributes:
        seq: Place of the last record; 0 for an empty ledger. [1]
        hash: Hash of the last record.
        recorded: When it was written, as in its envelope; empty for none.
    """

    seq: int
    hash: bytes
    recorded: str


def link(prev: bytes, body: bytes) -> bytes:
    """Return the hash of a record that follows another."""
    return hashlib.sha256(prev + body).digest()


def follow(tail: Tail, bodies: list[str]) -> list[Entry]:
    """Return the entries that put these bodies at the end of a chain."""
    entries = []
    prev = tail.hash
    for seq, body in enumerate(bodies, tail.seq + 1):
        own = link(prev, body.encode("utf-8"))
        entries.append(Entry(seq, prev, own, body))
        prev = own
    return entries
