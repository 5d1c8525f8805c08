"""Weather and load act where an episode stands, wrap at their end, and mix cities."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from made_plants import places, site, task_params

from coolbound_envs.scenario import HALL_LOAD, Place, Scenario, disturbance_at
from coolbound_envs.state import Disturbance


def two_cities() -> Scenario:
    return task_params("phoenix", "singapore-2021").scenario


def at(place: Place, scenario: Scenario) -> Disturbance:
    return disturbance_at(place, scenario, site().plant.it)


def one_place(city: int, second: int, offset: int = 0) -> Place:
    values = (city, 0, second, offset)
    return Place(*(jnp.asarray([v], jnp.int32) for v in values))


def test_weather_is_the_table_on_the_hour_and_the_mean_between() -> None:
    scenario = two_cities()
    for city in (0, 1):
        row = np.asarray(scenario.wet_bulb[city])
        on_hour = at(one_place(city, 7 * 3600), scenario).wet_bulb
        half = at(one_place(city, 7 * 3600 + 1800), scenario).wet_bulb
        np.testing.assert_allclose(on_hour, row[7], rtol=1e-6)
        np.testing.assert_allclose(half, (row[7] + row[8]) / 2, rtol=1e-5)


def test_weather_and_load_repeat_at_their_end() -> None:
    scenario = two_cities()
    year = int(scenario.hours[0]) * 3600
    first, again = (at(one_place(0, s), scenario) for s in (5 * 3600, year + 5 * 3600))
    np.testing.assert_allclose(first.dry_bulb, again.dry_bulb)
    trace = int(scenario.steps[0]) * 300
    first, again = (at(one_place(0, 0, s), scenario) for s in (600, trace + 600))
    np.testing.assert_allclose(first.it_work, again.it_work)


def test_the_last_hour_leads_into_the_first() -> None:
    scenario = two_cities()
    row = np.asarray(scenario.dry_bulb[0])[: int(scenario.hours[0])]
    late = at(one_place(0, len(row) * 3600 - 1800), scenario).dry_bulb
    np.testing.assert_allclose(late, (row[-1] + row[0]) / 2, rtol=1e-5)


def test_halls_share_the_load_and_stay_between_idle_and_design() -> None:
    acting = at(places(200, spread=1800), two_cities())
    work = np.asarray(acting.it_work)
    it = site().plant.it
    np.testing.assert_allclose(
        work / work.sum(0), np.array(HALL_LOAD)[:, None] * np.ones(200), rtol=1e-5
    )
    total = work.sum(0) / float(it.design_power)
    assert float(it.idle_share) <= total.min() < total.max() <= 1.0 + 1e-6


def test_draws_cover_cities_hours_and_offsets_and_repeat_by_key() -> None:
    scenario = two_cities()
    drawn = scenario.draw(jax.random.key(0), (4096,))
    again = scenario.draw(jax.random.key(0), (4096,))
    assert set(np.unique(drawn.city)) == {0, 1}
    assert np.all(np.asarray(drawn.time) % 3600 == 0)
    assert np.ptp(np.asarray(drawn.time)) > 300 * 86400
    assert len(np.unique(drawn.load_offset)) > 1000
    for name in (f.name for f in dataclasses.fields(Place)):
        np.testing.assert_array_equal(getattr(drawn, name), getattr(again, name))
