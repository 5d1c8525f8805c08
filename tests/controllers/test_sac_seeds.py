"""SAC-Lagrangian side by side, and in other units: nothing moves."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sac_tasks import SMALL, filtered_task

from coolbound_controllers.sac import make_update
from coolbound_controllers.sac_learner import SacLearner, init_learner
from coolbound_controllers.task import Task

UPDATES = 5


def run(task: Task, seed: int) -> tuple[SacLearner, list[Any]]:
    learner = init_learner(jax.random.key(seed), task, SMALL)
    update, found = make_update(task, SMALL), []
    for _ in range(UPDATES):
        learner, metrics = update(learner)
        found.append(jax.device_get(metrics))
    return learner, found


@pytest.mark.long
def test_many_seeds_side_by_side_equal_single_runs() -> None:
    """AC8: to 1e-4, over few updates."""
    task, seeds = filtered_task(), (0, 1, 2)
    begun = [init_learner(jax.random.key(seed), task, SMALL) for seed in seeds]
    many = jax.tree.map(lambda *lanes: jnp.stack(lanes), *begun)
    together = jax.jit(jax.vmap(make_update(task, SMALL)))
    for _ in range(UPDATES):
        many = together(many)[0]
    for lane, seed in enumerate(seeds):
        single, _ = run(task, seed)
        jax.tree.map(
            lambda a, b, lane=lane: np.testing.assert_allclose(a[lane], b, atol=1e-4),
            (many.weights, many.multipliers),
            (single.weights, single.multipliers),
        )


def test_the_scale_of_a_cost_and_its_limit_does_not_matter() -> None:
    """AC10: costs and limits 128 times as large, bit for bit the same policy."""
    one, found = run(filtered_task(), 0)
    other, large = run(filtered_task(scale=128.0), 0)
    jax.tree.map(np.testing.assert_array_equal, one.weights, other.weights)
    np.testing.assert_array_equal(128.0 * found[-1]["costs"], large[-1]["costs"])
    assert found[-1]["multipliers"].min() > 0.0
