"""Appending what a person said, once, however often the form is sent."""

import unicodedata
from pathlib import Path
from typing import Final

from coolbound_shadow.ledger.keys import Signer
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind, Review
from coolbound_shadow.ledger.writer import LedgerWriter

MOST_TEXT: Final = 2000
"""Characters of a comment. [1]"""


def clean(text: str) -> str:
    """Return a text as it is put on record: no control characters, plain line ends."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    kept = (
        c for c in lines if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs")
    )
    return "".join(kept).strip()[:MOST_TEXT]


def append_once(
    folder: Path, signer: Signer | None, review: Review, seen: int
) -> int | None:
    """Append a review unless the same person said the same since the form was made.

    All other writers are kept out meanwhile, so that two submissions at once leave
    one record.

    Args:
        folder: The ledger's folder.
        signer: Signs the head; None leaves that to another writer.
        review: What is said.
        seen: Last record when the form was made. [1]

    Returns:
        Place of the record, or None where it was there already.

    Raises:
        InputError: The ledger's end does not hold, or it cannot be written.
    """
    with LedgerWriter(folder, signer) as writer, writer.exclusive():
        with LedgerReader(folder) as reader:
            if _is_there(reader, review, seen):
                return None
        return writer.append(review).seq


def _is_there(reader: LedgerReader, review: Review, seen: int) -> bool:
    wanted = (review.user, review.action, review.subject, review.text)
    later = reader.entries(first=max(1, seen + 1), kinds=[Kind.REVIEW])
    said = (entry.data for entry in later)
    return any(
        (body["user"], body["action"], body["subject"], body["text"]) == wanted
        for body in said
    )
