"""The safety filter at control time: one decision, certified before it is used.

Sequence: the backup action is looked at first, then the data are validated; a
proposal whose clipped form keeps every row is the projection already; otherwise two
independent solvers are asked and both answers certified. What is not certified is
never used, whatever its solver says; the ladder then goes down:

    active_set   exact float64 active set
    cvxpy        cvxpy with Clarabel, clipped to the bounds
    shrunk       the best point found, moved towards the backup until all rows hold
    backup       the backup action, certified to be inside the envelope
    hold         the previous applied action, where that is the lesser evil
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Final, final

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, channel_array
from coolbound_safety.certificate import certify
from coolbound_safety.reference import CvxpyProjector, solve_active_set
from coolbound_safety.types import (
    Certificate,
    Envelope,
    FilterResult,
    FilterStatus,
    as_float64,
    find_faults,
    from_unit64,
    to_unit64,
)

TIGHTENING: Final = 1e-9
"""Rows are solved this much tighter, so that rounding cannot exceed them. [1]"""

EXACT_TOLERANCE: Final = 1e-5
"""Proven distance accepted of the active set. [1]"""

CVXPY_TOLERANCE: Final = 2e-3
"""Proven distance accepted of cvxpy. [1]"""

AGREEMENT: Final = 2e-4
"""Largest difference accepted between the two solvers. [1]"""

ACTIVE_MARGIN: Final = 1e-6
"""A row or bound this close counts as active. [1]"""

ACTIVE_FORCE: Final = 1e-6
"""A limit that pushes less than this did not stand in the way. [1]"""

FULL_COOLING: Final = np.array([0, 0, 1, 1, 0, 1, 1, 1, 1, 0], dtype=np.float64)
"""Coldest set-points, full speed, every chiller: used where nothing is known,
neither a backup nor what was applied, unit coordinates, shape (10,). [1]"""

Solver = Callable[[Envelope, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A point that a rung of the ladder offers, with its check.

    Attributes:
        rung: Name of the rung.
        u: Action, unit coordinates, shape (n,). [1]
        multipliers: Price paid at each row, shape (m,). [1]
        certificate: Its float64 check.
    """

    rung: str
    u: np.ndarray
    multipliers: np.ndarray
    certificate: Certificate


def differs(certified: np.ndarray, proposed: np.ndarray) -> np.ndarray:
    """Return per channel whether two actions differ beyond the dead band.

    Args:
        certified: Action, shape (..., 10). [each channel's unit]
        proposed: Action, shape (..., 10). [each channel's unit]
    """
    band = channel_array("dead_band")
    gap = np.abs(np.asarray(certified) - np.asarray(proposed))
    # A value that is not a number is a difference, and a rounding error is none.
    return ~(gap <= band * (1.0 + 1e-9))


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

    def decide_unit(self, envelope: Envelope, proposed: np.ndarray) -> FilterResult:
        """Return the decision for a proposed action in unit coordinates, (10,).

        Raises:
            ValueError: An array has the wrong shape.
        """
        start = time.perf_counter()
        proposed = np.asarray(proposed, dtype=np.float64)
        envelope = as_float64(envelope, proposed)
        safe = _safe_candidate(envelope)
        notes = find_faults(envelope, proposed)
        found = safe
        if not notes:
            found = self._candidate(envelope, proposed, notes) or safe
        return _conclude(envelope, proposed, found, notes, start)

    def _candidate(
        self, envelope: Envelope, proposed: np.ndarray, notes: list[str]
    ) -> Candidate | None:
        """Return the first certified candidate, noting why others failed."""
        clipped = np.clip(proposed, envelope.lower, envelope.upper)
        if not self.always_solve:
            trivial = _check(envelope, proposed, "clip", clipped)
            if trivial.certificate.is_certified:
                return trivial
        tight = dataclasses.replace(envelope, h=envelope.h - TIGHTENING)
        solvers = (
            ("active_set", self.exact, EXACT_TOLERANCE),
            ("cvxpy", self.second, CVXPY_TOLERANCE),
        )
        offers = [_ask(envelope, tight, proposed, *solver, notes) for solver in solvers]
        good = [x for x in offers if x is not None and x.certificate.is_certified]
        if len(good) == 2 and np.max(np.abs(good[0].u - good[1].u)) > AGREEMENT:
            notes.append("both solvers are certified but disagree; check the data")
            return None
        if good:
            return good[0]
        point = next((x.u for x in offers if x is not None), clipped)
        return _shrunk_candidate(envelope, tight, proposed, point, notes)


def _ask(
    envelope: Envelope,
    tight: Envelope,
    proposed: np.ndarray,
    rung: str,
    solver: Solver,
    tolerance: float,
    notes: list[str],
) -> Candidate | None:
    """Return the solver's clipped, checked answer; None where it has none."""
    try:
        u, multipliers = solver(tight, proposed)
    except Exception as error:  # Whatever a solver does, the ladder goes on.
        notes.append(f"{rung}: {type(error).__name__}: {error}")
        return None
    u, multipliers = np.asarray(u), np.asarray(multipliers)
    if u.shape != proposed.shape or multipliers.shape != np.shape(tight.h):
        notes.append(f"{rung}: the answer has the wrong shape")
        return None
    if not (np.all(np.isfinite(u)) and np.all(np.isfinite(multipliers))):
        notes.append(f"{rung}: the answer is not finite")
        return None
    u = np.clip(u, envelope.lower, envelope.upper)
    found = certify(envelope, proposed, u, multipliers, np.asarray(tight.h), tolerance)
    notes.extend(f"{rung}: {reason}" for reason in found.reasons)
    return Candidate(rung, u, multipliers, found)


def _check(
    envelope: Envelope,
    proposed: np.ndarray,
    rung: str,
    u: np.ndarray,
    tolerance: float = EXACT_TOLERANCE,
) -> Candidate:
    """Return a point that no solver made, certified with multipliers 0."""
    none = np.zeros(np.shape(envelope.h))
    found = certify(envelope, proposed, u, none, tolerance=tolerance)
    return Candidate(rung, u, none, found)


def _shrunk_candidate(
    envelope: Envelope,
    tight: Envelope,
    proposed: np.ndarray,
    point: np.ndarray,
    notes: list[str],
) -> Candidate | None:
    """Return the point moved towards the backup, if that keeps every row."""
    u = shrink(tight, point)
    found = _check(envelope, proposed, "shrunk", u, tolerance=np.inf)
    if found.certificate.is_certified:
        return found
    notes.extend(f"shrunk: {reason}" for reason in found.certificate.reasons)
    return None


def shrink(envelope: Envelope, u: np.ndarray) -> np.ndarray:
    """Return the farthest point from the backup towards u that keeps all rows."""
    rows, backup = np.asarray(envelope.G), np.asarray(envelope.backup)
    rate = rows @ (u - backup)
    room = np.asarray(envelope.h) - rows @ backup
    toward = rate > 0.0
    share = min(1.0, float(np.min(room[toward] / rate[toward], initial=1.0)))
    point = backup + max(share, 0.0) * (u - backup)
    return np.clip(point, envelope.lower, envelope.upper)


def _safe_candidate(envelope: Envelope) -> Candidate:
    """Return the backup, or the held action where that is the lesser evil.

    It exists before any solver runs. Its certificate is taken about itself: it
    proves that the action is inside the envelope, not that it is near a proposal.
    """
    known = {"backup": np.asarray(envelope.backup), "hold": np.asarray(envelope.held)}
    known = {rung: u for rung, u in known.items() if np.all(np.isfinite(u))}
    if not known:
        return _check(envelope, FULL_COOLING, "full_cooling", FULL_COOLING, np.inf)
    # A bound that is not finite binds nothing: the known action stays as it is.
    lower = np.where(np.isfinite(envelope.lower), envelope.lower, -np.inf)
    upper = np.where(np.isfinite(envelope.upper), envelope.upper, np.inf)
    inside = {rung: np.clip(u, lower, upper) for rung, u in known.items()}
    offers = []
    for rung, u in inside.items():
        offers.append(_check(envelope, u, rung, u, np.inf))
        if offers[-1].certificate.is_certified:
            return offers[-1]
    return min(offers, key=lambda offer: _evil(envelope, offer))


def _evil(envelope: Envelope, offer: Candidate) -> tuple[float, ...]:
    """Return the slack by priority, highest first, for a comparison."""
    slack = np.nan_to_num(offer.certificate.slack)
    tiers = np.asarray(envelope.priority)
    return tuple(float(np.sum(slack[tiers == tier])) for tier in (0, 1, 2))


def _conclude(
    envelope: Envelope,
    proposed: np.ndarray,
    found: Candidate,
    notes: list[str],
    start: float,
) -> FilterResult:
    """Return the record of the decision."""
    action, asked = from_unit64(found.u), from_unit64(proposed)
    excess = found.certificate.slack * np.asarray(envelope.scale)
    slack = {envelope.names[i]: float(excess[i]) for i in np.flatnonzero(excess > 0)}
    status = _status(found, slack, bool(np.any(differs(action, asked))))
    notes = list(notes)
    if status == FilterStatus.RELAXED:
        notes += [f"{k} is exceeded by {x:.3g}" for k, x in slack.items()]
    if not found.certificate.is_certified:
        notes += [f"{found.rung}: {x}" for x in found.certificate.reasons]
    return FilterResult(
        action=action,
        proposed=asked,
        status=status,
        reason="; ".join(notes),
        active=_active(envelope, proposed, found),
        slack=slack,
        certificate=found.certificate,
        timing_s=time.perf_counter() - start,
        rung=found.rung,
    )


def _status(found: Candidate, slack: dict[str, float], has_moved: bool) -> FilterStatus:
    if found.rung not in ("clip", "active_set", "cvxpy"):
        return FilterStatus.FALLBACK
    if slack:
        return FilterStatus.RELAXED
    return FilterStatus.PROJECTED if has_moved else FilterStatus.PASSED


def _active(
    envelope: Envelope, proposed: np.ndarray, found: Candidate
) -> tuple[tuple[str, float], ...]:
    """Return the limits that stood in the way; none where the data are broken."""
    if not found.certificate.finite:
        return ()
    rows = _active_rows(envelope, found)
    return (*rows, *_active_bounds(envelope, proposed, found))


def _active_rows(envelope: Envelope, found: Candidate) -> tuple[tuple[str, float], ...]:
    """Return the rows that pushed, with the margin left in the row's own unit."""
    margin = np.asarray(envelope.h) - np.asarray(envelope.G) @ found.u
    is_pushing = found.multipliers > ACTIVE_FORCE
    if found.rung not in ("active_set", "cvxpy"):
        is_pushing = np.full(margin.shape, True)
    at = np.flatnonzero(is_pushing & (margin <= ACTIVE_MARGIN))
    physical = margin * np.asarray(envelope.scale)
    return tuple((envelope.names[i], float(physical[i])) for i in at)


def _active_bounds(
    envelope: Envelope, proposed: np.ndarray, found: Candidate
) -> tuple[tuple[str, float], ...]:
    """Return the bounds that pushed: the range's ends, or the ramp's.

    A bound inside the channel's range stands for the ramp (or a lock, which is a
    ramp of zero).
    """
    width = channel_array("upper") - channel_array("lower")
    push = proposed - np.asarray(envelope.G).T @ found.multipliers - found.u
    active = []
    for i, name in enumerate(CHANNEL_NAMES):
        bound = float(envelope.upper[i] if push[i] > 0.0 else envelope.lower[i])
        margin = abs(bound - float(found.u[i]))
        if abs(push[i]) > ACTIVE_FORCE and margin <= ACTIVE_MARGIN:
            is_range = min(abs(bound), abs(bound - 1.0)) <= ACTIVE_MARGIN
            kind = "range" if is_range else "ramp"
            active.append((f"{kind}:{name}", margin * float(width[i])))
    return tuple(active)
