"""What `coolbound simulate` accepts."""

import argparse
from pathlib import Path

from coolbound.choices import BARE, ENGINES
from coolbound.grammar.common import add_out, add_seed, whole


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `simulate` accepts."""
    add_out(parser, "runs/simulate")
    add_seed(parser)
    parser.add_argument(
        "--operator", choices=BARE, default="legacy", help="who runs the plant"
    )
    parser.add_argument(
        "--weather", default="phoenix", help="shipped year or path of a CSV file"
    )
    parser.add_argument(
        "--load", default="google2019", help="shipped trace or path of a CSV file"
    )
    parser.add_argument(
        "--start", type=whole(0, 365), default=181, help="days after 1 January"
    )
    parser.add_argument("--days", type=whole(1, 366), default=30, help="length")
    parser.add_argument(
        "--engine", choices=ENGINES, default=ENGINES[0], help="what simulates the plant"
    )
    parser.add_argument(
        "--faults", type=Path, help="TOML file of what breaks (docs/faults.md)"
    )
