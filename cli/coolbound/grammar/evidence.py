"""What `coolbound evidence` accepts."""

import argparse

from coolbound.grammar.common import add_out, add_seed


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `evidence` accepts."""
    add_out(parser, "runs/evidence")
    add_seed(parser)
    parser.add_argument(
        "--quick", action="store_true", help="try the machinery; proves nothing"
    )
