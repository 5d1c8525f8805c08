"""How the plant scales: over devices, in memory, and over a year in many cities."""

import concurrent.futures
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp

from coolbound_envs.bench import ROUNDS, run_batch
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.scenario import Place

FLEET: Final = 65536
"""Plants of the measurement of memory. [1]"""

YEAR_STEPS: Final = 105120
"""Control steps of a year of 365 days. [1]"""

CHUNK: Final = 8760
"""Control steps of one compiled call in the year's run: a twelfth of it. [1]"""

DEVICE_BATCH: Final = 4096
"""Plants on each device. [1]"""

DEVICE_STEPS: Final = 8
"""Control steps of one compiled call on each device. [1]"""


def in_fresh_process(
    measure: Callable[..., dict[str, Any]], *given: Any, devices: int = 1
) -> dict[str, Any]:
    """Return what `measure` finds in a process of its own.

    Peak memory is then the measurement's alone, and the number of host devices,
    which JAX reads once, can be set.

    Args:
        measure: A function at the top of a module.
        given: Its arguments.
        devices: Host devices that JAX makes of the processor. [1]
    """
    flags = os.environ.get("XLA_FLAGS", "")
    count = f"--xla_force_host_platform_device_count={devices}"
    os.environ["XLA_FLAGS"] = f"{flags} {count}".strip()
    try:
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(measure, *given).result()
    finally:
        os.environ["XLA_FLAGS"] = flags


def state_bytes(params: TaskParams) -> int:
    """Return the size of one environment's whole state [B]."""
    state = jax.eval_shape(
        lambda key: CoolingTask().reset(key, params)[1], jax.random.key(0)
    )
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))


def measure_memory(params: TaskParams, batch: int = FLEET) -> dict[str, Any]:
    """Return what a fleet takes: state per plant, and the process's peak.

    Call it through `in_fresh_process`: the peak counts from the process's start.
    """
    state, key = _start(params, batch), jax.random.key(1)
    state, total = jax.block_until_ready(run_batch(state, key, params, 4))
    del total
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "environments": batch,
        "state_bytes_per_environment": state_bytes(params),
        "peak_mb": peak_kib * 1024 / 1e6,
    }


def measure_devices(params: TaskParams) -> dict[str, Any]:
    """Return the throughput on all host devices over that on one.

    Call it through `in_fresh_process` with the number of devices. Rounds take
    turns, so that a busy machine slows both alike; the median of the ratios counts.
    """
    devices = jax.devices()
    runs = [_sharded(params, devices[:count]) for count in (1, len(devices))]
    ratios = []
    for _ in range(ROUNDS):
        one, every = (_seconds(run) for run in runs)
        ratios.append(len(devices) * one / every)
    return {
        "devices": len(devices),
        "batch_per_device": DEVICE_BATCH,
        "speedup": statistics.median(ratios),
        "speedup_range": [min(ratios), max(ratios)],
    }


def measure_year(params: TaskParams, seed: int = 0) -> dict[str, Any]:
    """Return the time of one year in every city of the scenario, side by side."""
    cities = params.scenario.hours.shape[0]
    row = jnp.arange(cities, dtype=jnp.int32)
    zero = jnp.zeros_like(row)
    place = Place(city=row, trace=zero, time=zero, load_offset=zero)
    key = jax.random.key(seed)
    state = jax.jit(CoolingTask().start_at)(key, place, params)[1]
    begun = time.perf_counter()
    run = run_batch.lower(state, key, params, CHUNK).compile()
    compiled = time.perf_counter()
    for part in range(YEAR_STEPS // CHUNK):
        state, _ = run(state, jax.random.fold_in(key, part), params)
    jax.block_until_ready(state)
    return {
        "cities": cities,
        "days": YEAR_STEPS * CONTROL_INTERVAL / 86400.0,
        "seconds": time.perf_counter() - compiled,
        "compile_s": compiled - begun,
    }


def _start(params: TaskParams, batch: int) -> TaskState:
    reset = jax.jit(CoolingTask().reset_batch, static_argnums=2)
    return reset(jax.random.key(0), params, (batch,))[1]


def _sharded(params: TaskParams, devices: Sequence[Any]) -> Callable[[], Any]:
    """Return a compiled call that steps a fleet on each of the devices."""
    mesh = jax.sharding.Mesh(devices, ("devices",))
    split, whole = jax.P("devices"), jax.P()

    def lane(state: TaskState, keys: jax.Array, params: TaskParams) -> Any:
        own = jax.tree.map(lambda x: x[0], state)
        moved, total = run_batch(own, keys[0], params, DEVICE_STEPS)
        return jax.tree.map(lambda x: x[None], (moved, total))

    run = jax.jit(
        jax.shard_map(
            lane,
            mesh=mesh,
            in_specs=(split, split, whole),
            out_specs=split,
            check_vma=False,
        )
    )
    one = _start(params, DEVICE_BATCH)
    state = jax.tree.map(lambda x: jnp.stack([x] * len(devices)), one)
    keys = jax.random.split(jax.random.key(2), len(devices))
    placed = jax.device_put((state, keys), jax.NamedSharding(mesh, split))
    given = jax.device_put(params, jax.NamedSharding(mesh, whole))
    call = run.lower(*placed, given).compile()
    jax.block_until_ready(call(*placed, given))
    return lambda: jax.block_until_ready(call(*placed, given))


def _seconds(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun
