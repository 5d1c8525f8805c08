"""Drives below the set-points, as a program in EnergyPlus' own runtime language.

EnergyPlus simulates its water loops several times in a timestep, until they agree;
a Python callback comes between timesteps and air iterations only. What depends on
the flow or the temperature of the very moment is therefore a program of the model,
run whenever the tower is simulated:

* The tower fans. A tower in EnergyPlus has no handle on its fan: it takes heat that
  a plant scheme dispatches and turns the fan as that needs. The program dispatches
  the heat that the tower rejects at the commanded speed, by the tower object's own
  equations (Merkel with Scheier's corrections, EnergyPlus Engineering Reference,
  variable-speed cooling towers), and EnergyPlus' root search finds that speed.
* The head of the chilled-water pumps: the remote pressure, as the pump curve allows,
  and the pipes' loss at the present flow.
* The water that the economizer aims at: it leaves the machines their least load.

The language has no usual precedence of operators: every operation is in brackets.
"""

from coolbound_envs.energyplus import names
from coolbound_envs.energyplus.objects import Model
from coolbound_envs.energyplus.sizes import AIR_DENSITY, WATER_HEAT, Sizes

FAN_SPEED = "Tower_Speed"
"""Global variable: fans over full speed. [1]"""

WATER_MIN = "Tower_Water_Min"
"""Global variable: the tower makes no colder water. [degC]"""

PRESSURE = "Remote_Pressure"
"""Global variable: set-point of the chilled-water pumps. [Pa]"""

SUPPLY = "Supply_Setpoint"
"""Global variable: set-point of the chilled water. [degC]"""

KEPT = "Kept_Load"
"""Global variable: what the economizer leaves to the machines. [W]"""

FROM_OUTSIDE = (FAN_SPEED, WATER_MIN, PRESSURE, SUPPLY, KEPT)

DESIGN_WET_BULB = 25.56
"""EnergyPlus' own constant in this tower object. [degC]"""

SENSORS = {
    "Tower_In": ("Tower In", "System Node Temperature"),
    "Tower_Flow": ("Tower In", "System Node Mass Flow Rate"),
    "CHW_Flow": (names.CHW_PUMP, "Pump Mass Flow Rate"),
    "Out_Dry": ("Environment", "Site Outdoor Air Drybulb Temperature"),
    "Out_Wet": ("Environment", "Site Outdoor Air Wetbulb Temperature"),
    "Out_Ratio": ("Environment", "Site Outdoor Air Humidity Ratio"),
    "Out_Pressure": ("Environment", "Site Outdoor Air Barometric Pressure"),
}
LOAD, HEAD, AIM = "Tower_Load", "Pump_Head", "Exchanger_Aim"
ACTUATORS = {
    LOAD: (
        "Plant Equipment Operation",
        "Distributed Load Rate",
        f"{names.TOWER_SCHEME}:{names.THE_TOWER}",
    ),
    HEAD: ("Pump", "Pump Pressure Rise", names.CHW_PUMP),
    AIM: ("System Node Setpoint", "Temperature Setpoint", names.EXCHANGER_OUT),
}
RISE = "Tower_Rise"
"""Global variable of the program's own: the air's last wet-bulb rise. [K]"""

ROUNDS = 2
"""Of the fixed point between outlet air and heat: it goes on from the last one, and
the loops are simulated six times in a timestep. [1]"""

STANDS = 0.1
"""Below this speed the fans stand; the water still falls. [1]"""


def add_program(model: Model, sizes: Sizes) -> None:
    """Add the program, its sensors, its actuators and its variables."""
    for sensor, (key, variable) in SENSORS.items():
        model.add(
            "EnergyManagementSystem:Sensor",
            sensor,
            output_variable_or_output_meter_index_key_name=key,
            output_variable_or_output_meter_name=variable,
        )
    for actuator, (component, control, name) in ACTUATORS.items():
        model.add(
            "EnergyManagementSystem:Actuator",
            actuator,
            actuated_component_unique_name=name,
            actuated_component_type=component,
            actuated_component_control_type=control,
        )
    model.add(
        "EnergyManagementSystem:GlobalVariable",
        "From Outside",
        variables=[{"erl_variable_name": name} for name in (*FROM_OUTSIDE, RISE)],
    )
    # A variable must have a value before anyone outside can give it one.
    begin = [f"SET {name} = 0" for name in FROM_OUTSIDE] + [f"SET {RISE} = 6"]
    _add(model, "Begin", "BeginNewEnvironment", "Begin", begin)
    lines = [*_pump_lines(sizes), *_tower_lines(sizes)]
    _add(model, "Drive", "UserDefinedComponentModel", names.TOWER_DISPATCH, lines)


def _add(model: Model, name: str, point: str, manager: str, lines: list[str]) -> None:
    """Add a program and call it at a point of the simulation."""
    listed = [{"program_line": line} for line in lines]
    model.add("EnergyManagementSystem:Program", name, lines=listed)
    model.add(
        "EnergyManagementSystem:ProgramCallingManager",
        manager,
        energyplus_model_calling_point=point,
        programs=[{"program_name": name}],
    )


def _pump_lines(sizes: Sizes) -> list[str]:
    """Return the lines of the pump's head and the economizer's aim."""
    return [
        f"SET Share = CHW_Flow / {sizes.chw_flow!r}",
        "SET Square = Share * Share",
        f"SET Loss = {sizes.chw_pipe_pressure + sizes.chw_pump_drop!r} * Square",
        f"SET Left = {sizes.chw_shutoff_pressure!r} - Loss",
        f"SET Remote = @Max 0 (@Min {PRESSURE} Left)",
        f"SET {HEAD} = Remote + ({sizes.chw_pipe_pressure!r} * Square)",
        f"SET Rate = {WATER_HEAT!r} * (@Max 1 CHW_Flow)",
        f"SET {AIM} = {SUPPLY} + ({KEPT} / Rate)",
    ]


def _tower_lines(sizes: Sizes) -> list[str]:
    """Return the lines of the tower's heat at the commanded fan speed."""
    cells = sizes.tower_cells
    least = sizes.cw_flow * sizes.tower_cell_flow_min / cells
    return [
        # The first passes of a run have no flow yet.
        "SET Flow = @Max 1 Tower_Flow",
        "SET Rate = Flow * (@CpCW Tower_In)",
        f"SET Most = Rate * (@Max 0 (Tower_In - {WATER_MIN}))",
        # Ten watts: the tower is on, its fans are not.
        "SET Heat = 10",
        f"IF {FAN_SPEED} > {STANDS}",
        f"SET Speed = @Max 0.2 (@Min 1 {FAN_SPEED})",
        f"SET Cells = (Flow / {least!r}) + 0.9999",
        "SET Cells = Cells - (@Mod Cells 1)",
        f"SET Share = (@Max 1 (@Min {cells!r} Cells)) / {cells!r}",
        f"SET Water = Flow / ({sizes.cw_flow!r} * Share)",
        "SET Water = @Max 0.3 (@Min 1 Water)",
        f"SET Factor = 1 + (0.0081 * ({DESIGN_WET_BULB} - Out_Wet))",
        "SET Factor = (Factor * Speed) * (1.3 - (0.3 * Speed))",
        "SET Curve = 1.667 - (0.7713 * Water)",
        "SET Factor = Factor * (0.1082 + (Water * Curve))",
        "SET Density = @RhoAirFnPbTdbW Out_Pressure Out_Dry Out_Ratio",
        f"SET Air = {sizes.tower_air_flow / AIR_DENSITY!r} * Density",
        "SET Air = Air * (Speed * Share)",
        f"SET UA = ({sizes.tower_conductance!r} * Factor) * Share",
        "SET UA = UA / (@CpAirFnW Out_Ratio)",
        "SET Enthalpy = @HFnTdbRhPb Out_Wet 1 Out_Pressure",
        "SET Round = 0",
        f"WHILE Round < {ROUNDS}",
        f"SET Leaving = @HFnTdbRhPb (Out_Wet + {RISE}) 1 Out_Pressure",
        f"SET Along = (Leaving - Enthalpy) / {RISE}",
        "SET Small = @Min (Air * Along) Rate",
        "SET Large = @Max (Air * Along) Rate",
        "SET Ratio = @Min 0.995 (Small / Large)",
        "SET Units = (UA * Along) / Small",
        "SET Decay = @Exp (0 - (Units * (1 - Ratio)))",
        "SET Heat = (1 - Decay) / (1 - (Ratio * Decay))",
        "SET Heat = (Heat * Small) * (@Max 0 (Tower_In - Out_Wet))",
        f"SET {RISE} = @Max 0.001 (Heat / (Air * Along))",
        "SET Round = Round + 1",
        "ENDWHILE",
        "ENDIF",
        f"SET {LOAD} = 0 - (@Max 10 (@Min Heat Most))",
    ]
