"""What `coolbound tasks` accepts."""

import argparse

from coolbound.choices import OPERATORS
from coolbound.grammar.common import add_seed, whole


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `tasks` accepts."""
    add_seed(parser)
    parser.add_argument(
        "names", nargs="*", metavar="TASK", help="reference tasks (all of them)"
    )
    parser.add_argument(
        "--controllers",
        nargs="+",
        default=OPERATORS,
        metavar="NAME",
        help="controllers (docs/controllers.md), reference, or folders of policies",
    )
    parser.add_argument(
        "--episodes", type=whole(1, 65536), default=64, help="side by side"
    )
