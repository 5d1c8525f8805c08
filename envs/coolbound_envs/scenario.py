"""Where an episode stands in weather and load, and what acts there."""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.faults import no_faults
from coolbound_envs.load import Load
from coolbound_envs.params import ItParams
from coolbound_envs.spec import HALLS
from coolbound_envs.state import Disturbance
from coolbound_envs.types import Key
from coolbound_envs.weather import Weather

LOAD_STEP = 300
"""Step of the load tables. [s]"""

HOUR = 3600
"""Step of the weather tables. [s]"""

HALL_LOAD = (0.52, 0.48)
"""Share of the IT work in each hall. [1]"""


@struct.dataclass
class Place:
    """One position in the scenario's tables. Dynamic.

    Attributes:
        city: Row of the weather table. [1]
        trace: Row of the load table. [1]
        time: Since the weather year began. [s]
        load_offset: Load trace at the year's beginning. [s]
    """

    city: jax.Array
    trace: jax.Array
    time: jax.Array
    load_offset: jax.Array


@struct.dataclass
class Scenario:
    """Tables of weather and load, padded by wrapping. Dynamic.

    Attributes:
        dry_bulb: Hourly, (cities, hours). [degC]
        wet_bulb: Hourly, (cities, hours). [degC]
        dew_point: Hourly, (cities, hours). [degC]
        pressure: Hourly, (cities, hours). [Pa]
        hours: Length of each city's year. [1]
        utilisation: Of the trace's own peak, each 300 s, (traces, steps). [1]
        steps: Length of each trace. [1]
    """

    dry_bulb: jax.Array
    wet_bulb: jax.Array
    dew_point: jax.Array
    pressure: jax.Array
    hours: jax.Array
    utilisation: jax.Array
    steps: jax.Array

    def draw(self, key: Key, shape: tuple[int, ...]) -> Place:
        """Return random places: any city, trace, hour and load offset."""
        keys = jax.random.split(key, 4)
        city = jax.random.randint(keys[0], shape, 0, self.hours.shape[0])
        trace = jax.random.randint(keys[1], shape, 0, self.steps.shape[0])
        hour = jax.random.randint(keys[2], shape, 0, self.dry_bulb.shape[1])
        offset = jax.random.randint(keys[3], shape, 0, self.utilisation.shape[1])
        return Place(
            city=city,
            trace=trace,
            time=hour * HOUR,
            load_offset=offset * LOAD_STEP,
        )


def _wrapped(rows: list[jax.Array]) -> jax.Array:
    """Stack rows of different length, shorter ones repeated from their start."""
    longest = max(row.shape[0] for row in rows)
    return jnp.stack([jnp.resize(row, (longest,)) for row in rows])


def make_scenario(weathers: list[Weather], loads: list[Load]) -> Scenario:
    """Return the tables of some weather years and load traces.

    Load traces are scaled to their own peak: they are taken as shapes, since
    none of them is a power.
    """
    peaks = [load.utilisation / jnp.max(load.utilisation) for load in loads]
    return Scenario(
        dry_bulb=_wrapped([w.dry_bulb for w in weathers]),
        wet_bulb=_wrapped([w.wet_bulb for w in weathers]),
        dew_point=_wrapped([w.dew_point for w in weathers]),
        pressure=_wrapped([w.pressure for w in weathers]),
        hours=jnp.asarray([w.dry_bulb.shape[0] for w in weathers], jnp.int32),
        utilisation=_wrapped(peaks),
        steps=jnp.asarray([p.shape[0] for p in peaks], jnp.int32),
    )


def disturbance_at(place: Place, scenario: Scenario, it: ItParams) -> Disturbance:
    """Return what acts in the interval that begins at a place.

    Weather is interpolated between hours; it and the load repeat at their end.
    """
    hours = scenario.hours[place.city]
    hour = (place.time // HOUR) % hours
    after = (hour + 1) % hours
    share = (place.time % HOUR).astype(jnp.float32) / HOUR

    def weather(table: jax.Array) -> jax.Array:
        now, then = table[place.city, hour], table[place.city, after]
        return now + share * (then - now)

    step = (place.time + place.load_offset) // LOAD_STEP
    utilisation = scenario.utilisation[place.trace, step % scenario.steps[place.trace]]
    work = it.design_power * (it.idle_share + (1.0 - it.idle_share) * utilisation)
    shape = (HALLS,) + (1,) * work.ndim
    halls = jnp.asarray(HALL_LOAD, work.dtype).reshape(shape)
    return Disturbance(
        it_work=halls * work[None],
        dry_bulb=weather(scenario.dry_bulb),
        wet_bulb=weather(scenario.wet_bulb),
        dew_point=weather(scenario.dew_point),
        pressure=weather(scenario.pressure),
        faults=no_faults(work.shape),
    )
