"""Which module answers a command line: that of its verb, or of its engine."""

from argparse import Namespace
from typing import Final

from coolbound.grammar.common import UsageError

TRANSFER: Final = "transfer"
"""Module that answers `evaluate --engine energyplus`."""


def answering_verb(options: Namespace) -> str:
    """Return the name of the module in `coolbound.verbs` that answers.

    Raises:
        UsageError: An option is of the other engine.
    """
    if options.verb != "evaluate":
        return options.verb
    if options.engine == "energyplus":
        return TRANSFER
    if options.page is not None:
        raise UsageError(
            f"--page: found {str(options.page)!r} beside our own plant, expected it "
            "beside --engine energyplus; leave it out"
        )
    return options.verb
