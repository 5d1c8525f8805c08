"""The reference tasks are what their page says, and can be run as they are."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import site

from coolbound_envs.cooling import CoolingTask
from coolbound_envs.tables import InputError
from coolbound_envs.tasks import MISHAPS, TASKS, TENTH, make_task, reference_task
from coolbound_envs.types import action_from_vector

LANES = 16


def test_each_task_asks_no_less_than_the_one_before() -> None:
    tasks = list(TASKS.values())
    for before, after in itertools.pairwise(tasks):
        assert after.noise >= before.noise
        assert after.drift >= before.drift
        assert len(after.spread) >= len(before.spread)
        assert len(after.mishaps) >= len(before.mishaps)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_can_be_made(name: str) -> None:
    params = make_task(reference_task(name), site())
    assert int(params.horizon) == TASKS[name].days * 288
    assert params.scenario.hours.shape[0] == len(TASKS[name].weather)


def test_an_unknown_task_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match=r"'calm-dya'.*calm-day"):
        reference_task("calm-dya")


def test_the_hardest_task_runs_with_all_it_promises() -> None:
    params = make_task(reference_task("bad-week"), site())
    task = CoolingTask()
    seen, state = jax.jit(task.reset_batch, static_argnums=2)(
        jax.random.key(3), params, (LANES,)
    )
    factor = np.asarray(state.variation.chiller_efficiency)
    assert np.ptp(factor) > 0.05
    assert np.all(np.abs(factor - 1.0) <= TENTH["chiller_efficiency"] + 1e-6)
    # Some two faults a day: a week of sixteen lanes has every lane struck.
    struck = np.sum(np.asarray(state.faults.kind) > 0, axis=0)
    mean = 7.0 * sum(MISHAPS.values())
    assert abs(struck.mean() - mean) < 4.0 * np.sqrt(mean / LANES)
    step = jax.jit(task.step)
    for number in range(4):
        action = action_from_vector(jnp.asarray(seen.applied))
        seen, state, reward, *_, info = step(
            jax.random.key(number), state, action, params
        )
        assert np.all(np.isfinite(np.asarray(reward)))
        assert not np.any(np.asarray(info["diverged"]))
    # Every reading is one interval late.
    assert np.nanmin(np.asarray(seen.age)) >= 300.0
