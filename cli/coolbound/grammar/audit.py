"""What `coolbound audit` accepts."""

import argparse
from pathlib import Path

from coolbound.grammar.common import add_out, add_seed


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `audit` accepts."""
    add_out(parser, "runs/audit")
    add_seed(parser)
    parser.add_argument(
        "--log", type=Path, help="a log of the site (reference: the embedded one)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="every check, on less: a first look"
    )
    parser.add_argument(
        "--shielded", action="store_true", help="the plant behind the safety layer"
    )
