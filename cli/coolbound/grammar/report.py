"""What `coolbound report` accepts."""

import argparse
from datetime import date
from pathlib import Path

from coolbound.grammar.common import add_out
from coolbound.grammar.ledger import DEFAULT_FOLDER


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `report` accepts."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="LEDGER",
        default=DEFAULT_FOLDER,
        help="the ledger's folder",
    )
    parser.add_argument(
        "--from", dest="first", type=_day, metavar="DATE", help="first local day"
    )
    parser.add_argument(
        "--to", dest="last", type=_day, metavar="DATE", help="last local day, whole"
    )
    parser.add_argument("--run", metavar="NAME", help="one run (default: all)")
    parser.add_argument("--pdf", action="store_true", help="also write a tagged PDF")
    parser.add_argument(
        "--key", type=Path, help="private key file (default: your own, if any)"
    )
    parser.add_argument(
        "--trust",
        type=Path,
        nargs="+",
        metavar="PUB",
        help="public keys that may have signed the ledger",
    )
    parser.add_argument(
        "--no-record",
        action="store_true",
        help="do not put on record in the ledger that the report was made",
    )
    add_out(parser, "runs/report")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"found {text!r}, expected a day such as 2026-11-20"
        ) from error
