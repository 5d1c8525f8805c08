"""The record of a decision: status, what stood in the way, by how much."""

import dataclasses
import hashlib
import time
from typing import Final

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, channel_array
from coolbound_safety.candidates import Candidate
from coolbound_safety.coordinates import spans, weights
from coolbound_safety.proof import totals_by_priority
from coolbound_safety.types import (
    Envelope,
    FilterResult,
    FilterStatus,
    from_unit64,
)

SOLVED_RUNGS: Final = ("active_set", "cvxpy", "lexicographic")
"""Rungs whose answer comes with multipliers."""

CERTIFIED_RUNGS: Final = ("clip", *SOLVED_RUNGS)
"""Rungs that return the nearest safe action; all others are a fallback."""

ACTIVE_MARGIN: Final = 1e-6
"""A row or bound this close counts as active. [1]"""

ACTIVE_FORCE: Final = 1e-6
"""A limit that pushes less than this did not stand in the way. [1]"""

_DEAD_BAND: Final = channel_array("dead_band")


def differs(certified: np.ndarray, proposed: np.ndarray) -> np.ndarray:
    """Return per channel whether two actions differ beyond the dead band.

    Args:
        certified: Action, shape (..., 10). [each channel's unit]
        proposed: Action, shape (..., 10). [each channel's unit]
    """
    gap = np.abs(np.asarray(certified) - np.asarray(proposed))
    # A value that is not a number is a difference, and a rounding error is none.
    return ~(gap <= _DEAD_BAND * (1.0 + 1e-9))


def conclude(
    envelope: Envelope,
    proposed: np.ndarray,
    found: Candidate,
    notes: list[str],
    start: float,
) -> FilterResult:
    """Return the record of the decision."""
    action, asked = from_unit64(found.u), from_unit64(proposed)
    relaxed = np.flatnonzero(found.certificate.slack > 0.0)
    # A scale that is not finite is one of the faults noted: the unit is unknown.
    with np.errstate(invalid="ignore"):
        excess = found.certificate.slack * np.asarray(envelope.scale)
    slack = {envelope.names[i]: float(excess[i]) for i in relaxed}
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
        slack_by_priority=_totals(envelope, found),
        input_digest=digest(envelope, proposed),
    )


def digest(envelope: Envelope, proposed: np.ndarray) -> str:
    """Return the SHA-256 of everything that a decision depends on."""
    names = [x.name for x in dataclasses.fields(envelope) if x.name != "names"]
    text = hashlib.sha256("\n".join(envelope.names).encode())
    for x in (*(getattr(envelope, name) for name in names), proposed):
        text.update(np.asarray(x, dtype=np.float64).tobytes())
    return text.hexdigest()


def _totals(envelope: Envelope, found: Candidate) -> tuple[float, float, float]:
    """Return the slack of unit rows, summed by priority."""
    first, second, third = totals_by_priority(envelope, found.certificate.slack)
    return float(first), float(second), float(third)


def _status(found: Candidate, slack: dict[str, float], has_moved: bool) -> FilterStatus:
    if found.rung not in CERTIFIED_RUNGS:
        return FilterStatus.FALLBACK
    if slack:
        return FilterStatus.RELAXED
    return FilterStatus.PROJECTED if has_moved else FilterStatus.PASSED


def _active(
    envelope: Envelope, proposed: np.ndarray, found: Candidate
) -> tuple[tuple[str, float], ...]:
    """Return the limits that stood in the way; none where the data are broken."""
    if not (found.certificate.finite and np.all(np.isfinite(envelope.scale))):
        return ()
    rows = _active_rows(envelope, found)
    return (*rows, *_active_bounds(envelope, proposed, found))


def _active_rows(envelope: Envelope, found: Candidate) -> tuple[tuple[str, float], ...]:
    """Return the rows that pushed, with the margin left in the row's own unit."""
    margin = np.asarray(envelope.h) - np.asarray(envelope.G) @ found.u
    is_pushing = found.multipliers > ACTIVE_FORCE
    if found.rung not in SOLVED_RUNGS:
        is_pushing = np.full(margin.shape, True)
    is_relaxed = found.certificate.slack > 0.0
    at = np.flatnonzero((is_pushing & (margin <= ACTIVE_MARGIN)) | is_relaxed)
    physical = margin * np.asarray(envelope.scale)
    return tuple((envelope.names[i], float(physical[i])) for i in at)


def _active_bounds(
    envelope: Envelope, proposed: np.ndarray, found: Candidate
) -> tuple[tuple[str, float], ...]:
    """Return the bounds that pushed: the range's ends, or the ramp's.

    A bound inside the channel's range stands for the ramp (or a lock, which is a
    ramp of zero).
    """
    width, length = spans(), weights()
    push = proposed - np.asarray(envelope.G).T @ found.multipliers - found.u
    bound = np.where(push > 0.0, envelope.upper, envelope.lower)
    margin = np.abs(bound - found.u)
    at = np.flatnonzero((np.abs(push) > ACTIVE_FORCE) & (margin <= ACTIVE_MARGIN))
    is_range = np.minimum(np.abs(bound), np.abs(bound - length)) <= ACTIVE_MARGIN
    return tuple(
        (
            f"{'range' if is_range[i] else 'ramp'}:{CHANNEL_NAMES[i]}",
            float(margin[i]) * float(width[i]),
        )
        for i in at
    )
