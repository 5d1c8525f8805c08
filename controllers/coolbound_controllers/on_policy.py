"""What all learners share that use a rollout for one update and drop it.

    first policy -> one rollout -> statistics of features and values
    each update: rollout -> values -> advantages of reward and costs, targets

PPO-Lagrangian and CPO differ in what they then do to the policy.
"""

from typing import Any, Protocol

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers import value_scale
from coolbound_controllers.advantages import generalised_advantages
from coolbound_controllers.networks import (
    Critics,
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
from coolbound_controllers.optimiser import Weights
from coolbound_controllers.policy import PolicyWeights
from coolbound_controllers.rollout import Rollout, World, collect
from coolbound_controllers.task import EXECUTED, Task
from coolbound_controllers.value_scale import ValueScale
from coolbound_envs.types import Key

Metrics = dict[str, Any]


class OnPolicySettings(Protocol):
    """The settings that the shared parts read."""

    @property
    def envs(self) -> int:
        """Lanes stepped side by side [1]."""
        ...

    @property
    def steps(self) -> int:
        """Control steps per lane and rollout [1]."""
        ...

    @property
    def gamma(self) -> float:
        """Discount per control step [1]."""
        ...

    @property
    def gae_lambda(self) -> float:
        """Factor of generalised advantage estimation [1]."""
        ...

    @property
    def actor_hidden(self) -> tuple[int, ...]:
        """Units of the actor's hidden layers [1]."""
        ...

    @property
    def critic_hidden(self) -> tuple[int, ...]:
        """Units of each critic's hidden layers [1]."""
        ...

    @property
    def log_std(self) -> float:
        """Log standard deviation before squashing, at the start [1]."""
        ...


class OnPolicyLearner(Protocol):
    """What of a learner a decision needs."""

    @property
    def weights(self) -> Weights:
        """All that learning moves."""
        ...

    @property
    def normaliser(self) -> Normaliser:
        """Statistics of the features."""
        ...


@struct.dataclass
class Beginning:
    """Where a learner starts from. Dynamic.

    Attributes:
        key: Source of all later random numbers.
        weights: Of the first policy and the first critics.
        scale: Mean and spread of the critics' targets.
        normaliser: Statistics of the features.
        world: Where the lanes stand.
    """

    key: Key
    weights: Weights
    scale: ValueScale
    normaliser: Normaliser
    world: World


@struct.dataclass
class Assessment:
    """What one rollout teaches. Dynamic.

    Attributes:
        inputs: Normalised features, shape (T, n, F). [1]
        start: Action before training, shape (T, n, A). [1]
        advantages: Reward first, then costs in their units, (T, n, 1 + K). [1]
        targets: What the critics' heads should say, shape (T, n, 1 + K). [1]
        scale: The value scale, moved towards the targets.
        critics: With heads that under that scale give the values of before.
    """

    inputs: jax.Array
    start: jax.Array
    advantages: jax.Array
    targets: jax.Array
    scale: ValueScale
    critics: Critics


def begin(key: Key, task: Task, settings: OnPolicySettings) -> Beginning:
    """Return the start of a learner.

    One rollout of the first policy sets the statistics of features and values;
    nothing is learned from it. Can be traced.
    """
    keys = jax.random.split(key, 5)
    actor = init_actor(
        keys[0],
        task.feature_size,
        settings.actor_hidden,
        task.action_size,
        settings.log_std,
    )
    critics = init_critics(
        keys[1], task.feature_size, settings.critic_hidden, task.cost_count
    )
    features, state = task.reset_batch(keys[2], settings.envs)
    blank = init_normaliser(task.feature_size)
    world, rollout = collect(
        keys[3], task, actor, blank, World(features, state), settings.steps
    )
    return Beginning(
        key=keys[4],
        weights=Weights(actor=actor, critics=critics),
        scale=value_scale.first_scale(rollout.signals, settings.gamma),
        normaliser=merge(blank, rollout.features),
        world=world,
    )


def assess(
    rollout: Rollout,
    critics: Critics,
    scale: ValueScale,
    normaliser: Normaliser,
    task: Task,
    settings: OnPolicySettings,
) -> Assessment:
    """Return advantages and targets of all channels.

    Statistics are those that the rollout was collected with, so that the first
    probability ratio is 1.
    """
    inputs = normalise(normaliser, rollout.features)
    finals = normalise(normaliser, rollout.final_features)
    now = value_scale.values(critics, scale, inputs)
    advantages = generalised_advantages(
        rollout.signals,
        now,
        value_scale.values(critics, scale, finals),
        rollout.terminated,
        rollout.truncated,
        settings.gamma,
        settings.gae_lambda,
    )
    targets = advantages + now
    moved = value_scale.follow(scale, targets)
    return Assessment(
        inputs=inputs,
        start=starting_action(
            jnp.asarray(task.bias, jnp.float32), rollout.features, task.action_size
        ),
        advantages=advantages,
        targets=value_scale.standardise(targets, moved),
        scale=moved,
        critics=value_scale.rescale(critics, scale, moved),
    )


def limits_in_units(task: Task) -> jax.Array:
    """Return the limits d/u as mean cost per control step, shape (K,) [1]."""
    limits = jnp.asarray(task.cost_limits, jnp.float32)
    return limits / jnp.asarray(task.cost_units, jnp.float32)


def mean_costs(rollout: Rollout) -> jax.Array:
    """Return the mean costs per control step in their units, shape (K,) [1]."""
    return jnp.mean(rollout.signals[..., 1:], axis=(0, 1))


def flatten(tree: Any) -> Any:
    """Return the tree with time and lanes, the first two axes, made one."""
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), tree)


def minibatch_rows(key: Key, samples: int, epochs: int, minibatches: int) -> jax.Array:
    """Return which samples each gradient step sees, shape (steps, samples each)."""
    # one sort of random words: half the time of `jax.random.permutation`
    words = jax.random.bits(key, (epochs, samples))
    orders = jnp.argsort(words, axis=-1)
    return orders.reshape(epochs * minibatches, samples // minibatches)


def summarise(rollout: Rollout, advantages: jax.Array, task: Task) -> Metrics:
    """Return the means of a rollout, costs in the task's own units."""
    units = jnp.asarray(task.cost_units, jnp.float32)
    found = {
        "reward": jnp.mean(rollout.signals[..., 0]),
        "costs": mean_costs(rollout) * units,
        "advantage_std": jnp.std(advantages[..., 0]),
        "terminations": jnp.mean(rollout.terminated),
    }
    return found | {
        name: jnp.mean(x.astype(jnp.float32))
        for name, x in rollout.info.items()
        if name != EXECUTED
    }


def is_finite(tree: Any) -> jax.Array:
    """Return whether no number of the tree is infinite or NaN, a bool scalar."""
    floats = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in floats]))


def deploy(learner: OnPolicyLearner, task: Task) -> PolicyWeights:
    """Return what of the learner a decision needs."""
    return PolicyWeights(
        network=learner.weights.actor.network,
        log_std=learner.weights.actor.log_std,
        bias=jnp.asarray(task.bias, jnp.float32),
        normaliser=learner.normaliser,
    )
