"""Weather and load act where an episode stands, wrap, mix cities, and can be moved."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import psychrolib
import pytest
from made_plants import all_well, places, site, task_params

from coolbound_envs.scenario import (
    HALL_LOAD,
    Place,
    Scenario,
    disturbance_at,
    disturbed,
    warmed,
)
from coolbound_envs.state import Disturbance
from coolbound_envs.variation import Variation, no_variation


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


LANES = 300


def some_weather() -> Disturbance:
    return at(places(LANES, cities=2, spread=86400 + 7 * 3600), two_cities())


def moved(variation: Variation, **active: jax.Array) -> Disturbance:
    changed = dataclasses.replace(all_well(LANES), **active)
    return disturbed(some_weather(), changed, variation, site().plant.it)


def test_with_nothing_to_add_what_acts_is_the_table_bit_for_bit() -> None:
    same = moved(no_variation((LANES,)))
    for a, b in zip(
        jax.tree.leaves(some_weather()), jax.tree.leaves(same), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("offset", [-8.0, -3.0, 4.0, 10.0])
def test_warmer_air_keeps_its_moisture_as_psychrolib_has_it(offset: float) -> None:
    psychrolib.SetUnitSystem(psychrolib.SI)
    before = some_weather()
    after = warmed(before, jnp.full((LANES,), offset, jnp.float32))
    checked = 0
    for i in range(0, LANES, 3):
        dry, wet, pressure = (
            float(x[i]) for x in (before.dry_bulb, before.wet_bulb, before.pressure)
        )
        ratio = psychrolib.GetHumRatioFromTWetBulb(dry, wet, pressure)
        most = psychrolib.GetSatHumRatio(dry + offset, pressure)
        wanted = dry + offset
        if ratio < most:
            wanted = psychrolib.GetTWetBulbFromHumRatio(wanted, ratio, pressure)
            checked += 1
        # Below freezing the table's bulb is icy, and the slope that of a wet one.
        within = 0.15 if min(wet, wanted) > 0.0 else 0.5
        assert float(after.wet_bulb[i]) == pytest.approx(wanted, abs=within)
        assert float(after.dry_bulb[i]) == pytest.approx(dry + offset, abs=1e-4)
    assert checked > 40


def test_moved_air_is_always_possible_air() -> None:
    for offset in (-30.0, -8.0, 15.0):
        after = warmed(some_weather(), jnp.full((LANES,), offset, jnp.float32))
        assert np.all(np.asarray(after.wet_bulb) <= np.asarray(after.dry_bulb))
        assert np.all(np.asarray(after.dew_point) <= np.asarray(after.wet_bulb) + 1e-4)


def test_a_load_step_multiplies_the_work_of_its_hall_in_full() -> None:
    factor = jnp.ones((2, LANES), jnp.float32).at[1].set(1.3)
    work = np.asarray(moved(no_variation((LANES,)), load_factor=factor).it_work)
    plain = np.asarray(some_weather().it_work)
    np.testing.assert_array_equal(work[0], plain[0])
    np.testing.assert_allclose(work[1], 1.3 * plain[1], rtol=1e-6)


def test_varied_load_stays_within_the_design_power_and_moves_between_halls() -> None:
    plain = np.asarray(some_weather().it_work)
    none = no_variation((LANES,))
    design = float(site().plant.it.design_power)
    more = dataclasses.replace(none, load=none.load * 1.4)
    total = np.asarray(moved(more).it_work).sum(0)
    wanted = np.minimum(1.4 * plain.sum(0), design)
    np.testing.assert_allclose(total, wanted, rtol=1e-5)
    less = dataclasses.replace(none, load=none.load * 0.6)
    np.testing.assert_allclose(moved(less).it_work, 0.6 * plain, rtol=1e-5)
    split = dataclasses.replace(none, hall_split=none.hall_split + 0.1)
    halls = np.asarray(moved(split).it_work)
    np.testing.assert_allclose(halls.sum(0), plain.sum(0), rtol=1e-5)
    np.testing.assert_allclose(halls[0] / halls.sum(0), HALL_LOAD[0] + 0.1, rtol=1e-5)
