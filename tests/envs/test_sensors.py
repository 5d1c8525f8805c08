"""Instruments add noise, steps and faults, lose readings, and say what they know."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given as given_story
from hypothesis import settings
from hypothesis import strategies as st
from made_plants import (
    CITIES,
    action,
    all_well,
    disturbance,
    held,
    places,
    scalar,
    start,
    task_params,
)

from coolbound_envs.fault_effects import SensorFaults
from coolbound_envs.sensors import (
    SensorParams,
    SensorState,
    no_readings,
    observe,
    read_points,
    true_points,
)
from coolbound_envs.spec import OBSERVATION_SIZE, POINT_INDEX, POINTS, point_array
from coolbound_envs.types import Observation, Quality

LANES = 4096


def meters(noise: float = 1.0, dropout: float = 0.0, **more: float) -> SensorParams:
    extra = {name: scalar(value) for name, value in more.items()}
    return SensorParams(noise=scalar(noise), dropout=scalar(dropout), **extra)


@functools.cache
def truth() -> jax.Array:
    acting = disturbance()
    return true_points(*held(action(), acting), acting)


def fresh(value: jax.Array) -> SensorState:
    """Return instruments that gave this value the interval before."""
    none = no_readings(value.shape[1:])
    recent = none.recent.at[0].set(value)
    return SensorState(value=value, age=jnp.zeros_like(value), recent=recent)


def read_on(
    state: SensorState,
    given: jax.Array,
    params: SensorParams,
    faults: SensorFaults | None = None,
    seconds: float = 0.0,
    seed: int = 0,
) -> SensorState:
    batch = given.shape[1:]
    sound = all_well(*batch).sensors if faults is None else faults
    elapsed = jnp.full(batch, seconds, jnp.float32)
    return read_points(jax.random.key(seed), state, given, params, sound, elapsed)


def read(
    params: SensorParams, seed: int = 0, faults: SensorFaults | None = None
) -> SensorState:
    wide = jnp.broadcast_to(truth()[:, None], (OBSERVATION_SIZE, LANES))
    return read_on(fresh(wide), wide, params, faults, seed=seed)


def seen(state: SensorState) -> Observation:
    return observe(state, action(), scalar(0.0))


def test_readings_are_whole_steps_of_their_instrument() -> None:
    value = np.asarray(read(meters()).value, np.float64)
    step = point_array("resolution")[:, None]
    count = value / step
    assert np.max(np.abs(count - np.round(count))) < 1e-2


def test_without_noise_only_the_step_is_between_reading_and_truth() -> None:
    gap = np.abs(
        np.asarray(read(meters(noise=0.0)).value) - np.asarray(truth())[:, None]
    )
    assert np.all(gap <= 0.5 * point_array("resolution")[:, None] * 1.001 + 1e-4)


def test_noise_has_the_size_that_the_point_states() -> None:
    error = np.asarray(read(meters()).value) - np.asarray(truth())[:, None]
    noise, step = point_array("noise"), point_array("resolution")
    wanted = np.sqrt(noise**2 + step**2 / 12.0)
    # Away from the ends of a range, where a converter would clip, and where the
    # noise is not drowned in the step.
    inside = (np.asarray(truth()) > point_array("lower") + 4 * noise) & (
        np.asarray(truth()) < point_array("upper") - 4 * noise
    )
    used = inside & (noise >= step)
    assert used.sum() > 20
    np.testing.assert_allclose(error.std(axis=1)[used], wanted[used], rtol=0.06)
    assert np.all(np.abs(error.mean(axis=1))[used] < 5 * wanted[used] / np.sqrt(LANES))


def test_no_reading_leaves_its_range() -> None:
    value = np.asarray(seen(read(meters(noise=50.0))).value)
    assert np.all(value >= point_array("lower"))
    assert np.all(value <= point_array("upper") + 1e-4)


def test_a_lost_reading_keeps_the_last_one_and_ages() -> None:
    state = read(meters(dropout=0.25))
    is_lost = np.asarray(state.age) > 0.0
    assert abs(is_lost.mean() - 0.25) < 0.01
    kept = np.broadcast_to(np.asarray(truth())[:, None], is_lost.shape)
    np.testing.assert_array_equal(np.asarray(state.value)[is_lost], kept[is_lost])
    assert set(np.unique(state.age)) == {0.0, 300.0}


def test_a_reading_older_than_two_intervals_is_uncertain() -> None:
    state = fresh(truth())
    for misses, quality in (
        (0, Quality.GOOD),
        (2, Quality.GOOD),
        (3, Quality.UNCERTAIN),
    ):
        later = state
        for _ in range(misses):
            later = read_on(later, truth(), meters(dropout=1.1))
        found = seen(later)
        assert set(np.unique(found.quality)) == {quality}
        assert set(np.unique(found.age)) == {300.0 * misses}
        np.testing.assert_array_equal(found.value, state.value)


def test_an_arriving_reading_is_fresh_again() -> None:
    old = dataclasses.replace(fresh(truth()), age=jnp.full_like(truth(), 1200.0))
    assert float(jnp.max(read_on(old, truth(), meters()).age)) == 0.0


def test_an_episode_begins_with_every_instrument_answering() -> None:
    params = task_params(*CITIES, dropout=1.0)
    first, _ = start(jax.random.key(0), places(4, 2), params)
    assert np.all(np.asarray(first.quality) == Quality.GOOD)
    assert np.all(np.asarray(first.read("chw_supply_temp")) > 5.0)


def test_every_point_shows_its_own_true_value() -> None:
    acting = disturbance()
    state, summary = held(action(), acting)
    value = np.asarray(truth())
    for name, wanted in {
        "inlet_temp_hall2_zone3": summary.mean.inlet_temp[1, 2],
        "supply_air_temp_hall1": state.supply_air_temp[0],
        "crah_valve_hall2": state.valve[1],
        "it_power_hall1": summary.mean.it_power[0] / 1e3,
        "chiller_power": summary.mean.chiller_power / 1e3,
        "cw_supply_temp": state.basin_temp,
        "outdoor_wet_bulb": acting.wet_bulb,
        "facility_power": summary.mean.facility_power / 1e3,
    }.items():
        np.testing.assert_allclose(value[POINT_INDEX[name]], wanted, rtol=1e-6)


def test_a_change_that_no_instrument_sees_changes_no_observation() -> None:
    """The true state has fields without a meter: controllers cannot know them."""
    acting = disturbance()
    state, summary = held(action(), acting)
    hidden = dataclasses.replace(
        state,
        server_temp=state.server_temp + 5.0,
        structure_temp=state.structure_temp + 5.0,
        bypass=state.bypass + 0.3,
        basin_temp=state.basin_temp,
    )
    np.testing.assert_array_equal(true_points(hidden, summary, acting), truth())


def test_points_have_a_range_a_noise_and_a_step_that_make_sense() -> None:
    assert len({p.name for p in POINTS}) == len(POINTS)
    for point in POINTS:
        assert point.lower < point.upper
        assert 0.0 <= point.noise < 0.1 * (point.upper - point.lower)
        assert point.resolution > 0.0


def broken(name: str, batch: tuple[int, ...] = (), **changes: float) -> SensorFaults:
    """Return what is wrong with one instrument alone."""
    sound = all_well(*batch).sensors
    row = POINT_INDEX[name]
    return dataclasses.replace(
        sound,
        **{key: getattr(sound, key).at[row].set(v) for key, v in changes.items()},
    )


def others(name: str) -> np.ndarray:
    return np.arange(OBSERVATION_SIZE) != POINT_INDEX[name]


def test_a_bias_moves_its_own_point_by_its_size_and_no_other() -> None:
    name, size = "chw_supply_temp", 1.5
    sound = read(meters())
    found = read(meters(), faults=broken(name, (LANES,), bias=size))
    gap = np.asarray(found.value) - np.asarray(sound.value)
    # The noise is the same, so only the rounding to a step differs.
    np.testing.assert_allclose(gap[POINT_INDEX[name]], size, atol=0.051)
    np.testing.assert_array_equal(gap[others(name)], 0.0)


def test_a_wrong_instrument_is_good_and_fresh_since_it_does_not_know() -> None:
    for fault in ({"bias": 2.0}, {"stuck": 1.0}):
        found = seen(read(meters(), faults=broken("outdoor_temp", (LANES,), **fault)))
        assert np.all(np.asarray(found.quality) == Quality.GOOD)
        assert np.all(np.asarray(found.age) == 0.0)


def test_base_drift_grows_with_the_days_of_the_episode() -> None:
    params = meters(noise=0.0, drift=0.5)
    row = POINT_INDEX["cw_supply_temp"]
    before = fresh(truth())
    for days in (0.0, 2.0, 10.0):
        found = read_on(before, truth(), params, seconds=days * 86400.0)
        gap = float(found.value[row] - truth()[row])
        assert gap == pytest.approx(0.5 * days, abs=0.026)
    early = read_on(before, truth(), params, seconds=-300.0)
    assert float(early.value[row] - truth()[row]) == pytest.approx(0.0, abs=0.026)


def test_one_number_for_all_points_and_one_for_each_mean_the_same() -> None:
    each = jax.tree.map(lambda x: jnp.full((OBSERVATION_SIZE,), x), meters(dropout=0.2))
    one = read(meters(dropout=0.2))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(read(each)), strict=True):
        np.testing.assert_array_equal(a, b)
    only = dataclasses.replace(
        meters(), noise=each.noise.at[POINT_INDEX["it_power_hall1"]].set(0.0)
    )
    silent = np.asarray(read(only).value)[POINT_INDEX["it_power_hall1"]]
    assert np.ptp(silent) == 0.0


def test_a_stuck_instrument_repeats_the_last_reading_it_gave() -> None:
    before = fresh(truth())
    row = POINT_INDEX["chw_flow"]
    stuck = broken("chw_flow", stuck=1.0)
    state, given = before, []
    for k in range(4):
        state = read_on(state, truth() + float(k), meters(), stuck, seed=k)
        given.append(float(state.value[row]))
    assert given == [float(truth()[row])] * 4
    after = read_on(state, truth() + 9.0, meters(noise=0.0))
    assert float(after.value[row]) == pytest.approx(float(truth()[row]) + 9.0, abs=0.1)


@pytest.mark.parametrize("delay", [1, 2, 3])
@pytest.mark.parametrize("is_base", [True, False])
def test_a_late_reading_is_the_one_of_so_many_intervals_ago(
    delay: int, is_base: bool
) -> None:
    params = meters(delay=float(delay)) if is_base else meters()
    faults = None if is_base else broken("chw_flow", delay=float(delay))
    row = POINT_INDEX["chw_flow"]
    prompt = state = fresh(truth())
    in_time = [float(truth()[row])]
    for k in range(8):
        given = truth() + 3.0 * k
        prompt = read_on(prompt, given, meters(), seed=k)
        state = read_on(state, given, params, faults, seed=k)
        in_time.append(float(prompt.value[row]))
        # At first nothing new arrives: the reading from before grows old.
        back = min(delay, k + 1)
        assert float(state.value[row]) == in_time[len(in_time) - 1 - back]
        assert float(state.age[row]) == 300.0 * back
        quality = int(seen(state).quality[row])
        assert quality == (Quality.UNCERTAIN if back > 2 else Quality.GOOD)
    back_in_time = read_on(state, truth(), meters(), seed=99)
    assert float(back_in_time.age[row]) == 0.0


@settings(max_examples=40, deadline=None)
@given_story(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=14)
)
def test_no_reading_is_ever_younger_than_it_says(
    story: list[tuple[int, bool]],
) -> None:
    """Truth counts the intervals, so every value tells when it was taken."""
    row = POINT_INDEX["chw_flow"]
    state = fresh(jnp.zeros_like(truth()))
    taken = []
    for k, (delay, is_lost) in enumerate(story, start=1):
        faults = broken("chw_flow", delay=float(delay), dropout=float(is_lost))
        given = jnp.full_like(truth(), float(k))
        state = READ_QUIETLY(state, given, faults)
        taken.append(round(float(state.value[row])))
        assert float(state.age[row]) == 300.0 * (k - taken[-1])
    assert taken == sorted(taken)


def quiet_read(
    state: SensorState, given: jax.Array, faults: SensorFaults
) -> SensorState:
    params = meters(noise=0.0)
    return read_points(jax.random.key(0), state, given, params, faults, scalar(0.0))


READ_QUIETLY = jax.jit(quiet_read)


def test_a_reading_well_beyond_its_range_is_bad_and_stands_at_the_end() -> None:
    name = "chw_supply_temp"
    point = POINTS[POINT_INDEX[name]]
    found = seen(
        read_on(fresh(truth()), truth(), meters(noise=0.0), broken(name, bias=100.0))
    )
    assert int(found.quality[POINT_INDEX[name]]) == Quality.BAD
    assert float(found.read(name)) == point.upper
    rest = np.asarray(found.quality)[others(name)]
    assert np.all(rest == Quality.GOOD)


def test_noise_at_the_end_of_a_range_is_no_bad_reading() -> None:
    ends = jnp.stack(
        [jnp.asarray(point_array(e), jnp.float32) for e in ("lower", "upper")]
    )
    wide = jnp.repeat(ends.T, 2000, axis=1)
    found = seen(read_on(fresh(wide), wide, meters()))
    assert np.mean(np.asarray(found.quality) == Quality.GOOD) > 0.999


def test_an_instrument_that_never_answered_is_missing() -> None:
    state = read_on(no_readings(), truth(), meters(), broken("chw_flow", dropout=1.0))
    found = seen(state)
    row = POINT_INDEX["chw_flow"]
    assert int(found.quality[row]) == Quality.MISSING
    assert np.isnan(float(found.value[row]))
    assert np.all(np.asarray(found.quality)[others("chw_flow")] == Quality.GOOD)


def test_a_true_value_that_is_no_number_never_arrives() -> None:
    row = POINT_INDEX["chw_flow"]
    state = read_on(fresh(truth()), truth().at[row].set(jnp.nan), meters())
    assert float(state.value[row]) == float(truth()[row])
    assert float(state.age[row]) == 300.0
