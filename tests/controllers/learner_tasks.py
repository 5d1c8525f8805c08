"""Small tasks whose right answer is known, for the tests of the learner."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linprog

from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.task import Step, Task

NEXT_IS_ONE = np.array([[0.2, 0.7], [0.4, 0.8]])
REWARD = np.array([[1.0, 2.0], [1.5, 3.0]])
COSTS = np.array([[[0.1, 1.0], [0.2, 0.6]], [[0.3, 0.2], [0.2, 1.0]]])
SLACK_COST = np.array([[0.1, 0.2], [0.3, 0.4]])
LIMITS = (0.5, 0.45, 0.6)
UNITS = (0.5, 0.25, 0.6)

SMALL = Hyperparameters(
    envs=8,
    steps=16,
    epochs=2,
    minibatches=4,
    total_steps=8 * 16 * 6,
    actor_hidden=(16, 16),
    critic_hidden=(16, 16),
    checkpoint_every=3,
    learning_rate=3e-4,
    final_rate=1.0,
    gamma=0.99,
    gae_lambda=0.95,
    log_std=-1.0,
)


@functools.cache
def drift_task(
    costs: int = 2,
    scale: float = 1.0,
    limit: float = 0.3,
    horizon: int = 20,
    offset: float = 0.0,
    cost_shift: float = 0.0,
) -> Task:
    """A point that the action pushes about; far from it costs.

    `scale` multiplies costs, limits and units together; `offset` and the size
    of the raw features test the normaliser; `cost_shift` changes the costs only.
    """

    def features(point: jax.Array, clock: jax.Array) -> jax.Array:
        raw = jnp.concatenate([point, clock[:, None]], axis=-1)
        return offset + (1.0 + offset) * raw

    def reset(key: jax.Array, n: int) -> tuple[jax.Array, Any]:
        point = jax.random.uniform(key, (n, 2), jnp.float32, -1.0, 1.0)
        clock = jnp.zeros((n,), jnp.float32)
        return features(point, clock), (point, clock)

    def step(key: jax.Array, state: Any, action: jax.Array) -> Step:
        point, clock = state
        noise_key, reset_key = jax.random.split(key)
        noise = jax.random.normal(noise_key, point.shape, jnp.float32)
        moved = 0.9 * point + 0.2 * (action - 0.5) + 0.02 * noise
        later = clock + 1.0 / horizon
        over = later > 1.0 - 1e-4
        final = features(moved, later)
        fresh = jax.random.uniform(reset_key, point.shape, jnp.float32, -1.0, 1.0)
        point = jnp.where(over[:, None], fresh, moved)
        clock = jnp.where(over, 0.0, later)
        cost = scale * (cost_shift + jnp.abs(moved)[:, :costs])
        return Step(
            features=features(point, clock),
            final_features=final,
            reward=jnp.sum(moved, axis=-1),
            costs=cost,
            terminated=jnp.zeros(over.shape, jnp.bool_),
            truncated=over,
            state=(point, clock),
            info={"intervention": over},
        )

    names = ("east", "north")[:costs]
    limits = (scale * limit,) * costs
    return Task(reset, step, 3, names, limits, limits, 2, (0.5, 0.5))


def clock_task(horizon: int, is_truncation: bool) -> Task:
    """Costs 1 in every step; each episode ends after `horizon` steps."""

    def features(clock: jax.Array) -> jax.Array:
        angle = 2.0 * jnp.pi * clock.astype(jnp.float32) / horizon
        return jnp.stack([jnp.sin(angle), jnp.cos(angle)], axis=-1)

    def reset(key: jax.Array, n: int) -> tuple[jax.Array, Any]:
        clock = jax.random.randint(key, (n,), 0, horizon)
        return features(clock), clock

    def step(key: jax.Array, clock: jax.Array, action: jax.Array) -> Step:
        over = clock + 1 >= horizon
        never = jnp.zeros_like(over)
        following = jnp.where(over, 0, clock + 1)
        return Step(
            features=features(following),
            final_features=features(clock + 1),
            reward=jnp.zeros(clock.shape, jnp.float32),
            costs=jnp.ones((*clock.shape, 1), jnp.float32),
            terminated=never if is_truncation else over,
            truncated=over if is_truncation else never,
            state=following,
            info={},
        )

    return Task(reset, step, 2, ("tick",), (1.0,), (1.0,), 1, (0.5,))


def two_state_task() -> Task:
    """A constrained Markov chain; the action is the share of its second choice."""
    chance = jnp.asarray(NEXT_IS_ONE, jnp.float32)
    signals = jnp.asarray(np.stack([REWARD, *COSTS, SLACK_COST], axis=-1), jnp.float32)

    def reset(key: jax.Array, n: int) -> tuple[jax.Array, Any]:
        state = jax.random.randint(key, (n,), 0, 2)
        return jax.nn.one_hot(state, 2, dtype=jnp.float32), state

    def step(key: jax.Array, state: jax.Array, action: jax.Array) -> Step:
        share = jnp.concatenate([1.0 - action, action], axis=-1)
        likely = jnp.sum(share * chance[state], axis=-1)
        following = jax.random.bernoulli(key, likely).astype(jnp.int32)
        earned = jnp.sum(share[..., None] * signals[state], axis=1)
        features = jax.nn.one_hot(following, 2, dtype=jnp.float32)
        never = jnp.zeros(state.shape, jnp.bool_)
        return Step(
            features=features,
            final_features=features,
            reward=earned[:, 0],
            costs=earned[:, 1:],
            terminated=never,
            truncated=never,
            state=following,
            info={},
        )

    return Task(reset, step, 2, ("first", "second", "slack"), LIMITS, UNITS, 1, (0.5,))


def two_state_optimum() -> tuple[float, np.ndarray]:
    """Return best mean reward and the dual of each limit, from the occupancy LP."""
    costs = np.stack([*COSTS, SLACK_COST]).reshape(3, 4)
    arrives = NEXT_IS_ONE.reshape(4)
    balance = np.array([0.0, 0.0, 1.0, 1.0]) - arrives
    found = linprog(
        -REWARD.reshape(4),
        A_ub=costs,
        b_ub=LIMITS,
        A_eq=np.stack([np.ones(4), balance]),
        b_eq=[1.0, 0.0],
    )
    return -found.fun, -found.ineqlin.marginals
