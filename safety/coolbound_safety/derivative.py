"""The projection with its derivative, for learning by analytic gradients.

Training passes no gradient through the filter (`coolbound_safety.kernel`): it is
part of the environment there. Here the answer u is differentiable in the proposal c,
the rows, the bounds and the prices. With the working rows A_W u = b_W and the
saturated rows S held fixed,

    du = P (dc - dG' lam - G_S' dprice_S) + N' (db_W - dA_W u)

where N is the pseudo-inverse of A_W, P the projector on what it leaves free and lam
the multipliers of all rows (the price where a row is saturated); it is linear in the
perturbations, so the same rule serves forward and reverse mode and nothing is solved
again. A locked actuator follows its bounds, and its column is substituted into the
rows first. u is only piecewise smooth: where the working set changes it is the
derivative on one side. A lane that is not `ok` has derivative zero.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from coolbound_safety.kernel import (
    DEFAULT_CONFIG,
    ProjectConfig,
    project_with_factors,
)
from coolbound_safety.kernel_chunk import Factors, Projection, lock
from coolbound_safety.kernel_lanes import Problem
from coolbound_safety.types import Envelope

Answer = tuple[Projection, Factors]


def project_differentiable(
    envelope: Envelope, c: jax.Array, config: ProjectConfig = DEFAULT_CONFIG
) -> Projection:
    """Project B proposals as `project_batch`; `u` and `slack` carry derivatives.

    Args:
        envelope: Float32 envelopes, every array with a leading axis B.
        c: Proposed actions, unit coordinates, shape (B, n). [1]
        config: Settings.
    """
    found, factors = project_with_factors(envelope, c, config)
    given = _quiet(_problem(envelope, c), found.ok)
    last = jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), given)
    locked = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), lock(last))
    u = _attach((found, factors), locked)
    excess = jnp.sum(given.rows * u[:, None], axis=-1) - given.h
    slack = jnp.where(found.ok[:, None], jnp.maximum(excess, 0.0), found.slack)
    return dataclasses.replace(found, u=u, slack=slack)


def _problem(envelope: Envelope, c: jax.Array) -> Problem:
    """Return the problem as given, batch first."""
    return Problem(
        rows=jnp.asarray(envelope.G),
        h=jnp.asarray(envelope.h),
        price=jnp.asarray(envelope.price),
        lower=jnp.asarray(envelope.lower),
        upper=jnp.asarray(envelope.upper),
        proposed=jnp.asarray(c),
    )


def _quiet(problem: Problem, ok: jax.Array) -> Problem:
    """Empty the lanes without an answer: 0 times NaN would be a gradient of NaN."""

    def mask(x: jax.Array) -> jax.Array:
        return jnp.where(ok.reshape(-1, *[1] * (x.ndim - 1)), x, 0.0)

    return jax.tree.map(mask, problem)


@jax.custom_jvp
def _attach(answer: Answer, problem: Problem) -> jax.Array:
    """Return the answer's u as a function of the problem, batch first."""
    return answer[0].u


@_attach.defjvp
def _(primals: tuple[Answer, Problem], tangents: tuple[Any, Problem]) -> Any:
    (found, factors), problem = primals
    change = _u_change(found, factors, problem, tangents[1])
    return found.u, jnp.where(found.ok[:, None], change, 0.0)


def _u_change(
    found: Projection, factors: Factors, problem: Problem, change: Problem
) -> jax.Array:
    """Return the change of u for a change of the problem, shape (B, n)."""
    m, n = problem.rows.shape[1:]
    ids = jnp.arange(m + 2 * n, dtype=jnp.int32)[None, None]
    is_held = factors.slot[..., None] == ids
    is_working = jnp.any(is_held[..., :m], axis=1)
    # A row outside every slot that exerts a force is saturated: its price pushes.
    price = jnp.where((found.multipliers > 0.0) & ~is_working, change.price, 0.0)
    force = jnp.sum(change.rows * found.multipliers[..., None], axis=1)
    force = force + jnp.sum(problem.rows * price[..., None], axis=1)
    along = jnp.sum(factors.null * (change.proposed - force)[:, None], axis=-1)
    rows = change.h - jnp.sum(change.rows * found.u[:, None], axis=-1)
    reach = jnp.concatenate([rows, change.upper, -change.lower], axis=-1)
    held = jnp.sum(jnp.where(is_held, reach[:, None], 0.0), axis=-1)
    return along + jnp.sum(factors.inverse * held[..., None], axis=1)
