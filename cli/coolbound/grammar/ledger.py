"""What `coolbound ledger` accepts."""

import argparse
from pathlib import Path

from coolbound.grammar.common import whole

TASKS = ("verify", "head", "seal", "export", "key")
"""What can be done with a ledger."""

DEFAULT_FOLDER = Path("runs/ledger")
MOST = 2**31 - 1


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the ledger's folder."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="LEDGER",
        default=DEFAULT_FOLDER,
        help="the ledger's folder",
    )


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add `--trust`."""
    parser.add_argument(
        "--trust",
        type=Path,
        nargs="+",
        metavar="PUB",
        help="public keys that may have signed the ledger",
    )


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `ledger` accepts."""
    parser.add_argument("what", choices=TASKS, help="what to do")
    add_folder(parser)
    parser.add_argument(
        "--key", type=Path, help="private key file (default: your own, see `key`)"
    )
    parser.add_argument(
        "--sign", action="store_true", help="head: sign the present end first"
    )
    add_trust(parser)
    parser.add_argument(
        "--heads",
        type=Path,
        nargs="+",
        metavar="FILE",
        default=[],
        help="verify: signed heads that were kept on another machine",
    )
    parser.add_argument(
        "--max-unsigned",
        type=whole(0, MOST),
        default=2000,
        metavar="N",
        help="verify: records after the last signed head that may be",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="export: NAME.jsonl, NAME.parquet, or a folder for a whole copy",
    )
    parser.add_argument(
        "--kind", nargs="+", default=[], help="export: kinds of records (default: all)"
    )
    parser.add_argument(
        "--first", type=whole(1, MOST), default=1, help="export: first record"
    )
    parser.add_argument(
        "--last", type=whole(1, MOST), default=MOST, help="export: last record"
    )
