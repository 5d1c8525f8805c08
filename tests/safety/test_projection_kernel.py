"""The in-jit projection is exact to float32, safe in float64, and never hangs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from families import ARRAYS, M, N, lane, make_family, take

from coolbound_safety.active_set import solve_active_set
from coolbound_safety.certificate import certify_batch
from coolbound_safety.kernel import (
    ProjectConfig,
    Projection,
    narrow,
    project_batch,
    project_one,
)
from coolbound_safety.reference import CvxpyProjector
from coolbound_safety.types import Envelope

MARGIN = ProjectConfig().margin
project = jax.jit(project_batch, static_argnums=2)


def run(envelopes: Envelope, c: np.ndarray, **settings: float) -> Projection:
    single = jax.tree.map(jnp.asarray, narrow(envelopes))
    config = dataclasses.replace(ProjectConfig(), **settings)
    found = project(single, jnp.asarray(c, jnp.float32), config)
    return jax.tree.map(np.asarray, found)


def exact(envelopes: Envelope, c: np.ndarray, margin: float) -> np.ndarray:
    inward = dataclasses.replace(envelopes, h=np.asarray(envelopes.h) - margin)
    return np.stack([solve_active_set(lane(inward, i), x)[0] for i, x in enumerate(c)])


def violation(envelopes: Envelope, c: np.ndarray, found: Projection) -> np.ndarray:
    """Return each lane's worst excess in float64 on the original data."""
    u = np.asarray(found.u, np.float64)
    checks = certify_batch(
        envelopes, c, u, np.asarray(found.multipliers, np.float64), tolerance=np.inf
    )
    return np.maximum(checks.row_violation, checks.bound_violation)


def test_projection_agrees_with_the_float64_reference() -> None:
    envelopes, c = make_family(512, 31)
    found = run(envelopes, c)
    assert np.all(found.ok)
    same = np.abs(found.u - exact(envelopes, c, MARGIN))
    assert np.max(same) <= 1e-4
    # Without the margin the answers differ by the margin times the conditioning
    # of the active rows: 1.5e-5 in the median, ten times that at the worst.
    loose = np.max(np.abs(found.u - exact(envelopes, c, 0.0)), axis=1)
    assert np.percentile(loose, 95) <= 1e-4
    assert np.max(loose) <= 5e-4


def test_projection_agrees_with_cvxpy() -> None:
    envelopes, c = make_family(64, 32)
    found, projector = run(envelopes, c), CvxpyProjector(N, M)
    inward = dataclasses.replace(envelopes, h=np.asarray(envelopes.h) - MARGIN)
    for i, proposed in enumerate(c):
        u, _, _ = projector.solve(lane(inward, i), proposed)
        np.testing.assert_allclose(found.u[i], u, rtol=0, atol=1e-4)


def test_no_unflagged_lane_exceeds_a_row_or_bound_in_float64() -> None:
    envelopes, c = make_family(4096, 33)
    found = run(envelopes, c)
    assert np.mean(found.ok) > 0.999
    assert np.max(violation(envelopes, c, found)[found.ok]) <= 0.0


@pytest.mark.parametrize("tight", [0.4, 0.1])
def test_no_unflagged_tight_lane_exceeds_a_row_in_float64(tight: float) -> None:
    envelopes, c = make_family(1024, 34, tight=tight)
    found = run(envelopes, c)
    assert np.mean(found.ok) > 0.99
    assert np.max(violation(envelopes, c, found)[found.ok]) <= 0.0


@pytest.mark.parametrize("share", [0.15, 0.5, 1.0])
def test_locked_actuators_do_not_move(share: float) -> None:
    envelopes, c = make_family(512, 35, locked_share=share)
    found = run(envelopes, c)
    assert np.all(found.ok)
    is_locked = np.asarray(envelopes.lower) == np.asarray(envelopes.upper)
    held = np.asarray(envelopes.held)
    np.testing.assert_allclose(found.u[is_locked], held[is_locked], atol=1e-7)
    # The held value is a float64; whoever writes it downstream clips to the bounds.
    u = np.clip(np.asarray(found.u, np.float64), envelopes.lower, envelopes.upper)
    clipped = dataclasses.replace(found, u=u)
    assert np.max(violation(envelopes, c, clipped)) <= 0.0
    assert np.max(np.abs(u - exact(envelopes, c, MARGIN))) <= 1e-4


def test_results_do_not_depend_on_the_batch() -> None:
    envelopes, c = make_family(4096, 36)
    whole = run(envelopes, c)
    for size in (1, 128, 129, 256, 257, 2049):
        part = run(take(envelopes, np.arange(size)), c[:size])
        np.testing.assert_allclose(part.u, whole.u[:size], rtol=0, atol=1e-5)
        np.testing.assert_array_equal(part.ok, whole.ok[:size])


@pytest.mark.long
@pytest.mark.parametrize("size", [32_769, 65_536])
def test_results_do_not_depend_on_a_large_batch(size: int) -> None:
    envelopes, c = make_family(256, 37)
    index = np.arange(size) % 256
    whole, small = run(take(envelopes, index), c[index]), run(envelopes, c)
    np.testing.assert_allclose(whole.u, small.u[index], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "field", ["lower", "upper", "G", "h", "price", "scale", "held", "backup", "c"]
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_broken_lane_returns_its_backup_and_disturbs_no_other(
    field: str, value: float
) -> None:
    envelopes, c = make_family(64, 38)
    clean = run(envelopes, c)
    parts = {name: np.array(getattr(envelopes, name)) for name in ARRAYS} | {"c": c}
    parts[field] = parts[field].copy()
    parts[field][9].flat[0] = value
    broken = dataclasses.replace(envelopes, **{k: parts[k] for k in ARRAYS})
    found = run(broken, parts["c"])
    assert not found.ok[9]
    known = envelopes.held if field == "backup" else envelopes.backup
    np.testing.assert_allclose(found.u[9], np.asarray(known)[9], atol=1e-7)
    others = np.arange(64) != 9
    np.testing.assert_array_equal(found.u[others], clean.u[others])
    assert np.max(found.iterations) <= ProjectConfig().step_limit


def test_a_lane_at_the_step_limit_is_flagged_and_falls_back_to_safety() -> None:
    envelopes, c = make_family(512, 39)
    found = run(envelopes, c, step_limit=4)
    assert np.max(found.iterations) == 4
    assert 0.2 < np.mean(~found.ok) < 1.0
    rows = np.einsum("bmn,bn->bm", np.asarray(envelopes.G), envelopes.backup)
    has_anchor = np.all(rows <= np.asarray(envelopes.h) - 2 * MARGIN, axis=1)
    flagged = ~found.ok & has_anchor
    assert np.sum(flagged) > 50
    assert np.max(violation(envelopes, c, found)[flagged]) <= 0.0
    no_anchor = ~found.ok & np.any(rows > np.asarray(envelopes.h), axis=1)
    np.testing.assert_allclose(
        found.u[no_anchor], np.asarray(envelopes.backup)[no_anchor], atol=1e-7
    )


@pytest.mark.parametrize(
    ("field", "value"), [("c", 3e38), ("G", 1e30), ("lower", 5.0), ("h", -1e38)]
)
def test_a_lane_that_cannot_be_solved_ends_and_disturbs_no_other(
    field: str, value: float
) -> None:
    envelopes, c = make_family(64, 38)
    clean = run(envelopes, c)
    parts = {name: np.array(getattr(envelopes, name)) for name in ARRAYS} | {"c": c}
    parts[field] = parts[field].copy()
    parts[field][9].flat[0] = value
    mad = dataclasses.replace(envelopes, **{k: parts[k] for k in ARRAYS})
    found = run(mad, parts["c"])
    # So far away, or so far out of reach, is no fault: the rows pay their prices.
    assert found.ok[9] == (field in ("c", "h"))
    assert np.all(np.isfinite(found.u[9]))
    assert np.all(found.u[9] <= np.asarray(envelopes.upper)[9] + 1e-6)
    others = np.arange(64) != 9
    np.testing.assert_array_equal(found.u[others], clean.u[others])
    assert np.max(found.iterations) <= ProjectConfig().step_limit


def test_a_row_that_is_never_relaxed_is_flagged_where_it_would_be() -> None:
    envelopes, c = make_family(256, 40, shift=0.3)
    soft = run(envelopes, c)
    slack = soft.slack > 0.0
    assert np.any(slack)
    hard = dataclasses.replace(envelopes, priority=np.zeros((256, M), np.int32))
    found = run(hard, c)
    np.testing.assert_array_equal(found.ok, soft.ok & ~np.any(slack, axis=1))


def test_slack_is_reported_against_the_rows_as_given() -> None:
    envelopes, c = make_family(256, 41, shift=0.3)
    found = run(envelopes, c)
    u = np.asarray(found.u, np.float64)
    rows = np.einsum("bmn,bn->bm", np.asarray(envelopes.G), u)
    true = np.maximum(rows - np.asarray(envelopes.h), 0.0)
    np.testing.assert_allclose(found.slack, true, rtol=0, atol=2e-6)


def adversarial(kind: str) -> tuple[Envelope, np.ndarray]:
    envelopes, c = make_family(256, 42)
    rows, h = np.array(envelopes.G), np.array(envelopes.h)
    rng = np.random.default_rng(0)
    if kind == "duplicate":
        rows[:, 8:], h[:, 8:] = rows[:, 8:9], h[:, 8:9]
    elif kind == "parallel":
        rows[:, 9] = rows[:, 8] + rng.normal(0.0, 1e-6, (256, N))
        rows[:, 9] /= np.linalg.norm(rows[:, 9], axis=-1, keepdims=True)
        h[:, 9] = h[:, 8]
    elif kind == "zero":
        rows[:, :3], h[:, :3] = 0.0, np.array([1.0, 0.0, -0.1])
    elif kind == "through_held":
        h = np.einsum("bmn,bn->bm", rows, np.asarray(envelopes.held))
    elif kind == "far":
        c = np.asarray(envelopes.held) + 100.0 * (c - np.asarray(envelopes.held))
    elif kind == "one_ulp":
        upper = np.nextafter(np.asarray(envelopes.lower), np.inf)
        return dataclasses.replace(envelopes, upper=upper), c
    return dataclasses.replace(envelopes, G=rows, h=h), c


@pytest.mark.parametrize(
    "kind", ["duplicate", "parallel", "zero", "through_held", "far", "one_ulp"]
)
def test_degenerate_rows_never_hang_and_stay_safe(kind: str) -> None:
    envelopes, c = adversarial(kind)
    found = run(envelopes, c)
    assert np.max(found.iterations) <= ProjectConfig().step_limit
    assert np.all(found.ok)
    u = np.clip(np.asarray(found.u, np.float64), envelopes.lower, envelopes.upper)
    worst = violation(envelopes, c, dataclasses.replace(found, u=u))
    assert np.max(worst[found.ok]) <= 0.0


def test_vmap_of_one_lane_is_the_batched_projection() -> None:
    envelopes, c = make_family(12, 43)
    single = jax.tree.map(jnp.asarray, narrow(envelopes))
    point = jnp.asarray(c, jnp.float32)
    whole = project(single, point, ProjectConfig())
    one = jax.jit(jax.vmap(project_one))(single, point)
    np.testing.assert_allclose(one.u, whole.u, rtol=0, atol=1e-6)
    folded = jax.tree.map(lambda x: x.reshape(3, 4, *x.shape[1:]), (single, point))
    twice = jax.jit(jax.vmap(jax.vmap(project_one)))(*folded)
    np.testing.assert_allclose(twice.u.reshape(12, N), whole.u, rtol=0, atol=1e-6)
    shared = jax.tree.map(lambda x: x[0], single)
    fanned = jax.jit(jax.vmap(project_one, in_axes=(None, 0)))(shared, point)
    lone = jax.jit(project_one)(shared, point[5])
    np.testing.assert_allclose(fanned.u[5], lone.u, rtol=0, atol=1e-6)


def test_no_gradient_passes_through_the_projection() -> None:
    envelopes, c = make_family(3, 44)
    single = jax.tree.map(jnp.asarray, narrow(envelopes))

    def cost(point: jax.Array) -> jax.Array:
        found = jax.vmap(project_one)(single, point)
        return jnp.sum(jnp.square(found.u)) + jnp.sum(point)

    gradient = jax.jit(jax.grad(cost))(jnp.asarray(c, jnp.float32))
    np.testing.assert_array_equal(gradient, np.ones((3, N), np.float32))


def test_projection_compiles_once_for_any_data() -> None:
    traces: list[None] = []

    @jax.jit
    def traced(envelopes: Envelope, c: jax.Array) -> Projection:
        traces.append(None)
        return project_batch(envelopes, c)

    for seed in (45, 46):
        envelopes, c = make_family(2, seed)
        traced(
            jax.tree.map(jnp.asarray, narrow(envelopes)), jnp.asarray(c, jnp.float32)
        )
    assert len(traces) == 1


def test_narrow_rounds_bounds_inward() -> None:
    envelopes, _ = make_family(200, 47)
    single = narrow(envelopes)
    assert np.all(np.asarray(single.lower, np.float64) >= envelopes.lower)
    assert np.all(np.asarray(single.upper, np.float64) <= envelopes.upper)
    assert single.lower.dtype == np.float32


def test_a_feasible_proposal_is_unchanged() -> None:
    envelopes, c = make_family(256, 48)
    once = run(envelopes, c)
    is_kept = once.ok & ~np.any(once.slack > 0.0, axis=1)
    is_kept &= np.all(once.multipliers < np.asarray(envelopes.price), axis=1)
    # A point two margins inside every row.
    inner = dataclasses.replace(envelopes, h=np.asarray(envelopes.h) - 2 * MARGIN)
    start = run(inner, c)
    again = run(envelopes, np.asarray(start.u))
    np.testing.assert_array_equal(again.u[is_kept], start.u[is_kept])
    assert np.sum(is_kept) > 200
