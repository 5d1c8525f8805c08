"""The border of the plant: an action that is NaN or outside its box is refused.

Refused, not clipped: a clipped action is one that nobody asked for. The set-points
in force go on, and the refusal is told and counted.
"""

from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.spec import channel_array
from coolbound_envs.types import Action, action_to_vector

ROUNDING: Final = 1e-3
"""Beyond its box by this share of its range an action is rounding, no request; it
is applied as it is. [1]"""


def is_refused(action: Action) -> jax.Array:
    """Return whether each action is not finite or outside its box, batch shape.

    The box is that of `coolbound_envs.spec.CHANNELS`. A tower fan between off and
    its lowest speed is inside it: that is a matter of the limits.
    """
    vector = action_to_vector(action)
    lower, upper = channel_array("lower"), channel_array("upper")
    slack = ROUNDING * (upper - lower)
    shape = (1,) * (vector.ndim - 1) + (-1,)
    least = jnp.asarray(lower - slack, vector.dtype).reshape(shape)
    most = jnp.asarray(upper + slack, vector.dtype).reshape(shape)
    # NaN is in no range.
    return ~jnp.all((vector >= least) & (vector <= most), axis=-1)


def accepted(action: Action, held: Action, refused: jax.Array) -> Action:
    """Return the action, or the one in force where it is refused.

    Args:
        action: Asked for.
        held: In force.
        refused: From `is_refused`, batch shape.
    """

    def pick(new: jax.Array, old: jax.Array) -> jax.Array:
        tail = (1,) * (new.ndim - refused.ndim)
        return jnp.where(refused.reshape(refused.shape + tail), old, new)

    return jax.tree.map(pick, action, held)
