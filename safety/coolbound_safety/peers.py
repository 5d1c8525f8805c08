"""Side by side with other solvers, on the same recorded envelopes.

At control time each solver gets one envelope after the other; the order of the
solvers turns with every envelope, so that a busy machine slows all alike. In jit
qpax is mapped over the batch and takes turns with our kernel; see
`coolbound_safety.peer_kernel`. Speed never stands alone: beside it stand the distance
from the exact float64 answer, what was violated, and what the solver said of itself.
"""

import gc
import importlib.util
import time
from typing import Any, Final

import numpy as np

from coolbound_envs.tables import InputError
from coolbound_safety.active_set import solve_active_set
from coolbound_safety.peer_kernel import measure_kernels
from coolbound_safety.peer_solvers import SOLVERS, Ask
from coolbound_safety.stacks import bound_excess, row_excess, take
from coolbound_safety.types import Envelope

PACKAGES: Final = ("clarabel", "daqp", "osqp", "piqp", "qpax")
"""What must be installed beside coolbound."""

INSTANCES: Final = 1000
"""Envelopes that every solver is given at control time. [1]"""

VIOLATED: Final = 1e-6
"""An excess above this counts as a violation; channels range over 1. [1]"""

SLACK: Final = 1e-9
"""The exact answer keeps every row where its excess is below this. [1]"""

OURS: Final = "active_set"


def require_peers() -> None:
    """Refuse to go on without every peer.

    Raises:
        InputError: A package is not installed.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"bench projection --against peers: found no package {', '.join(missing)}, "
            f"expected {', '.join(PACKAGES)}; install them with `make peers`"
        )


def measure_peers(
    envelopes: Envelope, proposals: np.ndarray, instances: int = INSTANCES
) -> dict[str, Any]:
    """Return what `coolbound bench projection --against peers` adds.

    Args:
        envelopes: Recorded envelopes, float64 numpy, leading axis K.
        proposals: Proposed actions, unit coordinates, shape (K, n). [1]
        instances: Envelopes at control time; at most K. [1]

    Returns:
        `peers`: by name wall time at control time (`p50_ms`, `p99_ms`, `max_ms`,
        `ratio` of the median to ours), or in jit `per_cpu_second` and `ratio` of
        ours to theirs, with distances, violations and statuses; `ours`: the same
        of our exact float64 solver and of our kernel.

    Raises:
        InputError: A package is not installed.
    """
    require_peers()
    proposals = np.asarray(proposals, dtype=np.float64)
    exact = np.stack(
        [solve_active_set(take(envelopes, i), c)[0] for i, c in enumerate(proposals)]
    )
    one_by_one = measure_solvers(envelopes, proposals, exact, instances)
    in_jit = measure_kernels(envelopes, proposals, exact)
    ours = {OURS: one_by_one.pop(OURS), "in_jit": in_jit.pop("ours")}
    for found in one_by_one.values():
        found["ratio"] = found["p50_ms"] / ours[OURS]["p50_ms"]
    return {"peers": one_by_one | in_jit, "ours": ours}


def measure_solvers(
    envelopes: Envelope, proposals: np.ndarray, exact: np.ndarray, instances: int
) -> dict[str, dict[str, Any]]:
    """Return every solver's figures at control time, ours among them, by name.

    Args:
        envelopes: Recorded envelopes, float64 numpy, leading axis K.
        proposals: Proposed actions, unit coordinates, shape (K, n). [1]
        exact: The float64 active set's answers, shape (K, n). [1]
        instances: Envelopes that each solver is given; at most K. [1]
    """
    m, n = np.shape(envelopes.G)[1:]
    asks = {name: peer.make(n, m) for name, peer in SOLVERS.items()} | {OURS: _own}
    count = min(instances, len(proposals))
    runs = {name: _Run(count, n) for name in asks}
    for ask in asks.values():  # Set-up and the first call are not timed.
        _Run(1, n).add(0, ask, take(envelopes, 0), proposals[0])
    names = list(asks)
    gc.disable()
    try:
        for i in range(count):
            envelope = take(envelopes, i)
            for name in names[i % len(names) :] + names[: i % len(names)]:
                runs[name].add(i, asks[name], envelope, proposals[i])
            gc.collect(0)
    finally:
        gc.enable()
    given = take(envelopes, slice(0, count))
    found = {name: run.figures(given, exact[:count]) for name, run in runs.items()}
    for name, peer in SOLVERS.items():
        found[name] = {"setting": peer.setting} | found[name]
    return found


def _own(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, bool]:
    return solve_active_set(envelope, c)[0], True


class _Run:
    """What one solver answered, and how long it took."""

    def __init__(self, count: int, channels: int) -> None:
        self.seconds = np.zeros(count)
        self.u = np.full((count, channels), np.nan)
        self.bad, self.failed = 0, 0

    def add(self, i: int, ask: Ask, envelope: Envelope, c: np.ndarray) -> None:
        """Ask once. A solver that raises has failed; the measurement goes on."""
        begun = time.perf_counter()
        try:
            self.u[i], is_solved = ask(envelope, c)
            self.bad += not is_solved
        except Exception:
            self.failed += 1
        self.seconds[i] = time.perf_counter() - begun

    def figures(self, envelopes: Envelope, exact: np.ndarray) -> dict[str, Any]:
        """Return the solver's figures.

        Violations are counted where the exact answer keeps every row: on the
        others a row has to give.
        """
        ms = self.seconds * 1e3
        answered = np.all(np.isfinite(self.u), axis=1)
        distance = np.max(np.abs(self.u - exact), axis=1)[answered]
        keeps = np.max(row_excess(envelopes, exact), axis=1) <= SLACK
        rows = np.max(row_excess(envelopes, self.u), axis=1)
        excess = np.maximum(rows, bound_excess(envelopes, self.u))[answered & keeps]
        return {
            "p50_ms": float(np.percentile(ms, 50)),
            "p99_ms": float(np.percentile(ms, 99)),
            "max_ms": float(np.max(ms)),
            "distance_p99": float(np.percentile(distance, 99))
            if any(answered)
            else None,
            "max_distance": float(np.max(distance, initial=0.0)),
            "max_violation": float(np.max(excess, initial=-np.inf)),
            "violations": int(np.sum(excess > VIOLATED)),
            "bad_statuses": self.bad,
            "failures": self.failed,
            "unanswered": int(np.sum(~answered)),
            "instances": len(ms),
        }
