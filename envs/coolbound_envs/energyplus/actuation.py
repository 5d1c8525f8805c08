"""From one interval's commands to EnergyPlus' actuators, timestep by timestep."""

from coolbound_envs.energyplus import inner_loops, names
from coolbound_envs.energyplus.hands import Hands
from coolbound_envs.energyplus.runtime_program import (
    FAN_SPEED,
    KEPT,
    PRESSURE,
    SUPPLY,
    WATER_MIN,
)
from coolbound_envs.energyplus.signals import Commands, Signal
from coolbound_envs.energyplus.sizes import Sizes

CHW_FLOW = ("Pump", "Pump Mass Flow Rate", names.CHW_PUMP)
CW_FLOW = ("Pump", "Pump Mass Flow Rate", names.CW_PUMP)

FLOW_MIN = 1.0
"""The condenser pump is never quite without flow. [kg/s]"""


def inner_signals(sizes: Sizes) -> dict[str, Signal]:
    """Return the outputs that the inner loops look at."""
    flow = "System Node Mass Flow Rate"
    found: dict[str, Signal] = {}
    for hall in range(sizes.halls):
        name = names.hall(hall)
        found[f"coil{hall}"] = Signal(flow, f"{name} Coil Water In")
        for number in range(sizes.zones):
            zone = names.zone(hall, number)
            place = f"{hall}_{number}"
            found[f"crah{place}"] = Signal(flow, f"{zone} Supply")
            found[f"server{place}"] = Signal(
                "ITE Air Mass Flow Rate", names.servers(zone)
            )
            found[f"moist{place}"] = Signal("Zone Mean Air Humidity Ratio", zone)
    return found


class Surroundings:
    """What no controller decides: the load, recirculated air, make-up moisture."""

    def __init__(self, hands: Hands, sizes: Sizes, timestep: float) -> None:
        """Ask for what the inner loops look at.

        Args:
            hands: Of the run.
            sizes: Of the site.
            timestep: Of the zones. [s]
        """
        self._hands, self._sizes, self._timestep = hands, sizes, timestep
        self._seen = inner_signals(sizes)
        hands.request(self._seen)

    def hold(self, commands: Commands) -> None:
        """Move them at the beginning of a zone timestep."""
        for hall in range(self._sizes.halls):
            self._hands.hold(names.loading(hall), commands.loading[hall])
            self._hold_hall(hall, commands)

    def _hold_hall(self, hall: int, commands: Commands) -> None:
        places = [f"{hall}_{number}" for number in range(self._sizes.zones)]
        crah = [self._read(f"crah{place}") for place in places]
        server = [self._read(f"server{place}") for place in places]
        ratio = sum(crah) / max(sum(server), 1e-6)
        for number, leak in enumerate(self._sizes.zone_leak):
            share = inner_loops.recirculated_share(
                crah[number], server[number], ratio, self._sizes.recirculation * leak
            )
            self._hold_zone(hall, number, share, commands.makeup_humidity)

    def _hold_zone(self, hall: int, number: int, share: float, target: float) -> None:
        zone = names.zone(hall, number)
        curve = ("Curve", "Curve Result", names.recirculation(zone))
        self._hands.move(curve, share / names.RECIRCULATION_MOST)
        place = f"{hall}_{number}"
        power = inner_loops.moisture_power(
            target - self._read(f"moist{place}"),
            self._sizes.zone_volume(hall, number),
            self._read(f"crah{place}"),
            self._timestep,
            self._sizes,
        )
        gain = ("OtherEquipment", "Power Level", names.moisture(zone))
        self._hands.move(gain, power)

    def _read(self, name: str) -> float:
        return self._hands.read(self._seen[name])


class Drives(Surroundings):
    """Holds the commands of an interval on EnergyPlus' actuators besides."""

    def hold(self, commands: Commands) -> None:
        """Move every actuator at the beginning of a zone timestep."""
        super().hold(commands)
        for hall in range(self._sizes.halls):
            self._hands.hold(names.supply_air(hall), commands.supply_air[hall])
            self._hands.hold(names.crah_speed(hall), commands.crah_speed[hall])
        self._hold_chw(commands)
        self._hands.move(CW_FLOW, max(commands.cw_flow, FLOW_MIN))
        for count in range(self._sizes.chillers + 1):
            is_stage = count == commands.machines
            self._hands.hold(names.stage(count), 1.0 if is_stage else 0.0)
        self._hands.hold(names.EXCHANGER_ON, float(commands.economizer))
        self._tell_program(commands)

    def _tell_program(self, commands: Commands) -> None:
        """Give the model's own program what it holds."""
        kept = self._sizes.chiller_load_min * self._sizes.chiller_capacity
        for variable, value in (
            (FAN_SPEED, commands.tower_speed),
            (WATER_MIN, commands.tower_water_min),
            (PRESSURE, commands.chw_pressure),
            (SUPPLY, commands.chw_setpoint),
            (KEPT, commands.machines * kept),
        ):
            self._hands.tell(variable, value)

    def _hold_chw(self, commands: Commands) -> None:
        """Hold set-point, flow limit, and the evaporators' least flow.

        The least flow is held only while the coils ask for less.
        """
        sizes = self._sizes
        self._hands.hold(names.CHW_SETPOINT, commands.chw_setpoint)
        limit = sizes.chw_flow_limit(commands.chw_pressure) / sizes.chw_pump_flow
        self._hands.hold(names.CHW_FLOW_LIMIT, limit)
        each = sizes.evaporator_flow * sizes.evaporator_flow_min
        least = commands.open_evaporators * each
        coils = sum(self._read(f"coil{hall}") for hall in range(sizes.halls))
        if coils < 0.999 * least:
            self._hands.move(CHW_FLOW, least)
        else:
            self._hands.release(CHW_FLOW)
