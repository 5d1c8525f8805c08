"""Curvature, conjugate gradient and line search of CPO: AC18, part by part."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from coolbound_controllers.cpo_curvature import (
    conjugate_gradient,
    divergence,
    fisher_product,
)
from coolbound_controllers.cpo_dual import BOUNDED, FREE, RECOVERY, RETURN, Plan
from coolbound_controllers.cpo_settings import CpoSettings
from coolbound_controllers.cpo_step import (
    Effect,
    PolicyStep,
    Samples,
    improve_policy,
    search,
)
from coolbound_controllers.networks import Actor, action_mean, init_actor

SETTINGS = CpoSettings(trust_region=0.02, curvature_stride=1, conjugate_steps=40)
FEATURES, ACTIONS = 6, 2


@functools.cache
def policy() -> tuple[jax.Array, Callable[[jax.Array], Actor], jax.Array, jax.Array]:
    """Weights away from their first values, how to unflatten them, and inputs."""
    key, move, look, bias = jax.random.split(jax.random.key(3), 4)
    actor = init_actor(key, FEATURES, (10, 9), ACTIONS, -0.7)
    flat, unravel = ravel_pytree(actor)
    flat = flat + 0.3 * jax.random.normal(move, flat.shape)
    inputs = jax.random.normal(look, (50, FEATURES))
    start = jax.random.uniform(bias, (50, ACTIONS), minval=0.2, maxval=0.8)
    return flat, unravel, inputs, start


def mean_divergence(weights: jax.Array) -> jax.Array:
    flat, unravel, inputs, start = policy()
    old, new = unravel(flat), unravel(weights)
    means = [action_mean(actor.network, inputs, start) for actor in (old, new)]
    return jnp.mean(divergence(means[0], old.log_std, means[1], new.log_std))


def plain_gaussian(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log standard deviation in float64, written out."""
    _, unravel, inputs, start = policy()
    shapes = jax.tree.map(np.shape, unravel(policy()[0]))
    leaves, structure = jax.tree.flatten(shapes, is_leaf=lambda x: type(x) is tuple)
    ends = np.cumsum([int(np.prod(shape)) for shape in leaves])
    parts = np.split(weights, ends[:-1])
    filled = [part.reshape(shape) for part, shape in zip(parts, leaves, strict=True)]
    actor = jax.tree.unflatten(structure, filled)
    hidden = np.asarray(inputs, np.float64)
    for name in ("layer0", "layer1"):
        layer = actor.network[name]
        hidden = np.tanh(hidden @ layer["kernel"] + layer["bias"])
    head = actor.network["head"]
    share = np.asarray(start, np.float64)
    bias = 0.5 * np.log(share / (1.0 - share))
    return hidden @ head["kernel"] + head["bias"] + bias, actor.log_std


def plain_divergence(weights: np.ndarray) -> float:
    """Mean KL(old || new) in float64: log of the ratio's mean under the old."""
    mean, log_std = plain_gaussian(np.asarray(policy()[0], np.float64))
    moved, wide = plain_gaussian(weights)
    ratio = np.exp(2 * (log_std - wide))
    terms = wide - log_std + 0.5 * (ratio + (mean - moved) ** 2 / np.exp(2 * wide) - 1)
    return float(terms.sum(-1).mean())


def test_products_equal_the_dense_hessian_of_the_divergence() -> None:
    """AC18: every entry of H, on a net of 191 weights, to 1e-4 of the largest."""
    flat, unravel, inputs, start = policy()
    assert flat.size == 191
    product = fisher_product(unravel, flat, inputs, start, 0.0)
    found = jax.jit(jax.vmap(product))(jnp.eye(flat.size))
    dense = jax.jit(jax.hessian(mean_divergence))(flat)
    scale = float(jnp.abs(dense).max())
    np.testing.assert_allclose(found, dense, atol=1e-4 * scale)
    assert np.linalg.eigvalsh(np.asarray(found, np.float64)).min() > -1e-5 * scale


def test_products_equal_differences_of_a_plain_divergence() -> None:
    """AC18 once more, against float64 that shares no line with the product."""
    flat, unravel, inputs, start = policy()
    rng, step = np.random.default_rng(0), 1e-3
    vectors = rng.normal(size=(20, flat.size)) / np.sqrt(flat.size)
    product = fisher_product(unravel, flat, inputs, start, 0.5)
    found = jax.jit(jax.vmap(product))(jnp.asarray(vectors, jnp.float32))
    found = np.sum(np.asarray(found, np.float64) * vectors, axis=-1)
    origin = np.asarray(flat, np.float64)
    for vector, curve in zip(vectors, found, strict=True):
        sides = [plain_divergence(origin + side * vector) for side in (step, -step)]
        plain = sum(sides) / step**2 + 0.5 * vector @ vector
        assert curve == pytest.approx(plain, rel=1e-4)


def test_divergence_of_squashed_actions_is_that_of_the_gaussians() -> None:
    """Quadrature over the action itself, from 0 to 1."""
    share = np.linspace(1e-7, 1.0 - 1e-7, 400_001)
    u = 0.5 * np.log(share / (1.0 - share))

    def log_density(mean: float, log_std: float) -> np.ndarray:
        z = (u - mean) / np.exp(log_std)
        normal = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_std
        return normal - np.log(2.0 * share * (1.0 - share))

    old, new = log_density(0.3, -0.6), log_density(-0.1, -0.3)
    expected = np.trapezoid(np.exp(old) * (old - new), share)
    arrays = [jnp.full((1,), x) for x in (0.3, -0.6, -0.1, -0.3)]
    found = divergence(arrays[0], arrays[1], arrays[2], arrays[3])
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_conjugate_gradient_solves_and_says_how_well() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(12, 12))
    h = root @ root.T / 12 + 0.2 * np.eye(12)
    targets = rng.normal(size=(3, 12)) * np.array([[1e-4], [1.0], [1e3]])
    targets = np.concatenate([targets, np.zeros((1, 12))])
    on_device = [jnp.asarray(x, jnp.float32) for x in (h, targets)]

    def run(steps: int) -> tuple[np.ndarray, np.ndarray]:
        found = conjugate_gradient(lambda v: on_device[0] @ v, on_device[1], steps)
        return np.asarray(found[0], np.float64), np.asarray(found[1])

    exact = np.linalg.solve(h, targets.T).T
    solution, residual = run(40)
    off = np.linalg.norm(solution - exact, axis=1)
    assert (off <= 1e-4 * np.linalg.norm(exact, axis=1)).all()
    assert residual.max() < 1e-5
    rough, residual = run(3)
    rest = np.linalg.norm(targets[:3] - rough[:3] @ h, axis=1)
    np.testing.assert_allclose(
        residual[:3], rest / np.linalg.norm(targets[:3], axis=1), rtol=1e-3
    )
    assert residual[:3].min() > 1e-3
    assert residual[3] == 0.0
    assert not rough[3].any()


def made_plan(case: int, level: float = 0.0) -> Plan:
    return Plan(
        weights=jnp.zeros(3),
        multipliers=jnp.zeros(2),
        level=jnp.full((2,), level),
        case=jnp.asarray(case, jnp.int32),
    )


def searched(
    effect: Callable[[jax.Array], tuple[Any, Any, Any]],
    case: int = BOUNDED,
    violation: tuple[float, float] = (-0.1, -0.2),
    level: float = 0.0,
    step: float = 1.0,
) -> tuple[float, np.ndarray]:
    """Return share and weights of a search from 7 whose effect at share w is given."""

    def look(weights: jax.Array) -> Effect:
        kl, gain, rise = effect(weights[0] - 7.0)
        return Effect(jnp.asarray(kl), jnp.asarray(gain), jnp.asarray(rise))

    weights, share, _ = search(
        jnp.full((1,), 7.0),
        jnp.full((1,), step),
        look,
        made_plan(case, level),
        jnp.asarray(violation),
        CpoSettings(trust_region=0.01, backtracks=6, backtrack_share=0.5),
    )
    return float(share), np.asarray(weights)


def test_full_step_is_taken_where_everything_is_kept() -> None:
    share, weights = searched(lambda w: (0.01 * w, w, [0.1 * w, 0.2 * w]))
    assert share == 1.0
    np.testing.assert_array_equal(weights, 8.0)


def test_step_shrinks_until_the_divergence_is_allowed() -> None:
    share, weights = searched(lambda w: (0.05 * w**2, w, [0.0 * w, 0.0 * w]))
    assert share == 0.25
    np.testing.assert_array_equal(weights, 7.25)


@pytest.mark.parametrize(
    ("violation", "rises", "expected"),
    [
        ((-0.1, -0.2), (0.3, 0.1), 0.25),  # may rise by its distance to the limit
        ((-0.1, -0.2), (0.1, 0.5), 0.25),
        ((0.3, -0.2), (-0.5, 0.5), 0.25),  # one is violated and must not rise
    ],
)
def test_no_cost_rises_beyond_its_limit(
    violation: tuple[float, float], rises: tuple[float, float], expected: float
) -> None:
    """AC18: a cost may change by max(-c, 0) at most."""
    share, _ = searched(
        lambda w: (0.0 * w, w, [rises[0] * w, rises[1] * w]), violation=violation
    )
    assert share == expected


@pytest.mark.parametrize("case", [RECOVERY, RETURN])
@pytest.mark.parametrize("violation", [(0.3, -0.2), (0.0, 0.1)])
def test_a_violated_cost_that_rises_restores_the_old_policy(
    case: int, violation: tuple[float, float]
) -> None:
    share, weights = searched(
        lambda w: (0.0 * w, w, [0.01 * w, 0.01 * w]), case, violation
    )
    assert share == 0.0
    np.testing.assert_array_equal(weights, 7.0)


@pytest.mark.parametrize(
    ("case", "expected"), [(RECOVERY, 1.0), (RETURN, 1.0), (BOUNDED, 0.0), (FREE, 0.0)]
)
def test_reward_may_fall_only_on_the_way_back(case: int, expected: float) -> None:
    """AC18: reward not worse in cases 2 to 4 only."""
    share, _ = searched(lambda w: (0.0 * w, -w, [0.0 * w, 0.0 * w]), case)
    assert share == expected


def test_in_recovery_a_lesser_violation_may_rise_to_the_level_of_the_plan() -> None:
    def effect(w: jax.Array) -> tuple[Any, Any, Any]:
        return 0.0 * w, w, [-0.4 * w, 0.3 * w]

    args = {"case": RECOVERY, "violation": (0.9, 0.1)}
    assert searched(effect, level=0.5, **args)[0] == 1.0
    assert searched(effect, level=0.26, **args)[0] == 0.5
    assert searched(effect, level=0.1, **args)[0] == 0.0


@pytest.mark.parametrize("where", range(3))
@pytest.mark.parametrize("odd", [np.nan, -np.inf])
def test_what_is_not_a_number_shrinks_the_step(where: int, odd: float) -> None:
    """AC18: at half a step and beyond, one figure is NaN or infinite."""

    def effect(w: jax.Array) -> tuple[Any, Any, Any]:
        broken = jnp.where(w > 0.4, odd, 0.0)
        figures = [0.0 * w, w, 0.0 * w]
        figures[where] = figures[where] + broken
        return figures[0], figures[1], [figures[2], 0.0 * w]

    share, weights = searched(effect)
    assert share == 0.25
    np.testing.assert_array_equal(weights, 7.25)


def test_a_step_that_is_not_a_number_restores_the_old_policy() -> None:
    share, weights = searched(
        lambda w: (0.0 * w, w, [0.0 * w, 0.0 * w]), step=float("nan")
    )
    assert share == 0.0
    np.testing.assert_array_equal(weights, 7.0)


def made_samples(broken: bool = False) -> Samples:
    flat, unravel, inputs, start = policy()
    rng = np.random.default_rng(4)
    actor = unravel(flat)
    mean = np.asarray(action_mean(actor.network, inputs, start))
    noise = rng.normal(size=mean.shape).astype(np.float32)
    u = mean + np.exp(np.asarray(actor.log_std)) * noise
    costs = np.stack([noise[:, 0], noise[:, 1] - 0.5 * noise[:, 0]], axis=-1)
    reward = noise.sum(-1)
    if broken:
        costs[3, 1] = np.nan
    return Samples(
        inputs=inputs,
        start=start,
        u=jnp.asarray(u),
        reward=jnp.asarray(reward - reward.mean()),
        costs=jnp.asarray(costs - costs.mean(0)),
    )


improved = jax.jit(improve_policy, static_argnums=3)


def taken(violation: tuple[float, float], broken: bool = False) -> PolicyStep:
    flat, unravel, *_ = policy()
    return improved(
        unravel(flat), made_samples(broken), jnp.asarray(violation), SETTINGS
    )


@pytest.mark.parametrize(
    "violation", [(-9.0, -9.0), (-0.02, -0.01), (0.02, -0.3), (0.9, 0.8)]
)
def test_a_whole_step_keeps_what_it_promises(violation: tuple[float, float]) -> None:
    """Divergence and cost changes, measured again in float64 from the new weights."""
    step, samples = taken(violation), made_samples()
    assert 0.0 < float(step.share) <= 1.0
    weights, _ = ravel_pytree(step.actor)
    new = np.asarray(weights, np.float64)
    kl = plain_divergence(new)
    assert kl <= SETTINGS.trust_region * (1 + 1e-4)
    assert float(step.effect.divergence) == pytest.approx(kl, rel=1e-3)

    u = np.asarray(samples.u, np.float64)

    def log_density(weights: np.ndarray) -> np.ndarray:
        mean, log_std = plain_gaussian(weights)
        return (-0.5 * ((u - mean) / np.exp(log_std)) ** 2 - log_std).sum(-1)

    old = np.asarray(policy()[0], np.float64)
    shift = np.exp(log_density(new) - log_density(old)) - 1.0
    rise = (shift[:, None] * np.asarray(samples.costs, np.float64)).mean(0)
    np.testing.assert_allclose(step.effect.rise, rise, atol=1e-5)
    allowed = np.maximum(np.maximum(violation, np.asarray(step.plan.level)), 0.0)
    assert (rise <= allowed - violation + 1e-5).all()
    if max(violation) < 0:
        assert (shift * np.asarray(samples.reward, np.float64)).mean() >= 0.0


def test_a_step_back_mends_what_it_sees() -> None:
    violation = (0.02, -0.3)
    step = taken(violation)
    assert int(step.plan.case) == RETURN
    left = violation[0] + float(step.effect.rise[0])
    assert left < 0.5 * violation[0]


def test_broken_advantages_leave_the_policy_as_it_was_bit_for_bit() -> None:
    step = taken((-0.02, -0.01), broken=True)
    assert float(step.share) == 0.0
    weights, _ = ravel_pytree(step.actor)
    np.testing.assert_array_equal(weights, policy()[0])
