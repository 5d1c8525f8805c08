"""Coil valves that do not answer their loops, found before they move again.

A valve that stays open while its loop wants it shut winds the loop up, and once it
moves again it shuts, until the loop has unwound: minutes without cooling. The loop of
a sound valve brings the sum of its errors back to nothing, by moving it; where the sum
only grows and the valve does not move, it is stuck.
"""

from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.spec import HALLS
from coolbound_envs.types import Scalar

STILL: Final = 0.03
"""A valve whose reading stays within this has not moved. [1]"""

SHUT: Final = 0.1
"""A valve this far open could still close. [1]"""

STRAY: Final = 0.08
"""Supply air below its set-point by less is noise. [K]"""

FAST: Final = 0.4
"""More than this is not summed up in one interval. [K]"""

WOUND: Final = 0.8
"""A loop wound up by this is that of a valve that does not answer. [K]"""

MOST: Final = 1.6
"""The sum grows no further. [K]"""

LASTS: Final = 7200.0
"""A valve that was stuck and has not moved is not trusted for so long. [s]"""

LONG_AGO: Final = 1.0e5
"""It was not stuck for longer than matters. [s]"""


@struct.dataclass
class Valves:
    """What is remembered of the halls' valves, one lane. Dynamic.

    Attributes:
        position: Where each was when it last moved, NaN before, (halls,). [1]
        wound: Supply air below its set-point, summed up since, (halls,). [K]
        age: Since it was last found stuck, (halls,). [s]
    """

    position: jax.Array
    wound: jax.Array
    age: jax.Array


def sound_valves() -> Valves:
    """Return the memory before the first observation."""
    return Valves(
        position=jnp.full((HALLS,), jnp.nan, jnp.float32),
        wound=jnp.zeros((HALLS,), jnp.float32),
        age=jnp.full((HALLS,), LONG_AGO, jnp.float32),
    )


def watch_valves(
    valves: Valves, position: jax.Array, below: jax.Array, elapsed: Scalar | float
) -> tuple[jax.Array, Valves]:
    """Return which valves are stuck open, (halls,), and the memory after it, one lane.

    Args:
        valves: The memory before.
        position: Readings, NaN where there is none, (halls,). [1]
        below: Supply air below its set-point, (halls,). [K]
        elapsed: Since the observation before. [s]
    """
    has_moved = ~(jnp.abs(position - valves.position) <= STILL) & jnp.isfinite(position)
    anchor = jnp.where(has_moved, position, valves.position)
    error = jnp.clip(jnp.nan_to_num(below) - STRAY, -FAST, FAST)
    wound = jnp.clip(valves.wound + error, 0.0, MOST)
    wound = jnp.where(~has_moved & (anchor > SHUT), wound, 0.0)
    older = jnp.where(has_moved, LONG_AGO, valves.age + elapsed)
    age = jnp.where(wound > WOUND, 0.0, jnp.minimum(older, LONG_AGO))
    return age < LASTS, Valves(position=anchor, wound=wound, age=age)
