"""The cooling towers by their cells, their basin, their bypass and their water."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import components
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.params import CondenserParams, PlantParams
from coolbound_envs.plant_room import PlantRoom
from coolbound_envs.psychrometrics import (
    humidity_ratio,
    saturated_enthalpy,
    saturation_pressure,
)
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Scalar

LIFT_DELAY = 600.0
"""Lift control waits this long after a stage change. [s]"""

LIFT_WATER_MAX = 20.0
"""Lift control rests while chilled water is warmer: a hall to be pulled down. [degC]"""

FREE_CONVECTION = 0.125
"""Air that moves with the fans off, share of design [EPL]. [1]"""


@struct.dataclass
class OutdoorAir:
    """Outdoor air as the towers need it. Dynamic.

    Attributes:
        wet_bulb: Outdoor air. [degC]
        pressure: Outdoor air. [Pa]
        enthalpy: Saturated air at the wet bulb. [J/kg]
        humidity: Water per dry air. [kg/kg]
    """

    wet_bulb: jax.Array
    pressure: jax.Array
    enthalpy: jax.Array
    humidity: jax.Array


@struct.dataclass
class TowerFlows:
    """Towers of one integration step. Dynamic.

    Attributes:
        heat: Heat rejected. [W]
        power: Fans. [W]
        evaporation: Water that leaves as vapour. [kg/s]
    """

    heat: jax.Array
    power: jax.Array
    evaporation: jax.Array


def outdoor_air(disturbance: Disturbance) -> OutdoorAir:
    """Return the outdoor air of an interval."""
    wet_bulb, pressure = disturbance.wet_bulb, disturbance.pressure
    vapour = saturation_pressure(disturbance.dew_point)
    return OutdoorAir(
        wet_bulb=wet_bulb,
        pressure=pressure,
        enthalpy=saturated_enthalpy(wet_bulb, pressure),
        humidity=humidity_ratio(vapour, pressure),
    )


def cells_in_service(
    last: Scalar, water_share: Scalar, lost: Scalar, condenser: CondenserParams
) -> Scalar:
    """Return the cells in service [1].

    A cell is shut off while each would get less than its least share of water,
    and opened again, one a step, where 5 % more than that is left for all.
    """
    water = water_share * condenser.cells
    least = condenser.cell_flow_min
    more = (water >= 1.05 * least * (last + 1.0)).astype(last.dtype)
    fewer = (water < least * last - 1e-3).astype(last.dtype)
    whole = jnp.maximum(jnp.round(condenser.cells * (1.0 - lost)), 0.0)
    return jnp.minimum(jnp.maximum(last + more - fewer, 1.0), whole)


def _bypass(
    state: PlantState, room: PlantRoom, interval: float, condenser: CondenserParams
) -> Scalar:
    """Return the opening of the bypass valve after a step [1].

    It keeps the basin above its low limit, which guards the towers against
    freezing, and, ten minutes after the last stage change, the lift above its
    set-point, as the condenser-water controls of a BAS do.
    """
    sequencer = state.sequencer
    has_chiller = sequencer.commanded_count > 0.5
    low = jnp.where(has_chiller, condenser.low_limit_cooling, condenser.low_limit_free)
    short = low + 1.0 - state.basin_temp
    is_loaded = (
        (sequencer.running_count > 0.5)
        & (sequencer.stage_age > LIFT_DELAY)
        & (state.supply_pipe_temp[0] < LIFT_WATER_MAX)
    )
    short_lift = jnp.where(is_loaded, condenser.lift_setpoint + 1.0 - room.lift, 0.0)
    target = jnp.clip(jnp.maximum(short, short_lift), 0.0, 1.0)
    return state.bypass + (target - state.bypass) * (interval / (interval + 60.0))


def step_tower(
    state: PlantState,
    room: PlantRoom,
    outdoor: OutdoorAir,
    cells_lost: Scalar,
    interval: float,
    params: PlantParams,
) -> tuple[PlantState, TowerFlows]:
    """Reject heat, move the basin, and count fans and water.

    The air leaves saturated: m_a (h_sat(T_out) - h_in) is the heat and
    m_a (w_sat(T_out) - w_in) the water evaporated.
    """
    condenser = params.condenser
    bypass = _bypass(state, room, interval, condenser)
    share = room.cw_flow / condenser.design_flow
    cells = cells_in_service(state.tower_cells, share, cells_lost, condenser)
    in_service = jnp.maximum(cells / condenser.cells, 1e-3)
    speed, entering = state.tower_speed, room.cw_leaving_temp
    heat = components.tower_heat(
        entering,
        share * (1.0 - bypass),
        speed,
        outdoor.wet_bulb,
        state.air_capacity,
        condenser,
        in_service,
    )
    air = condenser.air_flow * in_service * jnp.maximum(speed, FREE_CONVECTION)
    rise = jnp.maximum(heat / (air * state.air_capacity), 0.5)
    leaving_air = outdoor.wet_bulb + rise
    saturated = saturated_enthalpy(leaving_air, outdoor.pressure)
    capacity = (saturated - outdoor.enthalpy) / rise
    turnover = room.cw_flow * interval / condenser.basin_mass
    mixed = entering - heat / (room.cw_flow * WATER_HEAT)
    moved = dataclasses.replace(
        state,
        bypass=bypass,
        tower_cells=cells,
        basin_temp=state.basin_temp + turnover * (mixed - state.basin_temp),
        air_capacity=0.5 * (state.air_capacity + capacity),
    )
    return moved, TowerFlows(
        heat=heat,
        power=condenser.fan_power * in_service * speed**3,
        evaporation=_evaporation(heat, saturated, leaving_air, outdoor),
    )


def _evaporation(
    heat: Scalar, saturated: Scalar, leaving_air: Scalar, outdoor: OutdoorAir
) -> Scalar:
    """Return the water that carries off the heat with saturated air [kg/s]."""
    vapour = saturation_pressure(leaving_air)
    taken_up = humidity_ratio(vapour, outdoor.pressure) - outdoor.humidity
    air = heat / (saturated - outdoor.enthalpy)
    return jnp.maximum(air * taken_up, 0.0)


def water_use(
    evaporation: Scalar, circulation: Scalar, condenser: CondenserParams
) -> dict[str, Scalar]:
    """Return the towers' water by what becomes of it, all in [kg/s].

    Drift is a share of circulation; blowdown E / (CoC - 1) less drift holds the
    cycles of concentration; make-up replaces all three [EPL].
    """
    drift = condenser.drift * circulation
    blowdown = jnp.maximum(evaporation / (condenser.concentration - 1.0) - drift, 0.0)
    return {
        "evaporation": evaporation,
        "drift": drift,
        "blowdown": blowdown,
        "make_up": evaporation + drift + blowdown,
    }
