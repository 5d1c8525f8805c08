"""The multipliers: a PID controller, replayed in plain numpy."""

import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.lagrangian import Pricing, init_multipliers, pricing, reprice
from coolbound_envs.tables import InputError

LIMIT = np.array([1.0, 0.2, 0.0])
SETTINGS = Pricing(
    proportional=(0.5, 0.0, 1.0),
    integral=(0.1, 0.3, 0.02),
    derivative=(2.0, 0.0, 0.7),
    integrator_max=0.8,
    error_smoothing=0.7,
    cost_smoothing=0.6,
    delay=3,
)


def replay(costs: np.ndarray, settings: Pricing) -> np.ndarray:
    """Every multiplier after every cost, in float64, straight from the equations."""
    kp, ki, kd = map(
        np.array, (settings.proportional, settings.integral, settings.derivative)
    )
    integrator = np.zeros(costs.shape[1])
    error, smooth, past, found = costs[0] - LIMIT, costs[0], [], []
    for cost in costs:
        e = cost - LIMIT
        integrator = np.clip(integrator + ki * e, 0.0, settings.integrator_max)
        error = settings.error_smoothing * error + (1 - settings.error_smoothing) * e
        smooth = settings.cost_smoothing * smooth + (1 - settings.cost_smoothing) * cost
        past.append(smooth)
        rise = np.maximum(0.0, smooth - past[max(0, len(past) - 1 - settings.delay)])
        found.append(np.maximum(0.0, kp * error + integrator + kd * rise))
    return np.array(found)


def run(costs: np.ndarray, settings: Pricing) -> np.ndarray:
    multipliers, found = init_multipliers(settings), []
    limit = jnp.asarray(LIMIT, jnp.float32)
    for cost in costs:
        multipliers = reprice(
            multipliers, jnp.asarray(cost, jnp.float32), limit, settings
        )
        found.append(multipliers.value)
    return np.array(found)


def costs_of(seed: int) -> np.ndarray:
    return np.abs(np.random.default_rng(seed).normal(0.6, 0.8, (80, 3)))


@pytest.mark.parametrize("seed", range(3))
def test_multipliers_equal_the_plain_replay(seed: int) -> None:
    costs = costs_of(seed)
    np.testing.assert_allclose(run(costs, SETTINGS), replay(costs, SETTINGS), atol=2e-6)


def test_without_p_and_d_prices_are_projected_gradient_ascent() -> None:
    settings = Pricing((0.0,) * 3, (0.1,) * 3, (0.0,) * 3, 1e6, 0.7, 0.6, 3)
    costs, price, expected = costs_of(7), np.zeros(3), []
    for cost in costs:
        price = np.maximum(0.0, price + 0.1 * (cost - LIMIT))
        expected.append(price)
    np.testing.assert_allclose(run(costs, settings), expected, rtol=1e-5, atol=1e-6)


def test_integrator_is_capped_and_so_recovers_at_once() -> None:
    settings = Pricing((0.0,) * 3, (0.1,) * 3, (0.0,) * 3, 0.5, 0.7, 0.6, 1)
    costs = np.concatenate([np.full((100, 3), 9.0), np.zeros((10, 3))])
    found = run(costs, settings)
    np.testing.assert_allclose(found[99], 0.5)
    assert found[-1, 0] == 0.0


def test_the_first_measurement_has_no_derivative() -> None:
    settings = Pricing((0.0,) * 3, (0.0,) * 3, (5.0,) * 3, 1.0, 0.7, 0.6, 1)
    assert not run(np.full((4, 3), 8.0), settings).any()


def test_one_gain_serves_all_constraints_and_a_wrong_count_is_refused() -> None:
    assert pricing(Hyperparameters(integral=(0.1,)), 3).integral == (0.1, 0.1, 0.1)
    with pytest.raises(InputError, match=r"integral: found 2 gains, expected 1 or 3"):
        pricing(Hyperparameters(integral=(0.1, 0.2)), 3)
