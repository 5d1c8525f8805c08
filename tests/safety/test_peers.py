"""Peers are asked the same question as ours, and judged by the same measure."""

import dataclasses
import importlib.util

import numpy as np
import pytest
from families import make_family

from coolbound_envs.tables import InputError
from coolbound_safety import peer_kernel, peers
from coolbound_safety.active_set import solve_active_set
from coolbound_safety.peer_solvers import SOLVERS, Ask
from coolbound_safety.peers import (
    OURS,
    PACKAGES,
    measure_peers,
    measure_solvers,
    require_peers,
)
from coolbound_safety.stacks import take
from coolbound_safety.types import Envelope

COUNT = 24
CLOSE = {"daqp": 1e-6, "cvxpy_clarabel": 1e-4, "piqp": 1e-2, "clarabel": 1e-3}
"""Distance from the exact answer that each solver's setting reaches. [1]"""

missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
with_peers = pytest.mark.skipif(bool(missing), reason=f"without {', '.join(missing)}")


def case() -> tuple[Envelope, np.ndarray, np.ndarray]:
    envelopes, c = make_family(COUNT, 61, tight=0.6)
    exact = [solve_active_set(take(envelopes, i), c[i])[0] for i in range(COUNT)]
    return envelopes, c, np.stack(exact)


@with_peers
@pytest.mark.parametrize("name", SOLVERS)
def test_a_peer_solves_the_same_problem_slack_included(name: str) -> None:
    envelopes, c, exact = case()
    rows = np.einsum("kmn,kn->km", envelopes.G, exact) - envelopes.h
    has_slack = np.any(rows > 1e-6, axis=1)
    assert 0 < np.sum(has_slack) < COUNT
    ask = SOLVERS[name].make(*reversed(np.shape(envelopes.G)[1:]))
    for i in range(COUNT):
        u, is_solved = ask(take(envelopes, i), c[i])
        assert is_solved
        np.testing.assert_allclose(u, exact[i], rtol=0, atol=CLOSE.get(name, 5e-2))


@with_peers
def test_every_peer_stands_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_kernel, "ROUND_S", 0.001)
    monkeypatch.setattr(peer_kernel.measure_kernels, "__defaults__", ((8,), 3))
    envelopes, c, _ = case()
    found = measure_peers(envelopes, c, instances=6)
    assert set(found["peers"]) == {*SOLVERS, "qpax", "qpax_15_iterations"}
    own = found["ours"][OURS]
    assert own["instances"] == 6
    assert own["max_distance"] == own["violations"] == own["failures"] == 0
    for name in SOLVERS:
        peer = found["peers"][name]
        assert 0.0 < peer["p50_ms"] <= peer["p99_ms"] <= peer["max_ms"]
        assert peer["ratio"] == peer["p50_ms"] / own["p50_ms"]
        assert peer["bad_statuses"] == peer["failures"] == peer["unanswered"] == 0
    in_jit, qpax = found["ours"]["in_jit"], found["peers"]["qpax"]
    assert qpax["ratio"] == in_jit["per_cpu_second"] / qpax["per_cpu_second"]
    assert qpax["instances"] == in_jit["instances"] < COUNT
    assert in_jit["row_violations"] == 0
    assert qpax["max_distance"] < 1e-2
    assert in_jit["max_distance_without_margin"] < in_jit["max_distance"] < 1e-3


def test_a_solver_that_errs_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    envelopes, c, exact = case()
    rows = np.einsum("kmn,kn->km", envelopes.G, exact) - envelopes.h
    kept = int(np.sum(np.max(rows, axis=1) <= 1e-9))

    def make(answer: str) -> Ask:
        def ask(envelope: Envelope, point: np.ndarray) -> tuple[np.ndarray, bool]:
            u, _ = solve_active_set(envelope, point)
            if answer == "raises":
                raise RuntimeError("on purpose")
            if answer == "outside":
                return np.asarray(envelope.upper) + 0.5, True
            return (u, False) if answer == "unsure" else (np.full_like(u, np.nan), True)

        return ask

    kinds = ("raises", "outside", "unsure", "nothing")
    solvers = {
        kind: dataclasses.replace(SOLVERS["daqp"], make=lambda *_, k=kind: make(k))
        for kind in kinds
    }
    monkeypatch.setattr(peers, "SOLVERS", solvers)
    found = measure_solvers(envelopes, c, exact, COUNT)
    assert found["raises"]["failures"] == found["raises"]["unanswered"] == COUNT
    assert found["raises"]["distance_p99"] is None
    assert found["outside"]["violations"] == kept
    assert found["outside"]["max_violation"] >= 0.5
    assert found["outside"]["max_distance"] >= 0.5
    assert found["unsure"]["bad_statuses"] == COUNT
    assert found["unsure"]["max_distance"] == 0.0
    assert found["nothing"]["unanswered"] == COUNT
    assert found["nothing"]["bad_statuses"] == 0


def test_without_a_peer_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find(name: str) -> object:
        return None if name in ("daqp", "qpax") else object()

    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(InputError, match="no package daqp, qpax") as error:
        require_peers()
    assert "daqp, qpax" in str(error.value)
    assert "make peers" in str(error.value)
    assert str(error.value).count(". ") == 0
