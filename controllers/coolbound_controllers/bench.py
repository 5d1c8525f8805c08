"""Measures how fast the learner trains, the task with its projection included."""

import statistics
import time
from typing import Any, Final

import jax

from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.ppo import Learner, init_learner, make_update
from coolbound_controllers.task import Task

UPDATES: Final = 7
"""Timed updates; the median is reported, with the extremes. [1]"""


def measure_training(
    task: Task, hyper: Hyperparameters, updates: int = UPDATES
) -> dict[str, Any]:
    """Return what `coolbound bench train` prints.

    `final` is what the last timed update saw: mean reward and mean cost per
    control step. CPU time is that of all threads, compilation apart.

    Args:
        task: What to learn.
        hyper: Lanes, rollout length and the rest.
        updates: Updates to time, after one that is not. [1]
    """
    learner = init_learner(jax.random.key(hyper.seed), task, hyper)
    begun = time.perf_counter()
    update = make_update(task, hyper).lower(learner).compile()  # pyright: ignore[reportFunctionMemberAccess]
    compile_s = time.perf_counter() - begun
    learner, found = jax.block_until_ready(update(learner))
    rates = []
    for _ in range(updates):
        learner, found, seconds = _timed(update, learner)
        rates.append([hyper.steps_per_update / spent for spent in seconds])
    by_cpu, by_clock = zip(*rates, strict=True)
    return {
        "steps_per_cpu_second": statistics.median(by_cpu),
        "steps_per_cpu_second_range": [min(by_cpu), max(by_cpu)],
        "steps_per_second": statistics.median(by_clock),
        "steps_per_second_range": [min(by_clock), max(by_clock)],
        "batch": hyper.envs,
        "updates": updates,
        "compile_s": compile_s,
        "final": {
            "return": float(found["reward"]),
            "costs": dict(
                zip(task.cost_names, map(float, found["costs"]), strict=True)
            ),
        },
    }


def _timed(update: Any, learner: Learner) -> tuple[Learner, Any, tuple[float, float]]:
    """Return the next learner, what it saw, and CPU and clock time [s]."""
    cpu, clock = time.process_time(), time.perf_counter()
    learner, found = jax.block_until_ready(update(learner))
    return learner, found, (time.process_time() - cpu, time.perf_counter() - clock)
