"""Row by row: what the policy proposed, and what the safety layer made of it.

The operator's action was applied; nothing here goes anywhere but into the
records. Each row is seen as it was then: the readings of its time, and around
them the set-points that the operator had in force. Once these are known the rows
do not depend on each other: they are decided in blocks.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS, TOLERANCE
from coolbound_envs.limits import SETTLING
from coolbound_envs.spec import POINT_INDEX
from coolbound_envs.types import Controller
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.judge import JUDGED_UNITS
from coolbound_safety.margins import SafetyModel
from coolbound_shadow.batch import Sample, joined, sample_rows
from coolbound_shadow.blocks import Asked, Block, decide_block
from coolbound_shadow.controller_calls import Progress, View
from coolbound_shadow.estimates import watch_rows
from coolbound_shadow.log_types import Log
from coolbound_shadow.novelty import novelty
from coolbound_shadow.proposals import Proposals, propose
from coolbound_shadow.records import Decisions
from coolbound_shadow.replay_inputs import Inputs, blocks, replay_inputs
from coolbound_shadow.summary import LimitReport, LimitValue, limit_value

CONTROL_STEP_S = 300
SIDES = ("operator", "proposed", "certified")

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
        latency: Time of each decision of the safety layer, NaN where it was made
            with others in a batch, shape (T,). [s]
        sample: Decisions that the sequence of control time took again.
    """

    decisions: Decisions
    limits: tuple[LimitReport, ...]
    inputs: Inputs
    latency: np.ndarray
    sample: Sample | None = None


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
    asked = Asked(
        inputs=inputs,
        applied=log.applied,
        proposed=proposals.action,
        known=watch_rows(inputs, model, scale),
        model=model,
        ramp_scale=scale,
        safety=safety or SafetyFilter(),
        again=sample_rows(log.rows),
    )
    found = []
    for rows in blocks(log.rows):
        found.append(decide_block(asked, rows))
        if progress is not None:
            progress("decide", rows.stop, log.rows)
    values = np.concatenate([block.values for block in found])
    values = _settled_only(values, inputs, log.time_utc)
    decisions = _records(log, policy, inputs, proposals, found, values)
    sample = joined([block.sample for block in found])
    latency = np.full(log.rows, np.nan)
    latency[sample.rows] = sample.latency
    return Replay(decisions, _limit_reports(values), inputs, latency, sample)


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
    found: list[Block],
    values: np.ndarray,
) -> Decisions:
    def texts(name: str) -> tuple[str, ...]:
        return tuple(text for block in found for text in getattr(block, name))

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(block, name) for block in found])

    reasons = zip(proposals.reason, texts("reason"), strict=True)
    # Float32 rounding of an action on its bound is no margin: 0, not 3e-8.
    kept = np.round(-values[:, 2, :], 6) + 0.0
    score, cut = novelty(policy.controller, policy.view, inputs)
    extra = {name: column(name) for name in Block.EXTRA}
    return Decisions(
        time_utc=log.time_utc,
        offset=log.offset,
        observed=log.values,
        quality=log.quality,
        applied=log.applied,
        proposed=proposals.action,
        certified=column("certified"),
        status=texts("status"),
        rung=texts("rung"),
        reason=tuple(first or second for first, second in reasons),
        active=texts("active"),
        limit=texts("limit"),
        kind=texts("kind"),
        margins={name: kept[:, i] for i, name in enumerate(LIMIT_NAMES)},
        extra={
            "held_readings": np.sum(inputs.is_held, axis=1),
            "is_previous_unknown": inputs.is_own,
            **extra,
            "novelty": score,
            "features_cut": cut,
        },
        policy_digest=policy.digest,
    )


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
