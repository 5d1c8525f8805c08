"""What rows that look ahead count on, and what they are called."""

from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.spec import CHANNELS

RECOVERY: Final = "recovery"
"""Rows after growth and two more moves towards full cooling."""

SOON: Final = "soon"
"""Rows 5 min ahead, where the others look 15 min ahead."""

MOVES: Final = 2.0
"""Moves at full ramp that a recovery may count on: 10 min. [1]"""


def moved(value: jax.Array, channel: int, moves: float) -> jax.Array:
    """Return a channel after so many full ramps, within its range."""
    spec = CHANNELS[channel]
    return jnp.clip(value + moves * spec.ramp, spec.lower, spec.upper)
