"""What `g36` reads of the plant room, and the tower fans it sets by it (5.20.12.2)."""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.g36_tuning import PumpReset
from coolbound_controllers.operator_settings import OperatorSettings, cooling_load
from coolbound_envs.types import Observation

TOWER_GAIN = 0.015
"""Fan speed per kelvin of error in 300 s. [1/K]"""

PUMP_LEAST = 0.5
"""Slower, a tower cell is shut for want of water. [1]"""

ENTERING_MAX = 30.5
"""Warmest water that the towers may send to the condensers: 1.5 K inside
ECWT_CWRT_MAX. [degC]"""


@struct.dataclass
class PlantReadings:
    """What the sequences read, for one decision. Dynamic.

    Attributes:
        count: Machines running. [1]
        starting: Machines on their way. [1]
        chw_setpoint: Wanted chilled water. [degC]
        supply: Measured chilled water. [degC]
        load: Chilled-water load. [W]
        lift: Condenser return minus chilled-water supply. [K]
    """

    count: jax.Array
    starting: jax.Array
    chw_setpoint: jax.Array
    supply: jax.Array
    load: jax.Array
    lift: jax.Array


def read_plant(observation: Observation, chw_setpoint: jax.Array) -> PlantReadings:
    """Return what the sequences read, with the water that they want [degC]."""
    supply = observation.read("chw_supply_temp")
    flow = observation.read("chw_flow")
    load = cooling_load(flow, observation.read("chw_return_temp") - supply)
    count = observation.read("chillers_running")
    return PlantReadings(
        count=count,
        starting=observation.read("chillers_starting"),
        chw_setpoint=chw_setpoint,
        supply=supply,
        load=load,
        lift=observation.read("cw_return_temp") - supply,
    )


def largest_lift(settings: OperatorSettings) -> float:
    """Return the lift at design conditions [K]."""
    return settings.cw_return_design - settings.chw_supply_min


def tower_error(
    plant: PlantReadings,
    wants_free: jax.Array,
    observation: Observation,
    settings: OperatorSettings,
) -> jax.Array:
    """Return how much too warm the towers leave their water [K].

    With chillers: condenser return at CHWST + max(LIFTmin, A PLR + B), PLR
    of the whole plant. In free cooling the fan holds the chilled water.
    """
    lift_max, lift_min = largest_lift(settings), settings.lift_min
    share = plant.load / (3.0 * settings.chiller_capacity)
    wanted = settings.lift_slope * share + settings.lift_offset
    reset = jnp.clip(wanted, lift_min, lift_max)
    leaving = observation.read("cw_return_temp")
    rise = leaving - observation.read("cw_supply_temp")
    hottest = jnp.minimum(settings.cw_return_design, ENTERING_MAX + rise)
    setpoint = jnp.minimum(plant.chw_setpoint + reset, hottest)
    with_chiller = leaving - setpoint
    alone = plant.supply - plant.chw_setpoint
    is_cooling = plant.count + plant.starting > 0.5
    error = jnp.where(is_cooling, with_chiller, alone)
    return jnp.where(is_cooling & (wants_free > 0.5), 10.0, error)


def tower_fan_speed(
    plant: PlantReadings,
    wants_free: jax.Array,
    observation: Observation,
    settings: OperatorSettings,
) -> jax.Array:
    """Return the tower fan speed, moved by its error [1]."""
    error = tower_error(plant, wants_free, observation, settings)
    return jnp.maximum(observation.applied[..., 7] + TOWER_GAIN * error, 0.2)


def pump_speed(
    reset: PumpReset,
    plant: PlantReadings,
    is_free: jax.Array,
    settings: OperatorSettings,
) -> jax.Array:
    """Return the condenser pump speed by load and lift [1].

    Args:
        reset: Its constants.
        plant: What was read.
        is_free: True in free cooling and on the way into it.
        settings: The operator's.
    """
    share = plant.load / (3.0 * settings.chiller_capacity)
    above = plant.lift - settings.lift_min
    wanted = reset.base + reset.per_load * share + reset.per_lift * above
    speed = jnp.clip(wanted, PUMP_LEAST, 1.0)
    return jnp.where(is_free, reset.free, speed)
