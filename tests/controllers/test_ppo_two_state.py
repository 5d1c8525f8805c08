"""A constrained Markov chain whose optimum a linear program knows."""

import jax
import numpy as np
from learner_tasks import LIMITS, UNITS, two_state_optimum, two_state_task

from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.ppo import init_learner, make_update

HYPER = Hyperparameters(
    envs=64,
    steps=32,
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
UPDATES = 600


def test_prices_reach_the_duals_of_the_linear_program() -> None:
    """The dual is lam_k * std_r / u_k: rewards are standardised, costs scaled."""
    task = two_state_task()
    learner = init_learner(jax.random.key(0), task, HYPER)
    update = make_update(task, HYPER)
    found = []
    for _ in range(UPDATES):
        learner, metrics = update(learner)
        found.append(jax.device_get(metrics))
    late = found[UPDATES // 2 :]
    reward = np.mean([m["reward"] for m in late])
    costs = np.mean([m["costs"] for m in late], axis=0)
    duals = np.mean([m["multipliers"] * m["advantage_std"] for m in late], axis=0)
    best, expected = two_state_optimum()
    assert reward == np.clip(reward, 0.98 * best, 1.02 * best)
    np.testing.assert_allclose(costs[:2], LIMITS[:2], rtol=0.02)
    np.testing.assert_allclose(duals[:2] / UNITS[:2], expected[:2], rtol=0.1)
    assert costs[2] < LIMITS[2]
    assert float(late[-1]["multipliers"][2]) < 1e-3
