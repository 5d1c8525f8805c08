"""The nominal model of the envelope: where one action leads in 5 and 15 minutes.

From the plant's own component equations. Air and chilled water answer in a few
minutes and are taken as settled; the tower's basin takes longer and is followed.
"""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import components
from coolbound_envs.constants import AIR_HEAT, WATER_HEAT
from coolbound_envs.params import PlantParams
from coolbound_envs.psychrometrics import STANDARD_PRESSURE, saturated_enthalpy
from coolbound_envs.spec import HALLS
from coolbound_envs.types import Action, Scalar
from coolbound_safety.estimate import Estimate

SOON = 300.0
"""The next control step. [s]"""

COMPRESSION = 0.15
"""Work of the machines for the heat that a pull-down adds. [1]"""

LATER = 900.0
"""How far the rows look ahead: air and water have answered by then. [s]"""


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


def coil_capability(
    supply_air: Scalar,
    fan_speed: Scalar,
    water_temp: Scalar,
    pressure: Scalar,
    power: Scalar,
    valve: Scalar,
    params: PlantParams,
) -> tuple[Scalar, Scalar]:
    """Return heat that a hall's coils must move, and could, nominally [kW].

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
    return needed / 1e3, moved / 1e3


def coil_floor(
    supply_air: Scalar, water_temp: Scalar, needed: Scalar, moved: Scalar, air: Scalar
) -> Scalar:
    """Return the coldest supply air that the coils can hold [degC].

    Heat is linear in the difference of return air and water: at the return
    temperature that makes it the heat needed, the air leaves at
    T_w + dT needed / moved - needed / C, dT the difference at the set-point.

    Args:
        supply_air: Set-point at which `moved` holds. [degC]
        water_temp: Chilled water at the hall. [degC]
        needed: Heat to move. [kW]
        moved: Heat that the coils would move at the set-point. [kW]
        air: Heat capacity rate of the air. [kW/K]
    """
    difference = supply_air + needed / air - water_temp
    safe = jnp.maximum(moved, 1e-3 * needed)
    return water_temp + difference * needed / safe - needed / air


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


@struct.dataclass
class TowerPrediction:
    """Condenser water under one action, one lane. Dynamic.

    Attributes:
        soon: Basin in 5 min. [degC]
        later: Basin in 15 min. [degC]
        rise: Of the water through the condensers. [K]
        approach: Share of the way that the basin goes in 5 min. [1]
    """

    soon: jax.Array
    later: jax.Array
    rise: jax.Array
    approach: jax.Array


def tower_predictions(
    fan_speed: Scalar,
    pump_speed: Scalar,
    now: Estimate,
    params: PlantParams,
    extra_heat: Scalar | float = 0.0,
    start: Scalar | None = None,
) -> TowerPrediction:
    """Return basin and condenser rise 5 and 15 min ahead.

    The basin turns over at M / m and the tower takes eta of what is above its steady
    state each time: T(t) = T_0 + (T_steady - T_0) (1 - exp(-eta m t / M)), with
    eta = range / (range + approach).

    Args:
        fan_speed: Tower fans. [1]
        pump_speed: Condenser pumps. [1]
        now: The estimate.
        params: The plant.
        extra_heat: Beside what the machines carry now. [kW]
        start: Basin at the beginning; that of now where not given. [degC]
    """
    condenser = params.condenser
    pump = components.cw_pump_power(pump_speed, condenser)
    carried = now.heat + now.chiller_power + extra_heat * (1.0 + COMPRESSION)
    heat = carried * 1e3 + pump
    leaving, entering = tower_water(fan_speed, pump_speed, heat, now.wet_bulb, params)
    span = entering - leaving
    share = span / jnp.maximum(entering - now.wet_bulb, 0.5)
    rate = share * condenser.design_flow * pump_speed / condenser.basin_mass
    steady, first = (
        leaving + now.basin_offset,
        now.cw_supply if start is None else start,
    )
    soon = 1.0 - jnp.exp(-rate * SOON)
    later = 1.0 - jnp.exp(-rate * LATER)
    return TowerPrediction(
        soon=first + soon * (steady - first),
        later=first + later * (steady - first),
        rise=span * now.rise_factor,
        approach=soon,
    )


def stored_air(act: Action, now: Estimate, params: PlantParams) -> jax.Array:
    """Return the heat that colder supply air takes out of the halls, (halls,) [kW].

    Servers and air follow within a few minutes; what warms up is not counted.
    """
    it = params.it
    capacity = (it.server_capacity + it.air_capacity) * it.design_power / HALLS
    colder = jnp.maximum(now.supply_air - act.supply_air_setpoint, 0.0)
    return capacity * colder / (SOON * 1e3)


def pull_down(act: Action, now: Estimate, params: PlantParams) -> Scalar:
    """Return the heat that an action takes out of halls and chilled water [kW].

    Counted as if all of it came within one step.
    """
    chw = params.chw
    mass = 2.0 * chw.pipe_mass + chw.buffer_mass
    colder = jnp.maximum(now.chw_supply - act.chw_supply_setpoint, 0.0)
    # Where the machines do not reach their set-point there is nothing to take.
    reached = jnp.where(now.chw_excess > 0.0, 0.0, colder)
    water = mass * WATER_HEAT * reached / (SOON * 1e3)
    air = jnp.sum(stored_air(act, now, params))
    return jnp.nan_to_num(water) + jnp.nan_to_num(air)


def free_approach(pump_speed: Scalar, now: Estimate, params: PlantParams) -> Scalar:
    """Return chilled water above tower water in free cooling [K].

    Q = eps C_min (T_return - T_basin) and T_supply = T_return - Q / C_chw give
    T_supply - T_basin = rise (C_chw / (eps C_min) - 1): less condenser water than
    chilled water makes the exchanger smaller.

    Args:
        pump_speed: Condenser pumps. [1]
        now: The estimate.
        params: The plant.
    """
    condenser = params.condenser
    rise = jnp.maximum(now.chw_return - now.chw_supply, 0.5)
    chilled = now.heat * 1e3 / rise
    tower = condenser.design_flow * pump_speed * WATER_HEAT
    share = jnp.maximum(chilled / tower, 1.0)
    return rise * (share / condenser.economizer_effectiveness - 1.0)


def free_supply(fan_speed: Scalar, now: Estimate, params: PlantParams) -> Scalar:
    """Return the chilled water that free cooling alone would settle at [degC].

    With T_return = T_supply + rise, the exchanger gives
    T_supply = T_basin + rise (1 - eps) / eps at full pump speed.
    """
    heat = now.heat * 1e3
    full = jnp.ones_like(now.wet_bulb)
    basin, _ = tower_water(fan_speed * full, full, heat, now.wet_bulb, params)
    basin = basin + jnp.maximum(now.basin_offset, 0.0)
    effectiveness = params.condenser.economizer_effectiveness
    rise = heat / (params.chw.design_flow * 0.85 * WATER_HEAT)
    return basin + rise * (1.0 - effectiveness) / effectiveness


def left_to_machines(basin: Scalar, now: Estimate, params: PlantParams) -> Scalar:
    """Return the share of the heat that the economizer leaves to the machines [1]."""
    effectiveness = params.condenser.economizer_effectiveness
    rise = jnp.maximum(now.chw_return - now.chw_supply, 0.5)
    gain = jnp.maximum(now.chw_return - basin, 0.0) / rise
    share = jnp.clip(
        1.0 - jnp.nan_to_num(now.economizer * effectiveness * gain), 0.1, 1.0
    )
    return jnp.where(effectiveness > 0.0, share, 1.0)


def part_load(count: Scalar, now: Estimate, params: PlantParams) -> Scalar:
    """Return the part load of `count` machines without the economizer [1]."""
    capacity = params.chiller.capacity / 1e3
    return now.heat / (jnp.maximum(count, 1.0) * capacity)


def mechanical_power(
    act: Action, now: Estimate, params: PlantParams, tower: TowerPrediction
) -> Scalar:
    """Return the power of all but the servers, 15 min ahead [kW].

    Chillers by the Carnot fraction at the lift that the action leads to, drives by
    their laws, and what the model was off by at the action in force.
    """
    crah, condenser = params.crah, params.condenser
    leaving = tower.later + tower.rise
    load = part_load(now.running, now, params)
    water = act.chw_supply_setpoint
    cop = components.chiller_cop(load, leaving - water, water, params.chiller)
    idle = jnp.where(jnp.isfinite(now.running), 0.0, jnp.nan)
    chillers = jnp.where(now.running > 0.5, now.heat / cop, idle)
    fans = crah.fan_power / HALLS * jnp.sum(act.crah_fan_speed**crah.fan_exponent)
    pump = components.cw_pump_power(act.cw_pump_speed, condenser)
    towers = condenser.fan_power * act.tower_fan_speed**3
    return chillers + (fans + pump + towers) / 1e3 + now.power_offset
