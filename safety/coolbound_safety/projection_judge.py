"""The in-jit projection held against the float64 solver, envelope by envelope.

The kernel's answer is believed in nothing: bounds and rows are evaluated in float64
on the envelopes as recorded, and which rows had to give way is taken from the exact
active set, whose own answer is proven by the certificate of
`coolbound_safety.certificate`.
"""

import concurrent.futures
import dataclasses
import multiprocessing
from typing import Any, Final

import jax
import numpy as np

from coolbound_safety.active_set import solve_active_set
from coolbound_safety.certificate import DISTANCE_TOLERANCE, certify_batch
from coolbound_safety.kernel import DEFAULT_CONFIG, ProjectConfig, project_batch
from coolbound_safety.kernel_chunk import Projection
from coolbound_safety.kernel_double import DOUBLE_CONFIG, project_double
from coolbound_safety.stacks import bound_excess, on_device, row_excess, take, tighten
from coolbound_safety.types import Envelope, SolverFailureError

SLACK: Final = 1e-9
"""The exact answer keeps every row where its excess is below this. [1]"""

NEAR: Final = 1e-4
"""Answers farther apart than this are counted, in shares of a range. [1]"""

WITNESSED: Final = 256
"""One envelope of so many is solved by both float64 solvers. [1]"""

AGREED: Final = 1e-6
"""Answers of both nearer than this are the same, in shares of a range. [1]"""

Pool = concurrent.futures.Executor | None


@dataclasses.dataclass(frozen=True)
class Exact:
    """The float64 solver's answers, leading axis K; NaN where it gave none.

    Attributes:
        u: Of the envelopes as recorded, shape (K, n). [1]
        multipliers: Its row multipliers, shape (K, m). [1]
        tight: Of the rows moved inward by the kernel's margin, shape (K, n). [1]
    """

    u: np.ndarray
    multipliers: np.ndarray
    tight: np.ndarray


@dataclasses.dataclass(frozen=True)
class Verdicts:
    """What became of each envelope, leading axis K.

    Attributes:
        ok: True where the kernel passed its own check.
        is_finite: True where its answer is.
        is_solved: True where the float64 solver has an answer.
        is_proven: True where the certificate proves that answer.
        is_keepable: True where that answer keeps every row.
        has_room: True where the margin, too, can be kept on every row.
        bound: Largest excess over a bound, of the float32 answer as it is. [1]
        row: Largest excess over a row, once clipped to the bounds. [1]
        hard: Largest excess over a row that is never relaxed. [1]
        beyond: Largest excess of a row over what the exact answer exceeds it by. [1]
        distance: To the exact answer, margin included, in the worst channel. [1]
        distance_untightened: To the exact answer without the margin. [1]
        steps: Of the kernel. [1]
    """

    ok: np.ndarray
    is_finite: np.ndarray
    is_solved: np.ndarray
    is_proven: np.ndarray
    is_keepable: np.ndarray
    has_room: np.ndarray
    bound: np.ndarray
    row: np.ndarray
    hard: np.ndarray
    beyond: np.ndarray
    distance: np.ndarray
    distance_untightened: np.ndarray
    steps: np.ndarray


def process_pool(processes: int) -> concurrent.futures.ProcessPoolExecutor:
    """Return programs of their own that compute in float64."""
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(
        processes, mp_context=context, initializer=_compute_in_double
    )


def _compute_in_double() -> None:
    jax.config.update("jax_enable_x64", True)


def answers(envelopes: Envelope, proposals: np.ndarray) -> Projection:
    """Return the kernel's answers in numpy."""
    found = _project(*on_device(envelopes, proposals))
    return jax.tree.map(np.asarray, found)


def exact_answers(
    envelopes: Envelope, proposals: np.ndarray, pool: Pool = None, parts: int = 1
) -> Exact:
    """Return exact answers, shared out over the pool's processes.

    Of the active-set solver without a pool. With one, of the kernel's iteration in
    float64 wherever the certificate proves its answer, which takes nobody's word, and
    of the active-set solver elsewhere; it also solves every `WITNESSED`-th envelope
    again, and an answer that it does not share counts as no answer.
    """
    shares = np.array_split(np.arange(len(proposals)), parts)
    given = [(take(envelopes, share), proposals[share]) for share in shares]
    if pool is None:
        found = [_exact(*share) for share in given]
    else:
        found = list(pool.map(_proven, *zip(*given, strict=True)))
    return Exact(*(np.concatenate(x) for x in zip(*found, strict=True)))


def judge(
    envelopes: Envelope, proposals: np.ndarray, found: Projection, exact: Exact
) -> Verdicts:
    """Return the verdict on each of the kernel's answers.

    Args:
        envelopes: As recorded, float64 numpy, leading axis K.
        proposals: Unit coordinates, shape (K, n). [1]
        found: The kernel's answers, numpy.
        exact: The float64 solver's answers.
    """
    u = np.asarray(found.u, dtype=np.float64)
    # Whoever applies it clips to the float64 bounds, which no float32 may meet.
    applied = np.clip(u, envelopes.lower, envelopes.upper)
    excess = row_excess(envelopes, applied)
    tight = row_excess(envelopes, exact.tight)
    is_hard = np.asarray(envelopes.priority) == 0
    checks = certify_batch(envelopes, proposals, exact.u, exact.multipliers)
    # Its answer may exceed a row by rounding; the gap is what proves it.
    is_near = checks.gap_is_sound & (checks.distance <= DISTANCE_TOLERANCE)
    proven = checks.finite & is_near
    return Verdicts(
        ok=np.asarray(found.ok),
        is_finite=np.all(np.isfinite(u), axis=1),
        is_solved=np.all(np.isfinite(exact.u + exact.tight), axis=1),
        is_proven=proven & (checks.bound_violation <= 0.0),
        is_keepable=np.max(row_excess(envelopes, exact.u), axis=1) <= SLACK,
        has_room=np.max(tight, axis=1) <= SLACK - DEFAULT_CONFIG.margin,
        bound=bound_excess(envelopes, u),
        row=np.max(excess, axis=1),
        hard=np.max(np.where(is_hard, excess, -np.inf), axis=1),
        beyond=np.max(np.maximum(excess, 0.0) - np.maximum(tight, 0.0), axis=1),
        distance=np.max(np.abs(applied - exact.tight), axis=1),
        distance_untightened=np.max(np.abs(applied - exact.u), axis=1),
        steps=np.asarray(found.iterations),
    )


def join(verdicts: list[Verdicts]) -> Verdicts:
    """Return many blocks' verdicts as one."""
    names = [field.name for field in dataclasses.fields(Verdicts)]
    parts = {name: [getattr(v, name) for v in verdicts] for name in names}
    return Verdicts(**{name: np.concatenate(part) for name, part in parts.items()})


def figures(verdicts: Verdicts) -> dict[str, Any]:
    """Return the counts and extremes that a person signs; None where none counts.

    An envelope is *roomy* where the exact answer keeps every row with the kernel's
    margin, *thin* where it keeps them only without, and else some row has to give.
    `row_violations` counts unflagged roomy envelopes whose answer exceeds any row by
    anything above zero in float64; `max_excess_beyond_exact` covers all unflagged
    ones: by how much a row is exceeded more than by the exact answer.
    """
    v = verdicts
    judged = v.ok & v.is_solved
    roomy, thin = judged & v.has_room, judged & v.is_keepable & ~v.has_room
    flagged = ~v.ok & v.is_solved & v.is_keepable
    return {
        "envelopes": int(v.ok.size),
        "flagged": int(np.sum(~v.ok)),
        "not_finite_answers": int(np.sum(~v.is_finite)),
        "bound_violations": int(np.sum(~(v.bound <= 0.0))),
        "max_bound_excess": _most(v.bound),
        "roomy": int(np.sum(roomy)),
        "row_violations": int(np.sum(~(v.row[roomy] <= 0.0))),
        "max_row_excess": _most(v.row[roomy]),
        "thin": int(np.sum(thin)),
        "max_thin_excess": _most(v.row[thin]),
        "flagged_keepable": int(np.sum(flagged)),
        "max_flagged_excess": _most(v.row[flagged]),
        "never_relaxed_violations": int(np.sum(~(v.hard[v.ok] <= 0.0))),
        "relaxed_by_exact": int(np.sum(v.is_solved & ~v.is_keepable)),
        "max_excess_beyond_exact": _most(v.beyond[judged]),
        "distance_p99": _percentile(v.distance[judged], 99.0),
        "distance_p99_9": _percentile(v.distance[judged], 99.9),
        "max_distance": _most(v.distance[judged]),
        "far": int(np.sum(~(v.distance[judged] <= NEAR))),
        "untightened_p99": _percentile(v.distance_untightened[judged], 99.0),
        "max_untightened": _most(v.distance_untightened[judged]),
        "steps_p99": _percentile(v.steps, 99.0),
        "steps_max": int(np.max(v.steps)),
        "exact_failures": int(np.sum(~v.is_solved)),
        "exact_proven": int(np.sum(v.is_proven)),
    }


@jax.jit
def _project(envelopes: Envelope, proposals: jax.Array) -> Projection:
    return project_batch(envelopes, proposals)


def _proven(
    envelopes: Envelope, proposals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the answers of a share, for a program that computes in float64."""
    moved = tighten(envelopes, DEFAULT_CONFIG.margin)
    u, multipliers, is_sure = _by_kernel(envelopes, proposals)
    tight, _, is_sure_too = _by_kernel(moved, proposals)
    doubtful = np.flatnonzero(~(is_sure & is_sure_too))
    if doubtful.size:
        share = _exact(take(envelopes, doubtful), proposals[doubtful])
        u[doubtful], multipliers[doubtful], tight[doubtful] = share
    witnessed = np.arange(0, len(proposals), WITNESSED)
    other, _, _ = _exact(take(envelopes, witnessed), proposals[witnessed])
    is_shared = np.max(np.abs(other - u[witnessed]), axis=1) <= AGREED
    u[witnessed[~is_shared]] = np.nan
    return u, multipliers, tight


def _by_kernel(
    envelopes: Envelope, proposals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return float64 answers, their multipliers, and where they are proven."""
    exact = ProjectConfig(margin=0.0, step_limit=DOUBLE_CONFIG.step_limit)
    found = project_double(envelopes, proposals, exact)
    u = np.clip(np.asarray(found.u), envelopes.lower, envelopes.upper)
    multipliers = np.array(found.multipliers)
    checks = certify_batch(envelopes, proposals, u, multipliers)
    is_near = checks.gap_is_sound & (checks.distance <= DISTANCE_TOLERANCE)
    return u, multipliers, checks.finite & is_near & np.asarray(found.ok)


def _exact(
    envelopes: Envelope, proposals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the active-set solver's answers, with and without the kernel's margin."""
    m, n = np.shape(envelopes.G)[1:]
    u, tight = np.full((2, len(proposals), n), np.nan)
    multipliers = np.full((len(proposals), m), np.nan)
    for i, c in enumerate(proposals):
        given = take(envelopes, i)
        try:
            u[i], multipliers[i] = solve_active_set(given, c)
            tight[i], _ = solve_active_set(tighten(given, DEFAULT_CONFIG.margin), c)
        except SolverFailureError:
            u[i] = np.nan
    return u, multipliers, tight


def _most(x: np.ndarray) -> float | None:
    return float(np.max(x)) if x.size else None


def _percentile(x: np.ndarray, share: float) -> float | None:
    return float(np.percentile(x, share)) if x.size else None
