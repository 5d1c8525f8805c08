"""What the cost critics learn, where the value is known in closed form."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learner_tasks import clock_task

from coolbound_controllers import value_scale
from coolbound_controllers.sac import make_update
from coolbound_controllers.sac_learner import init_learner
from coolbound_controllers.sac_losses import value_limit
from coolbound_controllers.sac_networks import twin_values, view
from coolbound_controllers.sac_settings import SacSettings

GAMMA, HORIZON = 0.9, 6
SETTINGS = SacSettings(
    envs=16,
    steps=4,
    first_steps=12,
    gradient_steps=50,
    batch=64,
    capacity=2000,
    total_steps=16 * 4 * 40,
    actor_hidden=(8,),
    critic_hidden=(32, 32),
    log_std=-1.0,
    gamma=GAMMA,
    tracking=0.1,
    critic_learning_rate=3e-3,
)


def cost_values(is_truncation: bool) -> np.ndarray:
    """Learn from nothing, scale and all, and return Q at each step of an episode."""
    task = clock_task(HORIZON, is_truncation)
    learner = init_learner(jax.random.key(0), task, SETTINGS)
    blank = value_scale.ValueScale(mean=jnp.zeros(2), std=jnp.ones(2))
    learner = dataclasses.replace(learner, scale=blank)
    update = make_update(task, SETTINGS)
    for _ in range(SETTINGS.updates):
        learner, _ = update(learner)
    angle = 2.0 * jnp.pi * jnp.arange(HORIZON, dtype=jnp.float32) / HORIZON
    features = jnp.stack([jnp.sin(angle), jnp.cos(angle)], axis=-1)
    seen = view(features, learner.normaliser, task)
    u = jnp.zeros((HORIZON, 1), jnp.float32)
    critics, scale = learner.weights.critics, learner.scale
    found = twin_values(critics, scale, seen, u, SETTINGS.log_std)
    return np.asarray(found)[..., 1]


def test_being_out_of_time_bootstraps_through_the_true_final_features() -> None:
    """AC1 and AC21: cost 1 in every step, time up every 6: 1 / (1 - g) within 2 %,
    which is the value that a limit of 1 per step allows without an end."""
    found = cost_values(is_truncation=True)
    np.testing.assert_allclose(found, value_limit(1.0, GAMMA), rtol=0.02)
    assert value_limit(1.0, GAMMA) == pytest.approx(1.0 / (1.0 - GAMMA))


def test_a_trip_does_not_bootstrap() -> None:
    """AC1 and AC21: cost 1 until the trip after 6 steps: (1 - g^T) / (1 - g) with
    the steps that are left, so that the converted limit of 6 per episode is met
    exactly at its start."""
    found = cost_values(is_truncation=False)
    left = HORIZON - np.arange(HORIZON)
    expected = [value_limit(1.0, GAMMA, int(steps)) for steps in left]
    np.testing.assert_allclose(
        found, np.broadcast_to(expected, (2, HORIZON)), rtol=0.03
    )
