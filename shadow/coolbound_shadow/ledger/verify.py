"""Verifying a ledger against its chain, its signed heads and its sealed days.

It finds any record that was edited, deleted, inserted, exchanged or cut off, and a
ledger that was rewritten without the key: in all records up to the newest signed
head that is at hand. What came after that head rests on the chain alone. Heads that
are kept on another machine are the ones that a person on this one cannot cut.
"""

import dataclasses
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.chain import GENESIS, Tail
from coolbound_shadow.ledger.database import (
    DAMAGE,
    FILE,
    HEADS_FILE,
    KEYS_FOLDER,
    OBJECTS,
    SEALS_FOLDER,
    open_reading,
    schema,
)
from coolbound_shadow.ledger.head_check import HeadsFound, check_heads
from coolbound_shadow.ledger.heads import HeadsFile, read_heads
from coolbound_shadow.ledger.keys import PUBLIC_SUFFIX, PublicKeys, load_public
from coolbound_shadow.ledger.seal_check import check_seals, sealed_files
from coolbound_shadow.ledger.walk import Finding, Walk, walk

Progress = Callable[[str, int, int], None]

MAX_UNSIGNED = 2000
"""Twice the records after which a writer signs by itself. [rows]"""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was found. Static.

    Attributes:
        folder: The ledger's folder.
        records: Records in it. [rows]
        hash: Hash of the last one, hexadecimal.
        heads: Signed heads with a good signature. [1]
        signed: Records up to the newest head that holds. [rows]
        seals: Seals in the chain. [1]
        findings: What is wrong, the most telling first.
        notes: What a reader should know besides.
    """

    folder: Path
    records: int
    hash: str
    heads: int
    signed: int
    seals: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def sentence(self) -> str:
        """Return the verdict as one sentence."""
        if self.findings:
            more = len(self.findings) - 1
            others = f" (and {more} more)" if more else ""
            return f"FAILED: {self.findings[0].sentence}{others}"
        unsigned = self.records - self.signed
        return (
            f"passed: {self.records:,} records in an unbroken chain, {self.heads:,} "
            f"signed heads up to record {self.signed:,}, {self.seals:,} sealed files, "
            f"{unsigned:,} records not signed yet"
        )


def verify(
    folder: Path,
    trusted: PublicKeys | None = None,
    outside: Sequence[Path] = (),
    max_unsigned: int = MAX_UNSIGNED,
    progress: Progress | None = None,
) -> Verdict:
    """Verify a ledger.

    Args:
        folder: Its folder.
        trusted: Keys that may sign; None for those in the folder, which prove
            nothing against one who replaced the whole folder.
        outside: Files of heads that were kept elsewhere.
        max_unsigned: More records than this after the newest head fail. [rows]
        progress: Told how many records have been seen, and how many there are.

    Raises:
        InputError: There is no ledger, or a file of heads or keys cannot be used.
    """
    # Heads and files first: what is written meanwhile is then newer, never missing.
    own, others = read_heads(folder / HEADS_FILE), [_outside(path) for path in outside]
    files = sealed_files(folder / SEALS_FOLDER)
    keys = _folder_keys(folder) if trusted is None else trusted
    walked, extent, early = _walk(folder, own, progress)
    heads = check_heads(own, others, walked, keys)
    late = check_seals(folder / SEALS_FOLDER, files, walked)
    findings = (*walked.findings, *heads.findings, *late, *early)
    return Verdict(
        folder=folder,
        records=walked.last.seq,
        hash=walked.last.hash.hex(),
        heads=heads.checked,
        signed=heads.signed,
        seals=len(walked.seals),
        findings=(*findings, *_unsigned(heads, extent, max_unsigned)),
        notes=tuple(_notes(own, trusted is None)),
    )


def _outside(path: Path) -> HeadsFile:
    if not path.is_file():
        raise InputError(
            f"{path}: found no file, expected signed heads, one in every line; give "
            f"a copy of a ledger's {HEADS_FILE}"
        )
    return read_heads(path)


def _folder_keys(folder: Path) -> PublicKeys:
    return load_public(sorted((folder / KEYS_FOLDER).glob(f"*{PUBLIC_SUFFIX}")))


def _walk(
    folder: Path, own: HeadsFile, progress: Progress | None
) -> tuple[Walk, int, list[Finding]]:
    """Return the walk, the records before it began, and what is wrong with the file."""
    nothing = Walk(Tail(0, GENESIS, ""))
    try:
        connection = open_reading(folder)
    except InputError as error:
        if not own.heads:
            raise
        return nothing, 0, [Finding("unreadable", 0, str(error))]
    try:
        extent = connection.execute("SELECT coalesce(max(seq), 0) FROM ledger")
        records = int(extent.fetchone()[0])
        findings = [*_schema(connection), *_structure(connection)]
        tell = progress and (lambda done: progress("records", done, records))
        return walk(connection, Tail(0, GENESIS, ""), tell), records, findings
    except DAMAGE as error:
        return nothing, 0, [Finding("unreadable", 0, f"{FILE} is damaged: {error}")]
    finally:
        connection.close()


def _schema(connection: sqlite3.Connection) -> list[Finding]:
    found = schema(connection)
    names = sorted(
        name
        for name in found.keys() | OBJECTS.keys()
        if found.get(name) != OBJECTS.get(name)
    )
    if not names:
        return []
    sentence = f"{FILE} was changed: {', '.join(names)} is not as it was made"
    return [Finding("schema", 0, sentence)]


def _structure(connection: sqlite3.Connection) -> list[Finding]:
    """Let SQLite compare its pages and indices with the rows."""
    try:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except DAMAGE as error:
        found = str(error)
    if found == "ok":
        return []
    words = " ".join(found.split())
    return [Finding("unreadable", 0, f"{FILE} is damaged: SQLite says {words!r}")]


def _unsigned(heads: HeadsFound, extent: int, most: int) -> list[Finding]:
    unsigned = extent - heads.signed
    if unsigned <= most or not heads.checked:
        return []
    sentence = (
        f"records {heads.signed + 1:,} to {extent:,} are not signed: {unsigned:,}, "
        f"where at most {most:,} may be"
    )
    return [Finding("unsigned", heads.signed + 1, sentence)]


def _notes(own: HeadsFile, is_own_keys: bool) -> list[str]:
    notes = []
    if own.has_torn_end:
        notes.append(
            f"the last line of {own.path.name} is not finished, as a crash leaves it"
        )
    if is_own_keys:
        notes.append(
            "the keys are the folder's own: they prove nothing against one who "
            "replaced the whole folder; name a key that you hold with --trust"
        )
    return notes
