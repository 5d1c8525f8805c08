"""Chillers, pumps, tower and economizer in EnergyPlus."""

import math

from coolbound_envs.chiller_records import ChillerRecord
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.energyplus import names
from coolbound_envs.energyplus.objects import Model
from coolbound_envs.energyplus.sizes import AIR_DENSITY, WATER_DENSITY, Sizes
from coolbound_envs.spec import CHANNELS

FREE_AIR = 0.125
"""Tower air with the fans off, share of design [EPL]. [1]"""

TOWER_SPEED_MIN = 0.2
"""Lowest speed of the tower fans. [1]"""

FREE_CONDUCTANCE = FREE_AIR * (1.3 - 0.3 * TOWER_SPEED_MIN)
"""Tower UA with the fans off, share of design. [1]"""

TOWER_APPROACH, TOWER_RANGE = 3.84, 5.56
"""Design of the tower: 35 to 29.44 degC at 25.6 degC wet bulb. [K]"""

LEAVING_MAX = next(c.upper for c in CHANNELS if c.name == "chw_supply_setpoint")
"""The machines' curves are extended up to this leaving water. [degC]"""

ENTERING_MAX = 35.0
"""And up to this entering condenser water. [degC]"""

EXCHANGER_DEAD_BAND = 0.2
"""Below this difference the exchanger stays closed. [K]"""


def add_chillers(model: Model, sizes: Sizes, record: ChillerRecord) -> None:
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


def _add_chiller(model: Model, sizes: Sizes, record: ChillerRecord, name: str) -> None:
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


def add_pumps(model: Model, sizes: Sizes) -> None:
    """Add the pumps of both loops; all their power warms the water.

    The head of the chilled-water pumps is the program's; that of the condenser
    pumps follows from their speed alone.
    """
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


def add_tower(model: Model, sizes: Sizes) -> None:
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


def add_exchanger(model: Model, sizes: Sizes) -> None:
    """Add the economizer: in series on chilled water, which it holds at its aim."""
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
