"""What the sealed days say about a chain that was walked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from coolbound_shadow.ledger.files import ASIDE, file_digest
from coolbound_shadow.ledger.parquet import stored_hashes
from coolbound_shadow.ledger.upkeep import Seal
from coolbound_shadow.ledger.walk import Finding, Walk


def sealed_files(folder: Path) -> list[Path]:
    """Return the files of a folder of seals, in order of their names."""
    return sorted(p for p in folder.glob("*.parquet") if not p.name.startswith(ASIDE))


def check_seals(folder: Path, files: Sequence[Path], walked: Walk) -> list[Finding]:
    """Check every seal and every sealed file, mentioned in the chain or not.

    Args:
        folder: The folder of seals.
        files: What stood in it before the chain was walked.
        walked: The whole chain.
    """
    findings = []
    mentioned = set()
    before = 0
    for seq, content in walked.seals.items():
        seal = _parse(content)
        if seal is None or seal.first_seq != before + 1:
            findings.append(_wrong(seq, "does not go on where the one before ended"))
            continue
        before = seal.last_seq
        mentioned.add(seal.file)
        problem = _check(folder / seal.file, seal, seq)
        findings += [problem] if problem else []
    for path in sorted({*files, *(folder / name for name in mentioned)}):
        problem = _compare(path, walked) if path.is_file() else None
        findings += [problem] if problem else []
    return findings


def _parse(content: dict[str, Any]) -> Seal | None:
    names = ("day", "file", "sha256", "first_seq", "last_seq", "rows", "last_hash")
    try:
        seal = Seal(**{name: content[name] for name in names})
    except KeyError:
        return None
    is_name = isinstance(seal.file, str) and Path(seal.file).name == seal.file
    return seal if is_name and isinstance(seal.last_seq, int) else None


def _wrong(seq: int, what: str) -> Finding:
    return Finding("seal", seq, f"the seal in record {seq:,} {what}")


def _check(path: Path, seal: Seal, seq: int) -> Finding | None:
    if not path.is_file():
        return _wrong(seq, f"names {seal.file}, which is missing from its folder")
    if file_digest(path) != seal.sha256:
        return _wrong(seq, f"names {seal.file}, which was changed since it was sealed")
    return None


def _compare(path: Path, walked: Walk) -> Finding | None:
    """Return the first record that a sealed file holds otherwise than the ledger."""
    try:
        for seq, own in stored_hashes(path):
            if walked.hashes.get(seq) == own:
                continue
            if seq > walked.last.seq:
                what = f"is cut off: {path.name} holds it"
                return Finding("truncated", seq, f"record {seq:,} {what}")
            what = f"is not the one that {path.name} holds: it was rewritten"
            return Finding("rewritten", seq, f"record {seq:,} {what}")
    except (OSError, pa.ArrowException) as error:
        what = f"{path.name} cannot be read ({type(error).__name__})"
        return Finding("seal", 0, what)
    return None
