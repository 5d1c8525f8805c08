"""`coolbound calibrate`: its answer, its files, its exit codes."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from coolbound_envs.site import load_site
from coolbound_shadow.log_writer import write_log


def made_logs() -> ModuleType:
    """Return the maker of logs that lives beside the tests of the shadow package."""
    path = Path(__file__).parents[1] / "shadow" / "made_calibration_logs.py"
    spec = importlib.util.spec_from_file_location("made_calibration_logs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["made_calibration_logs"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = made_logs().made_log(days=6)
    return write_log(log, tmp_path_factory.mktemp("log"))[1]


def test_calibrate_answers_with_verdicts_and_writes_three_files(
    log_file: Path, coolbound: Callable, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    ran = coolbound("calibrate", "--log", log_file, "--out", out, "--json")
    assert (ran.code, ran.err) == (0, "")
    data = json.loads(ran.out)
    assert data["schema"] == "coolbound.calibration/1"
    assert data["split"]["unit"] == "days"
    assert not data["claims"]["relative_potential"]["supported"]
    assert {each.name for each in out.iterdir()} == {
        "calibrated_site.toml",
        "calibration.html",
        "calibration.json",
    }
    load_site(out / "calibrated_site.toml")
    told = coolbound("calibrate", "--log", log_file, "--out", out)
    assert told.code == 0
    assert "Relative potential: not supported: no whole week was held out" in told.out
    assert "missing: return_air_temp_hall1" in told.out


def test_a_mistake_is_one_sentence_and_leaves_nothing(
    coolbound: Callable, tmp_path: Path
) -> None:
    short = write_log(made_logs().made_log(days=2), tmp_path)[0]
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    for words, text in (
        (("--log", tmp_path / "none.csv", "--out", tmp_path / "a"), "none.csv"),
        (("--log", short, "--out", tmp_path / "b"), "found 2 whole days"),
        (("--log", short, "--site", tmp_path / "no.toml"), "no such site"),
        (("--log", short, "--out", full), "without calibration.json"),
    ):
        ran = coolbound("calibrate", *words)
        assert (ran.code, ran.out) == (2, "")
        assert text in ran.err
        assert ran.err.count("\n") == 1
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()
    assert (full / "mine.txt").read_text() == "keep"
