"""Float64 proof that rows gave way no further than they had to.

For priority p, let y be any multipliers of the rows with

    y >= 0           rows of priority 0, which never give way
    0 <= y <= t_q    rows of a more important priority q < p, t_q >= 0
    0 <= y <= 1      rows of priority p, and y = 0 for all that follow

Then for every action u inside the bounds that keeps the rows of priority 0 and whose
total slack of each priority q < p is at most T_q, with w = G'y,

    sum_p s  >=  phi = sum_j min(lower_j w_j, upper_j w_j) - h.y - sum_q t_q T_q

because y.(G u - h) is at most sum_p s + sum_q t_q T_q. So any solver may propose y and
t, and arithmetic alone judges them, as in `coolbound_safety.certificate`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from coolbound_safety.certificate import certify
from coolbound_safety.types import PRICE_MAX, Certificate, Envelope, SlackProof

PROOF_TOLERANCE: Final = 1e-6
"""Total slack accepted above its proven least: rounding and tightening. [1]"""

FROZEN_ROOM: Final = 1e-9
"""A frozen row may be exceeded by this: what it was tightened by before. [1]"""


@dataclasses.dataclass(frozen=True)
class SlackDual:
    """Multipliers that are claimed to prove the least slack of one priority.

    Attributes:
        priority: Whose total slack is bounded: 1 or 2. [1]
        rows: Of the rows, shape (m,). [1]
        totals: Of the totals of more important priorities, by priority,
            shape (3,). [1]
    """

    priority: int
    rows: np.ndarray
    totals: np.ndarray


def totals_by_priority(envelope: Envelope, slack: np.ndarray) -> np.ndarray:
    """Return the sum of a slack (m,) by priority 0, 1, 2, shape (3,) [1]."""
    priority = np.asarray(envelope.priority)
    return np.array([np.sum(slack[priority == tier]) for tier in (0, 1, 2)])


def least_total(envelope: Envelope, dual: SlackDual, spent: np.ndarray) -> float:
    """Return a lower bound of one priority's total slack [1].

    Args:
        envelope: One envelope, float64.
        dual: Any multipliers; what they may not be is clipped away.
        spent: Total slack allowed by priority, shape (3,). [1]
    """
    priority = np.asarray(envelope.priority)
    totals = np.maximum(np.where(np.arange(3) < dual.priority, dual.totals, 0.0), 0.0)
    totals[0] = 0.0
    cap = np.array([np.inf, totals[1], totals[2]])
    cap[dual.priority], cap[dual.priority + 1 :] = 1.0, 0.0
    y = np.clip(dual.rows, 0.0, cap[priority.astype(int)])
    weight = np.asarray(envelope.G).T @ y
    reach = np.minimum(envelope.lower * weight, envelope.upper * weight)
    bound = np.sum(reach) - np.asarray(envelope.h) @ y - totals @ spent
    return max(float(bound), 0.0)


def prove(
    envelope: Envelope, slack: np.ndarray, duals: Sequence[SlackDual]
) -> tuple[SlackProof, ...]:
    """Return what a slack (m,) is, and must at least be, priority by priority."""
    totals = totals_by_priority(envelope, slack)
    return tuple(
        SlackProof(
            priority=dual.priority,
            total=float(totals[dual.priority]),
            least=least_total(envelope, dual, totals),
        )
        for dual in duals
    )


def is_least(proof: Sequence[SlackProof]) -> bool:
    """Return whether no priority gave way further than proven necessary."""
    return all(x.total <= x.least + PROOF_TOLERANCE for x in proof)


def certify_relaxed(
    envelope: Envelope,
    proposed: np.ndarray,
    u: np.ndarray,
    multipliers: np.ndarray,
    frozen: np.ndarray,
    duals: Sequence[SlackDual],
    tolerance: float,
) -> Certificate:
    """Return the certificate of an answer to a problem whose envelope is empty.

    It is certified where it is the projection onto the frozen rows, to the tolerance,
    keeps all rows of priority 0, and every priority gave way as little as possible.

    Args:
        envelope: The envelope as given, float64.
        proposed: Proposed action, unit coordinates, shape (n,). [1]
        u: Candidate action, unit coordinates, shape (n,). [1]
        multipliers: Any row multipliers, shape (m,). [1]
        frozen: Right-hand sides that were solved: tightened, then moved out by
            the slack that each row may have, shape (m,). [1]
        duals: Multipliers that bound the slack from below, most important first.
        tolerance: Largest proven distance accepted. [1]
    """
    hard = dataclasses.replace(
        envelope,
        h=frozen + FROZEN_ROOM,
        price=np.full(np.shape(frozen), PRICE_MAX),
        priority=np.zeros(np.shape(frozen), np.int32),
    )
    found = certify(hard, proposed, u, multipliers, frozen, tolerance)
    excess = np.asarray(envelope.G) @ u - np.asarray(envelope.h)
    slack = np.maximum(excess, 0.0)
    proof = prove(envelope, slack, duals)
    reasons = found.reasons
    if np.any(slack[np.asarray(envelope.priority) == 0] > 0.0):
        reasons += ("a row that is never relaxed is exceeded",)
    for x in proof:
        if x.total > x.least + PROOF_TOLERANCE:
            reasons += (
                f"rows of priority {x.priority} give way by {x.total:.3g}, "
                f"proven necessary is {x.least:.3g}",
            )
    return dataclasses.replace(
        found,
        is_certified=not reasons,
        row_violation=float(np.max(excess[slack == 0.0], initial=-np.inf)),
        slack=slack,
        reasons=reasons,
        proof=proof,
    )
