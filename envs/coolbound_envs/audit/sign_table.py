"""What every actuator must move, in which direction and by about how much.

Written from physics before any run: a reason stands beside each row. Sizes are
wide on purpose; they tell a live actuator from a dead one and a kelvin from a
degree Fahrenheit, not one site from another. Powers, flows and heats change in
per cent of what they were before, everything else in its own unit.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from coolbound_envs.audit.lab import NORMAL, Condition
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
        """Return the set-points, shape (10,). [each channel's unit]"""
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
    "machines_running": Quantity("machines", 0.01, lambda p, m: p.sequencer.running_count),
    "part_load": Quantity("1", 0.01, lambda p, m: m.part_load),
    "evaporator_flow": Quantity("%", 0.1, lambda p, m: m.evaporator_flow),
    "chiller_power": Quantity("%", 0.05, lambda p, m: m.chiller_power),
    "lift": Quantity("K", 0.02, lambda p, m: m.lift),
    "cw_entering": Quantity("K", 0.02, lambda p, m: m.cw_entering_temp),
    "cw_leaving": Quantity("K", 0.02, lambda p, m: m.cw_leaving_temp),
    "cw_range": Quantity(
        "K", 0.02, lambda p, m: m.cw_leaving_temp - p.basin_temp
    ),
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


AIR_SIDE: Final = ("supply_air_hall1", "supply_air_hall2", "inlet_hall1", "inlet_hall2")
FANS: Final = ("fan_power_hall1", "fan_power_hall2")

MOVES: Final[tuple[Move, ...]] = (
    Move(
        AIR,
        2.0,
        True,
        ALL,
        (
            Response("supply_air_hall1", 1, 1.9, 2.1, ALL, "its loop holds the set-point"),
            Response("inlet_hall1", 1, 1.7, 2.3, ALL, "servers take in supply air"),
            Response(
                "return_air_hall1", 1, 1.5, 2.5, ALL, "servers add their rise to it"
            ),
            Response("server_power", 1, 0.1, 1.5, ALL, "leakage and server fans"),
            Response(
                "valve_hall1", -1, 0.02, 0.3, ALL, "warmer air gives its heat more readily"
            ),
            Response("coil_flow", -1, 2.0, 30.0, ALL, "less water is let through"),
            Response("chw_return", 1, 0.3, 2.5, ALL, "less water carries the same heat"),
        ),
        (
            *("supply_air_hall2", "inlet_hall2", *FANS, "chw_supply", "chw_pressure"),
            *("cw_flow", "cw_pump_power", "tower_power"),
        ),
    ),
    Move(
        FAN,
        0.1,
        True,
        ALL,
        (
            Response("fan_power_hall1", 1, 20.0, 55.0, ALL, "affinity laws"),
            Response("airflow_ratio_hall1", 1, 0.05, 0.4, ALL, "more air, same servers"),
            Response(
                "return_air_hall1", -1, 0.3, 2.5, ALL, "the same heat in more air"
            ),
            Response("heat_taken_up", 1, 0.1, 3.0, ALL, "fan power ends in the water"),
        ),
        # With air enough nothing flows back, and inlets do not feel the fans.
        (
            *(*AIR_SIDE, "fan_power_hall2", "chw_supply", "chw_pressure"),
            *("cw_pump_power", "tower_power"),
        ),
    ),
    Move(
        FAN,
        0.1,
        True,
        (STARVED,),
        (
            Response("inlet_hall1", -1, 0.5, 12.0, (STARVED,), "less hot air flows back"),
            Response("airflow_ratio_hall1", 1, 0.02, 0.4, (STARVED,), "more air"),
            Response("server_power", -1, 0.05, 8.0, (STARVED,), "cooler servers leak less"),
        ),
        ("fan_power_hall2", "supply_air_hall2", "inlet_hall2"),
    ),
    Move(
        CHW,
        2.0,
        True,
        ALL,
        (
            Response("chw_supply", 1, 1.95, 2.05, ALL, "machines hold the set-point"),
            Response("valve_hall1", 1, 0.02, 0.4, ALL, "warmer water: more of it"),
            Response("valve_hall2", 1, 0.02, 0.4, ALL, "warmer water: more of it"),
            Response("coil_flow", 1, 5.0, 80.0, ALL, "warmer water: more of it"),
            Response(
                "chw_pump_power", 1, 10.0, 150.0, (MILD, COLD), "flow times head"
            ),
            Response("lift", -1, 0.1, 2.6, WET, "evaporators are warmer"),
            Response("chiller_power", -1, 0.5, 20.0, WET, "less lift"),
        ),
        (*AIR_SIDE, *FANS, "server_power", "cw_flow", "cw_pump_power", "tower_power"),
    ),
    Move(
        PRESSURE,
        15.0,
        True,
        ALL,
        (
            Response("chw_pressure", 1, 14.5, 15.5, ALL, "pumps hold the set-point"),
            Response("chw_pump_power", 1, 3.0, 35.0, ALL, "same flow, more head"),
            Response("valve_hall1", -1, 0.005, 0.15, ALL, "valves give back the head"),
            Response("valve_hall2", -1, 0.005, 0.15, ALL, "valves give back the head"),
        ),
        (
            *(*AIR_SIDE, *FANS, "coil_flow", "chw_supply", "chw_return"),
            *("cw_flow", "cw_pump_power", "tower_power"),
        ),
    ),
    Move(
        PUMP,
        0.1,
        True,
        ALL,
        (
            Response("cw_flow", 1, 8.0, 20.0, ALL, "flow follows speed"),
            Response("cw_pump_power", 1, 12.0, 70.0, ALL, "between speed and its cube"),
            Response("cw_range", -1, 0.1, 1.5, ALL, "the same heat in more water"),
            Response("cw_leaving", -1, 0.02, 1.0, ALL, "the same heat in more water"),
            Response("chiller_power", -1, 0.1, 8.0, WET, "less lift"),
        ),
        (
            *(*AIR_SIDE, *FANS, "chw_supply", "chw_pressure", "chw_pump_power"),
            "tower_power",
        ),
    ),
    Move(
        TOWER,
        0.15,
        True,
        ALL,
        (
            Response("tower_power", 1, 30.0, 150.0, ALL, "cube of the speed"),
            Response("cw_entering", -1, 0.1, 4.0, ALL, "more air cools the basin"),
            Response("cw_leaving", -1, 0.1, 4.0, ALL, "the condensers get colder water"),
            Response("lift", -1, 0.1, 4.0, WET, "the condensers get colder water"),
            Response("chiller_power", -1, 0.5, 20.0, WET, "less lift"),
        ),
        (
            *(*AIR_SIDE, *FANS, "server_power", "chw_supply", "chw_pressure"),
            *("cw_flow", "cw_pump_power"),
        ),
    ),
    Move(
        MACHINES,
        1.0,
        False,
        (MILD, COOL),
        (
            Response("machines_running", 1, 1.0, 1.0, (MILD, COOL), "one more runs"),
            Response("part_load", -1, 0.1, 0.5, (MILD, COOL), "they share the load"),
            # At low load the minimum-flow bypass gives each its least anyway.
            Response("evaporator_flow", -1, 5.0, 60.0, (MILD,), "they share the flow"),
        ),
        (*AIR_SIDE, *FANS, "chw_supply", "chw_pressure", "tower_power"),
    ),
    Move(
        MACHINES,
        -1.0,
        False,
        (HOT, COOL),
        (
            Response("machines_running", 1, 1.0, 1.0, (HOT, COOL), "one less runs"),
            Response("part_load", -1, 0.1, 0.6, (HOT, COOL), "the rest takes its load"),
            Response(
                "evaporator_flow", -1, 5.0, 110.0, (HOT, COOL), "the rest takes its flow"
            ),
        ),
        (*AIR_SIDE, *FANS, "chw_supply", "chw_pressure", "tower_power"),
    ),
    Move(
        MACHINES,
        -1.0,
        False,
        (MILD,),
        (
            Response(
                "chw_supply", -1, 1.0, 40.0, (MILD,), "one machine cannot carry the load"
            ),
            Response("inlet_hall1", -1, 0.5, 30.0, (MILD,), "what it leaves warms halls"),
        ),
        FANS,
    ),
    Move(
        MACHINES,
        1.0,
        False,
        (COLD,),
        (
            Response("machines_running", 1, 1.0, 1.0, (COLD,), "one starts"),
            Response(
                "free_heat_share", -1, 5.0, 100.0, (COLD,), "it takes its least load"
            ),
        ),
        (*AIR_SIDE, *FANS, "tower_power"),
    ),
    Move(
        FREE,
        1.0,
        False,
        (COOL,),
        (
            Response("free_heat_share", 1, 2.0, 80.0, (COOL,), "the basin is colder"),
            Response("part_load", -1, 0.01, 0.4, (COOL,), "load off the machines"),
            Response("chiller_power", -1, 1.0, 60.0, (COOL,), "load off the machines"),
        ),
        (*AIR_SIDE, *FANS, "chw_supply", "tower_power"),
    ),
    # A basin warmer than the return would warm the water: it must stay shut.
    Move(
        FREE,
        1.0,
        False,
        (HOT, MILD),
        (),
        ("free_heat_share", "chiller_power", "chw_supply", *AIR_SIDE),
    ),
    Move(
        FREE,
        -1.0,
        False,
        (COLD,),
        (
            Response("free_heat_share", 1, 90.0, 100.1, (COLD,), "nothing else cools"),
            Response("chw_supply", -1, 5.0, 80.0, (COLD,), "nothing else cools"),
        ),
        FANS,
    ),
)
"""Every channel but the second hall's twins, which `actuators` mirrors."""
