"""Train, stop, resume, evaluate, simulate, bench: small, but the whole way."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coolbound_envs.limit_table import LIMIT_NAMES

TRAIN = (
    "train",
    "--set",
    *("total_steps=256", "envs=8", "steps=8", "minibatches=2", "checkpoint_every=2"),
    *("--weather", "phoenix", "--load", "google2019"),
)
"""Four updates of 64 steps."""

RUN = "import sys; from coolbound.main import main; sys.exit(main(sys.argv[1:]))"

STOP_AT_3 = """
import contextlib, sys
from coolbound.startup import prepare_environment
prepare_environment()
from coolbound import main, training_view

@contextlib.contextmanager
def stopping(limits, first_update):
    def show(row):
        if row["update"] == 3:
            raise KeyboardInterrupt
    yield show

training_view.training_view = stopping
sys.exit(main.main(sys.argv[1:]))
"""
"""Ctrl-C at the third update, one after the only checkpoint."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run") / "tiny"


@pytest.fixture(scope="module")
def stopped(folder: Path, python: Callable) -> Any:
    return python(STOP_AT_3, *TRAIN, "--out", folder)


@pytest.fixture(scope="module")
def resumed(stopped: Any, folder: Path, python: Callable) -> Any:
    assert stopped.code == 130, stopped.err
    return python(RUN, *TRAIN, "--out", folder, "--resume", "--json")


@pytest.fixture(scope="module")
def policy(resumed: Any, folder: Path) -> Path:
    assert resumed.code == 0, resumed.err
    return folder / "policy"


def test_a_stopped_run_says_how_to_go_on(stopped: Any, folder: Path) -> None:
    assert stopped.code == 130
    assert stopped.out == ""
    assert "--resume" in stopped.err
    assert stopped.err.count("\n") == 1
    assert (
        not (folder / "policy").is_dir() or (folder / "policy/manifest.json").exists()
    )


def test_a_resumed_run_prints_one_object_and_nothing_else(resumed: Any) -> None:
    assert (resumed.code, resumed.err) == (0, "")
    found = json.loads(resumed.out)
    assert found["final"]["update"] == 4
    assert found["command"].startswith("coolbound train ppo-lagrangian --set")
    assert "--out" not in found["command"]


def test_a_run_leaves_policy_metrics_and_page(policy: Path, resumed: Any) -> None:
    manifest = json.loads((policy / "manifest.json").read_text())
    lines = (policy.parent / "metrics.csv").read_text().splitlines()
    assert len(lines) == 1 + 4
    assert manifest["command"] == json.loads(resumed.out)["command"]
    assert (policy.parent / "training.svg").read_bytes().startswith(b"<?xml")
    assert {path.name for path in policy.iterdir()} == {
        "manifest.json",
        "weights.safetensors",
    }


def test_a_finished_run_is_not_overwritten(policy: Path, coolbound: Callable) -> None:
    ran = coolbound(*TRAIN, "--out", policy.parent)
    assert ran.code == 2
    assert "--resume" in ran.err


def test_a_run_is_not_resumed_on_other_data(policy: Path, coolbound: Callable) -> None:
    other = [word if word != "phoenix" else "chicago" for word in TRAIN]
    ran = coolbound(*other, "--out", policy.parent, "--resume")
    assert ran.code == 2
    assert "weather = ['phoenix'], expected ['chicago']" in ran.err


@pytest.mark.parametrize("verb", ["evaluate", "shadow"])
def test_a_policy_for_other_channels_is_refused(
    verb: str, policy: Path, tmp_path: Path, coolbound: Callable
) -> None:
    copy = Path(shutil.copytree(policy, tmp_path / "copy"))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["spec_digest"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    option = "--controllers" if verb == "evaluate" else "--policy"
    ran = coolbound(verb, option, copy, "--out", tmp_path / "out")
    assert ran.code == 2
    assert "found spec_digest '000000000000'" in ran.err
    assert not (tmp_path / "out").exists()


def test_an_evaluation_pairs_every_controller_with_g36(
    policy: Path, tmp_path: Path, coolbound: Callable
) -> None:
    ran = coolbound(
        "evaluate",
        *("--controllers", "g36", policy, "--weather", "frankfurt-2021"),
        *("--days", "1", "--out", tmp_path / "out", "--json"),
    )
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert json.loads((tmp_path / "out/evaluation.json").read_text()) == found
    assert set(found["controllers"]) == {"g36", str(policy)}
    assert set(found["paired"]) == {str(policy)}
    assert found["paired"][str(policy)]["percent"] is None, "a day proves nothing"
    assert "at least 7 needed" in found["paired"][str(policy)]["refused"]
    for figures in found["controllers"].values():
        assert figures["steps"] == 288
        assert set(figures["violations"]) == set(LIMIT_NAMES)
        assert 1.0 < figures["pue"] < 2.0
    assert found["controllers"]["g36"]["intervention_rate"] == 0.0
    assert found["policies"][str(policy)]["is_of_this_site"]
    assert "| g36 " in (tmp_path / "out/table.md").read_text()


def test_a_simulated_day_is_written_whole_and_replaced_whole(
    tmp_path: Path, coolbound: Callable
) -> None:
    words = ("simulate", "--days", "1", "--out", tmp_path / "log", "--json")
    first = coolbound(*words)
    assert first.code == 0
    found = json.loads(first.out)
    assert 280 <= found["rows"] <= 288
    assert [Path(path).name for path in found["files"]] == ["log.parquet", "log.csv"]
    before = (tmp_path / "log/log.csv").read_bytes()
    assert coolbound(*words).code == 0
    assert (tmp_path / "log/log.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_bench_plant_has_the_documented_fields(coolbound: Callable) -> None:
    ran = coolbound("bench", "plant", "--size", "1", "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    names = {"steps_per_cpu_second", "steps_per_second", "batch", "substep_s"}
    assert names <= set(found)
    assert found["batch"] == 1
    assert found["steps_per_cpu_second"] > 0
    low, high = found["steps_per_cpu_second_range"]
    assert low <= found["steps_per_cpu_second"] <= high
    assert found["machine"]["processor"]
    assert found["versions"]["jaxlib"]
