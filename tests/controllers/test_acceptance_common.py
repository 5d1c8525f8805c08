"""Acceptance of what all learners share, where no other file tests it."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learner_tasks import SMALL, drift_task

from coolbound_controllers.advantages import generalised_advantages
from coolbound_controllers.distribution import log_prob
from coolbound_controllers.networks import (
    Critics,
    action_mean,
    init_actor,
    init_critics,
)
from coolbound_controllers.normaliser import merge
from coolbound_controllers.on_policy import Beginning, assess, begin
from coolbound_controllers.optimiser import Weights, apply_gradients, init_optimiser
from coolbound_controllers.ppo import Batch, loss
from coolbound_controllers.rollout import Rollout, collect

TASK = drift_task(offset=3000.0)


@pytest.mark.parametrize("gamma", [0.9, 0.99, 0.999])
@pytest.mark.parametrize("horizon", [8, 96])
def test_the_right_value_of_a_constant_cost_is_a_fixed_point(
    gamma: float, horizon: int
) -> None:
    """AC1: cost 1 in every step, cut every T; 1 / (1 - g) has no advantage left.

    With a trip instead of the cut the last step misses all that would follow.
    """
    steps = 3 * horizon
    shape = (steps, 1, 1)
    right = jnp.full(shape, 1.0 / (1.0 - gamma))
    ends = (jnp.arange(1, steps + 1) % horizon == 0).astype(jnp.float32)[:, None]
    never = jnp.zeros_like(ends)
    cost = jnp.ones(shape)
    cut = generalised_advantages(cost, right, right, never, ends, gamma, 0.95)
    np.testing.assert_allclose(cut, 0.0, atol=2e-3)
    trip = generalised_advantages(cost, right, right, ends, never, gamma, 0.95)
    missed = -gamma / (1.0 - gamma)
    np.testing.assert_allclose(trip[horizon - 1 :: horizon, 0, 0], missed, rtol=1e-4)


@functools.cache
def beginning() -> tuple[Beginning, Rollout]:
    first = begin(jax.random.key(0), TASK, SMALL)
    actor, normaliser = first.weights.actor, first.normaliser
    _, rollout = collect(
        jax.random.key(1), TASK, actor, normaliser, first.world, SMALL.steps
    )
    return first, rollout


def test_what_learns_sees_the_inputs_that_the_rollout_saw() -> None:
    """AC3: statistics stay frozen, so that log densities of the rollout come back."""
    first, rollout = beginning()
    weights, normaliser = first.weights, first.normaliser
    seen = assess(rollout, weights.critics, first.scale, normaliser, TASK, SMALL)
    mean = action_mean(weights.actor.network, seen.inputs, seen.start)
    again = log_prob(rollout.u, mean, weights.actor.log_std)
    np.testing.assert_allclose(jnp.exp(again - rollout.log_prob), 1.0, atol=1e-5)
    assert float(jnp.abs(seen.inputs).max()) <= 5.0
    # and they would not with the statistics of afterwards
    later = merge(normaliser, 1.5 * rollout.features)
    other = assess(rollout, weights.critics, first.scale, later, TASK, SMALL)
    assert float(jnp.abs(other.inputs - seen.inputs).max()) > 0.1


def test_statistics_are_fed_each_raw_observation_once() -> None:
    """AC3: the first rollout's features, before any normalising or reset."""
    first, _ = beginning()
    assert float(first.normaliser.count) == SMALL.steps_per_update
    assert float(first.normaliser.mean[0]) > 1000.0


def test_first_weights_are_orthogonal_and_the_policy_starts_at_its_bias() -> None:
    """AC4: gain sqrt(2) in hidden layers, 0.01 in the policy's head, 1 in values'."""
    actor = init_actor(jax.random.key(0), 20, (16, 12), 4, -1.0)
    critics = init_critics(jax.random.key(1), 20, (16, 12), 3)
    heads = ((actor.network, 1e-4), (critics.reward, 1.0), (critics.costs, 1.0))
    for network, head_gain in heads:
        gains = {"layer0": 2.0, "layer1": 2.0, "head": head_gain}
        for name, gain in gains.items():
            kernel = np.asarray(network[name]["kernel"], np.float64)
            gram = kernel.T @ kernel
            np.testing.assert_allclose(gram, gain * np.eye(len(gram)), atol=1e-5)
            assert not np.asarray(network[name]["bias"]).any()
    mean = action_mean(actor.network, jnp.ones((1, 20)), jnp.full((1, 4), 0.5))
    assert float(jnp.abs(mean).max()) < 0.1


def plain_adam(grads: list[np.ndarray], rate: float) -> np.ndarray:
    """The summed steps of Adam on gradients clipped by their global norm."""
    first = second = moved = np.zeros_like(grads[0])
    for count, grad in enumerate(grads, start=1):
        clipped = grad * min(1.0, SMALL.gradient_norm / np.linalg.norm(grad))
        first = 0.9 * first + 0.1 * clipped
        second = 0.999 * second + 0.001 * clipped**2
        mean, square = first / (1 - 0.9**count), second / (1 - 0.999**count)
        moved = moved - rate * mean / (np.sqrt(square) + 1e-5)
    return moved


def test_each_part_is_clipped_by_its_own_global_norm_and_stepped_by_adam() -> None:
    """AC4: against Adam written out, eps 1e-5; a huge part shortens no other."""
    rng = np.random.default_rng(0)
    sizes = {"actor": 0.01, "reward": 3.0, "costs": 1e6}
    grads = {
        name: [size * rng.normal(size=7) for _ in range(3)]
        for name, size in sizes.items()
    }

    def tree(values: dict[str, np.ndarray]) -> Weights:
        on_device = {k: jnp.asarray(v, jnp.float32) for k, v in values.items()}
        critics = Critics({"w": on_device["reward"]}, {"w": on_device["costs"]})
        return Weights(on_device["actor"], critics)  # pyright: ignore[reportArgumentType]

    hyper = dataclasses.replace(SMALL, learning_rate=1e-2, critic_learning_rate=2e-2)
    weights = tree({name: np.zeros(7) for name in sizes})
    optimiser = init_optimiser(weights, hyper)
    for i in range(3):
        step = tree({name: rows[i] for name, rows in grads.items()})
        weights, optimiser = apply_gradients(
            weights, step, optimiser, jnp.asarray(0.5), hyper
        )
    found = (weights.actor, weights.critics.reward["w"], weights.critics.costs["w"])
    rates = (5e-3, 1e-2, 1e-2)
    for part, name, rate in zip(found, sizes, rates, strict=True):
        np.testing.assert_allclose(
            np.asarray(part), plain_adam(grads[name], rate), rtol=1e-4
        )


def test_values_are_not_clipped() -> None:
    """AC4: the critics' gradient is that of the squared error, whatever `clip` is."""
    first, rollout = beginning()
    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), rollout)
    batch = Batch(
        inputs=jnp.clip(flat.features, -1.0, 1.0),
        start=jnp.full(flat.u.shape, 0.5),
        u=flat.u,
        log_prob=flat.log_prob,
        advantage=jnp.ones_like(flat.log_prob),
        targets=100.0 * jnp.ones_like(flat.signals),
    )

    def of_critics(clip: float) -> Critics:
        hyper = dataclasses.replace(SMALL, clip=clip)
        grads, _ = jax.grad(loss, has_aux=True)(first.weights, batch, hyper)
        return grads.critics

    wide, narrow = of_critics(10.0), of_critics(1e-6)
    jax.tree.map(np.testing.assert_array_equal, wide, narrow)
    bias = float(wide.reward["head"]["bias"][0])
    assert bias == pytest.approx(-100.0, abs=5.0)
