"""Collecting one rollout: the policy proposes, the task applies, all is kept."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.distribution import log_prob, squash
from coolbound_controllers.networks import Actor, action_mean, starting_action
from coolbound_controllers.normaliser import Normaliser, normalise
from coolbound_controllers.task import Task
from coolbound_envs.types import Key


@struct.dataclass
class World:
    """Where the lanes stand between two rollouts. Dynamic.

    Attributes:
        features: Raw features, shape (n, F). [mixed units]
        state: The task's own state.
    """

    features: jax.Array
    state: Any


@struct.dataclass
class Rollout:
    """T control steps of n lanes, as they happened. Dynamic.

    Attributes:
        features: Raw features before each action, shape (T, n, F). [mixed units]
        final_features: The true next features, shape (T, n, F). [mixed units]
        u: The proposed action before squashing, shape (T, n, A). [1]
        log_prob: Its log density, shape (T, n). [1]
        signals: Reward, then costs in their units, shape (T, n, 1 + K). [1]
        terminated: 1 where the plant tripped, shape (T, n). [1]
        truncated: 1 where time was up, shape (T, n). [1]
        info: What the task reports, each of shape (T, n); the executed action, where
            it is told, of shape (T, n, A).
    """

    features: jax.Array
    final_features: jax.Array
    u: jax.Array
    log_prob: jax.Array
    signals: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    info: dict[str, jax.Array]


@functools.partial(jax.jit, static_argnames=("task", "steps"))
def collect(
    key: Key,
    task: Task,
    actor: Actor,
    normaliser: Normaliser,
    world: World,
    steps: int,
) -> tuple[World, Rollout]:
    """Return where the lanes stand after `steps`, and what happened."""
    bias = jnp.asarray(task.bias, jnp.float32)
    units = jnp.asarray(task.cost_units, jnp.float32)

    def advance(world: World, key: Key) -> tuple[World, Rollout]:
        noise_key, step_key = jax.random.split(key)
        start = starting_action(bias, world.features, task.action_size)
        mean = action_mean(actor.network, normalise(normaliser, world.features), start)
        u = _sample(noise_key, mean, actor.log_std)
        step = task.step_batch(step_key, world.state, squash(u))
        costs = step.costs / units[None]
        row = Rollout(
            features=world.features,
            final_features=step.final_features,
            u=u,
            log_prob=log_prob(u, mean, actor.log_std),
            signals=jnp.concatenate([step.reward[:, None], costs], axis=-1),
            terminated=step.terminated.astype(jnp.float32),
            truncated=step.truncated.astype(jnp.float32),
            info=step.info,
        )
        return World(features=step.features, state=step.state), row

    return jax.lax.scan(advance, world, jax.random.split(key, steps))


def _sample(key: Key, mean: jax.Array, log_std: jax.Array) -> jax.Array:
    noise = jax.random.normal(key, mean.shape, jnp.float32)
    return mean + jnp.broadcast_to(jnp.exp(log_std), mean.shape) * noise
