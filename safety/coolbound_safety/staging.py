"""Which numbers of machines may be asked for next: one less, as many, one more."""

from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.spec import CHILLERS
from coolbound_envs.types import Scalar
from coolbound_safety.estimate import Estimate
from coolbound_safety.interlocks import Masks
from coolbound_safety.timers import Permissions

CANDIDATES: Final = 3
"""Numbers of machines that are projected: N - 1, N and N + 1. [1]"""

HYSTERESIS: Final = 0.02
"""A change of machines must be cheaper by this, in the projection's own measure: a
fractional request changes nothing until it is 0.68 machines away. [1]"""

FORBIDDEN: Final = 1.0e6
"""Cost of a number that is masked. [1]"""


@struct.dataclass
class Staging:
    """Numbers of machines to choose from, one lane, shape (3,). Dynamic.

    Attributes:
        machines: Machines asked of the sequencer. [1]
        penalty: Cost of choosing them beside the projection's own. [1]
        admissible: True where the masks and timers allow them.
    """

    machines: jax.Array
    penalty: jax.Array
    admissible: jax.Array


def stage(
    now: Estimate, requested: Scalar, masks: Masks, permitted: Permissions
) -> Staging:
    """Return the candidates of one lane.

    What the load needs outranks the timers: a machine that tripped is replaced at
    once. Free cooling stops all machines together, so none is then the candidate
    below.

    Args:
        now: The estimate.
        requested: Machines asked for before. [1]
        masks: Fewest and most machines.
        permitted: Which changes it is time for.
    """
    seen = jnp.where(jnp.isfinite(now.chillers), now.chillers, requested)
    count = jnp.clip(jnp.round(seen), 0.0, float(CHILLERS))
    fewest = jnp.round(masks.chillers_min)
    most = jnp.maximum(jnp.round(masks.chillers_max), fewest)
    is_free = (fewest < 0.5) & (count <= most)
    below = jnp.where(is_free, 0.0, jnp.minimum(count - 1.0, most))
    # Out of free cooling with all that the load needs: one machine alone would warm
    # the towers that still cool, and not carry the load.
    carry = jnp.where(count < 0.5, jnp.round(masks.chillers_carry), 0.0)
    above = jnp.maximum(jnp.maximum(count + 1.0, fewest), jnp.minimum(carry, most))
    required = jnp.clip(count, fewest, most)
    machines = jnp.clip(jnp.stack([below, count, above]), 0.0, float(CHILLERS))
    is_change = jnp.where(machines > count, permitted.start, permitted.stop)
    # A request that stands is no change: a machine that tripped stays asked for.
    is_standing = (machines == count) | (machines == jnp.round(requested))
    is_timely = is_standing | is_change
    is_allowed = (machines >= fewest) & (machines <= most) & is_timely
    admissible = is_allowed | (machines == required)
    change = jnp.where(machines == required, 0.0, HYSTERESIS)
    return Staging(
        machines=machines,
        penalty=jnp.where(admissible, change, FORBIDDEN),
        admissible=admissible,
    )
