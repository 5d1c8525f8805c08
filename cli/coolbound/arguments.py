"""The command line's grammar. Imports nothing heavy, so that --help is fast."""

import argparse
import difflib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from coolbound.choices import (
    ALGORITHMS,
    BENCHES,
    CHILLER_TASKS,
    ENGINES,
    EVALUATED,
    OPERATORS,
    PART_LOADS,
    PEERS,
    TRAINING_LOADS,
    TRAINING_WEATHER,
    UNSEEN_WEATHER,
)

VERBS = {
    "simulate": "write the log that an operator would have left",
    "train": "train a policy behind the safety layer",
    "evaluate": "compare controllers over the same weather, load and noise",
    "shadow": "run a policy beside an operator's log and report",
    "tasks": "score controllers on the reference tasks, from easy to hard",
    "audit": "put the simulated plant through its own quality gate",
    "validate": "measure the plant against what is known, and write the page",
    "evidence": "put the safety layer before its opponents, and write the page",
    "bench": "measure speed: plant, projection, train or shadow",
    "chiller": "list chiller records, or refit one into a site's form",
}
"""The verbs, each with what it does."""


class UsageError(ValueError):
    """A command line that cannot be understood; its text says what to do."""


class _Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong, and leaves the exit to `main`."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line.

    Raises:
        UsageError: It cannot be understood.
    """
    _require_verb(arguments)
    return build_parser().parse_args(arguments)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="coolbound",
        description="Safe learned cooling control, in shadow beside the operator.",
        allow_abbrev=False,
    )
    version = f"coolbound {metadata.version('coolbound')}"
    parser.add_argument("--version", action="version", version=version)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    fillers = (
        _simulate,
        _train,
        _evaluate,
        _shadow,
        _tasks,
        _audit,
        _validate,
        _evidence,
        _bench,
        _chiller,
    )
    for (name, what), fill in zip(VERBS.items(), fillers, strict=True):
        verb = verbs.add_parser(
            name,
            help=what,
            description=what.capitalize() + ".",
            allow_abbrev=False,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        _common(verb)
        fill(verb)
    return parser


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the known name that is most like the given one."""
    return difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]


def _require_verb(arguments: Sequence[str]) -> None:
    names = ", ".join(VERBS)
    if not arguments:
        raise UsageError(
            f"found no verb, expected one of {names}; see `coolbound --help`"
        )
    first = arguments[0]
    if not first.startswith("-") and first not in VERBS:
        raise UsageError(
            f"verb {first!r} is unknown, expected one of {names}; did you mean "
            f"{nearest(first, list(VERBS))!r}?"
        )


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--site", default="reference", help="shipped site or path of a TOML file"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object and nothing else"
    )


def _out(parser: argparse.ArgumentParser, folder: str) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path(folder), help="folder for the results"
    )


def _seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=_whole(0, 2**31 - 1), default=0, help="of every random number"
    )


def _simulate(parser: argparse.ArgumentParser) -> None:
    _out(parser, "runs/simulate")
    _seed(parser)
    parser.add_argument(
        "--operator", choices=OPERATORS, default="legacy", help="who runs the plant"
    )
    parser.add_argument(
        "--weather", default="phoenix", help="shipped year or path of a CSV file"
    )
    parser.add_argument(
        "--load", default="google2019", help="shipped trace or path of a CSV file"
    )
    parser.add_argument(
        "--start", type=_whole(0, 365), default=181, help="days after 1 January"
    )
    parser.add_argument("--days", type=_whole(1, 366), default=30, help="length")
    parser.add_argument(
        "--engine", choices=ENGINES, default=ENGINES[0], help="what simulates the plant"
    )
    parser.add_argument(
        "--faults", type=Path, help="TOML file of what breaks (docs/faults.md)"
    )


def _train(parser: argparse.ArgumentParser) -> None:
    _out(parser, "runs/train")
    parser.add_argument(
        "algorithm",
        nargs="?",
        metavar="ALGO",
        type=_algorithm,
        default=ALGORITHMS[0],
        help=f"one of {', '.join(ALGORITHMS)}",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="hyper-parameters",
    )
    parser.add_argument(
        "--weather", nargs="+", default=TRAINING_WEATHER, help="years to train on"
    )
    parser.add_argument(
        "--load", nargs="+", default=TRAINING_LOADS, help="traces to train on"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in --out"
    )
    parser.add_argument("--name", help="what reports call the policy (--out's name)")


def _evaluate(parser: argparse.ArgumentParser) -> None:
    _out(parser, "runs/evaluate")
    _seed(parser)
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
    parser.add_argument("--days", type=_whole(1, 366), default=365, help="length")
    parser.add_argument(
        "--filter-off",
        action="store_true",
        help="also run every policy without the safety layer",
    )


def _shadow(parser: argparse.ArgumentParser) -> None:
    _out(parser, "runs/shadow")
    parser.add_argument(
        "--log", type=Path, help="the operator's log (default: the embedded one)"
    )
    parser.add_argument(
        "--policy",
        default="reference",
        help="reference, a policy's folder, or legacy, g36, start",
    )
    parser.add_argument(
        "--steps", type=_whole(1, 10**7), help="stop after so many rows of the log"
    )


def _tasks(parser: argparse.ArgumentParser) -> None:
    _seed(parser)
    parser.add_argument(
        "names", nargs="*", metavar="TASK", help="reference tasks (all of them)"
    )
    parser.add_argument(
        "--controllers",
        nargs="+",
        default=OPERATORS,
        metavar="NAME",
        help="legacy, g36, start, reference, or folders of policies",
    )
    parser.add_argument(
        "--episodes", type=_whole(1, 65536), default=64, help="side by side"
    )


def _audit(parser: argparse.ArgumentParser) -> None:
    _out(parser, "runs/audit")
    _seed(parser)
    parser.add_argument(
        "--log", type=Path, help="a log of the site (reference: the embedded one)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="every check, on less: a first look"
    )
    parser.add_argument(
        "--shielded", action="store_true", help="the plant behind the safety layer"
    )


def _validate(parser: argparse.ArgumentParser) -> None:
    _out(parser, "runs/validate")
    parser.add_argument(
        "--quick", action="store_true", help="try the machinery; proves nothing"
    )
    parser.add_argument(
        "--shared-weather",
        type=Path,
        metavar="DIR",
        help="also the typical years *_tmyx.csv.gz of a folder, which are not shipped",
    )
    parser.add_argument(
        "--bless",
        type=Path,
        metavar="DIR",
        help="measure the golden years anew into a folder, and nothing else",
    )


def _evidence(parser: argparse.ArgumentParser) -> None:
    _out(parser, "runs/evidence")
    _seed(parser)
    parser.add_argument(
        "--quick", action="store_true", help="try the machinery; proves nothing"
    )


def _bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=BENCHES, help="what to measure")
    parser.add_argument(
        "--size",
        type=_whole(1, 10**6),
        help="plant: batches up to this; projection: envelopes; train: updates; "
        "shadow: days of log",
    )
    parser.add_argument(
        "--against",
        choices=(ENGINES[1], PEERS),
        help="measure in the same run: energyplus with plant, peers with projection",
    )
    parser.add_argument(
        "--decisions",
        type=_whole(1, 10**6),
        help="projection: decisions at control time",
    )
    _seed(parser)


def _chiller(parser: argparse.ArgumentParser) -> None:
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


def _algorithm(text: str) -> str:
    if text not in ALGORITHMS:
        raise argparse.ArgumentTypeError(
            f"found {text!r}, expected one of {', '.join(ALGORITHMS)}; did you mean "
            f"{nearest(text, ALGORITHMS)!r}?"
        )
    return text


def _whole(lower: int, upper: int):
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
