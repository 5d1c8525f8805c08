"""SAC-Lagrangian on problems whose best answer is known in closed form."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learner_tasks import LIMITS, UNITS, two_state_optimum, two_state_task
from sac_tasks import regulator_gain, regulator_task

from coolbound_controllers.policy import PolicyWeights, propose
from coolbound_controllers.sac import deploy, make_update
from coolbound_controllers.sac_learner import init_learner
from coolbound_controllers.sac_settings import SacSettings
from coolbound_controllers.task import Task

REGULATOR = SacSettings(
    envs=32,
    steps=4,
    first_steps=20,
    gradient_steps=16,
    batch=128,
    capacity=10_000,
    total_steps=32 * 4 * 350,
    actor_hidden=(16, 16),
    critic_hidden=(32, 32),
    log_std=-1.0,
    gamma=0.9,
    learning_rate=3e-3,
    critic_learning_rate=3e-3,
    temperature_learning_rate=1e-2,
    tracking=0.02,
    temperature=0.05,
)
TWO_STATES = SacSettings(
    envs=32,
    steps=8,
    gradient_steps=8,
    capacity=20_000,
    total_steps=32 * 8 * 500,
    actor_hidden=(8, 8),
    critic_hidden=(32, 32),
    log_std=-1.0,
    gamma=0.9,
    learning_rate=3e-3,
    critic_learning_rate=3e-3,
    target_entropy=-2.0,
    proportional=(0.5,),
    integral=(0.05,),
    error_smoothing=0.5,
)


def train(task: Task, settings: SacSettings) -> tuple[PolicyWeights, list[Any]]:
    learner = init_learner(jax.random.key(0), task, settings)
    update, found = make_update(task, settings), []
    for _ in range(settings.updates):
        learner, metrics = update(learner)
        found.append(jax.device_get(metrics))
    return deploy(learner, task), found


def test_the_deployed_policy_is_the_linear_quadratic_regulator() -> None:
    """Episodes are cut every 20 steps and bootstrap, so the gain is that of the
    endless problem; AC22: the entropy ends at its target of -1 per channel."""
    weights, found = train(regulator_task(), REGULATOR)
    x = jnp.linspace(-0.75, 0.75, 13, dtype=jnp.float32)[:, None]
    push = 2.0 * np.asarray(propose(weights, x)) - 1.0
    gain = regulator_gain(REGULATOR.gamma)
    np.testing.assert_allclose(push, -gain * np.asarray(x), atol=0.08)
    slope = float(np.polyfit(np.asarray(x)[:, 0], push[:, 0], 1)[0])
    assert slope == pytest.approx(-gain, rel=0.08)
    entropy = np.mean([m["entropy"] for m in found[-50:]])
    assert entropy == pytest.approx(REGULATOR.target_entropy, abs=0.1)


@pytest.mark.long
def test_it_ends_at_the_optimum_of_the_linear_program_within_every_limit() -> None:
    """Two limits bind, one is slack. Return and costs within 2 %, prices within
    10 % of the duals, lam / u as the reward's unit is 1; the slack limit's is 0."""
    _, found = train(two_state_task(), TWO_STATES)
    late = found[len(found) // 2 :]
    reward = np.mean([m["reward"] for m in late])
    costs = np.mean([m["costs"] for m in late], axis=0)
    duals = np.mean([m["multipliers"] for m in late], axis=0) / np.asarray(UNITS)
    best, expected = two_state_optimum()
    assert reward == pytest.approx(best, rel=0.02)
    np.testing.assert_allclose(costs[:2], LIMITS[:2], rtol=0.02)
    np.testing.assert_allclose(duals[:2], expected[:2], rtol=0.1)
    assert costs[2] < LIMITS[2]
    assert float(late[-1]["multipliers"][2]) < 1e-3
