"""Points that the rungs of the ladder offer, each with its float64 check."""

import dataclasses
from collections.abc import Callable
from typing import Final

import numpy as np

from coolbound_safety.certificate import apply_rows, certify
from coolbound_safety.coordinates import weights
from coolbound_safety.proof import totals_by_priority
from coolbound_safety.types import Certificate, Envelope

EXACT_TOLERANCE: Final = 1e-5
"""Proven distance accepted of the active set. [1]"""

FULL_COOLING: Final = np.array([0, 0, 1, 1, 0, 1, 1, 1, 1, 0]) * weights()
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


def ask(
    envelope: Envelope,
    tight: Envelope,
    proposed: np.ndarray,
    rung: str,
    solver: Solver,
    tolerance: float,
    notes: list[str],
) -> Candidate | None:
    """Return the solver's clipped, checked answer; None where it has none.

    A row that no action inside the bounds can keep costs a constant whatever is
    done. It is taken out, since beside it the distance would drown in rounding: such
    a row is solved from the least that it can be, and pays its full price.
    """
    least = lowest_rows(tight)
    solved = dataclasses.replace(tight, h=np.maximum(tight.h, least))
    answer = solve(solved, proposed, rung, solver, notes)
    if answer is None:
        return None
    u, multipliers = answer
    multipliers = np.where(least > envelope.h, envelope.price, multipliers)
    found = certify(envelope, proposed, u, multipliers, np.asarray(solved.h), tolerance)
    notes.extend(f"{rung}: {reason}" for reason in found.reasons)
    return Candidate(rung, u, multipliers, found)


def solve(
    envelope: Envelope,
    proposed: np.ndarray,
    rung: str,
    solver: Solver,
    notes: list[str],
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the solver's u, clipped to the bounds, and its multipliers."""
    try:
        u, multipliers = solver(envelope, proposed)
    except Exception as error:  # Whatever a solver does, the ladder goes on.
        notes.append(f"{rung}: {type(error).__name__}: {error}")
        return None
    u, multipliers = np.asarray(u), np.asarray(multipliers)
    if u.shape != proposed.shape or multipliers.shape != np.shape(envelope.h):
        notes.append(f"{rung}: the answer has the wrong shape")
        return None
    if not (np.all(np.isfinite(u)) and np.all(np.isfinite(multipliers))):
        notes.append(f"{rung}: the answer is not finite")
        return None
    return np.clip(u, envelope.lower, envelope.upper), multipliers


def lowest_rows(envelope: Envelope) -> np.ndarray:
    """Return the least value of each row inside the bounds, shape (m,) [1]."""
    rows = np.asarray(envelope.G)
    return np.minimum(rows * envelope.lower, rows * envelope.upper).sum(axis=-1)


def breaks_a_row(envelope: Envelope, u: np.ndarray) -> bool:
    """Return whether a point without multipliers exceeds a row that has a price.

    No certificate stands then, whatever else is looked at; see `certify_batch`.
    """
    excess = apply_rows(np.asarray(envelope.G)[None], u[None])[0] - envelope.h
    return bool(np.any((excess > 0.0) & (np.asarray(envelope.price) > 0.0)))


def check(
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


def shrunk_candidate(
    envelope: Envelope,
    tight: Envelope,
    proposed: np.ndarray,
    point: np.ndarray,
    notes: list[str],
) -> Candidate | None:
    """Return the point moved towards the backup, if that keeps every row."""
    u = shrink(tight, point)
    found = check(envelope, proposed, "shrunk", u, tolerance=np.inf)
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


def safe_candidate(envelope: Envelope) -> Candidate:
    """Return the backup, or the held action where that is the lesser evil.

    It exists before any solver runs. Its certificate is taken about itself: it
    proves that the action is inside the envelope, not that it is near a proposal.
    """
    known = {"backup": np.asarray(envelope.backup), "hold": np.asarray(envelope.held)}
    known = {rung: u for rung, u in known.items() if np.all(np.isfinite(u))}
    if not known:
        return check(envelope, FULL_COOLING, "full_cooling", FULL_COOLING, np.inf)
    # A bound that is not finite binds nothing: the known action stays as it is.
    lower = np.where(np.isfinite(envelope.lower), envelope.lower, -np.inf)
    upper = np.where(np.isfinite(envelope.upper), envelope.upper, np.inf)
    inside = {rung: np.clip(u, lower, upper) for rung, u in known.items()}
    offers = []
    for rung, u in inside.items():
        offers.append(check(envelope, u, rung, u, np.inf))
        if offers[-1].certificate.is_certified:
            return offers[-1]
    return min(offers, key=lambda offer: _evil(envelope, offer))


def _evil(envelope: Envelope, offer: Candidate) -> tuple[float, ...]:
    """Return the slack by priority, highest first, for a comparison."""
    slack = np.nan_to_num(offer.certificate.slack)
    return tuple(totals_by_priority(envelope, slack))
