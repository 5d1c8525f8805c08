"""What `coolbound report` accepts."""

import argparse
from datetime import date
from pathlib import Path

from coolbound.grammar.common import add_out, add_shifts
from coolbound.grammar.ledger import add_folder, add_trust


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `report` accepts."""
    add_folder(parser)
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
    add_trust(parser)
    parser.add_argument(
        "--no-record",
        action="store_true",
        help="do not put on record in the ledger that the report was made",
    )
    add_shifts(parser)
    add_out(parser, "runs/report")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"found {text!r}, expected a day such as 2026-11-20"
        ) from error
