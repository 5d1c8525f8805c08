"""What SAC-Lagrangian minimises.

    y_0 = x^0 + g (1 - term) [min_j Q0_j(s', a') - alpha log pi(a'|s')]
    y_k = x^k + g (1 - term)  agg_j Qk_j(s', a')            a' ~ pi(s')
    critics:      sum_j sum_i mean((Qi_j - y_i) / std_i)^2 / 2
    actor:        mean[alpha log pi - min_j Q0_j + sum_k lam_k agg_j Qk_j]
                  / (1 + sum_k lam_k)
    temperature:  -alpha mean(log pi + H_target)

x^0 is the reward in its unit, x^k cost k in its own, s' the true next state
before any reset: being out of time bootstraps, a trip does not. The smaller of
two reward critics guards against optimism; for a cost the smaller would be the
optimist, so `agg` lies between their mean and the larger. Entropy is no cost
and stays out of y_k. T. Haarnoja et al., arXiv:1812.05905, with the Lagrangian
of S. Ha et al., arXiv:2002.08550.
"""

import math
from typing import TypeVar

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.distribution import LOG_2
from coolbound_controllers.networks import Critics, heads
from coolbound_controllers.normaliser import Normaliser
from coolbound_controllers.sac_networks import (
    SacActor,
    View,
    critic_inputs,
    propose,
    twin_values,
    view,
)
from coolbound_controllers.sac_replay import Transition
from coolbound_controllers.sac_settings import SacSettings
from coolbound_controllers.task import Task
from coolbound_controllers.value_scale import ValueScale
from coolbound_envs.types import Key

LimitT = TypeVar("LimitT", float, jax.Array)


@struct.dataclass
class Batch:
    """Transitions as the networks see them, any leading axes. Dynamic.

    Attributes:
        now: Before the action.
        after: After it, before any reset.
        u: The proposed action before squashing, shape (..., A). [1]
        signals: Reward, then costs, in their units, shape (..., 1 + K). [1]
        terminated: 1 where the plant tripped, shape (...). [1]
    """

    now: View
    after: View
    u: jax.Array
    signals: jax.Array
    terminated: jax.Array


def prepare(rows: Transition, normaliser: Normaliser, task: Task) -> Batch:
    """Return transitions as the networks see them under these statistics."""
    return Batch(
        now=view(rows.features, normaliser, task),
        after=view(rows.final_features, normaliser, task),
        u=rows.u,
        signals=rows.signals,
        terminated=rows.terminated,
    )


def aggregate(twins: jax.Array, pessimism: float) -> jax.Array:
    """Return costs (..., K) of twins (2, ..., K): mean at 0, the larger at 1."""
    mean = jnp.mean(twins, axis=0)
    return mean + pessimism * (jnp.max(twins, axis=0) - mean)


def backup(
    key: Key,
    batch: Batch,
    actor: SacActor,
    targets: Critics,
    scale: ValueScale,
    temperature: jax.Array,
    settings: SacSettings,
) -> jax.Array:
    """Return y, what the critics should say, shape (..., 1 + K).

    Args:
        key: Draws a'.
        batch: Transitions.
        actor: The policy of today.
        targets: The slow copies of the critics.
        scale: Of the critics' heads.
        temperature: alpha, scalar.
        settings: Discount and pessimism.
    """
    u, density = propose(key, actor, batch.after)
    twins = twin_values(targets, scale, batch.after, u, settings.log_std)
    reward = jnp.min(twins[..., 0], axis=0) - temperature * density
    costs = aggregate(twins[..., 1:], settings.cost_pessimism)
    later = jnp.concatenate([reward[..., None], costs], axis=-1)
    alive = 1.0 - batch.terminated
    return batch.signals + settings.gamma * alive[..., None] * later


def critic_loss(
    critics: Critics, batch: Batch, goals: jax.Array, settings: SacSettings
) -> jax.Array:
    """Return half the squared error, by channel (1 + K,), summed over the twins.

    Args:
        critics: Twins on the first axis.
        batch: Transitions (B, ...).
        goals: What the heads should say, shape (B, 1 + K).
        settings: The first spread.
    """
    seen = critic_inputs(batch.now, batch.u, settings.log_std)
    found = jax.vmap(lambda one: heads(one, seen))(critics)
    return 0.5 * jnp.sum(jnp.mean((found - goals[None]) ** 2, axis=1), axis=0)


def actor_loss(
    actor: SacActor,
    key: Key,
    seen: View,
    critics: Critics,
    scale: ValueScale,
    temperature: jax.Array,
    prices: jax.Array,
    settings: SacSettings,
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """Return the loss, and of the policy's own actions log pi and cost values.

    Args:
        actor: The policy; what the gradient is taken of.
        key: Draws the actions.
        seen: States (B, ...).
        critics: Twins on the first axis.
        scale: Of the critics' heads.
        temperature: alpha, scalar.
        prices: lam, shape (K,).
        settings: Pessimism.
    """
    u, density = propose(key, actor, seen)
    twins = twin_values(critics, scale, seen, u, settings.log_std)
    costs = aggregate(twins[..., 1:], settings.cost_pessimism)
    penalty = jnp.sum(costs * prices[None], axis=-1)
    gain = jnp.min(twins[..., 0], axis=0) - penalty
    loss = jnp.mean(temperature * density - gain) / (1.0 + jnp.sum(prices))
    return loss, (jnp.mean(density), jnp.mean(costs, axis=0))


def temperature_loss(
    log_temperature: jax.Array, density: jax.Array, target: float
) -> jax.Array:
    """Return -alpha (log pi + H_target); the gradient moves alpha alone."""
    return -jnp.exp(log_temperature) * jax.lax.stop_gradient(density + target)


def target_entropy(settings: SacSettings, actions: int) -> float:
    """Return H_target of an action of shares 0 to 1 [nat].

    The setting is per channel of a range -1 to 1, as in the literature, twice
    as wide: each channel has log 2 less here.
    """
    return actions * (settings.target_entropy - LOG_2)


def value_limit(limit: LimitT, gamma: float, steps: float = math.inf) -> LimitT:
    """Return the largest Q_k that a limit allows, limit (1 - g^T) / (1 - g).

    A limit d over a whole episode of T steps is the rate d / T. Without
    `steps` the episode goes on for ever, as it does for critics that
    bootstrap when time is up.

    Args:
        limit: Largest mean cost per control step, in the unit of Q_k.
        gamma: Discount per control step. [1]
        steps: T, control steps until the cost can end. [1]
    """
    return limit * ((1.0 - gamma**steps) / (1.0 - gamma))
