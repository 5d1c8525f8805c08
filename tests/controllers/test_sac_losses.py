"""The losses of SAC-Lagrangian, against numbers worked out by hand in numpy.

Critics are made constant: with a head of zero weights their value is its bias,
so that every target and every loss has a closed form.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_controllers.distribution import log_prob
from coolbound_controllers.networks import Critics
from coolbound_controllers.sac_losses import (
    Batch,
    actor_loss,
    aggregate,
    backup,
    critic_loss,
    target_entropy,
    temperature_loss,
    value_limit,
)
from coolbound_controllers.sac_networks import (
    SacActor,
    View,
    critic_inputs,
    init_sac_actor,
    init_twins,
    propose,
)
from coolbound_controllers.sac_settings import LOG_STD_RANGE, SacSettings
from coolbound_controllers.value_scale import ValueScale

SETTINGS = SacSettings(gamma=0.9)
SCALE = ValueScale(mean=jnp.asarray([-3.0, 1.0, 0.0]), std=jnp.asarray([2.0, 0.5, 1.0]))
TWINS = np.array([[-5.0, 2.0, 0.3], [-4.0, 1.0, 0.7]])
"""Values of both critics: reward, then two costs."""
KEY = jax.random.key(3)
ROWS, FEATURES, ACTIONS = 64, 4, 3


@functools.cache
def first_actor() -> SacActor:
    return init_sac_actor(jax.random.key(0), FEATURES, (8, 8), ACTIONS, -1.0)


def constant_critics() -> Critics:
    """Twins that value everything alike, as `TWINS` says."""
    raw = (TWINS - np.asarray(SCALE.mean)) / np.asarray(SCALE.std)
    critics = init_twins(jax.random.key(1), FEATURES + ACTIONS, (8, 8), 2)

    def flatten(network: dict, bias: np.ndarray) -> dict:
        head = {
            "kernel": jnp.zeros_like(network["head"]["kernel"]),
            "bias": jnp.asarray(bias, jnp.float32),
        }
        return {**network, "head": head}

    return Critics(
        reward=flatten(dict(critics.reward), raw[:, :1]),
        costs=flatten(dict(critics.costs), raw[:, 1:]),
    )


@functools.cache
def batch() -> Batch:
    keys = jax.random.split(jax.random.key(2), 4)
    start = jnp.full((ROWS, ACTIONS), 0.5)
    now, after = (
        View(jax.random.normal(k, (ROWS, FEATURES), jnp.float32), start)
        for k in keys[:2]
    )
    return Batch(
        now=now,
        after=after,
        u=jax.random.normal(keys[2], (ROWS, ACTIONS), jnp.float32),
        signals=jax.random.normal(keys[3], (ROWS, 3), jnp.float32),
        terminated=(jnp.arange(ROWS) % 4 == 0).astype(jnp.float32),
    )


def test_critics_see_the_departure_from_the_start_action_in_first_spreads() -> None:
    """Otherwise an action that follows the state tells nothing of its effect."""
    start = jnp.asarray([[0.2, 0.5, 0.9], [0.6, 0.1, 0.3]])
    seen = View(jnp.ones((2, FEATURES)), start)
    at_start = jnp.arctanh(2.0 * start - 1.0)
    found = critic_inputs(seen, at_start, -2.5)
    np.testing.assert_array_equal(found[:, :FEATURES], 1.0)
    np.testing.assert_allclose(found[:, FEATURES:], 0.0, atol=1e-5)
    away = jnp.arctanh(2.0 * start - 1.0 + math.exp(-2.5))
    found = critic_inputs(seen, away, -2.5)[:, FEATURES:]
    np.testing.assert_allclose(found, math.asinh(1.0), rtol=1e-3)


def target(temperature: float, pessimism: float = 1.0) -> np.ndarray:
    settings = dataclasses.replace(SETTINGS, cost_pessimism=pessimism)
    alpha = jnp.float32(temperature)
    args = (batch(), first_actor(), constant_critics(), SCALE, alpha, settings)
    return np.asarray(backup(KEY, *args))


def density_after() -> np.ndarray:
    return np.asarray(propose(KEY, first_actor(), batch().after)[1])


def test_reward_target_takes_the_smaller_twin_less_the_price_of_certainty() -> None:
    """AC19: min over the reward twins, entropy in the reward backup; AC1: a trip
    does not bootstrap, all else does, being out of time included."""
    later = TWINS[:, 0].min() - 0.3 * density_after()
    alive = 1.0 - np.asarray(batch().terminated)
    expected = np.asarray(batch().signals)[:, 0] + 0.9 * alive * later
    np.testing.assert_allclose(target(0.3)[:, 0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("pessimism", "later"),
    [(1.0, TWINS[:, 1:].max(0)), (0.0, TWINS[:, 1:].mean(0))],
    ids=["larger", "mean"],
)
def test_cost_target_takes_the_larger_twin_or_the_mean_never_the_smaller(
    pessimism: float, later: np.ndarray
) -> None:
    """AC19: a cost that is under-estimated would be no constraint."""
    alive = 1.0 - np.asarray(batch().terminated)[:, None]
    expected = np.asarray(batch().signals)[:, 1:] + 0.9 * alive * later
    found = target(0.3, pessimism)[:, 1:]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_no_setting_lets_a_cost_fall_below_the_mean_of_its_twins() -> None:
    """AC19: whatever the pessimism, the answer lies between mean and larger."""
    twins = jax.random.normal(jax.random.key(5), (2, 50, 4), jnp.float32)
    mean, larger = jnp.mean(twins, 0), jnp.max(twins, 0)
    for pessimism in (0.0, 0.3, 1.0):
        found = aggregate(twins, pessimism)
        assert bool(jnp.all(found >= mean - 1e-6))
        assert bool(jnp.all(found <= larger + 1e-6))


def test_entropy_stays_out_of_the_cost_target() -> None:
    """AC19: the temperature moves the reward target and no cost target."""
    cold, hot = target(0.0), target(5.0)
    np.testing.assert_array_equal(cold[:, 1:], hot[:, 1:])
    assert np.abs(cold[:, 0] - hot[:, 0]).max() > 1.0


def loss_at(prices: np.ndarray, actor: SacActor | None = None) -> tuple:
    return actor_loss(
        actor or first_actor(),
        KEY,
        batch().now,
        constant_critics(),
        SCALE,
        jnp.float32(0.3),
        jnp.asarray(prices, jnp.float32),
        SETTINGS,
    )


@pytest.mark.parametrize("prices", [(0.0, 0.0), (2.0, 0.5), (1e6, 0.0)])
def test_actor_loss_is_divided_by_one_plus_all_prices(
    prices: tuple[float, float],
) -> None:
    """AC20: (alpha log pi - min Q0 + lam Q) / (1 + sum lam), so that a high price
    turns the objective into the cost and does not blow up the step."""
    _, density = propose(KEY, first_actor(), batch().now)
    penalty = np.asarray(prices) @ TWINS[:, 1:].max(0)
    whole = 0.3 * np.mean(density) - TWINS[:, 0].min() + penalty
    expected = whole / (1.0 + sum(prices))
    found, (log_pi, costs) = loss_at(np.asarray(prices))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(log_pi, np.mean(density), rtol=1e-6)
    np.testing.assert_allclose(costs, TWINS[:, 1:].max(0), rtol=1e-6)


def test_critic_loss_is_half_the_squared_error_of_both_twins_by_channel() -> None:
    goals = jnp.asarray([[0.5, -1.0, 2.0]]) * jnp.ones((ROWS, 1))
    raw = (TWINS - np.asarray(SCALE.mean)) / np.asarray(SCALE.std)
    expected = 0.5 * ((raw - np.asarray(goals)[:1]) ** 2).sum(0)
    found = critic_loss(constant_critics(), batch(), goals, SETTINGS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_target_entropy_is_explicit_and_minus_the_number_of_channels() -> None:
    """AC22: -dim A of an action from -1 to 1. Ours runs from 0 to 1, half as wide,
    so its entropy is log 2 less per channel; sampled here to make sure."""
    assert SacSettings().target_entropy == -1.0
    found = target_entropy(SacSettings(), 10)
    assert found == pytest.approx(-10.0 - 10.0 * math.log(2.0))
    rng = np.random.default_rng(0)
    wide = np.tanh(rng.normal(0.2, 0.3, 200_000))
    counts, edges = np.histogram(wide, 200, (-1.0, 1.0), density=True)
    kept = counts > 0
    entropy = -np.sum(counts[kept] * np.log(counts[kept])) * (edges[1] - edges[0])
    u = np.arctanh(wide)
    ours = log_prob(
        jnp.asarray(u[:, None], jnp.float32),
        jnp.full((len(u), 1), 0.2),
        jnp.full((1,), math.log(0.3)),
    )
    assert -float(jnp.mean(ours)) + math.log(2.0) == pytest.approx(entropy, abs=0.01)


@pytest.mark.parametrize(("density", "sign"), [(14.0, -1), (20.0, -1), (2.0, 1)])
def test_temperature_rises_where_the_policy_is_more_certain_than_its_target(
    density: float, sign: int
) -> None:
    """AC22: minimise -alpha (log pi + H_target), nothing but alpha moving."""
    aim = target_entropy(SETTINGS, ACTIONS)
    slope = jax.grad(temperature_loss)(jnp.log(0.5), jnp.float32(density), aim)
    assert float(slope) == pytest.approx(-0.5 * (density + aim), rel=1e-5)
    assert np.sign(slope) == sign
    at_target = jax.grad(temperature_loss)(jnp.log(0.5), jnp.float32(-aim), aim)
    assert float(at_target) == pytest.approx(0.0, abs=1e-6)


def far_actor(mean: float, log_std: float) -> SacActor:
    """An actor that proposes u = mean with this spread in every state."""
    lower, upper = LOG_STD_RANGE
    share = (log_std - lower) / (upper - lower)
    actor = first_actor()

    def fix(network: dict, bias: float) -> dict:
        head = network["head"]
        blank = jnp.zeros_like(head["kernel"])
        filled = jnp.full_like(head["bias"], bias)
        return {**network, "head": {"kernel": blank, "bias": filled}}

    logit = math.log(share / (1.0 - share))
    return SacActor(fix(dict(actor.network), mean), fix(dict(actor.spread), logit))


@pytest.mark.parametrize("mean", [-12.0, -8.0, 0.0, 8.0, 12.0])
def test_log_density_of_a_proposal_is_right_where_the_action_has_saturated(
    mean: float,
) -> None:
    """AC5: from u, against float64 to |u| = 12; the action itself is 0 or 1."""
    u, density = propose(KEY, far_actor(mean, -1.5), batch().now)
    wide = np.asarray(u, np.float64)
    z = (wide - mean) / np.exp(-1.5)
    slope = np.log(2.0) - 2.0 * wide - 2.0 * np.logaddexp(0.0, -2.0 * wide)
    normal = -0.5 * z**2 - 0.5 * np.log(2.0 * np.pi) + 1.5
    expected = np.sum(normal - slope, axis=-1)
    np.testing.assert_allclose(density, expected, atol=2e-3)


@pytest.mark.parametrize("mean", [-20.0, 20.0])
def test_gradients_are_finite_far_out(mean: float) -> None:
    """AC5: finite at |u| = 20."""
    grads = jax.grad(lambda actor: loss_at(np.ones(2), actor)[0])(far_actor(mean, -1.5))
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(grads))


def test_a_limit_becomes_the_value_that_it_allows() -> None:
    """AC21: d_ep (1 - g^T) / (1 - g) / T, against the sum itself."""
    gamma, steps, episode = 0.97, 40, 12.0
    rate = episode / steps
    whole = sum(rate * gamma**t for t in range(steps))
    assert value_limit(rate, gamma, steps) == pytest.approx(whole)
    assert value_limit(rate, gamma) == pytest.approx(rate / (1.0 - gamma))
