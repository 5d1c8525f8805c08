"""The action channels and the instrument points: names, units, bounds.

One table each, and everything else reads it: the policy's output layer, the
envelope, the log's point map, the report. The digest of the action table is
stored in every policy and every decision, so that a policy trained for other
channels is refused and never reinterpreted.
"""

import dataclasses
import hashlib
import json
from typing import Final

import numpy as np

HALLS: Final = 2
"""Halls of the reference site. [1]"""

ZONES: Final = 3
"""Zones in each hall. [1]"""

CHILLERS: Final = 3
"""Chillers of the reference site. [1]"""


@dataclasses.dataclass(frozen=True)
class Channel:
    """One action channel. Static.

    Attributes:
        name: Unique name.
        unit: Unit of all numbers here, as printed.
        lower: Lowest value the actuator takes. [the channel's unit]
        upper: Highest value the actuator takes. [the channel's unit]
        ramp: Largest change in one control interval. [the channel's unit]
        dead_band: Changes up to this are no intervention. [the channel's unit]
        is_request: True where the plant's sequencer decides what runs.
    """

    name: str
    unit: str
    lower: float
    upper: float
    ramp: float
    dead_band: float
    is_request: bool = False


CHANNELS: Final[tuple[Channel, ...]] = (
    Channel("supply_air_setpoint_hall1", "degC", 16.0, 25.0, 1.0, 0.1),
    Channel("supply_air_setpoint_hall2", "degC", 16.0, 25.0, 1.0, 0.1),
    Channel("crah_fan_speed_hall1", "1", 0.30, 1.0, 0.10, 0.01),
    Channel("crah_fan_speed_hall2", "1", 0.30, 1.0, 0.10, 0.01),
    Channel("chw_supply_setpoint", "degC", 7.0, 18.0, 0.5, 0.1),
    Channel("chw_pressure_setpoint", "kPa", 34.5, 120.0, 15.0, 1.0),
    Channel("cw_pump_speed", "1", 0.40, 1.0, 0.10, 0.01),
    Channel("tower_fan_speed", "1", 0.0, 1.0, 0.15, 0.01),
    Channel("chiller_demand", "machines", 0.0, 3.0, 3.0, 0.5, True),
    Channel("economizer_demand", "1", 0.0, 1.0, 1.0, 0.5, True),
)
"""The ten channels, in the order of every action vector."""

CHANNEL_NAMES: Final = tuple(channel.name for channel in CHANNELS)
ACTION_SIZE: Final = len(CHANNELS)


@dataclasses.dataclass(frozen=True)
class Point:
    """One instrument. Static.

    Attributes:
        name: Unique name.
        unit: Unit of all numbers here, as printed.
        lower: Below this a reading is bad. [the point's unit]
        upper: Above this a reading is bad. [the point's unit]
        noise: Standard deviation of one reading. [the point's unit]
        resolution: Step of the converter; 0 for none. [the point's unit]
    """

    name: str
    unit: str
    lower: float
    upper: float
    noise: float
    resolution: float


def _per_hall(name: str, *numbers: float, unit: str) -> list[Point]:
    return [Point(f"{name}_hall{h + 1}", unit, *numbers) for h in range(HALLS)]


def _per_zone(name: str, *numbers: float, unit: str) -> list[Point]:
    return [
        Point(f"{name}_hall{h + 1}_zone{z + 1}", unit, *numbers)
        for h in range(HALLS)
        for z in range(ZONES)
    ]


POINTS: Final[tuple[Point, ...]] = (
    *_per_hall("it_power", 0.0, 6000.0, 5.0, 1.0, unit="kW"),
    *_per_zone("inlet_temp", 5.0, 60.0, 0.1, 0.05, unit="degC"),
    *_per_hall("supply_air_temp", 5.0, 50.0, 0.1, 0.05, unit="degC"),
    *_per_hall("return_air_temp", 5.0, 80.0, 0.1, 0.05, unit="degC"),
    *_per_hall("crah_valve", 0.0, 1.0, 0.005, 0.005, unit="1"),
    *_per_hall("crah_fan_power", 0.0, 500.0, 0.3, 0.1, unit="kW"),
    *_per_hall("room_dew_point", -20.0, 40.0, 0.2, 0.1, unit="degC"),
    Point("chw_supply_temp", "degC", 0.0, 40.0, 0.05, 0.05),
    Point("chw_return_temp", "degC", 0.0, 50.0, 0.05, 0.05),
    Point("chw_flow", "kg/s", 0.0, 400.0, 0.7, 0.1),
    Point("chw_pressure", "kPa", 0.0, 400.0, 0.5, 0.1),
    Point("chw_pump_power", "kW", 0.0, 200.0, 0.2, 0.1),
    Point("cw_supply_temp", "degC", -5.0, 60.0, 0.05, 0.05),
    Point("cw_return_temp", "degC", -5.0, 70.0, 0.05, 0.05),
    Point("cw_flow", "kg/s", 0.0, 600.0, 1.2, 0.1),
    Point("cw_pump_power", "kW", 0.0, 300.0, 0.3, 0.1),
    Point("tower_fan_power", "kW", 0.0, 300.0, 0.3, 0.1),
    Point("chillers_running", "machines", 0.0, 3.0, 0.0, 1.0),
    Point("chillers_starting", "machines", 0.0, 3.0, 0.0, 1.0),
    Point("chiller_power", "kW", 0.0, 3000.0, 1.0, 0.1),
    Point("economizer_running", "1", 0.0, 1.0, 0.0, 1.0),
    Point("outdoor_temp", "degC", -45.0, 60.0, 0.2, 0.1),
    Point("outdoor_wet_bulb", "degC", -45.0, 40.0, 0.2, 0.1),
    Point("facility_power", "kW", 0.0, 12000.0, 5.0, 1.0),
)
"""Every instrument of the plant, in the order of every observation."""

POINT_NAMES: Final = tuple(point.name for point in POINTS)
POINT_INDEX: Final = {name: i for i, name in enumerate(POINT_NAMES)}
OBSERVATION_SIZE: Final = len(POINTS)


def channel_array(field: str) -> np.ndarray:
    """Return one numeric field of all channels, float64, shape (10,)."""
    return np.asarray([getattr(c, field) for c in CHANNELS], dtype=np.float64)


def point_array(field: str) -> np.ndarray:
    """Return one numeric field of all points, float64, shape (P,)."""
    return np.asarray([getattr(p, field) for p in POINTS], dtype=np.float64)


def action_digest(channels: tuple[Channel, ...] = CHANNELS) -> str:
    """Return the SHA-256 of the action table, hexadecimal."""
    table = [dataclasses.asdict(channel) for channel in channels]
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
