"""Row by row: what the policy proposed, and what the safety layer made of it.

The operator's action was applied; nothing here goes anywhere but into the
records. Each row is seen as it was then: the readings of its time, and around
them the set-points that the operator had in force.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS, TOLERANCE
from coolbound_envs.limits import SETTLING
from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS, POINT_INDEX, channel_array
from coolbound_envs.types import Controller
from coolbound_safety.coordinates import spans
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.judge import JUDGED_UNITS
from coolbound_safety.margins import SafetyModel
from coolbound_safety.types import Envelope, FilterResult, FilterStatus
from coolbound_shadow.controller_calls import Progress, View
from coolbound_shadow.decide import decide_rows, envelope_of, is_foresight_only
from coolbound_shadow.envelopes import Choices, build_envelopes, judge_actions
from coolbound_shadow.estimates import watch_rows
from coolbound_shadow.log_types import Log
from coolbound_shadow.proposals import Proposals, propose
from coolbound_shadow.records import Decisions, beyond_dead_band
from coolbound_shadow.replay_inputs import Inputs, replay_inputs
from coolbound_shadow.summary import LimitReport, LimitValue, limit_value

CONTROL_STEP_S = 300
SIDES = ("operator", "proposed", "certified")

CAPACITY = "CAPACITY_N1_POWER"
HOTTEST = "CA_T_MAX"
"""What an emergency is about."""

INTERLOCK = "INTERLOCK"
"""Machines and modes are locked as they are, since the load is not observable."""

LIMIT_OF_BOUND = {
    "supply_air_setpoint": ("SAT_BOX_RATE", "SAT_BOX_RATE"),
    "crah_fan_speed": ("CRAH_FAN", "CRAH_FAN"),
    "chw_supply_setpoint": ("CHWS_BOX", "CHWS_SLEW"),
    "chw_pressure_setpoint": ("CHW_DP range", "CHW_DP rate"),
    "cw_pump_speed": ("CT_CWP_RATE", "CT_CWP_RATE"),
    "tower_fan_speed": ("CT_CWP_RATE", "CT_CWP_RATE"),
    "chiller_demand": (CAPACITY, CAPACITY),
    "economizer_demand": (CAPACITY, CAPACITY),
}
"""What a channel's range and its ramp stand for; pressure has no limit of its own."""

DEAD_SHARES = channel_array("dead_band") / (
    channel_array("upper") - channel_array("lower")
)
"""Dead bands as shares of the ranges, shape (10,). [1]"""

MODES = ("chillers_running", "chillers_starting", "economizer_running")
WAITING = ("EVAP_FLOW_MIN", "LIFT_MIN", "SURGE_LINE")
"""Limits that are not watched while the plant settles."""


@dataclasses.dataclass(frozen=True)
class Policy:
    """A controller that is shadowed. Static.

    Attributes:
        controller: Proposes actions.
        name: What reports call it.
        digest: SHA-256 that tells it apart, hexadecimal.
        view: What it sees of the site's readings.
    """

    controller: Controller
    name: str
    digest: str
    view: View


@dataclasses.dataclass(frozen=True)
class Replay:
    """All that the rows of a log gave. Static.

    Attributes:
        decisions: One record per row.
        limits: The 21 limits as each side met them.
        inputs: What was known at each row.
        latency: Time of each decision of the safety layer, shape (T,). [s]
    """

    decisions: Decisions
    limits: tuple[LimitReport, ...]
    inputs: Inputs
    latency: np.ndarray


def replay(
    log: Log,
    policy: Policy,
    model: SafetyModel,
    zone: str,
    safety: SafetyFilter | None = None,
    progress: Progress | None = None,
) -> Replay:
    """Return the decision of every row of a log.

    Args:
        log: The operator's log.
        policy: What is shadowed.
        model: Plant, limits and margins of the site.
        zone: IANA name of the site's time zone.
        safety: The filter; by default a fresh one.
        progress: Told while rows are decided.
    """
    inputs = replay_inputs(log, zone)
    proposals = propose(policy.controller, inputs, policy.view)
    scale = log.step_s / CONTROL_STEP_S
    known = watch_rows(inputs, model, scale)
    choices = build_envelopes(inputs, proposals.action, known, model, scale)
    safety = safety or SafetyFilter()
    results = decide_rows(choices, proposals.action, known, model, safety, progress)
    certified = np.stack([result.action for result in results])
    actions = np.stack([log.applied, proposals.action, certified], axis=1)
    # A channel that the site does not log is not judged: nobody knows where it is.
    is_logged = np.any(np.isfinite(log.applied), axis=0)
    actions = np.where(is_logged, actions, np.nan)
    values = judge_actions(inputs, actions, known, model, scale)
    values = _settled_only(values, inputs, log.time_utc)
    decisions = _records(log, policy, inputs, proposals, results, choices, values)
    latency = np.asarray([result.timing_s for result in results])
    return Replay(decisions, _limit_reports(values), inputs, latency)


def _settled_only(values: np.ndarray, inputs: Inputs, time: np.ndarray) -> np.ndarray:
    """Return values without those of limits that wait for the plant to settle.

    As on the true state, flow, lift and surge are not watched until 15 min and one
    interval after machines or mode have changed; before, they are not observable.
    """
    modes = np.nan_to_num(inputs.value[:, [POINT_INDEX[name] for name in MODES]])
    changed = np.any(modes[1:] != modes[:-1], axis=1)
    at = np.concatenate([[False], changed])
    latest = np.maximum.accumulate(np.where(at, np.arange(len(at)), -1))
    since = np.where(latest >= 0, time - time[np.maximum(latest, 0)], np.inf)
    waits = since < SETTLING + CONTROL_STEP_S
    found = values.copy()
    for name in WAITING:
        found[waits, :, LIMIT_NAMES.index(name)] = np.nan
    return found


def _records(
    log: Log,
    policy: Policy,
    inputs: Inputs,
    proposals: Proposals,
    results: list[FilterResult],
    choices: Choices,
    values: np.ndarray,
) -> Decisions:
    certified = np.stack([result.action for result in results])
    causes = _causes(results, certified, proposals.action, choices)
    causes = _named_interlocks(causes, values)
    reasons = [proposals.reason[i] or result.reason for i, result in enumerate(results)]
    # Float32 rounding of an action on its bound is no margin: 0, not 3e-8.
    kept = np.round(-values[:, 2, :], 6) + 0.0
    margins = {name: kept[:, i] for i, name in enumerate(LIMIT_NAMES)}
    return Decisions(
        time_utc=log.time_utc,
        offset=log.offset,
        observed=log.values,
        quality=log.quality,
        applied=log.applied,
        proposed=proposals.action,
        certified=certified,
        status=tuple(result.status.name for result in results),
        rung=tuple(result.rung for result in results),
        reason=tuple(reasons),
        active=tuple(_active_text(result) for result in results),
        limit=tuple(limit for limit, _ in causes),
        kind=tuple(kind for _, kind in causes),
        margins=margins,
        extra={
            "held_readings": np.sum(inputs.is_held, axis=1),
            "is_previous_unknown": inputs.is_own,
            "certificate_distance": np.asarray(
                [result.certificate.distance for result in results]
            ),
            "is_certified": np.asarray(
                [result.certificate.is_certified for result in results]
            ),
            "is_emergency": choices.is_emergency,
            "is_foresight_only": np.asarray(list(map(is_foresight_only, results))),
        },
        policy_digest=policy.digest,
    )


def _active_text(result: FilterResult) -> str:
    return "; ".join(f"{name}={margin:.4g}" for name, margin in result.active)


def _causes(
    results: list[FilterResult],
    certified: np.ndarray,
    proposed: np.ndarray,
    choices: Choices,
) -> list[tuple[str, str]]:
    """Return the limit that bound most and the kind of each intervention."""
    moved = np.any(beyond_dead_band(certified, proposed), axis=1)
    causes = []
    for i, result in enumerate(results):
        if result.status == FilterStatus.FALLBACK:
            causes.append(("", "fallback"))
        elif moved[i]:
            found = _cause(result, proposed[i], envelope_of(choices.envelopes, i))
            causes.append((HOTTEST, "limit") if choices.is_emergency[i] else found)
        else:
            causes.append(("", ""))
    return causes


def _named_interlocks(
    causes: list[tuple[str, str]], values: np.ndarray
) -> list[tuple[str, str]]:
    """Name the interlock itself where the limit that it keeps is not observable."""
    is_known = np.isfinite(values[:, 2, LIMIT_NAMES.index(CAPACITY)])
    return [
        (INTERLOCK, kind) if limit == CAPACITY and not is_known[i] else (limit, kind)
        for i, (limit, kind) in enumerate(causes)
    ]


def _cause(
    result: FilterResult, proposed: np.ndarray, envelope: Envelope
) -> tuple[str, str]:
    """Return the limit that bound most, and "limit" or "ramp".

    Rows come before interlocks and ranges, those before ramps; among equals the
    one that moved the action most.
    """
    low, high = channel_array("lower"), channel_array("upper")
    moved = np.nan_to_num(result.action - proposed)
    change, rows = moved / (high - low), np.asarray(envelope.G)
    found = []
    for name, _ in result.active:
        if name in envelope.names:
            row = rows[envelope.names.index(name)]
            size = abs(float(row @ (moved / spans())))
            found.append((2, size, name.partition(":")[0], "limit"))
        else:
            found.append(_bound_cause(name, change))
    # What is projected lies within the ranges; what was proposed may not.
    for i in np.flatnonzero((proposed < low) | (proposed > high)):
        found.append(_bound_cause(f"range:{CHANNEL_NAMES[i]}", change))
    if not found:
        return "", "limit"
    _, _, limit, kind = max(found, key=lambda each: each[:2])
    return limit, kind


def _bound_cause(name: str, change: np.ndarray) -> tuple[int, float, str, str]:
    place, _, channel = name.partition(":")
    index = CHANNEL_NAMES.index(channel)
    range_name, ramp_name = LIMIT_OF_BOUND[channel.partition("_hall")[0]]
    size = abs(float(change[index]))
    # A request has no ramp: what bounds it inside its range is an interlock.
    if place == "ramp" and not CHANNELS[index].is_request:
        return 0, size, ramp_name, "ramp"
    # Rounded to whole machines the request is still the one that was made.
    is_felt = size > DEAD_SHARES[index]
    return (1 if is_felt else -1), size, range_name, "limit"


def _limit_reports(values: np.ndarray) -> tuple[LimitReport, ...]:
    return tuple(
        LimitReport(
            number=i + 1,
            name=limit.name,
            meaning=limit.title,
            unit=JUDGED_UNITS[limit.name],
            **{
                side: limit_value(values[:, j, i], TOLERANCE)
                for j, side in enumerate(SIDES)
            },
        )
        for i, limit in enumerate(LIMITS)
    )


def by_side(limits: tuple[LimitReport, ...]) -> Mapping[str, Mapping[str, LimitValue]]:
    """Return what each limit saw, by side and name, as the summary wants it."""
    return {
        side: {limit.name: getattr(limit, side) for limit in limits} for side in SIDES
    }
