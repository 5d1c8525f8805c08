"""What `coolbound shadow` accepts."""

import argparse
from pathlib import Path

from coolbound.grammar.common import add_out, whole


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `shadow` accepts."""
    add_out(parser, "runs/shadow")
    parser.add_argument(
        "--log", type=Path, help="the operator's log (default: the embedded one)"
    )
    parser.add_argument(
        "--policy",
        default="reference",
        help="reference, a policy's folder, or legacy, g36, start",
    )
    parser.add_argument(
        "--steps", type=whole(1, 10**7), help="stop after so many rows of the log"
    )
