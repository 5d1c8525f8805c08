"""The squashed Gaussian, against float64 and against quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_controllers.distribution import entropy, log_prob, squash, unsquash


def plain_log_prob(u: np.ndarray, mean: np.ndarray, log_std: np.ndarray) -> np.ndarray:
    """Float64: log N(u) minus log of d sigmoid(2u)/du, written out."""
    z = (u - mean) / np.exp(log_std)
    slope = np.log(2.0) - np.logaddexp(0.0, -2.0 * u) - np.logaddexp(0.0, 2.0 * u)
    return (-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_std - slope).sum(-1)


def test_log_probability_equals_float64_out_to_twelve() -> None:
    u = np.linspace(-12.0, 12.0, 97)[:, None] * np.array([1.0, -0.5])
    mean, log_std = 0.9 * u, np.array([-0.3, 0.4])
    found = log_prob(*(jnp.asarray(x, jnp.float32) for x in (u, mean, log_std)))
    np.testing.assert_allclose(found, plain_log_prob(u, mean, log_std), atol=1e-4)


def test_density_over_the_unit_interval_integrates_to_one() -> None:
    u = jnp.linspace(-6.0, 6.0, 4001)[:, None]
    mean, log_std = jnp.full_like(u, 0.3), jnp.asarray([-0.7])
    density = np.exp(np.asarray(log_prob(u, mean, log_std), np.float64))
    share = np.asarray(squash(u)[:, 0], np.float64)
    assert np.trapezoid(density, share) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("far", [-20.0, 20.0])
def test_gradients_are_finite_far_out(far: float) -> None:
    u, log_std = jnp.full((1, 2), far), jnp.zeros((2,))
    for function in (log_prob, entropy):
        grads = jax.grad(lambda m, s, f=function: jnp.sum(f(u, m, s)), (0, 1))(
            u - 1.0, log_std
        )
        assert all(bool(jnp.isfinite(g).all()) for g in grads)


def test_entropy_estimate_and_its_gradient_have_the_right_mean() -> None:
    """Against quadrature in float64 of -p log p over the action."""
    log_std = -0.5

    def plain(log_std: float) -> float:
        u = np.linspace(-8.0, 8.0, 20001)[:, None]
        log_p = plain_log_prob(u, np.full_like(u, 0.4), np.array([log_std]))
        share = 1.0 / (1.0 + np.exp(-2.0 * u[:, 0]))
        return float(-np.trapezoid(np.exp(log_p) * log_p, share))

    noise = jax.random.normal(jax.random.key(0), (200_000, 1), jnp.float32)
    mean = jnp.full_like(noise, 0.4)
    u = mean + jnp.exp(jnp.float32(log_std)) * noise

    def estimate(value: jax.Array) -> jax.Array:
        return jnp.mean(entropy(u, mean, value))

    found, grad = jax.value_and_grad(estimate)(jnp.full((1,), log_std, jnp.float32))
    slope = (plain(log_std + 1e-3) - plain(log_std - 1e-3)) / 2e-3
    assert float(found) == pytest.approx(plain(log_std), abs=0.01)
    assert float(grad[0]) == pytest.approx(slope, abs=0.02)


def test_bias_is_the_mean_action_and_stays_off_the_ends() -> None:
    unit = jnp.asarray([0.0, 0.2, 0.5, 0.9, 1.0])
    found = squash(unsquash(unit))
    np.testing.assert_allclose(found, [0.01, 0.2, 0.5, 0.9, 0.99], atol=1e-5)
