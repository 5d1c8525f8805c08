"""What moves the set-points of EnergyPlus' own controls, in its runtime language.

CRAH air that follows the servers' load, tower water that follows the wet bulb, and the
changeover to free cooling, in which the exchanger carries the whole load. A set-point
manager of EnergyPlus' own that follows the wet bulb has one lower end; machines and
free cooling need two.
"""

from typing import Final

from coolbound_envs.energyplus import names
from coolbound_envs.energyplus.objects import Model
from coolbound_envs.energyplus.own_setpoints import OwnControls
from coolbound_envs.energyplus.sizes import Sizes

MACHINES_ON: Final = "Machines On"
FREE_COOLING: Final = "Free Cooling"
"""Schedules of the two plant schemes: one is 1, the other 0."""

FREE: Final = "Free"
"""Global variable: 1 in free cooling. [1]"""

SPEED_MIN: Final = 0.3
"""Lowest speed of the CRAH fans. [1]"""


def add_own_program(model: Model, sizes: Sizes, own: OwnControls) -> None:
    """Add both programs with their sensors and actuators."""
    _add_sensors(model, sizes)
    _add_actuators(model, sizes)
    model.add(
        "EnergyManagementSystem:GlobalVariable",
        "Of the Changeover",
        variables=[{"erl_variable_name": FREE}],
    )
    _add(model, "Begin", "BeginNewEnvironment", [f"SET {FREE} = 0"])
    lines = [*_changeover_lines(own), *_tower_lines(own), *_airflow_lines(sizes, own)]
    _add(model, "Control", "BeginTimestepBeforePredictor", lines)


def _add_sensors(model: Model, sizes: Sizes) -> None:
    sensors = {"Out_Wet": ("Environment", "Site Outdoor Air Wetbulb Temperature")}
    for hall in range(sizes.halls):
        sensors[f"Loading_{hall}"] = (names.loading(hall), "Schedule Value")
    for sensor, (key, variable) in sensors.items():
        model.add(
            "EnergyManagementSystem:Sensor",
            sensor,
            output_variable_or_output_meter_index_key_name=key,
            output_variable_or_output_meter_name=variable,
        )


def _add_actuators(model: Model, sizes: Sizes) -> None:
    schedules = {
        "Set_Exchanger": names.EXCHANGER_ON,
        "Set_Machines": MACHINES_ON,
        "Set_Free": FREE_COOLING,
        "Set_Tower": names.CW_SETPOINT,
    }
    for hall in range(sizes.halls):
        schedules[f"Set_Speed_{hall}"] = names.crah_speed(hall)
    for actuator, schedule in schedules.items():
        model.add(
            "EnergyManagementSystem:Actuator",
            actuator,
            actuated_component_unique_name=schedule,
            actuated_component_type="Schedule:Constant",
            actuated_component_control_type="Schedule Value",
        )


def _add(model: Model, name: str, point: str, lines: list[str]) -> None:
    listed = [{"program_line": line} for line in lines]
    model.add("EnergyManagementSystem:Program", name, lines=listed)
    model.add(
        "EnergyManagementSystem:ProgramCallingManager",
        f"{name} Call",
        energyplus_model_calling_point=point,
        programs=[{"program_name": name}],
    )


def _changeover_lines(own: OwnControls) -> list[str]:
    return [
        f"IF Out_Wet < {own.free_below!r}",
        f"SET {FREE} = 1",
        f"ELSEIF Out_Wet > {own.free_above!r}",
        f"SET {FREE} = 0",
        "ENDIF",
        f"SET Set_Exchanger = {FREE}",
        f"SET Set_Free = {FREE}",
        f"SET Set_Machines = 1 - {FREE}",
    ]


def _tower_lines(own: OwnControls) -> list[str]:
    """Return the lines of the tower's set-point: wet bulb and approach, within ends."""
    low, high = own.tower_water_min, own.tower_water_max
    return [
        f"IF {FREE} > 0.5",
        f"SET Set_Tower = {own.tower_water_free!r}",
        "ELSE",
        f"SET Aim = Out_Wet + {own.tower_approach!r}",
        f"SET Set_Tower = @Max {low!r} (@Min {high!r} Aim)",
        "ENDIF",
    ]


def _airflow_lines(sizes: Sizes, own: OwnControls) -> list[str]:
    """Return the lines of the fans: the servers' air at their load, and a reserve."""
    lines = []
    for hall in range(sizes.halls):
        most = own.airflow_ratio * own.server_flow * sizes.hall_share[hall]
        most /= sizes.crah_air_flow / sizes.halls
        share = f"({own.flow_base!r} + ({1.0 - own.flow_base!r} * Loading_{hall}))"
        speed = f"{most!r} * {share}"
        lines.append(f"SET Set_Speed_{hall} = @Max {SPEED_MIN} (@Min 1 ({speed}))")
    return lines
