"""Chilled and tower water and their heat, from instruments that may be wrong."""

from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.types import Observation, Scalar
from coolbound_safety.readings import first_known, middle, usable, usable_halls

FANS: Final = 0.05
"""Heat of fans and pumps over that of the servers where nobody meters it. [1]"""


def _capacity_rate(observation: Observation, flow: str) -> Scalar:
    """Return heat per degree that a flow carries [kW/K]."""
    return usable(observation, flow) * (WATER_HEAT / 1e3)


def carried_heat(observation: Observation) -> Scalar:
    """Return the heat that the chilled water carries [kW]."""
    difference = usable(observation, "chw_return_temp") - usable(
        observation, "chw_supply_temp"
    )
    return _capacity_rate(observation, "chw_flow") * difference


def given_off(observation: Observation, power: jax.Array) -> Scalar:
    """Return what halls, fans and pumps give off [kW].

    Args:
        observation: What the instruments say, one lane.
        power: Servers, per hall, (halls,). [kW]
    """
    fans = jnp.sum(usable_halls(observation, "crah_fan_power"), axis=-1)
    metered = fans + usable(observation, "chw_pump_power")
    return jnp.sum(power) + first_known(metered, FANS * jnp.sum(power))


def chilled_water(
    observation: Observation, power: jax.Array, last: Scalar, last_return: Scalar
) -> tuple[Scalar, Scalar, Scalar]:
    """Return supply and return water [degC] and the raw excess of supply [K].

    Args:
        observation: What the instruments say, one lane.
        power: Servers, per hall, (halls,). [kW]
        last: Supply of the step before. [degC]
        last_return: Return of the step before. [degC]
    """
    setpoint = observation.applied[4]
    supplied = usable(observation, "chw_supply_temp")
    returned = usable(observation, "chw_return_temp")
    heat = jnp.sum(power) * (1.0 + FANS)
    rise = heat / _capacity_rate(observation, "chw_flow")
    derived = returned - rise
    is_seen = jnp.isfinite(supplied) | jnp.isfinite(derived)
    found = middle(supplied, derived, setpoint)
    supply = jnp.where(is_seen, found, first_known(last, found))
    back = first_known(returned, supply + rise, last_return)
    return supply, back, jnp.maximum(jnp.nan_to_num(supply - setpoint), 0.0)


def tower_water(observation: Observation, heat: Scalar, predicted: Scalar) -> Scalar:
    """Return tower water: own meter, leaving water less its rise, the model [degC].

    Args:
        observation: What the instruments say, one lane.
        heat: Carried to the machines or the economizer. [kW]
        predicted: What the model says of the action in force. [degC]
    """
    supplied = usable(observation, "cw_supply_temp")
    returned = usable(observation, "cw_return_temp")
    rejected = heat + usable(observation, "chiller_power")
    derived = returned - rejected / _capacity_rate(observation, "cw_flow")
    return middle(supplied, derived, predicted)
