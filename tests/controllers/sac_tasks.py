"""Settings and small tasks whose right answer is known, for the tests of SAC."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from learner_tasks import drift_task

from coolbound_controllers.sac_settings import SacSettings
from coolbound_controllers.task import Step, Task

SMALL = SacSettings(
    envs=8,
    steps=4,
    first_steps=8,
    gradient_steps=3,
    batch=32,
    capacity=100,
    total_steps=8 * 4 * 8,
    actor_hidden=(16, 16),
    critic_hidden=(16, 16),
    log_std=-1.0,
    actor_after=1,
    price_after=3,
    cost_window=2,
    proportional=(0.5,),
    integral=(0.1,),
)

CAP = 0.6
"""Largest action that the filter of `filtered_task` lets through. [1]"""

DECAY, PUSH, EFFORT, NOISE = 0.9, 0.5, 0.5, 0.05
"""Of `regulator_task`: x' = DECAY x + PUSH v + noise, reward -x^2 - EFFORT v^2."""


@functools.cache
def filtered_task(scale: float = 1.0) -> Task:
    """A drifting point behind a filter; its state holds a shift of the costs.

    `scale` multiplies costs, limits and units together. The shift is a number
    in the state, so that a test can change the costs and nothing else.
    """
    inner = drift_task(limit=0.05)
    limits = tuple(scale * limit for limit in inner.cost_limits)

    def reset(key: jax.Array, n: int) -> tuple[jax.Array, Any]:
        features, state = inner.reset_batch(key, n)
        return features, (state, jnp.zeros((n, 1), jnp.float32))

    def step(key: jax.Array, state: Any, action: jax.Array) -> Step:
        point, shift = state
        applied = jnp.minimum(action, CAP)
        found = inner.step_batch(key, point, applied)
        return dataclasses.replace(
            found,
            costs=scale * (found.costs + shift),
            state=(found.state, shift),
            info=found.info | {"executed": applied},
        )

    return dataclasses.replace(
        inner,
        reset_batch=reset,
        step_batch=step,
        cost_limits=limits,
        cost_units=limits,
    )


def regulator_task(horizon: int = 20) -> Task:
    """A point that a push v from -1 to 1 brings to zero; no constraint."""

    def reset(key: jax.Array, n: int) -> tuple[jax.Array, Any]:
        x = jax.random.uniform(key, (n, 1), jnp.float32, -1.0, 1.0)
        return x, (x, jnp.zeros((n,), jnp.int32))

    def step(key: jax.Array, state: Any, action: jax.Array) -> Step:
        x, clock = state
        noise_key, reset_key = jax.random.split(key)
        push = 2.0 * action - 1.0
        noise = NOISE * jax.random.normal(noise_key, x.shape, jnp.float32)
        moved = DECAY * x + PUSH * push + noise
        over = clock + 1 >= horizon
        fresh = jax.random.uniform(reset_key, x.shape, jnp.float32, -1.0, 1.0)
        following = jnp.where(over[:, None], fresh, moved)
        return Step(
            features=following,
            final_features=moved,
            reward=-jnp.sum(x**2 + EFFORT * push**2, axis=-1),
            costs=jnp.zeros((x.shape[0], 0), jnp.float32),
            terminated=jnp.zeros(over.shape, jnp.bool_),
            truncated=over,
            state=(following, jnp.where(over, 0, clock + 1)),
            info={},
        )

    return Task(reset, step, 1, (), (), (), 1, (0.5,))


def regulator_gain(gamma: float) -> float:
    """Return K of the best v = -K x, from the discounted Riccati equation."""
    value, gain = 1.0, 0.0
    for _ in range(1000):
        gain = gamma * DECAY * PUSH * value / (EFFORT + gamma * PUSH**2 * value)
        value = 1.0 + gamma * DECAY * (DECAY - PUSH * gain) * value
    return gain
