"""One update of CPO: units, reruns, checkpoints, and what it refuses."""

import dataclasses
import functools
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learner_tasks import drift_task

from coolbound_controllers.checkpoint import load_tree, save_tree
from coolbound_controllers.cpo import (
    CPO,
    CpoLearner,
    init_learner,
    make_update,
    samples_of,
)
from coolbound_controllers.cpo_critics import fit_critics, init_critic_optimiser
from coolbound_controllers.cpo_dual import BOUNDED, RECOVERY, RETURN
from coolbound_controllers.cpo_settings import RANGES, CpoSettings
from coolbound_controllers.cpo_step import improve_policy
from coolbound_controllers.networks import heads, init_critics
from coolbound_controllers.on_policy import assess, limits_in_units, mean_costs
from coolbound_controllers.optimiser import rate_share
from coolbound_controllers.policy import propose
from coolbound_controllers.rollout import World, collect
from coolbound_controllers.settings import override
from coolbound_controllers.task import Step, Task
from coolbound_envs.tables import InputError

SMALL = CpoSettings(
    envs=8,
    steps=16,
    conjugate_steps=6,
    curvature_stride=1,
    critic_epochs=2,
    critic_minibatches=4,
    total_steps=8 * 16 * 6,
    actor_hidden=(16, 16),
    critic_hidden=(16, 16),
    final_rate=1.0,
    gamma=0.99,
    gae_lambda=0.95,
    log_std=-1.0,
)
TASK = drift_task(limit=0.2)


@functools.cache
def run(task: Task, settings: CpoSettings) -> tuple[CpoLearner, list[Any]]:
    learner = init_learner(jax.random.key(0), task, settings)
    update, found = make_update(task, settings), []
    for _ in range(5):
        learner, metrics = update(learner)
        found.append(jax.device_get(metrics))
    return learner, found


def assert_same(one: Any, other: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_every_update_stays_in_the_trust_region_and_says_what_it_did() -> None:
    """AC18: the residual of every natural gradient is among the metrics."""
    learner, found = run(TASK, SMALL)
    for metrics in found:
        assert metrics["is_finite"]
        assert 0.0 <= metrics["kl"] <= SMALL.trust_region
        assert metrics["residual"].shape == (3,)
        assert (metrics["residual"] > 0.0).all()
        assert (metrics["residual"] < 0.5).all()
        assert (metrics["multipliers"] >= 0.0).all()
        assert "intervention" in metrics
    assert max(m["step_share"] for m in found) > 0.0
    assert {RECOVERY, BOUNDED} <= {int(m["case"]) for m in found}
    first = init_learner(jax.random.key(0), TASK, SMALL).weights.critics
    for part in ("reward", "costs"):
        before, after = getattr(first, part), getattr(learner.weights.critics, part)
        moved = before["layer0"]["kernel"] - after["layer0"]["kernel"]
        assert float(jnp.abs(moved).max()) > 1e-3


def test_the_scale_of_a_cost_does_not_matter_to_cpo() -> None:
    """Cost, limit and unit times 128: the same weights, bit for bit."""
    large, _ = run(drift_task(scale=128.0, limit=0.2), SMALL)
    assert_same(run(TASK, SMALL)[0].weights.actor, large.weights.actor)


@functools.cache
def draw_task() -> Task:
    """Every step draws new features, so only the time limit knows of episodes.

    The mean cost of the first policy is a tenth above its limit. The state says
    when an episode is cut, and what is added to every cost.
    """

    def reset(key: jax.Array, n: int) -> tuple[jax.Array, Any]:
        features = jax.random.normal(key, (n, 2), jnp.float32)
        nothing = jnp.zeros((n,), jnp.float32)
        return features, (features, nothing, nothing + 4.0, nothing)

    def step(key: jax.Array, state: Any, action: jax.Array) -> Step:
        features, clock, horizon, added = state
        following = jax.random.normal(key, features.shape, jnp.float32)
        over = clock + 1.0 >= horizon
        pull = 1.0 + 0.5 * jnp.tanh(features[:, 0])
        return Step(
            features=following,
            final_features=following,
            reward=3.0 * action[:, 0],
            costs=(action[:, 0] * pull + added)[:, None],
            terminated=jnp.zeros(over.shape, jnp.bool_),
            truncated=over,
            state=(following, jnp.where(over, 0.0, clock + 1.0), horizon, added),
            info={},
        )

    return Task(reset, step, 2, ("use",), (0.45,), (0.45,), 1, (0.5,))


MEMORYLESS = dataclasses.replace(
    SMALL, envs=512, critic_minibatches=8, gamma=0.9, gae_lambda=0.0
)


def drawing(horizon: float, added: float = 0.0) -> CpoLearner:
    """A first learner on the drawn task, cut and charged as asked."""
    learner = init_learner(jax.random.key(0), draw_task(), MEMORYLESS)
    features, clock, *_ = learner.world.state
    state = (features, clock, jnp.full_like(clock, horizon), clock + added)
    world = World(features=learner.world.features, state=state)
    return dataclasses.replace(learner, world=world)


def test_the_length_of_an_episode_appears_nowhere() -> None:
    """AC17: cut after 4 or after 400 steps, the update is the same bit for bit."""
    update, ends = make_update(draw_task(), MEMORYLESS), []
    for horizon in (4.0, 400.0):
        learner = drawing(horizon)
        metrics: dict[str, Any] = {}
        for _ in range(4):
            learner, metrics = update(learner)
        assert float(metrics["step_share"]) > 0.0
        ends.append((learner.weights, metrics))
    assert_same(*ends)


@pytest.mark.parametrize("horizon", [4.0, 400.0])
def test_a_step_changes_the_cost_by_what_it_foretold(horizon: float) -> None:
    """AC17: c, b and the measured mean cost per control step have one unit."""
    task, learner = draw_task(), drawing(horizon)
    actor, normaliser = learner.weights.actor, learner.normaliser

    def measure(actor: Any, world: World) -> Any:
        key = jax.random.key(2)  # the same draws before and after
        return collect(key, task, actor, normaliser, world, 128)[1]

    rollout = measure(actor, learner.world)
    seen = assess(
        rollout, learner.weights.critics, learner.scale, normaliser, task, MEMORYLESS
    )
    violation = mean_costs(rollout) - limits_in_units(task)
    assert float(violation[0]) > 0.05
    step = improved(actor, samples_of(rollout, seen), violation, MEMORYLESS)
    assert int(step.plan.case) in (RECOVERY, RETURN)
    moved = mean_costs(measure(step.actor, learner.world)) - mean_costs(rollout)
    assert float(moved[0]) < -0.02
    np.testing.assert_allclose(step.effect.rise, moved, rtol=0.15)


improved = jax.jit(improve_policy, static_argnums=3)


def test_a_rollout_that_is_not_a_number_is_told_and_leaves_the_policy() -> None:
    learner = drawing(4.0, added=float("nan"))
    before = jax.device_get(learner.weights.actor)
    learner, metrics = make_update(draw_task(), MEMORYLESS)(learner)
    assert not bool(metrics["is_finite"])
    assert float(metrics["step_share"]) == 0.0
    assert_same(learner.weights.actor, before)


def test_a_run_read_back_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    """AC7 for CPO: reruns are bit-equal, and so is what a checkpoint continues."""
    whole, found = run(TASK, SMALL)
    update = make_update(TASK, SMALL)
    learner = init_learner(jax.random.key(0), TASK, SMALL)
    for _ in range(3):
        learner, _ = update(learner)
    save_tree(tmp_path / "run", learner, "{}")
    learner = load_tree(tmp_path / "run", jax.eval_shape(lambda: learner))
    for expected in found[3:]:
        learner, metrics = update(learner)
        assert_same(jax.device_get(metrics), expected)
    assert_same(learner.weights, whole.weights)
    assert int(learner.updates) == 5


def test_critics_are_fitted_to_their_targets() -> None:
    """AC4: a reward a million times the cost does not slow the cost's critic."""
    critics = init_critics(jax.random.key(0), 3, (16, 16), 2)
    settings = dataclasses.replace(
        SMALL, critic_epochs=60, critic_learning_rate=1e-2, critic_minibatches=4
    )
    inputs = jax.random.normal(jax.random.key(1), (128, 3), jnp.float32)
    targets = jnp.stack([1e6 * inputs[:, 0], inputs[:, 1], inputs[:, 2] ** 2], axis=-1)
    found, _, error = jax.jit(fit_critics, static_argnums=6)(
        jax.random.key(2),
        critics,
        init_critic_optimiser(critics, settings),
        inputs,
        targets,
        jnp.ones(()),
        settings,
    )
    assert float(error[1:].max()) < 0.02
    off = np.mean((heads(found, inputs) - targets)[:, 1:] ** 2, axis=0)
    np.testing.assert_allclose(off, error[1:], atol=0.02)


def test_the_learning_rate_of_the_critics_falls_to_its_last_share() -> None:
    settings = dataclasses.replace(SMALL, final_rate=0.2)
    shares = [float(rate_share(jnp.asarray(n), settings)) for n in (0, 3, 6, 9)]
    np.testing.assert_allclose(shares, [1.0, 0.6, 0.2, 0.2], rtol=1e-6)


def test_what_is_deployed_proposes_the_mode_of_the_policy() -> None:
    learner, _ = run(TASK, SMALL)
    weights = CPO.deploy(learner, TASK)
    assert_same(weights.network, learner.weights.actor.network)
    unit = propose(weights, learner.world.features)
    assert unit.shape == (8, 2)
    assert bool(((unit > 0.0) & (unit < 1.0)).all())


@pytest.mark.long
def test_many_seeds_of_cpo_side_by_side_equal_single_runs() -> None:
    """AC8 for CPO."""
    update, seeds = make_update(TASK, SMALL), range(16)
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    many = jax.vmap(lambda key: init_learner(key, TASK, SMALL))(keys)
    together = jax.jit(jax.vmap(update))
    singles = [init_learner(key, TASK, SMALL) for key in keys]
    for _ in range(3):
        many = together(many)[0]
        singles = [update(learner)[0] for learner in singles]
    for lane, single in enumerate(singles):
        jax.tree.map(
            lambda a, b, lane=lane: np.testing.assert_allclose(a[lane], b, atol=1e-4),
            many.weights,
            single.weights,
        )


@pytest.mark.parametrize("count", [0, 11])
def test_too_many_constraints_and_none_are_refused(count: int) -> None:
    task = dataclasses.replace(
        TASK,
        cost_names=("x",) * count,
        cost_limits=(1.0,) * count,
        cost_units=(1.0,) * count,
    )
    with pytest.raises(InputError, match=f"cpo: found {count} constraints, expected"):
        make_update(task, SMALL)


def test_settings_are_parsed_and_every_number_has_a_range() -> None:
    found = override(["trust_region=0.02", "actor_hidden=32,16"], CPO.settings())
    assert found == CpoSettings(trust_region=0.02, actor_hidden=(32, 16))
    fields = {field.name for field in dataclasses.fields(CpoSettings)}
    assert fields == set(RANGES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trust_regio=1", "did you mean 'trust_region'"),
        ("trust_region=0", "trust_region: found 0.0, expected 1e-08 to 1"),
        ("damping=nan", "damping: found 'nan'"),
        ("critic_minibatches=7", "critic_minibatches: found 7, expected a divisor of"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        override([text], CpoSettings())


def test_the_page_gives_the_defaults_of_today() -> None:
    page = Path(__file__).parents[2] / "docs" / "cpo.md"
    text = page.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", text, re.M)
    said = {
        name: float(value)
        for names, values in rows
        for name, value in zip(
            re.findall(r"\w+", names), values.split(","), strict=False
        )
        if name in RANGES
    }
    assert len(said) >= 10
    assert said == {name: getattr(CpoSettings(), name) for name in said}
