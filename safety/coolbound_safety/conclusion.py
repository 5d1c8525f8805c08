"""The record of a decision: status, what stood in the way, by how much."""

import time
from typing import Final

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, channel_array
from coolbound_safety.candidates import Candidate
from coolbound_safety.types import (
    Envelope,
    FilterResult,
    FilterStatus,
    from_unit64,
)

ACTIVE_MARGIN: Final = 1e-6
"""A row or bound this close counts as active. [1]"""

ACTIVE_FORCE: Final = 1e-6
"""A limit that pushes less than this did not stand in the way. [1]"""


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


def conclude(
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
