"""The coordinates of the projection: shares of the channels' ranges, weighed.

"Nearest" is measured in them. A pressure set-point or a pump is corrected before the
air and the water that the halls live on, as a building automation system would do it:
with equal weights a valve near its limit is relieved by warmer air and colder water,
which costs chiller power and inlet temperature, and hardly by pressure.
"""

import functools
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, channel_array

_WEIGHTS: Final = {
    "supply_air_setpoint": 2.0,
    "crah_fan_speed": 1.0,
    "chw_supply_setpoint": 2.0,
    "chw_pressure_setpoint": 0.5,
    "cw_pump_speed": 1.0,
    "tower_fan_speed": 1.0,
    "chiller_demand": 1.0,
    "economizer_demand": 1.0,
}
"""Length of a channel's whole range. [1]"""


@functools.cache
def weights() -> np.ndarray:
    """Return the length of every channel's range in coordinates, (10,) [1]."""
    stems = [name.partition("_hall")[0] for name in CHANNEL_NAMES]
    return _read_only(np.asarray([_WEIGHTS[x] for x in stems], dtype=np.float64))


@functools.cache
def lowest() -> np.ndarray:
    """Return the lower end of every channel's range, (10,) [each channel's unit]."""
    return _read_only(channel_array("lower"))


@functools.cache
def spans() -> np.ndarray:
    """Return the physical length of one coordinate, (10,) [each channel's unit]."""
    return _read_only((channel_array("upper") - channel_array("lower")) / weights())


def _read_only(x: np.ndarray) -> np.ndarray:
    """Return the array as one that nobody can change, since all share it."""
    x.setflags(write=False)
    return x


def constant(field: str) -> jax.Array:
    """Return one numeric field of all channels in float32, shape (10,)."""
    return jnp.asarray(channel_array(field), jnp.float32)


def to_coordinates(action: jax.Array) -> jax.Array:
    """Return an action (..., 10), physical units, in coordinates, float32 [1]."""
    low = constant("lower")
    span = jnp.asarray(spans(), jnp.float32)
    shape = (1,) * (action.ndim - 1) + (-1,)
    return (action - low.reshape(shape)) / span.reshape(shape)


def from_coordinates(coordinates: jax.Array) -> jax.Array:
    """Return the action (..., 10) of coordinates, in physical units."""
    low = constant("lower")
    span = jnp.asarray(spans(), jnp.float32)
    shape = (1,) * (coordinates.ndim - 1) + (-1,)
    return low.reshape(shape) + coordinates * span.reshape(shape)
