"""Other people's solvers, each asked for the projection of one envelope.

    minimise    |u|^2 / 2 - c . u + price . s
    subject to  lower <= u <= upper,  G u - s <= h,  s >= 0

with x = (u, s). Every solver is set up once and updated, as its own documentation
advises for a sequence of problems of one shape, but for `rebuilt`: cvxpy as it is
mostly written, stated anew at each call. The packages are imported by the functions
that use them; `coolbound_safety.peers` says how to install them.
"""

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any, Final

import cvxpy as cp
import numpy as np
from scipy import sparse

from coolbound_safety.types import Envelope

Ask = Callable[[Envelope, np.ndarray], tuple[np.ndarray, bool]]
"""Takes one envelope and a proposal (n,); returns u (n,) and whether the solver says
that it solved the problem."""

FAR: Final = 1e20
"""Stands for no bound where a solver wants a number. [1]"""

CLARABEL_TOLERANCE: Final = 1e-8
OSQP_TOLERANCE: Final = 1e-5
PIQP_TOLERANCE: Final = 1e-8
CVXPY_TOLERANCE: Final = 1e-10
"""Of Clarabel below cvxpy, as in the control path; the others keep their own. [1]"""


@dataclasses.dataclass(frozen=True)
class PeerSolver:
    """A solver that takes one problem at a time. Static.

    Attributes:
        setting: How it is used, in words.
        make: Returns what asks it, from the numbers of channels and rows.
    """

    setting: str
    make: Callable[[int, int], Ask]


def daqp_solver(n: int, m: int) -> Ask:
    """Return DAQP, a dual active set in C; its soft rows are our slack variables."""
    daqp: Any = importlib.import_module("daqp")

    model = daqp.Model()
    is_set_up = False

    def solve(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, bool]:
        nonlocal is_set_up
        limits = {
            "f": np.concatenate([-c, envelope.price]),
            "A": np.hstack([envelope.G, -np.eye(m)]),
            "bupper": np.concatenate([envelope.upper, np.full(m, FAR), envelope.h]),
            "blower": np.concatenate([envelope.lower, np.zeros(m), np.full(m, -FAR)]),
        }
        if is_set_up:
            model.update(**limits)
        else:
            sense = np.zeros(n + 2 * m, dtype=np.int32)
            model.setup(H=np.diag(_curvature(n, m)), sense=sense, **limits)
            is_set_up = True
        x, _, flag, _ = model.solve()
        return np.asarray(x)[:n].copy(), flag >= 1

    return solve


def piqp_solver(n: int, m: int) -> Ask:
    """Return PIQP, an interior point in C++, dense."""
    piqp: Any = importlib.import_module("piqp")

    solver = piqp.DenseSolver()
    solver.settings.eps_abs = PIQP_TOLERANCE
    solver.settings.eps_rel = PIQP_TOLERANCE
    is_set_up = False

    def solve(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, bool]:
        nonlocal is_set_up
        limits = {
            "c": np.concatenate([-c, envelope.price]),
            "G": np.asfortranarray(np.hstack([envelope.G, -np.eye(m)])),
            "h_l": np.full(m, -np.inf),
            "h_u": np.asarray(envelope.h),
            "x_l": np.concatenate([envelope.lower, np.zeros(m)]),
            "x_u": np.concatenate([envelope.upper, np.full(m, np.inf)]),
        }
        if is_set_up:
            solver.update(**limits)
        else:
            P = np.asfortranarray(np.diag(_curvature(n, m)))
            solver.setup(P=P, **limits)
            is_set_up = True
        status = solver.solve()
        return np.array(solver.result.x)[:n], status == piqp.PIQP_SOLVED

    return solve


def clarabel_solver(n: int, m: int) -> Ask:
    """Return Clarabel, an interior point in Rust, without cvxpy around it."""
    clarabel: Any = importlib.import_module("clarabel")

    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.presolve_enable = False  # An updated problem must keep its shape.
    settings.tol_feas = CLARABEL_TOLERANCE
    settings.tol_gap_abs = settings.tol_gap_rel = CLARABEL_TOLERANCE
    cones = [clarabel.NonnegativeConeT(2 * (n + m))]
    solver: Any = None

    def solve(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, bool]:
        nonlocal solver
        q = np.concatenate([-c, envelope.price])
        sides = (envelope.h, envelope.upper, -np.asarray(envelope.lower), np.zeros(m))
        b = np.concatenate(sides)
        values = _column_values(envelope, (1.0, -1.0), (-1.0, -1.0))
        if solver is None:
            A = sparse.csc_matrix((values, *_one_sided_pattern(n, m)))
            P = sparse.diags(_curvature(n, m), format="csc")
            solver = clarabel.DefaultSolver(P, q, A, b, cones, settings)
        else:
            solver.update(q=q, A=values, b=b)
        found = solver.solve()
        return np.asarray(found.x)[:n], found.status == clarabel.SolverStatus.Solved

    return solve


def osqp_solver(n: int, m: int) -> Ask:
    """Return OSQP, an operator splitting in C, at the tolerance that cvxpy gives it."""
    osqp: Any = importlib.import_module("osqp")

    solver = osqp.OSQP()
    is_set_up = False

    def solve(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, bool]:
        nonlocal is_set_up
        q = np.concatenate([-c, envelope.price])
        low = np.concatenate([np.full(m, -np.inf), envelope.lower, np.zeros(m)])
        high = np.concatenate([envelope.h, envelope.upper, np.full(m, np.inf)])
        values = _column_values(envelope, (1.0,), (-1.0, 1.0))
        if is_set_up:
            solver.update(q=q, l=low, u=high, Ax=values)
        else:
            A = sparse.csc_matrix((values, *_two_sided_pattern(n, m)))
            P = sparse.diags(_curvature(n, m), format="csc")
            settings = {"eps_abs": OSQP_TOLERANCE, "eps_rel": OSQP_TOLERANCE}
            solver.setup(P, q, A, low, high, verbose=False, max_iter=10000, **settings)
            is_set_up = True
        found = solver.solve(raise_error=False)
        return np.asarray(found.x)[:n], found.info.status == "solved"

    return solve


def cvxpy_solver(n: int, m: int) -> Ask:
    """Return cvxpy with one parametrised problem, compiled at its first use."""
    u, s = cp.Variable(n), cp.Variable(m, nonneg=True)
    shapes = {"G": (m, n), "h": m, "price": m, "lower": n, "upper": n, "c": n}
    data = {name: cp.Parameter(shape) for name, shape in shapes.items()}
    # A parameter inside the square would cost n variables and n equalities.
    cost: Any = 0.5 * cp.sum_squares(u) - data["c"] @ u + data["price"] @ s
    limits: list[Any] = [data["G"] @ u <= data["h"] + s]
    limits += [data["lower"] <= u, u <= data["upper"]]
    problem = cp.Problem(cp.Minimize(cost), limits)
    names = ("tol_gap_abs", "tol_gap_rel", "tol_feas")
    settings: Any = dict.fromkeys(names, CVXPY_TOLERANCE)

    def solve(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, bool]:
        for name, parameter in data.items():
            parameter.value = c if name == "c" else np.asarray(getattr(envelope, name))
        problem.solve(solver=cp.CLARABEL, **settings)
        return np.asarray(u.value), problem.status == cp.OPTIMAL

    return solve


def rebuilt_solver(n: int, m: int) -> Ask:
    """Return cvxpy with the problem stated anew at each call, as it is often seen."""

    def solve(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, bool]:
        u, s = cp.Variable(n), cp.Variable(m, nonneg=True)
        price = np.asarray(envelope.price)
        cost: Any = 0.5 * cp.sum_squares(u - c) + price @ s
        rows: list[Any] = [np.asarray(envelope.G) @ u <= np.asarray(envelope.h) + s]
        rows += [u >= np.asarray(envelope.lower), u <= np.asarray(envelope.upper)]
        problem = cp.Problem(cp.Minimize(cost), rows)
        problem.solve(solver=cp.CLARABEL)
        return np.asarray(u.value), problem.status == cp.OPTIMAL

    return solve


SOLVERS: Final = {
    "daqp": PeerSolver("set up once, updated; default tolerances", daqp_solver),
    "piqp": PeerSolver("dense, set up once, updated; eps 1e-8", piqp_solver),
    "clarabel": PeerSolver("set up once, updated; tolerances 1e-8", clarabel_solver),
    "osqp": PeerSolver("set up once, updated; eps 1e-5, no polish", osqp_solver),
    "cvxpy_clarabel": PeerSolver("DPP, compiled once; tolerances 1e-10", cvxpy_solver),
    "cvxpy_rebuilt": PeerSolver("stated anew at each call; Clarabel", rebuilt_solver),
}
"""Every peer at control time, by name."""


def _curvature(n: int, m: int) -> np.ndarray:
    """Return the diagonal of the Hessian over (u, s), shape (n + m,)."""
    return np.concatenate([np.ones(n), np.zeros(m)])


def _column_values(
    envelope: Envelope, of_channel: tuple[float, ...], of_slack: tuple[float, ...]
) -> np.ndarray:
    """Return the entries of the constraint matrix column by column.

    Zeros of G are entries like any other, so that the pattern never changes.
    """
    rows = np.asarray(envelope.G)
    m, n = rows.shape
    extra = np.tile(np.asarray(of_channel)[:, None], (1, n))
    upper = np.vstack([rows, extra]).ravel(order="F")
    return np.concatenate([upper, np.tile(of_slack, m)])


def _one_sided_pattern(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row indices and column starts of [G -I; I 0; -I 0; 0 -I]."""
    channels = [[*range(m), m + j, m + n + j] for j in range(n)]
    return _pattern(channels, [[i, m + 2 * n + i] for i in range(m)])


def _two_sided_pattern(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row indices and column starts of [G -I; I 0; 0 I]."""
    channels = [[*range(m), m + j] for j in range(n)]
    return _pattern(channels, [[i, m + n + i] for i in range(m)])


def _pattern(
    channels: list[list[int]], slacks: list[list[int]]
) -> tuple[np.ndarray, np.ndarray]:
    columns = [*channels, *slacks]
    starts = np.concatenate([[0], np.cumsum([len(column) for column in columns])])
    return np.concatenate(columns).astype(np.int64), starts.astype(np.int64)
