"""One update of the learner: what must hold whatever the task."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learner_tasks import SMALL, clock_task, drift_task

from coolbound_controllers import value_scale
from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.normaliser import init_normaliser, merge, normalise
from coolbound_controllers.ppo import Learner, init_learner, make_update
from coolbound_controllers.rollout import collect
from coolbound_controllers.task import Step, Task

NO_PRICES = dataclasses.replace(SMALL, proportional=(0.0,), integral=(0.0,))


def start(task: Task, hyper: Hyperparameters, seed: int = 0) -> Learner:
    return init_learner(jax.random.key(seed), task, hyper)


def run(task: Task, hyper: Hyperparameters, updates: int) -> tuple[Learner, list[Any]]:
    learner, update, found = start(task, hyper), make_update(task, hyper), []
    for _ in range(updates):
        learner, metrics = update(learner)
        found.append(jax.device_get(metrics))
    return learner, found


@functools.cache
def priced_run() -> tuple[Learner, list[Any]]:
    return run(drift_task(limit=0.05), SMALL, 5)


@functools.cache
def free_run() -> tuple[Learner, list[Any]]:
    return run(drift_task(limit=0.05), NO_PRICES, 5)


def assert_same_policy(one: Learner, other: Learner) -> None:
    jax.tree.map(np.testing.assert_array_equal, one.weights.actor, other.weights.actor)


def test_first_ratio_is_one_with_the_normaliser_on() -> None:
    learner, found = run(drift_task(offset=3000.0), SMALL, 4)
    assert max(float(m["first_ratio_error"]) for m in found) < 1e-5
    assert float(learner.normaliser.mean[0]) > 1000.0
    assert float(found[-1]["ratio_error"]) > 1e-4


def test_normaliser_equals_the_statistics_of_all_samples() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(m, s, (40, 3, 2)) for m, s in ((500, 3), (510, 9), (1, 1))]
    found = init_normaliser(2)
    for part in parts:
        found = merge(found, jnp.asarray(part, jnp.float32))
    every = np.concatenate([part.reshape(-1, 2) for part in parts])
    np.testing.assert_allclose(found.mean, every.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.variance, every.var(0), rtol=1e-4)
    standard = normalise(found, jnp.asarray(every, jnp.float32))
    np.testing.assert_allclose(standard.mean(0), 0.0, atol=1e-4)
    np.testing.assert_allclose(standard.std(0), 1.0, atol=1e-4)


def test_at_zero_prices_costs_do_not_touch_the_policy() -> None:
    one, _ = free_run()
    other, _ = run(drift_task(limit=0.05, cost_shift=50.0), NO_PRICES, 5)
    assert_same_policy(one, other)
    costs = [jax.tree.leaves(x.weights.critics.costs)[0] for x in (one, other)]
    assert not np.array_equal(*costs)


def test_at_zero_prices_the_policy_is_that_of_ppo_without_constraints() -> None:
    with_costs, _ = free_run()
    without, found = run(drift_task(costs=0), NO_PRICES, 5)
    assert found[-1]["costs"].shape == (0,)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
        with_costs.weights.actor,
        without.weights.actor,
    )


def test_prices_move_the_policy_from_the_first_update_on() -> None:
    """They move before the policy does, from the cost of the same rollout."""
    task = drift_task(limit=0.05)
    priced, found = run(task, SMALL, 1)
    free, _ = run(task, NO_PRICES, 1)
    assert (found[0]["multipliers"] > 0.0).all()
    with pytest.raises(AssertionError):
        assert_same_policy(priced, free)


def test_the_scale_of_a_cost_and_its_limit_does_not_matter() -> None:
    large, _ = run(drift_task(scale=128.0, limit=0.05), SMALL, 5)
    assert_same_policy(priced_run()[0], large)


@pytest.mark.parametrize(("limit", "is_priced"), [(0.05, True), (5.0, False)])
def test_a_year_long_episode_prices_costs_without_ever_ending(
    limit: float, is_priced: bool
) -> None:
    hyper = dataclasses.replace(SMALL, steps=256, proportional=(0.0,))
    learner, found = run(drift_task(limit=limit, horizon=105_120), hyper, 4)
    prices = [float(m["multipliers"].min()) for m in found]
    assert all(bool(m["is_finite"]) for m in found)
    assert float(learner.world.state[1].max()) < 0.02
    if is_priced:
        assert prices == sorted(prices)
        assert prices[0] > 0.0
    else:
        assert max(prices) == 0.0


def cost_value_after(task: Task, updates: int) -> float:
    """Mean cost value that the critic learns from scratch, scale and all."""
    hyper = dataclasses.replace(
        SMALL, gamma=0.95, steps=32, epochs=8, critic_learning_rate=3e-3
    )
    learner, update = start(task, hyper), make_update(task, hyper)
    blank = value_scale.ValueScale(mean=jnp.zeros(2), std=jnp.ones(2))
    learner = dataclasses.replace(learner, scale=blank)
    for _ in range(updates):
        learner, _ = update(learner)
    inputs = normalise(learner.normaliser, learner.world.features)
    found = value_scale.values(learner.weights.critics, learner.scale, inputs)
    return float(jnp.mean(found[:, 1]))


def test_being_out_of_time_bootstraps_and_a_trip_does_not() -> None:
    """Cost 1 in every step, cut every 10: the value is 1 / (1 - 0.95) = 20."""
    assert cost_value_after(clock_task(10, is_truncation=True), 120) == pytest.approx(
        20.0, rel=0.02
    )
    assert cost_value_after(clock_task(10, is_truncation=False), 120) < 10.0


def test_moving_the_value_scale_keeps_every_value() -> None:
    learner = start(drift_task(), SMALL)
    new = value_scale.ValueScale(
        mean=jnp.asarray([-300.0, 2.0, 0.0]), std=jnp.asarray([40.0, 0.1, 3.0])
    )
    inputs = jax.random.normal(jax.random.key(1), (50, 3), jnp.float32)
    critics = learner.weights.critics
    moved = value_scale.rescale(critics, learner.scale, new)
    np.testing.assert_allclose(
        value_scale.values(moved, new, inputs),
        value_scale.values(critics, learner.scale, inputs),
        rtol=1e-4,
        atol=1e-4,
    )


def filtered(task: Task, largest: float) -> Task:
    """The task behind a filter that caps the applied action."""

    def step(key: jax.Array, state: Any, action: jax.Array) -> Step:
        applied = jnp.minimum(action, largest)
        found = task.step_batch(key, state, applied)
        return dataclasses.replace(found, info={"applied": applied.max(-1)})

    return dataclasses.replace(task, step_batch=step)


def test_behind_a_filter_the_log_probability_is_that_of_the_proposed_action() -> None:
    task = filtered(drift_task(), 0.4)
    learner = start(task, SMALL)
    actor = learner.weights.actor
    _, rollout = collect(
        jax.random.key(3), task, actor, learner.normaliser, learner.world, 16
    )
    u = np.asarray(rollout.u, np.float64)
    proposed = 1.0 / (1.0 + np.exp(-2.0 * u))
    assert proposed.max() > 0.6
    assert float(rollout.info["applied"].max()) <= np.float32(0.4)
    z = u / np.exp(-1.0)
    near = (
        -0.5 * z**2
        - 0.5 * np.log(2 * np.pi)
        + 1.0
        - np.log(2 * proposed)
        - np.log(1 - proposed)
    )
    np.testing.assert_allclose(rollout.log_prob, near.sum(-1), atol=0.2)


def test_many_seeds_side_by_side_equal_single_runs() -> None:
    task, seeds = drift_task(), range(3)
    update = make_update(task, SMALL)
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    many = jax.vmap(lambda key: init_learner(key, task, SMALL))(keys)
    together = jax.jit(jax.vmap(update))
    singles = [start(task, SMALL, seed) for seed in seeds]
    for _ in range(3):
        many = together(many)[0]
        singles = [update(learner)[0] for learner in singles]
    for seed, single in zip(seeds, singles, strict=True):
        jax.tree.map(
            lambda a, b, lane=seed: np.testing.assert_allclose(a[lane], b, atol=1e-4),
            many.weights,
            single.weights,
        )


def test_update_compiles_once() -> None:
    traces: list[None] = []
    task = drift_task()

    def step(key: jax.Array, state: Any, action: jax.Array) -> Step:
        traces.append(None)  # runs while tracing, not while computing
        return task.step_batch(key, state, action)

    counted = dataclasses.replace(task, step_batch=step)
    learner, update = start(counted, SMALL), make_update(counted, SMALL)
    learner, _ = update(learner)
    before = len(traces)
    for _ in range(3):
        learner, _ = update(learner)
    assert len(traces) == before
