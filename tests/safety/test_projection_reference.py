"""The two float64 solvers agree with each other and with the mathematics."""

import dataclasses

import numpy as np
import pytest
from families import ARRAYS, M, N, lane, make_family, take
from hypothesis import given, settings
from hypothesis import strategies as st

from coolbound_safety.active_set import solve_active_set
from coolbound_safety.certificate import certify, certify_batch
from coolbound_safety.reference import CvxpyProjector
from coolbound_safety.types import Envelope, SolverFailureError

TIGHT = 1e-9
SEEDS = st.integers(0, 10_000)


def solve_many(envelopes: Envelope, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = [solve_active_set(lane(envelopes, i), x) for i, x in enumerate(c)]
    return np.stack([u for u, _ in found]), np.stack([lam for _, lam in found])


def tightened(envelopes: Envelope) -> Envelope:
    return dataclasses.replace(envelopes, h=np.asarray(envelopes.h) - TIGHT)


def draw(seed: int) -> tuple[Envelope, np.ndarray]:
    envelopes, c = make_family(1, seed)
    return lane(envelopes, 0), c[0]


@pytest.mark.parametrize(
    ("tight", "locked_share", "shift"),
    [
        (1.0, 0.0, 0.0),
        (0.4, 0.0, 0.0),
        (1.0, 0.15, 0.0),
        (1.0, 0.5, 0.0),
        (1.0, 1.0, 0.0),
        (1.0, 0.0, 0.1),
        (1.0, 0.0, 0.5),
    ],
)
def test_active_set_is_certified_on_the_whole_family(
    tight: float, locked_share: float, shift: float
) -> None:
    envelopes, c = make_family(150, 11, tight, locked_share, shift)
    solved = tightened(envelopes)
    u, multipliers = solve_many(solved, c)
    checks = certify_batch(envelopes, c, u, multipliers, np.asarray(solved.h))
    assert np.all(checks.is_certified)
    assert np.max(checks.bound_violation) <= 0.0
    assert np.max(checks.gap) <= 1e-10


def test_cvxpy_and_active_set_agree_and_are_both_certified() -> None:
    projector = CvxpyProjector(N, M)
    for tight, seed in ((1.0, 1), (0.4, 2)):
        envelopes, c = make_family(150, seed, tight, 0.1)
        for i, proposed in enumerate(c):
            given_ = lane(envelopes, i)
            solved = tightened(given_)
            exact, _ = solve_active_set(solved, proposed)
            u, multipliers, seconds = projector.solve(solved, proposed)
            u = np.clip(u, given_.lower, given_.upper)
            h = np.asarray(solved.h)
            found = certify(given_, proposed, u, multipliers, h, tolerance=2e-3)
            assert found.is_certified, found.reasons
            assert np.max(np.abs(u - exact)) <= 2e-4
            assert seconds > 0.0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_projection_is_idempotent_where_feasible(seed: int) -> None:
    envelope, c = draw(seed)
    u, multipliers = solve_active_set(envelope, c)
    again, _ = solve_active_set(envelope, u)
    # Where a row costs more than its price, slack is traded again each time.
    if np.all(multipliers < np.asarray(envelope.price)):
        np.testing.assert_allclose(again, u, rtol=0, atol=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS, st.floats(0.01, 1.0))
def test_projection_is_non_expansive(seed: int, spread: float) -> None:
    envelope, c = draw(seed)
    other = c + np.random.default_rng(seed).normal(0.0, spread, N)
    a, _ = solve_active_set(envelope, c)
    b, _ = solve_active_set(envelope, other)
    assert np.linalg.norm(a - b) <= np.linalg.norm(c - other) + 1e-9


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_a_feasible_proposal_is_returned_unchanged(seed: int) -> None:
    envelope, c = draw(seed)
    u, _ = solve_active_set(tightened(envelope), c)
    inside = np.clip(u, envelope.lower, envelope.upper)
    if np.all(np.asarray(envelope.G) @ inside <= np.asarray(envelope.h)):
        again, multipliers = solve_active_set(envelope, inside)
        np.testing.assert_array_equal(again, inside)
        assert not np.any(multipliers)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SEEDS)
def test_row_order_does_not_matter(seed: int) -> None:
    envelope, c = draw(seed)
    order = np.random.default_rng(seed).permutation(M)
    rows = {k: np.asarray(getattr(envelope, k))[order] for k in ("G", "h", "price")}
    u, multipliers = solve_active_set(envelope, c)
    turned, turned_multipliers = solve_active_set(
        dataclasses.replace(envelope, **rows), c
    )
    np.testing.assert_allclose(turned, u, rtol=0, atol=1e-8)
    np.testing.assert_allclose(turned_multipliers, multipliers[order], atol=1e-4)


def test_a_duplicated_row_changes_nothing_on_feasible_instances() -> None:
    envelopes, c = make_family(60, 5)
    u, multipliers = solve_many(envelopes, c)
    is_kept = np.all(multipliers < np.asarray(envelopes.price), axis=1)
    assert np.sum(is_kept) > 40
    for i in np.flatnonzero(is_kept):
        one = lane(envelopes, int(i))
        doubled = {
            k: np.concatenate([getattr(one, k)] * 2) for k in ("G", "h", "price")
        }
        again, _ = solve_active_set(dataclasses.replace(one, **doubled), c[i])
        np.testing.assert_allclose(again, u[i], rtol=0, atol=1e-8)


def test_a_proposal_a_hundred_ranges_away_is_still_certified() -> None:
    envelopes, c = make_family(100, 6)
    held = np.asarray(envelopes.held)
    far = held + 100.0 * (c - held)
    solved = tightened(envelopes)
    u, multipliers = solve_many(solved, far)
    checks = certify_batch(
        envelopes, far, u, multipliers, np.asarray(solved.h), tolerance=1e-3
    )
    assert np.all(checks.is_certified)


def test_a_row_that_no_action_can_reach_pays_its_full_price() -> None:
    envelope, c = draw(3)
    rows, h = np.array(envelope.G), np.array(envelope.h)
    rows[0], h[0] = 0.0, -0.25
    _, multipliers = solve_active_set(dataclasses.replace(envelope, G=rows, h=h), c)
    assert multipliers[0] == np.asarray(envelope.price)[0]


def test_data_that_are_not_finite_never_give_a_certified_answer() -> None:
    envelope, c = draw(4)
    h = np.array(envelope.h)
    h[2] = np.nan
    broken = dataclasses.replace(envelope, h=h)
    try:
        u, multipliers = solve_active_set(broken, c)
    except SolverFailureError:
        return
    assert not certify(broken, c, u, multipliers).is_certified


def test_taking_lanes_keeps_every_field_aligned() -> None:
    envelopes, _ = make_family(5, 7)
    picked = take(envelopes, np.array([3, 1]))
    for name in ARRAYS:
        np.testing.assert_array_equal(
            getattr(picked, name)[1], getattr(envelopes, name)[1]
        )
