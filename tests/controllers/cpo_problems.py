"""Random steps of CPO and their referee: cvxpy with Clarabel, in float64."""

import dataclasses
import functools
from typing import Any

import cvxpy as cp
import numpy as np

TIGHT = {"tol_gap_abs": 1e-9, "tol_gap_rel": 1e-9, "tol_feas": 1e-9}


@dataclasses.dataclass(frozen=True)
class Problems:
    """Maximise g.x subject to c + B x <= 0 and x'Hx / 2 <= delta, many times.

    Numbers are those that float32 can hold, so that both sides solve the same.
    """

    g: np.ndarray
    b: np.ndarray
    h: np.ndarray
    c: np.ndarray
    delta: float

    def reach(self) -> np.ndarray:
        """Return what the trust region can move of each constraint, (count, K)."""
        natural = np.linalg.solve(self.h, self.b.transpose(0, 2, 1))
        return np.sqrt(2 * self.delta * np.einsum("pkn,pnk->pk", self.b, natural))


def random_problems(seed: int, count: int, size: int, constraints: int) -> Problems:
    """Return problems whose gradients differ in scale by up to ten thousand."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(count, size, size))
    h = root @ root.transpose(0, 2, 1) / size + 0.1 * np.eye(size)
    g = rng.normal(size=(count, size)) * 10 ** rng.uniform(-2, 2, (count, 1))
    b = rng.normal(size=(count, constraints, size))
    b = b * 10 ** rng.uniform(-2, 2, (count, constraints, 1))
    delta = float(np.float32(10 ** rng.uniform(-3, -1)))
    g, b, h = (x.astype(np.float32).astype(np.float64) for x in (g, b, h))
    found = Problems(g, b, h, np.zeros((count, constraints)), delta)
    # half of them lean to one side, so that every case is met
    lean = rng.uniform(-1.6, 1.3, (count, 1)) * rng.uniform(0.3, 1, (count, 1))
    each = rng.uniform(-1.4, 0.9, (count, constraints))
    share = np.where(rng.random((count, 1)) < 0.5, lean, each)
    c = (share * found.reach()).astype(np.float32).astype(np.float64)
    return dataclasses.replace(found, c=c)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the referee says of one problem.

    `step` is the best step, in the infeasible case the one whose largest violation
    as a share of its reach, `gap`, is smallest; `prices` are the duals of c.
    """

    step: np.ndarray
    gap: float
    prices: np.ndarray | None


@functools.cache
def _programs(size: int, constraints: int) -> tuple[Any, ...]:
    y, t = cp.Variable(size), cp.Variable()
    e, a = cp.Parameter(size), cp.Parameter((constraints, size))
    v = cp.Parameter(constraints)
    kept, ball = v + a @ y <= 0, cp.norm(y, 2) <= 1
    best = cp.Problem(cp.Maximize(e @ y), [kept, ball])
    least = cp.Problem(cp.Minimize(t), [v + a @ y <= t, ball])
    return y, t, e, a, v, kept, best, least


def judge(problems: Problems, i: int) -> Verdict:
    """Return the referee's verdict on problem i, in whitened coordinates."""
    y, t, e, a, v, kept, best, least = _programs(*problems.b.shape[:0:-1])
    radius = np.sqrt(2 * problems.delta)
    root = np.linalg.cholesky(problems.h[i])
    gain = radius * np.linalg.solve(root, problems.g[i])
    rows = radius * np.linalg.solve(root, problems.b[i].T).T
    reach = np.linalg.norm(rows, axis=1)
    e.value, a.value = gain / np.linalg.norm(gain), rows / reach[:, None]
    v.value = problems.c[i] / reach
    least.solve(solver=cp.CLARABEL, **TIGHT)
    gap, prices = float(t.value), None
    if gap <= 0:
        best.solve(solver=cp.CLARABEL, **TIGHT)
        prices = kept.dual_value * np.linalg.norm(gain) / reach
    return Verdict(radius * np.linalg.solve(root.T, y.value), gap, prices)


def published_step(
    g: np.ndarray, b: np.ndarray, h: np.ndarray, c: float, delta: float
) -> tuple[np.ndarray, int, float]:
    """Return step, case and multiplier for one constraint, from the dual's algebra.

    J. Achiam et al., arXiv:1705.10528, appendix 10.2, with r = g.H^-1 b of the
    ascent direction; empty intervals of the root of the dual give 0.
    """
    natural_g, natural_b = np.linalg.solve(h, g), np.linalg.solve(h, b)
    q, r, s = g @ natural_g, g @ natural_b, b @ natural_b
    if s < 1e-16:
        return natural_g * np.sqrt(2 * delta / q), 4, 0.0
    gap, room = q - r * r / s, 2 * delta - c * c / s
    if c >= 0 and room < 0:
        return -np.sqrt(2 * delta / s) * natural_b, 0, 1.0
    if c < 0 and room < 0:
        return natural_g * np.sqrt(2 * delta / q), 3, 0.0
    t = -r / c
    inside, outside = (0.0, t), (max(t, 0.0), np.inf)
    bound, free = (inside, outside) if c < 0 else (outside, inside)
    bound_root = max(bound[0], min(bound[1], np.sqrt(gap / room)))
    free_root = max(free[0], min(free[1], np.sqrt(q / (2 * delta))))
    values = [np.inf, np.inf]
    if bound_root > 0:
        values[0] = float((gap / bound_root + room * bound_root) / 2 - r * c / s)
    if free_root > 0:
        values[1] = float((q / free_root + 2 * delta * free_root) / 2)
    root = (bound_root, free_root)[int(np.argmin(values))]
    price = max(0.0, float((r + root * c) / s))
    return (natural_g - price * natural_b) / root, 2 if c < 0 else 1, price
