"""`docs/safety-evidence.md` from the evidence: prose in a template, figures here."""

from collections.abc import Mapping
from typing import Any, Final

from coolbound.console import table
from coolbound.evidence.causes import RECOVERY_S
from coolbound.evidence.findings import counts, findings
from coolbound.evidence.gather import FAULTS_OFTEN, OPERATOR, Evidence
from coolbound.evidence.rescue import AFTER
from coolbound.evidence.tables import (
    MINUTES,
    avoidable_table,
    cause_table,
    coverage_table,
    limit_table,
    opponents_of,
    policy_table,
    rescuer_table,
)
from coolbound.evidence.violations import LEADS, REACTION_MOST
from coolbound.pages import page_template
from coolbound_envs.fault_kinds import KINDS
from coolbound_envs.tasks import MISHAPS

FIGURES: Final = {
    "inlets": "Steps over 27 degC and hottest inlets, filtered and bare",
    "causes": "Steps over each limit by what was broken",
    "margins": "Errors of the predictions beside the margins",
}
"""Files `figures/safety-*.svg`, each with its text alternative."""


def render(
    evidence: Evidence,
    rescuers: tuple[str, ...],
    facts: Mapping[str, Any],
    command: str,
) -> str:
    """Return the page.

    Args:
        evidence: What was measured.
        rescuers: Names of those who tried violations again.
        facts: Machine, versions, revision and seconds.
        command: That made it.
    """
    return page_template("coolbound.evidence").render(
        plan=evidence.plan,
        facts=facts,
        command=command,
        alt=FIGURES,
        counts=counts(evidence),
        summary=_summary(evidence),
        cities=evidence.cities,
        loads=evidence.loads,
        faults_a_day=sum(MISHAPS.values()),
        often=FAULTS_OFTEN,
        kinds=len(KINDS),
        recovery_min=RECOVERY_S / 60.0,
        opponents=len(evidence.filtered.names) - 1,
        policies=policy_table(evidence),
        limits=limit_table(evidence),
        causes=cause_table(opponents_of(evidence.filtered)),
        operator_causes=cause_table(evidence.filtered.some([OPERATOR])),
        avoidable=avoidable_table(evidence.violations),
        rescuers=rescuer_table(evidence.violations, rescuers),
        not_tried=evidence.not_tried,
        leads={name: MINUTES * steps for name, steps in LEADS.items()},
        after_min=MINUTES * AFTER,
        reaction_h=MINUTES * REACTION_MOST / 60.0,
        episode_h=MINUTES * evidence.plan.steps / 60.0,
        hunt_h=MINUTES * evidence.plan.effort.steps / 60.0,
        has_coverage=bool(evidence.coverage),
        coverage=coverage_table(evidence),
        projection=evidence.projection,
        **_projection(evidence.projection),
    )


def _summary(evidence: Evidence) -> str:
    """Return the summary; its cells are too long to be padded."""
    rows = [(f.what, f.measured, f.bound, f.verdict) for f in findings(evidence)]
    header = ("promise", "measured", "bound", "verdict")
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def _projection(found: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the tables of the projection's evidence; none where it was left out."""
    if found is None:
        return {"recorded": "", "families": "", "broken": "", "batches": ""}
    families = {"recorded": found["recorded"], **found["degenerate"]}
    rows = [(name, *_family(figures)) for name, figures in families.items()]
    header = (
        "envelopes",
        "count",
        "flagged",
        "bounds exceeded",
        "hard rows exceeded",
        "worst excess beyond the exact answer",
        "distance 99.9 %",
        "worst distance",
    )
    return {
        "recorded": "",
        "families": table(header, rows),
        "broken": _broken(found["not_finite"]),
        "batches": _batches(found["batch_invariance"]),
    }


def _family(found: Mapping[str, Any]) -> tuple[str, ...]:
    hard = found["row_violations"] + found["never_relaxed_violations"]
    return (
        f"{found['envelopes']:,}",
        str(found["flagged"]),
        str(found["bound_violations"]),
        str(hard),
        _short(found["max_excess_beyond_exact"]),
        _short(found["distance_p99_9"]),
        _short(found["max_distance"]),
    )


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}"


_SPOILED: Final = {
    "nan": "not a number",
    "inf": "plus infinity",
    "minus_inf": "minus infinity",
}


def _broken(found: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    rows = [
        (
            f"{field}: {_SPOILED.get(value, value)}",
            *(str(case[k]) for k in ("broken", "flagged", "known", "others_changed")),
        )
        for field, cases in found.items()
        for value, case in cases.items()
    ]
    header = ("spoiled", "envelopes", "flagged", "known answer", "others changed")
    return table(header, rows)


def _batches(found: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        (
            size,
            f"{case['lanes']:,}",
            f"{case['max_difference']:.1e}",
            str(case["flags"]),
        )
        for size, case in found.items()
    ]
    return table(("batch", "lanes compared", "largest difference", "flags"), rows)
