"""Where an episode stands in weather and load, and what acts there."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.fault_effects import ActiveFaults
from coolbound_envs.faults import no_faults
from coolbound_envs.load import Load
from coolbound_envs.params import ItParams
from coolbound_envs.psychrometrics import humidity_ratio, saturation_pressure
from coolbound_envs.spec import HALLS
from coolbound_envs.state import Disturbance
from coolbound_envs.types import Key
from coolbound_envs.variation import Variation
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


def disturbed(
    disturbance: Disturbance, active: ActiveFaults, variation: Variation, it: ItParams
) -> Disturbance:
    """Return what acts when faults and the episode's own variation are added.

    Varied IT work stays within the site's design power, unless the load table
    itself does not; a load step comes on top in full, as a fail-over from
    another site would. Outdoor air is warmed at its own moisture.

    Args:
        disturbance: From the tables.
        active: What is out of order.
        variation: Of this episode.
        it: Servers; their design power is the most.
    """
    offset = active.dry_bulb_offset + variation.outdoor_temp
    warm = warmed(disturbance, offset)
    return dataclasses.replace(
        warm,
        it_work=active.load_factor * _work(disturbance.it_work, variation, it),
        faults=active.plant,
    )


def _work(work: jax.Array, variation: Variation, it: ItParams) -> jax.Array:
    """Return IT work per hall (halls, ...) of this episode [W]."""
    # What one hall gains the others lose, in shares of the site's work.
    moved = jnp.stack(
        [variation.hall_split / HALL_LOAD[0]]
        + [-variation.hall_split / ((HALLS - 1) * share) for share in HALL_LOAD[1:]]
    )
    wanted = work * (variation.load[None] * (1.0 + moved))
    before, after = jnp.sum(work, axis=0), jnp.sum(wanted, axis=0)
    most = jnp.maximum(before, it.design_power)
    return wanted * jnp.minimum(most / jnp.maximum(after, 1.0), 1.0)[None]


def warmed(disturbance: Disturbance, offset: jax.Array) -> Disturbance:
    """Return outdoor air warmer by an offset [K], its moisture unchanged.

    The dew point stays, unless the air is cooled below it: then the air is
    saturated. The wet bulb follows dT_wb/dT = c / (c + h_fg dw_s/dT_wb), the
    derivative of the psychrometric balance at constant moisture (ASHRAE
    Fundamentals 2021, ch. 1, eq. 33), by one step of the midpoint rule: within
    0.15 K of psychrolib for up to 10 K, within 0.5 K where the bulb freezes.
    """
    dry = disturbance.dry_bulb + offset
    dew = jnp.minimum(disturbance.dew_point, dry)
    wet, pressure = disturbance.wet_bulb, disturbance.pressure
    middle = wet + 0.5 * offset * _wet_bulb_slope(wet, pressure)
    moved = wet + offset * _wet_bulb_slope(middle, pressure)
    is_still = offset == 0.0
    return dataclasses.replace(
        disturbance,
        dry_bulb=dry,
        dew_point=jnp.where(is_still, disturbance.dew_point, dew),
        wet_bulb=jnp.where(is_still, wet, jnp.clip(moved, dew, dry)),
    )


def _wet_bulb_slope(wet_bulb: jax.Array, pressure: jax.Array) -> jax.Array:
    """Return the rise of the wet bulb with the dry bulb at constant moisture [1]."""
    saturated = saturation_pressure(wet_bulb)
    # d ln p_ws / dT of the Magnus form, times p w_s / (p - p_ws).
    relative = 17.625 * 243.04 / (wet_bulb + 243.04) ** 2
    ratio = humidity_ratio(saturated, pressure)
    slope = relative * ratio * pressure / (pressure - saturated)
    heat = 1006.0 + 1860.0 * ratio
    return heat / (heat + (2.501e6 - 2326.0 * wet_bulb) * slope)
