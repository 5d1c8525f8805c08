"""EnergyPlus' outputs as the instruments of the spec."""

import dataclasses
import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.energyplus.bas import Running
from coolbound_envs.energyplus.sizes import WATER_DENSITY, Sizes
from coolbound_envs.psychrometrics import MASS_RATIO
from coolbound_envs.spec import OBSERVATION_SIZE, POINT_INDEX, POINT_NAMES, point_array
from coolbound_envs.types import Action, Observation, Quality, action_to_vector

DERIVED = ("crah_valve", "chw_pressure")
"""Points that EnergyPlus has no quantity for: computed from its flows by the
site's own valves and pump curve, and marked UNCERTAIN."""


@dataclasses.dataclass(frozen=True)
class Instruments:
    """How the readings differ from EnergyPlus' numbers. Static.

    Attributes:
        noise: Factor on every instrument's own noise; 0 reads EnergyPlus exactly,
            else readings are noisy and rounded to the instrument's step. [1]
    """

    noise: float = 0.0

    def read(self, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return readings, shape (P,), in the points' units."""
        if self.noise == 0.0:
            return truth
        noisy = truth + self.noise * point_array("noise") * rng.standard_normal(
            truth.shape
        )
        step = point_array("resolution")
        rounded = np.round(noisy / np.where(step > 0.0, step, 1.0)) * step
        found = np.where(step > 0.0, rounded, noisy)
        return np.clip(found, point_array("lower"), point_array("upper"))


def true_points(
    readings: Mapping[str, float], running: Running, pressure: float, sizes: Sizes
) -> np.ndarray:
    """Return every point, shape (P,), NaN for one that EnergyPlus has not.

    Args:
        readings: One row of the engine, SI units.
        running: What ran, at the interval's end.
        pressure: Remote differential pressure asked for. [Pa]
        sizes: Of the site.
    """
    rows = {
        **hall_points(readings, pressure, sizes),
        **_water_points(readings, pressure, sizes),
        "chillers_running": float(running.machines),
        "chillers_starting": float(max(running.commanded - running.machines, 0)),
        "economizer_running": float(running.is_wanted),
        "outdoor_temp": readings["outdoor_temp"],
        "outdoor_wet_bulb": readings["outdoor_wet_bulb"],
        "facility_power": readings["facility_power"] / 1e3,
    }
    return np.asarray([rows.get(name, np.nan) for name in POINT_NAMES])


def it_power(readings: Mapping[str, float], hall: int, sizes: Sizes) -> float:
    """Return the servers' power in a hall [W]."""
    return sum(readings[f"it_power{hall}_{zone}"] for zone in range(sizes.zones))


def hall_points(
    readings: Mapping[str, float], pressure: float, sizes: Sizes
) -> dict[str, float]:
    """Return the points of the halls, each in its own unit.

    Args:
        readings: One row of the engine, SI units.
        pressure: Remote differential pressure asked for. [Pa]
        sizes: Of the site.
    """
    held = sizes.remote_pressure(readings["chw_flow"], pressure)
    most = sizes.coil_water_flow / sizes.halls * (held / sizes.open_pressure) ** 0.5
    points: dict[str, float] = {}
    for hall in range(sizes.halls):
        own = f"_hall{hall + 1}"
        opening = readings[f"coil_flow{hall}"] / max(most, 1e-6)
        points |= {
            f"it_power{own}": it_power(readings, hall, sizes) / 1e3,
            f"supply_air_temp{own}": readings[f"supply_air{hall}"],
            f"return_air_temp{own}": readings[f"return_air{hall}"],
            f"crah_fan_power{own}": readings[f"crah_power{hall}"] / 1e3,
            f"room_dew_point{own}": _dew_point(readings, hall),
            # Our coils' valves pass the square of their stroke.
            f"crah_valve{own}": min(opening, 1.0) ** 0.5,
        }
        for zone in range(sizes.zones):
            point = f"inlet_temp{own}_zone{zone + 1}"
            points[point] = readings[f"inlet{hall}_{zone}"]
    return points


def _dew_point(readings: Mapping[str, float], hall: int) -> float:
    """Return the dew point over water of the return air [degC].

    The inverse of `psychrometrics.saturation_pressure`, at the outdoor pressure.
    """
    ratio = max(readings[f"humidity{hall}"], 1e-5)
    vapour = readings["pressure"] * ratio / (MASS_RATIO + ratio)
    gamma = math.log(vapour / 610.94)
    return 243.04 * gamma / (17.625 - gamma)


def _water_points(
    readings: Mapping[str, float], pressure: float, sizes: Sizes
) -> dict[str, float]:
    chillers = range(sizes.chillers)
    return {
        "chw_supply_temp": readings["chw_supply"],
        "chw_return_temp": readings["chw_return"],
        "chw_flow": readings["chw_flow"],
        "chw_pressure": sizes.remote_pressure(readings["chw_flow"], pressure) / 1e3,
        "chw_pump_power": readings["chw_pump_power"] / 1e3,
        "cw_supply_temp": readings["cw_supply"],
        "cw_return_temp": readings["cw_return"],
        "cw_flow": readings["cw_flow"],
        "cw_pump_power": readings["cw_pump_power"] / 1e3,
        "tower_fan_power": readings["tower_power"] / 1e3,
        "chiller_power": sum(readings[f"chiller_power{n}"] for n in chillers) / 1e3,
    }


_as_vector = jax.jit(action_to_vector)


def observe(values: np.ndarray, applied: Action, time: float) -> Observation:
    """Return the observation of one plant, shapes (P,), (10,) and ().

    Args:
        values: Readings, NaN where there is none. [each point's unit]
        applied: The set-points in force.
        time: Since the weather year began. [s]
    """
    quality = np.full(OBSERVATION_SIZE, Quality.GOOD, np.int32)
    for name, index in POINT_INDEX.items():
        if name.startswith(DERIVED):
            quality[index] = Quality.UNCERTAIN
    quality[~np.isfinite(values)] = Quality.MISSING
    return Observation(
        value=jnp.asarray(values, jnp.float32),
        quality=jnp.asarray(quality, jnp.int32),
        age=jnp.zeros((OBSERVATION_SIZE,), jnp.float32),
        applied=_as_vector(applied),
        time=jnp.asarray(time, jnp.float32),
    )


def power_by_consumer(readings: Mapping[str, float], sizes: Sizes) -> dict[str, float]:
    """Return the interval's mean power of each consumer [W]."""
    halls, chillers = range(sizes.halls), range(sizes.chillers)
    return {
        "it": sum(it_power(readings, hall, sizes) for hall in halls),
        "crah": sum(readings[f"crah_power{hall}"] for hall in halls),
        "chiller": sum(readings[f"chiller_power{n}"] for n in chillers),
        "chw_pump": readings["chw_pump_power"],
        "cw_pump": readings["cw_pump_power"],
        "tower": readings["tower_power"],
    }


def water_use(readings: Mapping[str, float]) -> dict[str, float]:
    """Return the towers' water by what becomes of it [kg/s]."""
    parts = ("evaporation", "drift", "blowdown", "make_up")
    return {part: readings[part] * WATER_DENSITY for part in parts}
