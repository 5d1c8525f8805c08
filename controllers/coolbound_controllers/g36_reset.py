"""Trim and respond of `g36`: Guideline 36-2021, 5.20.5.2, for pressure and water.

One number, the plant reset: 0 to 0.5 raises the remote pressure from its least to
its most, 0.5 to 1 lowers the chilled water. Every 5 min it is trimmed by 2 %, and
raised by 3 % for each request beyond the two that are ignored, 7 % at most.
"""

import jax
import jax.numpy as jnp

from coolbound_controllers.operator_settings import OperatorSettings
from coolbound_envs.spec import CHANNELS
from coolbound_envs.types import Observation

TRIM = -0.02
RESPOND = 0.03
RESPOND_MAX = 0.07
IGNORED = 2.0
CRAHS = 5.0
"""CRAHs that one reading of a hall's valve stands for. [1]"""

VALVE_SPREAD = 0.01
"""Opening between one CRAH's request and the next one's. [1]"""

VALVE_PER_RISE = 0.7
"""How much earlier they ask, per unit of load step beyond the customary one. [1]"""

CUSTOMARY_RISE = 0.12
"""Step of the load that the first opening allows for. [1]"""

AIR_ERROR = 1.0
"""Supply air this far above its set-point: three requests of every CRAH. [K]"""

PRESSURE_MIN, PRESSURE_MAX = CHANNELS[5].lower, CHANNELS[5].upper


def requests(
    observation: Observation, rise: jax.Array, valve_first: float
) -> jax.Array:
    """Return the requests of all CRAHs together, (...) [1].

    Args:
        observation: Valves and supply air of the halls.
        rise: Possible rise of each hall's load in a step, (..., halls). [1]
        valve_first: Opening at which the first CRAH of a hall asks. [1]
    """
    valve = observation.read_halls("crah_valve")
    supply = observation.read_halls("supply_air_temp")
    error = supply - observation.applied[..., 0:2]
    early = VALVE_PER_RISE * jnp.maximum(rise - CUSTOMARY_RISE, 0.0)
    asking = jnp.clip((valve - valve_first + early) / VALVE_SPREAD, 0.0, CRAHS)
    per_hall = jnp.where(error > AIR_ERROR, 3.0 * CRAHS, asking)
    return jnp.sum(per_hall, axis=-1)


def set_points(
    reset: jax.Array, settings: OperatorSettings
) -> tuple[jax.Array, jax.Array]:
    """Return pressure [kPa] and chilled water [degC] of the plant reset."""
    first = jnp.clip(2.0 * reset, 0.0, 1.0)
    second = jnp.clip(2.0 * reset - 1.0, 0.0, 1.0)
    warm, cold = settings.chw_supply_max, settings.chw_supply_min
    pressure = PRESSURE_MIN + first * (PRESSURE_MAX - PRESSURE_MIN)
    return pressure, warm - second * (warm - cold)


def in_force(reset: jax.Array, pressure: jax.Array) -> jax.Array:
    """Return the reset that the pressure in force amounts to [1].

    The next move starts there, whoever set it: nothing winds up while a safety
    layer, an operator or a ramp holds the pressure, and a takeover has no bump.

    Args:
        reset: As remembered. [1]
        pressure: Set-point in force. [kPa]
    """
    first = (pressure - PRESSURE_MIN) / (PRESSURE_MAX - PRESSURE_MIN)
    held = jnp.where(first > 0.99, jnp.maximum(reset, 0.5), 0.5 * first)
    return jnp.where(jnp.isfinite(held), held, reset)


def next_reset(
    reset: jax.Array,
    asked: jax.Array,
    observation: Observation,
    settings: OperatorSettings,
) -> jax.Array:
    """Return the plant reset after one period [1].

    Nothing is trimmed while the water is still on its way up to its set-point:
    valves that are content with colder water say nothing about the pressure.

    Args:
        reset: As the set-points in force have it. [1]
        asked: Requests. [1]
        observation: The set-points in force.
        settings: The operator's.
    """
    more = jnp.maximum(asked - IGNORED, 0.0)
    change = TRIM + jnp.minimum(RESPOND * more, RESPOND_MAX)
    _, wanted = set_points(reset, settings)
    is_rising = observation.applied[..., 4] < wanted - 0.25
    change = jnp.where(is_rising, jnp.maximum(change, 0.0), change)
    return jnp.clip(reset + change, 0.0, 1.0)
