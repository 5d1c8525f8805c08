"""What signed heads say about a chain that was walked."""

import dataclasses
from collections.abc import Iterator, Sequence

from coolbound_shadow.ledger.heads import NONE_BEFORE, Head, HeadsFile, is_authentic
from coolbound_shadow.ledger.keys import PublicKeys
from coolbound_shadow.ledger.walk import Finding, Walk, span


@dataclasses.dataclass(frozen=True)
class HeadsFound:
    """What the heads proved. Static.

    Attributes:
        checked: Heads with a good signature. [1]
        signed: Records up to the newest head that holds. [rows]
        findings: What is wrong.
    """

    checked: int
    signed: int
    findings: tuple[Finding, ...]


def check_heads(
    own: HeadsFile, outside: Sequence[HeadsFile], walked: Walk, keys: PublicKeys
) -> HeadsFound:
    """Check every head: its signature, its ledger, its record, and the one before.

    Args:
        own: The file in the ledger's folder.
        outside: Copies that were kept elsewhere.
        walked: The whole chain.
        keys: Keys that are trusted.
    """
    findings = [*_files(own, outside), *_links(own)]
    every = dict.fromkeys(head for file in (own, *outside) for head in file.heads)
    ordered = sorted(every, key=lambda head: head.count)
    good = []
    for head in ordered:
        problem = _stranger(head, walked, keys)
        if problem:
            findings.append(problem)
        else:
            good.append(head)
    held = 0
    for head in good:
        problem = _against(head, walked, held)
        if problem:
            findings.append(problem)
            break
        held = head.count
    return HeadsFound(len(good), held, tuple(findings))


def _files(own: HeadsFile, outside: Sequence[HeadsFile]) -> Iterator[Finding]:
    if not own.heads:
        yield Finding(
            "heads",
            0,
            f"{own.path.name} holds no signed head: nothing in this folder tells "
            "whether records were cut off or rewritten",
        )
    for file in (own, *outside):
        if file.unreadable:
            line = file.unreadable[0]
            yield Finding("heads", 0, f"{file.path}, line {line}: no signed head")
    known = set(own.heads)
    missing = [head for file in outside for head in file.heads if head not in known]
    if missing:
        head = min(missing, key=lambda each: each.count)
        yield Finding(
            "heads",
            head.count,
            f"the head of {head.count:,} records of {head.time} is missing from "
            f"{own.path.name}: signed heads were cut off or replaced",
        )


def _links(own: HeadsFile) -> Iterator[Finding]:
    previous = NONE_BEFORE
    for head in own.heads:
        if head.previous != previous:
            yield Finding(
                "heads",
                head.count,
                f"the head of {head.count:,} records of {head.time} does not follow "
                f"the one before it in {own.path.name}: heads were removed or moved",
            )
            return
        previous = head.digest()


def _stranger(head: Head, walked: Walk, keys: PublicKeys) -> Finding | None:
    """Return why a head proves nothing, or None where it does."""
    name = f"the head of {head.count:,} records of {head.time}"
    if head.key not in keys:
        return Finding(
            "signature",
            head.count,
            f"{name} is signed with key {head.key[:16]}, which is not among the "
            "trusted ones",
        )
    if not is_authentic(head, keys):
        return Finding("signature", head.count, f"{name} has a false signature")
    if walked.ledger and head.ledger != walked.ledger:
        return Finding(
            "rewritten",
            1,
            f"{name} is of ledger {head.ledger[:16]}, this one calls itself "
            f"{walked.ledger[:16]}: it was replaced from its first record on",
        )
    return None


def _against(head: Head, walked: Walk, held: int) -> Finding | None:
    """Return what a good head shows to be wrong, or None.

    Args:
        head: The head.
        walked: The whole chain.
        held: Records up to the good head before it. [rows]
    """
    last = walked.last.seq
    if head.count > last:
        return Finding(
            "truncated",
            last + 1,
            f"{span(last + 1, head.count)} cut off: the head of {head.time} counts "
            f"{head.count:,}, the ledger ends at {last:,}",
        )
    stored = walked.hashes.get(head.count)
    if stored is not None and stored.hex() == head.hash:
        return None
    return Finding(
        "rewritten",
        held + 1,
        f"record {head.count:,} is not the one that was signed at {head.time}: the "
        f"ledger was rewritten somewhere from record {held + 1:,} on",
    )
