"""What a run comes to, for `summary.json` and for the report's template."""

import dataclasses
import importlib.metadata

import numpy as np

from coolbound_envs.limit_policy import parse_limit_policy
from coolbound_envs.site import Site
from coolbound_envs.spec import action_digest
from coolbound_safety.foresight import RECOVERY
from coolbound_safety.limits_notes import ROW_WORDS
from coolbound_safety.types import ADVICE, FilterStatus
from coolbound_shadow.comparison import Comparison
from coolbound_shadow.events import intervention_events
from coolbound_shadow.ledger.heads import Head
from coolbound_shadow.log_types import Log, log_facts
from coolbound_shadow.notes import model_notes
from coolbound_shadow.refusal_limits import RefusalLimits
from coolbound_shadow.replay import Policy, Replay, by_side
from coolbound_shadow.report import ReportData
from coolbound_shadow.selection import REFERENCE_LOG
from coolbound_shadow.summary import build_summary, interval_data, model_summary
from coolbound_shadow.twin import Twin

ATTRIBUTION = (
    "Weather data by Open-Meteo.com (CC BY 4.0), copy from HewlettPackard/"
    "sustain-cluster; load from the Google cluster trace 2019 (CC BY 4.0), "
    "aggregated by A. Fernández; both changed by simulation"
)
"""What the licences of the shipped log's data ask to be shown with them."""

FORESIGHT = (
    f"Every row of this step is kept; a look {ROW_WORDS[RECOVERY]} had to give way."
)
"""Of steps in which nothing gave way but foresight."""


@dataclasses.dataclass(frozen=True)
class ShadowRun:
    """All that a shadow run found, before it is written. Static.

    Attributes:
        site: The plant.
        log: What was replayed.
        policy: What was shadowed.
        replay: Row by row.
        twin: Operator and policy in the model.
        comparison: Both sides in every respect.
        replay_error: Largest difference of the log replayed as its own policy.
            [each channel's unit]
        writes_attempted: What would have left the process. [1]
        notes: What a reader must know first.
        limits: Below what no potential is told.
    """

    site: Site
    log: Log
    policy: Policy
    replay: Replay
    twin: Twin
    comparison: Comparison
    replay_error: float
    writes_attempted: int
    notes: tuple[str, ...]
    limits: RefusalLimits


def summarise(run: ShadowRun, seconds: float) -> dict[str, object]:
    """Return `summary.json` of a run.

    Args:
        run: What was found.
        seconds: Time that the run took. [s]
    """
    summary = build_summary(
        site=run.site.name,
        policy_name=run.policy.name,
        log=run.log,
        decisions=run.replay.decisions,
        limits=by_side(run.replay.limits),
        potential=run.twin.potential,
        null_test=run.twin.null_test,
        writes_attempted=run.writes_attempted,
        seconds=seconds,
    )
    latency = 1e3 * run.replay.latency[np.isfinite(run.replay.latency)]
    return summary | {
        "limits_off": list(parse_limit_policy(run.site.root).limits_off),
        "fallbacks": _fallbacks(run.replay),
        "replay_test": {
            "actions": _number(run.replay_error),
            "energy_percent": run.twin.replay_percent,
        },
        "model": model_summary(
            run.twin.operator, run.twin.limits, run.twin.stored_heat_percent
        )
        | {
            "stored_heat_charge_percent": run.twin.charge_percent,
            "parts": run.twin.parts,
        },
        "placebo_test": interval_data(run.twin.placebo),
        "excluded": {
            "steps": run.comparison.exclusions.steps,
            "modelled_potential": interval_data(run.comparison.exclusions.potential),
        },
        "control_time_sample": _sample(run.replay),
        **run.comparison.as_data(),
        "refusal_limits": run.limits.as_data(),
        "notes": [*run.notes, *run.twin.notes],
        "latency_ms": {
            "p50": round(float(np.median(latency)), 4),
            "p99": round(float(np.quantile(latency, 0.99)), 4),
            "max": round(float(np.max(latency)), 4),
        },
    }


def _sample(found: Replay) -> dict[str, object] | None:
    if found.sample is None:
        return None
    return {
        "decisions": found.sample.decisions,
        "differing": found.sample.differing,
        "largest_difference": found.sample.largest,
    }


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _fallbacks(found: Replay) -> dict[str, int]:
    decisions = found.decisions
    reasons = [
        reason
        for reason, status in zip(decisions.reason, decisions.status, strict=True)
        if status == FilterStatus.FALLBACK.name
    ]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


def report_data(run: ShadowRun, digest: str, head: Head | None = None) -> ReportData:
    """Return what the report says of a run.

    Args:
        run: What was found.
        digest: SHA-256 of `decisions.parquet`.
        head: Signed head of the ledger that the decisions are in, if any.
    """
    decisions = run.replay.decisions
    return ReportData(
        site=run.site.title,
        policy=run.policy.name,
        log=log_facts(run.log),
        decisions=decisions,
        events=intervention_events(decisions, run.log.step_s),
        limits=run.replay.limits,
        potential=run.twin.potential,
        null_test=run.twin.null_test,
        replay_error=run.replay_error,
        writes_attempted=run.writes_attempted,
        notes=(*run.notes, *run.twin.notes),
        provenance=_attribution(run.log)
        | {
            "coolbound": importlib.metadata.version("coolbound"),
            "Site file, sha256": run.site.digest,
            "Action table digest": action_digest(),
            "Refusal limits, sha256": run.limits.sha256,
            "decisions.parquet, sha256": digest,
        }
        | _ledger_lines(head),
        model_limits=run.twin.limits,
        model_notes=model_notes(run.twin),
        null_basis=run.twin.null_basis,
        statuses=_statuses(run.replay),
        limits_off=parse_limit_policy(run.site.root).limits_off,
        comparison=run.comparison,
        placebo=run.twin.placebo,
        refusals=run.limits.entries,
    )


def _ledger_lines(head: Head | None) -> dict[str, str]:
    """Return the head behind the decisions; none where nothing is on record."""
    if head is None:
        return {}
    return {
        f"Ledger head, {head.count:,} records, signed {head.time}": head.hash,
        "Ledger head, key": head.key,
    }


def _attribution(log: Log) -> dict[str, str]:
    """Return the line that the licences of the shipped log's data ask for."""
    if REFERENCE_LOG not in {source.name for source in log.sources}:
        return {}
    return {"Data in the shipped log": ATTRIBUTION}


def _statuses(found: Replay) -> tuple[tuple[str, int], ...]:
    """Return what the safety layer did; foresight that gave way is no limit's."""
    names = found.decisions.status
    counts = {ADVICE[s]: names.count(s.name) for s in FilterStatus}
    foresight = int(np.sum(found.decisions.extra["is_foresight_only"]))
    counts[ADVICE[FilterStatus.RELAXED]] -= foresight
    if foresight:
        counts[FORESIGHT] = foresight
    return tuple(counts.items())
