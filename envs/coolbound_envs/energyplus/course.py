"""Weather and load over one run, interval by interval."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from coolbound_envs import psychrometrics
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.load import Load
from coolbound_envs.params import ItParams
from coolbound_envs.scenario import HALL_LOAD, Place, disturbance_at, make_scenario
from coolbound_envs.weather import Weather

STEP = int(CONTROL_INTERVAL)
HOUR_STEPS = 3600 // STEP
DAY_STEPS = 24 * HOUR_STEPS


@dataclasses.dataclass(frozen=True)
class Course:
    """What acts on the plant in each control interval. Static.

    Attributes:
        start: When it begins, since the weather year began. [s]
        it_work: IT power at 20 degC inlet of each hall, float32, (T, halls). [W]
        dry_bulb: Outdoor air, shape (T,). [degC]
        wet_bulb: Outdoor air, shape (T,). [degC]
        dew_point: Outdoor air, over water, shape (T,). [degC]
        pressure: Outdoor air, shape (T,). [Pa]
    """

    start: int
    it_work: np.ndarray
    dry_bulb: np.ndarray
    wet_bulb: np.ndarray
    dew_point: np.ndarray
    pressure: np.ndarray

    @property
    def steps(self) -> int:
        """Control intervals [1]."""
        return len(self.dry_bulb)


def course_of(
    it: ItParams,
    weather: Weather,
    load: Load,
    start: int,
    steps: int,
    load_offset: int = 0,
) -> Course:
    """Return the same weather and load as our plant has at the same place.

    Args:
        it: Servers of the site.
        weather: A year; it repeats.
        load: A trace; it repeats.
        start: Since the weather year began, a multiple of 300. [s]
        steps: Control intervals. [1]
        load_offset: Load trace at the year's beginning. [s]
    """
    scenario = make_scenario([weather], [load])
    zeros = jnp.zeros((steps,), jnp.int32)
    place = Place(
        city=zeros,
        trace=zeros,
        time=start + STEP * jnp.arange(steps, dtype=jnp.int32),
        load_offset=zeros + load_offset,
    )
    acting = disturbance_at(place, scenario, it)
    return Course(
        start=start,
        it_work=np.asarray(acting.it_work).T,
        dry_bulb=np.asarray(acting.dry_bulb),
        wet_bulb=np.asarray(acting.wet_bulb),
        dew_point=np.asarray(acting.dew_point),
        pressure=np.asarray(acting.pressure),
    )


def still_course(
    work: float, dry_bulb: float, relative_humidity: float, steps: int
) -> Course:
    """Return weather and load that stand still, at sea level.

    Args:
        work: IT power of the site at 20 degC inlet. [W]
        dry_bulb: Outdoor air. [degC]
        relative_humidity: Outdoor air, over water. [1]
        steps: Control intervals. [1]
    """
    ones = np.ones(steps, np.float32)
    dry, share = jnp.float32(dry_bulb), jnp.float32(relative_humidity)
    over_bulb = psychrometrics.humidity_as_psychrolib(dry, share)
    pressure = jnp.float32(psychrometrics.STANDARD_PRESSURE)
    wet_bulb = psychrometrics.wet_bulb(dry, over_bulb, pressure)
    return Course(
        start=0,
        it_work=work * ones[:, None] * np.asarray(HALL_LOAD, np.float32),
        dry_bulb=dry_bulb * ones,
        wet_bulb=float(wet_bulb) * ones,
        dew_point=float(psychrometrics.dew_point(dry, share)) * ones,
        pressure=float(pressure) * ones,
    )


def hours_of(values: np.ndarray, settle: int) -> np.ndarray:
    """Return a quantity at the end of each hour of a run, whole days.

    EnergyPlus goes linearly from hour to hour and takes a timestep's end; our
    plant takes an interval's beginning. So an hour's end has the value that our
    plant has in the interval which ends there. The first value stands still
    while the plant settles, and the last one after the end.

    Args:
        values: Of each control interval, shape (T,). [any]
        settle: Intervals before the first. [1]
    """
    last_hour = -(-(settle + len(values) + 1) // DAY_STEPS) * 24
    ends = HOUR_STEPS * np.arange(1, last_hour + 1) - 1 - settle
    return np.asarray(values, np.float64)[np.clip(ends, 0, len(values) - 1)]
