"""The projection stated for cvxpy and solved by Clarabel in float64, at control time.

The other solver, `coolbound_safety.active_set`, shares no code with it; both answers
are certified before use.

Under cvxpy's rules for parameters (DPP) a compiled problem is one map from the
parameters to the solver's data. `Problem.solve` evaluates it through a chain of sparse
matrices built anew, 1 ms of Python around 0.2 ms of Clarabel. Here the map is read off
once, from what cvxpy hands to the solver, and from then on applied in one step: what is
solved is what cvxpy compiled, by the solver object that cvxpy's own interface made.

The map is read off by marked parameters: numbered 1, 2, 3, ... they show in every datum
which of them it holds, and doubled what it holds besides. Random parameters then prove
it, number by number, against cvxpy.
"""

import time
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final, cast, final

import cvxpy as cp
import numpy as np
from cvxpy import settings

from coolbound_safety.types import Envelope, SolverFailureError

CLARABEL_TOLERANCE: Final = 1e-10
"""At the default 1e-8 the proven distance reaches 2e-3. [1]"""

TOLERANCES: Final = ("tol_gap_abs", "tol_gap_rel", "tol_feas")
"""Clarabel's names of what is held to it."""

PROOF_SEED: Final = 20
"""Of the parameters that the map is compared with cvxpy at. [1]"""

STATUS_OF_A_SOLUTION: Final = "Solved"
"""What the solver is said to have said when positions are read off."""


@final
class CvxpyProjector:
    """The projection as a parametrised cvxpy problem, compiled once per shape.

    The objective has no parameter inside the square: `sum_squares(u - c)` would
    add n variables and n equalities.
    """

    def __init__(self, channels: int, rows: int) -> None:
        """Compile the problem for `channels` actions and `rows` rows.

        Raises:
            SolverFailureError: cvxpy compiled something else than was stated.
        """
        u, s = cp.Variable(channels), cp.Variable(rows)
        matrix = cp.Parameter((rows, channels))
        h, price = cp.Parameter(rows), cp.Parameter(rows)
        lower, upper, c = (cp.Parameter(channels) for _ in range(3))
        limits = matrix @ u - s <= h
        cost: Any = 0.5 * cp.sum_squares(u) - c @ u
        bounds: list[Any] = [lower <= u, u <= upper]
        problem = cp.Problem(cp.Minimize(cost + price @ s), [limits, *bounds, s >= 0])
        self._shape = (rows, channels)
        self._program = CompiledProgram(
            problem,
            (matrix, h, lower, upper, price, c),
            variable=u,
            constraint=limits,
            options=dict.fromkeys(TOLERANCES, CLARABEL_TOLERANCE),
        )

    def solve(
        self, envelope: Envelope, c: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Return u (n,), row multipliers (m,) and the time taken [s].

        Raises:
            ValueError: The rows have another shape than was compiled.
            SolverFailureError: The solver returned no values.
        """
        start = time.perf_counter()
        if np.shape(envelope.G) != self._shape:
            raise ValueError(
                f"rows: found shape {np.shape(envelope.G)}, expected {self._shape}; "
                "compile one projector per shape"
            )
        fields = envelope.G, envelope.h, envelope.lower, envelope.upper, envelope.price
        u, multipliers = self._program.solve([np.asarray(x) for x in (*fields, c)])
        return u, multipliers, time.perf_counter() - start


@final
class CompiledProgram:
    """One problem for Clarabel: parameters in, variable and dual values out.

    Every datum of the problem must be a constant, or one parameter, its sign and a
    constant.
    """

    def __init__(
        self,
        problem: cp.Problem,
        parameters: Sequence[cp.Parameter],
        variable: cp.Variable,
        constraint: Any,
        options: Mapping[str, float],
    ) -> None:
        """Compile the problem and read off where everything stands.

        Args:
            problem: Follows DPP, has a quadratic cost.
            parameters: All of it, in the order in which `solve` is given them.
            variable: Its value is returned.
            constraint: Its dual value is returned.
            options: Of Clarabel.

        Raises:
            SolverFailureError: cvxpy's data do not follow the parameters as read.
        """
        self._parameters = tuple(parameters)
        self._problem = problem
        self._options = dict(options)
        self._cache: dict[str, Any] = {}
        size = sum(x.size for x in parameters)
        marks = np.arange(1.0, size + 1.0)
        single, double = self._compiled(marks), self._compiled(2.0 * marks)
        slope = double - single
        self._index = np.abs(slope).astype(int)
        self._sign = np.sign(slope)
        self._constant = 2.0 * single - double
        self._prove(size)
        self._at, self._dual_at = self._positions(variable, constraint)

    def solve(self, values: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return the variable's value and the constraint's dual value.

        Args:
            values: Of the parameters, finite.

        Raises:
            SolverFailureError: The solver reports no solution.
        """
        found = self._solved(self._data(np.concatenate([np.ravel(x) for x in values])))
        status = self._chain.solver.STATUS_MAP.get(str(found.status))
        if status not in settings.SOLUTION_PRESENT:
            raise SolverFailureError(f"cvxpy gave no values ({found.status})")
        return np.asarray(found.x)[self._at], np.asarray(found.z)[self._dual_at]

    def _compiled(self, vector: np.ndarray) -> np.ndarray:
        """Return cvxpy's data at some parameters: q, entries of A, b."""
        at = np.cumsum([x.size for x in self._parameters])[:-1]
        for parameter, part in zip(self._parameters, np.split(vector, at), strict=True):
            parameter.value = part.reshape(parameter.shape)
        given, chain, self._inverse = self._problem.get_problem_data(
            cp.CLARABEL, solver_opts=self._options
        )
        self._given, self._chain = given, cast(Any, chain)
        parts = given[settings.C], given[settings.A].data, given[settings.B]
        return np.concatenate(parts)

    def _data(self, vector: np.ndarray) -> np.ndarray:
        """Return the same data by the map that was read off."""
        marked = np.concatenate([[0.0], vector])
        return self._constant + self._sign * marked[self._index]

    def _prove(self, size: int) -> None:
        """Compare the map with cvxpy where no two parameters are alike.

        Raises:
            SolverFailureError: They differ.
        """
        vector = np.random.default_rng(PROOF_SEED).normal(size=size)
        expected, matrix = self._compiled(vector), self._given[settings.A]
        is_known = np.max(self._index) <= size
        if not (is_known and np.array_equal(self._data(vector), expected)):
            raise SolverFailureError(
                "cvxpy's data are not its parameters one by one; state the problem so"
            )
        self._split = np.cumsum([self._given[settings.C].size, matrix.data.size])

    def _positions(
        self, variable: cp.Variable, constraint: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where variable and dual value stand in Clarabel's vectors.

        Read off by numbering them in a made-up solution that cvxpy takes apart.
        """
        rows, columns = self._given[settings.A].shape
        made: Any = SimpleNamespace(
            x=np.arange(float(columns)),
            z=np.arange(float(rows)),
            status=STATUS_OF_A_SOLUTION,
            obj_val=0.0,
            solve_time=0.0,
            iterations=0,
        )
        self._problem.unpack_results(made, self._chain, self._inverse)
        at, dual_at = np.asarray(variable.value), np.asarray(constraint.dual_value)
        return at.astype(int), dual_at.astype(int)

    def _solved(self, data: np.ndarray) -> Any:
        """Return Clarabel's solution, its memory overwritten where it stands."""
        q, entries, b = np.split(data, self._split)
        solver = self._cache.get(cp.CLARABEL)
        if solver is not None and solver.is_data_update_allowed():
            solver.update(q=q, A=entries, b=b)
            return solver.solve()
        matrix = self._given[settings.A].copy()
        matrix.data[:] = entries
        given = {**self._given, settings.C: q, settings.A: matrix, settings.B: b}
        return self._chain.solver.solve_via_data(
            given, False, False, self._options, self._cache
        )
