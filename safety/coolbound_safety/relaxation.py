"""What the filter does where the envelope is empty: give way, in order, and prove it.

The weighted answer has slack. Before that is accepted, `lexicographic` looks for the
least slack by priority; the rows are frozen at the best action known, the proposal is
projected onto them by the same two solvers, and the answer certified: that it is that
projection, and that no action gives way less.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from coolbound_safety.candidates import Candidate, Solver, solve
from coolbound_safety.lexicographic import (
    LeastSlack,
    best_of,
    freeze,
    is_better,
    least_slack,
)
from coolbound_safety.proof import certify_relaxed, is_least, prove
from coolbound_safety.types import Envelope

AGREEMENT: Final = 2e-4
"""Largest difference accepted between the two solvers. [1]"""

RUNG: Final = "lexicographic"

NamedSolver = tuple[str, Solver, float]


def relax(
    envelope: Envelope,
    tight: Envelope,
    proposed: np.ndarray,
    weighted: Sequence[Candidate],
    backup: np.ndarray,
    solvers: Sequence[NamedSolver],
    notes: list[str],
) -> Candidate | None:
    """Return the certified answer of least slack, or the best that is certified.

    Args:
        envelope: The envelope as given, float64.
        tight: The same with its rows tightened.
        proposed: Proposed action, unit coordinates, shape (n,). [1]
        weighted: Certified weighted answers, best first.
        backup: The backup action inside the bounds, shape (n,). [1]
        solvers: Name, solver and tolerance of each, the exact one first.
        notes: Gains what went wrong.
    """
    known = [x.u for x in weighted[:1]]
    try:
        least = least_slack(tight, *known)
    except Exception as error:  # The weighted answer stands, without a proof.
        notes.append(f"{RUNG}: {type(error).__name__}: {error}")
        return weighted[0] if weighted else None
    anchor = best_of(tight, proposed, [*known, least.u, backup])
    if weighted and anchor is weighted[0].u:
        return _with_proof(envelope, weighted[0], least, notes)
    frozen = freeze(tight, anchor)
    offers = [
        _offer(envelope, frozen, proposed, solver, least, notes) for solver in solvers
    ]
    good = [x for x in offers if x is not None and x.certificate.is_certified]
    if len(good) == 2 and np.max(np.abs(good[0].u - good[1].u)) > AGREEMENT:
        notes.append(f"{RUNG}: both solvers are certified but disagree")
        good = []
    if not good:
        return _with_proof(envelope, weighted[0], least, notes) if weighted else None
    if weighted and is_better(tight, proposed, weighted[0].u, good[0].u):
        return _with_proof(envelope, weighted[0], least, notes)
    return good[0]


def _offer(
    envelope: Envelope,
    frozen: Envelope,
    proposed: np.ndarray,
    solver: NamedSolver,
    least: LeastSlack,
    notes: list[str],
) -> Candidate | None:
    """Return one solver's projection onto the frozen rows, with its proof."""
    name, call, tolerance = solver
    answer = solve(frozen, proposed, f"{RUNG} {name}", call, notes)
    if answer is None:
        return None
    u, multipliers = answer
    found = certify_relaxed(
        envelope,
        proposed,
        u,
        multipliers,
        np.asarray(frozen.h),
        least.duals,
        tolerance,
    )
    notes.extend(f"{RUNG} {name}: {reason}" for reason in found.reasons)
    return Candidate(RUNG, u, multipliers, found)


def _with_proof(
    envelope: Envelope, weighted: Candidate, least: LeastSlack, notes: list[str]
) -> Candidate:
    """Return the weighted answer with the least slack that was proven.

    At its own slack it is the projection onto the frozen rows: whatever relaxes no
    row further costs no more slack, so it cannot be nearer.
    """
    proof = prove(envelope, weighted.certificate.slack, least.duals)
    if not is_least(proof):
        notes.append(f"{weighted.rung}: the slack is not proven to be the least")
    certificate = dataclasses.replace(weighted.certificate, proof=proof)
    return dataclasses.replace(weighted, certificate=certificate)
