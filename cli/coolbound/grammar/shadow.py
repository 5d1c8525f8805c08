"""What `coolbound shadow` accepts."""

import argparse
from pathlib import Path

from coolbound.grammar.common import add_out, add_refusals, add_shifts, whole


def fill(parser: argparse.ArgumentParser) -> None:
    """Add what `shadow` accepts."""
    add_out(parser, "runs/shadow")
    parser.add_argument(
        "--log",
        type=Path,
        help="the operator's log, or the folder of an import (default: the embedded "
        "one)",
    )
    parser.add_argument(
        "--policy",
        default="reference",
        help="reference, a policy's folder, or a rule (docs/controllers.md)",
    )
    parser.add_argument(
        "--steps", type=whole(1, 10**7), help="stop after so many rows of the log"
    )
    parser.add_argument(
        "--from",
        dest="begin",
        default="",
        metavar="TIME",
        help="first day or local time, as 2023-12-01 or 2023-12-01T06:00",
    )
    parser.add_argument(
        "--to",
        dest="end",
        default="",
        metavar="TIME",
        help="last day, included, or local time",
    )
    parser.add_argument(
        "--ledger", type=Path, help="put every decision on record in this folder"
    )
    parser.add_argument(
        "--run", default="", help="name of the run in the ledger (default: made)"
    )
    parser.add_argument(
        "--key", type=Path, help="key that signs the ledger (default: your own)"
    )
    parser.add_argument(
        "--pdf", action="store_true", help="also write the report as tagged PDF"
    )
    add_refusals(parser)
    add_shifts(parser)
    parser.add_argument(
        "--year-weather",
        metavar="WEATHER",
        help="a year of the site's weather, shipped name or CSV file: with "
        "--year-load the operating range that the log is held against",
    )
    parser.add_argument(
        "--year-load", metavar="LOAD", help="the site's load, shipped name or CSV file"
    )
