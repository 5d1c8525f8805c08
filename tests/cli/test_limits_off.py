"""Whoever runs a site with limits switched off reads so, in words and in JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from coolbound.evaluation_table import evaluation_table
from coolbound_controllers.policy_folder import MANIFEST_KEYS, OPTIONAL_KEYS
from coolbound_envs.site import load_site

OFF = ["CA_ROC", "SURGE_LINE"]
WORD = "coolbound: site reference switches off CA_ROC, SURGE_LINE\n"


@pytest.fixture(scope="module")
def site_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = load_site().path.read_text(encoding="utf-8")
    for name in OFF:
        head = f"[limits.{name}]\n"
        assert text.count(head) == 1
        before, after = text.split(head)
        text = before + head + after.replace("on = true", "on = false", 1)
    path = tmp_path_factory.mktemp("site") / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def run(coolbound: Callable, verb: str, site: Path, out: Path, *words: str) -> dict:
    ran = coolbound(verb, "--site", site, "--out", out, "--json", *words)
    assert (ran.code, ran.err) == (0, WORD)
    return json.loads(ran.out)


def test_a_simulated_log_says_which_limits_are_off(
    site_file: Path, tmp_path: Path, coolbound: Callable
) -> None:
    found = run(coolbound, "simulate", site_file, tmp_path / "log", "--days", "1")
    assert found["limits_off"] == OFF


def test_a_shadow_run_says_which_limits_are_off(
    site_file: Path, tmp_path: Path, coolbound: Callable
) -> None:
    words = ("--steps", "24", "--policy", "start")
    found = run(coolbound, "shadow", site_file, tmp_path / "out", *words)
    assert found["limits_off"] == OFF
    for name in OFF:
        assert not found["limit_values"]["certified"][name]["observable"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "neither kept nor counted:</strong> CA_ROC, SURGE_LINE." in page


def test_an_evaluation_says_which_limits_are_off(
    site_file: Path, tmp_path: Path, coolbound: Callable
) -> None:
    words = ("--controllers", "g36", "--weather", "phoenix", "--days", "1")
    found = run(coolbound, "evaluate", site_file, tmp_path / "out", *words)
    assert found["limits_off"] == OFF
    assert "Switched off in the site file, not counted: CA_ROC, SURGE_LINE." in (
        tmp_path / "out" / "table.md"
    ).read_text(encoding="utf-8")


def test_a_site_with_all_limits_on_is_not_talked_about() -> None:
    data = {"days": 1, "load": "a", "baseline": "g36", "weather": ["b"], "cities": {}}
    data |= {"limits_off": [], "controllers": {}, "paired": {}}
    assert "Switched off" not in evaluation_table(data)


def test_a_manifest_may_name_the_limits_that_were_off() -> None:
    assert not OPTIONAL_KEYS & set(MANIFEST_KEYS)
    assert "limits_off" in OPTIONAL_KEYS


def test_a_margin_that_empties_the_box_is_refused_by_every_verb(
    tmp_path: Path, coolbound: Callable
) -> None:
    text = load_site().path.read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('value = "8 delta_degC"', 'value = "16 delta_degC"'))
    for verb in ("simulate", "train", "evaluate", "shadow", "audit"):
        ran = coolbound(verb, "--site", path, "--out", tmp_path / "out")
        assert ran.code == 2
        assert "limits.LIFT_MIN and SURGE_LINE with margins leave" in ran.err
