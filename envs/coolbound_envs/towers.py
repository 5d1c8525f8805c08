"""The cooling towers, their basin and their bypass."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import components
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.params import PlantParams
from coolbound_envs.plant_room import PlantRoom
from coolbound_envs.psychrometrics import saturated_enthalpy
from coolbound_envs.state import PlantState
from coolbound_envs.types import Scalar

LIFT_DELAY = 600.0
"""Lift control waits this long after a stage change. [s]"""


@struct.dataclass
class OutdoorAir:
    """Outdoor air as the towers need it. Dynamic.

    Attributes:
        wet_bulb: Outdoor air. [degC]
        pressure: Outdoor air. [Pa]
        enthalpy: Saturated air at the wet bulb. [J/kg]
    """

    wet_bulb: jax.Array
    pressure: jax.Array
    enthalpy: jax.Array


def step_tower(
    state: PlantState,
    room: PlantRoom,
    fan_speed: Scalar,
    outdoor: OutdoorAir,
    interval: float,
    params: PlantParams,
) -> tuple[PlantState, Scalar]:
    """Reject heat and move the basin; returns the heat rejected [W].

    A bypass valve keeps the basin above its low limit and, ten minutes after
    the last stage change, the lift above its set-point, as the
    condenser-water controls of a BAS do.
    """
    condenser = params.condenser
    has_chiller = state.sequencer.commanded_count > 0.5
    low = jnp.where(has_chiller, condenser.low_limit_cooling, condenser.low_limit_free)
    short = low + 1.0 - state.basin_temp
    sequencer = state.sequencer
    is_loaded = (sequencer.running_count > 0.5) & (sequencer.stage_age > LIFT_DELAY)
    short_lift = jnp.where(is_loaded, condenser.lift_setpoint + 1.0 - room.lift, 0.0)
    target = jnp.clip(jnp.maximum(short, short_lift), 0.0, 1.0)
    bypass = state.bypass + (target - state.bypass) * (interval / (interval + 60.0))
    share = room.cw_flow / condenser.design_flow * (1.0 - bypass)
    entering = room.cw_leaving_temp
    heat = components.tower_heat(
        entering, share, fan_speed, outdoor.wet_bulb, state.air_capacity, condenser
    )
    air = condenser.air_flow * jnp.maximum(fan_speed, 0.125)
    rise = jnp.maximum(heat / (air * state.air_capacity), 0.5)
    saturated = saturated_enthalpy(outdoor.wet_bulb + rise, outdoor.pressure)
    capacity = (saturated - outdoor.enthalpy) / rise
    mixed = entering - heat / (room.cw_flow * WATER_HEAT)
    turnover = room.cw_flow * interval / condenser.basin_mass
    basin = state.basin_temp + turnover * (mixed - state.basin_temp)
    moved = dataclasses.replace(
        state,
        bypass=bypass,
        basin_temp=basin,
        air_capacity=0.5 * (state.air_capacity + capacity),
    )
    return moved, heat
