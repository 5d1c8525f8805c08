"""Files that are there whole or not at all, after a power cut too."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

ASIDE = ".aside-"
"""Begins the name of a file that is being written."""

CHUNK = 1 << 20
"""Read at once. [bytes]"""


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a name beside the file; what is written there takes its place at the end."""
    aside = path.with_name(f"{ASIDE}{path.name}")
    try:
        yield aside
        with aside.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
        sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what a crash left half-written; the caller is the only writer."""
    for path in folder.glob(f"{ASIDE}*"):
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file as it stands on the disk, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
