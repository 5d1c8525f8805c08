"""A constrained Markov chain of three states whose optimum a linear program knows.

Two limits bind, one is slack. The action is the share of a state's second choice;
rewards, costs and chances are linear in it, so a deterministic share does what a
random choice would, and the program over state-action frequencies is exact. Its
policy mixes in two states and is pure in the third.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linprog

from coolbound_controllers.task import Step, Task

CHANCE = np.array(
    [
        [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]],
        [[0.5, 0.3, 0.2], [0.1, 0.4, 0.5]],
        [[0.3, 0.4, 0.3], [0.2, 0.2, 0.6]],
    ]
)
"""Chance of each next state, by state and choice."""

REWARD = np.array([[1.0, 1.8], [1.2, 2.6], [0.8, 1.5]])
COSTS = np.array(
    [
        [[0.1, 0.9], [0.2, 0.7], [0.1, 0.8]],
        [[0.2, 0.3], [0.1, 0.9], [0.4, 0.5]],
        [[0.1, 0.2], [0.2, 0.3], [0.1, 0.4]],
    ]
)
"""By cost, state and choice; the last one is slack."""

LIMITS = (0.4, 0.4, 0.5)
UNITS = (0.4, 0.2, 0.5)
NAMES = ("first", "second", "slack")


@functools.cache
def chain_task() -> Task:
    """The chain as a learner sees it: one-hot states, no end."""
    chance = jnp.asarray(CHANCE, jnp.float32)
    signals = jnp.asarray(np.stack([REWARD, *COSTS], axis=-1), jnp.float32)

    def reset(key: jax.Array, n: int) -> tuple[jax.Array, Any]:
        state = jax.random.randint(key, (n,), 0, 3)
        return jax.nn.one_hot(state, 3, dtype=jnp.float32), state

    def step(key: jax.Array, state: jax.Array, action: jax.Array) -> Step:
        share = jnp.concatenate([1.0 - action, action], axis=-1)
        likely = jnp.sum(share[..., None] * chance[state], axis=1)
        following = jax.random.categorical(key, jnp.log(likely))
        earned = jnp.sum(share[..., None] * signals[state], axis=1)
        features = jax.nn.one_hot(following, 3, dtype=jnp.float32)
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

    return Task(reset, step, 3, NAMES, LIMITS, UNITS, 1, (0.5,))


def chain_optimum() -> tuple[float, np.ndarray, np.ndarray]:
    """Return best mean reward, each limit's dual, and the best shares by state."""
    arrives = CHANCE.reshape(6, 3).T
    leaves = np.repeat(np.eye(3), 2, axis=1)
    found = linprog(
        -REWARD.reshape(6),
        A_ub=COSTS.reshape(3, 6),
        b_ub=LIMITS,
        A_eq=np.concatenate([np.ones((1, 6)), (leaves - arrives)[:2]]),
        b_eq=[1.0, 0.0, 0.0],
    )
    often = found.x.reshape(3, 2)
    return -found.fun, -found.ineqlin.marginals, often[:, 1] / often.sum(1)
