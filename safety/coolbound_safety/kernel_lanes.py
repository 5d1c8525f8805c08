"""Data of the batched dual active-set iteration: the problems and their memory.

Shapes: n channels, m general rows, M = m + 2n rows with the bounds (upper, then
lower), B lanes, always the last axis. The precision is that of the arrays: float32
in training, float64 in a program of its own for evaluation.
"""

import dataclasses
from typing import Any, Final

import jax
import jax.numpy as jnp
from flax import struct


@dataclasses.dataclass(frozen=True)
class Tolerances:
    """What counts as zero at one precision. Static.

    Attributes:
        violation: A row is met below this. [1]
        dependent: A squared direction below this counts as zero. [1]
        zero: A squared direction below this is rounding. [1]
        ratio: A multiplier that changes more slowly never blocks. [1]
        lock: Bounds this close lock the actuator. [1]
    """

    violation: float
    dependent: float
    zero: float
    ratio: float
    lock: float


SINGLE: Final = Tolerances(
    violation=1e-6, dependent=1e-5, zero=1e-11, ratio=1e-7, lock=1e-6
)
"""For float32; a violation of 3e-6 would cost nearly dependent rows 1e-4."""

DOUBLE: Final = Tolerances(
    violation=1e-11, dependent=1e-13, zero=1e-26, ratio=1e-13, lock=1e-13
)
"""For float64."""

IDLE, WORKING, SATURATED = 0, 1, 2
RUNNING, DONE, FAILED = 0, 1, 2


def tolerances(dtype: Any) -> Tolerances:
    """Return what counts as zero in arrays of that precision."""
    return DOUBLE if jnp.dtype(dtype) == jnp.float64 else SINGLE


@struct.dataclass
class Problem:
    """Projections to be solved, batch last. Dynamic.

    Attributes:
        rows: Unit rows, shape (m, n, B). [1]
        h: Right-hand sides, shape (m, B). [1]
        price: Largest multiplier of each row, shape (m, B). [1]
        lower: Lowest action, shape (n, B). [1]
        upper: Highest action, shape (n, B). [1]
        proposed: Point to project, shape (n, B). [1]
    """

    rows: jax.Array
    h: jax.Array
    price: jax.Array
    lower: jax.Array
    upper: jax.Array
    proposed: jax.Array


@struct.dataclass
class Lanes:
    """Working memory of the iteration, batch last. Dynamic.

    Attributes:
        u: Current point, shape (n, B). [1]
        slot: Row held by each slot or -1, int32, shape (n, B). [1]
        slot_cap: Largest multiplier of each slot's row, shape (n, B). [1]
        lam: Multiplier of each slot, shape (n, B). [1]
        inverse: Pseudo-inverse row of each slot, shape (n, n, B). [1]
        null: Projector on what the slots leave free, shape (n, n, B). [1]
        stat: IDLE, WORKING or SATURATED, int32, shape (M, B). [1]
        row: Row in process or -1, int32, shape (B,). [1]
        mu: Multiplier of the row in process, shape (B,). [1]
        sign: +1 entering, -1 leaving saturation, shape (B,). [1]
        phase: RUNNING, DONE or FAILED, int32, shape (B,). [1]
        steps: Steps taken, int32, shape (B,). [1]
    """

    u: jax.Array
    slot: jax.Array
    slot_cap: jax.Array
    lam: jax.Array
    inverse: jax.Array
    null: jax.Array
    stat: jax.Array
    row: jax.Array
    mu: jax.Array
    sign: jax.Array
    phase: jax.Array
    steps: jax.Array


def apply_rows(rows: jax.Array, u: jax.Array) -> jax.Array:
    """Return the rows times u, shape (m, B) [1]."""
    return jnp.sum(rows * u[None], axis=1)


def row_excess(problem: Problem, u: jax.Array) -> jax.Array:
    """Return by how much each row and bound is exceeded, shape (M, B) [1]."""
    rows = apply_rows(problem.rows, u) - problem.h
    return jnp.concatenate([rows, u - problem.upper, problem.lower - u])


def start_lanes(problem: Problem) -> Lanes:
    """Return the best point of the box, which is dual feasible."""
    m, n, lanes = problem.rows.shape
    c, u = problem.proposed, jnp.clip(problem.proposed, problem.lower, problem.upper)
    sign = jnp.sign(c - u).astype(jnp.int32)
    upper_row = jnp.broadcast_to(m + jnp.arange(n, dtype=jnp.int32)[:, None], c.shape)
    slot = jnp.where(sign > 0, upper_row, jnp.where(sign < 0, upper_row + n, -1))
    bounds = jnp.concatenate([sign > 0, sign < 0]).astype(jnp.int32) * WORKING
    eye = jnp.eye(n, dtype=c.dtype)[:, :, None]
    counter = jnp.zeros((lanes,), jnp.int32)
    return Lanes(
        u=u,
        slot=slot,
        slot_cap=jnp.full_like(c, jnp.inf),
        lam=jnp.abs(c - u),
        inverse=eye * sign.astype(c.dtype)[None],
        null=eye * (sign == 0).astype(c.dtype)[None],
        stat=jnp.concatenate([jnp.zeros((m, lanes), jnp.int32), bounds]),
        row=counter - 1,
        mu=jnp.zeros((lanes,), c.dtype),
        sign=jnp.ones((lanes,), c.dtype),
        phase=counter + RUNNING,
        steps=counter,
    )
