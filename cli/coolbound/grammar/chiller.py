"""What `coolbound chiller` accepts."""

import argparse
from pathlib import Path

from coolbound.choices import CHILLER_TASKS, PART_LOADS


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `chiller` accepts."""
    parser.add_argument("what", choices=CHILLER_TASKS, help="what to do")
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="a record, or enough of its name"
    )
    parser.add_argument(
        "--file", type=Path, help="records of your own, JSON or TOML, not the shipped"
    )
    parser.add_argument("--all", action="store_true", help="fit: every record")
    parser.add_argument(
        "--part-load",
        choices=PART_LOADS,
        default=PART_LOADS[0],
        help="fit: heat over the capacity available, or over the rated one",
    )
    parser.add_argument(
        "--out", type=Path, help="fit: folder for the results (--all: runs/chiller)"
    )
