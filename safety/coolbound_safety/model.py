"""The nominal model of the envelope: where one action leads in 15 minutes.

Quasi-steady, from the plant's own component equations: chilled water answers
in a few minutes and tower water turns over in three, so that 15 minutes ahead
both stand close to the steady state of the action.
"""

import jax.numpy as jnp

from coolbound_envs import components
from coolbound_envs.constants import AIR_HEAT, WATER_HEAT
from coolbound_envs.params import PlantParams
from coolbound_envs.psychrometrics import STANDARD_PRESSURE, saturated_enthalpy
from coolbound_envs.spec import HALLS
from coolbound_envs.types import Scalar
from coolbound_safety.estimate import Estimate

SETTLED = 0.95
"""Share of the way to the steady state of tower water in 15 min. [1]"""


def server_air(
    power: Scalar, inlet_temp: Scalar, params: PlantParams, growth: Scalar
) -> Scalar:
    """Return the air that a hall's servers draw when load has grown [kg/s].

    Args:
        power: Measured power of the hall. [kW]
        inlet_temp: Hottest inlet that the action leads to. [degC]
        params: The plant.
        growth: Share by which load may rise within the interval. [1]
    """
    it = params.it
    factor = components.server_airflow_factor(inlet_temp, it)
    design = it.design_power / HALLS
    load = power * 1e3 / design * (1.0 + growth)
    full = design / (AIR_HEAT * it.air_rise)
    return full * (it.flow_base + (1.0 - it.flow_base) * load) * factor


def coil_reserve(
    supply_air: Scalar,
    fan_speed: Scalar,
    water_temp: Scalar,
    pressure: Scalar,
    power: Scalar,
    valve: Scalar,
    params: PlantParams,
) -> Scalar:
    """Return heat that a hall's coils could move beyond what they must [kW].

    With the valve at a given opening, at the set-points asked for.

    Args:
        supply_air: Set-point. [degC]
        fan_speed: CRAH fans. [1]
        water_temp: Chilled water at the hall. [degC]
        pressure: Remote differential pressure. [kPa]
        power: Heat of the hall's servers. [kW]
        valve: Opening of the valve. [1]
        params: The plant.
    """
    crah = params.crah
    air = crah.air_flow / HALLS * fan_speed * AIR_HEAT
    fans = crah.fan_power / HALLS * fan_speed**crah.fan_exponent
    needed = power * 1e3 + fans
    share = valve**2 * jnp.sqrt(pressure * 1e3 / crah.open_pressure)
    moved = components.coil_heat(
        supply_air + needed / air,
        water_temp,
        fan_speed,
        share,
        HALLS,
        crah,
        crah.water_flow,
    )
    return (moved - needed) / 1e3


def _cells(pump_speed: Scalar, params: PlantParams) -> Scalar:
    """Return the share of the tower cells that get enough water to stay open [1]."""
    condenser = params.condenser
    most = jnp.floor(pump_speed * condenser.cells / condenser.cell_flow_min + 1e-3)
    return jnp.clip(most, 1.0, condenser.cells) / condenser.cells


def tower_water(
    fan_speed: Scalar,
    pump_speed: Scalar,
    heat: Scalar,
    wet_bulb: Scalar,
    params: PlantParams,
) -> tuple[Scalar, Scalar]:
    """Return tower water leaving and entering in the steady state [degC].

    T_in = T_wb + Q / (eps C_min) is explicit in the heat; c_pe is iterated.

    Args:
        fan_speed: Tower fans. [1]
        pump_speed: Condenser pumps. [1]
        heat: Heat to reject. [W]
        wet_bulb: Outdoor air. [degC]
        params: The plant.
    """
    condenser = params.condenser
    pressure = jnp.asarray(STANDARD_PRESSURE, wet_bulb.dtype)
    enthalpy = saturated_enthalpy(wet_bulb, pressure)
    in_service = _cells(pump_speed, params)
    air = condenser.air_flow * in_service * jnp.maximum(fan_speed, 0.125)
    capacity = jnp.full_like(wet_bulb, 3200.0)
    for _ in range(4):
        rise = jnp.clip(heat / (air * capacity), 0.5, 40.0)
        warm = saturated_enthalpy(wet_bulb + rise, pressure)
        capacity = 0.5 * (capacity + (warm - enthalpy) / rise)
    per_degree = components.tower_heat(
        wet_bulb + 1.0, pump_speed, fan_speed, wet_bulb, capacity, condenser, in_service
    )
    entering = wet_bulb + heat / per_degree
    return entering - heat / (condenser.design_flow * pump_speed * WATER_HEAT), entering


def tower_predictions(
    fan_speed: Scalar, pump_speed: Scalar, now: Estimate, params: PlantParams
) -> tuple[Scalar, Scalar]:
    """Return basin and condenser leaving water 15 min ahead [degC]."""
    pump = components.cw_pump_power(pump_speed, params.condenser)
    heat = (now.heat + now.chiller_power) * 1e3 + pump
    leaving, entering = tower_water(fan_speed, pump_speed, heat, now.wet_bulb, params)
    rise = entering - leaving
    basin = SETTLED * leaving + (1.0 - SETTLED) * now.cw_supply
    return basin, basin + rise


def free_supply(fan_speed: Scalar, now: Estimate, params: PlantParams) -> Scalar:
    """Return the chilled water that free cooling alone would give [degC].

    With T_return = T_supply + rise, the exchanger gives
    T_supply = T_basin + rise (1 - eps) / eps at full pump speed.
    """
    heat = now.heat * 1e3
    full = jnp.ones_like(now.wet_bulb)
    basin, _ = tower_water(fan_speed * full, full, heat, now.wet_bulb, params)
    effectiveness = params.condenser.economizer_effectiveness
    rise = heat / (params.chw.design_flow * 0.85 * WATER_HEAT)
    return basin + rise * (1.0 - effectiveness) / effectiveness


def part_load(count: Scalar, now: Estimate, params: PlantParams) -> Scalar:
    """Return the part load of `count` machines without the economizer [1]."""
    capacity = params.chiller.capacity / 1e3
    return now.heat / (jnp.maximum(count, 1.0) * capacity)
