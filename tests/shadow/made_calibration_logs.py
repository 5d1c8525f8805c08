"""Logs of a water side whose constants are known, from equations written here anew.

Plain float64 numpy, so that a fit which calls the plant's functions is held against
something else. Signals move slowly, as a plant in steady running.
"""

import dataclasses

import numpy as np

from coolbound_envs.psychrometrics import STANDARD_PRESSURE, saturated_enthalpy
from coolbound_envs.spec import (
    ACTION_SIZE,
    CHANNEL_NAMES,
    OBSERVATION_SIZE,
    POINT_INDEX,
    POINTS,
)
from coolbound_envs.types import Quality
from coolbound_shadow.log_types import Log, SourceFile

START = 1_714_514_400  # 2024-05-01T00:00:00+02:00
OFFSET = 7200
STEP_S = 300
WATER = 4186.0
CAPACITY, MACHINES = 2317e3, 2
EFFICIENCY = (0.16426, 0.69328, -0.42972, 0.02897, -0.00062, -0.00047)


@dataclasses.dataclass(frozen=True)
class Truth:
    """Constants of the plant that left the log; by default the reference site's."""

    efficiency: tuple[float, ...] = EFFICIENCY
    cw_flow: float = 251.4
    cw_efficiency: float = 0.7125
    static: float = 30e3
    friction: float = 170e3
    chw_efficiency: float = 0.684
    pipe: float = 130e3
    fan: float = 70e3
    conductance: float = 320e3


def wave(time: np.ndarray, hours: float, phase: float) -> np.ndarray:
    return np.sin(2.0 * np.pi * (time / (3600.0 * hours) + phase))


def chiller_power(
    truth: Truth, heat: np.ndarray, lift: np.ndarray, leaving: np.ndarray
) -> np.ndarray:
    e0, e1, e2, e3, e4, e5 = truth.efficiency
    load = heat / (MACHINES * CAPACITY)
    eta = e0 + e1 * load + e2 * load**2 + e3 * lift + e4 * lift**2 + e5 * load * lift
    return heat * (lift + 3.0) / (eta * (leaving + 273.15 - 1.5))


def leaving_water(
    truth: Truth,
    rejected: np.ndarray,
    speed: np.ndarray,
    share: np.ndarray,
    wet_bulb: np.ndarray,
) -> np.ndarray:
    """Return the water that must enter the towers for them to reject that heat."""
    air = 209.5 * speed
    capacity = np.full_like(wet_bulb, 4000.0)
    at_wet_bulb = enthalpy(wet_bulb)
    for _ in range(20):
        rise = np.maximum(rejected / (air * capacity), 0.5)
        capacity = (enthalpy(wet_bulb + rise) - at_wet_bulb) / rise
    by_air = (1.3 - 0.3 * speed) * speed
    by_water = 0.1082 + 1.667 * share - 0.7713 * share**2
    by_bulb = 1.0 + 0.0081 * (25.6 - wet_bulb)
    conductance = truth.conductance * by_air * by_water * by_bulb * capacity / 1006.0
    water, moist = truth.cw_flow * share * WATER, air * capacity
    small, large = np.minimum(water, moist), np.maximum(water, moist)
    ratio = np.minimum(small / large, 0.999)
    decay = np.exp(-conductance / small * (1.0 - ratio))
    effectiveness = (1.0 - decay) / (1.0 - ratio * decay)
    return wet_bulb + rejected / (effectiveness * small)


def enthalpy(temp: np.ndarray) -> np.ndarray:
    pressure = np.full(temp.shape, STANDARD_PRESSURE, np.float32)
    return np.asarray(saturated_enthalpy(temp.astype(np.float32), pressure), np.float64)


def made_log(
    truth: Truth | None = None,
    days: int = 15,
    seed: int = 0,
    noise: float = 1.0,
    pump_swing: float = 0.15,
    without: tuple[str, ...] = (),
) -> Log:
    """Return a log of the water side.

    Args:
        truth: Constants of the plant.
        days: Its length.
        seed: Of the instruments' noise.
        noise: Factor on the noise of the spec.
        pump_swing: How far the condenser pumps' speed moves to either side.
        without: Points and channels to leave out.
    """
    truth = truth or Truth()
    time = START + STEP_S * np.arange(1, days * 288 + 1)
    t = (time - START).astype(np.float64)
    supply = 9.0 + 1.5 * wave(t, 55.0, 0.1)
    wet_bulb = 15.0 + 3.0 * wave(t, 24.0, 0.3) + 2.0 * wave(t, 131.0, 0.6)
    heat = (
        MACHINES
        * CAPACITY
        * (0.55 + 0.18 * wave(t, 24.0, 0.0) + 0.1 * wave(t, 89.0, 0))
    )
    pump = 0.8 + pump_swing * wave(t, 37.0, 0.7)
    fan = 0.7 + 0.2 * wave(t, 29.0, 0.2)
    flow = 149.4 * (0.8 + 0.12 * wave(t, 24.0, 0.02))
    pressure = 70e3 + 20e3 * wave(t, 41.0, 0.4)
    chw_pump = flow / 998.0 * (pressure + truth.pipe * (flow / 149.3) ** 2)
    chw_pump /= truth.chw_efficiency
    cw_flow = truth.cw_flow * pump
    head = truth.static + truth.friction * pump**2
    cw_pump = cw_flow / 998.0 * head / truth.cw_efficiency
    power, leaving = heat / 6.0, supply + 20.0
    for _ in range(20):
        leaving = leaving_water(truth, heat + power + cw_pump, fan, pump, wet_bulb)
        power = chiller_power(truth, heat, leaving - supply, supply)
    values = {
        "chw_supply_temp": supply,
        "chw_return_temp": supply + (heat - chw_pump) / (flow * WATER),
        "chw_flow": flow,
        "chw_pressure": pressure / 1e3,
        "chw_pump_power": chw_pump / 1e3,
        "cw_supply_temp": leaving - (heat + power + cw_pump) / (cw_flow * WATER),
        "cw_return_temp": leaving,
        "cw_flow": cw_flow,
        "cw_pump_power": cw_pump / 1e3,
        "tower_fan_power": truth.fan * fan**3 / 1e3,
        "chillers_running": np.full_like(t, MACHINES),
        "chillers_starting": np.zeros_like(t),
        "chiller_power": power / 1e3,
        "economizer_running": np.zeros_like(t),
        "outdoor_wet_bulb": wet_bulb,
    }
    settings = {"cw_pump_speed": pump, "tower_fan_speed": fan}
    return _as_log(time, values, settings, seed, noise, without)


def _as_log(
    time: np.ndarray,
    values: dict[str, np.ndarray],
    settings: dict[str, np.ndarray],
    seed: int,
    noise: float,
    without: tuple[str, ...],
) -> Log:
    rng = np.random.default_rng(seed)
    seen = np.full((len(time), OBSERVATION_SIZE), np.nan)
    applied = np.full((len(time), ACTION_SIZE), np.nan)
    for name, series in values.items():
        spread = POINTS[POINT_INDEX[name]].noise
        if name not in without:
            error = noise * spread * rng.normal(size=len(time))
            seen[:, POINT_INDEX[name]] = series + error
    for name, series in settings.items():
        if name not in without:
            # A row's set-points are those given on seeing it: they act in the next.
            applied[:, CHANNEL_NAMES.index(name)] = np.roll(series, -1)
    quality = np.where(np.isfinite(seen), Quality.GOOD, Quality.MISSING)
    names = (*values, *settings)
    return Log(
        time_utc=time,
        offset=np.full(len(time), OFFSET),
        step_s=STEP_S,
        values=seen,
        quality=quality.astype(np.int8),
        applied=applied,
        observable=tuple(name for name in names if name not in without),
        rows_read=len(time),
        rejected={},
        flagged={},
        sources=(SourceFile("log.csv", "0" * 64, len(time)),),
        zone="Europe/Berlin",
    )


def with_values(log: Log, name: str, values: np.ndarray) -> Log:
    """Return a log with one point's readings replaced."""
    changed = log.values.copy()
    changed[:, POINT_INDEX[name]] = values
    return dataclasses.replace(log, values=changed)
