"""PPO-Lagrangian with K multipliers: one update is one compiled program.

    rollout -> values -> advantages -> prices -> mixed advantage -> policy step
    L = -mean min(rho A, clip(rho, 1 - eps, 1 + eps) A) - c_e entropy
    L_V = sum_i ((V_i - target_i) / std_i)^2 / 2, reward and costs apart

J. Schulman et al., arXiv:1707.06347, with the mixed advantage of
`coolbound_controllers.advantages`, mixed once per rollout. The prices move
once per rollout, before the policy does. Actor, reward critic and cost critic
are three optimisers whose gradients are clipped apart, so that at prices of
zero the costs leave the policy untouched, bit for bit.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers import value_scale
from coolbound_controllers.advantages import generalised_advantages, mix
from coolbound_controllers.distribution import entropy, log_prob
from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.lagrangian import (
    Multipliers,
    init_multipliers,
    pricing,
    reprice,
)
from coolbound_controllers.networks import (
    Critics,
    action_mean,
    heads,
    init_actor,
    init_critics,
    starting_action,
)
from coolbound_controllers.normaliser import (
    Normaliser,
    init_normaliser,
    merge,
    normalise,
)
from coolbound_controllers.optimiser import (
    Weights,
    apply_gradients,
    init_optimiser,
    rate_share,
)
from coolbound_controllers.rollout import Rollout, World, collect
from coolbound_controllers.task import Task
from coolbound_controllers.value_scale import ValueScale
from coolbound_envs.types import Key

Metrics = dict[str, Any]
Update = Callable[["Learner"], tuple["Learner", Metrics]]


@struct.dataclass
class Learner:
    """Everything a run needs to go on; what a checkpoint holds. Dynamic.

    Attributes:
        key: Source of all later random numbers.
        weights: All that gradients move.
        optimiser: Adam's moments: actor, reward critic, cost critic.
        scale: Mean and spread of the critics' targets.
        normaliser: Statistics of the features.
        multipliers: Prices of the constraints, and their memory.
        world: Where the lanes stand.
        updates: Updates done so far. [1]
    """

    key: Key
    weights: Weights
    optimiser: Any
    scale: ValueScale
    normaliser: Normaliser
    multipliers: Multipliers
    world: World
    updates: jax.Array


@struct.dataclass
class Batch:
    """What the gradient steps see, any leading axes. Dynamic.

    Attributes:
        inputs: Normalised features, shape (..., F). [1]
        start: Action before training, shape (..., A). [1]
        u: The proposed action before squashing, shape (..., A). [1]
        log_prob: Its log density under the old policy, shape (...). [1]
        advantage: The mixed advantage, shape (...). [1]
        targets: What the critics' heads should say, shape (..., 1 + K). [1]
    """

    inputs: jax.Array
    start: jax.Array
    u: jax.Array
    log_prob: jax.Array
    advantage: jax.Array
    targets: jax.Array


def init_learner(key: Key, task: Task, hyper: Hyperparameters) -> Learner:
    """Return a learner before its first update.

    One rollout of the first policy sets the statistics of features and values;
    nothing is learned from it. Can be traced.
    """
    keys = jax.random.split(key, 5)
    weights = Weights(
        actor=init_actor(
            keys[0],
            task.feature_size,
            hyper.actor_hidden,
            task.action_size,
            hyper.log_std,
        ),
        critics=init_critics(
            keys[1], task.feature_size, hyper.critic_hidden, task.cost_count
        ),
    )
    features, state = task.reset_batch(keys[2], hyper.envs)
    blank = init_normaliser(task.feature_size)
    world, rollout = collect(
        keys[3], task, weights.actor, blank, World(features, state), hyper.steps
    )
    return Learner(
        key=keys[4],
        weights=weights,
        optimiser=init_optimiser(weights, hyper),
        scale=value_scale.first_scale(rollout.signals, hyper.gamma),
        normaliser=merge(blank, rollout.features),
        multipliers=init_multipliers(pricing(hyper, task.cost_count)),
        world=world,
        updates=jnp.zeros((), jnp.int32),
    )


@functools.lru_cache(maxsize=8)
def make_update(task: Task, hyper: Hyperparameters) -> Update:
    """Return one whole update as a compiled function that consumes its argument.

    The same task and settings give the same function, compiled once.

    Raises:
        InputError: The gains fit neither one nor all constraints.
    """
    settings = pricing(hyper, task.cost_count)
    limits = jnp.asarray(task.cost_limits, jnp.float32)
    limits = limits / jnp.asarray(task.cost_units, jnp.float32)

    def update(learner: Learner) -> tuple[Learner, Metrics]:
        key, collect_key, learn_key = jax.random.split(learner.key, 3)
        world, rollout = collect(
            collect_key,
            task,
            learner.weights.actor,
            learner.normaliser,
            learner.world,
            hyper.steps,
        )
        cost = jnp.mean(rollout.signals[..., 1:], axis=(0, 1))
        multipliers = reprice(learner.multipliers, cost, limits, settings)
        batch, scale, critics, spread = prepare(
            rollout, learner, multipliers.value, task, hyper
        )
        weights = dataclasses.replace(learner.weights, critics=critics)
        start = dataclasses.replace(learner, weights=weights)
        weights, optimiser, learned = improve(learn_key, start, batch, task, hyper)
        found = _summarise(rollout, multipliers, spread, task) | learned
        found["is_finite"] = _is_finite((weights, optimiser, found))
        return Learner(
            key=key,
            weights=weights,
            optimiser=optimiser,
            scale=scale,
            normaliser=merge(learner.normaliser, rollout.features),
            multipliers=multipliers,
            world=world,
            updates=learner.updates + 1,
        ), found

    return jax.jit(update, donate_argnums=0)


def prepare(
    rollout: Rollout,
    learner: Learner,
    prices: jax.Array,
    task: Task,
    hyper: Hyperparameters,
) -> tuple[Batch, ValueScale, Critics, jax.Array]:
    """Return the batch, new value scale, matching critics, advantage spread (1 + K,).

    Statistics are those that the rollout was collected with, so that the first
    probability ratio is 1.
    """
    inputs = normalise(learner.normaliser, rollout.features)
    finals = normalise(learner.normaliser, rollout.final_features)
    critics, scale = learner.weights.critics, learner.scale
    now = value_scale.values(critics, scale, inputs)
    advantages = generalised_advantages(
        rollout.signals,
        now,
        value_scale.values(critics, scale, finals),
        rollout.terminated,
        rollout.truncated,
        hyper.gamma,
        hyper.gae_lambda,
    )
    targets = advantages + now
    moved = value_scale.follow(scale, targets)
    batch = Batch(
        inputs=inputs,
        start=starting_action(
            jnp.asarray(task.bias, jnp.float32), rollout.features, task.action_size
        ),
        u=rollout.u,
        log_prob=rollout.log_prob,
        advantage=mix(advantages, prices),
        targets=value_scale.standardise(targets, moved),
    )
    critics = value_scale.rescale(critics, scale, moved)
    return batch, moved, critics, jnp.std(advantages, axis=(0, 1))


def improve(
    key: Key, learner: Learner, batch: Batch, task: Task, hyper: Hyperparameters
) -> tuple[Weights, Any, Metrics]:
    """Return weights and optimiser after all gradient steps, and what they saw."""
    samples = hyper.steps_per_update
    flat = jax.tree.map(lambda x: x.reshape(samples, *x.shape[2:]), batch)
    rate = rate_share(learner.updates, hyper)

    def step(carry: tuple[Weights, Any], rows: jax.Array):
        weights, optimiser = carry
        part = jax.tree.map(lambda x: x[rows], flat)
        grads, seen = jax.grad(loss, has_aux=True)(weights, part, hyper)
        return apply_gradients(weights, grads, optimiser, rate, hyper), seen

    # one sort of random words: half the time of `jax.random.permutation`
    words = jax.random.bits(key, (hyper.epochs, samples))
    orders = jnp.argsort(words, axis=-1)
    size = samples // hyper.minibatches
    rows = orders.reshape(hyper.epochs * hyper.minibatches, size)
    carry = (learner.weights, learner.optimiser)
    (weights, optimiser), seen = jax.lax.scan(step, carry, rows)
    found = {name: jnp.mean(x[-hyper.minibatches :], 0) for name, x in seen.items()}
    return weights, optimiser, found | {"first_ratio_error": seen["ratio_error"][0]}


def loss(
    weights: Weights, batch: Batch, hyper: Hyperparameters
) -> tuple[jax.Array, Metrics]:
    """Return the summed loss of a minibatch, and what it saw on the way."""
    mean = action_mean(weights.actor.network, batch.inputs, batch.start)
    log_ratio = log_prob(batch.u, mean, weights.actor.log_std) - batch.log_prob
    ratio = jnp.exp(log_ratio)
    bounded = jnp.clip(ratio, 1.0 - hyper.clip, 1.0 + hyper.clip)
    gain = jnp.minimum(ratio * batch.advantage, bounded * batch.advantage)
    spread = jnp.mean(entropy(batch.u, mean, weights.actor.log_std))
    error = jnp.mean((heads(weights.critics, batch.inputs) - batch.targets) ** 2, 0)
    seen = {
        "entropy": spread,
        "kl": jnp.mean(ratio - 1.0 - log_ratio),
        "clipped": jnp.mean((jnp.abs(ratio - 1.0) > hyper.clip).astype(jnp.float32)),
        "ratio_error": jnp.max(jnp.abs(ratio - 1.0)),
        "value_error": error,
    }
    total = -jnp.mean(gain) - hyper.entropy * spread + 0.5 * jnp.sum(error)
    return total, seen


def _summarise(
    rollout: Rollout, multipliers: Multipliers, spread: jax.Array, task: Task
) -> Metrics:
    units = jnp.asarray(task.cost_units, jnp.float32)
    found = {
        "reward": jnp.mean(rollout.signals[..., 0]),
        "costs": jnp.mean(rollout.signals[..., 1:], axis=(0, 1)) * units,
        "multipliers": multipliers.value,
        "advantage_std": spread[0],
        "terminations": jnp.mean(rollout.terminated),
    }
    return found | {
        name: jnp.mean(x.astype(jnp.float32)) for name, x in rollout.info.items()
    }


def _is_finite(tree: Any) -> jax.Array:
    floats = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in floats]))
