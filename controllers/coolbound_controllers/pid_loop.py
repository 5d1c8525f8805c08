"""One discrete PID loop in velocity form.

    move = K ((e - e') + dt/Ti e - Td/dt (y - 2 y' + y''))

with e the set-point less the reading y, and primes for one and two decisions ago.
The move is added to the set-point in force, whoever set it: where a range, a ramp, a
safety layer or a hand holds it, nothing winds up, and a takeover has no bump. Astrom
and Hagglund, PID Controllers (1995), ch. 3. The derivative acts on the reading alone,
so that a new set-point does not kick.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.interval import CONTROL_INTERVAL


@dataclasses.dataclass(frozen=True)
class Gains:
    """Of one loop. Static.

    Attributes:
        proportional: K; negative where more output lowers the reading's error by
            lowering the reading. [mixed units]
        integral_time: Ti. [s]
        derivative_time: Td; 0 makes a PI loop. [s]
    """

    proportional: float
    integral_time: float
    derivative_time: float = 0.0


@struct.dataclass
class LoopState:
    """Memory of a loop; NaN before there is any. Dynamic.

    Attributes:
        error: One decision ago. [each reading's unit]
        last: Reading one decision ago. [each reading's unit]
        before: Reading two decisions ago. [each reading's unit]
    """

    error: jax.Array
    last: jax.Array
    before: jax.Array


def no_memory(shape: tuple[int, ...]) -> LoopState:
    """Return the memory of a batch of that shape that has seen nothing."""
    never = jnp.full(shape, jnp.nan, jnp.float32)
    return LoopState(error=never, last=never, before=never)


def loop_move(
    gains: Gains, state: LoopState, reading: jax.Array, setpoint: jax.Array
) -> tuple[jax.Array, LoopState]:
    """Return how far to move the output [mixed units], and the memory after it.

    A reading that is missing moves nothing and is not remembered. Terms that need a
    memory that is not there are left out.

    Args:
        gains: Of the loop.
        state: Its memory.
        reading: What is held. [the reading's unit]
        setpoint: Where it is to be held. [the reading's unit]
    """
    error = setpoint - reading
    change = _or_zero(error - state.error)
    bend = _or_zero(reading - 2.0 * state.last + state.before)
    integral = CONTROL_INTERVAL / gains.integral_time * error
    derivative = gains.derivative_time / CONTROL_INTERVAL * bend
    move = gains.proportional * (change + integral - derivative)
    is_read = jnp.isfinite(reading)
    moved = LoopState(error=error, last=reading, before=state.last)
    kept = jax.tree.map(lambda new, old: jnp.where(is_read, new, old), moved, state)
    return jnp.where(is_read, move, 0.0), kept


def _or_zero(value: jax.Array) -> jax.Array:
    return jnp.where(jnp.isfinite(value), value, 0.0)
