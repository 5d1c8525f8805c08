"""The measurements of the projection measure what they say."""

import itertools
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from families import make_family

from coolbound_safety import bench, bench_devices
from coolbound_safety.bench import (
    complete,
    filter_alone,
    measure_control,
    measure_projection,
)
from coolbound_safety.bench_devices import measure_devices


def decision(status: str, rung: str, certified: bool) -> Any:
    certificate = SimpleNamespace(is_certified=certified)
    return SimpleNamespace(
        status=SimpleNamespace(name=status), rung=rung, certificate=certificate
    )


def test_the_bench_reports_what_the_design_promises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert bench.BATCHES == (256, 4096)
    monkeypatch.setattr(bench, "ROUND_S", 0.01)
    monkeypatch.setattr(bench, "BATCHES", (8, 32))
    monkeypatch.setattr(bench, "in_fresh_process", lambda *_, devices: {"n": devices})
    envelopes, c = make_family(48, 55)
    calls = itertools.count()

    def decide(number: int) -> Any:
        next(calls)
        return decision("PASSED", "clip", True)

    report = measure_projection(envelopes, c, decisions=20, decide=decide)
    in_jit = report["in_jit"]
    assert in_jit["instances"] == 48
    assert in_jit["max_violation"] <= 0.0
    assert in_jit["max_distance"] <= 1e-4
    assert in_jit["flagged_share"] == 0.0
    assert [found["batch"] for found in in_jit["by_batch"]] == [8, 32]
    assert in_jit["per_cpu_second"] == in_jit["by_batch"][0]["per_cpu_second"] > 0.0
    assert report["two_devices"] == {"n": 2}
    assert report["filter"]["decisions"] == report["filter"]["certified"] == 20
    assert set(report["filter"]["by_rung"]) <= {"active_set", "lexicographic"}
    assert report["control"]["decisions"] == 20
    assert next(calls) == 21


def test_a_complete_decision_is_not_invented() -> None:
    assert "control" not in _quick()


def _quick() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "measure_in_jit", lambda *_: {})
        patch.setattr(bench, "in_fresh_process", lambda *_, **__: {})
        return measure_projection(*make_family(2, 56), decisions=2)


def test_the_time_of_a_decision_is_that_of_its_slowest_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    lengths = [9.0, *(0.001 * (i + 1) for i in range(100))]
    asked = []

    def decide(number: int) -> Any:
        clock[0] += lengths[len(asked)]
        asked.append(number)
        return decision("RELAXED" if number == 3 else "PASSED", "clip", number != 5)

    found = measure_control(decide, 100)
    assert asked == [0, *range(100)]
    assert found["start_s"] == 9.0
    assert found["p50_ms"] == pytest.approx(50.5)
    assert found["p99_ms"] == pytest.approx(99.01)
    assert found["max_ms"] == pytest.approx(100.0)
    assert found["certified"] == 99
    assert found["by_status"] == {"PASSED": 99, "RELAXED": 1}


def test_recorded_envelopes_come_round_again() -> None:
    envelopes, c = make_family(3, 57)
    decide = filter_alone(envelopes, c)
    first, again, other = decide(1), decide(4), decide(2)
    np.testing.assert_array_equal(first.action, again.action)
    assert not np.array_equal(first.action, other.action)


def test_a_complete_decision_is_warmed_up_once_and_follows_the_course() -> None:
    seen: list[Any] = []

    class Layer:
        def warm_up(self) -> None:
            seen.append("warm")

        def decide(self, observation: Any, proposed: np.ndarray) -> Any:
            seen.append((float(observation["time"]), float(proposed[0])))
            return SimpleNamespace(result=decision("PASSED", "clip", True))

    layer: Any = Layer()
    course: Any = {"time": np.array([10.0, 20.0])}
    proposed = np.array([[1.0], [2.0]])
    found = measure_control(complete(layer, course, proposed), 3)
    steps = [(10.0, 1.0), (20.0, 2.0)]
    assert seen == ["warm", steps[0], *steps, steps[0]]
    assert found["certified"] == found["decisions"] == 3


def test_devices_are_given_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_devices, "CALLS", 1)
    found = measure_devices(*make_family(48, 58), batch=64, rounds=2)
    assert found["devices"] == 1
    assert found["batch"] == 64
    assert found["max_difference"] == 0.0
    low, high = found["ratio_range"]
    assert 0.0 < low <= found["ratio"] <= high
    assert found["one_device_per_second"] > 0.0


@pytest.mark.long
def test_two_devices_answer_as_one_does() -> None:
    from coolbound_envs.bench_scale import in_fresh_process

    envelopes, c = make_family(256, 59)
    found = in_fresh_process(measure_devices, envelopes, c, 512, 2, devices=2)
    assert found["devices"] == 2
    assert found["max_difference"] <= 1e-6
