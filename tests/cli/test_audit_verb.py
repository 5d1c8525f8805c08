"""`coolbound audit`: its answer, its files, its exit code, and what it audits."""

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from coolbound.verbs import audit as verb
from coolbound_envs.audit.records import QUICK, Audit, Sizes, Subject, judged, not_run
from coolbound_envs.spec import POINT_NAMES, action_digest
from coolbound_safety.shielded import ShieldedTask

PASSED = judged("energy", 1e-7, 1e-3, "1", "Energy closes.")
FAILED = judged("reward", 0.5, 1e-6, "1", "Reward is off by 0.5.")
NOT_RUN = not_run("log_distribution", 1.0, "tolerances", "there is no log")


class Fake:
    """Stands for the checks: keeps what was to be audited, gives a set answer."""

    def __init__(self, *checks: Any) -> None:
        self.checks = checks
        self.subject: Subject | None = None
        self.sizes: Sizes | None = None

    def __call__(self, subject: Subject, sizes: Sizes, seed: int, *_: Any) -> Audit:
        self.subject, self.sizes = subject, sizes
        return Audit(subject.name, self.checks, [], seed, 1.5)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fake]:
    def install(*checks: Any) -> Fake:
        fake = Fake(*checks)
        monkeypatch.setattr(verb, "run_audit", fake)
        return fake

    return install


def test_a_passed_audit_prints_the_documented_fields_and_exits_with_0(
    faked: Callable[..., Fake], coolbound: Callable, tmp_path: Path
) -> None:
    faked(PASSED, NOT_RUN)
    ran = coolbound("audit", "--out", tmp_path / "out", "--json", "--seed", "3")
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert found["passed"] is True
    assert found["seed"] == 3
    assert found["checks"][0] == {
        "name": "energy",
        "passed": True,
        "figure": 1e-7,
        "bound": 1e-3,
        "unit": "1",
        "sentence": "Energy closes.",
    }
    assert found["checks"][1]["passed"] is None
    assert found["checks"][1]["figure"] is None


def test_a_failed_audit_exits_with_1_and_still_writes_its_page(
    faked: Callable[..., Fake], coolbound: Callable, tmp_path: Path
) -> None:
    faked(PASSED, FAILED)
    ran = coolbound("audit", "--out", tmp_path / "out")
    assert ran.code == 1
    assert "FAILED" in ran.out
    assert "Reward is off by 0.5." in ran.out
    assert str(tmp_path / "out" / "audit.html") in ran.out
    assert "Reward is off by 0.5." in (tmp_path / "out/audit.html").read_text()
    whole = json.loads((tmp_path / "out/audit.json").read_text())
    assert whole["passed"] is False
    assert whole["checks"][0]["details"] == {}


def test_the_reference_site_comes_with_its_log_its_operators_and_its_digest(
    faked: Callable[..., Fake], coolbound: Callable, tmp_path: Path
) -> None:
    fake = faked(PASSED)
    assert coolbound("audit", "--quick", "--out", tmp_path / "out").code == 0
    subject = fake.subject
    assert subject is not None
    assert fake.sizes is QUICK
    assert list(subject.references) == ["g36", "legacy"]
    assert subject.digests == {"policy reference": action_digest()}
    assert subject.log is not None
    assert set(subject.log.points) == set(POINT_NAMES)
    assert subject.log.applied.shape[0] == len(subject.log.points["it_power_hall1"])
    assert not subject.changes_actions
    assert float(subject.params.faults.rates.sum()) == 0.0
    assert subject.rough is not None
    assert float(subject.rough.faults.rates.sum()) > 0.0


def test_the_shielded_environment_is_audited_as_one_that_changes_actions(
    faked: Callable[..., Fake], coolbound: Callable, tmp_path: Path
) -> None:
    fake = faked(PASSED)
    assert coolbound("audit", "--shielded", "--out", tmp_path / "out").code == 0
    subject = fake.subject
    assert subject is not None
    assert isinstance(subject.environment, ShieldedTask)
    assert subject.changes_actions
    assert hasattr(subject.params, "safety")


def test_another_site_has_no_log_unless_one_is_named(
    faked: Callable[..., Fake], coolbound: Callable, tmp_path: Path
) -> None:
    fake = faked(PASSED)
    other = resources.files("coolbound_shadow") / "sites" / "december_plant.toml"
    assert coolbound("audit", "--site", other, "--out", tmp_path / "out").code == 0
    assert fake.subject is not None
    assert fake.subject.log is None
    assert "--log" in fake.subject.no_log


def test_the_users_mistakes_are_one_sentence_each(
    faked: Callable[..., Fake], coolbound: Callable, tmp_path: Path
) -> None:
    faked(PASSED)
    ran = coolbound("audit", "--log", tmp_path / "gone.csv", "--out", tmp_path / "out")
    assert ran.code == 2
    assert "gone.csv: no such file" in ran.err
    assert ran.err.count("\n") == 1
    kept = tmp_path / "mine" / "notes.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    ran = coolbound("audit", "--out", kept.parent)
    assert ran.code == 2
    assert kept.read_text() == "mine"


@pytest.mark.long
def test_the_whole_audit_of_the_reference_site_passes(
    coolbound: Callable, tmp_path: Path
) -> None:
    ran = coolbound("audit", "--out", tmp_path / "out", "--json")
    found = json.loads(ran.out)
    wrong = [row for row in found["checks"] if row["passed"] is not True]
    assert wrong == []
    assert ran.code == 0
