"""Chilled water, condenser water, chillers, tower and economizer in EnergyPlus."""

import math

from coolbound_envs.chiller_records import ChillerRecord
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.energyplus import names
from coolbound_envs.energyplus.objects import ALWAYS, Component, Model, pipe
from coolbound_envs.energyplus.sizes import AIR_DENSITY, WATER_DENSITY, Sizes
from coolbound_envs.energyplus.runtime_program import add_program
from coolbound_envs.spec import CHANNELS

BY_SETPOINT = "PlantEquipmentOperation:ComponentSetpoint"
"""Equipment that holds its own leaving temperature."""

FREE_AIR = 0.125
"""Tower air with the fans off, share of design [EPL]. [1]"""

FREE_CONDUCTANCE = FREE_AIR * (1.3 - 0.3 * 0.2)
"""Tower UA with the fans off, share of design. [1]"""

TOWER_APPROACH, TOWER_RANGE = 3.84, 5.56
"""Design of the tower: 35 to 29.44 degC at 25.6 degC wet bulb. [K]"""

TOWER_SPEED_MIN = 0.2
LEAVING_MAX = next(c.upper for c in CHANNELS if c.name == "chw_supply_setpoint")
"""The machines' curves are extended up to this leaving water. [degC]"""

ENTERING_MAX = 35.0
"""And up to this entering condenser water. [degC]"""

EXCHANGER_DEAD_BAND = 0.2
"""Below this difference the exchanger stays closed. [K]"""


def add_plant(model: Model, sizes: Sizes, record: ChillerRecord) -> None:
    """Add both water loops and all that stands on them."""
    for schedule, value in (
        (names.CHW_SETPOINT, 12.0),
        (names.EXCHANGER_SETPOINT, 12.0),
        (names.CW_SETPOINT, 22.0),
        (names.EXCHANGER_ON, 0.0),
        (names.CHW_FLOW_LIMIT, 1.0),
    ):
        model.schedule(schedule, value)
    _add_chw_loop(model, sizes)
    _add_cw_loop(model, sizes)
    _add_stages(model, sizes)
    _add_chillers(model, sizes, record)
    _add_pumps(model, sizes)
    _add_tower(model, sizes)
    _add_exchanger(model, sizes)


def _add_chw_loop(model: Model, sizes: Sizes) -> None:
    chillers = {
        f"CHW {name} Branch": [
            (names.CHILLER, name, f"{name} CHW In", f"{name} CHW Out")
        ]
        for name in map(names.chiller, range(sizes.chillers))
    }
    first: list[Component] = [
        (names.PUMP, names.CHW_PUMP, "CHW Supply In", "CHW Pump Out"),
        (names.EXCHANGER, names.THE_EXCHANGER, "CHW Pump Out", "CHW Exchanger Out"),
    ]
    model.half_loop(
        "CHW Supply",
        {
            "CHW Pump Branch": first,
            **chillers,
            "CHW Around": pipe("CHW Around", "CHW Around In", "CHW Around Out"),
            "CHW Header": pipe("CHW Header", "CHW Header In", "CHW Supply Out"),
        },
    )
    coils = {
        f"{name} Coil Branch": [
            (names.COIL, f"{name} Coil", f"{name} Coil Water In", f"{name} Coil Water Out")
        ]
        for name in map(names.hall, range(sizes.halls))
    }
    model.half_loop(
        "CHW Demand",
        {
            "CHW To Halls": pipe("CHW To Halls", "CHW Demand In", "CHW At Halls"),
            **coils,
            "CHW Bypass": pipe("CHW Bypass", "CHW Bypass In", "CHW Bypass Out"),
            "CHW From Halls": pipe("CHW From Halls", "CHW Leaving Halls", "CHW Demand Out"),
        },
    )
    _add_loop(model, "CHW", sizes.chw_pump_flow, sizes.chw_mass)
    model.setpoint("CHW Supply Out", names.CHW_SETPOINT)
    model.setpoint("CHW Exchanger Out", names.EXCHANGER_SETPOINT)


def _add_cw_loop(model: Model, sizes: Sizes) -> None:
    condensers = {
        f"CW {name} Branch": [(names.CHILLER, name, f"{name} CW In", f"{name} CW Out")]
        for name in map(names.chiller, range(sizes.chillers))
    }
    exchanger: list[Component] = [
        (names.EXCHANGER, names.THE_EXCHANGER, "CW Exchanger In", "CW Exchanger Out")
    ]
    model.half_loop(
        "CW Supply",
        {
            "CW Pump Branch": [
                (names.PUMP, names.CW_PUMP, "CW Supply In", "CW Pump Out")
            ],
            "CW Tower Branch": [(names.TOWER, names.THE_TOWER, "Tower In", "Tower Out")],
            "CW Header": pipe("CW Header", "CW Header In", "CW Supply Out"),
        },
    )
    model.half_loop(
        "CW Demand",
        {
            "CW To Plant": pipe("CW To Plant", "CW Demand In", "CW At Plant"),
            "CW Exchanger Branch": exchanger,
            **condensers,
            "CW Bypass": pipe("CW Bypass", "CW Bypass In", "CW Bypass Out"),
            "CW From Plant": pipe("CW From Plant", "CW Leaving Plant", "CW Demand Out"),
        },
    )
    _add_loop(model, "CW", sizes.cw_flow, sizes.cw_mass)
    model.setpoint("CW Supply Out", names.CW_SETPOINT)
    _add_cw_operation(model)
    add_program(model, sizes)


def _add_loop(model: Model, name: str, flow: float, mass: float) -> None:
    """Join two half-loops; their water is a mixed store in either direction."""
    model.add(
        "PlantLoop",
        name,
        fluid_type="Water",
        plant_equipment_operation_scheme_name=f"{name} Operation",
        loop_temperature_setpoint_node_name=f"{name} Supply Out",
        maximum_loop_temperature=60.0,
        minimum_loop_temperature=1.0,
        maximum_loop_flow_rate=flow / WATER_DENSITY,
        minimum_loop_flow_rate=0.0,
        plant_loop_volume=mass / WATER_DENSITY,
        plant_side_inlet_node_name=f"{name} Supply In",
        plant_side_outlet_node_name=f"{name} Supply Out",
        plant_side_branch_list_name=f"{name} Supply Branches",
        plant_side_connector_list_name=f"{name} Supply Connectors",
        demand_side_inlet_node_name=f"{name} Demand In",
        demand_side_outlet_node_name=f"{name} Demand Out",
        demand_side_branch_list_name=f"{name} Demand Branches",
        demand_side_connector_list_name=f"{name} Demand Connectors",
        load_distribution_scheme="UniformLoad",
    )


def _add_cw_operation(model: Model) -> None:
    """Let the tower's heat be dispatched from outside, whenever it is simulated.

    A tower in EnergyPlus runs its fan as its dispatched heat needs; there is no
    handle on the fan.
    """
    scheme = "PlantEquipmentOperation:UserDefined"
    model.add(
        "PlantEquipmentOperationSchemes",
        "CW Operation",
        control_scheme_1_object_type=scheme,
        control_scheme_1_name=names.TOWER_SCHEME,
        control_scheme_1_schedule_name=ALWAYS,
    )
    model.add(
        scheme,
        names.TOWER_SCHEME,
        main_model_program_calling_manager_name=names.TOWER_DISPATCH,
        equipment_1_object_type=names.TOWER,
        equipment_1_name=names.THE_TOWER,
    )


def _add_stages(model: Model, sizes: Sizes) -> None:
    """Let as many machines run as the schedules say.

    Each machine holds its own leaving temperature. Dispatch by loop load is not
    used: with the exchanger upstream it alternates between iterations, and heat
    does not close.
    """
    operation = {}
    for place, count in enumerate(range(sizes.chillers, -1, -1), start=1):
        model.schedule(names.stage(count), 1.0 if count == 2 else 0.0)
        is_free = count == 0
        kind = "PlantEquipmentOperation:CoolingLoad" if is_free else BY_SETPOINT
        operation[f"control_scheme_{place}_object_type"] = kind
        operation[f"control_scheme_{place}_name"] = f"Run {count}"
        operation[f"control_scheme_{place}_schedule_name"] = names.stage(count)
        if not is_free:
            model.add(BY_SETPOINT, f"Run {count}", **_stage_fields(sizes, count))
    model.add("PlantEquipmentOperationSchemes", "CHW Operation", **operation)
    model.add(
        "PlantEquipmentOperation:CoolingLoad",
        "Run 0",
        load_range_1_lower_limit=0.0,
        load_range_1_upper_limit=1e9,
        range_1_equipment_list_name="No Machine",
    )
    model.add("PlantEquipmentList", "No Machine", equipment=[])


def _stage_fields(sizes: Sizes, count: int) -> dict:
    most = sizes.evaporator_flow * sizes.evaporator_flow_max / WATER_DENSITY
    fields = {}
    for number in range(1, count + 1):
        name = names.chiller(number - 1)
        fields |= {
            f"equipment_{number}_object_type": names.CHILLER,
            f"equipment_{number}_name": name,
            f"demand_calculation_{number}_node_name": f"{name} CHW In",
            f"setpoint_{number}_node_name": f"{name} CHW Out",
            f"component_{number}_flow_rate": most,
            f"operation_{number}_type": "Cooling",
        }
    return fields


def _add_chillers(model: Model, sizes: Sizes, record: ChillerRecord) -> None:
    """Add equal machines with a record's curves, extended to 18 degC leaving."""
    ends = {
        "minimum_value_of_x": record.leaving_range[0],
        "maximum_value_of_x": max(record.leaving_range[1], LEAVING_MAX),
        "minimum_value_of_y": record.condenser_range[0],
        "maximum_value_of_y": max(record.condenser_range[1], ENTERING_MAX),
    }
    model.polynomial("Biquadratic", "Chiller Capacity", record.capacity_curve, **ends)
    model.polynomial("Biquadratic", "Chiller Energy", record.energy_curve, **ends)
    model.polynomial(
        "Quadratic",
        "Chiller Load",
        record.load_curve,
        minimum_value_of_x=record.load_range[0],
        maximum_value_of_x=record.load_range[1],
    )
    for name in map(names.chiller, range(sizes.chillers)):
        _add_chiller(model, sizes, record, name)
        model.setpoint(f"{name} CHW Out", names.CHW_SETPOINT)


def _add_chiller(
    model: Model, sizes: Sizes, record: ChillerRecord, name: str
) -> None:
    evaporator = sizes.evaporator_flow * sizes.evaporator_flow_max
    model.add(
        names.CHILLER,
        name,
        reference_capacity=sizes.chiller_capacity,
        reference_cop=record.cop,
        reference_leaving_chilled_water_temperature=record.leaving_rated,
        reference_entering_condenser_fluid_temperature=record.condenser_rated,
        reference_chilled_water_flow_rate=evaporator / WATER_DENSITY,
        reference_condenser_fluid_flow_rate=sizes.cw_flow / WATER_DENSITY,
        cooling_capacity_function_of_temperature_curve_name="Chiller Capacity",
        electric_input_to_cooling_output_ratio_function_of_temperature_curve_name=(
            "Chiller Energy"
        ),
        electric_input_to_cooling_output_ratio_function_of_part_load_ratio_curve_name=(
            "Chiller Load"
        ),
        minimum_part_load_ratio=record.load_range[0],
        maximum_part_load_ratio=record.load_range[1],
        optimum_part_load_ratio=1.0,
        minimum_unloading_ratio=record.load_unloaded,
        chilled_water_inlet_node_name=f"{name} CHW In",
        chilled_water_outlet_node_name=f"{name} CHW Out",
        condenser_inlet_node_name=f"{name} CW In",
        condenser_outlet_node_name=f"{name} CW Out",
        condenser_type="WaterCooled",
        fraction_of_compressor_electric_consumption_rejected_by_condenser=(
            record.motor_share
        ),
        leaving_chilled_water_lower_temperature_limit=2.0,
        chiller_flow_mode="NotModulated",
        condenser_flow_control="ConstantFlow",
    )


def _add_pumps(model: Model, sizes: Sizes) -> None:
    flow = sizes.chw_pump_flow / WATER_DENSITY
    head = sizes.chw_shutoff_pressure
    model.add(
        names.PUMP,
        names.CHW_PUMP,
        inlet_node_name="CHW Supply In",
        outlet_node_name="CHW Pump Out",
        design_maximum_flow_rate=flow,
        design_pump_head=head,
        design_power_consumption=flow * head / sizes.chw_pump_efficiency,
        motor_efficiency=0.9,
        fraction_of_motor_inefficiencies_to_fluid_stream=1.0,
        coefficient_1_of_the_part_load_performance_curve=0.0,
        coefficient_2_of_the_part_load_performance_curve=1.0,
        design_minimum_flow_rate=0.0,
        pump_control_type="Continuous",
        pump_flow_rate_schedule_name=names.CHW_FLOW_LIMIT,
    )
    flow = sizes.cw_flow / WATER_DENSITY
    head = sizes.cw_static_pressure + sizes.cw_friction_pressure
    model.add(
        names.PUMP,
        names.CW_PUMP,
        inlet_node_name="CW Supply In",
        outlet_node_name="CW Pump Out",
        design_maximum_flow_rate=flow,
        design_pump_head=head,
        design_power_consumption=flow * head / sizes.cw_pump_efficiency,
        motor_efficiency=0.9,
        fraction_of_motor_inefficiencies_to_fluid_stream=1.0,
        coefficient_1_of_the_part_load_performance_curve=0.0,
        coefficient_2_of_the_part_load_performance_curve=sizes.cw_static_pressure
        / head,
        coefficient_3_of_the_part_load_performance_curve=0.0,
        coefficient_4_of_the_part_load_performance_curve=sizes.cw_friction_pressure
        / head,
        design_minimum_flow_rate=0.0,
        pump_control_type="Continuous",
    )


def _add_tower(model: Model, sizes: Sizes) -> None:
    """Add the tower with Scheier's corrections of its Merkel UA."""
    air = sizes.tower_air_flow / AIR_DENSITY
    for kind, name, terms, low, high in (
        ("Cubic", "Tower Fan", (0.0, 0.0, 0.0, 1.0), 0.0, 1.0),
        ("Quadratic", "Tower Air", (0.0, 1.3, -0.3), TOWER_SPEED_MIN, 1.0),
        ("Quadratic", "Tower Wet Bulb", (1.0, 0.0081, 0.0), -50.0, 80.0),
        ("Quadratic", "Tower Water", (0.1082, 1.667, -0.7713), 0.3, 1.0),
    ):
        ends = {"minimum_value_of_x": low, "maximum_value_of_x": high}
        model.polynomial(kind, name, terms, **ends)
    model.add(
        names.TOWER,
        names.THE_TOWER,
        water_inlet_node_name="Tower In",
        water_outlet_node_name="Tower Out",
        performance_input_method="UFactorTimesAreaAndDesignWaterFlowRate",
        design_water_flow_rate=sizes.cw_flow / WATER_DENSITY,
        design_air_flow_rate=air,
        minimum_air_flow_rate_ratio=TOWER_SPEED_MIN,
        design_fan_power=sizes.tower_fan_power,
        fan_power_modifier_function_of_air_flow_rate_ratio_curve_name="Tower Fan",
        free_convection_regime_air_flow_rate=air * FREE_AIR,
        design_air_flow_rate_u_factor_times_area_value=sizes.tower_conductance,
        free_convection_regime_u_factor_times_area_value=sizes.tower_conductance
        * FREE_CONDUCTANCE,
        u_factor_times_area_modifier_function_of_air_flow_ratio_curve_name="Tower Air",
        u_factor_times_area_modifier_function_of_wetbulb_temperature_difference_curve_name=(
            "Tower Wet Bulb"
        ),
        u_factor_times_area_modifier_function_of_water_flow_ratio_curve_name=(
            "Tower Water"
        ),
        design_inlet_air_dry_bulb_temperature=35.0,
        design_inlet_air_wet_bulb_temperature=sizes.tower_design_wet_bulb,
        design_approach_temperature=TOWER_APPROACH,
        design_range_temperature=TOWER_RANGE,
        evaporation_loss_mode="SaturatedExit",
        drift_loss_percent=100.0 * sizes.tower_drift,
        blowdown_calculation_mode="ConcentrationRatio",
        blowdown_concentration_ratio=sizes.tower_concentration,
        number_of_cells=round(sizes.tower_cells),
        cell_control="MaximalCell",
        cell_minimum_water_flow_rate_fraction=sizes.tower_cell_flow_min,
    )


def exchanger_conductance(sizes: Sizes) -> float:
    """Return the UA with the site's effectiveness at both design flows [W/K].

    eps = (1 - e) / (1 - Z e) with e = exp(-NTU (1 - Z)), solved for NTU.
    """
    small, large = sorted((sizes.chw_flow, sizes.cw_flow))
    ratio, share = small / large, sizes.economizer_effectiveness
    units = math.log((1.0 - ratio * share) / (1.0 - share)) / (1.0 - ratio)
    return units * small * WATER_HEAT


def _add_exchanger(model: Model, sizes: Sizes) -> None:
    model.add(
        names.EXCHANGER,
        names.THE_EXCHANGER,
        availability_schedule_name=names.EXCHANGER_ON,
        loop_demand_side_inlet_node_name="CW Exchanger In",
        loop_demand_side_outlet_node_name="CW Exchanger Out",
        loop_demand_side_design_flow_rate=sizes.cw_flow / WATER_DENSITY,
        loop_supply_side_inlet_node_name="CHW Pump Out",
        loop_supply_side_outlet_node_name="CHW Exchanger Out",
        loop_supply_side_design_flow_rate=sizes.chw_pump_flow / WATER_DENSITY,
        heat_exchange_model_type="CounterFlow",
        heat_exchanger_u_factor_times_area_value=exchanger_conductance(sizes),
        control_type="CoolingSetpointModulated",
        heat_exchanger_setpoint_node_name="CHW Exchanger Out",
        minimum_temperature_difference_to_activate_heat_exchanger=EXCHANGER_DEAD_BAND,
        heat_transfer_metering_end_use_type="FreeCooling",
    )
