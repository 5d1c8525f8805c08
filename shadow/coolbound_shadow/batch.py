"""The certified projection of many rows: the first rungs of the ladder, in batches.

A proposal whose clipped form keeps every row is its own projection; the others go to
the exact float64 active set. Each answer is certified in float64. What is not certified
so, and what must give way, takes the whole sequence of `coolbound_safety.filter`, cvxpy
included; a random sample of all rows takes it too, and must agree.
"""

import dataclasses
import time
from typing import Final

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES
from coolbound_safety.candidates import EXACT_TOLERANCE, ask
from coolbound_safety.certificate import Checks, apply_rows, certify_batch
from coolbound_safety.conclusion import (
    ACTIVE_FORCE,
    ACTIVE_MARGIN,
    conclude,
    differs,
)
from coolbound_safety.coordinates import spans, weights
from coolbound_safety.filter import TIGHTENING, SafetyFilter
from coolbound_safety.relaxation import AGREEMENT
from coolbound_safety.types import (
    NORM_TOLERANCE,
    PRICE_MAX,
    PRIORITIES,
    Certificate,
    Envelope,
    FilterResult,
    FilterStatus,
    find_faults,
    from_unit64,
    to_unit64,
)

ARRAYS = ("lower", "upper", "G", "h", "price", "scale", "priority", "held", "backup")

SAMPLE: Final = 1000
"""Decisions that the sequence of control time takes again. [1]"""

SAMPLE_SEED: Final = 0


@dataclasses.dataclass(frozen=True)
class Sample:
    """Decisions that the sequence of control time took again. Static.

    Attributes:
        decisions: How many. [1]
        differing: Those with another status, or an action that differs by more than
            the filter's own two solvers may. [1]
        largest: Largest difference of an action, unit coordinates. [1]
        rows: Their rows in the log, shape (n,). [1]
        latency: Time of each, shape (n,). [s]
    """

    decisions: int
    differing: int
    largest: float
    rows: np.ndarray
    latency: np.ndarray


def envelope_of(envelopes: Envelope, row: int) -> Envelope:
    """Return the envelope of one row."""
    arrays = {k: np.asarray(getattr(envelopes, k))[row] for k in ARRAYS}
    return Envelope(**arrays, names=envelopes.names)


def sample_rows(rows: int) -> np.ndarray:
    """Return the rows that are decided again, in order."""
    rng = np.random.default_rng(SAMPLE_SEED)
    return np.sort(rng.choice(rows, size=min(SAMPLE, rows), replace=False))


def decide_batch(
    envelopes: Envelope, asked: np.ndarray, safety: SafetyFilter
) -> list[FilterResult]:
    """Return the decision of each row; those made in batches are not timed.

    Args:
        envelopes: Float64, leading axis T.
        asked: What is projected, float64, (T, 10). [each channel's unit]
        safety: Takes the rows that are not simple.
    """
    unit = to_unit64(asked)
    clipped = np.clip(unit, envelopes.lower, envelopes.upper)
    none = np.zeros(np.shape(envelopes.h))
    checks = certify_batch(envelopes, unit, clipped, none, tolerance=EXACT_TOLERANCE)
    is_simple = _are_sound(envelopes, unit) & checks.is_certified
    simple = iter(_clipped(envelopes, unit, clipped, checks, np.flatnonzero(is_simple)))
    return [
        next(simple)
        if is_simple[row]
        else _solved(envelope_of(envelopes, row), asked[row], safety)
        for row in range(len(asked))
    ]


def _are_sound(envelopes: Envelope, unit: np.ndarray) -> np.ndarray:
    """Return where the filter would find no fault in the data, shape (T,)."""
    rows = len(unit)
    arrays = [np.asarray(getattr(envelopes, name)).reshape(rows, -1) for name in ARRAYS]
    is_finite = [np.all(np.isfinite(x), axis=1) for x in (*arrays, unit)]
    price = np.asarray(envelopes.price)
    length = np.linalg.norm(np.asarray(envelopes.G), axis=-1)
    checks = (
        np.asarray(envelopes.lower) <= np.asarray(envelopes.upper),
        (price >= 0.0) & (price <= PRICE_MAX * (1.0 + 1e-9)),
        np.isin(envelopes.priority, PRIORITIES),
        length <= 1.0 + NORM_TOLERANCE,
    )
    is_kept = [np.all(check, axis=1) for check in checks]
    return np.logical_and.reduce([*is_finite, *is_kept])


def _solved(
    envelope: Envelope, asked: np.ndarray, safety: SafetyFilter
) -> FilterResult:
    """Return a row's exact projection, or what the whole sequence makes of it."""
    start, unit, notes = time.perf_counter(), to_unit64(asked), []
    if find_faults(envelope, unit):
        return safety.decide(envelope, asked)
    tight = dataclasses.replace(envelope, h=np.asarray(envelope.h) - TIGHTENING)
    solver = ("active_set", safety.exact, EXACT_TOLERANCE)
    offer = ask(envelope, tight, unit, *solver, notes)
    if offer is None or not offer.certificate.is_certified:
        return safety.decide(envelope, asked)
    if np.any(offer.certificate.slack > 0.0):
        return safety.decide(envelope, asked)
    return conclude(envelope, unit, offer, notes, start)


def _clipped(
    envelopes: Envelope,
    unit: np.ndarray,
    clipped: np.ndarray,
    checks: Checks,
    rows: np.ndarray,
) -> list[FilterResult]:
    """Return the decisions of rows whose clipped proposal keeps everything."""
    action, asked = from_unit64(clipped), from_unit64(unit)
    has_moved = np.any(differs(action, asked), axis=1)
    active = _active(envelopes, unit, clipped)
    return [
        FilterResult(
            action=action[i],
            proposed=asked[i],
            status=FilterStatus.PROJECTED if has_moved[i] else FilterStatus.PASSED,
            reason="",
            active=active.get(int(i), ()),
            slack={},
            certificate=_certificate(checks, int(i)),
            timing_s=float("nan"),
            rung="clip",
            slack_by_priority=(0.0, 0.0, 0.0),
            input_digest="",
        )
        for i in rows
    ]


def _certificate(checks: Checks, i: int) -> Certificate:
    return Certificate(
        is_certified=True,
        finite=True,
        bound_violation=float(checks.bound_violation[i]),
        row_violation=float(checks.row_violation[i]),
        slack=checks.slack[i],
        gap=float(checks.gap[i]),
        distance=float(checks.distance[i]),
        reasons=(),
    )


def _active(
    envelopes: Envelope, unit: np.ndarray, clipped: np.ndarray
) -> dict[int, tuple[tuple[str, float], ...]]:
    """Return the limits that stood in the way of clipped rows, by row.

    The rule is that of `coolbound_safety.conclusion`, to which a test holds it.
    """
    found: dict[int, tuple[tuple[str, float], ...]] = {}
    margin = np.asarray(envelopes.h) - apply_rows(np.asarray(envelopes.G), clipped)
    physical = margin * np.asarray(envelopes.scale)
    for i, k in np.argwhere(margin <= ACTIVE_MARGIN):
        entry = (envelopes.names[k], float(physical[i, k]))
        found[int(i)] = (*found.get(int(i), ()), entry)
    lower, upper = np.asarray(envelopes.lower), np.asarray(envelopes.upper)
    push = unit - clipped
    bound = np.where(push > 0.0, upper, lower)
    gap = np.abs(bound - clipped)
    is_range = np.minimum(np.abs(bound), np.abs(bound - weights())) <= ACTIVE_MARGIN
    width = spans()
    for i, k in np.argwhere((np.abs(push) > ACTIVE_FORCE) & (gap <= ACTIVE_MARGIN)):
        kind = "range" if is_range[i, k] else "ramp"
        entry = (f"{kind}:{CHANNEL_NAMES[k]}", float(gap[i, k] * width[k]))
        found[int(i)] = (*found.get(int(i), ()), entry)
    return found


def decide_again(
    envelopes: Envelope,
    asked: np.ndarray,
    results: list[FilterResult],
    rows: np.ndarray,
    safety: SafetyFilter,
) -> Sample:
    """Take some decisions again by the sequence of control time, and compare.

    Args:
        envelopes: Float64, leading axis T.
        asked: What is projected, float64, (T, 10). [each channel's unit]
        results: What was decided in batches.
        rows: Rows to take again.
        safety: The filter of control time.
    """
    gaps, latency, differing = [0.0], [], 0
    for row in rows:
        again = safety.decide(envelope_of(envelopes, int(row)), asked[row])
        first = results[row]
        gap = np.max(np.abs(to_unit64(again.action) - to_unit64(first.action)))
        gaps.append(float(gap))
        latency.append(again.timing_s)
        is_same = gap <= AGREEMENT and again.status == first.status
        differing += not is_same
    return Sample(len(rows), differing, max(gaps), rows, np.asarray(latency))


def joined(parts: list[Sample]) -> Sample:
    """Return samples of several stretches as one."""
    return Sample(
        decisions=sum(part.decisions for part in parts),
        differing=sum(part.differing for part in parts),
        largest=max(part.largest for part in parts),
        rows=np.concatenate([part.rows for part in parts]),
        latency=np.concatenate([part.latency for part in parts]),
    )
