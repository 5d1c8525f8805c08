"""The problem that is solved is the one that cvxpy compiled."""

from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from families import M, N, lane, make_family

from coolbound_safety.reference import CompiledProgram, CvxpyProjector
from coolbound_safety.types import SolverFailureError

NAMES = ("tol_gap_abs", "tol_gap_rel", "tol_feas")
TIGHT: dict[str, float] = dict.fromkeys(NAMES, 1e-10)


def stated(cost_of: Any = None, sign: float = 1.0) -> tuple[cp.Problem, Any]:
    """Return a problem of three variables and four rows, and its parts."""
    u = cp.Variable(3)
    matrix, h, c = cp.Parameter((4, 3)), cp.Parameter(4), cp.Parameter(3)
    limits = matrix @ u <= h
    cost: Any = 0.5 * cp.sum_squares(u) - (cost_of(c) if cost_of else sign * c) @ u
    return cp.Problem(cp.Minimize(cost), [limits]), ((matrix, h, c), u, limits)


def program(problem: cp.Problem, parts: Any) -> CompiledProgram:
    parameters, u, limits = parts
    return CompiledProgram(problem, parameters, u, limits, TIGHT)


def drawn(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.normal(size=(4, 3)), rng.uniform(0.1, 0.5, 4), rng.normal(size=3)]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_answers_are_those_of_cvxpys_own_call(sign: float) -> None:
    problem, parts = stated(sign=sign)
    solver = program(problem, parts)
    rng = np.random.default_rng(3)
    for _ in range(20):
        values = drawn(rng)
        u, dual = solver.solve(values)
        for parameter, value in zip(parts[0], values, strict=True):
            parameter.value = value
        problem.solve(solver=cp.CLARABEL, warm_start=False, **TIGHT)
        np.testing.assert_allclose(u, parts[1].value, atol=1e-7)
        np.testing.assert_allclose(dual, parts[2].dual_value, atol=1e-6)
        assert np.max(dual) > 0.0


def test_an_earlier_problem_leaves_no_trace() -> None:
    rng = np.random.default_rng(4)
    values = [drawn(rng) for _ in range(5)]
    used = program(*stated())
    # How the first problem is scaled stays, which moves an answer by its tolerance.
    found = [used.solve(x)[0] for x in values]
    for x, u in zip(values, found, strict=True):
        np.testing.assert_allclose(u, program(*stated()).solve(x)[0], atol=1e-7)


@pytest.mark.parametrize(
    "cost_of", [lambda c: 2.0 * c, lambda c: 0.5 * c, lambda c: c + c[0]]
)
def test_data_that_are_not_single_parameters_are_refused(cost_of: Any) -> None:
    with pytest.raises(SolverFailureError, match="one by one"):
        program(*stated(cost_of))


def test_a_constant_beside_a_parameter_is_kept() -> None:
    problem, parts = stated(lambda c: c + np.array([0.0, 0.25, -3.0]))
    u, _ = program(problem, parts).solve([np.zeros((4, 3)), np.ones(4), np.ones(3)])
    np.testing.assert_allclose(u, [1.0, 1.25, -2.0], atol=1e-7)


def test_no_solution_is_a_failure_and_the_next_problem_is_solved() -> None:
    solver = program(*stated())
    matrix = np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    empty = np.array([-1.0, -1.0, 1.0, 1.0])
    with pytest.raises(SolverFailureError, match="no values"):
        solver.solve([matrix, empty, np.zeros(3)])
    u, _ = solver.solve([matrix, np.ones(4), np.full(3, 0.5)])
    np.testing.assert_allclose(u, 0.5, atol=1e-7)


def test_rows_of_another_shape_are_refused() -> None:
    envelopes, c = make_family(1, 5)
    with pytest.raises(ValueError, match="one projector per shape"):
        CvxpyProjector(N, M - 1).solve(lane(envelopes, 0), c[0])
