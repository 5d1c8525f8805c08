"""The evidence counts what it says: a wrong answer is found, a right one is not."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
from families import lane, make_family, take

from coolbound_safety import projection_evidence, projection_judge
from coolbound_safety.active_set import solve_active_set
from coolbound_safety.certificate import certify_batch
from coolbound_safety.kernel import DEFAULT_CONFIG
from coolbound_safety.kernel_chunk import Projection
from coolbound_safety.projection_evidence import (
    BLOCK,
    Block,
    batch_invariance,
    evidence_of,
    recorded_blocks,
)
from coolbound_safety.projection_families import FAMILIES, FIELDS
from coolbound_safety.projection_judge import (
    Exact,
    answers,
    exact_answers,
    figures,
    join,
    judge,
    process_pool,
)
from coolbound_safety.types import Envelope, SolverFailureError

COUNT = 64
Judged = tuple[Envelope, np.ndarray, Projection, Exact]


@pytest.fixture(scope="module")
def judged() -> Judged:
    envelopes, c = make_family(COUNT, 71, tight=0.6)
    return envelopes, c, answers(envelopes, c), exact_answers(envelopes, c)


def keepable(judged: Judged) -> int:
    """Return an envelope whose every row can be kept, and one of which is active."""
    exact = judged[3]
    is_quiet = np.all(exact.multipliers < 99.0, axis=1)
    return int(np.flatnonzero(is_quiet & np.any(exact.multipliers > 1e-3, axis=1))[0])


def doctored(judged: Judged, **fields: np.ndarray) -> dict[str, Any]:
    envelopes, c, found, exact = judged
    wrong = dataclasses.replace(found, **fields)
    return figures(judge(envelopes, c, wrong, exact))


def test_the_kernels_own_answers_are_clean(judged: Judged) -> None:
    found = doctored(judged)
    assert found["envelopes"] == COUNT
    assert found["flagged"] == found["row_violations"] == found["far"] == 0
    assert found["bound_violations"] == 0
    assert found["roomy"] + found["thin"] + found["relaxed_by_exact"] == COUNT
    assert found["relaxed_by_exact"] > 0
    assert found["exact_proven"] == COUNT
    assert found["max_row_excess"] < 0.0
    assert found["max_excess_beyond_exact"] < 2e-6
    assert 0.0 < found["distance_p99"] <= found["max_distance"] < 1e-4
    # The margin moves the answer, so the answer without it lies farther away.
    assert found["max_untightened"] > found["max_distance"]


def test_which_rows_can_be_kept_is_the_exact_solvers_word(judged: Judged) -> None:
    envelopes, c, _, exact = judged
    for i in range(8):
        u, multipliers = solve_active_set(lane(envelopes, i), c[i])
        np.testing.assert_array_equal(exact.u[i], u)
        np.testing.assert_array_equal(exact.multipliers[i], multipliers)
    given = dataclasses.replace(
        envelopes, h=np.asarray(envelopes.h) - DEFAULT_CONFIG.margin
    )
    np.testing.assert_array_equal(
        exact.tight[3], solve_active_set(lane(given, 3), c[3])[0]
    )


def test_an_answer_beyond_a_row_is_counted_once(judged: Judged) -> None:
    i = keepable(judged)
    envelopes, _, found, exact = judged
    row = int(np.argmax(exact.multipliers[i]))
    u = np.array(found.u)
    u[i] += np.float32(0.02) * np.asarray(envelopes.G, np.float32)[i, row]
    counted = doctored(judged, u=u)
    assert counted["row_violations"] == counted["far"] == 1
    assert counted["max_row_excess"] > 1e-5
    assert counted["max_excess_beyond_exact"] > 1e-5
    assert counted["max_distance"] > 1e-3


def test_a_flagged_answer_is_counted_apart(judged: Judged) -> None:
    i = keepable(judged)
    envelopes, _, found, _ = judged
    u, ok = np.array(found.u), np.array(found.ok)
    u[i], ok[i] = np.asarray(envelopes.upper)[i], False
    counted = doctored(judged, u=u, ok=ok)
    assert counted["flagged"] == counted["flagged_keepable"] == 1
    assert counted["max_flagged_excess"] > 0.0
    assert counted["row_violations"] == counted["far"] == 0


def test_an_answer_outside_its_box_or_not_finite_is_counted(judged: Judged) -> None:
    envelopes, _, found, _ = judged
    before = doctored(judged)
    u = np.array(found.u)
    u[3, 0] = np.asarray(envelopes.upper)[3, 0] + 0.25
    outside = doctored(judged, u=u)
    assert outside["max_bound_excess"] == pytest.approx(0.25, abs=1e-6)
    assert outside["bound_violations"] >= max(before["bound_violations"], 1)
    u[3, 0] = np.nan
    broken = doctored(judged, u=u)
    assert broken["not_finite_answers"] == broken["far"] == 1
    assert broken["bound_violations"] >= 1


def test_a_row_that_is_never_relaxed_is_judged_by_its_priority(judged: Judged) -> None:
    envelopes, c, found, exact = judged
    assert figures(judge(*judged))["never_relaxed_violations"] == 0
    hard = dataclasses.replace(envelopes, priority=np.zeros_like(envelopes.priority))
    counted = figures(judge(hard, c, found, exact))
    assert counted["never_relaxed_violations"] == counted["relaxed_by_exact"]


def test_an_exact_answer_that_is_not_the_best_is_not_proven(judged: Judged) -> None:
    envelopes, c, found, exact = judged
    u = np.array(exact.u)
    u[5] = np.asarray(envelopes.held)[5]
    wrong = dataclasses.replace(exact, u=u)
    assert figures(judge(envelopes, c, found, wrong))["exact_proven"] == COUNT - 1


def test_a_failure_of_the_exact_solver_is_counted_and_nothing_else(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    envelopes, c, found, _ = judged

    def solve(envelope: Envelope, proposed: np.ndarray) -> Any:
        if np.array_equal(proposed, c[7]):
            raise SolverFailureError("on purpose")
        return solve_active_set(envelope, proposed)

    monkeypatch.setattr(projection_judge, "solve_active_set", solve)
    counted = figures(judge(envelopes, c, found, exact_answers(envelopes, c)))
    assert counted["exact_failures"] == 1
    assert counted["exact_proven"] == COUNT - 1
    assert counted["row_violations"] == counted["far"] == 0


def test_programs_in_float64_answer_as_the_active_set_solver_does(
    judged: Judged,
) -> None:
    envelopes, c, _, exact = judged
    with process_pool(1) as pool:
        found = exact_answers(envelopes, c, pool, parts=2)
    np.testing.assert_allclose(found.u, exact.u, rtol=0.0, atol=1e-7)
    np.testing.assert_allclose(found.tight, exact.tight, rtol=0.0, atol=1e-7)
    checks = certify_batch(envelopes, c, found.u, found.multipliers)
    assert np.max(checks.distance) <= 1e-5


def test_an_answer_that_the_witness_does_not_share_is_none(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    envelopes, c, _, exact = judged

    def kernel(given: Envelope, proposed: np.ndarray) -> tuple[np.ndarray, ...]:
        sure = np.ones(len(proposed), bool)
        return np.array(exact.u) + 1e-5, np.array(exact.multipliers), sure

    monkeypatch.setattr(projection_judge, "_by_kernel", kernel)
    u, _, _ = projection_judge._proven(envelopes, c)
    assert not np.any(np.isfinite(u[0])), "the first of every 256 has a witness"
    assert np.all(np.isfinite(u[1:]))


def test_blocks_add_up(judged: Judged) -> None:
    envelopes, c, found, exact = judged
    whole = evidence_of([("all", envelopes, c)])
    halves = [np.arange(0, COUNT, 2), np.arange(1, COUNT, 2)]
    parts = [
        judge(
            take(envelopes, half),
            c[half],
            dataclasses.replace(
                found,
                **{
                    field.name: getattr(found, field.name)[half]
                    for field in dataclasses.fields(found)
                },
            ),
            Exact(exact.u[half], exact.multipliers[half], exact.tight[half]),
        )
        for half in halves
    ]
    joined = figures(join(parts))
    assert joined == {name: whole[name] for name in joined}
    assert whole["by_course"] == {"all": COUNT}
    assert whole["active_share"]["row0"] == np.mean(exact.multipliers[:, 0] > 1e-9)


def test_an_answer_that_depends_on_its_batch_is_found(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    envelopes, c, found, _ = judged

    def kernel(given: Envelope, proposals: np.ndarray) -> Projection:
        size = len(proposals)
        shift, ok = 0.5 * (size == 16), np.full(size, size != 1)
        return dataclasses.replace(found, u=proposals + shift, ok=ok)

    monkeypatch.setattr(projection_evidence, "answers", kernel)
    seen = batch_invariance(envelopes, c, (1, 16, 48, 128))
    assert [case["lanes"] for case in seen.values()] == [64, 64, 48, 128]
    differences = [case["max_difference"] for case in seen.values()]
    np.testing.assert_allclose(differences, [0.0, 0.5, 0.0, 0.0])
    assert [case["flags"] for case in seen.values()] == [64, 0, 0, 0]


def test_answers_do_not_depend_on_the_batch(judged: Judged) -> None:
    seen = batch_invariance(judged[0], judged[1], (1, COUNT))
    assert all(case["max_difference"] <= 1e-5 for case in seen.values())
    assert all(case["flags"] == 0 for case in seen.values())


class _Recorder:
    """Stands for closed-loop trajectories; remembers what it was asked."""

    asked: ClassVar[list[tuple[str, int, float, int]]] = []

    def __init__(self, params: Any, controller: Any) -> None:
        self.name = controller

    def envelopes(self, count: int, noise: float, seed: int) -> Any:
        self.asked.append((self.name, count, noise, seed))
        return make_family(count, seed % 1000)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(projection_evidence, "Recorder", _Recorder)
    _Recorder.asked = []
    return _Recorder.asked


def test_every_course_has_its_turn_with_a_seed_of_its_own(asked: list[Any]) -> None:
    controllers: Any = {"a": "a", "b": "b"}
    blocks = recorded_blocks(None, controllers, (0.0, 0.2), 2, 5)  # pyright: ignore
    names = [next(blocks)[0] for _ in range(5)]
    assert names[:4] == ["a, noise 0", "a, noise 0.2", "b, noise 0", "b, noise 0.2"]
    assert names[4] == names[0]
    assert len({seed for *_, seed in asked}) == 5
    assert [noise for _, _, noise, _ in asked[:4]] == [0.0, 0.2, 0.0, 0.2]


def test_the_whole_is_a_plain_dictionary_of_at_least_so_many(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection_evidence, "LANES", 32)

    class Task:
        class task:
            class scenario:
                hours = np.zeros((8, 1))

    given: Any = Task
    controllers: Any = {"a": "a", "b": "b"}
    found = projection_evidence.projection_evidence(
        given, controllers, 50, seed=3, noises=(0.1,), sizes=(COUNT,)
    )
    assert json.loads(json.dumps(found)) == found
    assert found["recorded"]["envelopes"] == 64
    assert found["recorded"]["by_course"] == {"a, noise 0.1": 32, "b, noise 0.1": 32}
    assert found["recorded"]["cities"] == 8
    assert found["recorded"]["exact_proven"] == 64
    assert set(found["degenerate"]) == set(FAMILIES)
    assert set(found["not_finite"]) == set(FIELDS)
    assert found["batch_invariance"]["64"]["lanes"] == 64


def test_a_long_run_is_made_of_blocks_that_fit_into_memory(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_all(blocks: Iterator[Block], *_: Any) -> dict[str, Any]:
        sizes = [len(c) for _, _, c in blocks]
        raise StopIteration(sizes)

    monkeypatch.setattr(projection_evidence, "evidence_of", take_all)
    monkeypatch.setattr(
        _Recorder, "envelopes", lambda self, count, *_: (None, [0] * count)
    )
    controllers: Any = {"a": "a"}
    with pytest.raises(StopIteration) as stop:
        projection_evidence.projection_evidence(None, controllers, 100_000)  # pyright: ignore
    sizes = stop.value.value
    assert sum(sizes) >= 100_000
    assert max(sizes) <= BLOCK
