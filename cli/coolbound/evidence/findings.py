"""What the evidence promises, and whether it was kept."""

import dataclasses
from collections import Counter
from typing import Any, Final

from coolbound.evidence.causes import CALM
from coolbound.evidence.gather import Evidence
from coolbound.evidence.tables import opponents_of
from coolbound.evidence.tallies import HOT
from coolbound.evidence.violations import AVOIDABLE, FORESIGHT, OLDER
from coolbound.validation.verdicts import NO_BOUND, Finding, judged
from coolbound_envs.fault_kinds import KINDS

STEPS: Final = 10_000_000
"""Steps behind the safety layer that the campaign owes. [1]"""


@dataclasses.dataclass(frozen=True)
class Counts:
    """What the headline says of the hard thermal limit. Static.

    Attributes:
        steps: Behind the safety layer. [1]
        hot: Of them, steps over the limit. [1]
        begun: Violations that began. [1]
        tried: Of them, tried again. [1]
        avoidable: Of these, avoided by who reacts to the newest fault. [1]
        older: Avoided only by who has cooled since an older fault. [1]
        early: Avoided only by who acts before the fault shows. [1]
        calm: Hot steps with nothing broken. [1]
        bare: Steps without the safety layer. [1]
        bare_hot: Of them, steps over the limit. [1]
        trips: Episodes behind the safety layer that ended hot. [1]
        bare_trips: The same without it. [1]
    """

    steps: int
    hot: int
    begun: int
    tried: int
    avoidable: int
    older: int
    early: int
    calm: int
    bare: int
    bare_hot: int
    trips: int
    bare_trips: int


def counts(evidence: Evidence) -> Counts:
    """Return the figures of the headline."""
    ours, bare = evidence.filtered, evidence.bare
    hot = ours.tally.violations[:, HOT]
    verdicts = Counter(v.verdict for v in evidence.violations)
    return Counts(
        steps=ours.steps,
        hot=round(float(hot.sum())),
        begun=len(evidence.violations) + evidence.not_tried,
        tried=len(evidence.violations),
        avoidable=verdicts[AVOIDABLE],
        older=verdicts[OLDER],
        early=verdicts[FORESIGHT],
        calm=round(float(hot[:, list(CALM)].sum())),
        bare=bare.steps,
        bare_hot=round(float(bare.tally.violations[:, HOT].sum())),
        trips=round(float(ours.tally.trips.sum())),
        bare_trips=round(float(bare.tally.trips.sum())),
    )


def findings(evidence: Evidence) -> list[Finding]:
    """Return the rows of the summary."""
    found, is_whole = counts(evidence), evidence.plan.is_whole
    rows = [
        Finding(
            "Closed-loop steps behind the safety layer",
            f"{found.steps:,} in {len(evidence.cities)} cities, "
            f"{len(evidence.filtered.names) - 1} opponents, "
            f"{len(KINDS)} kinds of fault",
            f"{STEPS:,}",
            judged(found.steps >= STEPS, is_whole),
        ),
        Finding(
            "27 degC at any rack inlet, where any controller could have avoided it",
            f"{found.avoidable} of {found.tried} violations tried again",
            "0",
            judged(found.avoidable == 0, is_whole or found.avoidable > 0),
        ),
        Finding(
            "the same, where only who had cooled since an older fault could have",
            str(found.older),
            "-",
            NO_BOUND,
        ),
        Finding(
            "the same, where only who acts before the fault shows could have",
            str(found.early),
            "-",
            NO_BOUND,
        ),
        Finding(
            "Steps over 27 degC with nothing broken",
            f"{found.calm} of {found.hot}",
            "0",
            judged(found.calm == 0, is_whole or found.calm > 0),
        ),
        Finding(
            "Steps over any other limit with nothing broken",
            _calm_others(evidence),
            "-",
            NO_BOUND,
        ),
    ]
    return rows + _projection(evidence.projection)


def _calm_others(evidence: Evidence) -> str:
    tally = opponents_of(evidence.filtered).tally
    calm = list(CALM)
    over = tally.violations[:, :, calm].sum(axis=(0, 2))
    steps = float(tally.steps[:, calm].sum())
    others = float(over.sum() - over[HOT])
    return f"{1e3 * others / max(steps, 1.0):.3f} per 1,000, all limits added up"


def _projection(found: Any) -> list[Finding]:
    if found is None:
        return []
    recorded = found["recorded"]
    broken = (
        recorded["bound_violations"]
        + recorded["never_relaxed_violations"]
        + recorded["row_violations"]
    )
    count = recorded["envelopes"]
    return [
        Finding(
            "Recorded envelopes projected",
            f"{count:,}",
            "1,000,000",
            judged(count >= 1_000_000),
        ),
        Finding(
            "Hard rows violated after the kernel",
            str(broken),
            "0",
            judged(broken == 0),
        ),
        Finding(
            "Envelopes that the kernel flags",
            f"{100 * recorded['flagged'] / count:.4f} %",
            "-",
            NO_BOUND,
        ),
        Finding(
            "Distance of its answers to the exact ones, 99.9 % and worst",
            f"{recorded['distance_p99_9']:.1e} and {recorded['max_distance']:.1e}",
            "-",
            NO_BOUND,
        ),
    ]
