"""What any projection must do, of both solvers, on drawn and degenerate instances."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from families import M, N, lane, make_family
from hypothesis import given, settings
from hypothesis import strategies as st

from coolbound_safety.active_set import solve_active_set
from coolbound_safety.certificate import certify
from coolbound_safety.kernel import narrow, project_batch
from coolbound_safety.reference import CvxpyProjector
from coolbound_safety.types import Envelope

TIGHT = 1e-9
LANES = 64
SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=8, deadline=None, derandomize=True)
MANY = settings(max_examples=50, deadline=None, derandomize=True)


@jax.jit
def answers(envelopes: Envelope, c: jax.Array) -> tuple[jax.Array, jax.Array]:
    found = project_batch(envelopes, c)
    kept = found.ok & jnp.all(found.multipliers < envelopes.price, axis=-1)
    return found.u, kept


def kernel(envelopes: Envelope, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the float32 answers, and which lanes gave way nowhere."""
    single = jax.tree.map(jnp.asarray, narrow(envelopes))
    u, kept = answers(single, jnp.asarray(c, jnp.float32))
    return np.asarray(u), np.asarray(kept)


@FEW
@given(SEEDS, st.floats(0.01, 1.0))
def test_kernel_is_non_expansive(seed: int, spread: float) -> None:
    envelopes, c = make_family(LANES, seed)
    other = c + np.random.default_rng(seed).normal(0.0, spread, c.shape)
    (a, _), (b, _) = kernel(envelopes, c), kernel(envelopes, other)
    moved = np.linalg.norm(a - b, axis=1)
    assert np.all(moved <= np.linalg.norm(c - other, axis=1) + 2e-4)


@FEW
@given(SEEDS)
def test_kernel_is_idempotent_where_feasible(seed: int) -> None:
    envelopes, c = make_family(LANES, seed)
    u, kept = kernel(envelopes, c)
    again, _ = kernel(envelopes, u)
    np.testing.assert_allclose(again[kept], u[kept], rtol=0, atol=2e-5)


@FEW
@given(SEEDS)
def test_kernel_does_not_mind_the_order_of_rows(seed: int) -> None:
    envelopes, c = make_family(LANES, seed)
    order = np.random.default_rng(seed).permutation(M)
    fields = ("G", "h", "price", "scale", "priority")
    turned = {k: np.asarray(getattr(envelopes, k))[:, order] for k in fields}
    u, _ = kernel(envelopes, c)
    other, _ = kernel(dataclasses.replace(envelopes, **turned), c)
    np.testing.assert_allclose(other, u, rtol=0, atol=1e-4)


@FEW
@given(SEEDS)
def test_kernel_does_not_mind_a_row_twice_where_feasible(seed: int) -> None:
    envelopes, c = make_family(LANES, seed)
    rows, h = np.array(envelopes.G), np.array(envelopes.h)
    rows[:, -1], h[:, -1] = 0.0, 1.0
    once = dataclasses.replace(envelopes, G=rows.copy(), h=h.copy())
    u, kept = kernel(once, c)
    worst = np.argmax(np.einsum("bmn,bn->bm", rows, c) - h, axis=1)
    at = np.arange(LANES)
    rows[:, -1], h[:, -1] = rows[at, worst], h[at, worst]
    twice, _ = kernel(dataclasses.replace(once, G=rows, h=h), c)
    np.testing.assert_allclose(twice[kept], u[kept], rtol=0, atol=1e-4)


@MANY
@given(SEEDS, st.integers(0, M - 1), st.floats(0.01, 100.0))
def test_scaling_a_row_before_it_is_normalised_changes_nothing(
    seed: int, row: int, factor: float
) -> None:
    envelopes, c = make_family(1, seed)
    envelope = lane(envelopes, 0)
    factors = np.where(np.arange(M) == row, factor, 1.0) * np.asarray(envelope.scale)
    raw, limit = envelope.G * factors[:, None], envelope.h * factors
    norm = np.linalg.norm(raw, axis=1)
    scaled = dataclasses.replace(
        envelope, G=raw / norm[:, None], h=limit / norm, scale=norm
    )
    assert norm[row] == pytest.approx(factor * np.asarray(envelope.scale)[row])
    u, multipliers = solve_active_set(envelope, c[0])
    again, multipliers_again = solve_active_set(scaled, c[0])
    np.testing.assert_allclose(again, u, rtol=0, atol=1e-8)
    np.testing.assert_allclose(multipliers_again, multipliers, rtol=0, atol=1e-4)


def degenerate(kind: str, envelope: Envelope, seed: int) -> Envelope:
    rows, h = np.array(envelope.G), np.array(envelope.h)
    lower, upper = np.array(envelope.lower), np.array(envelope.upper)
    rng = np.random.default_rng(seed)
    if kind == "duplicate":
        rows[8:], h[8:] = rows[8], h[8]
    elif kind == "parallel":
        rows[9] = rows[8] + rng.normal(0.0, 1e-6, N)
        rows[9] /= np.linalg.norm(rows[9])
        h[9] = h[8]
    elif kind == "zero":
        rows[:3], h[:3] = 0.0, np.array([1.0, 0.0, -0.1])
    elif kind == "vertex":
        h = rows @ np.asarray(envelope.held)
    elif kind == "one_ulp":
        upper = np.nextafter(lower, np.inf)
    elif kind == "half_locked":
        lower[::2] = upper[::2] = np.asarray(envelope.held)[::2]
    elif kind == "all_locked":
        lower = upper = np.asarray(envelope.held)
    return dataclasses.replace(envelope, G=rows, h=h, lower=lower, upper=upper)


KINDS = ("duplicate", "parallel", "zero", "vertex", "one_ulp", "half_locked")


@pytest.mark.parametrize("kind", [*KINDS, "all_locked", "none"])
def test_degenerate_instances_are_solved_exactly_and_certified(kind: str) -> None:
    envelopes, c = make_family(60, 91)
    for i, proposed in enumerate(c):
        envelope = degenerate(kind, lane(envelopes, i), i)
        solved = dataclasses.replace(envelope, h=np.asarray(envelope.h) - TIGHT)
        u, multipliers = solve_active_set(solved, proposed)
        found = certify(envelope, proposed, u, multipliers, np.asarray(solved.h))
        assert found.is_certified, found.reasons
        assert found.gap <= 1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_degenerate_instances_have_the_same_answer_by_both_solvers(kind: str) -> None:
    envelopes, c = make_family(15, 92)
    projector = CvxpyProjector(N, M)
    for i, proposed in enumerate(c):
        envelope = degenerate(kind, lane(envelopes, i), i)
        exact, _ = solve_active_set(envelope, proposed)
        u, _, _ = projector.solve(envelope, proposed)
        np.testing.assert_allclose(u, exact, rtol=0, atol=2e-4)
