"""Names in the EnergyPlus model that more than one module speaks of."""

CHILLER = "Chiller:Electric:EIR"
TOWER = "CoolingTower:VariableSpeed:Merkel"
EXCHANGER = "HeatExchanger:FluidToFluid"
COIL = "Coil:Cooling:Water"
FAN = "Fan:SystemModel"
PUMP = "Pump:VariableSpeed"
SERVERS = "ElectricEquipment:ITE:AirCooled"

CHW_PUMP = "CHW Pump"
CW_PUMP = "CW Pump"
THE_TOWER = "Tower"
THE_EXCHANGER = "Economizer"
RECIRCULATION_MOST = 0.5
"""The model's design recirculation, which its curve multiplies: the schema's upper
end. [1]"""

TOWER_SCHEME = "CW Cooling"
TOWER_DISPATCH = "Tower Dispatch"
EXCHANGER_OUT = "CHW Exchanger Out"
CHW_SETPOINT = "CHW Setpoint"
EXCHANGER_SETPOINT = "Economizer Setpoint"
CW_SETPOINT = "CW Setpoint"
EXCHANGER_ON = "Economizer On"
CHW_FLOW_LIMIT = "CHW Flow Limit"


def hall(number: int) -> str:
    """Return the name of a hall, counted from 0."""
    return f"Hall {number + 1}"


def zone(hall_number: int, number: int) -> str:
    """Return the name of a zone, counted from 0."""
    return f"{hall(hall_number)} Zone {number + 1}"


def servers(zone_name: str) -> str:
    """Return the name of a zone's IT equipment."""
    return f"{zone_name} IT"


def moisture(zone_name: str) -> str:
    """Return the name of a zone's make-up moisture."""
    return f"{zone_name} Moisture"


def recirculation(zone_name: str) -> str:
    """Return the name of a zone's recirculation curve."""
    return f"{zone_name} Recirculation"


def chiller(number: int) -> str:
    """Return the name of a chiller, counted from 0."""
    return f"Chiller {number + 1}"


def loading(hall_number: int) -> str:
    """Return the schedule of a hall's IT loading."""
    return f"{hall(hall_number)} Loading"


def crah_speed(hall_number: int) -> str:
    """Return the schedule of a hall's CRAH fan speed."""
    return f"{hall(hall_number)} CRAH Speed"


def supply_air(hall_number: int) -> str:
    """Return the schedule of a hall's supply-air set-point."""
    return f"{hall(hall_number)} Supply Air"


def stage(count: int) -> str:
    """Return the schedule that lets so many chillers run."""
    return f"Stage {count}"
