"""Zones in EnergyPlus: walls, structure, servers and the air that reaches them."""

import math

import jax.numpy as jnp
import numpy as np

from coolbound_envs.components import server_airflow_factor, server_power
from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.energyplus import names
from coolbound_envs.energyplus.objects import ALWAYS, Model
from coolbound_envs.energyplus.sizes import AIR_DENSITY, Sizes
from coolbound_envs.params import ItParams

CEILING = 4.0
"""Height of a hall. [m]"""

ZONE_GAP = 100.0
"""Between the origins of zones, which do not touch. [m]"""

INLET_DENSITY = 1.19
"""Air at 23 degC, in which EnergyPlus counts server air. [kg/m3]"""

STRUCTURE_FILM = 3.076
"""EnergyPlus' simple inside convection, vertical surface. [W/(m2 K)]"""

CONCRETE = {"conductivity": 1.7, "density": 2300.0, "specific_heat": 880.0}
PANEL = {"conductivity": 0.1, "density": 50.0, "specific_heat": 1000.0}
LOADINGS = (0.0, 1.0)
INLETS = tuple(10.0 + 0.5 * step for step in range(81))
"""Grid of the servers' tables: linear in loading, bent in inlet. [degC]"""


def add_shared(model: Model, sizes: Sizes, it: ItParams) -> None:
    """Add what all zones share: materials, servers' tables, heat in the air."""
    panel, slab = "Panel", "Slab"
    heat = CONCRETE["density"] * CONCRETE["specific_heat"]
    area = sizes.structure_conductance / STRUCTURE_FILM
    thickness = sizes.structure_capacity / (area * heat)
    for name, depth, kind in ((panel, 0.02, PANEL), (slab, thickness, CONCRETE)):
        model.add("Material", name, roughness="MediumRough", thickness=depth, **kind)
        model.add("Construction", f"{name} Layer", outside_layer=name)
    _add_server_tables(model, it)
    model.add(
        "ZoneCapacitanceMultiplier:ResearchSpecial",
        "Servers in Air",
        temperature_capacity_multiplier=1.0
        + sizes.server_capacity / sizes.air_capacity,
    )


def _add_server_tables(model: Model, it: ItParams) -> None:
    """Add power and air flow of servers over loading and inlet temperature."""
    temps = jnp.asarray(INLETS, jnp.float32)
    factor = np.asarray(server_airflow_factor(temps, it), np.float64)
    power = np.asarray(server_power(jnp.ones_like(temps), temps, it), np.float64)
    base = float(it.flow_base)
    flow = [(base + (1.0 - base) * load) * factor for load in LOADINGS]
    _add_axes(model)
    for name, rows in (
        ("Server Power", [load * power for load in LOADINGS]),
        ("Server Air", flow),
    ):
        values = [{"output_value": float(value)} for value in np.concatenate(rows)]
        model.add(
            "Table:Lookup",
            name,
            independent_variable_list_name="Loading and Inlet",
            output_unit_type="Dimensionless",
            values=values,
        )
    ends = {"minimum_value_of_x": 0.0, "maximum_value_of_x": 99.0}
    model.polynomial("Quadratic", "No Server Fan", (0.0, 1.0, 0.0), **ends)


def _add_axes(model: Model) -> None:
    for name, values in (("Loading", LOADINGS), ("Inlet", INLETS)):
        is_load = name == "Loading"
        model.add(
            "Table:IndependentVariable",
            name,
            interpolation_method="Linear",
            extrapolation_method="Linear" if is_load else "Constant",
            unit_type="Dimensionless" if is_load else "Temperature",
            values=[{"value": value} for value in values],
        )
    model.add(
        "Table:IndependentVariableList",
        "Loading and Inlet",
        independent_variables=[
            {"independent_variable_name": name} for name in ("Loading", "Inlet")
        ],
    )


def add_zone(model: Model, sizes: Sizes, hall: int, zone: int) -> None:
    """Add a zone, counted from 0 in its hall."""
    name = names.zone(hall, zone)
    volume = sizes.zone_volume(hall, zone)
    side = math.sqrt(volume / CEILING)
    model.add(
        "Zone",
        name,
        x_origin=ZONE_GAP * hall,
        y_origin=ZONE_GAP * zone,
        z_origin=0.0,
        ceiling_height=CEILING,
        volume=volume,
    )
    _add_box(model, name, side)
    model.add(
        "InternalMass",
        f"{name} Structure",
        construction_name="Slab Layer",
        zone_or_zonelist_name=name,
        surface_area=sizes.structure_conductance
        * sizes.zone_power(hall, zone)
        / STRUCTURE_FILM,
    )
    _add_servers(model, sizes, hall, zone)
    _add_connections(model, name)
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
            construction_name="Panel Layer",
            zone_name=name,
            outside_boundary_condition="Adiabatic",
            sun_exposure="NoSun",
            wind_exposure="NoWind",
            vertices=[dict(zip(axes, map(float, c), strict=True)) for c in corners],
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
        design_recirculation_fraction=names.RECIRCULATION_MOST,
        recirculation_function_of_loading_and_supply_temperature_curve_name=(
            names.recirculation(name)
        ),
    )
    _add_recirculation(model, sizes, name, zone)


def _add_recirculation(model: Model, sizes: Sizes, name: str, zone: int) -> None:
    """Add the curve that the drives move at every timestep."""
    leak = sizes.zone_leak[zone] * sizes.recirculation
    model.polynomial(
        "Biquadratic",
        names.recirculation(name),
        (leak / names.RECIRCULATION_MOST, 0.0, 0.0, 0.0, 0.0, 0.0),
        minimum_value_of_x=0.0,
        maximum_value_of_x=2.0,
        minimum_value_of_y=-50.0,
        maximum_value_of_y=100.0,
    )


def _add_connections(model: Model, name: str) -> None:
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


def _add_terminal(model: Model, sizes: Sizes, hall: int, zone: int) -> None:
    """Let a zone have its share of the CRAH air, whatever its temperature.

    Without a thermostat the terminal stands at its scheduled minimum, which is
    the fan speed.
    """
    name = names.zone(hall, zone)
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
