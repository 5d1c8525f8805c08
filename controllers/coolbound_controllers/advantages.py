"""Advantages of the reward and of every cost, and how they are mixed.

    delta_t = x_t + g (1 - term_t) V(s'_t) - V(s_t)
    A_t     = delta_t + g l (1 - term_t)(1 - trunc_t) A_{t+1}
    target  = A + V

    Ar = (A^0 - mean) / (std + 1e-8)     Ac_k = A^k - mean
    A  = (Ar - sum_k lam_k Ac_k) / (1 + sum_k lam_k)

x^0 is the reward, x^k cost k divided by its unit, s' the true next state
before any reset. Being out of time bootstraps, a trip does not. Cost
advantages are centred and never divided by their own spread, which would undo
the multiplier. J. Schulman et al., arXiv:1506.02438; A. Ray et al.,
Benchmarking Safe Exploration in Deep RL (2019).
"""

import jax
import jax.numpy as jnp


def generalised_advantages(
    signals: jax.Array,
    values: jax.Array,
    next_values: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    gamma: float,
    gae_lambda: float,
) -> jax.Array:
    """Return advantages of all channels at once, shape (T, n, C).

    Args:
        signals: Reward and costs, shape (T, n, C).
        values: Of each step's state, shape (T, n, C).
        next_values: Of the true next state, shape (T, n, C).
        terminated: 1 where the plant tripped, float, shape (T, n).
        truncated: 1 where time was up, float, shape (T, n).
        gamma: Discount per step. [1]
        gae_lambda: 0 trusts the critic, 1 the returns. [1]
    """
    alive = 1.0 - terminated
    going_on = gamma * gae_lambda * alive * (1.0 - truncated)
    delta = signals + gamma * alive[..., None] * next_values - values

    def back(later: jax.Array, row: tuple[jax.Array, jax.Array]):
        delta_t, going_on_t = row
        advantage = delta_t + going_on_t[:, None] * later
        return advantage, advantage

    start = jnp.zeros_like(delta[0])
    return jax.lax.scan(back, start, (delta, going_on), reverse=True)[1]


def centre(advantages: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the standardised reward (...) and the centred costs (..., K).

    Args:
        advantages: Reward first, then K costs, shape (..., 1 + K).
    """
    reward, costs = advantages[..., 0], advantages[..., 1:]
    standard = (reward - jnp.mean(reward)) / (jnp.std(reward) + 1e-8)
    axes = tuple(range(costs.ndim - 1))
    return standard, costs - jnp.mean(costs, axis=axes, keepdims=True)


def mix(advantages: jax.Array, multipliers: jax.Array) -> jax.Array:
    """Return the one advantage that the policy climbs, shape (...).

    Args:
        advantages: Reward first, then K costs, shape (..., 1 + K).
        multipliers: Price of each cost, shape (K,).
    """
    standard, centred = centre(advantages)
    axes = tuple(range(centred.ndim - 1))
    penalty = jnp.sum(centred * jnp.expand_dims(multipliers, axes), axis=-1)
    return (standard - penalty) / (1.0 + jnp.sum(multipliers))
