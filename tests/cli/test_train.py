"""`train`: settings from a file, several seeds, memory, the page; on a toy plant."""

import csv
import dataclasses
import functools
import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound.arguments import parse
from coolbound.training_page import render
from coolbound.training_view import _panel
from coolbound.verbs import train as verb
from coolbound_controllers.algorithms import ALGORITHMS
from coolbound_controllers.figures import training_page
from coolbound_controllers.settings import settings_texts
from coolbound_controllers.task import Step, Task

COSTS = ("warm", "wet")
TINY = (
    *("total_steps=512", "envs=8", "steps=16", "minibatches=4", "actor_hidden=8"),
    *("critic_hidden=8", "checkpoint_every=2", "integrator_max=0.001"),
)
"""Four updates of 128 steps; a multiplier is soon at its cap."""


@functools.cache
def toy() -> Task:
    """Return a point that the action pushes about; being far from it costs.

    Costs begin at 0.1 whatever is done: the limit of the second cannot be met.
    """

    def reset(key: jax.Array, n: int) -> tuple[jax.Array, Any]:
        point = jax.random.uniform(key, (n, 2), jnp.float32)
        return point, point

    def step(key: jax.Array, state: Any, action: jax.Array) -> Step:
        moved = (
            0.9 * state
            + 0.2 * (action - 0.5)
            + 0.01 * jax.random.normal(key, state.shape, jnp.float32)
        )
        never = jnp.zeros(moved.shape[0], bool)
        return Step(
            features=moved,
            final_features=moved,
            reward=moved.sum(-1),
            costs=0.1 + jnp.abs(moved),
            terminated=never,
            truncated=never,
            state=moved,
            info={"intervention": never, "power": -moved.sum(-1)},
        )

    return Task(reset, step, 2, COSTS, (0.9, 0.01), (0.5,) * 2, 2, (0.5,) * 2)


@pytest.fixture
def on_a_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "shielded_learning_task", lambda *_: toy())


def options(*words: object) -> Any:
    return parse(["train", *map(str, words)])


def test_a_file_of_settings_counts_and_the_command_line_wins(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("envs = 64\ngamma = 0.8\nactor_hidden = [32, 16]\nseed = 3\n")
    given = verb._with_settings(options("--settings", path, "--set", "gamma=0.7"))
    [job] = verb._jobs(given)
    wanted = {"envs": 64, "gamma": 0.7, "actor_hidden": (32, 16), "seed": 3}
    assert {name: getattr(job.settings, name) for name in wanted} == wanted
    again = parse(shlex.split(job.command)[1:])
    assert again.settings is None, "the file may change, the command may not"
    assert verb._jobs(again)[0].settings == job.settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gama = 0.9\n", "did you mean 'gamma'?"),
        ("gamma = 'high'\n", "gamma: found 'high', expected a number or a list"),
        ("envs = true\n", "envs: found True, expected a number"),
        ("envs = 2.5\n", "envs: found '2.5', expected whole numbers"),
        ("[ppo]\ngamma = 0.9\n", "ppo: found {'gamma': 0.9}, expected a number"),
        ("gamma = \n", "expected a TOML file of hyper-parameters"),
        (None, "cannot be read (FileNotFoundError"),
    ],
)
def test_a_wrong_file_of_settings_is_refused_by_its_name(
    text: str | None, said: str, tmp_path: Path, coolbound: Callable
) -> None:
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_text(text)
    ran = coolbound("train", "--settings", path, "--out", tmp_path / "out")
    assert ran.code == 2
    assert said in ran.err
    assert str(path) in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_setting_can_stand_in_a_file(name: str, tmp_path: Path) -> None:
    base = ALGORITHMS[name].settings()
    path = tmp_path / "all.toml"
    lines = [
        f"{key} = {list(value) if isinstance(value, tuple) else value}"
        for key, value in dataclasses.asdict(base).items()
    ]
    path.write_text("\n".join(lines))
    given = options(name, "--settings", path)
    [job] = verb._jobs(verb._with_settings(given))
    assert job.settings == base
    assert len(settings_texts(path, base)) == len(lines)


def test_every_seed_has_a_folder_a_name_and_a_command_of_its_own(
    tmp_path: Path,
) -> None:
    given = options("--seeds", 3, "--set", "seed=7", "--out", tmp_path / "many")
    jobs = verb._jobs(given)
    assert [job.settings.seed for job in jobs] == [7, 8, 9]
    assert [job.out.name for job in jobs] == ["seed-7", "seed-8", "seed-9"]
    assert len({job.name for job in jobs}) == 3
    for job in jobs:
        again = parse(shlex.split(job.command)[1:])
        assert verb._jobs(again)[0].settings == job.settings


def test_only_seeds_that_had_begun_are_resumed(tmp_path: Path) -> None:
    (tmp_path / "seed-0").mkdir()
    (tmp_path / "seed-0" / "checkpoint.safetensors").touch()
    given = options("--seeds", 2, "--out", tmp_path, "--resume")
    assert [job.is_resumed for job in verb._jobs(given)] == [True, False]


def test_a_run_that_does_not_fit_is_refused_before_it_leaves_anything(
    on_a_toy: None, tmp_path: Path, coolbound: Callable, monkeypatch: Any
) -> None:
    monkeypatch.setattr(verb, "free_bytes", lambda: 3.5e9)
    words = ("train", "--set", "envs=65536", "--out", tmp_path / "out")
    ran = coolbound(*words)
    assert ran.code == 2
    assert re.search(r"envs: found 65536, .* envs=\d+ fits", ran.err)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def two_seeds(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the folder of two seeds on the toy, and what was printed."""
    out = tmp_path_factory.mktemp("seeds") / "two"
    words = ["--seeds", "2", "--set", *TINY, "--out", str(out)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verb, "shielded_learning_task", lambda *_: toy())
        answer = verb.run(options(*words))
    return SimpleNamespace(out=out, answer=answer)


def test_two_seeds_leave_two_policies_that_differ(two_seeds: Any) -> None:
    manifests = [
        json.loads((two_seeds.out / f"seed-{i}/policy/manifest.json").read_text())
        for i in range(2)
    ]
    assert [manifest["seed"] for manifest in manifests] == [0, 1]
    assert manifests[0]["weights_sha256"] != manifests[1]["weights_sha256"]
    assert [m["command"] for m in manifests] == [
        data["command"] for data in two_seeds.answer.data["seeds"]
    ]
    assert "evaluate --controllers g36 start 'ppo-lagrangian=" in two_seeds.answer.text


def test_a_seed_of_several_is_the_run_that_it_is_alone(
    two_seeds: Any, on_a_toy: None, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    verb.run(options("--set", *TINY, "seed=1", "--out", alone))

    def rows(folder: Path) -> list[dict[str, str]]:
        with (folder / "metrics.csv").open(newline="") as file:
            found = list(csv.DictReader(file))
        return [{k: v for k, v in r.items() if k != "steps_per_second"} for r in found]

    assert rows(alone) == rows(two_seeds.out / "seed-1")


def test_the_page_of_a_run_needs_nothing_but_itself(two_seeds: Any) -> None:
    page = (two_seeds.out / "seed-0/training.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    for word in ("<script", "<link", "<img", "@import", "https:"):
        assert word not in page
    # Names of XML's own vocabularies are no addresses that anyone asks.
    plain = re.sub(r'xmlns(:\w+)?="http://www\.w3\.org/[^"]*"', "", page)
    assert "http:" not in plain
    [picture] = re.findall(r"<svg.*?</svg>", page, re.S)
    ElementTree.fromstring(picture)
    for name in COSTS:
        assert f"<td>{name}</td>" in page
    assert 'class="changed"><td>envs</td>' in page
    assert "<tr><td>gamma</td>" in page
    assert "coolbound train ppo-lagrangian --set total_steps=512" in page


def test_a_limit_that_no_policy_meets_is_said_with_the_evidence(
    two_seeds: Any,
) -> None:
    answer = two_seeds.answer
    assert answer.exit_code == 2
    for data in answer.data["seeds"]:
        assert set(data["unmet"]) == {"wet"}
        assert data["unmet"]["wet"]["least_cost"] >= 0.1
        assert data["unmet"]["wet"]["multiplier"] >= 0.001
    assert "wet cannot be met: found a mean cost of" in answer.text
    page = (two_seeds.out / "seed-0/training.html").read_text(encoding="utf-8")
    assert "<strong>wet was not met:</strong>" in page


def row(update: int, cost: float) -> dict[str, float]:
    return {
        "update": float(update),
        "updates": 4.0,
        "steps": 128.0 * update,
        "steps_per_second": 5000.0,
        "reward": -4.25,
        "power": 4.0,
        "intervention": 0.125,
        **{f"cost_{name}": cost for name in COSTS},
        **{f"multiplier_{name}": 0.75 for name in COSTS},
    }


def test_progress_shows_return_costs_limits_multipliers_and_speed() -> None:
    from rich.console import Console

    console = Console(width=100, record=True, file=io.StringIO())
    console.print(_panel(row(2, 0.6), dict.fromkeys(COSTS, 0.5), 30.0))
    text = console.export_text()
    for word in ("-4.250", "400.0 kW", "12.5 %", "5,000 steps/s", "0 min 30 s",
                 "warm", "0.6000", "0.5000", "0.750", "update 2 of 4"):  # fmt: skip
        assert word in text


def test_the_picture_is_the_same_for_the_same_rows() -> None:
    limits: dict[str, float] = {name: 0.5 for name in COSTS}
    rows = [row(i, 0.6 - 0.1 * i) for i in range(1, 5)]
    one, other = (training_page(rows, limits) for _ in range(2))
    assert one == other
    text = one.decode()
    for title in ("Reward of a step", "Mean cost over its limit", "Multiplier"):
        assert title in re.sub(r"<!--(.*?)-->", r"\1", text)


def test_the_page_marks_costs_over_their_limit() -> None:
    limits = {"warm": 0.5, "wet": 0.7}
    settings = dataclasses.asdict(ALGORITHMS["ppo-lagrangian"].settings())
    manifest = {"name": "m", "algorithm": "ppo-lagrangian", "seed": 0, "command": "c",
                "revision": "r", "versions": {"jax": "1", "jaxlib": "1"},
                "hyperparameters": settings}  # fmt: skip
    data = {"cost_limits": limits, "unmet": {}, "site": "s", "policy": {"digest": "d"}}
    rows = [row(1, 0.4), row(2, 0.6)]
    page = render(rows, manifest, data, b"<svg></svg>")
    [warm, wet] = re.findall(r"<tr><td>w.*?</tr>", page)
    assert 'class="n over">0.6000' in warm
    assert "50 %" in warm
    assert "over" not in wet
    assert "100 %" in wet
    assert 'class="changed"' not in page
    assert np.isfinite(rows[-1]["power"])
