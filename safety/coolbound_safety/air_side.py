"""Inlets and supply air of the halls, from instruments that may be wrong."""

from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.spec import HALLS
from coolbound_envs.types import Observation
from coolbound_safety.readings import (
    first_known,
    middle,
    usable_halls,
    usable_zones,
)

FOLLOW: Final = 0.1
"""A remembered value follows the highest reading by this much an interval, so that
one stuck instrument cannot hold it for ever. [K]"""

FAST: Final = 0.5
"""A zone that moves away from its hall by more is believed at once. [K]"""

FIRST_MOST: Final = 3.0
"""A first deviation is believed up to this. [K]"""

LAG: Final = 0.3
"""Supply air this far above its set-point is on its way, not out of reach. [K]"""

LEAST_RISE: Final = -0.5
"""Leakage of hot air only warms an inlet; the rest is instruments. [K]"""


@struct.dataclass
class AirSide:
    """The air of all halls at one step, one lane. Dynamic.

    Attributes:
        middle: Middle of the zones' inlets, (halls,). [degC]
        rise: Middle inlet over supply air, (halls,). [K]
        rise_high: The same, its highest of late, (halls,). [K]
        rise_low: The same, its lowest of late, (halls,). [K]
        hotter: Zones above their hall's middle, lasting, (halls, zones). [K]
        colder: Zones below their hall's middle, lasting, (halls, zones). [K]
        supply: Air leaving the CRAHs, (halls,). [degC]
        raw_excess: Supply air above its set-point now, (halls,). [K]
        below: Supply air below its set-point, negative above it, (halls,). [K]
    """

    middle: jax.Array
    rise: jax.Array
    rise_high: jax.Array
    rise_low: jax.Array
    hotter: jax.Array
    colder: jax.Array
    supply: jax.Array
    raw_excess: jax.Array
    below: jax.Array

    @property
    def hottest_rise(self) -> jax.Array:
        """Hottest inlet over supply air, (halls,) [K]."""
        return self.rise_high + jnp.nanmax(self.hotter, axis=-1)

    @property
    def coldest_rise(self) -> jax.Array:
        """Coldest inlet over supply air, (halls,) [K]."""
        coldest = self.rise_low + jnp.nanmin(self.colder, axis=-1)
        return jnp.maximum(coldest, LEAST_RISE)


def air_side(
    observation: Observation,
    rise: jax.Array,
    rise_high: jax.Array,
    rise_low: jax.Array,
    hotter: jax.Array,
    colder: jax.Array,
    last_middle: jax.Array,
) -> AirSide:
    """Return inlets over supply air: by the meter, the set-point and the memory.

    Args:
        observation: What the instruments say, one lane.
        rise: As remembered, like the next four; see `AirSide`. [K]
        rise_high: Remembered. [K]
        rise_low: Remembered. [K]
        hotter: Remembered. [K]
        colder: Remembered. [K]
        last_middle: Middle inlets of the step before, (halls,). [degC]
    """
    zones = usable_zones(observation)
    center = middle(zones[:, 0], zones[:, 1], zones[:, 2])
    meter = usable_halls(observation, "supply_air_temp")
    setpoint = observation.applied[:HALLS]
    by_meter, by_setpoint = center - meter, center - setpoint
    highest = jnp.fmax(by_meter, by_setpoint)
    followed = rise + jnp.clip(highest - rise, 0.0, FOLLOW)
    found = first_known(middle(by_meter, by_setpoint, followed), rise)
    # Without inlets the supply air and the rise of before stand for them.
    center = first_known(center, meter + rise, last_middle)
    supply = middle(meter, center - found, setpoint)
    deviation = zones - center[:, None]
    return AirSide(
        middle=center,
        rise=found,
        rise_high=_lasting(rise_high, found, 1.0),
        rise_low=_lasting(rise_low, jnp.fmin(found, by_meter), -1.0),
        hotter=_lasting(hotter, deviation, 1.0),
        colder=_lasting(colder, deviation, -1.0),
        supply=supply,
        raw_excess=jnp.maximum(jnp.nan_to_num(supply - setpoint) - LAG, 0.0),
        below=setpoint - supply,
    )


def _lasting(last: jax.Array, reading: jax.Array, sign: float) -> jax.Array:
    """Return a deviation that is believed fast one way and forgotten slowly [K].

    A reading that falls back may be an instrument that has stuck: the memory of a
    hot zone fades over four hours.
    """
    ahead = sign * (reading - last)
    rate = jnp.where(ahead > FAST, 0.7, jnp.where(ahead > 0.0, 0.25, 0.02))
    moved = last + rate * (reading - last)
    return first_known(moved, last, jnp.clip(reading, -FIRST_MOST, FIRST_MOST))
