"""The condensed program of a linear model: outputs written in terms of the plan.

    minimise    sum_j q (E x_j - r)^2 + c (v_j - cheap)^2 + w (v_j - v_(j-1))^2, all / 2
    subject to  low <= v_j <= high,  |v_j - v_(j-1)| <= ramp,  v_(-1) in force

over j = 0..H-1, with v the set-points as shares of their range and x_j what the ARX
model says after them: x = free + G v. Weights, Hessian and G never change; what is
measured moves only q and the ends.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_controllers.arx import ArxModel, next_output
from coolbound_controllers.mpc_quadratic import (
    Programs,
    differences,
    prepare,
    solve,
)


@dataclasses.dataclass(frozen=True)
class Weights:
    """What a plan pays. Static.

    Attributes:
        tracked: E, rows that form the tracked values, (k, n). [mixed units]
        tracking: q, of each tracked value, (k,). [mixed units]
        effort: c, of each input away from its cheap end, (m,). [1]
        change: w, of each input's changes, (m,). [1]
    """

    tracked: np.ndarray
    tracking: np.ndarray
    effort: np.ndarray
    change: np.ndarray


@struct.dataclass
class Condensed:
    """A model with weights over a horizon. Dynamic.

    Attributes:
        model: Of the plant, inputs as shares of their range.
        programs: Hessian and rows.
        response: E G, tracked values over plan, (H k, H m). [mixed units]
        tracked: E, (k, n). [mixed units]
        tracking: q for every j, (H k,). [mixed units]
        effort: c for every j, (H m,). [1]
        change: D' W, (H m, H m). [1]
    """

    model: ArxModel
    programs: Programs
    response: jax.Array
    tracked: jax.Array
    tracking: jax.Array
    effort: jax.Array
    change: jax.Array


@struct.dataclass
class Past:
    """What the model needs to go on from. Dynamic.

    Attributes:
        outputs: Last T, newest first, (..., T, n). [mixed units]
        inputs: In force before, newest first, (..., T, m). [1]
        disturbance: Now, (..., d). [mixed units]
        bias: Measured over predicted, lasting, (..., n). [mixed units]
    """

    outputs: jax.Array
    inputs: jax.Array
    disturbance: jax.Array
    bias: jax.Array


def in_shares(model: ArxModel, lower: np.ndarray, span: np.ndarray) -> ArxModel:
    """Return the model with inputs as shares of their range, in place of units."""
    offset = jnp.einsum("kij,j->i", model.inputs, jnp.asarray(lower, jnp.float32))
    scale = jnp.asarray(span, jnp.float32).reshape(1, 1, -1)
    return dataclasses.replace(
        model, inputs=model.inputs * scale, bias=model.bias + offset
    )


def run_ahead(model: ArxModel, past: Past, plan: jax.Array) -> jax.Array:
    """Return the outputs after each set-point of a plan, (..., H, n).

    Args:
        model: Of the plant.
        past: Where it stands.
        plan: Set-points, (..., H, m). [1]
    """
    outputs, inputs, found = past.outputs, past.inputs, []
    for j in range(plan.shape[-2]):
        inputs = jnp.concatenate([plan[..., j : j + 1, :], inputs[..., :-1, :]], -2)
        latest = next_output(model, outputs, inputs, past.disturbance) + past.bias
        outputs = jnp.concatenate([latest[..., None, :], outputs[..., :-1, :]], -2)
        found.append(latest)
    return jnp.stack(found, axis=-2)


def condense(model: ArxModel, weights: Weights, horizon: int) -> Condensed:
    """Return the condensed program; everything constant is computed in float64."""
    n, m = model.inputs.shape[1:]
    lags, k = model.outputs.shape[0], len(weights.tracking)
    nothing = Past(
        outputs=jnp.zeros((lags, n)),
        inputs=jnp.zeros((lags, m)),
        disturbance=jnp.zeros(model.disturbances.shape[1]),
        bias=-model.bias,
    )
    pulses = jnp.eye(horizon * m).reshape(-1, horizon, m)
    answer = _answers(model, nothing, pulses)
    tracked = np.asarray(weights.tracked, np.float64)
    response = np.einsum("phn,kn->hkp", np.asarray(answer, np.float64), tracked)
    response = response.reshape(horizon * k, horizon * m)
    tracking = np.tile(weights.tracking, horizon)
    effort, change = np.tile(weights.effort, horizon), np.tile(weights.change, horizon)
    step = differences(horizon, m)
    hessian = (
        response.T @ (tracking[:, None] * response)
        + np.diag(effort)
        + step.T @ (change[:, None] * step)
    )
    single = jnp.float32
    return Condensed(
        model=model,
        programs=prepare(hessian, horizon, m),
        response=jnp.asarray(response, single),
        tracked=jnp.asarray(tracked, single),
        tracking=jnp.asarray(tracking, single),
        effort=jnp.asarray(effort, single),
        change=jnp.asarray(step.T * change[None], single),
    )


@jax.jit
def _answers(model: ArxModel, past: Past, plans: jax.Array) -> jax.Array:
    """Return the outputs after each of several plans, (plans, H, n).

    As one program: each of its small parts by itself takes a compilation.
    """
    return jax.vmap(lambda plan: run_ahead(model, past, plan))(plans)


@struct.dataclass
class Aim:
    """Where a plan is to go, and within which ends. Dynamic.

    Attributes:
        target: r, of the tracked values, (..., k). [mixed units]
        cheap: Cheap end of each input, (..., m). [1]
        low: Least of each input, (..., m). [1]
        high: Most of each input, (..., m). [1]
        ramp: Largest change of each input, (m,). [1]
        in_force: The inputs now, (..., m). [1]
    """

    target: jax.Array
    cheap: jax.Array
    low: jax.Array
    high: jax.Array
    ramp: jax.Array
    in_force: jax.Array


def linear_term(condensed: Condensed, past: Past, aim: Aim) -> jax.Array:
    """Return q of the program, (..., H m)."""
    horizon = condensed.effort.shape[0] // aim.in_force.shape[-1]
    free = run_ahead(condensed.model, past, _repeated(0.0 * aim.in_force, horizon))
    values = jnp.einsum("kn,...hn->...hk", condensed.tracked, free)
    error = _flat(values - aim.target[..., None, :])
    tracking = jnp.einsum(
        "rp,...r->...p", condensed.response, error * _like(condensed.tracking, error)
    )
    cheap = _flat(_repeated(aim.cheap, horizon))
    start = _flat(_first(aim.in_force, horizon))
    change = jnp.einsum("ij,...j->...i", condensed.change, start)
    return tracking - cheap * _like(condensed.effort, cheap) - change


def ends(aim: Aim, horizon: int) -> tuple[jax.Array, jax.Array]:
    """Return low and high of box and rate rows, (..., 2 H m).

    Ends that the ramps cannot reach in time give way as far as they must, so that
    there always is a plan.
    """
    steps = jnp.arange(1, horizon + 1, dtype=aim.ramp.dtype)[:, None]
    ramp = _like(aim.ramp, aim.in_force)
    reach = steps.reshape((1,) * (aim.in_force.ndim - 1) + (-1, 1)) * ramp[..., None, :]
    now = aim.in_force[..., None, :]
    low = jnp.minimum(aim.low[..., None, :], now + reach)
    high = jnp.maximum(aim.high[..., None, :], now - reach)
    start = _flat(_first(aim.in_force, horizon))
    rates = _flat(_repeated(ramp + 0.0 * aim.in_force, horizon))
    return (
        jnp.concatenate([_flat(low), start - rates], axis=-1),
        jnp.concatenate([_flat(high), start + rates], axis=-1),
    )


def best_plan(
    condensed: Condensed, past: Past, aim: Aim, rounds: int
) -> tuple[jax.Array, jax.Array]:
    """Return the plan (..., H, m) [1] and what the model says of its first step."""
    inputs = aim.in_force.shape[-1]
    horizon = condensed.effort.shape[0] // inputs
    low, high = ends(aim, horizon)
    plan = solve(
        condensed.programs,
        linear_term(condensed, past, aim),
        low,
        high,
        _flat(_repeated(aim.in_force, horizon)),
        rounds,
    )
    plan = plan.reshape(*plan.shape[:-1], horizon, inputs)
    return plan, run_ahead(condensed.model, past, plan[..., :1, :])[..., 0, :]


def _repeated(inputs: jax.Array, horizon: int) -> jax.Array:
    shape = (*inputs.shape[:-1], horizon, inputs.shape[-1])
    return jnp.broadcast_to(inputs[..., None, :], shape)


def _first(inputs: jax.Array, horizon: int) -> jax.Array:
    """Return the inputs at the first step and nothing after, (..., H, m)."""
    rest = jnp.zeros((*inputs.shape[:-1], horizon - 1, inputs.shape[-1]), inputs.dtype)
    return jnp.concatenate([inputs[..., None, :], rest], axis=-2)


def _flat(plan: jax.Array) -> jax.Array:
    return plan.reshape(*plan.shape[:-2], -1)


def _like(vector: jax.Array, other: jax.Array) -> jax.Array:
    return vector.reshape((1,) * (other.ndim - 1) + (-1,))
