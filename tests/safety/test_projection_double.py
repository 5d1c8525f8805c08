"""Float64 and derivatives of the kernel, in a program of their own."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from double_program import COUNT, FAMILIES, FIELDS, perturbation
from families import lane, make_family

from coolbound_safety.active_set import solve_active_set
from coolbound_safety.certificate import certify_batch
from coolbound_safety.derivative import project_differentiable
from coolbound_safety.kernel import narrow, project_batch
from coolbound_safety.kernel_double import DOUBLE_CONFIG, project_double
from coolbound_safety.types import Envelope

STEP = 1e-6


@pytest.fixture(scope="module", name="found")
def found_fixture(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Return what the float64 program found."""
    out = tmp_path_factory.mktemp("double") / "found.npz"
    program = Path(__file__).with_name("double_program.py")
    environment = os.environ | {"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, program, out], env=environment, check=True)
    return dict(np.load(out))


def exact(envelopes: Envelope, c: np.ndarray) -> np.ndarray:
    inward = dataclasses.replace(
        envelopes, h=np.asarray(envelopes.h) - DOUBLE_CONFIG.margin
    )
    return np.stack([solve_active_set(lane(inward, i), x)[0] for i, x in enumerate(c)])


@pytest.mark.parametrize("k", range(len(FAMILIES)))
def test_float64_is_the_scalar_solver_to_rounding(found, k: int) -> None:
    envelopes, c = make_family(COUNT, *FAMILIES[k])
    u = found[f"u{k}"]
    assert u.dtype == np.float64
    assert np.all(found[f"ok{k}"])
    np.testing.assert_allclose(u, exact(envelopes, c), rtol=0, atol=1e-9)


@pytest.mark.parametrize("k", range(len(FAMILIES)))
def test_float64_answers_are_certified(found, k: int) -> None:
    envelopes, c = make_family(COUNT, *FAMILIES[k])
    solved_h = np.asarray(envelopes.h) - DOUBLE_CONFIG.margin
    checks = certify_batch(
        envelopes, c, found[f"u{k}"], found[f"multipliers{k}"], solved_h
    )
    assert np.all(checks.is_certified)
    assert np.max(checks.gap) <= 1e-10
    assert np.max(checks.bound_violation) <= 0.0


def slopes(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return central differences by the scalar solver, and where u is smooth."""
    envelopes, c = make_family(COUNT, *FAMILIES[k])
    way = perturbation(envelopes, c, k)

    def at(share: float) -> np.ndarray:
        rows = {x: np.asarray(getattr(envelopes, x)) for x in FIELDS[1:]}
        moved = {x: rows[x] + share * STEP * way[x] for x in rows}
        moved_c = c + share * STEP * way["c"]
        return exact(dataclasses.replace(envelopes, **moved), moved_c)

    low, mid, high = at(-1.0), at(0.0), at(1.0)
    size = 1.0 + np.max(np.abs(high - low), axis=1) / (2.0 * STEP)
    bend = np.max(np.abs(high - 2.0 * mid + low), axis=1) / STEP / size
    return (high - low) / (2.0 * STEP), size, bend < 1e-3


@pytest.mark.parametrize("k", range(len(FAMILIES)))
def test_derivatives_are_those_of_the_scalar_solver_away_from_kinks(
    found, k: int
) -> None:
    difference, size, is_smooth = slopes(k)
    assert np.mean(is_smooth) > 0.95
    error = np.max(np.abs(found[f"forward{k}"] - difference), axis=1) / size
    assert np.max(error[is_smooth]) <= 1e-6
    reverse = np.sum(found[f"y{k}"] * difference, axis=1)
    error = np.abs(found[f"reverse{k}"] - reverse) / size
    assert np.max(error[is_smooth]) <= 1e-5


def test_locked_actuators_follow_their_bounds(found) -> None:
    envelopes, c = make_family(COUNT, *FAMILIES[3])
    way = perturbation(envelopes, c, 3)
    np.testing.assert_allclose(found["forward3"], way["upper"], rtol=0, atol=1e-12)


def test_the_differentiable_answer_is_the_projection(found) -> None:
    for k in range(len(FAMILIES)):
        np.testing.assert_allclose(
            found[f"value{k}"], found[f"u{k}"], rtol=0, atol=1e-12
        )


def test_float64_is_refused_in_a_float32_program() -> None:
    envelopes, c = make_family(2, 65)
    with pytest.raises(RuntimeError, match="JAX_ENABLE_X64=1"):
        project_double(envelopes, c)


@jax.jit
def gradient(envelopes: Envelope, c: jax.Array, y: jax.Array) -> tuple[jax.Array, ...]:
    def weighed(point: jax.Array, lower: jax.Array) -> tuple[jax.Array, jax.Array]:
        given = dataclasses.replace(envelopes, lower=lower)
        u = project_differentiable(given, point).u
        return jnp.sum(u * y), u

    (_, u), back = jax.value_and_grad(weighed, argnums=(0, 1), has_aux=True)(
        c, envelopes.lower
    )
    return u, *back


def test_float32_gradients_pass_and_a_broken_lane_has_none() -> None:
    envelopes, c = make_family(COUNT, *FAMILIES[1])
    single = jax.tree.map(jnp.asarray, narrow(envelopes))
    point = jnp.asarray(c, jnp.float32)
    y = jnp.ones_like(point)
    u, by_c, by_lower = gradient(single, point, y)
    np.testing.assert_array_equal(u, project_batch(single, point).u)
    # du/dc is a projector: no direction grows, and some directions have no effect.
    assert np.all(np.linalg.norm(by_c, axis=1) <= np.sqrt(10.0) * (1 + 1e-5))
    assert 0.1 < np.mean(np.abs(by_c) > 1e-3) < 0.9
    # The broken value stands at a locked actuator, whose column is substituted.
    at = np.argwhere(np.asarray(envelopes.lower) == np.asarray(envelopes.upper))
    lost, channel = int(at[0, 0]), int(at[0, 1])
    rows = jnp.asarray(single.G).at[lost, 3, channel].set(jnp.nan)
    broken = dataclasses.replace(single, G=rows)
    _, broken_by_c, broken_by_lower = gradient(broken, point, y)
    assert not np.any(broken_by_c[lost])
    assert not np.any(broken_by_lower[lost])
    others = np.arange(COUNT) != lost
    np.testing.assert_array_equal(broken_by_c[others], by_c[others])
    np.testing.assert_array_equal(broken_by_lower[others], by_lower[others])
