"""Handing a ledger on: a whole copy that can be verified, or its records."""

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.chain import Entry
from coolbound_shadow.ledger.database import (
    FILE,
    HEADS_FILE,
    KEYS_FOLDER,
    SEALS_FOLDER,
    open_reading,
)
from coolbound_shadow.ledger.files import written_aside
from coolbound_shadow.ledger.parquet import write_entries


def copy_ledger(folder: Path, target: Path) -> None:
    """Copy a ledger that others may be writing into a folder that is empty.

    The file alone, without its write-ahead log, would lack records or even the
    table: SQLite's own backup takes one moment of both.
    """
    # Heads and seals before the records, so that none is newer than they are.
    for name in (KEYS_FOLDER, SEALS_FOLDER):
        if (folder / name).is_dir():
            shutil.copytree(
                folder / name, target / name, ignore=shutil.ignore_patterns(".*")
            )
    if (folder / HEADS_FILE).is_file():
        shutil.copyfile(folder / HEADS_FILE, target / HEADS_FILE)
    with (
        closing(open_reading(folder)) as source,
        closing(sqlite3.connect(target / FILE)) as copy,
    ):
        source.backup(copy)
        # One file that opens anywhere, on a read-only disk too.
        copy.execute("PRAGMA journal_mode = DELETE")


def write_records(path: Path, entries: Iterable[Entry]) -> int:
    """Write records as JSON lines or Parquet, by the file's name [rows].

    Raises:
        InputError: The name ends in neither, or the file cannot be written.
    """
    writers = {".jsonl": _write_lines, ".parquet": _write_parquet}
    if path.suffix not in writers:
        raise InputError(
            f"{path}: found the ending {path.suffix!r}, expected .jsonl or .parquet, "
            "or no ending for a folder with a whole copy; rename it"
        )
    try:
        with written_aside(path) as aside:
            return writers[path.suffix](aside, entries)
    except OSError as error:
        raise InputError(
            f"{path}: found {error.strerror or error}, expected a file that may be "
            "written; choose another --out"
        ) from error


def _write_lines(path: Path, entries: Iterable[Entry]) -> int:
    rows = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for rows, entry in enumerate(entries, 1):  # noqa: B007
            file.write(_line(entry))
    return rows


def _line(entry: Entry) -> str:
    """Return an entry as one JSON object; its body stands in it byte for byte."""
    return (
        f'{{"seq":{entry.seq},"prev":"{entry.prev.hex()}",'
        f'"hash":"{entry.hash.hex()}","body":{entry.body}}}\n'
    )


def _write_parquet(path: Path, entries: Iterable[Entry]) -> int:
    return write_entries(path, entries).rows
