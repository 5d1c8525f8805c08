"""qpax, mapped over a batch, and our kernel, in turns on the same envelopes.

qpax is given what suits it best: only envelopes whose exact answer keeps every row,
so that it needs no slack variables, and its own explicit float32 interior point.
In float32 it never reports convergence at its default tolerance and runs all of its
30 iterations; with fewer it is faster and less exact, so both are measured.
"""

import importlib
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_safety.kernel import DEFAULT_CONFIG, ProjectConfig, project_batch
from coolbound_safety.stacks import bound_excess, on_device, row_excess, take
from coolbound_safety.types import Envelope

BATCHES: Final = (256, 4096)
"""Lanes of one timed call. [1]"""

ROUNDS: Final = 7
"""Rounds in which all take turns; medians are reported. [1]"""

ROUND_S: Final = 0.3
"""Shortest CPU time of one round. [s]"""

SLACK: Final = 1e-9
"""The exact answer keeps every row where its excess is below this. [1]"""

VARIANTS: Final = {"qpax": {}, "qpax_15_iterations": {"max_iter": 15}}
"""Settings of qpax, by name: its defaults, and the fewest iterations that keep its
99th percentile of the distance."""

OURS: Final = "ours"

Solve = Callable[[Envelope, jax.Array], jax.Array]


def qpax_batch(settings: dict[str, Any]) -> Solve:
    """Return qpax without slack, mapped over a batch, jitted: (B, n) to (B, n)."""
    qpax: Any = importlib.import_module("qpax")

    def solve(
        rows: jax.Array, h: jax.Array, low: jax.Array, high: jax.Array, c: jax.Array
    ) -> jax.Array:
        eye = jnp.eye(c.size, dtype=c.dtype)
        sides = jnp.concatenate([rows, eye, -eye]), jnp.concatenate([h, high, -low])
        none = jnp.zeros((0, c.size), c.dtype), jnp.zeros((0,), c.dtype)
        return qpax.solve_qp(eye, -c, *none, *sides, **settings)[0]

    def run(envelopes: Envelope, c: jax.Array) -> jax.Array:
        parts = (envelopes.G, envelopes.h, envelopes.lower, envelopes.upper, c)
        # It was not written for strict settings, which a caller may have made.
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return jax.vmap(solve)(*map(jnp.asarray, parts))

    return jax.jit(run)


def kernel_batch(config: ProjectConfig) -> Solve:
    """Return our kernel's answers, jitted: (B, n) to (B, n)."""

    def run(envelopes: Envelope, c: jax.Array) -> jax.Array:
        return project_batch(envelopes, c, config).u

    return jax.jit(run)


def measure_kernels(
    envelopes: Envelope,
    proposals: np.ndarray,
    exact: np.ndarray,
    batches: tuple[int, ...] = BATCHES,
    rounds: int = ROUNDS,
) -> dict[str, dict[str, Any]]:
    """Return speed and accuracy of our kernel and of qpax, by name.

    Args:
        envelopes: Recorded envelopes, float64 numpy, leading axis K.
        proposals: Proposed actions, unit coordinates, shape (K, n). [1]
        exact: The float64 active set's answers, shape (K, n). [1]
        batches: Lanes of one timed call; the last one's speed is the headline. [1]
        rounds: Rounds in which all take turns. [1]

    Returns:
        Of each `per_cpu_second`, `by_batch`, distances and the largest excess of a
        row and of a bound in float64; of qpax also `ratio`, our speed over its own
        at the same batch: the smallest of the batches.
    """
    keeps = np.max(row_excess(envelopes, exact), axis=1) <= SLACK
    index = np.flatnonzero(keeps)
    given = (take(envelopes, index), proposals[index], exact[index])
    solves = {name: qpax_batch(settings) for name, settings in VARIANTS.items()}
    solves = {OURS: kernel_batch(DEFAULT_CONFIG)} | solves
    speeds = [_speeds(solves, *given[:2], batch, rounds) for batch in batches]
    found = {}
    for name, solve in solves.items():
        by_batch = [speed[name] for speed in speeds]
        found[name] = {"per_cpu_second": by_batch[-1]["per_cpu_second"]}
        found[name] |= {"by_batch": by_batch, **_accuracy(solve, *given)}
    for name in VARIANTS:
        both = zip(found[OURS]["by_batch"], found[name]["by_batch"], strict=True)
        ratios = [a["per_cpu_second"] / b["per_cpu_second"] for a, b in both]
        found[name] |= {"setting": VARIANTS[name] or "defaults", "ratio": min(ratios)}
    # The kernel's margin moves its answer on purpose; this is the solver without it.
    bare = _accuracy(kernel_batch(ProjectConfig(margin=0.0)), *given)
    names = ("distance_p99", "max_distance")
    found[OURS] |= {f"{name}_without_margin": bare[name] for name in names}
    return found


def _speeds(
    solves: dict[str, Solve],
    envelopes: Envelope,
    proposals: np.ndarray,
    batch: int,
    rounds: int,
) -> dict[str, dict[str, Any]]:
    """Return each one's projections per CPU-second at one batch, taking turns."""
    index = np.arange(max(1, len(proposals) // batch) * batch) % len(proposals)
    parts = [
        on_device(take(envelopes, part), proposals[part])
        for part in index.reshape(-1, batch)
    ]
    for solve in solves.values():
        jax.block_until_ready(solve(*parts[0]))
    rates: dict[str, list[float]] = {name: [] for name in solves}
    for _ in range(rounds):
        for name, solve in solves.items():
            rates[name].append(_rate(solve, parts))
    return {
        name: {
            "batch": batch,
            "per_cpu_second": statistics.median(found),
            "per_cpu_second_range": [min(found), max(found)],
        }
        for name, found in rates.items()
    }


def _rate(solve: Solve, parts: list[tuple[Envelope, jax.Array]]) -> float:
    begun, done = time.process_time(), 0
    while time.process_time() - begun < ROUND_S:
        envelopes, proposals = parts[done % len(parts)]
        jax.block_until_ready(solve(envelopes, proposals))
        done += 1
    return done * len(parts[0][1]) / (time.process_time() - begun)


def _accuracy(
    solve: Solve, envelopes: Envelope, proposals: np.ndarray, exact: np.ndarray
) -> dict[str, Any]:
    """Return distances from the exact answer and violations, judged in float64."""
    single, point = on_device(envelopes, proposals)
    u = np.asarray(solve(single, point), dtype=np.float64)
    answered = np.all(np.isfinite(u), axis=1)
    distance = np.max(np.abs(u - exact), axis=1)[answered]
    rows = np.max(row_excess(envelopes, u), axis=1)[answered]
    return {
        "distance_p50": float(np.percentile(distance, 50)),
        "distance_p99": float(np.percentile(distance, 99)),
        "max_distance": float(np.max(distance)),
        "max_row_violation": float(np.max(rows)),
        "max_bound_violation": float(np.max(bound_excess(envelopes, u)[answered])),
        "row_violations": int(np.sum(rows > 0.0)),
        "unanswered": int(np.sum(~answered)),
        "instances": len(u),
    }
