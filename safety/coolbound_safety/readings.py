"""Readings that are worth using, and what several of one quantity agree on."""

from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.spec import HALLS, POINT_INDEX, ZONES
from coolbound_envs.types import Observation, Quality, Scalar

AGE_MAX: Final = 900.0
"""A reading older than this counts as missing. [s]"""


def usable(observation: Observation, name: str) -> Scalar:
    """Return a reading in its point's unit, NaN where it is missing, bad or old."""
    index = POINT_INDEX[name]
    is_good = observation.quality[..., index] >= int(Quality.UNCERTAIN)
    is_fresh = observation.age[..., index] <= AGE_MAX
    return jnp.where(is_good & is_fresh, observation.value[..., index], jnp.nan)


def usable_halls(observation: Observation, name: str) -> jax.Array:
    """Return a reading of every hall, shape (..., halls)."""
    found = [usable(observation, f"{name}_hall{h + 1}") for h in range(HALLS)]
    return jnp.stack(found, axis=-1)


def usable_zones(observation: Observation) -> jax.Array:
    """Return the inlets of every hall and zone, (..., halls, zones) [degC]."""
    zones = [usable_hall(observation, f"inlet_temp_hall{h + 1}") for h in range(HALLS)]
    return jnp.stack(zones, axis=-2)


def usable_hall(observation: Observation, stem: str) -> jax.Array:
    """Return one hall's readings of all zones, shape (..., zones)."""
    found = [usable(observation, f"{stem}_zone{z + 1}") for z in range(ZONES)]
    return jnp.stack(found, axis=-1)


def oldest_of(observation: Observation, names: tuple[str, ...]) -> Scalar:
    """Return the age of the freshest usable reading of several, inf for none [s]."""
    ages = [
        jnp.where(
            jnp.isfinite(usable(observation, name)),
            observation.age[..., POINT_INDEX[name]],
            jnp.inf,
        )
        for name in names
    ]
    return jnp.min(jnp.stack(ages, axis=-1), axis=-1)


def first_known(*values: jax.Array) -> jax.Array:
    """Return the first finite value of several, elementwise; NaN for none."""
    found = values[-1]
    for value in values[-2::-1]:
        found = jnp.where(jnp.isfinite(value), value, found)
    return found


def middle(first: jax.Array, second: jax.Array, third: jax.Array) -> jax.Array:
    """Return the middle of three estimates of one quantity, elementwise.

    One of the three may be wrong by any amount, stuck or missing. Of two that are
    left the earlier is taken; of one, that; of none, NaN.
    """
    a = first_known(first, second, third)
    b = first_known(second, first, third)
    c = first_known(third, first, second)
    return jnp.maximum(jnp.minimum(a, b), jnp.minimum(jnp.maximum(a, b), c))
