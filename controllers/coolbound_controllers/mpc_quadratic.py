"""Quadratic programs of one Hessian, solved in jit by a fixed number of ADMM steps.

    minimise    v . P v / 2 + q . v
    subject to  low <= F v <= high

with F the identity over the plan and its first differences: box and rates. P and F
are the same for every decision, so that the one matrix that has to be inverted is
inverted once, in float64. Stellato et al., OSQP, Math. Prog. Comp. 12 (2020) 637,
algorithm 1 with a fixed step and no polishing.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

SIGMA = 1e-6
RELAXATION = 1.6
"""Of the ADMM step, within 1 to 2. [1]"""


@struct.dataclass
class Programs:
    """What all programs of one Hessian share. Dynamic.

    Attributes:
        rows: F, (2 H m, H m). [1]
        inverse: Of P + sigma + rho F' F, (H m, H m). [1]
        penalty: rho. [1]
    """

    rows: jax.Array
    inverse: jax.Array
    penalty: jax.Array


def differences(horizon: int, inputs: int) -> np.ndarray:
    """Return D with (D v)_j = v_j - v_(j-1), v_(-1) = 0, square (H m, H m)."""
    step = np.eye(horizon) - np.eye(horizon, k=-1)
    return np.kron(step, np.eye(inputs))


def prepare(hessian: np.ndarray, horizon: int, inputs: int) -> Programs:
    """Return the programs of a Hessian, (H m, H m), symmetric and positive."""
    rows = np.vstack([np.eye(horizon * inputs), differences(horizon, inputs)])
    curvature = np.linalg.eigvalsh(hessian)
    penalty = float(np.sqrt(max(curvature[0], 1e-3 * curvature[-1]) * curvature[-1]))
    penalty /= 4.0
    whole = hessian + SIGMA * np.eye(len(hessian)) + penalty * rows.T @ rows
    return Programs(
        rows=jnp.asarray(rows, jnp.float32),
        inverse=jnp.asarray(np.linalg.inv(whole), jnp.float32),
        penalty=jnp.asarray(penalty, jnp.float32),
    )


def solve(
    programs: Programs,
    linear: jax.Array,
    low: jax.Array,
    high: jax.Array,
    start: jax.Array,
    rounds: int,
) -> jax.Array:
    """Return v, (..., H m); box and rates hold up to what the rounds left over.

    Args:
        programs: Hessian and rows.
        linear: q, (..., H m). [1]
        low: Of F v, (..., 2 H m). [1]
        high: Of F v, (..., 2 H m). [1]
        start: First guess of v, (..., H m). [1]
        rounds: ADMM steps; static. [1]
    """
    rows, penalty = programs.rows, programs.penalty

    def onto(matrix: jax.Array, vector: jax.Array) -> jax.Array:
        return jnp.einsum("ij,...j->...i", matrix, vector)

    def step(_: int, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        plan, split, price = carry
        pull = onto(rows.T, penalty * split - price)
        aim = onto(programs.inverse, SIGMA * plan - linear + pull)
        mixed = RELAXATION * onto(rows, aim) + (1.0 - RELAXATION) * split
        kept = jnp.clip(mixed + price / penalty, low, high)
        moved = RELAXATION * aim + (1.0 - RELAXATION) * plan
        return moved, kept, price + penalty * (mixed - kept)

    split = jnp.clip(onto(rows, start), low, high)
    carry = (start, split, jnp.zeros_like(split))
    return jax.lax.fori_loop(0, rounds, step, carry)[0]
