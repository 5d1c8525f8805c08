"""The two water loops in EnergyPlus, and which machines may run on them."""

from coolbound_envs.chiller_records import ChillerRecord
from coolbound_envs.energyplus import names
from coolbound_envs.energyplus.machine_objects import (
    add_chillers,
    add_exchanger,
    add_pumps,
    add_tower,
)
from coolbound_envs.energyplus.objects import ALWAYS, Component, Model, pipe
from coolbound_envs.energyplus.runtime_program import add_program
from coolbound_envs.energyplus.sizes import WATER_DENSITY, Sizes

BY_SETPOINT = "PlantEquipmentOperation:ComponentSetpoint"
"""Equipment that holds its own leaving temperature."""


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
    add_chillers(model, sizes, record)
    add_pumps(model, sizes)
    add_tower(model, sizes)
    add_exchanger(model, sizes)


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
            (
                names.COIL,
                f"{name} Coil",
                f"{name} Coil Water In",
                f"{name} Coil Water Out",
            )
        ]
        for name in map(names.hall, range(sizes.halls))
    }
    model.half_loop(
        "CHW Demand",
        {
            "CHW To Halls": pipe("CHW To Halls", "CHW Demand In", "CHW At Halls"),
            **coils,
            "CHW Bypass": pipe("CHW Bypass", "CHW Bypass In", "CHW Bypass Out"),
            "CHW From Halls": pipe(
                "CHW From Halls", "CHW Leaving Halls", "CHW Demand Out"
            ),
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
            "CW Tower Branch": [
                (names.TOWER, names.THE_TOWER, "Tower In", "Tower Out")
            ],
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
