"""Measures how fast the learner trains, the task with its projection included.

CPU time is user and system of the whole process and of what it started. Call the
measurements in a process of their own: peak memory counts from its start, and so does
what stands in the figures as "with compilation".
"""

import dataclasses
import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp

from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.ppo import Learner, init_learner, make_update
from coolbound_controllers.task import Step, Task
from coolbound_envs.types import Key

UPDATES: Final = 7
"""Timed updates; the median is reported, with the extremes. [1]"""

Spent = tuple[float, float]
"""CPU and clock time of one update. [s]"""


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those it started and awaited [s]."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def peak_mb() -> float:
    """Return the most memory that this process has held [MB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def measure_training(
    task: Task, hyper: Hyperparameters, updates: int = UPDATES
) -> dict[str, Any]:
    """Return what `coolbound bench train` prints.

    `final` is what the last timed update saw: mean reward and mean cost per
    control step. `one_cost` is the same task with its costs added up into one,
    measured in turns with the other.

    Args:
        task: What to learn.
        hyper: Lanes, rollout length and the rest.
        updates: Updates to time, after one that is not. [1]
    """
    begun, clock = cpu_seconds(), time.perf_counter()
    run, found = _first(task, hyper)
    compiled = {
        "compile_s": time.perf_counter() - clock,
        "compile_cpu_s": cpu_seconds() - begun,
        "peak_mb": peak_mb(),
    }
    other, _ = _first(summed(task), hyper)
    pairs, learners = [], {"all": run, "one": other}
    for _ in range(updates):
        (spent, found), (spent_one, _) = learners["all"](), learners["one"]()
        pairs.append((spent, spent_one))
    ours, one = zip(*pairs, strict=True)
    steps = hyper.steps_per_update
    whole = compiled["compile_cpu_s"] + sum(cpu for cpu, _ in ours)
    return {
        **_rates(steps, ours),
        "steps_per_cpu_second_with_compilation": (updates + 1) * steps / whole,
        "steps": (updates + 1) * steps,
        "batch": hyper.envs,
        "updates": updates,
        **compiled,
        "costs": task.cost_count,
        "one_cost": _rates(steps, one) | _slower(ours, one),
        "final": {
            "return": float(found["reward"]),
            "costs": dict(
                zip(task.cost_names, map(float, found["costs"]), strict=True)
            ),
        },
    }


def summed(task: Task) -> Task:
    """Return the task with its costs added up into one."""

    def step(key: Key, state: Any, action: jax.Array) -> Step:
        found = task.step_batch(key, state, action)
        return dataclasses.replace(
            found, costs=jnp.sum(found.costs, axis=-1, keepdims=True)
        )

    return dataclasses.replace(
        task,
        step_batch=step,
        cost_names=("all",),
        cost_limits=(sum(task.cost_limits),),
        cost_units=(sum(task.cost_units),),
    )


def _first(
    task: Task, hyper: Hyperparameters
) -> tuple[Callable[[], tuple[Spent, Any]], Any]:
    """Return what does one timed update, after a first one, and what that saw."""
    learner = init_learner(jax.random.key(hyper.seed), task, hyper)
    update: Any = make_update(task, hyper)
    compiled = update.lower(learner).compile()
    state, found = jax.block_until_ready(compiled(learner))
    held = [state]

    def again() -> tuple[Spent, Any]:
        held[0], found, spent = _timed(compiled, held[0])
        return spent, found

    return again, found


def _timed(update: Any, learner: Learner) -> tuple[Learner, Any, Spent]:
    """Return the next learner, what it saw, and CPU and clock time [s]."""
    cpu, clock = cpu_seconds(), time.perf_counter()
    learner, found = jax.block_until_ready(update(learner))
    return learner, found, (cpu_seconds() - cpu, time.perf_counter() - clock)


def _rates(steps: int, spent: Sequence[Spent]) -> dict[str, Any]:
    """Return median and extremes of steps per second, of CPU and of clock."""
    found: dict[str, Any] = {}
    kinds = ("steps_per_cpu_second", "steps_per_second")
    for kind, seconds in zip(kinds, zip(*spent, strict=True), strict=True):
        rates = [steps / each for each in seconds]
        found |= {
            kind: statistics.median(rates),
            f"{kind}_range": [min(rates), max(rates)],
        }
    return found


def _slower(ours: Sequence[Spent], one: Sequence[Spent]) -> dict[str, Any]:
    """Return how much more CPU time all costs take than one, update by update."""
    more = [100.0 * (a[0] / b[0] - 1.0) for a, b in zip(ours, one, strict=True)]
    return {
        "all_slower_percent": statistics.median(more),
        "all_slower_percent_range": [min(more), max(more)],
    }
