"""Readings that take more than one instrument."""

import jax
import jax.numpy as jnp

from coolbound_envs.spec import HALLS, ZONES
from coolbound_envs.types import Observation


def hottest_inlets(observation: Observation) -> jax.Array:
    """Return the hottest inlet of each hall, (..., halls); missing ones left out."""
    zones = [
        [observation.read(f"inlet_temp_hall{h + 1}_zone{z + 1}") for z in range(ZONES)]
        for h in range(HALLS)
    ]
    halls = [jnp.stack(zone, axis=-1) for zone in zones]
    return jnp.stack([_highest(hall) for hall in halls], axis=-1)


def _highest(readings: jax.Array) -> jax.Array:
    """Return the highest of the readings that are there; NaN where none is."""
    is_read = jnp.isfinite(readings)
    highest = jnp.max(jnp.where(is_read, readings, -jnp.inf), axis=-1)
    return jnp.where(jnp.any(is_read, axis=-1), highest, jnp.nan)
