"""The safety filter at control time: one decision, certified before it is used.

Sequence: the backup action is looked at first, then the data are validated; a
proposal whose clipped form keeps every row is the projection already; otherwise two
independent solvers are asked and both answers certified. What is not certified is
never used, whatever its solver says; the ladder then goes down:

    active_set      exact float64 active set
    cvxpy           cvxpy with Clarabel, clipped to the bounds
    lexicographic   where rows must give way: the least slack by priority
    shrunk          the best point found, moved towards the backup until all rows hold
    backup          the backup action, certified to be inside the envelope
    hold            the previous applied action, where that is the lesser evil
"""

import dataclasses
import time
from typing import Final, final

import numpy as np

from coolbound_safety.active_set import solve_active_set
from coolbound_safety.candidates import (
    EXACT_TOLERANCE,
    Candidate,
    Solver,
    ask,
    breaks_a_row,
    check,
    safe_candidate,
    shrunk_candidate,
)
from coolbound_safety.conclusion import conclude
from coolbound_safety.reference import CvxpyProjector
from coolbound_safety.relaxation import AGREEMENT, relax
from coolbound_safety.types import (
    Envelope,
    FilterResult,
    as_float64,
    find_faults,
    to_unit64,
)

TIGHTENING: Final = 1e-9
"""Rows are solved this much tighter, so that rounding cannot exceed them. [1]"""

CVXPY_TOLERANCE: Final = 2e-3
"""Proven distance accepted of cvxpy. [1]"""


def cvxpy_solver() -> Solver:
    """Return a solver that compiles one cvxpy problem per shape and keeps it."""
    compiled: dict[tuple[int, ...], CvxpyProjector] = {}

    def solve(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        m, n = np.shape(envelope.G)
        if (m, n) not in compiled:
            compiled[m, n] = CvxpyProjector(n, m)
        u, multipliers, _ = compiled[m, n].solve(envelope, c)
        return u, multipliers

    return solve


@final
@dataclasses.dataclass(frozen=True)
class SafetyFilter:
    """Turns a proposed action into a certified one, or says why it cannot.

    Attributes:
        exact: The exact solver, first rung.
        second: The independent solver, second rung and witness of the first.
        always_solve: Ask both solvers even where clipping is enough.
    """

    exact: Solver = solve_active_set
    second: Solver = dataclasses.field(default_factory=cvxpy_solver)
    always_solve: bool = False

    def decide(self, envelope: Envelope, proposed: np.ndarray) -> FilterResult:
        """Return the decision for a proposed action in physical units, (10,).

        Raises:
            ValueError: An array has the wrong shape.
        """
        return self.decide_unit(envelope, to_unit64(proposed))

    def decide_unit(
        self,
        envelope: Envelope,
        proposed: np.ndarray,
        safe: Candidate | None = None,
    ) -> FilterResult:
        """Return the decision for a proposed action in unit coordinates, (10,).

        Args:
            envelope: Its envelope.
            proposed: Unit coordinates, shape (10,). [1]
            safe: What `safe_candidate` says of the envelope, where that is known.

        Raises:
            ValueError: An array has the wrong shape.
        """
        start = time.perf_counter()
        proposed = np.asarray(proposed, dtype=np.float64)
        envelope = as_float64(envelope, proposed)
        safe = safe or safe_candidate(envelope)
        notes = find_faults(envelope, proposed)
        found = safe
        if not notes:
            found = self._candidate(envelope, proposed, notes) or safe
        return conclude(envelope, proposed, found, notes, start)

    def _candidate(
        self, envelope: Envelope, proposed: np.ndarray, notes: list[str]
    ) -> Candidate | None:
        """Return the first certified candidate, noting why others failed."""
        clipped = np.clip(proposed, envelope.lower, envelope.upper)
        if not (self.always_solve or breaks_a_row(envelope, clipped)):
            trivial = check(envelope, proposed, "clip", clipped)
            if trivial.certificate.is_certified:
                return trivial
        tight = dataclasses.replace(envelope, h=envelope.h - TIGHTENING)
        solvers = (
            ("active_set", self.exact, EXACT_TOLERANCE),
            ("cvxpy", self.second, CVXPY_TOLERANCE),
        )
        offers = [ask(envelope, tight, proposed, *solver, notes) for solver in solvers]
        offers = [x for x in offers if x is not None]
        good = [x for x in offers if x.certificate.is_certified]
        if len(good) == 2 and np.max(np.abs(good[0].u - good[1].u)) > AGREEMENT:
            notes.append("both solvers are certified but disagree; check the data")
            return None
        if any(np.any(x.certificate.slack > 0.0) for x in good or offers):
            backup = np.clip(envelope.backup, envelope.lower, envelope.upper)
            found = relax(envelope, tight, proposed, good, backup, solvers, notes)
            good = [] if found is None else [found]
        if good:
            return good[0]
        point = offers[0].u if offers else clipped
        return shrunk_candidate(envelope, tight, proposed, point, notes)
