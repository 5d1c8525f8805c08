"""The gradient steps of one SAC-Lagrangian update, one `lax.scan`.

Each step draws a batch from the ring, moves the critics, then the actor
against the moved critics, then the temperature, then the slow copies. Actor,
reward critics and cost critics are clipped apart, so that at prices of zero
the costs leave the policy untouched, bit for bit.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from coolbound_controllers import value_scale
from coolbound_controllers.distribution import LOG_2
from coolbound_controllers.networks import Critics
from coolbound_controllers.normaliser import Normaliser
from coolbound_controllers.optimiser import ADAM_EPSILON
from coolbound_controllers.sac_losses import (
    Batch,
    actor_loss,
    backup,
    critic_loss,
    prepare,
    target_entropy,
    temperature_loss,
)
from coolbound_controllers.sac_networks import SacActor
from coolbound_controllers.sac_replay import Replay, sample
from coolbound_controllers.sac_settings import SacSettings
from coolbound_controllers.task import Task
from coolbound_controllers.value_scale import ValueScale
from coolbound_envs.types import Key

Seen = dict[str, jax.Array]


@struct.dataclass
class SacWeights:
    """All that gradients move, and the slow copies. Dynamic.

    Attributes:
        actor: The policy.
        critics: Twins of reward and costs, twins on the first axis.
        targets: The critics' slow copies.
        log_temperature: Log of alpha, scalar. [1]
    """

    actor: SacActor
    critics: Critics
    targets: Critics
    log_temperature: jax.Array


@struct.dataclass
class Moments:
    """Adam's memory of each part. Dynamic."""

    actor: Any
    reward: Any
    costs: Any
    temperature: Any


@struct.dataclass
class Frozen:
    """What stands still while an update's gradient steps run. Dynamic.

    Attributes:
        replay: Where batches are drawn from.
        normaliser: Statistics of the features, frozen.
        scale: Of the critics' heads.
        prices: lam, shape (K,). [1]
        critic_rate: Share of the critics' first learning rate that is left. [1]
        actor_rate: The same of actor and temperature; 0 while they wait. [1]
    """

    replay: Replay
    normaliser: Normaliser
    scale: ValueScale
    prices: jax.Array
    critic_rate: jax.Array
    actor_rate: jax.Array


def init_moments(weights: SacWeights, settings: SacSettings) -> Moments:
    """Return Adam's memory before the first step."""
    transform = _transform(settings)
    return Moments(
        actor=transform.init(weights.actor),
        reward=transform.init(weights.critics.reward),
        costs=transform.init(weights.critics.costs),
        temperature=transform.init(weights.log_temperature),
    )


def improve(
    key: Key,
    weights: SacWeights,
    moments: Moments,
    frozen: Frozen,
    task: Task,
    settings: SacSettings,
) -> tuple[SacWeights, Moments, Seen, jax.Array]:
    """Return weights and moments after all gradient steps, and what they saw.

    Last come the targets y of all steps, shape (steps, B, 1 + K).
    """

    def step(
        carry: tuple[SacWeights, Moments], key: Key
    ) -> tuple[tuple[SacWeights, Moments], tuple[Seen, jax.Array]]:
        rows_key, goal_key, actor_key = jax.random.split(key, 3)
        rows = sample(rows_key, frozen.replay, settings.batch)
        batch = prepare(rows, frozen.normaliser, task)
        goals = _goals(goal_key, carry[0], batch, frozen, settings)
        weights, moments, errors = _move_critics(*carry, batch, goals, frozen, settings)
        weights, moments, seen = _move_actor(
            actor_key, weights, moments, batch, frozen, settings
        )
        seen["value_error"] = errors
        return (track(weights, settings.tracking), moments), (seen, goals)

    keys = jax.random.split(key, settings.gradient_steps)
    (weights, moments), (seen, goals) = jax.lax.scan(step, (weights, moments), keys)
    means = {name: jnp.mean(x, 0) for name, x in seen.items()}
    return weights, moments, means, goals


def _goals(
    key: Key,
    weights: SacWeights,
    batch: Batch,
    frozen: Frozen,
    settings: SacSettings,
) -> jax.Array:
    temperature = jnp.exp(weights.log_temperature)
    actor, targets = weights.actor, weights.targets
    return backup(key, batch, actor, targets, frozen.scale, temperature, settings)


def _move_critics(
    weights: SacWeights,
    moments: Moments,
    batch: Batch,
    goals: jax.Array,
    frozen: Frozen,
    settings: SacSettings,
) -> tuple[SacWeights, Moments, jax.Array]:
    """Return weights and moments after one step, and the errors (1 + K,)."""
    goals = value_scale.standardise(goals, frozen.scale)

    def loss(critics: Critics) -> tuple[jax.Array, jax.Array]:
        errors = critic_loss(critics, batch, goals, settings)
        return jnp.sum(errors), errors

    grads, errors = jax.grad(loss, has_aux=True)(weights.critics)
    speed = settings.critic_learning_rate * frozen.critic_rate
    reward, reward_moments = _descend(
        weights.critics.reward, grads.reward, moments.reward, speed, settings
    )
    costs, cost_moments = _descend(
        weights.critics.costs, grads.costs, moments.costs, speed, settings
    )
    weights = dataclasses.replace(weights, critics=Critics(reward, costs))
    moments = dataclasses.replace(moments, reward=reward_moments, costs=cost_moments)
    return weights, moments, errors


def _move_actor(
    key: Key,
    weights: SacWeights,
    moments: Moments,
    batch: Batch,
    frozen: Frozen,
    settings: SacSettings,
) -> tuple[SacWeights, Moments, Seen]:
    temperature = jnp.exp(weights.log_temperature)
    grads, (density, costs) = jax.grad(actor_loss, has_aux=True)(
        weights.actor,
        key,
        batch.now,
        weights.critics,
        frozen.scale,
        temperature,
        frozen.prices,
        settings,
    )
    speed = settings.learning_rate * frozen.actor_rate
    actor, state = _descend(weights.actor, grads, moments.actor, speed, settings)
    weights = dataclasses.replace(weights, actor=actor)
    moments = dataclasses.replace(moments, actor=state)
    actions = batch.u.shape[-1]
    weights, moments = _move_temperature(
        weights, moments, density, actions, frozen, settings
    )
    entropy = LOG_2 - density / actions
    seen = {"entropy": entropy, "temperature": temperature, "cost_values": costs}
    return weights, moments, seen


def _move_temperature(
    weights: SacWeights,
    moments: Moments,
    density: jax.Array,
    actions: int,
    frozen: Frozen,
    settings: SacSettings,
) -> tuple[SacWeights, Moments]:
    target = target_entropy(settings, actions)
    slope = jax.grad(temperature_loss)(weights.log_temperature, density, target)
    speed = settings.temperature_learning_rate * frozen.actor_rate
    moved, state = _descend(
        weights.log_temperature, slope, moments.temperature, speed, settings
    )
    return (
        dataclasses.replace(weights, log_temperature=moved),
        dataclasses.replace(moments, temperature=state),
    )


def _transform(settings: SacSettings) -> Any:
    return optax.chain(
        optax.clip_by_global_norm(settings.gradient_norm),
        optax.scale_by_adam(eps=ADAM_EPSILON),
    )


def _descend(
    part: Any, grads: Any, state: Any, speed: jax.Array, settings: SacSettings
) -> tuple[Any, Any]:
    """Return a part and Adam's memory of it after one step, clipped alone."""
    # optax raises a float to an int32 count, which strict promotion refuses
    with jax.numpy_dtype_promotion("standard"):
        direction, state = _transform(settings).update(grads, state)
    step = jax.tree.map(lambda d: -speed * d, direction)
    return optax.apply_updates(part, step), state


def track(weights: SacWeights, share: float) -> SacWeights:
    """Return the slow copies moved by a share of their distance to the critics."""
    targets = jax.tree.map(
        lambda slow, fast: slow + share * (fast - slow),
        weights.targets,
        weights.critics,
    )
    return dataclasses.replace(weights, targets=targets)
