"""Float64 certificate of an action; it trusts no solver and no status.

For any u inside the bounds and any multipliers 0 <= lam <= price

    f(u)   = |u - c|^2 / 2 + price . max(0, G u - h)
    u(lam) = clip(c - G' lam, lower, upper)
    d(lam) = |u(lam) - c|^2 / 2 + lam . (G u(lam) - h)      d(lam) <= f(best)
    gap    = f(u) - d(lam) >= 0
    |u - best|_2 <= sqrt(2 gap)                             f is 1-strongly convex

so that a solver's answer is judged by arithmetic alone. f and d use the rows that
were solved (tightened); violations are judged against the rows as given.
"""

import dataclasses
import math
from typing import Final

import numpy as np

from coolbound_safety.types import Certificate, Envelope

DISTANCE_TOLERANCE: Final = 1e-5
"""Largest proven distance of an exact answer to the nearest safe action. [1]"""

GAP_FLOOR: Final = -1e-12
"""A gap below this times (1 + f) is a data or sign error, not rounding. [1]"""

SATURATION: Final = 1e-6
"""A multiplier this close to its price, relatively, pays for slack. [1]"""


@dataclasses.dataclass(frozen=True)
class Checks:
    """The figures of many certificates, leading axis B.

    Attributes:
        is_certified: True where every check passed, shape (B,).
        finite: True where all data are finite, shape (B,).
        bound_violation: Largest excess over a bound, shape (B,). [1]
        row_violation: Largest excess over a row not relaxed, shape (B,). [1]
        slack: Excess over each row, shape (B, m). [1]
        gap: Cost less its lower bound, shape (B,). [1]
        distance: Proven distance to the nearest safe action, shape (B,). [1]
        relaxed_hard: Rows of priority 0 with slack, shape (B, m).
        unpaid: Rows with slack and a multiplier below the price, shape (B, m).
        gap_is_sound: True where the gap is not below its floor, shape (B,).
    """

    is_certified: np.ndarray
    finite: np.ndarray
    bound_violation: np.ndarray
    row_violation: np.ndarray
    slack: np.ndarray
    gap: np.ndarray
    distance: np.ndarray
    relaxed_hard: np.ndarray
    unpaid: np.ndarray
    gap_is_sound: np.ndarray


def certify_batch(
    envelope: Envelope,
    proposed: np.ndarray,
    u: np.ndarray,
    multipliers: np.ndarray,
    solved_h: np.ndarray | None = None,
    tolerance: float = DISTANCE_TOLERANCE,
) -> Checks:
    """Return the checks of B actions, every array with a leading axis B.

    Args:
        envelope: The envelopes as given, float64.
        proposed: Proposed actions, unit coordinates, shape (B, n). [1]
        u: Candidate actions, unit coordinates, shape (B, n). [1]
        multipliers: Any row multipliers; clipped to 0..price, shape (B, m). [1]
        solved_h: The tightened right-hand sides that were solved, shape (B, m);
            without it those of the envelope. [1]
        tolerance: Largest proven distance accepted. [1]
    """
    lower, upper, rows, h, price = (
        np.asarray(x, dtype=np.float64)
        for x in (
            envelope.lower,
            envelope.upper,
            envelope.G,
            envelope.h,
            envelope.price,
        )
    )
    solved = h if solved_h is None else np.asarray(solved_h, dtype=np.float64)
    data = (lower, upper, rows, h, solved, price, proposed, u, multipliers)
    finite = _lanes_are_finite(data)
    with np.errstate(invalid="ignore", over="ignore"):
        lam = np.minimum(np.maximum(multipliers, 0.0), price)
        values = apply_rows(rows, u)
        excess = values - h
        slack = np.maximum(excess, 0.0)
        has_slack = slack > 0.0
        unpaid = has_slack & (lam < price * (1.0 - SATURATION))
        relaxed_hard = has_slack & (np.asarray(envelope.priority) == 0)
        is_wrong = unpaid | relaxed_hard
        bound = np.maximum(u - upper, lower - u).max(axis=-1)
        kept = np.where(has_slack & ~is_wrong, -np.inf, excess)
        cost = primal_cost(values - solved, price, proposed, u)
        gap = cost - dual_cost(rows, solved, lower, upper, proposed, lam)
        distance = np.sqrt(2.0 * np.maximum(gap, 0.0))
        gap_is_sound = gap >= GAP_FLOOR * (1.0 + np.abs(cost))
        is_certified = finite & (bound <= 0.0) & (distance <= tolerance)
        is_certified &= gap_is_sound & ~is_wrong.any(axis=-1)
    return Checks(
        is_certified=is_certified,
        finite=finite,
        bound_violation=bound,
        row_violation=kept.max(axis=-1, initial=-np.inf),
        slack=slack,
        gap=gap,
        distance=distance,
        relaxed_hard=relaxed_hard,
        unpaid=unpaid,
        gap_is_sound=gap_is_sound,
    )


def certify(
    envelope: Envelope,
    proposed_unit: np.ndarray,
    u: np.ndarray,
    multipliers: np.ndarray,
    solved_h: np.ndarray | None = None,
    tolerance: float = DISTANCE_TOLERANCE,
) -> Certificate:
    """Return the certificate of one action; see `certify_batch`.

    With multipliers 0 and tolerance infinite it proves only that the action is
    inside the envelope, which is all that a fallback can have.
    """
    checks = certify_batch(
        stack_one(envelope),
        np.asarray(proposed_unit, dtype=np.float64)[None],
        np.asarray(u, dtype=np.float64)[None],
        np.asarray(multipliers, dtype=np.float64)[None],
        None if solved_h is None else np.asarray(solved_h)[None],
        tolerance,
    )
    return Certificate(
        is_certified=bool(checks.is_certified[0]),
        finite=bool(checks.finite[0]),
        bound_violation=float(checks.bound_violation[0]),
        row_violation=float(checks.row_violation[0]),
        slack=checks.slack[0],
        gap=float(checks.gap[0]),
        distance=float(checks.distance[0]),
        reasons=()
        if checks.is_certified[0]
        else tuple(_reasons(checks, envelope.names, tolerance)),
    )


def stack_one(envelope: Envelope) -> Envelope:
    """Return the envelope with a leading batch axis of one."""
    fields = [f.name for f in dataclasses.fields(envelope) if f.name != "names"]
    stacked = {name: np.asarray(getattr(envelope, name))[None] for name in fields}
    return dataclasses.replace(envelope, **stacked)


def apply_rows(rows: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return G u, shapes (B, m, n) and (B, n), rounded alike for every B."""
    return (rows * u[:, None, :]).sum(axis=-1)


def primal_cost(
    excess: np.ndarray, price: np.ndarray, proposed: np.ndarray, u: np.ndarray
) -> np.ndarray:
    """Return f(u), shape (B,); excess is G u - h, shape (B, m) [1]."""
    move = 0.5 * ((u - proposed) ** 2).sum(axis=-1)
    return move + (price * np.maximum(excess, 0.0)).sum(axis=-1)


def dual_cost(
    rows: np.ndarray,
    h: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    proposed: np.ndarray,
    multipliers: np.ndarray,
) -> np.ndarray:
    """Return d(lam), a lower bound of the best cost, shape (B,) [1]."""
    pull = (rows * multipliers[:, :, None]).sum(axis=-2)
    best = np.minimum(np.maximum(proposed - pull, lower), upper)
    move = 0.5 * ((best - proposed) ** 2).sum(axis=-1)
    return move + (multipliers * (apply_rows(rows, best) - h)).sum(axis=-1)


def _lanes_are_finite(data: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return which lanes are finite in every array, shape (B,)."""
    lanes = [x.reshape(len(x), math.prod(x.shape[1:])) for x in data]
    return np.asarray(np.isfinite(np.concatenate(lanes, axis=-1)).all(axis=-1))


def _reasons(checks: Checks, names: tuple[str, ...], tolerance: float) -> list[str]:
    """Return one clause for each check that the first lane failed."""
    if not checks.finite[0]:
        return ["a value is not finite"]
    reasons = []
    if checks.bound_violation[0] > 0.0:
        reasons.append(f"a bound is exceeded by {checks.bound_violation[0]:.3g}")
    for i in np.flatnonzero(checks.relaxed_hard[0]):
        reasons.append(
            f"row {names[i]} is never relaxed, exceeded by {checks.slack[0, i]:.3g}"
        )
    for i in np.flatnonzero(checks.unpaid[0] & ~checks.relaxed_hard[0]):
        reasons.append(f"row {names[i]} is exceeded by {checks.slack[0, i]:.3g}")
    if not checks.gap_is_sound[0]:
        reasons.append(f"the gap is negative, {checks.gap[0]:.3g}: data or sign error")
    if not checks.distance[0] <= tolerance:
        reasons.append(
            f"the nearest safe action may be {checks.distance[0]:.3g} away, "
            f"more than {tolerance:.3g}"
        )
    return reasons
