"""From an action and what runs to the commands of one interval."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.energyplus.bas import Running
from coolbound_envs.energyplus.course import Course
from coolbound_envs.energyplus.signals import Commands
from coolbound_envs.energyplus.sizes import Sizes
from coolbound_envs.faults import no_faults
from coolbound_envs.params import PlantParams
from coolbound_envs.psychrometrics import humidity_ratio, saturation_pressure
from coolbound_envs.state import Disturbance
from coolbound_envs.types import Action

FIRST_RISE = 4.0
"""Condenser water's rise before there is a reading. [K]"""


def disturbance_of(course: Course, step: int) -> Disturbance:
    """Return what acts in an interval, as our plant has it; no faults."""
    columns = (course.dry_bulb, course.wet_bulb, course.dew_point, course.pressure)
    dry, wet, dew, pressure = (jnp.asarray(c[step], jnp.float32) for c in columns)
    return Disturbance(
        it_work=jnp.asarray(course.it_work[step], jnp.float32),
        dry_bulb=dry,
        wet_bulb=wet,
        dew_point=dew,
        pressure=pressure,
        faults=no_faults(()),
    )


def surroundings_of(
    course: Course, plant: PlantParams, sizes: Sizes
) -> list[tuple[tuple[float, ...], float]]:
    """Return loading of each hall [1] and make-up humidity [kg/kg] by interval."""
    design = sizes.it_power * np.asarray(sizes.hall_share)
    loading = (np.asarray(course.it_work) / design).tolist()
    dew_point, pressure = (
        jnp.asarray(x, jnp.float32) for x in (course.dew_point, course.pressure)
    )
    moist = np.asarray(_makeup_humidity(dew_point, pressure, plant)).tolist()
    return list(zip(map(tuple, loading), moist, strict=True))


def commands_for(
    action: Action,
    running: Running,
    surroundings: tuple[tuple[float, ...], float],
    plant: PlantParams,
    sizes: Sizes,
    readings: Mapping[str, float],
) -> Commands:
    """Return the commands of the interval that begins now.

    Args:
        action: In force, physical units, shapes (halls,) and ().
        running: What the sequencer lets run.
        surroundings: One of `surroundings_of`.
        plant: The site's plant.
        sizes: Its sizes as plain numbers.
        readings: Of the interval before; empty before the first.
    """
    loading, moist = surroundings
    speed = max(float(action.cw_pump_speed), running.pump_floor)
    return Commands(
        loading=loading,
        supply_air=tuple(np.asarray(action.supply_air_setpoint).tolist()),
        crah_speed=tuple(np.asarray(action.crah_fan_speed).tolist()),
        chw_setpoint=float(action.chw_supply_setpoint),
        chw_pressure=1e3 * float(action.chw_pressure_setpoint),
        cw_flow=sizes.cw_flow * speed,
        tower_speed=float(action.tower_fan_speed),
        machines=running.machines,
        open_evaporators=running.commanded,
        economizer=int(running.is_open),
        tower_water_min=_tower_water_min(action, running, plant, readings),
        makeup_humidity=moist,
    )


def _tower_water_min(
    action: Action, running: Running, plant: PlantParams, readings: Mapping[str, float]
) -> float:
    """Return the coldest tower water that the BAS lets through [degC].

    The basin's low limit and, while machines cool, the least lift: condenser
    water leaves at least `lift_setpoint` warmer than chilled water.
    """
    condenser = plant.condenser
    if running.commanded == 0:
        return float(condenser.low_limit_free)
    low = float(condenser.low_limit_cooling)
    if running.machines == 0:
        return low
    rise = readings["cw_return"] - readings["cw_supply"] if readings else FIRST_RISE
    lift = float(condenser.lift_setpoint) - max(rise, 0.0)
    return max(low, float(action.chw_supply_setpoint) + lift)


def _makeup_humidity(
    dew_point: jax.Array, pressure: jax.Array, plant: PlantParams
) -> jax.Array:
    """Return the humidity ratio of the conditioned make-up air [kg/kg]."""
    room = plant.room
    inside = jnp.clip(dew_point, room.dew_point_min, room.dew_point_max)
    return humidity_ratio(saturation_pressure(inside), pressure)
