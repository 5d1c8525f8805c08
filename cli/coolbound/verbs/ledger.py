"""`coolbound ledger verify|head|seal|export|key`: the record of all decisions."""

import dataclasses
import os
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from coolbound.console import Answer, progress_bar
from coolbound.grammar.common import UsageError
from coolbound.grammar.ledger import MOST
from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.database import FILE
from coolbound_shadow.ledger.export import copy_ledger, write_records
from coolbound_shadow.ledger.heads import Head
from coolbound_shadow.ledger.keys import (
    Signer,
    load_public,
    load_signer,
    make_key,
    public_path,
)
from coolbound_shadow.ledger.reader import LedgerReader, Status
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.ledger.seal import seal_closed_days
from coolbound_shadow.ledger.verify import Verdict, verify
from coolbound_shadow.ledger.writer import LedgerWriter
from coolbound_shadow.output import output_folder

KEY_VARIABLE = "COOLBOUND_LEDGER_KEY"
"""Environment variable that names the private key."""

MOST_LISTED = 10
"""Findings that people are shown; programs get all. [1]"""


def run(options: Namespace) -> Answer:
    """Do one thing with a ledger.

    Raises:
        UsageError: The options do not go together.
        InputError: The ledger, a key or a file cannot be used.
    """
    _require_sense(options)
    tasks = {
        "verify": _verify,
        "head": _head,
        "seal": _seal,
        "export": _export,
        "key": _make_key,
    }
    return tasks[options.what](options)


def _require_sense(options: Namespace) -> None:
    """Refuse options that another task would need."""
    given = {
        "verify": bool(options.trust or options.heads),
        "export": bool(options.out or options.kind),
        "head": options.sign,
    }
    for task, is_given in given.items():
        if is_given and options.what != task:
            raise UsageError(
                f"ledger {options.what}: found options of `ledger {task}`, expected "
                f"its own; see `coolbound ledger --help`"
            )
    if options.what == "export" and not options.out:
        raise UsageError("ledger export: found no --out, expected a file or a folder")


def key_path(given: Path | None) -> Path:
    """Return where the user's private key stands or shall stand."""
    import platformdirs

    if given:
        return given
    if named := os.environ.get(KEY_VARIABLE):
        return Path(named)
    folder = platformdirs.user_config_path("coolbound", appauthor=False)
    return folder / "ledger-key.pem"


def _signer(options: Namespace) -> Signer:
    return load_signer(key_path(options.key))


def _verify(options: Namespace) -> Answer:
    begin = time.perf_counter()
    keys = options.trust or _own_public(options)
    trusted = load_public(keys) if keys else None
    with progress_bar() as progress:
        verdict = verify(
            options.folder, trusted, options.heads, options.max_unsigned, progress
        )
    data = _verdict_data(verdict) | {"seconds": time.perf_counter() - begin}
    others = [f"- {each.sentence}" for each in verdict.findings[1:MOST_LISTED]]
    lines = [
        f"ledger {options.folder} {verdict.sentence()}",
        *others,
        f"last record: {verdict.hash}",
        *(f"note: {note}" for note in verdict.notes),
    ]
    return Answer(data, "\n".join(lines), exit_code=0 if verdict.passed else 1)


def _own_public(options: Namespace) -> list[Path]:
    path = public_path(key_path(options.key))
    return [path] if options.key or path.is_file() else []


def _verdict_data(verdict: Verdict) -> dict[str, Any]:
    return {
        "schema": "coolbound.ledger-verify/1",
        "passed": verdict.passed,
        "sentence": verdict.sentence(),
        "records": verdict.records,
        "hash": verdict.hash,
        "heads": verdict.heads,
        "signed": verdict.signed,
        "seals": verdict.seals,
        "findings": [dataclasses.asdict(each) for each in verdict.findings],
        "notes": list(verdict.notes),
    }


def _head(options: Namespace) -> Answer:
    _require_ledger(options.folder)
    if options.sign:
        LedgerWriter(options.folder, _signer(options)).close()
    with LedgerReader(options.folder) as reader:
        status = reader.status()
    line = status.head.line() if status.head else None
    return Answer(
        _status_data(status), f"{_status_text(status)}\n{line or ''}".rstrip()
    )


def _status_data(status: Status) -> dict[str, Any]:
    return {
        "schema": "coolbound.ledger-status/1",
        "records": status.records,
        "hash": status.hash,
        "recorded": status.recorded,
        "unsigned": status.unsigned,
        "wal_bytes": status.wal_bytes,
        "head": dataclasses.asdict(status.head) if status.head else None,
    }


def _status_text(status: Status) -> str:
    signed = _signed_text(status.head)
    return (
        f"{status.records:,} records, the last of {status.recorded} with hash "
        f"{status.hash}; {signed}, {status.unsigned:,} records after it"
    )


def _signed_text(head: Head | None) -> str:
    if head is None:
        return "no signed head"
    return f"head of {head.count:,} records signed at {head.time}"


def _seal(options: Namespace) -> Answer:
    _require_ledger(options.folder)
    with LedgerWriter(options.folder, _signer(options)) as writer:
        seals = seal_closed_days(writer)
    data = {
        "schema": "coolbound.ledger-seal/1",
        "sealed": [dataclasses.asdict(seal) for seal in seals],
    }
    lines = [f"sealed {seal.file}: {seal.rows:,} records" for seal in seals]
    return Answer(data, "\n".join(lines) or "no closed day is left to seal")


def _export(options: Namespace) -> Answer:
    if options.out.suffix:
        rows = _export_records(options)
    elif options.kind or options.first > 1 or options.last < MOST:
        raise UsageError(
            f"ledger export: found --kind, --first or --last with {options.out}, "
            "expected them with a .jsonl or .parquet file: a copy is always whole"
        )
    else:
        with LedgerReader(options.folder) as reader:
            rows = reader.tail().seq
        with output_folder(options.out, FILE) as folder:
            copy_ledger(options.folder, folder)
    data = {
        "schema": "coolbound.ledger-export/1",
        "out": str(options.out),
        "records": rows,
    }
    return Answer(data, f"{rows:,} records: {options.out}")


def _export_records(options: Namespace) -> int:
    unknown = [name for name in options.kind if name not in set(Kind)]
    if unknown:
        raise UsageError(
            f"ledger export: found kind {unknown[0]!r}, expected among "
            f"{', '.join(Kind)}"
        )
    kinds = [Kind(name) for name in options.kind]
    with LedgerReader(options.folder) as reader:
        entries = reader.entries(options.first, options.last, kinds)
        return write_records(options.out, entries)


def _make_key(options: Namespace) -> Answer:
    path = key_path(options.key)
    signer = make_key(path)
    data = {
        "schema": "coolbound.ledger-key/1",
        "key": signer.key,
        "private": str(path),
        "public": str(public_path(path)),
    }
    text = (
        f"key {signer.key[:16]}\nprivate: {path} (keep it; copy it nowhere)\n"
        f"public: {public_path(path)} (give it to who verifies)"
    )
    return Answer(data, text)


def _require_ledger(folder: Path) -> None:
    """Refuse to begin a ledger by the way."""
    if not (folder / FILE).is_file():
        raise InputError(
            f"{folder}: found no {FILE}, expected the folder of a ledger; give the "
            "folder that a shadow run named"
        )
