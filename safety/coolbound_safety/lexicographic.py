"""The least slack by priority, for control time, where the envelope is empty.

The weighted answer trades slack of one priority against the other's and against
distance. Here the order is strict: the least total slack of priority 1 by linear
programming, then the least of priority 2 without more of the first, then the nearest
action to the proposal that relaxes no row further. Rows of priority 0 hold throughout.

Totals, not single rows, are kept between the two programs: which rows share a total
is arbitrary in a linear program, and to fix it could cost the next priority more.
The single rows are fixed for the projection, at the slack of the best action known
by then (the program's, the weighted one or the backup, in the order of their totals,
then of their distance): the weighted action wins where it has the least slack.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.optimize import linprog

from coolbound_safety.proof import SlackDual, totals_by_priority
from coolbound_safety.types import PRICE_MAX, Envelope, SolverFailureError

TOTAL_ROOM: Final = 1e-9
"""Room left to a total that is kept, so that rounding cannot make it empty. [1]"""

TOTAL_TIE: Final = 1e-7
"""Totals of slack that differ by less are alike. [1]"""

DISTANCE_TIE: Final = 1e-9
"""Distances that differ by less are alike. [1]"""

SIMPLEX_TOLERANCE: Final = 1e-10
"""Feasibility asked of HiGHS, its finest. [1]"""


@dataclasses.dataclass(frozen=True)
class LeastSlack:
    """An action with the least slack, and what should prove it.

    Attributes:
        u: Action, unit coordinates, shape (n,). [1]
        duals: For `coolbound_safety.proof`, most important priority first.
    """

    u: np.ndarray
    duals: tuple[SlackDual, ...]


def least_slack(envelope: Envelope, known: np.ndarray | None = None) -> LeastSlack:
    """Return an action whose slack is least, priority by priority.

    Args:
        envelope: One envelope, float64.
        known: An action inside the bounds that keeps the rows of priority 0; a
            priority that it does not relax needs no program. Shape (n,). [1]

    Raises:
        SolverFailureError: A program was not solved; the rows of priority 0
            alone may contradict each other or the bounds.
    """
    best, spent, duals = known, np.zeros(3), []
    for priority in (1, 2):
        reached = np.inf if best is None else _total(envelope, best, priority)
        dual = SlackDual(priority, np.zeros(np.shape(envelope.h)), np.zeros(3))
        if best is None or reached > TOTAL_ROOM:
            u, dual = _minimise(envelope, priority, spent + TOTAL_ROOM)
            if best is None or _total(envelope, u, priority) < reached - TOTAL_TIE:
                best = u
        spent[priority] = _total(envelope, best, priority)
        duals.append(dual)
    assert best is not None
    return LeastSlack(best, tuple(duals))


def _total(envelope: Envelope, u: np.ndarray, priority: int) -> float:
    return float(totals_by_priority(envelope, row_slack(envelope, u))[priority])


def row_slack(envelope: Envelope, u: np.ndarray) -> np.ndarray:
    """Return the excess over each row, at least 0, shape (m,) [1]."""
    return np.maximum(np.asarray(envelope.G) @ u - np.asarray(envelope.h), 0.0)


def is_better(
    envelope: Envelope, proposed: np.ndarray, u: np.ndarray, other: np.ndarray
) -> bool:
    """Return whether u has less slack, by priority, than the other; if alike, nearer.

    A point that relaxes a row of priority 0 is worse than any that does not.
    """
    mine, theirs = (
        totals_by_priority(envelope, row_slack(envelope, x)) for x in (u, other)
    )
    for tier in (0, 1, 2):
        if abs(mine[tier] - theirs[tier]) > TOTAL_TIE:
            return bool(mine[tier] < theirs[tier])
    gap = np.linalg.norm(u - proposed) - np.linalg.norm(other - proposed)
    return bool(gap < -DISTANCE_TIE)


def best_of(
    envelope: Envelope, proposed: np.ndarray, points: Sequence[np.ndarray]
) -> np.ndarray:
    """Return the best of some points in the order of `is_better`."""
    best = points[0]
    for point in points[1:]:
        if is_better(envelope, proposed, point, best):
            best = point
    return best


def freeze(envelope: Envelope, u: np.ndarray) -> Envelope:
    """Return the envelope with its rows moved out to where u keeps them all.

    Rows of priority 0 stay. Slack is no longer for sale at a price that could be
    worth paying: every row has the highest.
    """
    slack = row_slack(envelope, u)
    slack[np.asarray(envelope.priority) == 0] = 0.0
    price = np.full(slack.shape, PRICE_MAX)
    return dataclasses.replace(envelope, h=np.asarray(envelope.h) + slack, price=price)


def _minimise(
    envelope: Envelope, priority: int, spent: np.ndarray
) -> tuple[np.ndarray, SlackDual]:
    """Return an action of least slack of one priority, and the multipliers.

    The variables are u and the slack of the rows up to that priority.
    """
    tier = np.asarray(envelope.priority).astype(int)
    rows = np.flatnonzero(tier <= priority)
    soft = np.flatnonzero((tier >= 1) & (tier <= priority))
    above = [q for q in (1, 2) if q < priority]
    n = np.shape(envelope.G)[1]
    matrix = np.zeros((rows.size + len(above), n + soft.size))
    matrix[: rows.size, :n] = np.asarray(envelope.G)[rows]
    matrix[np.searchsorted(rows, soft), n + np.arange(soft.size)] = -1.0
    for k, q in enumerate(above):
        matrix[rows.size + k, n:] = tier[soft] == q
    lower = np.concatenate([envelope.lower, np.zeros(soft.size)])
    upper = np.concatenate([envelope.upper, np.full(soft.size, np.inf)])
    found = linprog(
        np.concatenate([np.zeros(n), tier[soft] == priority]),
        A_ub=matrix,
        b_ub=np.concatenate([np.asarray(envelope.h)[rows], spent[above]]),
        bounds=np.column_stack([lower, upper]),
        method="highs-ds",
        options={
            "primal_feasibility_tolerance": SIMPLEX_TOLERANCE,
            "dual_feasibility_tolerance": SIMPLEX_TOLERANCE,
        },
    )
    if found.x is None or found.status != 0:
        raise SolverFailureError(f"least slack of priority {priority}: {found.message}")
    multipliers, totals = np.zeros(tier.size), np.zeros(3)
    multipliers[rows] = -found.ineqlin.marginals[: rows.size]
    totals[above] = -found.ineqlin.marginals[rows.size :]
    u = np.clip(found.x[:n], envelope.lower, envelope.upper)
    return u, SlackDual(priority, multipliers, totals)
