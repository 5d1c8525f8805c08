"""From a site file to the sizes that the EnergyPlus model is built from."""

from coolbound_envs.energyplus.sizes import Sizes
from coolbound_envs.halls import ZONE_LEAK, ZONE_SHARE
from coolbound_envs.params import ChwParams, CondenserParams, PlantParams
from coolbound_envs.scenario import HALL_LOAD
from coolbound_envs.spec import CHANNELS, CHILLERS, HALLS, ZONES


def sizes_of(plant: PlantParams) -> Sizes:
    """Return the sizes of a plant, leaves of shape ()."""
    numbers = {
        **_hall_numbers(plant),
        **_chw_numbers(plant.chw),
        **_chiller_numbers(plant),
        **_condenser_numbers(plant.condenser),
        "room_exchange_time": plant.room.exchange_time,
    }
    return Sizes(
        halls=HALLS,
        zones=ZONES,
        hall_share=HALL_LOAD,
        zone_share=ZONE_SHARE,
        zone_leak=ZONE_LEAK,
        chillers=CHILLERS,
        pressure_most=1e3 * _upper("chw_pressure_setpoint"),
        **{name: float(number) for name, number in numbers.items()},
    )


def _upper(channel: str) -> float:
    return next(each.upper for each in CHANNELS if each.name == channel)


def _hall_numbers(plant: PlantParams) -> dict:
    it, crah = plant.it, plant.crah
    return {
        "it_power": it.design_power,
        "air_rise": it.air_rise,
        "recirculation": it.recirculation,
        "server_capacity": it.server_capacity,
        "air_capacity": it.air_capacity,
        "structure_capacity": it.structure_capacity,
        "structure_conductance": it.structure_conductance,
        "crah_air_flow": crah.air_flow,
        "crah_fan_power": crah.fan_power,
        "crah_fan_exponent": crah.fan_exponent,
        "coil_conductance": crah.conductance,
        "coil_water_flow": crah.water_flow,
        "open_pressure": crah.open_pressure,
    }


def _chw_numbers(chw: ChwParams) -> dict:
    return {
        "chw_flow": chw.design_flow,
        "chw_pipe_pressure": chw.pipe_pressure,
        "chw_shutoff_pressure": chw.shutoff_pressure,
        "chw_pump_drop": chw.pump_drop,
        "chw_pump_efficiency": chw.pump_efficiency,
        "chw_mass": 2.0 * chw.pipe_mass + chw.buffer_mass,
    }


def _chiller_numbers(plant: PlantParams) -> dict:
    chiller = plant.chiller
    return {
        "chiller_capacity": chiller.capacity,
        "evaporator_flow": chiller.evaporator_flow,
        "evaporator_flow_min": chiller.evaporator_flow_min,
        "evaporator_flow_max": chiller.evaporator_flow_max,
        "chiller_load_min": chiller.load_min,
    }


def _condenser_numbers(condenser: CondenserParams) -> dict:
    return {
        "cw_flow": condenser.design_flow,
        "cw_static_pressure": condenser.static_pressure,
        "cw_friction_pressure": condenser.friction_pressure,
        "cw_pump_efficiency": condenser.pump_efficiency,
        "cw_mass": condenser.basin_mass,
        "tower_air_flow": condenser.air_flow,
        "tower_fan_power": condenser.fan_power,
        "tower_conductance": condenser.conductance,
        "tower_design_wet_bulb": condenser.design_wet_bulb,
        "tower_cells": condenser.cells,
        "tower_cell_flow_min": condenser.cell_flow_min,
        "tower_drift": condenser.drift,
        "tower_concentration": condenser.concentration,
        "economizer_effectiveness": condenser.economizer_effectiveness,
    }
