"""CRAHs in EnergyPlus: an air loop of one coil and one fan for each hall."""

import jax.numpy as jnp

from coolbound_envs.components import counterflow_effectiveness
from coolbound_envs.constants import AIR_HEAT, WATER_HEAT
from coolbound_envs.energyplus import names
from coolbound_envs.energyplus.objects import ALWAYS, Model
from coolbound_envs.energyplus.sizes import AIR_DENSITY, WATER_DENSITY, Sizes
from coolbound_envs.energyplus.zone_objects import add_shared, add_zone
from coolbound_envs.params import ItParams

FAN_PRESSURE = 300.0
"""Rise of the CRAH fans at full speed; power is given by itself. [Pa]"""

COIL_AIR, COIL_WATER = 35.0, 10.0
"""Temperatures of the coil's rating: they cancel in a dry coil. [degC]"""

DRY = 0.004
"""Humidity ratio of the coil's rating, in and out. [kg/kg]"""


def add_halls(model: Model, sizes: Sizes, it: ItParams) -> None:
    """Add every hall and what the halls share."""
    add_shared(model, sizes, it)
    ends = {"minimum_value_of_x": 0.0, "maximum_value_of_x": 1.2}
    terms = (0.0, 1.0, sizes.crah_fan_exponent)
    model.polynomial("Exponent", "CRAH Fan Power", terms, **ends)
    for hall in range(sizes.halls):
        # Values that hold until the first commands.
        model.schedule(names.loading(hall), 0.75)
        model.schedule(names.crah_speed(hall), 0.85)
        model.schedule(names.supply_air(hall), 21.0)
        for zone in range(sizes.zones):
            add_zone(model, sizes, hall, zone)
        _add_air_loop(model, sizes, hall)


def _add_air_loop(model: Model, sizes: Sizes, hall: int) -> None:
    """Add the CRAHs of a hall as one fan and one coil."""
    name = names.hall(hall)
    air = sizes.crah_air_flow / sizes.halls / AIR_DENSITY
    model.add(
        "AirLoopHVAC",
        f"{name} Air",
        controller_list_name=f"{name} Controllers",
        design_supply_air_flow_rate=air,
        branch_list_name=f"{name} Air Branches",
        supply_side_inlet_node_name=f"{name} Return Air",
        demand_side_outlet_node_name=f"{name} Demand Out",
        demand_side_inlet_node_names=f"{name} Demand In",
        supply_side_outlet_node_names=f"{name} Supply Air",
    )
    model.add(
        "AirLoopHVAC:ControllerList",
        f"{name} Controllers",
        controller_1_object_type="Controller:WaterCoil",
        controller_1_name=f"{name} Coil Controller",
    )
    branch = f"{name} Air Branch"
    model.add("BranchList", f"{name} Air Branches", branches=[{"branch_name": branch}])
    model.branch(
        branch,
        [
            (names.COIL, f"{name} Coil", f"{name} Return Air", f"{name} Coil Out"),
            (names.FAN, f"{name} Fan", f"{name} Coil Out", f"{name} Supply Air"),
        ],
    )
    _add_fan(model, sizes, name, air)
    _add_coil(model, sizes, name, air)
    model.setpoint(f"{name} Supply Air", names.supply_air(hall))
    # The coil's air is that much colder as the fan after it warms it.
    model.add(
        "SetpointManager:MixedAir",
        f"{name} Coil Setpoint",
        control_variable="Temperature",
        reference_setpoint_node_name=f"{name} Supply Air",
        fan_inlet_node_name=f"{name} Coil Out",
        fan_outlet_node_name=f"{name} Supply Air",
        setpoint_node_or_nodelist_name=f"{name} Coil Out",
    )
    _add_ducts(model, sizes, hall)


def _add_fan(model: Model, sizes: Sizes, name: str, air: float) -> None:
    power = sizes.crah_fan_power / sizes.halls
    model.add(
        names.FAN,
        f"{name} Fan",
        availability_schedule_name=ALWAYS,
        air_inlet_node_name=f"{name} Coil Out",
        air_outlet_node_name=f"{name} Supply Air",
        design_maximum_air_flow_rate=air,
        speed_control_method="Continuous",
        electric_power_minimum_flow_rate_fraction=0.0,
        design_pressure_rise=FAN_PRESSURE,
        motor_efficiency=0.9,
        motor_in_air_stream_fraction=1.0,
        design_electric_power_consumption=power,
        fan_total_efficiency=FAN_PRESSURE * air / power,
        electric_power_function_of_flow_fraction_curve_name="CRAH Fan Power",
    )


def _rated_outlet(sizes: Sizes, water: float) -> float:
    """Return the air leaving a hall's coil at its rating [degC].

    From the conductance at full air and the most water; EnergyPlus turns these
    numbers back into conductances of its own at other flows.
    """
    flow_share = water * sizes.halls / sizes.coil_water_flow
    conductance = sizes.coil_conductance / sizes.halls
    conductance *= 2.0 / (1.0 + flow_share**-0.8)
    air = sizes.crah_air_flow / sizes.halls * AIR_HEAT
    small, large = sorted((air, water * WATER_HEAT))
    share = counterflow_effectiveness(
        *(jnp.asarray(x) for x in (conductance, small, large))
    )
    return COIL_AIR - float(share) * small / air * (COIL_AIR - COIL_WATER)


def _add_coil(model: Model, sizes: Sizes, name: str, air: float) -> None:
    water = sizes.coil_flow_most
    model.add(
        names.COIL,
        f"{name} Coil",
        availability_schedule_name=ALWAYS,
        design_water_flow_rate=water / WATER_DENSITY,
        design_air_flow_rate=air,
        design_inlet_water_temperature=COIL_WATER,
        design_inlet_air_temperature=COIL_AIR,
        design_outlet_air_temperature=_rated_outlet(sizes, water),
        design_inlet_air_humidity_ratio=DRY,
        design_outlet_air_humidity_ratio=DRY,
        water_inlet_node_name=f"{name} Coil Water In",
        water_outlet_node_name=f"{name} Coil Water Out",
        air_inlet_node_name=f"{name} Return Air",
        air_outlet_node_name=f"{name} Coil Out",
        type_of_analysis="SimpleAnalysis",
        heat_exchanger_configuration="CounterFlow",
    )
    model.add(
        "Controller:WaterCoil",
        f"{name} Coil Controller",
        control_variable="Temperature",
        action="Reverse",
        actuator_variable="Flow",
        sensor_node_name=f"{name} Coil Out",
        actuator_node_name=f"{name} Coil Water In",
        controller_convergence_tolerance=0.001,
        maximum_actuated_flow=water / WATER_DENSITY,
        minimum_actuated_flow=0.0,
    )


def _add_ducts(model: Model, sizes: Sizes, hall: int) -> None:
    name = names.hall(hall)
    zones = [names.zone(hall, zone) for zone in range(sizes.zones)]
    model.add(
        "AirLoopHVAC:SupplyPath",
        f"{name} Supply Path",
        supply_air_path_inlet_node_name=f"{name} Demand In",
        components=[
            {
                "component_object_type": "AirLoopHVAC:ZoneSplitter",
                "component_name": f"{name} Splitter",
            }
        ],
    )
    model.add(
        "AirLoopHVAC:ZoneSplitter",
        f"{name} Splitter",
        inlet_node_name=f"{name} Demand In",
        nodes=[{"outlet_node_name": f"{zone} Terminal In"} for zone in zones],
    )
    model.add(
        "AirLoopHVAC:ReturnPath",
        f"{name} Return Path",
        return_air_path_outlet_node_name=f"{name} Demand Out",
        components=[
            {
                "component_object_type": "AirLoopHVAC:ZoneMixer",
                "component_name": f"{name} Mixer",
            }
        ],
    )
    model.add(
        "AirLoopHVAC:ZoneMixer",
        f"{name} Mixer",
        outlet_node_name=f"{name} Demand Out",
        nodes=[{"inlet_node_name": f"{zone} Return"} for zone in zones],
    )
