"""What `coolbound validate` accepts."""

import argparse
from pathlib import Path

from coolbound.grammar.common import add_out


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `validate` accepts."""
    add_out(parser, "runs/validate")
    parser.add_argument(
        "--quick", action="store_true", help="try the machinery; proves nothing"
    )
    parser.add_argument(
        "--shared-weather",
        type=Path,
        metavar="DIR",
        help="also the typical years *_tmyx.csv.gz of a folder, which are not shipped",
    )
    parser.add_argument(
        "--bless",
        type=Path,
        metavar="DIR",
        help="measure the golden years anew into a folder, and nothing else",
    )
