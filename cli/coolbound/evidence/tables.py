"""The tables of the evidence page, in Markdown."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from coolbound.console import table
from coolbound.evidence.causes import CALM, CLASSES, GRAVITY, MISREADINGS
from coolbound.evidence.coverage import COVERED, QUANTILES, SAME_UNIT, quantiles
from coolbound.evidence.gather import OPERATOR, Contest, Evidence
from coolbound.evidence.tallies import HOT
from coolbound.evidence.violations import REACTION, VERDICTS, Violation
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS

MINUTES: Final = CONTROL_INTERVAL / 60.0
"""Length of a step. [min]"""

KINDS: Final = tuple(kind.name.lower() for kind in (*GRAVITY, *MISREADINGS))
"""Names of the faults, the gravest first within their sort."""


def opponents_of(contest: Contest) -> Contest:
    """Return everyone but the operator."""
    return contest.some([name for name in contest.names if name != OPERATOR])


def per_thousand(count: float, steps: float) -> str:
    """Return a share as text: none is 0, what is too small to print is not."""
    if count == 0:
        return "0"
    share = 1e3 * count / max(steps, 1.0)
    return f"{share:.3f}" if share >= 0.001 else "<0.001"


def policy_table(evidence: Evidence) -> str:
    """Return hot steps, worst inlets and trips of every policy, with and without."""
    header = (
        "who proposes",
        "steps",
        "hot per 1,000",
        "nothing broken",
        "worst K over",
        "trips",
        "intervention %",
        "bare: hot per 1,000",
        "bare: worst K over",
        "bare: trips",
    )
    return table(header, [_policy_row(evidence, name) for name in _order(evidence)])


def _order(evidence: Evidence) -> list[str]:
    return list(evidence.filtered.names)


def _policy_row(evidence: Evidence, name: str) -> tuple[str, ...]:
    tally = evidence.filtered.some([name]).tally
    steps = float(tally.steps.sum())
    hot = tally.violations[0, HOT]
    calm = list(CALM)
    row = (
        name,
        f"{steps:,.0f}",
        per_thousand(float(hot.sum()), steps),
        per_thousand(float(hot[calm].sum()), float(tally.steps[0, calm].sum())),
        f"{tally.worst[0, HOT]:+.2f}",
        f"{tally.trips[0]:.0f}",
        f"{100 * tally.interventions[0] / steps:.1f}",
    )
    if name not in evidence.bare.names:
        return (*row, "", "", "")
    bare = evidence.bare.some([name]).tally
    count, without = float(bare.violations[0, HOT].sum()), float(bare.steps.sum())
    return (
        *row,
        per_thousand(count, without),
        f"{bare.worst[0, HOT]:+.2f}",
        f"{bare.trips[0]:.0f}",
    )


def limit_table(evidence: Evidence) -> str:
    """Return every limit: how often, how far, how long, with and without."""
    header = (
        "limit",
        "unit",
        "per 1,000",
        "nothing broken",
        "worst h",
        "nothing broken: worst h",
        "back after min, mean",
        "longest",
        "opponents bare per 1,000",
        "g36 per 1,000",
        "g36 bare per 1,000",
    )
    groups = (
        opponents_of(evidence.filtered),
        opponents_of(evidence.bare),
        evidence.filtered.some([OPERATOR]),
        evidence.bare.some([OPERATOR]),
    )
    rows = [_limit_row(i, groups) for i in range(len(LIMITS))]
    return table(header, rows)


def _limit_row(limit: int, groups: Sequence[Contest]) -> tuple[str, ...]:
    ours, *others = groups
    tally = ours.tally
    calm = list(CALM)
    over = tally.violations[:, limit].sum(axis=0)
    back = tally.recovery_steps[:, limit].sum()
    times = tally.recoveries[:, limit].sum()
    return (
        LIMITS[limit].name,
        LIMITS[limit].unit,
        per_thousand(float(over.sum()), ours.steps),
        per_thousand(float(over[calm].sum()), float(tally.steps[:, calm].sum())),
        _h(float(tally.worst[:, limit].max())),
        _h(float(tally.worst_calm[:, limit].max())),
        f"{MINUTES * back / times:.0f}" if times else "-",
        f"{MINUTES * tally.recovery_longest[:, limit].max():.0f}",
        *(
            per_thousand(float(c.tally.violations[:, limit].sum()), c.steps)
            for c in others
        ),
    )


def _h(value: float) -> str:
    """Return h as text; a limit that had nothing to watch has none."""
    return f"{value:+.3f}" if value > -999.0 else "-"


def cause_table(contest: Contest) -> str:
    """Return violating steps by cause (rows) and limit, of limits with any."""
    over = contest.tally.violations.sum(axis=0)
    steps = contest.tally.steps.sum(axis=0)
    limits = [i for i in range(len(LIMITS)) if over[i].sum() > 0]
    rows = []
    for name, classes in _causes():
        own = over[:, classes].sum(axis=1)
        count = steps[classes].sum()
        if count == 0:
            continue
        share = 100.0 * count / max(steps.sum(), 1.0)
        rows.append((name, f"{share:.2f}", *(f"{own[i]:.0f}" for i in limits)))
    header = ("broken", "% of steps", *(LIMIT_NAMES[i] for i in limits))
    return table(header, rows)


def _causes() -> list[tuple[str, list[int]]]:
    """Return the rows of the table of causes: name and classes."""
    rows = [
        ("nothing", [CLASSES.index("none")]),
        ("nothing, first hour", [CLASSES.index("start")]),
    ]
    for kind in KINDS:
        rows.append((kind, [CLASSES.index(kind)]))
        rows.append((f"up to 1 h after {kind}", [CLASSES.index(f"after {kind}")]))
    return rows


def avoidable_table(violations: Sequence[Violation]) -> str:
    """Return violations of the hard thermal limit by cause and what avoids them."""
    header = (
        "broken when it began",
        "violations",
        *VERDICTS,
    )
    causes = Counter(v.cause for v in violations)
    rows = [
        (cause, *_verdicts([v for v in violations if v.cause == cause]))
        for cause, _ in causes.most_common()
    ]
    return table(header, [*rows, ("all", *_verdicts(violations))])


def _verdicts(some: Sequence[Violation]) -> tuple[str, ...]:
    found = Counter(v.verdict for v in some)
    return (str(len(some)), *(str(found[verdict]) for verdict in VERDICTS))


def rescuer_table(violations: Sequence[Violation], names: Sequence[str]) -> str:
    """Return how many violations each rescuer avoids, by its start."""
    starts = list(violations[0].avoided_by) if violations else [REACTION]
    rows = [
        (name, *(str(sum(name in v.avoided_by[s] for v in violations)) for s in starts))
        for name in names
    ]
    return table(("goes on with", *starts), rows)


def coverage_table(evidence: Evidence) -> str:
    """Return how well the margins cover the model's error, by limit."""
    header = (
        "limit",
        "unit",
        "plants",
        "predictions",
        "mean margin",
        "beyond the margin %",
        "promised and broken %",
        *(f"error {100 * q:g} %" for q in QUANTILES),
    )
    rows = []
    for i, limit in enumerate(COVERED):
        for variation, found in evidence.coverage.items():
            rows.append(_coverage_row(i, limit, variation, found))
    return table(header, rows)


def _coverage_row(i: int, limit: int, variation: float, found: Any) -> tuple[str, ...]:
    spec, count = LIMITS[limit], float(found.predicted[i])
    plants = "nominal" if variation == 0.0 else f"up to {variation:.0%} off"
    if count == 0:
        return (spec.name, spec.unit, plants, "0", *["-"] * (3 + len(QUANTILES)))
    broken = f"{100 * found.broken[i] / max(float(found.promised[i]), 1.0):.3f}"
    head = (spec.name, spec.unit, plants, f"{count:,.0f}")
    if limit not in SAME_UNIT:
        return (*head, "-", "-", broken, *["-"] * len(QUANTILES))
    errors = quantiles(np.asarray(found.errors[i]), spec.scale)
    return (
        *head,
        f"{found.margins[i] / count:.3f}",
        f"{100 * found.uncovered[i] / count:.3f}",
        broken,
        *(f"{error:+.3f}" for error in errors),
    )
