"""The curvature of the policy's divergence, as products with vectors.

    H v = J' (M (J v)) / N + damping v

J is the derivative of the policy's Gaussian, mean and log standard deviation,
by its weights, M its Fisher information: 1 / std^2 and 2. At the old policy H
without damping is the Hessian of the mean KL divergence, whose first derivative
by the Gaussian vanishes there, and never has a negative eigenvalue. Squashing
is one to one and leaves a KL divergence as it was, so that of the underlying
Gaussians is exact. J. Martens, arXiv:1412.1193, section 9.
"""

from collections.abc import Callable
from typing import Final

import jax
import jax.numpy as jnp

from coolbound_controllers.networks import Actor, action_mean

Product = Callable[[jax.Array], jax.Array]

CONVERGED: Final = 1e-12
"""Squared residual, as a share of the first, below which a solution rests. [1]"""


def divergence(
    old_mean: jax.Array,
    old_log_std: jax.Array,
    new_mean: jax.Array,
    new_log_std: jax.Array,
) -> jax.Array:
    """Return KL(old || new) of the Gaussians before squashing, shape (...) in nats.

    Args:
        old_mean: Shape (..., A).
        old_log_std: Shape (A,).
        new_mean: Shape (..., A).
        new_log_std: Shape (A,).
    """
    old, new = (jnp.broadcast_to(x, old_mean.shape) for x in (old_log_std, new_log_std))
    shift = (old_mean - new_mean) * jnp.exp(-new)
    terms = new - old + 0.5 * (jnp.exp(2.0 * (old - new)) + shift**2 - 1.0)
    return jnp.sum(terms, axis=-1)


def fisher_product(
    unravel: Callable[[jax.Array], Actor],
    flat: jax.Array,
    inputs: jax.Array,
    start: jax.Array,
    damping: float,
) -> Product:
    """Return the function v -> H v of vectors (P,), linear, to be mapped over many.

    Args:
        unravel: Turns a vector of weights into the actor.
        flat: The old policy's weights, shape (P,).
        inputs: Normalised features, shape (N, F).
        start: Action before training, shape (N, A).
        damping: Added to every eigenvalue. [1]
    """

    def gaussian(weights: jax.Array) -> tuple[jax.Array, jax.Array]:
        actor = unravel(weights)
        return action_mean(actor.network, inputs, start), actor.log_std

    (mean, log_std), push = jax.linearize(gaussian, flat)
    pull = jax.linear_transpose(push, flat)
    precision = jnp.broadcast_to(jnp.exp(-2.0 * log_std), mean.shape)
    precision = precision / mean.shape[0]

    def product(vector: jax.Array) -> jax.Array:
        mean_slope, log_std_slope = push(vector)
        (found,) = pull((precision * mean_slope, 2.0 * log_std_slope))
        return found + damping * vector

    return product


def conjugate_gradient(
    product: Product, targets: jax.Array, steps: int
) -> tuple[jax.Array, jax.Array]:
    """Return solutions of H x = target, shape (m, P), and their residuals (m,).

    All targets are solved side by side. A residual is |target - H x| / |target|,
    0 where the target is 0.

    Args:
        product: v -> H v, H positive definite.
        targets: Right-hand sides, shape (m, P).
        steps: Conjugate directions of each. [1]
    """
    first = jnp.sum(targets**2, axis=-1)
    products = jax.vmap(product)

    def step(_: int, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        solution, residual, direction, square = state
        curved = products(direction)
        is_open = square > CONVERGED * first
        along = _share(square, jnp.sum(direction * curved, axis=-1), is_open)
        solution = solution + along[:, None] * direction
        residual = residual - along[:, None] * curved
        left = jnp.sum(residual**2, axis=-1)
        turn = _share(left, square, is_open)
        return solution, residual, residual + turn[:, None] * direction, left

    state = (jnp.zeros_like(targets), targets, targets, first)
    solution, *_ = jax.lax.fori_loop(0, steps, step, state)
    rest = jnp.linalg.norm(targets - products(solution), axis=-1)
    return solution, _share(rest, jnp.sqrt(first), first > 0.0)


def _share(part: jax.Array, whole: jax.Array, is_meant: jax.Array) -> jax.Array:
    return jnp.where(is_meant, part / jnp.where(is_meant, whole, 1.0), 0.0)
