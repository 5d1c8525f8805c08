"""One update of SAC-Lagrangian: what must hold whatever the task."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sac_tasks import SMALL, filtered_task

from coolbound_controllers.algorithm import Algorithm
from coolbound_controllers.checkpoint import load_tree, save_tree
from coolbound_controllers.distribution import squash
from coolbound_controllers.normaliser import merge, normalise
from coolbound_controllers.policy import propose
from coolbound_controllers.sac import SAC, deploy, make_update, rescale
from coolbound_controllers.sac_learner import SacLearner, init_learner
from coolbound_controllers.sac_networks import View, policy, twin_values, view
from coolbound_controllers.sac_rollout import collect_transitions
from coolbound_controllers.sac_steps import track
from coolbound_controllers.task import Step, Task

TRACES: list[None] = []


@functools.cache
def task() -> Task:
    """The filtered task, counting how often it is traced."""
    inner = filtered_task()

    def step(key: jax.Array, state: Any, action: jax.Array) -> Step:
        TRACES.append(None)  # runs while tracing, not while computing
        return inner.step_batch(key, state, action)

    return dataclasses.replace(inner, step_batch=step)


@functools.cache
def first() -> SacLearner:
    return jax.device_get(_started())


def _started() -> SacLearner:
    return init_learner(jax.random.key(0), task(), SMALL)


def start() -> SacLearner:
    """A fresh copy, which an update may consume."""
    return jax.tree.map(jnp.array, first())


def run(learner: SacLearner, updates: int) -> tuple[SacLearner, list[Any]]:
    update, found = make_update(task(), SMALL), []
    for _ in range(updates):
        learner, metrics = update(learner)
        found.append(jax.device_get(metrics))
    return learner, found


def shifted(learner: SacLearner, shift: float) -> SacLearner:
    """The same learner in a world whose costs are higher by `shift`."""
    point, old = learner.world.state
    world = dataclasses.replace(learner.world, state=(point, jnp.full_like(old, shift)))
    return dataclasses.replace(learner, world=world)


def words(tree: Any) -> list[np.ndarray]:
    def raw(leaf: Any) -> np.ndarray:
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    return [raw(leaf) for leaf in jax.tree.leaves(tree)]


def assert_equal(one: Any, other: Any) -> None:
    for a, b in zip(words(one), words(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_reruns_are_bit_equal_and_so_is_a_resumed_run(tmp_path: Path) -> None:
    """AC7: the checkpoint holds everything, the ring and its place included."""
    whole, _ = run(start(), 7)
    again, _ = run(start(), 7)
    assert_equal(whole, again)
    half, _ = run(start(), 4)
    save_tree(tmp_path / "half", half, "{}")
    shapes = jax.eval_shape(_started)
    resumed, _ = run(load_tree(tmp_path / "half", shapes), 3)
    assert_equal(whole, resumed)


def test_every_update_draws_noise_of_its_own() -> None:
    """AC7: the key in the state moves on, or each rollout would repeat the last."""
    learner, rows = start(), []
    for first_row in (64, 96):
        where = (first_row + np.arange(32)) % SMALL.capacity
        learner, _ = run(learner, 1)
        mean, log_std = policy(
            first().weights.actor,
            view(learner.replay.rows.features[where], first().normaliser, task()),
        )
        u = learner.replay.rows.u[where]
        rows.append(np.asarray((u - mean) * jnp.exp(-log_std)))
    assert np.abs(rows[0] - rows[1]).mean() > 0.3


def test_multipliers_follow_the_rollouts_by_the_pid_once_warmed_up() -> None:
    """AC20: plain PID in numpy on the mean cost of the last two rollouts, after
    three updates in which the prices stand at zero."""
    learner = start()
    costs = [np.asarray(learner.recent[-1], np.float64)]
    learner, found = run(learner, 8)
    limit = np.asarray(task().cost_limits) / np.asarray(task().cost_units)
    costs += [m["costs"] / np.asarray(task().cost_units) for m in found]
    integrator, error = np.zeros(2), None
    for number, metrics in enumerate(found):
        if number < SMALL.price_after:
            np.testing.assert_array_equal(metrics["multipliers"], 0.0)
            continue
        e = (costs[number + 1] + costs[number]) / 2 - limit
        error = e if error is None else 0.8 * error + 0.2 * e
        integrator = np.clip(integrator + 0.1 * e, 0.0, SMALL.integrator_max)
        expected = np.maximum(0.0, 0.5 * error + integrator)
        np.testing.assert_allclose(metrics["multipliers"], expected, rtol=1e-4)
        assert expected.min() > 0.0


def test_multipliers_do_not_see_the_replayed_past() -> None:
    """AC20: a ring full of ruinous costs leaves every price what it was."""
    learner = start()
    rows = learner.replay.rows
    ruined = dataclasses.replace(rows, signals=rows.signals + 1e3)
    replay = dataclasses.replace(learner.replay, rows=ruined)
    # warmed up at once, both meet the same rollout before any gradient step
    at_once = dataclasses.replace(learner, updates=jnp.asarray(3, jnp.int32))
    ruined_at_once = jax.tree.map(
        jnp.array, dataclasses.replace(at_once, replay=replay)
    )
    _, calm = run(at_once, 1)
    _, other = run(ruined_at_once, 1)
    np.testing.assert_array_equal(calm[0]["multipliers"], other[0]["multipliers"])
    assert calm[0]["multipliers"].min() > 0.0
    assert (other[0]["value_error"] > 10.0 * calm[0]["value_error"]).all()


def test_at_zero_prices_costs_do_not_touch_the_policy() -> None:
    """AC20: during the warm-up it is SAC without constraints, bit for bit; after
    it, dear costs move the policy."""
    one, _ = run(start(), 3)
    other, _ = run(shifted(start(), 50.0), 3)
    assert_equal(one.weights.actor, other.weights.actor)
    assert_equal(one.weights.critics.reward, other.weights.critics.reward)
    cheap, dear = (words(x.weights.critics.costs)[0] for x in (one, other))
    assert not np.array_equal(cheap, dear)
    one, other = run(one, 1)[0], run(other, 1)[0]
    cheap, dear = (words(x.weights.actor)[-1] for x in (one, other))
    assert not np.array_equal(cheap, dear)


def test_statistics_stand_still_within_an_update() -> None:
    """AC3: the rollout is collected and learned from under the statistics from
    before it, and joins them afterwards.

    A mean far below every feature makes each input the same, +5, so that the
    critics' weights on all features must take the same step.
    """
    learner = start()
    count = jnp.asarray(1e-3, jnp.float32)
    low = dataclasses.replace(
        learner.normaliser, count=count, mean=jnp.full((3,), -1e9, jnp.float32)
    )
    before = [np.asarray(x) for x in jax.tree.leaves(low)]
    learner = dataclasses.replace(learner, normaliser=low)
    key = jax.random.split(
        jax.random.wrap_key_data(jax.random.key_data(learner.key)), 3
    )
    _, rows, _ = collect_transitions(
        key[1],
        task(),
        learner.weights.actor,
        low,
        learner.world,
        SMALL.steps,
        SMALL.reward_unit,
    )
    old = np.array(learner.weights.critics.reward["layer0"]["kernel"])[:, :3]
    learner, _ = run(learner, 1)
    new = np.array(learner.weights.critics.reward["layer0"]["kernel"])[:, :3]
    step = new - old
    assert np.abs(step).min(axis=(0, 1)).max() > 1e-4
    np.testing.assert_allclose(step, np.repeat(step[:, :1], 3, axis=1), atol=1e-6)
    where = (64 + np.arange(32)) % SMALL.capacity
    held = learner.replay.rows.u[where].reshape(rows.u.shape)
    np.testing.assert_allclose(held, rows.u, rtol=1e-5, atol=1e-6)
    back = type(low)(*(jnp.asarray(x) for x in before))
    for found, expected in zip(
        jax.tree.leaves(learner.normaliser),
        jax.tree.leaves(merge(back, rows.features)),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_actor_waits_until_the_critics_know_the_first_policy() -> None:
    begun = start().weights
    waited, _ = run(start(), 1)
    assert_equal(waited.weights.actor, begun.actor)
    assert_equal(waited.weights.log_temperature, begun.log_temperature)
    assert not np.array_equal(words(waited.weights.critics)[0], words(begun.critics)[0])
    moved, _ = run(waited, 1)
    assert not np.array_equal(words(moved.weights.actor)[0], words(begun.actor)[0])
    assert float(moved.weights.log_temperature) != float(begun.log_temperature)


def test_slow_copies_move_a_share_of_their_distance() -> None:
    weights = run(start(), 2)[0].weights
    moved = track(weights, 0.25)
    assert_equal(moved.critics, weights.critics)
    for slow, fast, found in zip(
        words(weights.targets),
        words(weights.critics),
        words(moved.targets),
        strict=True,
    ):
        assert np.abs(fast - slow).max() > 1e-4
        np.testing.assert_allclose(found, 0.75 * slow + 0.25 * fast, atol=1e-6)


def test_a_new_value_scale_leaves_every_value_of_fast_and_slow_critics() -> None:
    learner, _ = run(start(), 2)
    goals = 40.0 + 9.0 * jax.random.normal(jax.random.key(1), (3, 32, 3), jnp.float32)
    moved = rescale(learner, goals)
    assert float(jnp.min(jnp.abs(moved.scale.mean - learner.scale.mean))) > 1.0
    assert float(jnp.min(moved.scale.std - learner.scale.std)) > 1.0
    keys = jax.random.split(jax.random.key(2))
    seen = View(
        jax.random.normal(keys[0], (20, 3), jnp.float32), jnp.full((20, 2), 0.5)
    )
    u = jax.random.normal(keys[1], (20, 2), jnp.float32)
    for name in ("critics", "targets"):
        old, new = (getattr(x.weights, name) for x in (learner, moved))
        before = twin_values(old, learner.scale, seen, u, SMALL.log_std)
        after = twin_values(new, moved.scale, seen, u, SMALL.log_std)
        np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-3)


def test_update_compiles_once() -> None:
    run(start(), 1)
    before = len(TRACES)
    run(start(), 3)
    assert len(TRACES) == before


def test_what_is_deployed_proposes_the_mean_of_the_policy() -> None:
    learner, _ = run(start(), 2)
    weights = deploy(learner, task())
    features = jax.random.normal(jax.random.key(9), (50, 3), jnp.float32)
    inputs = normalise(learner.normaliser, features)
    seen = View(inputs, jnp.full((50, 2), 0.5))
    mean, log_std = policy(learner.weights.actor, seen)
    np.testing.assert_array_equal(propose(weights, features), squash(mean))
    assert weights.log_std.shape == (2,)
    assert float(jnp.std(log_std)) > 0.0
    assert float(log_std.min()) < float(weights.log_std.mean()) < float(log_std.max())


def test_metrics_are_those_that_every_algorithm_owes() -> None:
    assert isinstance(SAC, Algorithm)
    assert SAC.name == "sac-lagrangian"
    _, found = run(start(), 1)
    last = found[0]
    assert last["costs"].shape == last["multipliers"].shape == (2,)
    assert last["value_error"].shape == (3,)
    assert bool(last["is_finite"])
    assert {"reward", "entropy", "temperature", "intervention"} <= last.keys()
    assert "executed" not in last
    assert all(np.ndim(value) <= 1 for value in last.values())


def test_a_number_that_is_not_finite_is_reported() -> None:
    _, found = run(shifted(start(), float("nan")), 1)
    assert not bool(found[0]["is_finite"])
