"""SAC's actor, whose spread depends on the state, and its twin critics.

The mean is the same departure from a start action as everywhere else, so that
the mean's network alone is the policy that is deployed. The spread has a
network of its own.

    log_std = lower + (upper - lower) sigmoid(spread(s))
"""

import math

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers import value_scale
from coolbound_controllers.distribution import log_prob, squash
from coolbound_controllers.networks import (
    ACTOR_HEAD_SCALE,
    Critics,
    Parameters,
    Perceptron,
    action_mean,
    init_actor,
    init_critics,
    sizes,
    starting_action,
)
from coolbound_controllers.normaliser import Normaliser, normalise
from coolbound_controllers.sac_settings import LOG_STD_RANGE
from coolbound_controllers.task import Task
from coolbound_controllers.value_scale import ValueScale
from coolbound_envs.types import Key


@struct.dataclass
class View:
    """A state as the networks see it, any leading axes. Dynamic.

    Attributes:
        inputs: Normalised features, shape (..., F). [1]
        start: Action before training, shape (..., A). [1]
    """

    inputs: jax.Array
    start: jax.Array


@struct.dataclass
class SacActor:
    """The policy's weights while it is trained. Dynamic.

    Attributes:
        network: Perceptron of the mean; what is deployed.
        spread: Perceptron of the log standard deviation.
    """

    network: Parameters
    spread: Parameters


def view(features: jax.Array, normaliser: Normaliser, task: Task) -> View:
    """Return what the networks see of raw features (..., F)."""
    bias = jnp.asarray(task.bias, jnp.float32)
    return View(
        inputs=normalise(normaliser, features),
        start=starting_action(bias, features, task.action_size),
    )


def init_sac_actor(
    key: Key, features: int, hidden: tuple[int, ...], actions: int, log_std: float
) -> SacActor:
    """Return the first policy: the start action, equally spread everywhere."""
    mean_key, spread_key = jax.random.split(key)
    mean = init_actor(mean_key, features, hidden, actions, log_std).network
    spread = init_actor(spread_key, features, hidden, actions, log_std).network
    lower, upper = LOG_STD_RANGE
    share = (log_std - lower) / (upper - lower)
    bias = jnp.full((actions,), math.log(share / (1.0 - share)), jnp.float32)
    head = {**spread["head"], "bias": bias}
    return SacActor(network=mean, spread={**spread, "head": head})


def init_twins(key: Key, inputs: int, hidden: tuple[int, ...], costs: int) -> Critics:
    """Return two critics of the reward and of each cost, twins on the first axis."""
    twins = [init_critics(k, inputs, hidden, costs) for k in jax.random.split(key)]
    return jax.tree.map(lambda *pair: jnp.stack(pair), *twins)


def policy(actor: SacActor, view: View) -> tuple[jax.Array, jax.Array]:
    """Return mean and log standard deviation before squashing, each (..., A)."""
    hidden, size = sizes(actor.spread)
    raw = Perceptron(hidden, size, ACTOR_HEAD_SCALE).apply(
        {"params": actor.spread}, view.inputs
    )
    assert isinstance(raw, jax.Array)  # linen types `apply` as returning anything
    lower, upper = LOG_STD_RANGE
    log_std = lower + (upper - lower) * jax.nn.sigmoid(raw)
    return action_mean(actor.network, view.inputs, view.start), log_std


def propose(key: Key, actor: SacActor, view: View) -> tuple[jax.Array, jax.Array]:
    """Return u (..., A), differentiable, and its log density, shape (...)."""
    mean, log_std = policy(actor, view)
    u = mean + jnp.exp(log_std) * jax.random.normal(key, mean.shape, jnp.float32)
    return u, log_prob(u, mean, log_std)


def critic_inputs(view: View, u: jax.Array, log_std: float) -> jax.Array:
    """Return what a critic sees: features, and how far the action departs.

    The start action follows the state, so that with the action itself a critic
    could not tell the one's effect from the other's. The departure is counted
    in first spreads, and beyond a few of them logarithmically.

    Args:
        view: The state.
        u: Proposed action before squashing, shape (..., A).
        log_std: Log standard deviation of the first policy. [1]
    """
    departure = 2.0 * (squash(u) - view.start) * math.exp(-log_std)
    return jnp.concatenate([view.inputs, jnp.arcsinh(departure)], axis=-1)


def twin_values(
    critics: Critics, scale: ValueScale, view: View, u: jax.Array, log_std: float
) -> jax.Array:
    """Return values (2, ..., 1 + K) of proposed actions: reward, then costs."""
    seen = critic_inputs(view, u, log_std)
    return jax.vmap(lambda one: value_scale.values(one, scale, seen))(critics)
