"""Opening a ledger for writing, after a crash as after an orderly end."""

from pathlib import Path

from coolbound_shadow.ledger.keys import Signer
from coolbound_shadow.ledger.seal import seal_closed_days
from coolbound_shadow.ledger.writer import LedgerWriter
from coolbound_shadow.ledger.writing import Settings


def open_ledger(
    folder: Path, signer: Signer | None, settings: Settings | None = None
) -> LedgerWriter:
    """Open or begin a ledger and seal the days that closed meanwhile.

    Args:
        folder: The ledger's folder.
        signer: Signs heads; None leaves that to another writer.
        settings: How to write.

    Raises:
        InputError: The folder is no ledger, or its end does not hold.
    """
    writer = LedgerWriter(folder, signer, settings)
    try:
        seal_closed_days(writer)
    except BaseException:
        writer.close()
        raise
    return writer
