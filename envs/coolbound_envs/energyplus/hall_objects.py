"""Halls in EnergyPlus: zones with IT equipment, CRAH air loops, coils and fans."""

import math

import jax.numpy as jnp
import numpy as np

from coolbound_envs.components import (
    counterflow_effectiveness,
    server_airflow_factor,
    server_power,
)
from coolbound_envs.constants import AIR_HEAT, WATER_HEAT
from coolbound_envs.energyplus import names
from coolbound_envs.energyplus.objects import ALWAYS, Model
from coolbound_envs.energyplus.sizes import AIR_DENSITY, WATER_DENSITY, Sizes
from coolbound_envs.params import ItParams

CEILING = 4.0
"""Height of a hall. [m]"""

INLET_DENSITY = 1.19
"""Air at 23 degC, in which EnergyPlus counts server air. [kg/m3]"""

STRUCTURE_FILM = 3.076
"""EnergyPlus' simple inside convection, vertical surface. [W/(m2 K)]"""

CONCRETE = {"conductivity": 1.7, "density": 2300.0, "specific_heat": 880.0}
PANEL = {"conductivity": 0.1, "density": 50.0, "specific_heat": 1000.0}
LOADINGS = (0.0, 1.0)
INLETS = tuple(10.0 + 0.5 * step for step in range(81))
"""Grid of the servers' tables: linear in loading, bent in inlet. [degC]"""

RECIRCULATION_MOST = 0.5
"""The schema's upper end for a design recirculation fraction. [1]"""

FAN_PRESSURE = 300.0
"""Rise of the CRAH fans at full speed; power is given by itself. [Pa]"""

COIL_AIR, COIL_WATER = 35.0, 10.0
"""Temperatures of the coil's rating: they cancel in a dry coil. [degC]"""

DRY = 0.004
"""Humidity ratio of the coil's rating, in and out. [kg/kg]"""


def add_halls(model: Model, sizes: Sizes, it: ItParams) -> None:
    """Add every hall and what the halls share."""
    _add_materials(model)
    _add_server_tables(model, it)
    model.polynomial(
        "Exponent",
        "CRAH Fan Power",
        (0.0, 1.0, sizes.crah_fan_exponent),
        minimum_value_of_x=0.0,
        maximum_value_of_x=1.2,
    )
    model.add(
        "ZoneCapacitanceMultiplier:ResearchSpecial",
        "Servers in Air",
        temperature_capacity_multiplier=1.0
        + sizes.server_capacity / sizes.air_capacity,
    )
    for hall in range(sizes.halls):
        model.schedule(names.loading(hall), 0.75)
        model.schedule(names.crah_speed(hall), 0.85)
        model.schedule(names.supply_air(hall), 21.0)
        for zone in range(sizes.zones):
            _add_zone(model, sizes, hall, zone)
        _add_air_loop(model, sizes, hall)


def _add_materials(model: Model) -> None:
    model.add(
        "Material", "Panel", roughness="MediumRough", thickness=0.02, **PANEL
    )
    model.add("Construction", "Panel Wall", outside_layer="Panel")


def _add_server_tables(model: Model, it: ItParams) -> None:
    """Add power and air flow of servers over loading and inlet temperature."""
    temps = jnp.asarray(INLETS, jnp.float32)
    factor = np.asarray(server_airflow_factor(temps, it), np.float64)
    power = np.asarray(server_power(jnp.ones_like(temps), temps, it), np.float64)
    base = float(it.flow_base)
    flow = [(base + (1.0 - base) * load) * factor for load in LOADINGS]
    for name, ends in (("Loading", LOADINGS), ("Inlet", INLETS)):
        model.add(
            "Table:IndependentVariable",
            name,
            interpolation_method="Linear",
            extrapolation_method="Linear" if name == "Loading" else "Constant",
            unit_type="Temperature" if name == "Inlet" else "Dimensionless",
            values=[{"value": value} for value in ends],
        )
    model.add(
        "Table:IndependentVariableList",
        "Loading and Inlet",
        independent_variables=[
            {"independent_variable_name": name} for name in ("Loading", "Inlet")
        ],
    )
    for name, rows in (
        ("Server Power", [load * power for load in LOADINGS]),
        ("Server Air", flow),
    ):
        values = [{"output_value": float(v)} for v in np.concatenate(rows)]
        model.add(
            "Table:Lookup",
            name,
            independent_variable_list_name="Loading and Inlet",
            output_unit_type="Dimensionless",
            values=values,
        )
    model.polynomial(
        "Quadratic",
        "No Server Fan",
        (0.0, 1.0, 0.0),
        minimum_value_of_x=0.0,
        maximum_value_of_x=99.0,
    )


def _add_zone(model: Model, sizes: Sizes, hall: int, zone: int) -> None:
    name = names.zone(hall, zone)
    volume = sizes.zone_volume(hall, zone)
    side = math.sqrt(volume / CEILING)
    model.add(
        "Zone",
        name,
        x_origin=100.0 * hall,
        y_origin=100.0 * zone,
        z_origin=0.0,
        ceiling_height=CEILING,
        volume=volume,
    )
    _add_box(model, name, side)
    _add_structure(model, sizes, name, sizes.zone_power(hall, zone))
    _add_servers(model, sizes, hall, zone)
    _add_terminal(model, sizes, hall, zone)
    model.add(
        "OtherEquipment",
        names.moisture(name),
        zone_or_zonelist_or_space_or_spacelist_name=name,
        schedule_name=ALWAYS,
        design_level_calculation_method="EquipmentLevel",
        design_level=0.0,
        fraction_latent=1.0,
        fraction_radiant=0.0,
        fraction_lost=0.0,
    )


def _add_box(model: Model, name: str, side: float) -> None:
    """Close a zone by panels that pass no heat."""
    s, h = side, CEILING
    faces = {
        "Floor": [(0, 0, 0), (0, s, 0), (s, s, 0), (s, 0, 0)],
        "Roof": [(0, s, h), (0, 0, h), (s, 0, h), (s, s, h)],
        "Wall 1": [(0, 0, h), (0, 0, 0), (s, 0, 0), (s, 0, h)],
        "Wall 2": [(s, 0, h), (s, 0, 0), (s, s, 0), (s, s, h)],
        "Wall 3": [(s, s, h), (s, s, 0), (0, s, 0), (0, s, h)],
        "Wall 4": [(0, s, h), (0, s, 0), (0, 0, 0), (0, 0, h)],
    }
    axes = ("vertex_x_coordinate", "vertex_y_coordinate", "vertex_z_coordinate")
    for face, corners in faces.items():
        model.add(
            "BuildingSurface:Detailed",
            f"{name} {face}",
            surface_type=face.split()[0],
            construction_name="Panel Wall",
            zone_name=name,
            outside_boundary_condition="Adiabatic",
            sun_exposure="NoSun",
            wind_exposure="NoWind",
            vertices=[dict(zip(axes, map(float, c), strict=True)) for c in corners],
        )


def _add_structure(model: Model, sizes: Sizes, name: str, power: float) -> None:
    """Add the structure's heat capacity behind its conductance."""
    area = sizes.structure_conductance * power / STRUCTURE_FILM
    heat = CONCRETE["density"] * CONCRETE["specific_heat"]
    thickness = sizes.structure_capacity * power / (area * heat)
    if f"{thickness:.4f} m Concrete" not in model.objects.get("Material", {}):
        slab = f"{thickness:.4f} m Concrete"
        model.add(
            "Material", slab, roughness="MediumRough", thickness=thickness, **CONCRETE
        )
        model.add("Construction", "Structure", outside_layer=slab)
    model.add(
        "InternalMass",
        f"{name} Structure",
        construction_name="Structure",
        zone_or_zonelist_name=name,
        surface_area=area,
    )


def _add_servers(model: Model, sizes: Sizes, hall: int, zone: int) -> None:
    name = names.zone(hall, zone)
    model.add(
        names.SERVERS,
        names.servers(name),
        zone_or_space_name=name,
        air_flow_calculation_method="FlowFromSystem",
        design_power_input_calculation_method="Watts/Unit",
        watts_per_unit=sizes.zone_power(hall, zone),
        number_of_units=1.0,
        cpu_loading_schedule_name=names.loading(hall),
        cpu_power_input_function_of_loading_and_air_temperature_curve_name=(
            "Server Power"
        ),
        design_fan_power_input_fraction=0.0,
        design_fan_air_flow_rate_per_power_input=1.0
        / (AIR_HEAT * sizes.air_rise * INLET_DENSITY),
        air_flow_function_of_loading_and_air_temperature_curve_name="Server Air",
        fan_power_input_function_of_flow_curve_name="No Server Fan",
        design_entering_air_temperature=20.0,
        environmental_class="A2",
        air_inlet_connection_type="AdjustedSupply",
        supply_air_node_name=f"{name} Supply",
        design_recirculation_fraction=RECIRCULATION_MOST,
        recirculation_function_of_loading_and_supply_temperature_curve_name=(
            names.recirculation(name)
        ),
    )
    leak = sizes.zone_leak[zone] * sizes.recirculation
    model.polynomial(
        "Biquadratic",
        names.recirculation(name),
        (leak / RECIRCULATION_MOST, 0.0, 0.0, 0.0, 0.0, 0.0),
        minimum_value_of_x=0.0,
        maximum_value_of_x=2.0,
        minimum_value_of_y=-50.0,
        maximum_value_of_y=100.0,
    )


def _add_terminal(model: Model, sizes: Sizes, hall: int, zone: int) -> None:
    """Let a zone have its share of the CRAH air, whatever its temperature.

    Without a thermostat the terminal stands at its scheduled minimum, which is
    the fan speed.
    """
    name = names.zone(hall, zone)
    model.add(
        "ZoneHVAC:EquipmentConnections",
        f"{name} Connections",
        zone_name=name,
        zone_conditioning_equipment_list_name=f"{name} Equipment",
        zone_air_inlet_node_or_nodelist_name=f"{name} Supply",
        zone_air_node_name=f"{name} Air",
        zone_return_air_node_or_nodelist_name=f"{name} Return",
    )
    model.add(
        "ZoneHVAC:EquipmentList",
        f"{name} Equipment",
        load_distribution_scheme="SequentialLoad",
        equipment=[
            {
                "zone_equipment_object_type": "ZoneHVAC:AirDistributionUnit",
                "zone_equipment_name": f"{name} Unit",
                "zone_equipment_cooling_sequence": 1,
                "zone_equipment_heating_or_no_load_sequence": 1,
            }
        ],
    )
    model.add(
        "ZoneHVAC:AirDistributionUnit",
        f"{name} Unit",
        air_distribution_unit_outlet_node_name=f"{name} Supply",
        air_terminal_object_type="AirTerminal:SingleDuct:VAV:NoReheat",
        air_terminal_name=f"{name} Terminal",
    )
    air = sizes.crah_air_flow / sizes.halls / AIR_DENSITY
    model.add(
        "AirTerminal:SingleDuct:VAV:NoReheat",
        f"{name} Terminal",
        availability_schedule_name=ALWAYS,
        air_inlet_node_name=f"{name} Terminal In",
        air_outlet_node_name=f"{name} Supply",
        maximum_air_flow_rate=air * sizes.zone_share[zone],
        zone_minimum_air_flow_input_method="Scheduled",
        minimum_air_flow_fraction_schedule_name=names.crah_speed(hall),
    )


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
    share = counterflow_effectiveness(*(jnp.asarray(x) for x in (conductance, small, large)))
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
