"""The far end of the headroom: which hours are solved, and what acts in them."""

import dataclasses
import math
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from coolbound_controllers.evaluation_bound import hourly, spread_hours
from coolbound_envs.cooling import acting_disturbance
from coolbound_envs.episode import TaskParams
from coolbound_envs.fault_events import FaultSchedule
from coolbound_envs.fault_kinds import FaultEvent, FaultKind
from coolbound_envs.fault_schedule import draw_faults, fixed_plan
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.load import load_trace
from coolbound_envs.scenario import Place, make_scenario
from coolbound_envs.sensors import SensorParams
from coolbound_envs.site import load_site
from coolbound_envs.state import Disturbance
from coolbound_envs.variation import Variation, draw_variation, make_spread
from coolbound_envs.weather import load_weather


@pytest.mark.parametrize("hours", [24, 72, 192, 193, 336, 8760])
def test_hours_are_few_even_and_meet_every_hour_of_the_day(hours: int) -> None:
    found = spread_hours(hours, 192)
    assert len(found) <= 192
    assert (found[0], found[-1] < hours) == (0, True)
    every = int(found[1] - found[0])
    assert np.all(np.diff(found) == every)
    assert math.gcd(every, 24) == 1
    if hours <= 192:
        assert len(found) == hours
    if len(found) >= 24:
        assert set(found % 24) == set(range(24))


@struct.dataclass
class Standing:
    """What of a simulation says which weather and load act. Dynamic."""

    place: Place
    faults: FaultSchedule
    variation: Variation
    steps: jax.Array


def params() -> TaskParams:
    site = load_site()
    wave = FaultEvent(FaultKind.HEAT_WAVE, start_s=8 * 3600.0, size=5.0)
    weather = [load_weather(name) for name in ("phoenix", "singapore-2021")]
    return TaskParams(
        plant=site.plant,
        limits=parse_limits(site.root, site.feeder_power),
        sensors=SensorParams(noise=jnp.asarray(0.0), dropout=jnp.asarray(0.0)),
        scenario=make_scenario(weather, [load_trace("google2019")]),
        horizon=jnp.asarray(2**30, jnp.int32),
        variation=make_spread(load=0.1, outdoor_temp=1.0),
        faults=fixed_plan([wave]),
    )


def test_an_hour_is_the_mean_of_its_twelve_intervals() -> None:
    task = params()
    start = Place(
        city=jnp.asarray([0, 1], jnp.int32),
        trace=jnp.zeros(2, jnp.int32),
        time=jnp.asarray([3600 * 5, 86400 * 200], jnp.int32),
        load_offset=jnp.zeros(2, jnp.int32),
    )
    state = Standing(
        place=start,
        faults=draw_faults(jax.random.key(1), start.city, (2,), task.faults),
        variation=draw_variation(jax.random.key(3), (2,), task.variation),
        steps=jnp.zeros(2, jnp.int32),
    )
    hours = np.asarray([0, 7, 40])
    found = hourly(cast(Any, state), task, hours)
    assert found.wet_bulb.shape == (2, 3)
    assert found.it_work.shape == (2, 2, 3)

    @jax.jit
    def acting(time: jax.Array, steps: jax.Array) -> Disturbance:
        place = dataclasses.replace(start, time=time)
        moved = dataclasses.replace(state, place=place, steps=steps)
        return acting_disturbance(cast(Any, moved), task)[0]

    for column, hour in enumerate(hours):
        steps = [12 * int(hour) + interval for interval in range(12)]
        seen = [acting(start.time + 300 * step, state.steps + step) for step in steps]
        for name in ("wet_bulb", "dry_bulb", "it_work"):
            wanted = np.mean([np.asarray(getattr(x, name)) for x in seen], axis=0)
            np.testing.assert_allclose(
                np.asarray(getattr(found, name))[..., column], wanted, rtol=1e-5
            )
    # Not two places with the same weather, nor a plant that does not vary.
    assert np.all(np.abs(found.wet_bulb[0] - found.wet_bulb[1]) > 1.0)
    assert np.all(np.abs(np.asarray(state.variation.load) - 1.0) > 1e-3)
