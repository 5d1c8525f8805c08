"""The command line's grammar. Imports nothing heavy, so that --help is fast."""

import argparse
from collections.abc import Sequence
from importlib import metadata
from typing import NoReturn

from coolbound.grammar import (
    audit,
    bench,
    calibrate,
    chiller,
    evaluate,
    evidence,
    ledger,
    log,
    report,
    review,
    shadow,
    simulate,
    tasks,
    train,
    validate,
)
from coolbound.grammar.common import UsageError, nearest

VERBS = {
    "simulate": "write the log that an operator would have left",
    "train": "train a policy behind the safety layer",
    "evaluate": "compare controllers over the same weather, load and noise",
    "calibrate": "fit a site's plant model to its log, and say what it is good for",
    "shadow": "run a policy beside an operator's log and report",
    "tasks": "score controllers on the reference tasks, from easy to hard",
    "audit": "put the simulated plant through its own quality gate",
    "validate": "measure the plant against what is known, and write the page",
    "evidence": "put the safety layer before its opponents, and write the page",
    "bench": "measure speed: plant, projection, train or shadow",
    "chiller": "list chiller records, or refit one into a site's form",
    "log": "look at a site's own exports, or import them by a point map",
    "ledger": "verify, sign, seal or export the record of all decisions",
    "report": "write the override report that plant staff read, from a ledger",
    "review": "serve the page on which staff look at events and sign shifts off",
}
"""The verbs, each with what it does."""


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
        simulate.fill,
        train.fill,
        evaluate.fill,
        calibrate.fill,
        shadow.fill,
        tasks.fill,
        audit.fill,
        validate.fill,
        evidence.fill,
        bench.fill,
        chiller.fill,
        log.fill,
        ledger.fill,
        report.fill,
        review.fill,
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
