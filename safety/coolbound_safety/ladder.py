"""One decision from observation to certified action, rung by rung.

    clip, active_set, cvxpy, lexicographic    the certified projection (`filter`)
    shrunk      moved towards the backup until the nonlinear model agrees
    backup      the certified backup, where the second check prefers it
    hold        the action in force, where it prefers that, or nothing can be seen

The rung after these, the neutral rule, is not of one decision but of many, and is
climbed down to in `coolbound_safety.layer`. Everything here is a function of its
arguments: a decision that comes too late changes nothing.
"""

import dataclasses

import jax
import numpy as np

from coolbound_envs.types import Observation
from coolbound_safety.agreement import (
    SLACK_TIE,
    Choice,
    Tools,
    back_checked,
    concluded,
    safe_result,
)
from coolbound_safety.candidates import Candidate, safe_candidate
from coolbound_safety.conclusion import differs
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.guard import Memory, Options
from coolbound_safety.takeover import Worth
from coolbound_safety.types import (
    Array,
    Envelope,
    FilterResult,
    FilterStatus,
    as_float64,
    from_unit64,
    to_unit64,
)
from coolbound_safety.verify_record import Record
from coolbound_safety.verify_rule import Verification, VerifyStatus


@dataclasses.dataclass
class Progress:
    """What is certain before any solver runs; read by the caller of a late worker.

    Attributes:
        known: The envelope, what was asked for, and the backup of this step,
            certified or the lesser evil; None before that is known.
    """

    known: tuple[Envelope, np.ndarray, Candidate] | None = None

    @property
    def safe(self) -> FilterResult | None:
        """The backup as a result; None before it is known."""
        return None if self.known is None else safe_result(*self.known)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What one decision came to, before anybody asks who drives.

    Attributes:
        result: Action, status and certificate.
        worth: What it says about the safety layer.
        is_usable: True where the action may be applied as it is.
        verification: The second check of the projection's answer.
        machines: Machines asked for. [1]
        estimate_age_s: Age of the oldest of inlets and loads. [s]
        memory: After this step.
        record: Of the second check, after this step.
    """

    result: FilterResult
    worth: Worth
    is_usable: bool
    verification: Verification
    machines: float
    estimate_age_s: float
    memory: Memory
    record: Record


def evaluate(
    tools: Tools,
    memory: Memory,
    record: Record,
    observation: Observation,
    proposed: np.ndarray,
    progress: Progress,
) -> Evaluation:
    """Return the decision on one finite proposal.

    Args:
        tools: What it is made with.
        memory: Of the steps before.
        record: Of the second check, of the steps before.
        observation: One plant.
        proposed: Finite, shape (10,). [each channel's unit]
        progress: Filled as soon as the backup is known.
    """
    seen = tools.verifier.remember(record, observation)
    asked = np.asarray(proposed, np.float32)
    options, after = tools.prepare(memory, observation, asked)
    choice = _choose(tools.safety_filter, options, progress)
    notes: list[str] = []
    choice = back_checked(tools, options, choice, notes)
    applied = np.asarray(observation.applied)
    result, verification = _verified(tools, seen, applied, choice, notes)
    is_blind = bool(options.is_blind)
    is_seen = verification.status != VerifyStatus.UNSEEN and not is_blind
    return Evaluation(
        result=_explained(result, proposed, options, notes),
        worth=_worth(result, verification) if is_seen else Worth.BAD,
        is_usable=is_seen and result.certificate.is_certified,
        verification=verification,
        machines=choice.machines,
        estimate_age_s=float(options.estimate.stale),
        memory=after,
        record=seen,
    )


def _choose(
    safety_filter: SafetyFilter, options: Options, progress: Progress
) -> Choice:
    """Return the best admissible number of machines: least slack, then nearest.

    Candidates come in the order of their penalty; one that could not be nearer even
    without any row is not projected.
    """
    asked = np.asarray(options.asked, np.float64)
    staging = options.staging
    best, least = None, (True, np.inf, np.inf, np.inf)
    for k in np.argsort(staging.penalty, kind="stable"):
        if best is not None and not staging.admissible[k]:
            continue
        envelope = as_float64(_take(options.envelopes, int(k)), asked)
        penalty = float(staging.penalty[k])
        if penalty + _nearest(envelope, asked) >= least[3] and least[1:3] == (0.0, 0.0):
            continue
        safe = safe_candidate(envelope)
        progress.known = progress.known or (envelope, asked, safe)
        result = safety_filter.decide_unit(envelope, asked, safe)
        order = _order(result, asked, penalty)
        if best is None or order < least:
            best = Choice(envelope, result, float(staging.machines[k]), asked)
            least = order
    assert best is not None
    return best


def _take(envelopes: Envelope, index: int) -> Envelope:
    return jax.tree.map(lambda x: x[index], envelopes)


def _nearest(envelope: Envelope, asked: np.ndarray) -> float:
    moved = np.clip(asked, envelope.lower, envelope.upper) - asked
    return 0.5 * float((moved**2).sum())


def _order(
    result: FilterResult, asked: np.ndarray, penalty: float
) -> tuple[bool, float, float, float]:
    """Return what is compared: certified first, slack by priority, then cost."""
    moved = to_unit64(result.action) - asked
    first, second = (
        0.0 if x <= SLACK_TIE else round(x / SLACK_TIE) * SLACK_TIE
        for x in result.slack_by_priority[1:]
    )
    is_fallback = result.status == FilterStatus.FALLBACK
    return is_fallback, first, second, penalty + 0.5 * float(np.sum(moved**2))


def _verified(
    tools: Tools,
    record: Record,
    applied: np.ndarray,
    choice: Choice,
    notes: list[str],
) -> tuple[FilterResult, Verification]:
    """Return what the second check leaves standing, and what it found."""
    envelope, result = choice.envelope, choice.result
    backup = _clipped(envelope.backup, envelope)
    found = tools.verifier.verify(record, applied, result.action, from_unit64(backup))
    if found.passed:
        return result, found
    notes.append(found.reason)
    hold = concluded(choice, "hold", _clipped(envelope.held, envelope))
    if found.status == VerifyStatus.UNSEEN or found.best == "hold":
        return hold, found
    return concluded(choice, "backup", backup), found


def _clipped(unit: Array, envelope: Envelope) -> np.ndarray:
    return np.clip(np.asarray(unit), envelope.lower, envelope.upper)


def _worth(result: FilterResult, verification: Verification) -> Worth:
    """Return what the decision is worth: a veto means that the envelope is wrong."""
    if not (verification.passed and result.certificate.is_certified):
        return Worth.BAD
    return Worth.FAIR if result.status == FilterStatus.FALLBACK else Worth.GOOD


def _explained(
    result: FilterResult, proposed: np.ndarray, options: Options, notes: list[str]
) -> FilterResult:
    """Return the result about the proposal that was made, whatever was projected."""
    status, rung = result.status, result.rung
    if bool(options.is_emergency):
        notes = [*notes, "emergency: all cooling is asked for"]
    if bool(options.is_blind):
        notes = [*notes, "inlets or loads are too old; the action in force is held"]
        status, rung = FilterStatus.FALLBACK, "hold"
    if status == FilterStatus.PASSED and np.any(differs(result.action, proposed)):
        status = FilterStatus.PROJECTED
    reason = "; ".join(x for x in (*notes, result.reason) if x)
    return dataclasses.replace(
        result,
        proposed=np.asarray(proposed, np.float64),
        status=status,
        reason=reason,
        rung=rung,
    )
