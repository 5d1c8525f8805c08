"""`bench` composes what each layer measures, and refuses what makes no sense."""

import importlib.util
from argparse import Namespace
from typing import Any

import numpy as np
import pytest

from coolbound.verbs import bench
from coolbound_envs.tables import InputError
from coolbound_safety import bench as safety_bench
from coolbound_safety import peers, recording
from coolbound_safety.takeover import Mode


def options(what: str, **given: Any) -> Namespace:
    asked = {"size": None, "against": None, "decisions": None, "seed": 0}
    return Namespace(what=what, site="reference", **(asked | given))


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Put the measurements out of action and remember what they are given."""
    seen: dict[str, Any] = {}

    def envelopes(self: Any, count: int, seed: int) -> Any:
        seen.update(count=count, seed=seed)
        return "envelopes", np.zeros((count, 10))

    def course(self: Any, steps: int, seed: int) -> Any:
        return "observations", np.zeros((steps, 10))

    def complete(layer: Any, observations: Any, proposed: np.ndarray) -> Any:
        assert layer.mode == Mode.AGENT
        return len(proposed)

    def projection(
        envelopes: Any, proposals: np.ndarray, decisions: int, decide: Any
    ) -> Any:
        assert decide == decisions
        seen["decisions"] = decisions
        return {"in_jit": {"per_cpu_second": 1.0}, "filter": {"p50_ms": 2.0}}

    monkeypatch.setattr(recording.Recorder, "envelopes", envelopes)
    monkeypatch.setattr(recording.Recorder, "course", course)
    monkeypatch.setattr(safety_bench, "complete", complete)
    monkeypatch.setattr(safety_bench, "measure_projection", projection)
    monkeypatch.setattr(peers, "require_peers", lambda: None)
    monkeypatch.setattr(peers, "measure_peers", lambda *_: {"peers": {"daqp": {}}})
    return seen


def test_bench_projection_takes_so_many_decisions(recorded: dict[str, Any]) -> None:
    answer = bench.run(options("projection", size=7, decisions=100_000, seed=3))
    assert recorded == {"count": 7, "seed": 3, "decisions": 100_000}
    assert answer.data["filter"] == {"p50_ms": 2.0}
    assert "peers" not in answer.data
    assert answer.data["machine"]["processor"]


def test_bench_projection_has_a_quick_default(recorded: dict[str, Any]) -> None:
    bench.run(options("projection"))
    assert recorded["count"] == bench.ENVELOPES
    assert recorded["decisions"] == bench.DECISIONS == 1000


def test_peers_stand_beside_ours(recorded: dict[str, Any]) -> None:
    answer = bench.run(options("projection", size=7, against="peers"))
    assert answer.data["peers"] == {"daqp": {}}
    assert answer.data["in_jit"] == {"per_cpu_second": 1.0}


@pytest.mark.parametrize(
    ("what", "against"),
    [("plant", "peers"), ("projection", "energyplus"), ("shadow", "peers")],
)
def test_what_is_not_comparable_is_refused_before_any_measurement(
    what: str, against: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bench.MEASURES, what, lambda *_: pytest.fail("it measured"))
    home = {"peers": "projection", "energyplus": "plant"}[against]
    with pytest.raises(InputError, match=f"--against {against}.* bench {home}"):
        bench.run(options(what, against=against))


def test_a_missing_peer_is_named_before_any_measurement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        pytest.fail("it recorded")

    monkeypatch.setattr(recording.Recorder, "envelopes", fail)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="install"):
        bench.run(options("projection", against="peers"))
