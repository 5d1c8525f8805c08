"""Measures how fast the plant runs: instruments, faults, limits and costs included."""

import dataclasses
import functools
import statistics
import time
from collections.abc import Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp

from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.fault_kinds import FaultEvent, FaultKind
from coolbound_envs.fault_schedule import fixed_plan
from coolbound_envs.interval import CONTROL_INTERVAL, SUBSTEPS
from coolbound_envs.types import (
    Action,
    action_from_vector,
    action_to_vector,
    from_unit,
    to_unit,
)
from coolbound_envs.variation import make_spread

BATCHES: Final = (1, 256, 4096)
"""Plants side by side. [1]"""

BATCH: Final = 256
"""The batch that headline figures are given for. [1]"""

ROUNDS: Final = 7
"""Timed rounds; the median is reported, with the extremes. [1]"""

ROUND_S: Final = 0.5
"""Shortest CPU time of one round. [s]"""

LANE_STEPS: Final = 16384
"""Control steps of one compiled call, all plants together. [1]"""

_HOUR = 3600.0
DRILL: Final = (
    FaultEvent(FaultKind.CHILLER_TRIP, "chiller1", _HOUR, _HOUR),
    FaultEvent(FaultKind.CRAH_LOSS, "hall1", 2.0 * _HOUR, _HOUR),
    FaultEvent(FaultKind.CHW_PUMP_LOSS, "site", 3.0 * _HOUR, _HOUR),
    FaultEvent(FaultKind.TOWER_CELL_LOSS, "site", 4.0 * _HOUR, _HOUR),
    FaultEvent(FaultKind.STUCK_VALVE, "hall2", 5.0 * _HOUR, _HOUR),
    FaultEvent(FaultKind.SENSOR_BIAS, "chw_supply_temp", 6.0 * _HOUR, _HOUR, 0.5),
    FaultEvent(FaultKind.LOAD_STEP, "site", 7.0 * _HOUR, _HOUR, 0.3),
    FaultEvent(FaultKind.HEAT_WAVE, "site", 8.0 * _HOUR, 24.0 * _HOUR),
    FaultEvent(FaultKind.POWER_DIP, "site", 9.0 * _HOUR, 60.0),
)
"""The fault schedule of every measured plant: one of each sort, an hour apart."""


def with_drill(params: TaskParams) -> TaskParams:
    """Return the task with a fault schedule on and plants that differ."""
    return dataclasses.replace(
        params,
        faults=fixed_plan(DRILL),
        variation=make_spread(chiller_efficiency=0.1, tower_conductance=0.1),
    )


def measure_plant(
    params: TaskParams, batches: Sequence[int] = BATCHES, seed: int = 0
) -> dict[str, Any]:
    """Return what `coolbound bench plant` prints.

    Headline figures are those at batch 256, or at the largest batch measured
    where that is smaller. CPU time is that of all threads.

    Args:
        params: The task; weather and load are drawn from its scenario.
        batches: Plants side by side. [1]
        seed: Of places and instruments.
    """
    found = {batch: measure_batch(params, batch, seed) for batch in batches}
    headline = max(batch for batch in batches if batch <= max(BATCH, min(batches)))
    return {
        **found[headline],
        "substep_s": CONTROL_INTERVAL / SUBSTEPS,
        "by_batch": [found[batch] for batch in batches],
    }


def measure_batch(params: TaskParams, batch: int, seed: int = 0) -> dict[str, Any]:
    """Return the speed of the plant at one batch size."""
    steps = max(4, LANE_STEPS // batch)
    task, start_key = CoolingTask(), jax.random.key(seed)
    state = jax.jit(task.reset_batch, static_argnums=2)(start_key, params, (batch,))[1]
    begun = time.perf_counter()
    run = run_batch.lower(state, start_key, params, steps).compile()
    compile_s = time.perf_counter() - begun
    state, _ = jax.block_until_ready(run(state, start_key, params))
    rounds = [_round(run, state, params, batch * steps) for _ in range(ROUNDS)]
    by_cpu, by_clock = zip(*rounds, strict=True)
    return {
        "steps_per_cpu_second": statistics.median(by_cpu),
        "steps_per_cpu_second_range": [min(by_cpu), max(by_cpu)],
        "steps_per_second": statistics.median(by_clock),
        "steps_per_second_range": [min(by_clock), max(by_clock)],
        "batch": batch,
        "rounds": ROUNDS,
        "compile_s": compile_s,
    }


@functools.partial(jax.jit, static_argnames="steps")
def run_batch(
    state: TaskState, key: jax.Array, params: TaskParams, steps: int
) -> tuple[TaskState, jax.Array]:
    """Step a batch under wandering set-points and use all that `step` returns.

    What nothing uses, and what never changes, the compiler takes out of the
    loop, and the figure would flatter.
    """

    def step(
        carry: tuple[TaskState, jax.Array], key: jax.Array
    ) -> tuple[tuple[TaskState, jax.Array], None]:
        state, total = carry
        act_key, step_key = jax.random.split(key)
        action = _wander(act_key, state.applied)
        observation, state, reward, terminated, truncated, info = CoolingTask().step(
            step_key, state, action, params
        )
        used = (
            jnp.sum(jnp.nan_to_num(observation.value), axis=-1),
            jnp.sum(observation.age, axis=-1),
            jnp.sum(observation.quality.astype(jnp.float32), axis=-1),
            jnp.sum(info["limits"], axis=-1),
            jnp.sum(info["costs"], axis=-1),
            sum(info["power"].values()),
            (terminated | truncated).astype(jnp.float32),
        )
        return (state, total + reward + 1e-9 * sum(used)), None

    total = jnp.zeros_like(state.plant.lift)
    carry, _ = jax.lax.scan(step, (state, total), jax.random.split(key, steps))
    return carry


def _wander(key: jax.Array, applied: Action) -> Action:
    """Return set-points a little beside those in force, within their range."""
    unit = to_unit(action_to_vector(applied))
    moved = unit + 0.01 * jax.random.normal(key, unit.shape, unit.dtype)
    return action_from_vector(from_unit(jnp.clip(moved, 0.0, 1.0)))


def _round(
    run: Any, state: TaskState, params: TaskParams, lane_steps: int
) -> tuple[float, float]:
    """Return steps per CPU-second and per second of one round."""
    cpu, clock, done = time.process_time(), time.perf_counter(), 0
    while time.process_time() - cpu < ROUND_S:
        key = jax.random.key(done)
        state, _ = jax.block_until_ready(run(state, key, params))
        done += lane_steps
    used = time.process_time() - cpu
    return done / used, done / (time.perf_counter() - clock)
