"""Measures both projections on recorded envelopes."""

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import jax
import numpy as np

from coolbound_envs.bench_scale import in_fresh_process
from coolbound_envs.types import Observation
from coolbound_safety.active_set import solve_active_set
from coolbound_safety.bench_devices import DEVICES, measure_devices
from coolbound_safety.certificate import certify_batch
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.kernel import DEFAULT_CONFIG, ProjectConfig, project_batch
from coolbound_safety.layer import SafetyLayer
from coolbound_safety.stacks import on_device, take, tighten
from coolbound_safety.types import Envelope, FilterResult

BATCH: Final = 256
"""Lanes of one timed call for the headline figure. [1]"""

BATCHES: Final = (BATCH, 4096)
"""Lanes of one timed call, all that are measured. [1]"""

ROUNDS: Final = 7
"""Timed rounds; the median is reported, with the extremes. [1]"""

ROUND_S: Final = 0.3
"""Shortest CPU time of one round. [s]"""

COMPARED: Final = 1000
"""Recorded envelopes whose float64 answer is sought. [1]"""

Decide = Callable[[int], FilterResult]
"""Takes the decision of a number; what it is given is its own affair."""


def measure_projection(
    envelopes: Envelope,
    proposals: np.ndarray,
    decisions: int = 1000,
    decide: Decide | None = None,
) -> dict[str, Any]:
    """Return what `coolbound bench projection` prints.

    Args:
        envelopes: Recorded envelopes, float64 numpy, leading axis K.
        proposals: Proposed actions, unit coordinates, shape (K, n). [1]
        decisions: Decisions at control time; recorded ones come round again. [1]
        decide: Takes one complete decision: estimate, envelope, solvers, checks.

    Returns:
        `in_jit`, `two_devices`, `filter`, the solvers and certificates alone, and
        with `decide` also `control`.
    """
    proposals = np.asarray(proposals, dtype=np.float64)
    alone = filter_alone(envelopes, proposals)
    found = {
        "in_jit": measure_in_jit(envelopes, proposals, COMPARED),
        "two_devices": in_fresh_process(
            measure_devices, envelopes, proposals, devices=DEVICES
        ),
        "filter": measure_control(alone, decisions),
    }
    return found | ({"control": measure_control(decide, decisions)} if decide else {})


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
    found = jax.jit(project_batch)(*on_device(envelopes, proposals))
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


def measure_control(decide: Decide, decisions: int) -> dict[str, Any]:
    """Return the wall time of single decisions, and what came of them.

    The first decision compiles and is timed apart, as `start_s`.

    Args:
        decide: Takes the decision of a number, 0 to decisions - 1.
        decisions: How many. [1]
    """
    begun = time.perf_counter()
    decide(0)
    start_s = time.perf_counter() - begun
    times = np.zeros(decisions)
    statuses: dict[str, int] = {}
    rungs: dict[str, int] = {}
    certified = 0
    for i in range(decisions):
        begun = time.perf_counter()
        result = decide(i)
        times[i] = time.perf_counter() - begun
        certified += result.certificate.is_certified
        statuses[result.status.name] = statuses.get(result.status.name, 0) + 1
        rungs[result.rung] = rungs.get(result.rung, 0) + 1
    return {
        "p50_ms": float(np.percentile(times, 50)) * 1e3,
        "p99_ms": float(np.percentile(times, 99)) * 1e3,
        "max_ms": float(np.max(times)) * 1e3,
        "decisions": decisions,
        "certified": certified,
        "by_status": dict(sorted(statuses.items())),
        "by_rung": dict(sorted(rungs.items())),
        "start_s": start_s,
    }


def filter_alone(envelopes: Envelope, proposals: np.ndarray) -> Decide:
    """Return the control-time filter on recorded envelopes, both solvers asked."""
    safety_filter = SafetyFilter(always_solve=True)

    def decide(number: int) -> FilterResult:
        i = number % len(proposals)
        return safety_filter.decide_unit(take(envelopes, i), proposals[i])

    return decide


def complete(
    layer: SafetyLayer, observations: Observation, proposed: np.ndarray
) -> Decide:
    """Return complete decisions, step after step: estimate, envelopes, solvers, checks.

    The first call compiles everything, as at start-up.

    Args:
        layer: Its memory goes from decision to decision.
        observations: Of one plant in numpy, leading axis steps.
        proposed: What was asked for, shape (steps, 10). [each channel's unit]
    """
    is_warm = False

    def decide(number: int) -> FilterResult:
        nonlocal is_warm
        if not is_warm:
            layer.warm_up()
            is_warm = True
        i = number % len(proposed)
        seen = jax.tree.map(lambda x: x[i], observations)
        return layer.decide(seen, proposed[i]).result

    return decide


def _speed(envelopes: Envelope, proposals: np.ndarray, batch: int) -> dict[str, Any]:
    """Return projections per CPU-second over all recorded batches in turn."""
    batches = []
    for k in range(max(1, len(proposals) // batch)):
        index = np.arange(k * batch, (k + 1) * batch) % len(proposals)
        batches.append(on_device(take(envelopes, index), proposals[index]))
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
