"""Measures both projections on recorded envelopes."""

import dataclasses
import statistics
import time
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_safety.certificate import certify_batch
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.kernel import (
    DEFAULT_CONFIG,
    ProjectConfig,
    Projection,
    narrow,
    project_batch,
)
from coolbound_safety.reference import solve_active_set
from coolbound_safety.types import Envelope

BATCH: Final = 256
"""Lanes of one timed call for the headline figure. [1]"""

BATCHES: Final = (BATCH, 4096)
"""Lanes of one timed call, all that are measured. [1]"""

ROUNDS: Final = 7
"""Timed rounds; the median is reported, with the extremes. [1]"""

ROUND_S: Final = 0.3
"""Shortest CPU time of one round. [s]"""


def measure_projection(
    envelopes: Envelope, proposals: np.ndarray, decisions: int = 1000
) -> dict[str, Any]:
    """Return what `coolbound bench projection` prints.

    Args:
        envelopes: Recorded envelopes, float64 numpy, leading axis K.
        proposals: Proposed actions, unit coordinates, shape (K, n). [1]
        decisions: Control-time decisions and float64 comparisons; at most K. [1]
    """
    proposals = np.asarray(proposals, dtype=np.float64)
    return {
        "in_jit": measure_in_jit(envelopes, proposals, decisions),
        "control": measure_control(envelopes, proposals, decisions),
    }


def measure_in_jit(
    envelopes: Envelope, proposals: np.ndarray, compared: int
) -> dict[str, Any]:
    """Return speed, worst violation and distance of the in-jit projection.

    `max_violation` is judged in float64 on the rows as recorded, over unflagged
    lanes and rows that are not relaxed; below zero is the margin kept.
    `max_distance` is the largest difference of a channel from the float64 answer
    of the same problem, margin included; `max_distance_untightened` from the
    answer without the margin. Both in shares of the channel's range.
    """
    found = _project_all(envelopes, proposals)
    ok = np.asarray(found.ok)
    u = np.clip(np.asarray(found.u, np.float64), envelopes.lower, envelopes.upper)
    multipliers = np.asarray(found.multipliers, np.float64)
    checks = certify_batch(envelopes, proposals, u, multipliers, tolerance=np.inf)
    worst = np.maximum(checks.bound_violation, checks.row_violation)
    margin = DEFAULT_CONFIG.margin
    index = np.flatnonzero(ok)[:compared]
    speeds = [_speed(envelopes, proposals, batch) for batch in BATCHES]
    return {
        **speeds[0],
        "by_batch": speeds,
        "max_violation": float(np.max(worst[ok], initial=-np.inf)),
        "max_distance": _distance(envelopes, proposals, u, index, margin),
        "max_distance_untightened": _distance(envelopes, proposals, u, index, 0.0),
        "flagged_share": float(np.mean(~ok)),
        "relaxed_share": float(np.mean(np.any(checks.slack > 0.0, axis=-1))),
        "instances": int(ok.size),
        "compared": int(index.size),
        "steps_mean": float(np.mean(np.asarray(found.iterations))),
        "steps_max": int(np.max(np.asarray(found.iterations))),
    }


def measure_control(
    envelopes: Envelope, proposals: np.ndarray, decisions: int
) -> dict[str, Any]:
    """Return the latency of the control-time filter, both solvers asked each time."""
    safety_filter = SafetyFilter(always_solve=True)
    count = min(decisions, len(proposals))
    safety_filter.decide_unit(take(envelopes, 0), proposals[0])
    results = [
        safety_filter.decide_unit(take(envelopes, i), proposals[i])
        for i in range(count)
    ]
    times = np.asarray([result.timing_s for result in results]) * 1e3
    return {
        "p50_ms": float(np.percentile(times, 50)),
        "p99_ms": float(np.percentile(times, 99)),
        "max_ms": float(np.max(times)),
        "decisions": count,
        "certified": sum(result.certificate.is_certified for result in results),
        "by_status": _count([result.status.name for result in results]),
        "by_rung": _count([result.rung for result in results]),
    }


def take(envelopes: Envelope, index: int | np.ndarray) -> Envelope:
    """Return one envelope of a stack, or several in the order of an index array."""
    names = [f.name for f in dataclasses.fields(envelopes) if f.name != "names"]
    fields = {name: np.asarray(getattr(envelopes, name))[index] for name in names}
    return dataclasses.replace(envelopes, **fields)


def tighten(envelope: Envelope, margin: float) -> Envelope:
    """Return the envelope with every row moved inward."""
    return dataclasses.replace(envelope, h=np.asarray(envelope.h) - margin)


def _project_all(envelopes: Envelope, proposals: np.ndarray) -> Projection:
    single = jnp.asarray(proposals, jnp.float32)
    return jax.jit(project_batch)(_on_device(envelopes), single)


def _on_device(envelopes: Envelope) -> Envelope:
    return jax.tree.map(jnp.asarray, narrow(envelopes))


def _speed(envelopes: Envelope, proposals: np.ndarray, batch: int) -> dict[str, Any]:
    """Return projections per CPU-second over all recorded batches in turn."""
    batches = []
    for k in range(max(1, len(proposals) // batch)):
        index = np.arange(k * batch, (k + 1) * batch) % len(proposals)
        point = jnp.asarray(proposals[index], jnp.float32)
        batches.append((_on_device(take(envelopes, index)), point))
    solve = jax.jit(project_batch, static_argnums=2)
    start = time.perf_counter()
    jax.block_until_ready(solve(*batches[0], ProjectConfig()))
    compile_s = time.perf_counter() - start
    rates = [_round(solve, batches) for _ in range(ROUNDS)]
    return {
        "batch": batch,
        "per_cpu_second": statistics.median(rates),
        "per_cpu_second_range": [min(rates), max(rates)],
        "compile_s": compile_s,
    }


def _round(solve: Any, batches: list[tuple[Envelope, jax.Array]]) -> float:
    start, done = time.process_time(), 0
    while time.process_time() - start < ROUND_S:
        for envelope, point in batches:
            jax.block_until_ready(solve(envelope, point, DEFAULT_CONFIG))
        done += sum(len(point) for _, point in batches)
    return done / (time.process_time() - start)


def _distance(
    envelopes: Envelope,
    proposals: np.ndarray,
    u: np.ndarray,
    index: np.ndarray,
    margin: float,
) -> float:
    """Return the largest difference from the float64 answer [1]."""
    worst = 0.0
    for i in index:
        given = take(envelopes, int(i))
        exact, _ = solve_active_set(tighten(given, margin), proposals[i])
        worst = max(worst, float(np.max(np.abs(exact - u[i]))))
    return worst


def _count(values: list[str]) -> dict[str, int]:
    return {value: values.count(value) for value in sorted(set(values))}
