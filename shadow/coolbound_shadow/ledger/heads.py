"""Signed heads: who holds one can tell when records before it were cut or rewritten.

A head says "the ledger L held n records and the last had this hash", signed with
Ed25519. The chain alone cannot say that: a chain that was cut, or rewritten from
some record to its end, is whole. Each head names the digest of the head before it,
so that none can be dropped from the middle. Copies belong on another machine.
"""

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.body import canonical
from coolbound_shadow.ledger.files import sync_folder
from coolbound_shadow.ledger.keys import PublicKeys, Signer, is_signed

SCHEMA = "coolbound.ledger-head/1"

PURPOSE = b"coolbound ledger head\n"
"""Goes before what is signed, so that no other signature of the key passes for one."""

NONE_BEFORE = "0" * 64
"""What the first head names as the one before."""

WINDOW = 8192
"""Holds the last two lines of a file of heads with room to spare. [bytes]"""


@dataclasses.dataclass(frozen=True)
class Head:
    """What was signed. Static.

    Attributes:
        ledger: Identity of the ledger.
        count: Records that it held. [rows]
        hash: Hash of the last of them, hexadecimal.
        time: When it was signed, as in an envelope.
        previous: Digest of the head before, hexadecimal.
        key: Name of the key.
        signature: Of all the rest, hexadecimal.
    """

    ledger: str
    count: int
    hash: str
    time: str
    previous: str
    key: str
    signature: str

    def line(self) -> str:
        """Return the head as one line of text."""
        return canonical(dataclasses.asdict(self) | {"schema": SCHEMA})

    def digest(self) -> str:
        """Return what the next head names, hexadecimal."""
        return hashlib.sha256(self.line().encode("utf-8")).hexdigest()


@dataclasses.dataclass(frozen=True)
class HeadsFile:
    """What a file of heads holds. Static.

    Attributes:
        path: The file.
        heads: Those that can be read, in order.
        unreadable: Numbers of complete lines that are no head.
        has_torn_end: Whether the last line was not finished, as a crash leaves it.
    """

    path: Path
    heads: tuple[Head, ...]
    unreadable: tuple[int, ...]
    has_torn_end: bool


def sign_head(
    signer: Signer, ledger: str, count: int, chain_hash: bytes, time: str, previous: str
) -> Head:
    """Return the signed head of a ledger.

    Args:
        signer: The key.
        ledger: Identity of the ledger.
        count: Records that it holds. [rows]
        chain_hash: Hash of the last of them.
        time: Now, as in an envelope.
        previous: Digest of the head before, or `NONE_BEFORE`.
    """
    blank = Head(ledger, count, chain_hash.hex(), time, previous, signer.key, "")
    return dataclasses.replace(blank, signature=signer.sign(_message(blank)).hex())


def _message(head: Head) -> bytes:
    fields = dataclasses.asdict(head) | {"schema": SCHEMA}
    del fields["signature"]
    return PURPOSE + canonical(fields).encode("utf-8")


def is_authentic(head: Head, keys: PublicKeys) -> bool:
    """Return whether a head carries a good signature of one of these keys."""
    public = keys.get(head.key)
    try:
        signature = bytes.fromhex(head.signature)
    except ValueError:
        return False
    return public is not None and is_signed(public, signature, _message(head))


def parse_head(line: str) -> Head | None:
    """Return the head that a line says, or None where it is no head."""
    try:
        found: Any = json.loads(line)
        is_head = isinstance(found, dict) and found.pop("schema", None) == SCHEMA
        head = Head(**found) if is_head else None
    except (ValueError, TypeError):
        return None
    if head is None or not isinstance(head.count, int) or head.count < 1:
        return None
    is_text = all(
        isinstance(entry, str) for key, entry in vars(head).items() if key != "count"
    )
    # One text for one head: a line that only means the same has another digest.
    return head if is_text and head.line() == line else None


def read_heads(path: Path) -> HeadsFile:
    """Read a file of heads; an absent one holds none."""
    data = path.read_bytes() if path.is_file() else b""
    whole, _, torn = data.rpartition(b"\n")
    lines = whole.decode("utf-8", errors="replace").split("\n") if whole else []
    heads = [parse_head(line) for line in lines]
    wrong = tuple(number for number, head in enumerate(heads, 1) if head is None)
    found = tuple(head for head in heads if head is not None)
    return HeadsFile(path, found, wrong, bool(torn))


def last_head(path: Path) -> Head | None:
    """Return the last head of a file; the caller holds the writer's lock.

    Raises:
        InputError: The last complete line is no head.
    """
    line, _ = _last_line(path)
    head = parse_head(line) if line else None
    if line and head is None:
        raise InputError(
            f"{path}: found a last line that is no signed head, expected one in every "
            "line; restore the file from its copy off this host"
        )
    return head


def append_head(path: Path, head: Head) -> None:
    """Add a head; a line that a crash left unfinished gives way to it."""
    is_new = not path.exists()
    _, end = _last_line(path)
    with path.open("xb" if is_new else "r+b") as file:
        file.seek(end)
        file.truncate()
        file.write(head.line().encode("utf-8") + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_folder(path.parent)


def _last_line(path: Path) -> tuple[str, int]:
    """Return the last complete line, empty for none, and where it ends [bytes]."""
    if not path.is_file():
        return "", 0
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - WINDOW)
        file.seek(start)
        data = file.read()
    whole, newline, _ = data.rpartition(b"\n")
    line = whole.rpartition(b"\n")[2].decode("utf-8", errors="replace")
    return line, start + len(whole) + len(newline)
