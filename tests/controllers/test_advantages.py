"""Advantages: against plain references, and what the mixture promises."""

import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_controllers.advantages import generalised_advantages, mix

GAMMA, LAMBDA = 0.97, 0.9


def plain_advantages(
    x: np.ndarray,
    v: np.ndarray,
    v_next: np.ndarray,
    term: np.ndarray,
    trunc: np.ndarray,
) -> np.ndarray:
    """The defining double sum, O(T^2), for one lane and one channel, float64."""
    steps = len(x)
    found = np.zeros(steps)
    for t in range(steps):
        weight = 1.0
        for j in range(t, steps):
            found[t] += weight * (x[j] + GAMMA * (1 - term[j]) * v_next[j] - v[j])
            if term[j] or trunc[j]:
                break
            weight *= GAMMA * LAMBDA
    return found


@pytest.mark.parametrize("seed", range(5))
def test_advantages_equal_the_double_sum_on_all_channels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps, lanes, channels = 60, 4, 5
    x, v, v_next = rng.normal(size=(3, steps, lanes, channels))
    term, trunc = rng.random((2, steps, lanes)) < 0.1
    on_device = [jnp.asarray(a, jnp.float32) for a in (x, v, v_next, term, trunc)]
    signals, values, next_values, terminated, truncated = on_device
    found = generalised_advantages(
        signals, values, next_values, terminated, truncated, GAMMA, LAMBDA
    )
    for lane in range(lanes):
        for c in range(channels):
            plain = plain_advantages(
                x[:, lane, c],
                v[:, lane, c],
                v_next[:, lane, c],
                term[:, lane],
                trunc[:, lane],
            )
            np.testing.assert_allclose(found[:, lane, c], plain, atol=1e-5)


def test_zero_prices_leave_the_standardised_reward_advantage() -> None:
    raw = np.random.default_rng(0).normal(3.0, 7.0, (50, 4, 3))
    found = mix(jnp.asarray(raw, jnp.float32), jnp.zeros((2,)))
    reward = raw[..., 0]
    expected = (reward - reward.mean()) / reward.std()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_high_prices_leave_the_weighted_cost_advantages() -> None:
    raw = np.random.default_rng(0).normal(3.0, 7.0, (50, 4, 3))
    prices = np.array([1e6, 3e6])
    found = mix(jnp.asarray(raw, jnp.float32), jnp.asarray(prices, jnp.float32))
    centred = raw[..., 1:] - raw[..., 1:].mean(axis=(0, 1))
    expected = -(centred * prices).sum(-1) / prices.sum()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_cost_advantages_keep_their_spread() -> None:
    """Doubling a cost doubles its pull; standardising it would hide that."""
    raw = np.random.default_rng(0).normal(size=(50, 4, 2)).astype(np.float32)
    louder = raw * np.array([1.0, 2.0], np.float32)
    at_one, at_two = (mix(jnp.asarray(x), jnp.ones((1,))) for x in (raw, louder))
    reward = mix(jnp.asarray(raw), jnp.zeros((1,)))
    np.testing.assert_allclose(
        2 * at_two - reward, 2 * (2 * at_one - reward), atol=1e-4
    )
