"""What the sign-and-size table is made of: operating points, quantities, rows.

Powers, flows and heats change in per cent of what they were before, everything
else in its own unit.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from coolbound_envs.audit.lab import NORMAL
from coolbound_envs.audit.places import Condition
from coolbound_envs.spec import CHANNEL_NAMES, HALLS

AIR, OTHER_AIR, FAN, OTHER_FAN, CHW, PRESSURE, PUMP, TOWER, MACHINES, FREE = (
    CHANNEL_NAMES
)


@dataclasses.dataclass(frozen=True)
class OperatingPoint:
    """A plant in steady state. Static.

    Attributes:
        condition: Weather and load.
        setpoints: By channel; what is not named is ordinary.
            [each channel's unit]
    """

    condition: Condition
    setpoints: Mapping[str, float]

    @property
    def name(self) -> str:
        """As tables print it."""
        return self.condition.name

    def actions(self) -> np.ndarray:
        """Return the set-points, shape (10,) [each channel's unit]."""
        values = dict(zip(CHANNEL_NAMES, NORMAL, strict=True)) | dict(self.setpoints)
        return np.asarray([values[name] for name in CHANNEL_NAMES], np.float32)


HOT: Final = "hot, high load"
MILD: Final = "mild"
COOL: Final = "cool, low load"
COLD: Final = "cold, free cooling"
STARVED: Final = "short of air"
WET: Final = (HOT, MILD, COOL)
ALL: Final = (HOT, MILD, COOL, COLD)

POINTS: Final = (
    OperatingPoint(
        Condition(HOT, 0.95, 26.0, 36.0, 22.0),
        {
            FAN: 0.9,
            OTHER_FAN: 0.9,
            CHW: 10.0,
            PRESSURE: 100.0,
            PUMP: 0.9,
            TOWER: 0.85,
            MACHINES: 3.0,
        },
    ),
    OperatingPoint(Condition(MILD, 0.75, 18.0, 24.0, 14.0), {}),
    OperatingPoint(
        Condition(COOL, 0.5, 10.0, 14.0, 6.0),
        {FAN: 0.7, OTHER_FAN: 0.7, PUMP: 0.7, TOWER: 0.5},
    ),
    OperatingPoint(
        Condition(COLD, 0.6, 0.0, 3.0, -4.0),
        {CHW: 13.0, PRESSURE: 100.0, PUMP: 0.9, TOWER: 0.8, MACHINES: 0.0, FREE: 1.0},
    ),
    OperatingPoint(
        Condition(STARVED, 0.9, 18.0, 24.0, 14.0),
        {FAN: 0.5, OTHER_FAN: 0.5, AIR: 19.0, OTHER_AIR: 19.0, MACHINES: 3.0},
    ),
)
"""Where the plant is probed. Economizer demand is above 0.5 where it is open."""


@dataclasses.dataclass(frozen=True)
class Quantity:
    """Something that can be measured after an interval. Static.

    Attributes:
        unit: Unit of its change, as printed; % is relative to what it was.
        still: A change up to this is none. [the quantity's unit]
        read: From plant state and mean flows, numpy, lanes last.
    """

    unit: str
    still: float
    read: Callable[[Any, Any], np.ndarray]


def _by_hall(
    stem: str, unit: str, still: float, read: Callable[[Any, Any], np.ndarray]
) -> dict[str, Quantity]:
    """Return one quantity for each hall, of something read with a leading hall."""

    def of(hall: int) -> Quantity:
        return Quantity(unit, still, lambda plant, mean: read(plant, mean)[hall])

    return {f"{stem}_hall{hall + 1}": of(hall) for hall in range(HALLS)}


QUANTITIES: Final[Mapping[str, Quantity]] = {
    **_by_hall("supply_air", "K", 0.02, lambda p, m: p.supply_air_temp),
    **_by_hall("return_air", "K", 0.02, lambda p, m: p.return_air_temp),
    **_by_hall("inlet", "K", 0.02, lambda p, m: m.inlet_temp.mean(axis=1)),
    **_by_hall("airflow_ratio", "1", 0.002, lambda p, m: m.airflow_ratio),
    **_by_hall("fan_power", "%", 0.01, lambda p, m: m.crah_power),
    **_by_hall("valve", "1", 0.001, lambda p, m: p.valve),
    "server_power": Quantity("%", 0.02, lambda p, m: m.it_power.sum(axis=0)),
    "chw_supply": Quantity("K", 0.02, lambda p, m: p.supply_pipe_temp[0]),
    "chw_return": Quantity("K", 0.02, lambda p, m: p.buffer_temp),
    "coil_flow": Quantity("%", 0.2, lambda p, m: m.coil_flow),
    "chw_pressure": Quantity("kPa", 0.05, lambda p, m: m.chw_pressure / 1e3),
    "chw_pump_power": Quantity("%", 0.2, lambda p, m: m.chw_pump_power),
    "heat_taken_up": Quantity(
        "%", 0.02, lambda p, m: m.chiller_heat + m.economizer_heat
    ),
    "free_heat_share": Quantity(
        "% of heat",
        0.1,
        lambda p, m: (
            100.0
            * m.economizer_heat
            / np.maximum(m.chiller_heat + m.economizer_heat, 1.0)
        ),
    ),
    "machines_running": Quantity(
        "machines", 0.01, lambda p, m: p.sequencer.running_count
    ),
    "part_load": Quantity("1", 0.01, lambda p, m: m.part_load),
    "evaporator_flow": Quantity("%", 0.1, lambda p, m: m.evaporator_flow),
    "chiller_power": Quantity("%", 0.05, lambda p, m: m.chiller_power),
    "lift": Quantity("K", 0.02, lambda p, m: m.lift),
    "cw_entering": Quantity("K", 0.02, lambda p, m: m.cw_entering_temp),
    "cw_leaving": Quantity("K", 0.02, lambda p, m: m.cw_leaving_temp),
    "cw_range": Quantity("K", 0.02, lambda p, m: m.cw_leaving_temp - p.basin_temp),
    "cw_flow": Quantity("%", 0.02, lambda p, m: m.cw_flow),
    "cw_pump_power": Quantity("%", 0.02, lambda p, m: m.cw_pump_power),
    "tower_power": Quantity("%", 0.02, lambda p, m: m.tower_power),
}


@dataclasses.dataclass(frozen=True)
class Response:
    """One row: a channel moves a quantity. Static.

    Attributes:
        quantity: What moves; a name of `QUANTITIES`.
        sign: 1 where it rises with the channel, -1 where it falls. [1]
        least: Smallest change that counts. [the quantity's unit]
        most: Largest change that is credible. [the quantity's unit]
        points: Operating points where it must.
        reason: Why, in one clause.
    """

    quantity: str
    sign: int
    least: float
    most: float
    points: tuple[str, ...]
    reason: str


@dataclasses.dataclass(frozen=True)
class Move:
    """One channel moved at some operating points, all else held. Static.

    Attributes:
        channel: What is moved.
        change: By how much. [the channel's unit]
        both_ways: True where the opposite move must answer in the opposite way.
        points: Operating points.
        responses: What must move.
        still: Quantities that must not move there.
    """

    channel: str
    change: float
    both_ways: bool
    points: tuple[str, ...]
    responses: tuple[Response, ...]
    still: tuple[str, ...]
