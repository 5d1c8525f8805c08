"""Parts that the grammars of several verbs share. Imports nothing heavy."""

import argparse
import difflib
from collections.abc import Callable, Sequence
from pathlib import Path


class UsageError(ValueError):
    """A command line that cannot be understood; its text says what to do."""


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the known name that is most like the given one."""
    return difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]


def add_out(parser: argparse.ArgumentParser, folder: str) -> None:
    """Add `--out`, with its default folder."""
    parser.add_argument(
        "--out", type=Path, default=Path(folder), help="folder for the results"
    )


def add_refusals(parser: argparse.ArgumentParser) -> None:
    """Add `--refusals`."""
    parser.add_argument(
        "--refusals",
        type=Path,
        metavar="FILE",
        help="TOML file of limits of refusal that replace published ones, each with "
        "its source; the report says so aloud",
    )


def add_shifts(parser: argparse.ArgumentParser) -> None:
    """Add `--shifts`."""
    parser.add_argument(
        "--shifts",
        metavar="HOURS",
        default="",
        help="names of shifts with the local time at which each begins, as "
        "'day 07:00, night 19:00' (default: the site file's, else early 06:00, late "
        "14:00, night 22:00)",
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add `--seed`."""
    parser.add_argument(
        "--seed", type=whole(0, 2**31 - 1), default=0, help="of every random number"
    )


def whole(lower: int, upper: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within a range."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = lower - 1
        if not lower <= number <= upper:
            raise argparse.ArgumentTypeError(
                f"found {text!r}, expected a whole number from {lower} to {upper}"
            )
        return number

    return read


def number(lower: float, upper: float) -> Callable[[str], float]:
    """Return a reader of numbers within a range."""

    def read(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = lower - 1.0
        # NaN is in no range.
        if not lower <= found <= upper:
            raise argparse.ArgumentTypeError(
                f"found {text!r}, expected a number from {lower:g} to {upper:g}"
            )
        return found

    return read
