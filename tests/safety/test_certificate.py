"""The certificate accepts exact answers and nothing else."""

import dataclasses

import numpy as np
import pytest
from families import M, N, lane, make_family

from coolbound_safety.active_set import solve_active_set
from coolbound_safety.certificate import certify, certify_batch
from coolbound_safety.types import ADVICE, Envelope, FilterStatus

TIGHT = 1e-9


@pytest.fixture(scope="module", name="solved")
def solved_fixture() -> list[tuple[Envelope, np.ndarray, np.ndarray, np.ndarray]]:
    """Return envelopes, proposals, exact answers and multipliers, no slack."""
    envelopes, c = make_family(80, 21)
    found = []
    for i, proposed in enumerate(c):
        envelope = lane(envelopes, i)
        u, lam = solve_active_set(_tightened(envelope), proposed)
        has_row = np.any((lam > 1e-3) & (lam < np.asarray(envelope.price)))
        if has_row and np.all(lam < np.asarray(envelope.price)):
            found.append((envelope, proposed, u, lam))
    assert len(found) >= 50
    return found


def _tightened(envelope: Envelope) -> Envelope:
    return dataclasses.replace(envelope, h=np.asarray(envelope.h) - TIGHT)


def _h(envelope: Envelope) -> np.ndarray:
    return np.asarray(envelope.h) - TIGHT


def test_exact_answers_are_certified(solved) -> None:
    for envelope, c, u, lam in solved:
        found = certify(envelope, c, u, lam, _h(envelope))
        assert found.is_certified, found.reasons
        assert found.distance <= 1e-5
        assert not np.any(found.slack)
        assert found.reasons == ()


@pytest.mark.parametrize("step", [1e-4, 1e-2, 0.3])
def test_a_perturbed_action_is_refused(solved, step: float) -> None:
    rng = np.random.default_rng(0)
    for envelope, c, u, lam in solved:
        moved = u + rng.choice([-step, step], N)
        assert not certify(envelope, c, moved, lam, _h(envelope)).is_certified
        inside = np.clip(moved, envelope.lower, envelope.upper)
        if np.max(np.abs(inside - u)) > 2e-5:
            assert not certify(envelope, c, inside, lam, _h(envelope)).is_certified


def test_wrong_multipliers_are_refused(solved) -> None:
    for envelope, c, u, lam in solved:
        for wrong in (np.zeros(M), lam + 0.1, 0.5 * lam, np.full(M, 1e9)):
            found = certify(envelope, c, u, wrong, _h(envelope))
            assert not found.is_certified
            assert found.reasons


def test_multipliers_of_swapped_rows_are_refused(solved) -> None:
    for envelope, c, u, lam in solved:
        assert not certify(envelope, c, u, np.roll(lam, 1), _h(envelope)).is_certified


def test_rows_that_were_swapped_are_refused(solved) -> None:
    for envelope, c, u, lam in solved:
        at = int(np.argmax(lam))
        rows = np.array(envelope.G)
        rows[[at, (at + 1) % M]] = rows[[(at + 1) % M, at]]
        swapped = dataclasses.replace(envelope, G=rows)
        assert not certify(swapped, c, u, lam, _h(envelope)).is_certified


def test_rows_that_moved_after_the_solve_are_refused(solved) -> None:
    for envelope, c, u, lam in solved:
        stale = dataclasses.replace(envelope, h=np.asarray(envelope.h) - 1e-3)
        assert not certify(stale, c, u, lam, _h(stale)).is_certified
        # Even where the stale rows are passed off as those that were solved.
        assert not certify(stale, c, u, lam, _h(envelope)).is_certified


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["lower", "upper", "G", "h", "price"])
def test_data_that_are_not_finite_are_refused(solved, field: str, value: float) -> None:
    envelope, c, u, lam = solved[0]
    broken = np.array(getattr(envelope, field))
    broken.flat[0] = value
    found = certify(dataclasses.replace(envelope, **{field: broken}), c, u, lam)
    assert not found.is_certified
    assert not found.finite


@pytest.mark.parametrize("which", ["c", "u", "lam"])
def test_an_answer_that_is_not_finite_is_refused(solved, which: str) -> None:
    envelope, c, u, lam = solved[0]
    parts = {"c": c.copy(), "u": u.copy(), "lam": lam.copy()}
    parts[which][0] = np.nan
    found = certify(envelope, parts["c"], parts["u"], parts["lam"])
    assert not found.is_certified
    assert found.reasons == ("a value is not finite",)


def test_bounds_are_exact_to_the_last_bit(solved) -> None:
    for envelope, c, u, lam in solved:
        at_bound = np.flatnonzero(u == np.asarray(envelope.upper))
        if at_bound.size:
            over = u.copy()
            over[at_bound[0]] = np.nextafter(over[at_bound[0]], np.inf)
            found = certify(envelope, c, over, lam, _h(envelope))
            assert not found.is_certified
            assert "a bound is exceeded" in found.reasons[0]
            return
    pytest.fail("no instance has an active upper bound")


def _relaxed() -> tuple[Envelope, np.ndarray, np.ndarray, np.ndarray]:
    envelopes, c = make_family(20, 22, shift=0.2)
    for i, proposed in enumerate(c):
        envelope = lane(envelopes, i)
        u, lam = solve_active_set(_tightened(envelope), proposed)
        if np.any(lam >= np.asarray(envelope.price)):
            return envelope, proposed, u, lam
    raise AssertionError("no instance needs slack")


def test_slack_is_accepted_only_where_its_price_is_paid() -> None:
    envelope, c, u, lam = _relaxed()
    found = certify(envelope, c, u, lam, _h(envelope))
    assert found.is_certified, found.reasons
    assert np.any(found.slack > 0.0)
    row = int(np.argmax(found.slack))
    unpaid = lam.copy()
    unpaid[row] *= 0.9
    refused = certify(envelope, c, u, unpaid, _h(envelope), tolerance=np.inf)
    assert not refused.is_certified
    assert any(envelope.names[row] in reason for reason in refused.reasons)


def test_slack_on_a_row_that_is_never_relaxed_is_refused() -> None:
    envelope, c, u, lam = _relaxed()
    hard = dataclasses.replace(envelope, priority=np.zeros(M, np.int32))
    found = certify(hard, c, u, lam, _h(envelope))
    assert not found.is_certified
    assert any("never relaxed" in reason for reason in found.reasons)


def test_a_batch_gets_the_same_certificates_as_its_lanes() -> None:
    envelopes, c = make_family(40, 23, tight=0.4)
    found = [solve_active_set(lane(envelopes, i), x) for i, x in enumerate(c)]
    u, lam = (np.stack([pair[k] for pair in found]) for k in (0, 1))
    u[7, 0] += 0.3
    checks = certify_batch(envelopes, c, u, lam)
    for i in range(len(c)):
        one = certify(lane(envelopes, i), c[i], u[i], lam[i])
        assert one.is_certified == checks.is_certified[i]
        assert one.gap == checks.gap[i]
        assert one.row_violation == checks.row_violation[i]
        np.testing.assert_array_equal(one.slack, checks.slack[i])


def test_the_gap_bounds_the_true_distance() -> None:
    envelopes, c = make_family(60, 24)
    rng = np.random.default_rng(1)
    for i, proposed in enumerate(c):
        envelope = lane(envelopes, i)
        best, _ = solve_active_set(envelope, proposed)
        u = rng.uniform(envelope.lower, envelope.upper)
        lam = rng.uniform(0.0, 5.0, M)
        found = certify(envelope, proposed, u, lam)
        assert np.linalg.norm(u - best) <= found.distance + 1e-6


def test_every_status_has_its_sentence() -> None:
    assert set(ADVICE) == set(FilterStatus)
