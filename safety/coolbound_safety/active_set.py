"""The exact float64 solver of the projection, for control time and as the measure.

A dual active-set method after D. Goldfarb and A. Idnani, Math. Programming 27 (1983)
1, with the identity as Hessian and each row's multiplier bounded by its price, so that
slack needs no variable: a row whose multiplier reaches its price is *saturated* and
pays for its slack.
"""

import dataclasses
from typing import Final

import numpy as np

from coolbound_safety.types import Envelope, SolverFailureError

EPS_VIOLATION: Final = 1e-11
"""A row is met below this. [1]"""

EPS_DEPENDENT: Final = 1e-13
"""A direction shorter than its root counts as zero. [1]"""

EPS_RATIO: Final = 1e-13
"""A multiplier that changes more slowly never blocks. [1]"""

EPS_LOCK: Final = 1e-13
"""Bounds this close lock the actuator. [1]"""

STEP_LIMIT: Final = 400
"""Steps before the solver gives up; ordinary problems take below 60. [1]"""

IDLE, WORKING, SATURATED = 0, 1, 2


@dataclasses.dataclass
class _Solve:
    """Working memory of one solve: M = m + 2n rows, bounds last.

    Attributes:
        rows: Normals of all rows, shape (M, n). [1]
        rhs: Right-hand sides, shape (M,). [1]
        cap: Largest multiplier of each row, shape (M,). [1]
        stat: IDLE, WORKING or SATURATED, shape (M,).
        u: Current point, shape (n,). [1]
        slot: Row held by each slot or -1, shape (n,).
        lam: Multiplier of each slot, shape (n,). [1]
        inverse: Pseudo-inverse row of each slot, shape (n, n). [1]
        null: Projector on what the working rows leave free, shape (n, n). [1]
    """

    rows: np.ndarray
    rhs: np.ndarray
    cap: np.ndarray
    stat: np.ndarray
    u: np.ndarray
    slot: np.ndarray
    lam: np.ndarray
    inverse: np.ndarray
    null: np.ndarray


def solve_active_set(
    envelope: Envelope, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the exact u (n,) and row multipliers (m,), float64.

    Raises:
        SolverFailureError: It did not finish within its step limit.
    """
    work = _start(envelope, np.asarray(c, dtype=np.float64))
    steps = 0
    while (entering := _pick(work)) is not None:
        steps = _settle(work, *entering, steps)
    return _finish(work, envelope)


def _start(envelope: Envelope, c: np.ndarray) -> _Solve:
    """Return the best point of the box: clip(c), which is dual feasible."""
    rows, h, lower, upper, price = (
        np.array(x, dtype=np.float64)
        for x in (
            envelope.G,
            envelope.h,
            envelope.lower,
            envelope.upper,
            envelope.price,
        )
    )
    n = c.size
    locked = upper - lower <= EPS_LOCK
    value = np.minimum(lower, upper)
    lower, upper, c = (np.where(locked, value, x) for x in (lower, upper, c))
    h = h - rows[:, locked] @ value[locked]
    rows[:, locked] = 0.0
    u = np.clip(c, lower, upper)
    sign = np.where(c > upper, 1, np.where(c < lower, -1, 0))
    first = rows.shape[0] + np.arange(n)
    slot = np.where(sign > 0, first, np.where(sign < 0, first + n, -1))
    stat = np.full(rows.shape[0] + 2 * n, IDLE)
    stat[slot[slot >= 0]] = WORKING
    return _Solve(
        rows=np.vstack([rows, np.eye(n), -np.eye(n)]),
        rhs=np.concatenate([h, upper, -lower]),
        cap=np.concatenate([price, np.full(2 * n, np.inf)]),
        stat=stat,
        u=u,
        slot=slot,
        lam=np.abs(c - u),
        inverse=np.diag(sign.astype(np.float64)),
        null=np.diag((sign == 0).astype(np.float64)),
    )


def _pick(work: _Solve) -> tuple[int, float] | None:
    """Return the worst row and +1 to enter or -1 to leave saturation."""
    excess = work.rows @ work.u - work.rhs
    score = np.where(work.stat == SATURATED, -excess, excess)
    score[work.stat == WORKING] = -np.inf
    row = int(np.argmax(score))
    if not score[row] > EPS_VIOLATION:
        return None
    sign = -1.0 if work.stat[row] == SATURATED else 1.0
    work.stat[row] = IDLE
    return row, sign


def _settle(work: _Solve, row: int, sign: float, steps: int) -> int:
    """Step until the row is tight, saturated or idle; return the steps so far."""
    mu = work.cap[row] if sign < 0 else 0.0
    while True:
        steps += 1
        normal = work.rows[row]
        z, r = work.null @ normal, work.inverse @ normal
        excess = normal @ work.u - work.rhs[row]
        zz = z @ z
        t_full = max(sign * excess, 0.0) / zz if zz > EPS_DEPENDENT else np.inf
        t_self = work.cap[row] - mu if sign > 0 else mu
        t_drop, blocking, is_capped = _first_to_block(work, sign * r)
        t = min(t_full, t_self, t_drop)
        if not np.isfinite(t) or steps > STEP_LIMIT:
            raise SolverFailureError(f"the active set did not finish in {steps} steps")
        work.u -= sign * t * z
        work.lam = np.where(work.slot >= 0, work.lam - sign * t * r, 0.0)
        mu += sign * t
        if t == t_full:
            _add(work, row, mu, z / zz, z, r)
            return steps
        if t == t_self:
            work.stat[row] = SATURATED if sign > 0 else IDLE
            return steps
        _drop(work, blocking, is_capped)


def _first_to_block(work: _Solve, rate: np.ndarray) -> tuple[float, int, bool]:
    """Return the step to the first slot at zero or cap, the slot, and if at cap."""
    cap = np.where(work.slot >= 0, work.cap[work.slot], np.inf)
    to_zero = np.full(rate.size, np.inf)
    to_cap = np.full(rate.size, np.inf)
    falls = (work.slot >= 0) & (rate > EPS_RATIO)
    rises = (work.slot >= 0) & (rate < -EPS_RATIO)
    to_zero[falls] = np.maximum(work.lam[falls], 0.0) / rate[falls]
    to_cap[rises] = (cap[rises] - work.lam[rises]) / -rate[rises]
    both = np.minimum(to_zero, to_cap)
    j = int(np.argmin(both))
    return float(both[j]), j, bool(to_cap[j] < to_zero[j])


def _add(
    work: _Solve, row: int, mu: float, q: np.ndarray, z: np.ndarray, r: np.ndarray
) -> None:
    """Put the row into the first empty slot."""
    k = int(np.argmax(work.slot < 0))
    work.inverse -= np.outer(r, q)
    work.inverse[k] = q
    work.null -= np.outer(z, q)
    work.slot[k], work.lam[k], work.stat[row] = row, mu, WORKING


def _drop(work: _Solve, j: int, is_capped: bool) -> None:
    """Empty a slot whose multiplier reached zero or its price."""
    w = work.inverse[j].copy()
    q = w / (w @ w)
    work.inverse -= np.outer(work.inverse @ w, q)
    work.inverse[j] = 0.0
    work.null += np.outer(w, q)
    work.stat[work.slot[j]] = SATURATED if is_capped else IDLE
    work.slot[j], work.lam[j] = -1, 0.0


def _finish(work: _Solve, envelope: Envelope) -> tuple[np.ndarray, np.ndarray]:
    """Return the point after one Newton correction, and the row multipliers."""
    m = np.shape(envelope.h)[0]
    live = work.slot >= 0
    missing = np.zeros(work.u.size)
    at = work.slot[live]
    missing[live] = work.rows[at] @ work.u - work.rhs[at]
    lower, upper = np.asarray(envelope.lower), np.asarray(envelope.upper)
    plain = np.clip(work.u, lower, upper)
    newton = np.clip(work.u - work.inverse.T @ missing, lower, upper)
    is_better = _worst(work, newton, m) <= max(_worst(work, plain, m), EPS_VIOLATION)
    multipliers = np.where(work.stat == SATURATED, work.cap, 0.0)
    multipliers[at] = work.lam[live]
    price = np.asarray(envelope.price)
    return newton if is_better else plain, np.clip(multipliers[:m], 0.0, price)


def _worst(work: _Solve, u: np.ndarray, m: int) -> float:
    """Return the largest excess over a general row that is not saturated."""
    excess = work.rows[:m] @ u - work.rhs[:m]
    return float(np.max(excess[work.stat[:m] != SATURATED], initial=-np.inf))
