"""The scale of the critics' targets, kept so that their heads learn numbers near 1.

A year of cooling has values of minus hundreds, a rare trip of a thousandth. The
heads therefore learn (target - mean) / std per channel, and when mean and std
move, the head's weights are moved so that every value stays what it was.
H. van Hasselt et al., arXiv:1602.07714 (PopArt).
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.networks import Critics, Parameters, heads

RATE = 0.1
"""Weight of the newest rollout in the running mean and variance. [1]"""

STD_MIN = 1e-2
"""A channel that never moves is not blown up beyond this. [1]"""


@struct.dataclass
class ValueScale:
    """Mean and spread of the targets, reward first, then costs. Dynamic.

    Attributes:
        mean: Shape (1 + K,). [1]
        std: Shape (1 + K,). [1]
    """

    mean: jax.Array
    std: jax.Array


def first_scale(signals: jax.Array, gamma: float) -> ValueScale:
    """Return the scale that stationary signals (T, n, 1 + K) would lead to."""
    mean, var = _moments(signals)
    std = jnp.sqrt(var / (1.0 - gamma**2))
    return ValueScale(mean=mean / (1.0 - gamma), std=jnp.maximum(std, STD_MIN))


def follow(scale: ValueScale, targets: jax.Array) -> ValueScale:
    """Return the scale moved towards the targets (T, n, 1 + K) by `RATE`."""
    mean, var = _moments(targets)
    delta = mean - scale.mean
    within = (1.0 - RATE) * scale.std**2 + RATE * var
    var = within + RATE * (1.0 - RATE) * delta**2
    return ValueScale(
        mean=scale.mean + RATE * delta, std=jnp.maximum(jnp.sqrt(var), STD_MIN)
    )


def values(critics: Critics, scale: ValueScale, features: jax.Array) -> jax.Array:
    """Return values (..., 1 + K) of normalised features (..., F)."""
    raw = heads(critics, features)
    axes = tuple(range(raw.ndim - 1))
    mean, std = (jnp.expand_dims(x, axes) for x in (scale.mean, scale.std))
    return mean + std * raw


def standardise(targets: jax.Array, scale: ValueScale) -> jax.Array:
    """Return what the heads should say for targets (..., 1 + K)."""
    axes = tuple(range(targets.ndim - 1))
    mean, std = (jnp.expand_dims(x, axes) for x in (scale.mean, scale.std))
    return (targets - mean) / std


def rescale(critics: Critics, old: ValueScale, new: ValueScale) -> Critics:
    """Return critics that under the new scale give the old scale's values."""
    gain = old.std / new.std
    shift = (old.mean - new.mean) / new.std
    reward = _rescale_head(critics.reward, gain[:1], shift[:1])
    if not critics.costs:
        return Critics(reward=reward, costs=critics.costs)
    costs = _rescale_head(critics.costs, gain[1:], shift[1:])
    return Critics(reward=reward, costs=costs)


def _rescale_head(network: Parameters, gain: jax.Array, shift: jax.Array) -> Any:
    head = network["head"]
    moved = {
        "kernel": head["kernel"] * gain[None],
        "bias": head["bias"] * gain + shift,
    }
    return {**network, "head": moved}


def _moments(signals: jax.Array) -> tuple[jax.Array, jax.Array]:
    axes = tuple(range(signals.ndim - 1))
    return jnp.mean(signals, axis=axes), jnp.var(signals, axis=axes)
