"""The actor and the critics: small separate perceptrons.

The reward critic and the cost critic share no weight, so that costs cannot
reach the policy except through their multipliers: with every multiplier at
zero the learner is PPO.
"""

import math
from collections.abc import Mapping
from typing import Any, final

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from coolbound_controllers.distribution import unsquash

Parameters = Mapping[str, Any]

ACTOR_HEAD_SCALE = 0.01
"""A near-zero head makes the first policy the bias, everywhere. [1]"""


@final
class Perceptron(nn.Module):
    """Tanh layers with orthogonal weights and a linear head. Static.

    Attributes:
        hidden: Units of each hidden layer. [1]
        size: Outputs. [1]
        head_scale: Gain of the head's first weights. [1]
    """

    hidden: tuple[int, ...]
    size: int
    head_scale: float

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Return outputs (..., size) of inputs (..., F)."""
        for i, units in enumerate(self.hidden):
            gain = nn.initializers.orthogonal(math.sqrt(2.0))
            inputs = nn.tanh(
                nn.Dense(units, kernel_init=gain, name=f"layer{i}")(inputs)
            )
        gain = nn.initializers.orthogonal(self.head_scale)
        return nn.Dense(self.size, kernel_init=gain, name="head")(inputs)


@struct.dataclass
class Actor:
    """The policy's weights. Dynamic.

    Attributes:
        network: Weights of the perceptron.
        log_std: Log standard deviation before squashing, shape (A,). [1]
    """

    network: Parameters
    log_std: jax.Array


@struct.dataclass
class Critics:
    """The value functions' weights. Dynamic.

    Attributes:
        reward: Weights of the reward critic, one head.
        costs: Weights of the cost critic, K heads; empty where K = 0.
    """

    reward: Parameters
    costs: Parameters


def init_actor(
    key: jax.Array, features: int, hidden: tuple[int, ...], actions: int, log_std: float
) -> Actor:
    """Return the first policy's weights."""
    module = Perceptron(hidden, actions, ACTOR_HEAD_SCALE)
    network = module.init(key, jnp.zeros((1, features), jnp.float32))["params"]
    return Actor(network=network, log_std=jnp.full((actions,), log_std, jnp.float32))


def init_critics(
    key: jax.Array, features: int, hidden: tuple[int, ...], costs: int
) -> Critics:
    """Return the first critics' weights for one reward and `costs` costs."""
    reward_key, cost_key = jax.random.split(key)
    example = jnp.zeros((1, features), jnp.float32)
    reward = Perceptron(hidden, 1, 1.0).init(reward_key, example)["params"]
    if costs == 0:
        return Critics(reward=reward, costs={})
    cost = Perceptron(hidden, costs, 1.0).init(cost_key, example)["params"]
    return Critics(reward=reward, costs=cost)


def action_mean(network: Parameters, features: jax.Array, bias: jax.Array) -> jax.Array:
    """Return the mean before squashing, shape (..., A).

    Args:
        network: The actor's perceptron.
        features: Normalised, shape (..., F).
        bias: Mean action before training, shape (..., A), 0 to 1.
    """
    hidden, size = sizes(network)
    raw = Perceptron(hidden, size, ACTOR_HEAD_SCALE).apply(
        {"params": network}, features
    )
    assert isinstance(raw, jax.Array)  # linen types `apply` as returning anything
    return raw + jnp.broadcast_to(unsquash(bias), raw.shape)


def starting_action(bias: jax.Array, features: jax.Array, size: int) -> jax.Array:
    """Return the action before training, shape (..., A), shares of the range.

    Args:
        bias: One action for every state, shape (A,), or empty, shape (0,):
            then the last A raw features are the starting action.
        features: Raw, shape (..., F).
        size: A, channels of an action.
    """
    if bias.shape[0] == 0:
        return features[..., -size:]
    return jnp.broadcast_to(bias, (*features.shape[:-1], size))


def heads(critics: Critics, features: jax.Array) -> jax.Array:
    """Return the critics' raw outputs (..., 1 + K): reward first, then costs."""
    found = [_evaluate(critics.reward, features)]
    if critics.costs:
        found.append(_evaluate(critics.costs, features))
    return jnp.concatenate(found, axis=-1)


def sizes(network: Parameters) -> tuple[tuple[int, ...], int]:
    """Return the hidden units and the outputs that the weights imply."""
    layers = len(network) - 1
    hidden = tuple(network[f"layer{i}"]["kernel"].shape[1] for i in range(layers))
    return hidden, network["head"]["kernel"].shape[1]


def _evaluate(network: Parameters, features: jax.Array) -> jax.Array:
    hidden, size = sizes(network)
    found = Perceptron(hidden, size, 1.0).apply({"params": network}, features)
    assert isinstance(found, jax.Array)
    return found
