"""What `coolbound evaluate` accepts."""

import argparse

from coolbound.choices import EVALUATED, UNSEEN_WEATHER
from coolbound.grammar.common import add_out, add_seed, whole


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `evaluate` accepts."""
    add_out(parser, "runs/evaluate")
    add_seed(parser)
    parser.add_argument(
        "--controllers",
        nargs="+",
        default=EVALUATED,
        metavar="NAME",
        help="legacy, g36, start, reference, or folders of policies",
    )
    parser.add_argument(
        "--weather", nargs="+", default=UNSEEN_WEATHER, help="years to run over"
    )
    parser.add_argument("--load", default="google2019", help="IT load")
    parser.add_argument("--days", type=whole(1, 366), default=365, help="length")
    parser.add_argument(
        "--filter-off",
        action="store_true",
        help="also run every policy without the safety layer",
    )
