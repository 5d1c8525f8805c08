"""What goes into the engine and what comes out of it, one row an interval."""

import dataclasses

from coolbound_envs.energyplus import names
from coolbound_envs.energyplus.sizes import Sizes

OUTDOORS = "Environment"
FACILITY_METERS = ("Electricity:Building", "Electricity:HVAC", "Electricity:Plant")
"""Together all electricity. Electricity:Facility itself has no handle when it is the
first meter: EnergyPlus issue 11522."""


@dataclasses.dataclass(frozen=True)
class Commands:
    """What the engine holds for one control interval. Static.

    Attributes:
        loading: IT work of each hall over the hall's design. [1]
        supply_air: Supply-air set-point of each hall. [degC]
        crah_speed: CRAH fans of each hall. [1]
        chw_setpoint: Chilled water. [degC]
        chw_pressure: Remote differential pressure. [Pa]
        cw_flow: Condenser water. [kg/s]
        tower_speed: Tower fans; below 0.1 they stand. [1]
        machines: Chillers that may run. [1]
        open_evaporators: Isolation valves that are open. [1]
        economizer: 1 where the exchanger may run. [1]
        tower_water_min: The tower makes no colder water. [degC]
        makeup_humidity: Humidity ratio of the halls' make-up air. [kg/kg]
    """

    loading: tuple[float, ...]
    supply_air: tuple[float, ...]
    crah_speed: tuple[float, ...]
    chw_setpoint: float
    chw_pressure: float
    cw_flow: float
    tower_speed: float
    machines: int
    open_evaporators: float
    economizer: int
    tower_water_min: float
    makeup_humidity: float


@dataclasses.dataclass(frozen=True)
class Signal:
    """One output of EnergyPlus. Static.

    Attributes:
        variable: Name of the output variable.
        key: Object or node that it belongs to.
        is_mean: Averaged over the interval; else the last value.
    """

    variable: str
    key: str
    is_mean: bool = True


def signals(sizes: Sizes) -> dict[str, Signal]:
    """Return every output that is read, by our name for it, SI units."""
    found: dict[str, Signal] = {}
    for hall in range(sizes.halls):
        found |= _hall_signals(sizes, hall)
    found |= _water_signals()
    for number in range(sizes.chillers):
        name = names.chiller(number)
        found |= {
            f"chiller_power{number}": Signal("Chiller Electricity Rate", name),
            f"chiller_heat{number}": Signal("Chiller Evaporator Cooling Rate", name),
            f"condenser_leaving{number}": Signal(
                "Chiller Condenser Outlet Temperature", name
            ),
            f"evaporator_leaving{number}": Signal(
                "Chiller Evaporator Outlet Temperature", name
            ),
            f"evaporator_flow{number}": Signal(
                "Chiller Evaporator Mass Flow Rate", name
            ),
        }
    return found


def _hall_signals(sizes: Sizes, hall: int) -> dict[str, Signal]:
    name = names.hall(hall)
    temperature, flow = "System Node Temperature", "System Node Mass Flow Rate"
    found = {
        f"crah_power{hall}": Signal("Fan Electricity Rate", f"{name} Fan"),
        f"crah_air{hall}": Signal(flow, f"{name} Supply Air"),
        f"coil_heat{hall}": Signal("Cooling Coil Total Cooling Rate", f"{name} Coil"),
        f"coil_flow{hall}": Signal(flow, f"{name} Coil Water In"),
        f"supply_air{hall}": Signal(temperature, f"{name} Supply Air", False),
        f"return_air{hall}": Signal(temperature, f"{name} Return Air", False),
        f"humidity{hall}": Signal(
            "System Node Humidity Ratio", f"{name} Return Air", False
        ),
    }
    for number in range(sizes.zones):
        zone = names.zone(hall, number)
        servers = names.servers(zone)
        place = f"{hall}_{number}"
        found |= {
            f"it_power{place}": Signal("ITE CPU Electricity Rate", servers),
            f"inlet{place}": Signal("ITE Air Inlet Dry-Bulb Temperature", servers),
            f"server_air{place}": Signal("ITE Air Mass Flow Rate", servers),
        }
    return found


def _water_signals() -> dict[str, Signal]:
    temperature = "System Node Temperature"
    tower = names.THE_TOWER
    volume = "Cooling Tower {} Volume Flow Rate"
    return {
        "chw_supply": Signal(temperature, "CHW Supply Out", False),
        "chw_return": Signal(temperature, "CHW Supply In", False),
        "chw_flow": Signal("Pump Mass Flow Rate", names.CHW_PUMP),
        "chw_pump_power": Signal("Pump Electricity Rate", names.CHW_PUMP),
        "cw_supply": Signal(temperature, "CW Supply Out", False),
        "cw_return": Signal(temperature, "CW Leaving Plant"),
        "cw_flow": Signal("Pump Mass Flow Rate", names.CW_PUMP),
        "cw_pump_power": Signal("Pump Electricity Rate", names.CW_PUMP),
        "tower_power": Signal("Cooling Tower Fan Electricity Rate", tower),
        "tower_speed": Signal("Cooling Tower Fan Speed Ratio", tower),
        "tower_heat": Signal("Cooling Tower Heat Transfer Rate", tower),
        "evaporation": Signal(volume.format("Water Evaporation"), tower),
        "drift": Signal(volume.format("Water Drift"), tower),
        "blowdown": Signal(volume.format("Water Blowdown"), tower),
        "make_up": Signal(volume.format("Make Up Water"), tower),
        "economizer_heat": Signal(
            "Fluid Heat Exchanger Heat Transfer Rate", names.THE_EXCHANGER
        ),
        "outdoor_temp": Signal("Site Outdoor Air Drybulb Temperature", OUTDOORS, False),
        "outdoor_wet_bulb": Signal(
            "Site Outdoor Air Wetbulb Temperature", OUTDOORS, False
        ),
        "pressure": Signal("Site Outdoor Air Barometric Pressure", OUTDOORS, False),
    }
