"""What the load has shown that it can do: its largest rise of late, possible again.

The margins of the site file are for a load that changes as most do. One that has once
jumped further within an interval will do so again, as batch work does every hour; air
and coils are kept ready for it. A load that moves little pays nothing.
"""

from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.params import PlantParams
from coolbound_envs.spec import HALLS
from coolbound_envs.types import Scalar

MEMORY: Final = 28.0 * 86400.0
"""A rise fades with this time constant: batch work comes by the week and month. [s]"""

RISE_MAX: Final = 0.5
"""A larger rise is taken for a fault of the meters. [1]"""

HALL_MAX: Final = 1.1
"""Most power of a hall over half the site's design: its share, leakage, fans. [1]"""


def remembered_rise(
    last: jax.Array, power: jax.Array, before: jax.Array, elapsed: Scalar | float
) -> jax.Array:
    """Return each hall's largest rise within an interval, fading, (halls,) [1].

    Args:
        last: As remembered, (halls,). [1]
        power: Load now, (halls,). [kW]
        before: An interval ago, NaN where it is not known, (halls,). [kW]
        elapsed: Time since then. [s]
    """
    seen = power / jnp.maximum(before, 1.0) - 1.0
    rise = jnp.clip(jnp.where(jnp.isfinite(seen), seen, 0.0), 0.0, RISE_MAX)
    return jnp.maximum(last * (1.0 - elapsed / MEMORY), rise)


def possible_growth(
    rise: jax.Array, power: jax.Array, params: PlantParams
) -> jax.Array:
    """Return how far each hall's load may rise within an interval, (halls,) [1].

    As far as it did of late, but not beyond what a hall can draw.

    Args:
        rise: As remembered, (halls,). [1]
        power: Load now, (halls,). [kW]
        params: The plant.
    """
    most = HALL_MAX * params.it.design_power / HALLS / 1e3
    room = most / jnp.maximum(power, 1.0) - 1.0
    known = jnp.where(jnp.isfinite(room), room, 0.0)
    return jnp.clip(known, 0.0, rise)
