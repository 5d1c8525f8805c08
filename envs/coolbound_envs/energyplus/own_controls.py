"""EnergyPlus' own controls in place of ours, in the same model of the same site.

Set-points that stand or follow the weather, plant operation by load range, a tower
that holds its set-point, pumps on their curves: what an EnergyPlus modeller would write
for this plant (EnergyPlus, Input Output Reference). Nothing is moved from outside.
`own_program` has what moves set-points.
"""

import copy
from typing import Any, Final

from coolbound_envs.energyplus import names
from coolbound_envs.energyplus.objects import ALWAYS, Fields, Model
from coolbound_envs.energyplus.own_program import (
    FREE_COOLING,
    MACHINES_ON,
    add_own_program,
)
from coolbound_envs.energyplus.own_setpoints import OwnControls
from coolbound_envs.energyplus.sizes import WATER_DENSITY, Sizes

Objects = dict[str, dict[str, Fields]]

BY_LOAD: Final = "PlantEquipmentOperation:CoolingLoad"

FROM_OUTSIDE: Final = (
    "EnergyManagementSystem:Sensor",
    "EnergyManagementSystem:Actuator",
    "EnergyManagementSystem:GlobalVariable",
    "EnergyManagementSystem:Program",
    "EnergyManagementSystem:ProgramCallingManager",
    "PlantEquipmentOperation:UserDefined",
    "PlantEquipmentOperation:ComponentSetpoint",
    "PlantEquipmentOperationSchemes",
)
"""Object types through which our channels act: none of theirs stays."""


def with_own_controls(objects: Objects, sizes: Sizes, own: OwnControls) -> Objects:
    """Return a model under its own controls.

    Args:
        objects: The model that our channels act on; it stays as it is.
        sizes: Of the site.
        own: Set-points.
    """
    model = Model()
    model.objects = copy.deepcopy(objects)
    for kind in FROM_OUTSIDE:
        del model.objects[kind]
    _hold_setpoints(model, sizes, own)
    _stage_by_load(model, sizes, own)
    _cool_by_tower(model)
    _let_pumps_follow(model, sizes, own)
    add_own_program(model, sizes, own)
    return model.objects


def _fields(model: Model, kind: str, name: str) -> dict[str, Any]:
    return model.objects[kind][name]


def _hold_setpoints(model: Model, sizes: Sizes, own: OwnControls) -> None:
    held = {
        names.CHW_SETPOINT: own.chw_supply,
        names.EXCHANGER_SETPOINT: own.chw_supply,
        names.CHW_FLOW_LIMIT: 1.0,
    }
    for hall in range(sizes.halls):
        held[names.supply_air(hall)] = own.supply_air
    for name, value in held.items():
        _fields(model, "Schedule:Constant", name)["hourly_value"] = value
    for count in range(sizes.chillers + 1):
        del model.objects["Schedule:Constant"][names.stage(count)]


def _stage_by_load(model: Model, sizes: Sizes, own: OwnControls) -> None:
    """Let the loop's load say how many machines run; none in free cooling."""
    model.schedule(MACHINES_ON, 1.0)
    model.schedule(FREE_COOLING, 0.0)
    schemes = (("Run by Load", MACHINES_ON), ("Run 0", FREE_COOLING))
    model.add("PlantEquipmentOperationSchemes", "CHW Operation", **_schemes(schemes))
    each = own.stage_share * sizes.chiller_capacity
    ranges: dict[str, Any] = {}
    for count in range(1, sizes.chillers + 1):
        is_last = count == sizes.chillers
        ranges |= {
            f"load_range_{count}_lower_limit": (count - 1) * each,
            f"load_range_{count}_upper_limit": 1e9 if is_last else count * each,
            f"range_{count}_equipment_list_name": f"{count} Machines",
        }
        listed = [
            {"equipment_object_type": names.CHILLER, "equipment_name": name}
            for name in map(names.chiller, range(count))
        ]
        model.add("PlantEquipmentList", f"{count} Machines", equipment=listed)
    model.add(BY_LOAD, "Run by Load", **ranges)


def _schemes(schemes: tuple[tuple[str, str], ...]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for place, (name, schedule) in enumerate(schemes, start=1):
        fields |= {
            f"control_scheme_{place}_object_type": BY_LOAD,
            f"control_scheme_{place}_name": name,
            f"control_scheme_{place}_schedule_name": schedule,
        }
    return fields


def _cool_by_tower(model: Model) -> None:
    """Let the tower carry the condenser loop's load to its set-point."""
    model.add(
        "PlantEquipmentOperationSchemes",
        "CW Operation",
        **_schemes(((names.TOWER_SCHEME, ALWAYS),)),
    )
    model.add(
        BY_LOAD,
        names.TOWER_SCHEME,
        load_range_1_lower_limit=0.0,
        load_range_1_upper_limit=1e9,
        range_1_equipment_list_name="The Tower",
    )
    tower = {"equipment_object_type": names.TOWER, "equipment_name": names.THE_TOWER}
    model.add("PlantEquipmentList", "The Tower", equipment=[tower])


def _let_pumps_follow(model: Model, sizes: Sizes, own: OwnControls) -> None:
    """Give the chilled-water pump its head by the flow, each machine its own water.

    P = m / (rho eta) (p + p_pipe (m / m_d)^2): the remote pressure is held, pipes and
    evaporators lose with the square of the flow.
    """
    flow = sizes.chw_pump_flow
    head = own.chw_pressure + sizes.chw_pipe_pressure * (flow / sizes.chw_flow) ** 2
    held = own.chw_pressure / head
    _fields(model, names.PUMP, names.CHW_PUMP).update(
        design_pump_head=head,
        design_power_consumption=flow
        / WATER_DENSITY
        * head
        / sizes.chw_pump_efficiency,
        coefficient_2_of_the_part_load_performance_curve=held,
        coefficient_3_of_the_part_load_performance_curve=0.0,
        coefficient_4_of_the_part_load_performance_curve=1.0 - held,
        design_minimum_flow_rate=own.chw_flow_min / WATER_DENSITY,
    )
    limit = sizes.chw_flow_limit(own.chw_pressure) / flow
    _fields(model, "Schedule:Constant", names.CHW_FLOW_LIMIT)["hourly_value"] = limit
    # One pump at least: the exchanger's own modulation would swing the whole loop.
    _fields(model, names.PUMP, names.CW_PUMP).update(
        design_minimum_flow_rate=own.cw_flow_min / WATER_DENSITY
    )
    for name in map(names.chiller, range(sizes.chillers)):
        _fields(model, names.CHILLER, name).update(
            reference_condenser_fluid_flow_rate=own.cw_flow_each / WATER_DENSITY
        )
