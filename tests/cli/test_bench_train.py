"""`bench train` says how fast and how well, ours and theirs by the same clock."""

import re
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound import bench_train
from coolbound.bench_contest import Contest, contest_settings
from coolbound_controllers import bench, bench_contest
from coolbound_controllers.bench import measure_training, summed
from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.on_policy import deploy
from coolbound_controllers.policy import propose
from coolbound_controllers.ppo import init_learner
from coolbound_controllers.task import Step, Task
from coolbound_envs.tables import InputError

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"
BIAS = (0.25, 0.6)
TINY = Hyperparameters(
    envs=4,
    steps=8,
    epochs=1,
    minibatches=2,
    total_steps=64,
    actor_hidden=(8,),
    critic_hidden=(8,),
)


def mirror_task() -> Task:
    """Earns its first action and pays with both; nothing ever ends."""

    def reset(key: jax.Array, n: int) -> tuple[jax.Array, Any]:
        seen = jax.random.normal(key, (n, 3), jnp.float32)
        return seen, seen

    def step(key: jax.Array, state: Any, action: jax.Array) -> Step:
        never = jnp.zeros(action.shape[0], jnp.bool_)
        return Step(
            features=state,
            final_features=state,
            reward=action[:, 0],
            costs=jnp.stack([action[:, 0], 2.0 * action[:, 1]], axis=-1),
            terminated=never,
            truncated=never,
            state=state,
            info={"intervention": never.astype(jnp.float32)},
        )

    return Task(reset, step, 3, ("a", "b"), (0.3, 1.0), (0.1, 0.2), 2, BIAS)


@pytest.fixture(scope="module")
def task() -> Task:
    return mirror_task()


@pytest.fixture(scope="module")
def found(task: Task) -> dict[str, Any]:
    return measure_training(task, TINY, updates=3)


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed).normal
    shapes = {
        "layer0.kernel": (3, 8),
        "layer0.bias": (8,),
        "layer1.kernel": (8, 5),
        "layer1.bias": (5,),
        "head.kernel": (5, 2),
        "head.bias": (2,),
        "mean": (3,),
    }
    made = {name: draw(size=shape) for name, shape in shapes.items()}
    return made | {"variance": np.array([0.5, 1.0, 4.0])}


def test_speed_is_told_after_compilation_and_with_it(found: dict[str, Any]) -> None:
    lowest, highest = found["steps_per_cpu_second_range"]
    assert 0.0 < lowest <= found["steps_per_cpu_second"] <= highest
    whole = found["steps_per_cpu_second_with_compilation"]
    assert found["steps"] / whole > found["compile_cpu_s"] > 0.0
    assert whole < found["steps_per_cpu_second"]
    assert found["steps"] == 4 * 32
    assert found["peak_mb"] > 50.0
    assert set(found["final"]["costs"]) == {"a", "b"}


def test_all_costs_stand_beside_one(found: dict[str, Any]) -> None:
    assert found["costs"] == 2
    one = found["one_cost"]
    assert one["steps_per_cpu_second"] > 0.0
    lowest, highest = one["all_slower_percent_range"]
    assert lowest <= one["all_slower_percent"] <= highest


def test_slower_is_the_share_of_cpu_time_that_all_costs_add() -> None:
    ours, one = [(1.1, 9.0), (2.4, 9.0), (3.0, 9.0)], [(1.0, 1.0), (2.0, 1.0), (3.0, 1)]
    told = bench._slower(ours, one)
    assert told["all_slower_percent"] == pytest.approx(10.0)
    assert told["all_slower_percent_range"] == pytest.approx([0.0, 20.0])


def test_one_cost_is_the_sum_of_all_and_nothing_else_moves(task: Task) -> None:
    one = summed(task)
    assert (one.cost_count, *one.cost_limits) == (1, pytest.approx(1.3))
    seen, state = task.reset_batch(jax.random.key(0), 4)
    action = jnp.full((4, 2), 0.5, jnp.float32)
    both = [each.step_batch(jax.random.key(1), state, action) for each in (task, one)]
    np.testing.assert_allclose(both[1].costs[:, 0], both[0].costs.sum(-1), rtol=1e-6)
    np.testing.assert_array_equal(both[0].reward, both[1].reward)
    assert seen.shape == (4, 3)


def test_a_foreign_policy_decides_as_plain_numpy_does() -> None:
    given = arrays()
    seen = np.random.default_rng(1).normal(size=(6, 3)) * 4.0
    hidden = np.clip((seen - given["mean"]) / np.sqrt(given["variance"]), -5.0, 5.0)
    for layer in ("layer0", "layer1"):
        hidden = np.tanh(hidden @ given[f"{layer}.kernel"] + given[f"{layer}.bias"])
    raw = hidden @ given["head.kernel"] + given["head.bias"]
    start = np.array(BIAS)
    expected = 1.0 / (1.0 + np.exp(-2.0 * raw) * (1.0 - start) / start)
    weights = bench_contest.from_arrays(given, BIAS)
    got = propose(weights, jnp.asarray(seen, jnp.float32))
    np.testing.assert_allclose(got, expected, atol=2e-6)


def test_our_policy_survives_the_way_into_arrays(task: Task) -> None:
    learner = init_learner(jax.random.key(3), task, TINY)
    weights = deploy(learner, task)
    again = bench_contest.from_arrays(bench_contest.to_arrays(weights), task.bias)
    seen = jnp.ones((2, 3), jnp.float32)
    np.testing.assert_array_equal(propose(again, seen), propose(weights, seen))


def test_everybody_is_judged_on_the_same_days_without_exploration(task: Task) -> None:
    still = bench_contest.untrained(arrays())
    got = bench_contest.judge(task, [still, still], 4, 5, seed=1)
    assert got["return"] == pytest.approx(BIAS[0], abs=1e-6)
    assert got["return_range"] == pytest.approx([BIAS[0]] * 2, abs=1e-6)
    assert got["costs"] == pytest.approx({"a": 0.25, "b": 1.2}, abs=1e-6)
    assert got["worst_cost"] == pytest.approx(1.2, abs=1e-6)
    assert got["intervention"] == 0.0
    moving = [bench_contest.judge(task, [arrays()], 4, 5, seed=s) for s in (1, 1, 2)]
    assert moving[0] == moving[1] != moving[2]


def test_a_policy_that_diverged_is_no_policy() -> None:
    broken = arrays() | {"head.bias": np.array([np.nan, 0.0])}
    with pytest.raises(InputError, match=r"head\.bias"):
        bench_contest.from_arrays(broken)


def test_speed_of_a_contender_counts_what_stood_before_training() -> None:
    runs = [{"steps": 100, "cpu_s": s} for s in (1.0, 2.0, 4.0)]
    told = bench_contest.speed(
        {"before_training_cpu_s": 8.0, "runs": runs, "peak_mb": 5.0}
    )
    assert told["steps_per_cpu_second"] == 50.0
    assert told["steps_per_cpu_second_range"] == [25.0, 100.0]
    assert told["steps_per_cpu_second_with_compilation"] == 10.0


def test_our_learner_takes_as_many_steps_as_the_contest_says(task: Task) -> None:
    told, policies = bench_contest.measure_learning(task, [TINY])
    assert told["runs"][0]["steps"] == 64
    assert told["runs"][0]["cpu_s"] > 0.0
    assert set(policies[0]) > {"layer0.kernel", "head.bias", "mean", "variance"}


def test_a_ratio_is_ours_over_theirs(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contender(cpu: float) -> tuple[dict[str, Any], list[Any]]:
        runs = [{"seed": 0, "steps": 64, "cpu_s": cpu}]
        return {"before_training_cpu_s": 1.0, "runs": runs, "peak_mb": 1.0}, [arrays()]

    def ours(*_: Any) -> dict[str, Any]:
        told, policies = contender(1.0)
        return told | {"policies": policies}

    monkeypatch.setattr(bench_train, "in_fresh_process", ours)
    monkeypatch.setattr(bench_train, "run_peer", lambda *_: contender(20.0))
    monkeypatch.setattr(bench_train, "_task", lambda *_: task)
    monkeypatch.setattr(bench_train, "contest_params", lambda _: None)
    held = bench_train.hold(Contest(seeds=(0,), day_steps=5), ["sb3_ppo"])
    theirs = held["peers"]["sb3_ppo"]
    assert theirs["ratio"] == pytest.approx(20.0)
    assert theirs["final"] == held["ours"]["final"]
    assert held["untrained"]["return"] == pytest.approx(BIAS[0], abs=1e-6)


def test_the_contest_is_one_settings_for_everyone() -> None:
    contest = Contest(steps=18432, hidden=(8,), gamma=0.8)
    ours = contest_settings(contest, 4)
    assert (ours.seed, ours.gamma, ours.actor_hidden) == (4, 0.8, (8,))
    assert ours.updates * ours.steps_per_update == contest.steps


def lock(name: str) -> dict[str, list[str]]:
    """Return what a lock pins, each with its hashes."""
    text = (PEERS / f"{name}.lock").read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.split()[0]: re.findall(r"--hash=(\S+)", line) for line in lines}


@pytest.mark.parametrize("name", ["sb3", "omnisafe"])
def test_a_peers_lock_pins_every_version_by_hash_and_names_no_host(name: str) -> None:
    pinned = lock(name)
    assert len(pinned) > 30
    for requirement, hashes in pinned.items():
        assert re.fullmatch(r"[a-z0-9.-]+==[a-z0-9.+]+", requirement), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes)
    asked = (PEERS / f"{name}.in").read_text(encoding="utf-8").split()
    assert set(asked) <= set(pinned)
    assert "torch==2.13.0+cpu" in pinned
    text = (PEERS / f"{name}.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text


def options(**given: Any) -> Namespace:
    asked = {"size": None, "against": "peers", "seed": 0, "steps": None}
    more = {"seeds": None, "peers": None, "site": "reference"}
    return Namespace(**(asked | more | given))


def test_a_missing_peer_is_one_sentence_and_exit_code_2(
    coolbound: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench_train, "checkout", lambda: tmp_path)
    ran = coolbound("bench", "train", "--against", "peers")
    assert ran.code == 2
    assert "make train-peers" in ran.err
    assert "omnisafe" in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": 100}, "found --steps 100, expected 18432"),
        ({"peers": ["sb3_pp0"]}, "did you mean 'sb3_ppo'"),
    ],
)
def test_what_cannot_be_held_is_refused_before_any_measurement(
    given: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        bench_train, "in_fresh_process", lambda *_: pytest.fail("it measured")
    )
    with pytest.raises(InputError, match=re.escape(said)):
        bench_train.measure(options(**given))


def peer_that(script: str, root: Path) -> None:
    """Put a script in the place of Stable-Baselines3's, run by this Python."""
    binary = root / ".peers" / "sb3" / "bin"
    binary.mkdir(parents=True)
    (binary / "python").symlink_to(sys.executable)
    folder = root / "benchmarks" / "peers"
    folder.mkdir(parents=True)
    (folder / "train_sb3.py").write_text(script, encoding="utf-8")


def test_a_peer_is_given_the_contest_and_its_policies_come_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = (
        "import json, sys, pathlib, zipfile\n"
        "contest, folder, name, lanes = sys.argv[1:]\n"
        "given = json.loads(pathlib.Path(contest).read_text())\n"
        "told = {'steps': given['steps'], 'lanes': int(lanes)}\n"
        "pathlib.Path(folder, name + '.json').write_text(json.dumps(told))\n"
        "for s in given['seeds']:\n"
        "    zipfile.ZipFile(f'{folder}/{name}-{s}.npz', 'w').close()\n"
    )
    monkeypatch.setattr(bench_train, "checkout", lambda: tmp_path)
    peer_that(script, tmp_path)
    told, policies = bench_train.run_peer("sb3_ppo_one_lane", Contest(seeds=(5, 6)))
    assert told == {"steps": Contest().steps, "lanes": 1}
    assert policies == [{}, {}]


def test_a_peer_that_fails_says_why_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench_train, "checkout", lambda: tmp_path)
    peer_that("raise ValueError('no gradient')", tmp_path)
    with pytest.raises(InputError, match=r"sb3_ppo: found exit code 1.*no gradient"):
        bench_train.run_peer("sb3_ppo", Contest())
