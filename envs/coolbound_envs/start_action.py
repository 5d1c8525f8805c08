"""The start rule: what a policy proposes before it has learned, without memory.

A schedule by the outdoor wet bulb for three modes: free cooling, the economizer beside
running machines, machines alone. Its set-points are those of the plant's optimum at
rest over the training cities (`coolbound_controllers.optimum`), warmed or cooled a
little where a plant that moves needs room; pressure, fans and pumps follow readings.
"""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.spec import channel_array
from coolbound_envs.types import Observation

WET_BULB: Final = (-4.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 14.0)
"""Where the schedules below have their values, straight lines between. [degC]"""

SUPPLY_AIR: Final = (21.5, 22.5, 23.4, 23.9, 24.1, 24.4, 24.7, 24.9)
"""Supply air while the economizer is open. [degC]"""

CHW_SUPPLY: Final = (11.5, 12.7, 13.7, 14.3, 14.8, 15.4, 15.6, 15.6)
"""Chilled water while the economizer is open. [degC]"""

FAN_FREE: Final = (0.62, 0.66, 0.72, 0.80, 0.88, 0.96, 1.0, 1.0)
"""Tower fans in free cooling. [1]"""

SUPPLY_AIR_ALONE: Final = 24.1
"""Supply air with machines alone. [degC]"""

CHW_SUPPLY_ALONE: Final = 15.0
"""Chilled water with machines alone. [degC]"""

PUMP_ALONE: Final = 0.67
"""Condenser pumps with machines alone. [1]"""

PUMP_OPEN: Final = 0.55
"""Condenser pumps while the economizer is open. [1]"""

FREE_START: Final = 7.7
"""Below this wet bulb the machines are stopped. [degC]"""

FREE_STOP: Final = 9.0
"""Above this wet bulb they are started again. [degC]"""

FREE_EXCESS: Final = 1.0
"""Chilled water so far above its set-point starts machines, at `FREE_STOP`. [K]"""

FREE_EXCESS_COLD: Final = 0.6
"""The same, more for each kelvin that it is colder outside: towers with so much left
catch up with a load that has jumped. [1]"""

OPEN_START: Final = 16.0
"""Below this wet bulb the economizer is opened. [degC]"""

OPEN_STOP: Final = 18.0
"""Above this wet bulb it is shut. [degC]"""

ONE_START: Final = 14.0
"""Below this wet bulb one machine is enough beside the economizer. [degC]"""

ONE_STOP: Final = 15.5
"""Above this wet bulb a second one is started again. [degC]"""

ONE_LOAD: Final = 0.80
"""One machine is enough where it would carry less than this. [1]"""

ONE_LOAD_MAX: Final = 0.85
"""A second one is started where one carries more than this. [1]"""

LEAVING_AIR: Final = 23.0
"""Supply air before the machines stop, at most. [degC]"""

LEAVING_WATER: Final = 13.0
"""Chilled water before the machines stop, at most: what is stored carries the halls
until the towers do. [degC]"""

LEAVING_FAN: Final = 0.72
"""The towers run at least so fast before the machines stop. [1]"""

RISE: Final = 0.2
"""Rise of the load within a step that the halls' air is ready for. [1]"""

AIR_RESERVE: Final = 1.07
"""CRAH air over the servers' after such a rise. [1]"""

LOAD_MAX: Final = 1.1
"""Most power of a hall over half the site's design. [1]"""

VALVE: Final = 0.83
"""Opening of the widest coil valve that the pressure is moved for. [1]"""

PRESSURE_GAIN: Final = 2.0
"""Change of the pressure, share of it for each unit of opening. [1]"""

LIFT: Final = 9.6
"""Condenser return above chilled water that the towers hold. [K]"""

APPROACH: Final = 5.0
"""Tower water above the wet bulb that is not worth more fan, machines alone. [K]"""

APPROACH_OPEN: Final = 3.0
"""The same while the economizer is open. [K]"""

FAN_PER_KELVIN: Final = 0.02
"""Tower fan in a step for each kelvin of error. [1/K]"""

FAN_SHARE: Final = 0.3
"""Share of the way to the schedule that the fan goes in a step, in free cooling. [1]"""

FAN_PER_EXCESS: Final = 0.15
"""Tower fan in a step for each kelvin of chilled water too warm, free cooling. [1/K]"""


@struct.dataclass
class Modes:
    """What the rule wants of machines and economizer. Dynamic, each (...).

    Attributes:
        demand: Machines asked for. [1]
        is_open: True where the economizer is wanted.
        is_leaving: True where machines run that are about to stop.
    """

    demand: jax.Array
    is_open: jax.Array
    is_leaving: jax.Array


@dataclasses.dataclass(frozen=True)
class PlantSizes:
    """What the rule knows of the plant. Static.

    Attributes:
        power: Design IT power of one hall. [kW]
        server_flow: Server air of one hall at design. [kg/s]
        flow_base: Share of that air at zero load. [1]
        air: CRAH air of one hall at full speed. [kg/s]
        machine: Cooling capacity of one machine. [kW]
        effectiveness: Of the economizer. [1]
    """

    power: float
    server_flow: float
    flow_base: float
    air: float
    machine: float
    effectiveness: float


def start_action(observation: Observation, sizes: PlantSizes) -> jax.Array:
    """Return the rule's set-points (..., 10), in each channel's unit."""
    wanted = modes(observation, sizes)
    air, water = _air_and_water(observation, wanted)
    rest = (
        water,
        _pressure(observation),
        jnp.where(wanted.is_open, PUMP_OPEN, PUMP_ALONE),
        _tower_fan(observation, wanted),
        wanted.demand,
        wanted.is_open.astype(jnp.float32),
    )
    halls = (jnp.stack([air, air], axis=-1), _crah_fans(observation, sizes))
    return jnp.concatenate([*halls, jnp.stack(rest, axis=-1)], axis=-1)


def as_shares(action: jax.Array) -> jax.Array:
    """Return set-points (..., 10) as shares of their range, off its very ends."""
    shape = (1,) * (action.ndim - 1) + (-1,)
    lower = jnp.asarray(channel_array("lower"), action.dtype).reshape(shape)
    upper = jnp.asarray(channel_array("upper"), action.dtype).reshape(shape)
    return jnp.clip((action - lower) / (upper - lower), 0.01, 0.99)


def modes(observation: Observation, sizes: PlantSizes) -> Modes:
    """Return machines and economizer wanted, with a hysteresis on the wet bulb."""
    wet_bulb = observation.read("outdoor_wet_bulb")
    runs = _machines_on(observation)
    was_open = observation.read("economizer_running") > 0.5
    excess = observation.read("chw_supply_temp") - observation.applied[..., 4]
    is_open = wet_bulb < jnp.where(was_open, OPEN_STOP, OPEN_START)
    is_cold = wet_bulb < jnp.where(runs, FREE_START, FREE_STOP)
    has_air = observation.applied[..., 7] > LEAVING_FAN
    may_stop = was_open & has_air & (excess < 0.5)
    borne = FREE_EXCESS + FREE_EXCESS_COLD * jnp.maximum(FREE_STOP - wet_bulb, 0.0)
    stays = ~runs & (excess < borne)
    is_free = is_cold & (may_stop | stays)
    some = jnp.where(runs & was_open & _one_carries(observation, sizes), 1.0, 2.0)
    return Modes(
        demand=jnp.where(is_free, 0.0, some),
        is_open=is_open | ~runs,
        is_leaving=is_open & runs & is_cold,
    )


def _machines_on(observation: Observation) -> jax.Array:
    """Return whether any machine runs or starts, (...)."""
    running = observation.read("chillers_running")
    return running + observation.read("chillers_starting") > 0.5


def _one_carries(observation: Observation, sizes: PlantSizes) -> jax.Array:
    """Return whether one machine carries what the economizer leaves to it, (...).

    The exchanger takes its effectiveness times what the return is warmer than the
    basin; the load of the machine is that of the servers.
    """
    is_one = observation.read("chillers_running") < 1.5
    is_cold = observation.read("outdoor_wet_bulb") < jnp.where(
        is_one, ONE_STOP, ONE_START
    )
    back = observation.read("chw_return_temp")
    fall = jnp.maximum(back - observation.read("chw_supply_temp"), 0.5)
    gain = jnp.maximum(back - observation.read("cw_supply_temp"), 0.0) / fall
    left = jnp.clip(1.0 - sizes.effectiveness * gain, 0.0, 1.0)
    load = left * jnp.sum(observation.read_halls("it_power"), axis=-1) / sizes.machine
    return is_cold & (load < jnp.where(is_one, ONE_LOAD_MAX, ONE_LOAD))


def _by_wet_bulb(observation: Observation, values: tuple[float, ...]) -> jax.Array:
    knots = jnp.asarray(WET_BULB, jnp.float32)
    heights = jnp.asarray(values, jnp.float32)
    return jnp.interp(observation.read("outdoor_wet_bulb"), knots, heights)


def _air_and_water(
    observation: Observation, wanted: Modes
) -> tuple[jax.Array, jax.Array]:
    """Return supply air and chilled water, each (...) [degC]."""
    air = _by_wet_bulb(observation, SUPPLY_AIR)
    water = _by_wet_bulb(observation, CHW_SUPPLY)
    air = jnp.where(wanted.is_open, air, SUPPLY_AIR_ALONE)
    water = jnp.where(wanted.is_open, water, CHW_SUPPLY_ALONE)
    air = jnp.where(wanted.is_leaving, jnp.minimum(air, LEAVING_AIR), air)
    return air, jnp.where(wanted.is_leaving, jnp.minimum(water, LEAVING_WATER), water)


def _crah_fans(observation: Observation, sizes: PlantSizes) -> jax.Array:
    """Return CRAH fan speeds (..., halls), ready for a rise of the load [1]."""
    load = observation.read_halls("it_power") / sizes.power
    later = jnp.minimum(load * (1.0 + RISE), jnp.maximum(load, LOAD_MAX))
    drawn = sizes.flow_base + (1.0 - sizes.flow_base) * later
    return AIR_RESERVE * sizes.server_flow * drawn / sizes.air


def _pressure(observation: Observation) -> jax.Array:
    """Return the remote pressure that brings the widest valve to its place [kPa]."""
    widest = jnp.max(observation.read_halls("crah_valve"), axis=-1)
    return observation.applied[..., 5] * (1.0 + PRESSURE_GAIN * (widest - VALVE))


def _tower_fan(observation: Observation, wanted: Modes) -> jax.Array:
    """Return the tower fan speed: approach and lift, or the free schedule [1]."""
    last = observation.applied[..., 7]
    water = observation.applied[..., 4]
    supply = observation.read("cw_supply_temp")
    rise = observation.read("cw_return_temp") - supply
    approach = jnp.where(wanted.is_open, APPROACH_OPEN, APPROACH)
    coldest = observation.read("outdoor_wet_bulb") + approach
    error = supply - jnp.maximum(coldest, water + LIFT - rise)
    excess = jnp.maximum(observation.read("chw_supply_temp") - water - 0.1, 0.0)
    free = FAN_SHARE * (_by_wet_bulb(observation, FAN_FREE) - last)
    alone = free + FAN_PER_EXCESS * excess
    runs = observation.read("chillers_running") > 0.5
    change = jnp.where(runs, FAN_PER_KELVIN * error, alone)
    # Into free cooling the fans run up as fast as they may.
    change = jnp.where(wanted.is_leaving, channel_array("ramp")[7], change)
    return jnp.clip(last + change, 0.2, 1.0)
