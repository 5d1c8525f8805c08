"""What a writer is told, what it hands out, and what it refuses."""

import dataclasses
import platform
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from coolbound_controllers.atomic import write_atomic
from coolbound_envs.tables import InputError
from coolbound_shadow.ledger import heads
from coolbound_shadow.ledger.body import canonical, instant_text
from coolbound_shadow.ledger.clock import Reading, WallClock
from coolbound_shadow.ledger.keys import PUBLIC_SUFFIX, Signer
from coolbound_shadow.ledger.records import Record


class DuplicateTick(InputError):
    """The run has a tick of that time already."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a ledger is written. Static.

    Attributes:
        sign_every: Records after which a head is signed. [rows]
        sign_after_s: Time after which a head is signed at the next record. [s]
        batch: Records that `append_many` commits at once. [rows]
        timeout_s: How long to wait for another writer. [s]
        clock: The computer's clock.
    """

    sign_every: int = 1000
    sign_after_s: float = 3600.0
    batch: int = 1000
    timeout_s: float = 30.0
    clock: WallClock = dataclasses.field(default_factory=WallClock)


@dataclasses.dataclass(frozen=True)
class Receipt:
    """What is on the disk now, for good. Static.

    Attributes:
        first_seq: First record that was appended. [1]
        seq: Last record that was appended. [1]
        hash: Hash of the last record, hexadecimal.
    """

    first_seq: int
    seq: int
    hash: str


def keep(path: Path, head: heads.Head) -> None:
    """Add a head to its file.

    Raises:
        InputError: The disk is full, or the file may not be written.
    """
    try:
        heads.append_head(path, head)
    except OSError as error:
        raise InputError(
            f"{path}: found {error.strerror} while signing, expected room and leave "
            f"to write; all {head.count:,} records are on the disk, so clear that and "
            "run `coolbound ledger head --sign`"
        ) from error


def require_key_elsewhere(folder: Path, signer: Signer | None) -> None:
    """Refuse a private key that would be copied with the ledger.

    Raises:
        InputError: It stands in the ledger's folder.
    """
    if signer and signer.path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{signer.path}: found the private key inside the ledger's folder, "
            "expected it elsewhere; move it, and copy the ledger without it"
        )


def publish(signer: Signer, folder: Path) -> None:
    """Put the public half of a key where who reads the ledger finds it."""
    path = folder / f"{signer.key[:16]}{PUBLIC_SUFFIX}"
    if not path.is_file():
        folder.mkdir(exist_ok=True)
        write_atomic(path, signer.public_pem())


def bodies(records: Sequence[Record], found: Reading) -> list[str]:
    """Return records as text, each with when and where it was written."""
    envelope = {"recorded": instant_text(found.now), "host": platform.node()}
    return [
        canonical(each.content() | envelope | {"kind": each.kind.value})
        for each in records
    ]


def refused(records: Sequence[Record], error: sqlite3.IntegrityError) -> InputError:
    """Return what to tell who wanted to append what the database refuses."""
    if "one_tick" not in str(error):
        return InputError(
            f"the ledger refused a record: found {error}, expected the next in the "
            "chain; run `coolbound ledger verify`"
        )
    times = [each.content()["time"] for each in records if each.kind == "tick"]
    return DuplicateTick(
        f"the ledger has a tick of this run between {min(times)} and {max(times)} "
        "already, expected each once; go on after the run's last tick"
    )
