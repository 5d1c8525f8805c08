"""A run on disk: resumed it equals an unbroken one, and it fails clearly."""

import csv
import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learner_tasks import SMALL, drift_task

from coolbound_controllers.algorithms import ALGORITHMS, algorithm_of
from coolbound_controllers.checkpoint import load_tree, save_tree
from coolbound_controllers.cpo_settings import CpoSettings
from coolbound_controllers.hyperparameters import Hyperparameters, parse_overrides
from coolbound_controllers.sac_settings import SacSettings
from coolbound_controllers.task import Step, Task
from coolbound_controllers.training import CHECKPOINT, METRICS, TrainingError, train
from coolbound_envs.tables import InputError

TASK = drift_task(limit=0.05)
SMALL_RUNS = {
    "cpo": CpoSettings(
        envs=8, steps=16, total_steps=8 * 16 * 6, critic_minibatches=4,
        actor_hidden=(16,), critic_hidden=(16,), checkpoint_every=3,
    ),
    "sac-lagrangian": SacSettings(
        envs=8, steps=4, first_steps=16, total_steps=8 * 4 * 6, gradient_steps=4,
        batch=32, capacity=512, actor_hidden=(16,), critic_hidden=(16,),
        actor_after=1, price_after=1, checkpoint_every=3,
    ),
}  # fmt: skip


class Stop(KeyboardInterrupt):
    """Ctrl-C, as a test can send it."""


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / METRICS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k != "steps_per_second"} for row in rows]


def interrupt_after(update: int) -> Any:
    def progress(row: dict[str, float]) -> None:
        if row["update"] == update:
            raise Stop

    return progress


def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(tmp_path: Path) -> None:
    whole = train(TASK, SMALL, tmp_path / "whole")
    with pytest.raises(Stop):
        train(TASK, SMALL, tmp_path / "broken", progress=interrupt_after(5))
    assert len(rows_of(tmp_path / "broken")) == 5
    resumed = train(TASK, SMALL, tmp_path / "broken", resume=True)
    jax.tree.map(np.testing.assert_array_equal, resumed.weights, whole.weights)
    assert rows_of(tmp_path / "broken") == rows_of(tmp_path / "whole")
    checkpoints = [
        (tmp_path / x / CHECKPOINT).read_bytes() for x in ("whole", "broken")
    ]
    assert checkpoints[0] == checkpoints[1]


def test_a_rerun_is_bit_equal_and_another_seed_is_not(tmp_path: Path) -> None:
    hyper = dataclasses.replace(SMALL, total_steps=256)
    other = dataclasses.replace(hyper, seed=1)
    runs = [
        train(TASK, h, tmp_path / name).weights.network["head"]["kernel"]
        for name, h in (("a", hyper), ("b", hyper), ("c", other))
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_metrics_name_every_constraint_and_progress_sees_each_line(
    tmp_path: Path,
) -> None:
    seen: list[dict[str, float]] = []
    trained = train(TASK, SMALL, tmp_path / "run", progress=seen.append)
    assert [row["update"] for row in seen] == list(range(1, SMALL.updates + 1))
    assert seen[-1] == trained.metrics
    assert seen[-1]["steps"] == SMALL.updates * SMALL.envs * SMALL.steps
    needed = {
        "reward",
        "cost_east",
        "multiplier_north",
        "intervention",
        "entropy",
        "kl",
    }
    assert needed <= seen[-1].keys()
    assert len(rows_of(tmp_path / "run")) == SMALL.updates


def breaking_task(after: float) -> Task:
    """Gives a NaN reward once the clock passes `after`."""

    def step(key: jax.Array, state: Any, action: jax.Array) -> Step:
        found = TASK.step_batch(key, state, action)
        is_late = found.state[1] > after
        return dataclasses.replace(
            found, reward=jnp.where(is_late, jnp.nan, found.reward)
        )

    return dataclasses.replace(TASK, step_batch=step)


def test_divergence_stops_the_run_and_keeps_the_update_at_fault(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"update 1: found a number that is inf"):
        train(breaking_task(0.5), SMALL, tmp_path / "run")
    assert (tmp_path / "run" / "diverged-1.safetensors").exists()
    assert not (tmp_path / "run" / CHECKPOINT).exists()


def test_a_second_run_never_overwrites_a_first(tmp_path: Path) -> None:
    hyper = dataclasses.replace(SMALL, total_steps=128)
    train(TASK, hyper, tmp_path / "run")
    with pytest.raises(InputError, match=r"found the checkpoint of a run, expected"):
        train(TASK, hyper, tmp_path / "run")


def test_resume_refuses_other_settings_and_a_missing_or_broken_file(
    tmp_path: Path,
) -> None:
    hyper = dataclasses.replace(SMALL, total_steps=128)
    out = tmp_path / "run"
    with pytest.raises(InputError, match=r"checkpoint\.safetensors: cannot be read"):
        train(TASK, hyper, out, resume=True)
    train(TASK, hyper, out)
    with pytest.raises(InputError, match=r"found a run with gamma = 0.99, expected"):
        train(TASK, dataclasses.replace(hyper, gamma=0.5), out, resume=True)
    with pytest.raises(InputError, match=r"resume with"):
        train(drift_task(costs=1), hyper, out, resume=True)
    data = (out / CHECKPOINT).read_bytes()
    (out / CHECKPOINT).write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"cannot be read \(SafetensorError\)"):
        train(TASK, hyper, out, resume=True)


def test_a_checkpoint_keeps_keys_integers_and_scalars(tmp_path: Path) -> None:
    tree = {
        "key": jax.random.key(5),
        "count": jnp.asarray(7, jnp.int32),
        "rows": (jnp.arange(6.0).reshape(2, 3), jnp.asarray([True, False])),
    }
    save_tree(tmp_path / "tree", tree, "{}")
    found = load_tree(tmp_path / "tree", jax.eval_shape(lambda: tree))
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a, b),
        {**found, "key": jax.random.uniform(found["key"])},
        {**tree, "key": jax.random.uniform(tree["key"])},
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "tree"]


def test_overrides_are_parsed_to_their_type() -> None:
    found = parse_overrides(["envs=64", "gamma=0.8", "actor_hidden=32,16", "seed=3"])
    expected = Hyperparameters(envs=64, gamma=0.8, actor_hidden=(32, 16), seed=3)
    assert found == expected
    assert parse_overrides(["total_steps=2e6"]).total_steps == 2_000_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat=1", "did you mean 'learning_rate'"),
        ("gamma", "found no '=', expected name=value"),
        ("gamma=high", "gamma: found 'high', expected numbers"),
        ("envs=2.5", "envs: found '2.5', expected whole numbers"),
        ("gamma=nan", "gamma: found 'nan'"),
        ("gamma=1.5", "gamma: found 1.5, expected 0 to 0.99999"),
        ("minibatches=7", "minibatches: found 7, expected a divisor of"),
    ],
)
def test_a_wrong_override_is_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_overrides([text])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_is_found_by_its_settings(name: str) -> None:
    found = ALGORITHMS[name]
    assert algorithm_of(found.settings()) is found
    assert found.name == name


def test_settings_of_nobody_are_refused() -> None:
    with pytest.raises(TypeError, match="Hyperparameters, CpoSettings"):
        algorithm_of(object())


@pytest.mark.long
@pytest.mark.parametrize("name", ["cpo", "sac-lagrangian"])
def test_a_resumed_run_of_any_algorithm_equals_an_unbroken_one(
    name: str, tmp_path: Path
) -> None:
    small = SMALL_RUNS[name]
    whole = train(TASK, small, tmp_path / "whole")
    with pytest.raises(Stop):
        train(TASK, small, tmp_path / "broken", progress=interrupt_after(3))
    resumed = train(TASK, small, tmp_path / "broken", resume=True)
    jax.tree.map(np.testing.assert_array_equal, resumed.weights, whole.weights)
    assert rows_of(tmp_path / "broken") == rows_of(tmp_path / "whole")
