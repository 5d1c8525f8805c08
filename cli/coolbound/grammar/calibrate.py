"""What `coolbound calibrate` accepts."""

import argparse
from pathlib import Path

from coolbound.grammar.common import add_out, add_refusals


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `calibrate` accepts."""
    parser.add_argument(
        "--log",
        type=Path,
        help="the site's log (default: the one that ships with coolbound)",
    )
    add_out(parser, "runs/calibration")
    add_refusals(parser)
