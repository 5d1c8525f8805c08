"""What a whole run comes to: limits as each side met them, and `summary.json`."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from coolbound_envs.spec import ACTION_SIZE, CHANNEL_NAMES
from coolbound_shadow.log_types import Log, log_facts
from coolbound_shadow.records import (
    KINDS,
    Decisions,
    beyond_dead_band,
    intervention_mask,
)
from coolbound_shadow.statistics import Interval

SUMMARY_SCHEMA = "coolbound.shadow/1"


@dataclasses.dataclass(frozen=True)
class LimitValue:
    """What one limit saw of one side over the run. Static.

    Attributes:
        worst: Largest h, above 0 violated; NaN where not observable.
            [the limit's unit]
        violations: Steps with h above 0. [1]
        observable: True where the limit could be evaluated at all.
        steps: Steps at which it could be evaluated. [1]
    """

    worst: float
    violations: int
    observable: bool
    steps: int


@dataclasses.dataclass(frozen=True)
class LimitReport:
    """One of the 21 limits, as each side met it. Static.

    Attributes:
        number: Its number in the docs. [1]
        name: Its name, as in the decision records.
        meaning: One phrase that plant staff understand.
        unit: Unit of its values.
        operator: Under the applied action.
        proposed: Under the proposed action.
        certified: Under the certified action.
    """

    number: int
    name: str
    meaning: str
    unit: str
    operator: LimitValue
    proposed: LimitValue
    certified: LimitValue


@dataclasses.dataclass(frozen=True)
class ModelLimit:
    """One limit on the model's true state, for both rollouts. Static.

    Attributes:
        name: The limit.
        meaning: What it says, in words.
        unit: Unit of its values.
        operator: Under the operator's set-points.
        policy: Under the policy behind the safety layer.
    """

    name: str
    meaning: str
    unit: str
    operator: LimitValue
    policy: LimitValue


def limit_value(h: np.ndarray, tolerance: float = 0.0) -> LimitValue:
    """Return what a limit saw of one side.

    Args:
        h: Signed values, above 0 violated, NaN where unknown, shape (T,).
            [the limit's unit]
        tolerance: Values up to this are no violation. [the limit's unit]
    """
    known = h[np.isfinite(h)]
    if len(known) == 0:
        return LimitValue(float("nan"), 0, False, 0)
    violations = int(np.sum(known > tolerance))
    return LimitValue(float(np.max(known)), violations, True, len(known))


def build_summary(
    *,
    site: str,
    policy_name: str,
    log: Log,
    decisions: Decisions,
    limits: Mapping[str, Mapping[str, LimitValue]],
    potential: Interval,
    null_test: Interval,
    writes_attempted: int,
    seconds: float,
) -> dict[str, object]:
    """Return `summary.json` as DESIGN.md defines it.

    Args:
        site: The site's id.
        policy_name: Name in the policy's manifest.
        log: What was replayed.
        decisions: What was decided.
        limits: By "proposed", "certified" and "operator", each by limit.
        potential: Modelled potential.
        null_test: Operator in the model against the measured operator.
        writes_attempted: Writes that the policy's process tried. [1]
        seconds: Time the run took. [s]
    """
    return {
        "schema": SUMMARY_SCHEMA,
        "site": site,
        "policy": {"name": policy_name, "digest": decisions.policy_digest},
        "log": dataclasses.asdict(log_facts(log)),
        "decisions": decisions.rows,
        "interventions": dataclasses.asdict(intervention_summary(decisions)),
        "agreement": agreement(decisions),
        "limit_values": {side: _limit_summary(limits[side]) for side in limits},
        "modelled_potential": interval_data(potential),
        "null_test": interval_data(null_test),
        "writes_attempted": writes_attempted,
        "seconds": round(seconds, 3),
    }


@dataclasses.dataclass(frozen=True)
class Interventions:
    """How often the safety layer changed what was proposed. Static.

    Attributes:
        count: Steps with an intervention. [1]
        rate: Share of all steps. [1]
        by_limit: Steps by the limit that bound most, most frequent first.
        by_kind: Steps by each of `KINDS`.
    """

    count: int
    rate: float
    by_limit: dict[str, int]
    by_kind: dict[str, int]


def intervention_summary(decisions: Decisions) -> Interventions:
    """Return count, rate, and counts by limit and by kind."""
    mask = intervention_mask(decisions)
    kinds = np.asarray(decisions.kind)[mask]
    limits = np.asarray(decisions.limit)[mask]
    names, counts = np.unique(limits[limits != ""], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return Interventions(
        count=int(np.sum(mask)),
        rate=float(np.mean(mask)) if len(mask) else 0.0,
        by_limit={str(names[i]): int(counts[i]) for i in order},
        by_kind={kind: int(np.sum(kinds == kind)) for kind in KINDS},
    )


def agreement(decisions: Decisions) -> dict[str, dict[str, float | None]]:
    """Return, by channel, how far the certified action lies from the operator's.

    A channel that the log does not hold has None: unknown, not agreement.
    """
    outside = beyond_dead_band(decisions.certified, decisions.applied)
    result: dict[str, dict[str, float | None]] = {}
    for i in range(ACTION_SIZE):
        difference = np.abs(decisions.certified[:, i] - decisions.applied[:, i])
        known = np.isfinite(difference)
        share = 1.0 - np.mean(outside[known, i]) if np.any(known) else None
        mean = float(np.mean(difference[known])) if np.any(known) else None
        result[CHANNEL_NAMES[i]] = {
            "mean_abs_difference": mean,
            "within_dead_band": None if share is None else float(share),
        }
    return result


def _limit_summary(values: Mapping[str, LimitValue]) -> dict[str, object]:
    return {
        name: {
            "worst": value.worst if value.observable else None,
            "violations": value.violations,
            "observable": value.observable,
        }
        for name, value in values.items()
    }


def model_summary(
    operator: str, limits: Sequence[ModelLimit], stored_heat_percent: float
) -> dict[str, object]:
    """Return what operator and policy did in the model, ready for JSON.

    Args:
        operator: What stands for the operator; empty where nothing was run.
        limits: The limits in both rollouts; empty where not run.
        stored_heat_percent: Heat left in the policy's plant beyond the
            operator's, of the operator's facility energy. [percent]
    """
    sides = {
        "operator": {limit.name: limit.operator for limit in limits},
        "policy": {limit.name: limit.policy for limit in limits},
    }
    return {
        "operator": operator or None,
        "limit_values": {side: _limit_summary(sides[side]) for side in sides},
        "stored_heat_percent": stored_heat_percent if limits else None,
    }


def interval_data(interval: Interval) -> dict[str, object]:
    """Return an interval ready for JSON, with what it rests on."""
    is_given = not interval.refused
    return {
        "percent": interval.percent if is_given else None,
        "low": interval.low if is_given else None,
        "high": interval.high if is_given else None,
        "refused": interval.refused or None,
        "days": interval.days,
        "effective_days": round(interval.effective_days, 2),
        "blocks": interval.blocks,
        "block_days": interval.block_days,
        "method": interval.method,
    }
