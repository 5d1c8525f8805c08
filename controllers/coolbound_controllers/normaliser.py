"""Running mean and variance of the features, merged by Chan's formula.

Chan, Golub and LeVeque, Am. Stat. 37 (1983) 242, eq. 2.1. The statistics stay
frozen from the start of a rollout to the end of its update, and for good once
the policy is deployed.
"""

import jax
import jax.numpy as jnp
from flax import struct

VARIANCE_MIN = 1e-6
"""Below this a feature counts as constant. [square of the feature's unit]"""

NORMALISED_MAX = 5.0
"""Normalised features are cut off here: a stuck sensor stays a bounded input. [1]"""


@struct.dataclass
class Normaliser:
    """Statistics of every raw feature. Dynamic.

    Attributes:
        count: Samples behind the statistics. [1]
        mean: Mean, shape (F,). [each feature's unit]
        variance: Population variance, shape (F,). [square of the feature's unit]
    """

    count: jax.Array
    mean: jax.Array
    variance: jax.Array


def init_normaliser(size: int) -> Normaliser:
    """Return the statistics of no sample: normalising changes nothing."""
    return Normaliser(
        count=jnp.zeros((), jnp.float32),
        mean=jnp.zeros((size,), jnp.float32),
        variance=jnp.ones((size,), jnp.float32),
    )


def merge(normaliser: Normaliser, samples: jax.Array) -> Normaliser:
    """Return the statistics with the samples, shape (..., F), added."""
    rows = samples.reshape(-1, samples.shape[-1])
    new = jnp.float32(rows.shape[0])
    count = normaliser.count + new
    share = new / count
    mean = jnp.mean(rows, axis=0)
    delta = mean - normaliser.mean
    within = (1.0 - share) * normaliser.variance + share * jnp.var(rows, axis=0)
    return Normaliser(
        count=count,
        mean=normaliser.mean + share * delta,
        variance=within + share * (1.0 - share) * delta**2,
    )


def normalise(normaliser: Normaliser, features: jax.Array) -> jax.Array:
    """Return features (..., F) with mean 0 and variance 1, cut off at +-5."""
    scale = jax.lax.rsqrt(jnp.maximum(normaliser.variance, VARIANCE_MIN))
    axes = tuple(range(features.ndim - 1))
    mean, scale = (jnp.expand_dims(x, axes) for x in (normaliser.mean, scale))
    return jnp.clip((features - mean) * scale, -NORMALISED_MAX, NORMALISED_MAX)
