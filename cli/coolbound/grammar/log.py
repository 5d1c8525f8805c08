"""What `coolbound log` accepts."""

import argparse
from pathlib import Path

TASKS = ("inspect", "import")


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `log` accepts."""
    parser.add_argument("what", choices=TASKS, help="propose a point map, or apply one")
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="exports, or their folders"
    )
    parser.add_argument(
        "--map", type=Path, help="import: the point map that `inspect` proposed"
    )
    parser.add_argument(
        "--zone", default="", help="inspect: IANA zone of the logger's clock, if known"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="import: count all, write nothing"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for the results (default: runs/inspect or runs/log)",
    )
