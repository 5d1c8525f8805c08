"""How the in-jit projection scales over host devices."""

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import jax
import numpy as np

from coolbound_safety.sharded import AXIS, lane_mesh, project_sharded
from coolbound_safety.stacks import on_device, take
from coolbound_safety.types import Envelope

DEVICES: Final = 2
"""Host devices that are compared with one. [1]"""

BATCH: Final = 8192
"""Projections of one call, shared out evenly: 4,096 on each of two devices. [1]"""

CALLS: Final = 10
"""Calls of one timed round. [1]"""

ROUNDS: Final = 9
"""Rounds; one device and all take turns, and the median ratio counts. [1]"""


def measure_devices(
    envelopes: Envelope, proposals: np.ndarray, batch: int = BATCH, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Return projections per second of wall time on one device and on all.

    Call it through `coolbound_envs.bench_scale.in_fresh_process` with the number of
    devices. Both are given the same projections. XLA may already spread one
    device's work over several cores: `cores_used` says how many it kept busy.

    Args:
        envelopes: Recorded envelopes, float64 numpy, leading axis K.
        proposals: Proposed actions, unit coordinates, shape (K, n). [1]
        batch: Projections of one call, a multiple of the devices. [1]
        rounds: Timed rounds. [1]

    Returns:
        `devices`, `one_device_per_second`, `all_devices_per_second`, `ratio` with
        its range, `cores_used` of one device and of all, `batch`, and
        `max_difference` between the answers.
    """
    devices = len(jax.devices())
    index = np.arange(batch) % len(proposals)
    given = on_device(take(envelopes, index), proposals[index])
    runs = [sharded(given, count) for count in (1, devices)]
    one, every = (np.asarray(run()) for run in runs)
    found = [[_timed(run) for run in runs] for _ in range(rounds)]
    wall, cpu = np.moveaxis(np.asarray(found), -1, 0)
    ratios = (wall[:, 0] / wall[:, 1]).tolist()
    speeds = CALLS * batch / np.median(wall, axis=0)
    cores = np.median(cpu / wall, axis=0)
    return {
        "devices": devices,
        "one_device_per_second": float(speeds[0]),
        "all_devices_per_second": float(speeds[1]),
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "cores_used": [float(cores[0]), float(cores[1])],
        "batch": batch,
        "max_difference": float(np.max(np.abs(one - every))),
    }


def sharded(given: tuple[Envelope, jax.Array], devices: int) -> Callable[[], jax.Array]:
    """Return a compiled call that projects a batch dealt out over some devices."""
    mesh = lane_mesh(devices)

    def project(envelopes: Envelope, proposals: jax.Array) -> jax.Array:
        return project_sharded(envelopes, proposals, mesh=mesh).u

    placed = jax.device_put(given, jax.NamedSharding(mesh, jax.P(AXIS)))
    call = jax.jit(project).lower(*placed).compile()
    return lambda: jax.block_until_ready(call(*placed))


def _timed(run: Callable[[], Any]) -> tuple[float, float]:
    """Return wall time and CPU time of one round [s]."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(CALLS):
        run()
    return time.perf_counter() - wall, time.process_time() - cpu
