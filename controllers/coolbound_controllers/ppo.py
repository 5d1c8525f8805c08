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

from coolbound_controllers.advantages import mix
from coolbound_controllers.distribution import entropy, log_prob
from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.lagrangian import (
    Multipliers,
    init_multipliers,
    pricing,
    reprice,
)
from coolbound_controllers.networks import action_mean, heads
from coolbound_controllers.normaliser import Normaliser, merge
from coolbound_controllers.on_policy import (
    Metrics,
    assess,
    begin,
    flatten,
    is_finite,
    limits_in_units,
    mean_costs,
    minibatch_rows,
    summarise,
)
from coolbound_controllers.optimiser import (
    Weights,
    apply_gradients,
    init_optimiser,
    rate_share,
)
from coolbound_controllers.rollout import World, collect
from coolbound_controllers.task import Task
from coolbound_controllers.value_scale import ValueScale
from coolbound_envs.types import Key

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
    """Return a learner before its first update. Can be traced."""
    first = begin(key, task, hyper)
    return Learner(
        key=first.key,
        weights=first.weights,
        optimiser=init_optimiser(first.weights, hyper),
        scale=first.scale,
        normaliser=first.normaliser,
        multipliers=init_multipliers(pricing(hyper, task.cost_count)),
        world=first.world,
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
    limits = limits_in_units(task)

    def update(learner: Learner) -> tuple[Learner, Metrics]:
        key, collect_key, learn_key = jax.random.split(learner.key, 3)
        actor, critics = learner.weights.actor, learner.weights.critics
        normaliser = learner.normaliser
        world, rollout = collect(
            collect_key, task, actor, normaliser, learner.world, hyper.steps
        )
        multipliers = reprice(
            learner.multipliers, mean_costs(rollout), limits, settings
        )
        seen = assess(rollout, critics, learner.scale, normaliser, task, hyper)
        batch = Batch(
            inputs=seen.inputs,
            start=seen.start,
            u=rollout.u,
            log_prob=rollout.log_prob,
            advantage=mix(seen.advantages, multipliers.value),
            targets=seen.targets,
        )
        weights = Weights(actor=actor, critics=seen.critics)
        start = dataclasses.replace(learner, weights=weights)
        weights, optimiser, learned = improve(learn_key, start, batch, hyper)
        found = summarise(rollout, seen.advantages, task) | learned
        found["multipliers"] = multipliers.value
        found["is_finite"] = is_finite((weights, optimiser, found))
        return Learner(
            key=key,
            weights=weights,
            optimiser=optimiser,
            scale=seen.scale,
            normaliser=merge(normaliser, rollout.features),
            multipliers=multipliers,
            world=world,
            updates=learner.updates + 1,
        ), found

    return jax.jit(update, donate_argnums=0)


def improve(
    key: Key, learner: Learner, batch: Batch, hyper: Hyperparameters
) -> tuple[Weights, Any, Metrics]:
    """Return weights and optimiser after all gradient steps, and what they saw."""
    flat = flatten(batch)
    rate = rate_share(learner.updates, hyper)

    def step(carry: tuple[Weights, Any], rows: jax.Array):
        weights, optimiser = carry
        part = jax.tree.map(lambda x: x[rows], flat)
        grads, seen = jax.grad(loss, has_aux=True)(weights, part, hyper)
        return apply_gradients(weights, grads, optimiser, rate, hyper), seen

    rows = minibatch_rows(key, hyper.steps_per_update, hyper.epochs, hyper.minibatches)
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
