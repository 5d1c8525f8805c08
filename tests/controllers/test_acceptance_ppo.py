"""Acceptance of PPO-Lagrangian, where no other file tests it."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from chain_tasks import LIMITS, chain_task
from learner_tasks import SMALL, drift_task

from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.lagrangian import init_multipliers, pricing, reprice
from coolbound_controllers.networks import Actor
from coolbound_controllers.ppo import init_learner, make_update
from coolbound_controllers.task import Task


def actor_after(task: Task, updates: int) -> Actor:
    learner = init_learner(jax.random.key(0), task, SMALL)
    update = make_update(task, SMALL)
    metrics: dict[str, Any] = {}
    for _ in range(updates):
        learner, metrics = update(learner)
    assert (np.asarray(metrics["multipliers"]) > 0.0).all()
    return learner.weights.actor


@pytest.mark.long
def test_a_hundred_times_the_cost_and_its_limit_is_the_same_policy() -> None:
    """AC10 with a factor that rounds; 128, which does not, is tested bit for bit."""
    one = actor_after(drift_task(limit=0.05), 4)
    other = actor_after(drift_task(scale=100.0, limit=0.05), 4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, other)


def test_multipliers_equal_a_float64_replay_to_a_millionth() -> None:
    """AC12: errors of both signs, all three gains, one pair of them per constraint."""
    hyper = Hyperparameters(
        proportional=(0.05, 0.1),
        integral=(0.03, 0.01),
        derivative=(0.2, 0.05),
        delay=2,
    )
    settings, limit = pricing(hyper, 2), np.array([0.25, 0.5])
    costs = np.abs(np.random.default_rng(3).normal(0.3, 0.25, (60, 2)))
    multipliers, integrator, past = init_multipliers(settings), np.zeros(2), []
    error = smooth = np.zeros(2)
    for count, cost in enumerate(costs.astype(np.float32).astype(np.float64)):
        keep = 0.8 if count else 0.0
        e = cost - limit
        integrator = np.clip(integrator + np.array(hyper.integral) * e, 0.0, 10.0)
        error = keep * error + (1 - keep) * e
        smooth = keep * smooth + (1 - keep) * cost
        past.append(smooth)
        rise = np.maximum(0.0, smooth - past[max(0, count - hyper.delay)])
        expected = np.array(hyper.proportional) * error + integrator
        expected = np.maximum(0.0, expected + np.array(hyper.derivative) * rise)
        multipliers = reprice(
            multipliers,
            jnp.asarray(cost, jnp.float32),
            jnp.asarray(limit, jnp.float32),
            settings,
        )
        np.testing.assert_allclose(multipliers.value, expected, rtol=0, atol=1e-6)
    assert float(multipliers.value.max()) > 0.0


def test_default_gains_move_a_multiplier_three_hundredths_per_whole_violation() -> None:
    """AC13: 0.03 per update at a violation of one unit, in proportion to it.

    An optimiser with a normalised step, such as Adam, would move the same for any
    violation.
    """
    settings = pricing(Hyperparameters(), 2)
    multipliers = init_multipliers(settings)
    cost, limit = jnp.asarray([2.0, 1.1]), jnp.ones((2,))
    values = []
    for _ in range(6):
        multipliers = reprice(multipliers, cost, limit, settings)
        values.append(np.asarray(multipliers.value))
    steps = np.diff(values, axis=0)
    np.testing.assert_allclose(steps[:, 0], 0.03, rtol=1e-4)
    np.testing.assert_allclose(steps[:, 1], 0.003, rtol=1e-3)


def settled(integral: float, proportional: float) -> tuple[float, float]:
    """Largest mean violation over the last third, and its swing, in limits."""
    hyper = Hyperparameters(
        envs=64,
        minibatches=4,
        learning_rate=1e-3,
        entropy=0.01,
        actor_hidden=(8, 8),
        critic_hidden=(8, 8),
        proportional=(proportional,),
        integral=(integral,),
        final_rate=1.0,
        gamma=0.95,
        log_std=-1.0,
    )
    task = chain_task()
    learner = init_learner(jax.random.key(0), task, hyper)
    update, costs = make_update(task, hyper), []
    for _ in range(300):
        learner, metrics = update(learner)
        costs.append(np.asarray(metrics["costs"])[:2] / LIMITS[:2])
    late = np.array(costs[200:])
    return float(late.mean(0).max() - 1.0), float(late.std(0).max())


@pytest.mark.long
@pytest.mark.parametrize(("integral", "proportional"), [(0.03, 0.05), (0.1, 0.5)])
def test_gains_around_the_default_hold_the_limits(
    integral: float, proportional: float
) -> None:
    """AC13, the gain sweep: the default, and gains three to ten times as high."""
    above, swing = settled(integral, proportional)
    assert abs(above) < 0.02
    assert swing < 0.2


@pytest.mark.long
def test_gains_far_below_the_default_leave_the_limits_broken() -> None:
    """AC13, the gain sweep: the dual rate matters."""
    above, _ = settled(0.0003, 0.0)
    assert above > 0.5


@pytest.mark.long
def test_sixteen_seeds_side_by_side_equal_single_runs() -> None:
    """AC8, over three updates."""
    task, seeds = drift_task(), range(16)
    hyper = dataclasses.replace(SMALL, total_steps=8 * 16 * 3)
    update = make_update(task, hyper)
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    first = jax.jit(lambda key: init_learner(key, task, hyper))
    many = jax.jit(jax.vmap(first))(keys)
    together = jax.jit(jax.vmap(update))
    singles = [first(key) for key in keys]
    for _ in range(3):
        many = together(many)[0]
        singles = [update(learner)[0] for learner in singles]
    for lane, single in enumerate(singles):
        jax.tree.map(
            lambda a, b, lane=lane: np.testing.assert_allclose(a[lane], b, atol=1e-4),
            many.weights,
            single.weights,
        )
