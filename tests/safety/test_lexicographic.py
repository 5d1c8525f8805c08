"""Where no action keeps every row, slack is least by priority, and that is proven."""

import dataclasses
import functools

import cvxpy as cp
import numpy as np
import pytest
from families import M, lane, make_family
from hypothesis import given, settings
from hypothesis import strategies as st

from coolbound_safety.active_set import solve_active_set
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.lexicographic import (
    freeze,
    is_better,
    least_slack,
    row_slack,
)
from coolbound_safety.proof import (
    PROOF_TOLERANCE,
    SlackDual,
    certify_relaxed,
    is_least,
    least_total,
    totals_by_priority,
)
from coolbound_safety.types import (
    Envelope,
    FilterResult,
    FilterStatus,
    SolverFailureError,
    to_unit64,
)

FILTER = SafetyFilter()
TOTAL = 1e-6


@functools.cache
def empty_envelopes() -> list[tuple[Envelope, np.ndarray, FilterResult]]:
    """Return instances that need slack, of both priorities, and their decisions."""
    found = []
    for seed, tight, locked, shift in ((81, 0.4, 0.15, 0.05), (82, 0.4, 0.0, 0.2)):
        envelopes, c = make_family(60, seed, tight, locked, shift)
        for i, proposed in enumerate(c):
            envelope = lane(envelopes, i)
            result = FILTER.decide_unit(envelope, proposed)
            if result.slack:
                found.append((envelope, proposed, result))
    assert len(found) > 60
    return found


def program_optimum(envelope: Envelope) -> tuple[float, float]:
    """Return the least totals of priority 1, then 2, by an interior point method."""
    rows, h = np.asarray(envelope.G), np.asarray(envelope.h)
    u, s = cp.Variable(rows.shape[1]), cp.Variable(rows.shape[0], nonneg=True)
    first = np.asarray(envelope.priority) == 1
    kept = [rows @ u - s <= h, u >= envelope.lower, u <= envelope.upper]
    least = cp.Problem(cp.Minimize(cp.sum(s[first])), kept)
    least.solve(solver=cp.CLARABEL)
    total = float(np.sum(np.asarray(s.value)[first]))
    room = [*kept, cp.sum(s[first]) <= total + 1e-8]
    then = cp.Problem(cp.Minimize(cp.sum(s[~first])), room)
    then.solve(solver=cp.CLARABEL)
    return total, float(np.sum(np.asarray(s.value)[~first]))


def test_slack_is_the_optimum_of_two_linear_programs() -> None:
    for envelope, _, result in empty_envelopes()[::3]:
        first, second = program_optimum(envelope)
        assert result.slack_by_priority[1] == pytest.approx(first, abs=TOTAL)
        # A grain of the first priority buys up to a thousand of the second.
        assert result.slack_by_priority[2] == pytest.approx(second, abs=1e-4)


def test_every_relaxed_decision_is_certified_and_proven_least() -> None:
    rungs = set()
    for envelope, _, result in empty_envelopes():
        assert result.status == FilterStatus.RELAXED
        assert result.certificate.is_certified, result.reason
        assert result.certificate.bound_violation <= 0.0
        assert [x.priority for x in result.certificate.proof] == [1, 2]
        for proof in result.certificate.proof:
            assert proof.least <= proof.total + 1e-9
            assert proof.total <= proof.least + PROOF_TOLERANCE
            assert proof.total == result.slack_by_priority[proof.priority]
        u = to_unit64(result.action)
        excess = np.asarray(envelope.G) @ u - np.asarray(envelope.h)
        kept = np.setdiff1d(envelope.names, list(result.slack))
        at = [envelope.names.index(str(name)) for name in kept]
        assert np.max(excess[at], initial=-1.0) <= 1e-12
        rungs.add(result.rung)
    assert rungs == {"active_set", "lexicographic"}


def test_no_nearer_action_relaxes_each_row_no_further() -> None:
    for envelope, c, result in empty_envelopes()[::4]:
        u = cp.Variable(c.size)
        slack = np.maximum(result.certificate.slack, 0.0)
        rows = np.asarray(envelope.G) @ u <= np.asarray(envelope.h) + slack + 1e-9
        box = [u >= envelope.lower, u <= envelope.upper]
        nearest = cp.Problem(cp.Minimize(cp.sum_squares(u - c)), [rows, *box])
        nearest.solve(solver=cp.CLARABEL)
        mine = np.linalg.norm(to_unit64(result.action) - c)
        assert mine <= np.linalg.norm(np.asarray(u.value) - c) + 1e-5


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 60), st.integers(0, 10_000))
def test_no_action_has_less_slack_than_is_proven(which: int, seed: int) -> None:
    envelope, _, result = empty_envelopes()[which]
    first, second = result.certificate.proof
    rng = np.random.default_rng(seed)
    # Anywhere in the box, and near the answer, where it is tight.
    share = rng.choice([1.0, 0.01])
    u = to_unit64(result.action)
    other = u + share * (rng.uniform(envelope.lower, envelope.upper) - u)
    totals = totals_by_priority(envelope, row_slack(envelope, other))
    assert totals[1] >= first.least - 1e-9
    if totals[1] <= first.total:
        assert totals[2] >= second.least - 1e-9


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 60), st.integers(0, 10_000), st.sampled_from([1, 2]))
def test_any_multipliers_prove_no_more_than_is_true(
    which: int, seed: int, priority: int
) -> None:
    envelope, _, result = empty_envelopes()[which]
    rng = np.random.default_rng(seed)
    rows = rng.normal(0.3, 1.0, M) * rng.choice([1.0, 30.0])
    wild = SlackDual(priority, rows, rng.normal(0.0, 30.0, 3))
    spent = np.asarray(result.slack_by_priority)
    true = least_slack(envelope).duals[priority - 1]
    double = SlackDual(priority, 2.0 * true.rows, 2.0 * true.totals)
    for dual in (wild, double):
        bound = least_total(envelope, dual, spent)
        assert bound <= result.slack_by_priority[priority] + 1e-9


def test_a_row_that_costs_more_than_its_price_is_kept_where_it_can_be() -> None:
    envelope, _ = lane(make_family(1, 83)[0], 0), None
    rows, h = np.zeros_like(envelope.G), np.ones(M)
    # Priority 1: u0 <= 0.25, which c pushes against with a force of 0.5; its price
    # is less, so the weighted answer gives way although nothing forces it to.
    rows[0, 0], h[0] = 1.0, 0.25
    cheap = dataclasses.replace(
        envelope,
        lower=np.zeros(10),
        upper=np.ones(10),
        G=rows,
        h=h,
        price=np.full(M, 0.1),
        held=np.zeros(10),
        backup=np.zeros(10),
    )
    c = np.full(10, 0.75)
    weighted, _ = solve_active_set(cheap, c)
    assert weighted[0] == pytest.approx(0.65)
    result = FILTER.decide_unit(cheap, c)
    assert result.rung == "lexicographic"
    assert result.status == FilterStatus.PROJECTED
    assert result.certificate.is_certified
    assert not result.slack
    assert to_unit64(result.action)[0] == pytest.approx(0.25, abs=1e-8)


def with_hard_row(envelope: Envelope, row: int) -> Envelope:
    priority = np.array(envelope.priority)
    priority[row] = 0
    return dataclasses.replace(envelope, priority=priority)


def test_rows_that_never_relax_hold_while_others_give_way() -> None:
    held = refused = 0
    for envelope, c, result in empty_envelopes():
        hard = with_hard_row(envelope, int(np.argmax(result.certificate.slack)))
        found = FILTER.decide_unit(hard, c)
        if found.status == FilterStatus.FALLBACK:
            with pytest.raises(SolverFailureError):
                least_slack(hard)
            refused += 1
        else:
            assert found.certificate.is_certified
            assert found.slack_by_priority[0] == 0.0
            assert is_least(found.certificate.proof)
            held += 1
    assert held > 10
    assert refused > 10


def test_freezing_moves_soft_rows_out_to_the_action_and_no_hard_row() -> None:
    envelope, _, _ = empty_envelopes()[0]
    hard = with_hard_row(envelope, 3)
    wild = np.asarray(envelope.upper)
    frozen = freeze(hard, wild)
    excess = np.asarray(frozen.G) @ wild - np.asarray(frozen.h)
    assert np.max(np.delete(excess, 3)) <= 1e-12
    assert frozen.h[3] == hard.h[3]
    assert np.all(np.asarray(frozen.h) >= np.asarray(hard.h))


def test_equal_slack_is_broken_by_distance_and_hard_rows_come_first() -> None:
    envelope = lane(make_family(1, 84)[0], 0)
    rows, h = np.zeros_like(envelope.G), np.full(M, 10.0)
    rows[:3, :3], h[:3] = np.eye(3), 0.0
    priority = np.array([0, 1, *[2] * (M - 2)])
    given_ = dataclasses.replace(envelope, G=rows, h=h, priority=priority)

    def point(*values: float) -> np.ndarray:
        return np.array([*values, *np.zeros(10 - len(values))])

    order = [
        point(0.0, 0.1, 0.1, 0.0),
        point(0.0, 0.1, 0.1, 0.2),
        point(0.0, 0.1, 0.2, 0.0),
        point(0.0, 0.2, 0.0, 0.0),
        point(0.1, 0.0, 0.0, 0.0),
    ]
    for i, better in enumerate(order):
        for worse in order[i + 1 :]:
            assert is_better(given_, np.zeros(10), better, worse)
            assert not is_better(given_, np.zeros(10), worse, better)


def relaxed_parts() -> tuple[Envelope, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return an instance, its answer, its multipliers and the frozen rows."""
    envelope, c, result = empty_envelopes()[0]
    tight = dataclasses.replace(envelope, h=np.asarray(envelope.h) - 1e-9)
    frozen = freeze(tight, to_unit64(result.action))
    u, multipliers = solve_active_set(frozen, c)
    return envelope, c, u, multipliers, np.asarray(frozen.h)


def test_the_certificate_of_relaxed_rows_accepts_the_answer_and_nothing_else() -> None:
    envelope, c, u, multipliers, frozen = relaxed_parts()
    duals = least_slack(envelope).duals

    def certified(u, multipliers, frozen, duals) -> bool:
        found = certify_relaxed(envelope, c, u, multipliers, frozen, duals, 1e-5)
        assert found.is_certified == (not found.reasons)
        return found.is_certified

    assert certified(u, multipliers, frozen, duals)
    inside = np.clip(u + 1e-3, envelope.lower, envelope.upper)
    assert not certified(inside, multipliers, frozen, duals)
    assert not certified(u, np.roll(multipliers, 1), frozen, duals)
    assert not certified(u, multipliers, frozen - 1e-3, duals)
    # More slack than necessary: the rows were frozen too far out.
    loose = frozen + 0.01
    hard = dataclasses.replace(envelope, h=loose, price=np.full(M, 1e3))
    assert not certified(*solve_active_set(hard, c), loose, duals)
    # No proof at all.
    nothing = tuple(SlackDual(p, np.zeros(M), np.zeros(3)) for p in (1, 2))
    assert not certified(u, multipliers, frozen, nothing)


def test_without_a_linear_program_the_weighted_answer_stands_unproven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise SolverFailureError("no licence")

    envelope, c, _ = empty_envelopes()[0]
    monkeypatch.setattr("coolbound_safety.relaxation.least_slack", fails)
    result = FILTER.decide_unit(envelope, c)
    assert result.status == FilterStatus.RELAXED
    assert result.rung == "active_set"
    assert "no licence" in result.reason
    assert result.certificate.proof == ()


def test_a_better_backup_is_where_the_rows_are_frozen() -> None:
    # Two rows cannot both hold; every split of the slack has the same total.
    envelope = lane(make_family(1, 85)[0], 0)
    rows, h = np.zeros_like(envelope.G), np.ones(M)
    rows[0, 0], h[0] = 1.0, 0.2
    rows[1, 0], h[1] = -1.0, -0.6
    split = dataclasses.replace(
        envelope,
        lower=np.zeros(10),
        upper=np.ones(10),
        G=rows,
        h=h,
        price=np.where(np.arange(M) == 0, 0.3, 0.1),
        priority=np.full(M, 1),
        backup=np.full(10, 0.45),
        held=np.full(10, 0.45),
    )
    c = np.full(10, 0.45)
    result = FILTER.decide_unit(split, c + np.eye(10)[0] * 1e-3)
    assert result.slack_by_priority[1] == pytest.approx(0.4, abs=1e-6)
    # The weighted answer would go to 0.251, the linear program to either end.
    assert result.rung == "lexicographic"
    assert to_unit64(result.action)[0] == pytest.approx(0.45, abs=1e-6)


def test_a_row_far_out_of_reach_is_solved_from_the_least_that_it_can_be() -> None:
    envelopes, c = make_family(25, 86)
    seen: list[float] = []

    def spy(given_: Envelope, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        corner = np.where(given_.G[20] > 0.0, given_.lower, given_.upper)
        seen.append(float(given_.h[20] - given_.G[20] @ corner))
        return solve_active_set(given_, point)

    for i, proposed in enumerate(c):
        envelope = lane(envelopes, i)
        h = np.array(envelope.h)
        h[20] -= 50.0
        far = dataclasses.replace(envelope, h=h)
        result = dataclasses.replace(FILTER, exact=spy).decide_unit(far, proposed)
        assert abs(seen[0]) <= 1e-12
        seen.clear()
        assert result.status == FilterStatus.RELAXED, result.reason
        assert result.certificate.is_certified
        assert result.slack["row20"] > 40.0 * np.asarray(far.scale)[20]
