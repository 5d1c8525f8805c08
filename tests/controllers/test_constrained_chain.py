"""AC14: both learners on a chain whose optimum and duals a linear program knows."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from chain_tasks import (
    CHANCE,
    COSTS,
    LIMITS,
    REWARD,
    UNITS,
    chain_optimum,
    chain_task,
)

from coolbound_controllers import cpo, ppo
from coolbound_controllers.cpo_dual import RECOVERY
from coolbound_controllers.cpo_settings import CpoSettings
from coolbound_controllers.hyperparameters import Hyperparameters

CPO = CpoSettings(
    envs=512,
    critic_minibatches=4,
    actor_hidden=(8, 8),
    critic_hidden=(8, 8),
    final_rate=1.0,
    gamma=0.95,
    gae_lambda=0.95,
    log_std=-1.0,
)
PPO = Hyperparameters(
    envs=64,
    minibatches=4,
    learning_rate=1e-3,
    entropy=0.01,
    actor_hidden=(8, 8),
    critic_hidden=(8, 8),
    proportional=(1.0,),
    integral=(0.1,),
    error_smoothing=0.5,
    final_rate=1.0,
    gamma=0.99,
    gae_lambda=0.95,
    log_std=-1.0,
)


def late_metrics(learner: Any, update: Callable[..., Any], updates: int) -> list[Any]:
    found = []
    for _ in range(updates):
        learner, metrics = update(learner)
        found.append(jax.device_get(metrics))
    return found[updates // 2 :]


def duals(metrics: Any) -> np.ndarray:
    """The dual is lam_k * std_r / u_k: rewards are standardised, costs scaled."""
    return metrics["multipliers"] * metrics["advantage_std"] / np.array(UNITS)


def assert_at_the_optimum(late: list[Any], found: np.ndarray) -> None:
    best, expected, _ = chain_optimum()
    reward = np.mean([m["reward"] for m in late])
    costs = np.mean([m["costs"] for m in late], axis=0)
    assert reward == pytest.approx(best, rel=0.02)
    np.testing.assert_allclose(costs[:2], LIMITS[:2], rtol=0.02)
    np.testing.assert_allclose(found[:2], expected[:2], rtol=0.1)
    assert costs[2] < LIMITS[2]
    assert max(float(m["multipliers"][2]) for m in late) < 1e-3


def test_the_chain_mixes_in_two_states_and_both_prices_are_felt() -> None:
    """The program's own promise: a limit moved by little is worth its dual."""
    best, prices, shares = chain_optimum()
    assert ((shares > 0.05) & (shares < 0.95)).sum() == 2
    assert (prices[:2] > 0.5).all()
    assert prices[2] == 0.0
    chance = np.einsum("s,st->st", 1 - shares, CHANCE[:, 0])
    chance += np.einsum("s,st->st", shares, CHANCE[:, 1])
    often = np.linalg.matrix_power(chance, 200)[0]
    mixed = np.stack([1 - shares, shares], axis=-1) * often[:, None]
    assert (mixed * REWARD).sum() == pytest.approx(best)
    np.testing.assert_allclose((mixed * COSTS).sum((1, 2))[:2], LIMITS[:2])


def test_prices_of_ppo_reach_the_duals_of_the_linear_program() -> None:
    """AC14 for PPO-Lagrangian: mean over the second half of the run."""
    task = chain_task()
    learner = ppo.init_learner(jax.random.key(0), task, PPO)
    late = late_metrics(learner, ppo.make_update(task, PPO), 600)
    assert_at_the_optimum(late, np.mean([duals(m) for m in late], axis=0))


@functools.cache
def cpo_duals(seed: int) -> np.ndarray:
    """The median: each update solves for its own noise, which has a long tail."""
    task = chain_task()
    learner = cpo.init_learner(jax.random.key(seed), task, CPO)
    late = late_metrics(learner, cpo.make_update(task, CPO), 120)
    found = [duals(m) for m in late if m["case"] != RECOVERY]
    assert len(found) > len(late) / 2
    assert_at_the_optimum(late, np.median(found, axis=0))
    return np.median(found, axis=0)


def test_multipliers_of_cpo_are_the_duals_of_the_linear_program() -> None:
    """AC14 for CPO, which solves for them anew in each update."""
    cpo_duals(0)


@pytest.mark.long
def test_multipliers_of_cpo_are_the_duals_whatever_the_seed() -> None:
    """AC14 for CPO, ten seeds; their mean is closer than each."""
    found = np.mean([cpo_duals(seed) for seed in range(10)], axis=0)
    np.testing.assert_allclose(found[:2], chain_optimum()[1][:2], rtol=0.05)
