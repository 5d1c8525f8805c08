"""One line of evidence: what was asked, what was measured, what follows."""

import dataclasses

MET = "met"
NOT_MET = "**not met**"
NO_BOUND = "no bound"
NOT_JUDGED = "not judged"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One row of the validation page. Static.

    Attributes:
        what: Promise, in words.
        measured: Figure with its unit, as printed.
        bound: What it is held against, as printed.
        verdict: `MET`, `NOT_MET`, `NO_BOUND` or `NOT_JUDGED`.
        note: Said below the table where it needs explaining.
    """

    what: str
    measured: str
    bound: str
    verdict: str
    note: str = ""


def judged(is_met: bool, is_judged: bool = True) -> str:
    """Return the verdict on a bound; a quick run judges no year."""
    if not is_judged:
        return NOT_JUDGED
    return MET if is_met else NOT_MET
