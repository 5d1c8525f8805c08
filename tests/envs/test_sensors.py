"""Instruments add noise and steps, lose readings, and say so."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from made_plants import (
    CITIES,
    action,
    disturbance,
    held,
    places,
    scalar,
    start,
    task_params,
)

from coolbound_envs.sensors import (
    SensorParams,
    SensorState,
    observe,
    read_points,
    true_points,
)
from coolbound_envs.spec import OBSERVATION_SIZE, POINT_INDEX, POINTS, point_array
from coolbound_envs.types import Quality

LANES = 4096


def meters(noise: float = 1.0, dropout: float = 0.0) -> SensorParams:
    return SensorParams(noise=scalar(noise), dropout=scalar(dropout))


@functools.cache
def truth() -> jax.Array:
    acting = disturbance()
    return true_points(*held(action(), acting), acting)


def read(params: SensorParams, seed: int = 0) -> SensorState:
    wide = jnp.broadcast_to(truth()[:, None], (OBSERVATION_SIZE, LANES))
    start = SensorState(value=wide, age=jnp.zeros_like(wide))
    return read_points(jax.random.key(seed), start, wide, params)


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
    value = np.asarray(read(meters(noise=50.0)).value)
    assert np.all(value >= point_array("lower")[:, None])
    assert np.all(value <= point_array("upper")[:, None] + 1e-4)


def test_a_lost_reading_keeps_the_last_one_and_ages() -> None:
    state = read(meters(dropout=0.25))
    is_lost = np.asarray(state.age) > 0.0
    assert abs(is_lost.mean() - 0.25) < 0.01
    kept = np.broadcast_to(np.asarray(truth())[:, None], is_lost.shape)
    np.testing.assert_array_equal(np.asarray(state.value)[is_lost], kept[is_lost])
    assert set(np.unique(state.age)) == {0.0, 300.0}


def test_a_reading_older_than_two_intervals_is_uncertain() -> None:
    state = SensorState(value=truth(), age=jnp.zeros_like(truth()))
    for misses, quality in (
        (0, Quality.GOOD),
        (2, Quality.GOOD),
        (3, Quality.UNCERTAIN),
    ):
        seen = state
        for _ in range(misses):
            seen = read_points(jax.random.key(0), seen, truth(), meters(dropout=1.1))
        found = observe(seen, action(), scalar(0.0))
        assert set(np.unique(found.quality)) == {quality}
        assert set(np.unique(found.age)) == {300.0 * misses}
        np.testing.assert_array_equal(found.value, state.value)


def test_an_arriving_reading_is_fresh_again() -> None:
    old = SensorState(value=truth(), age=jnp.full_like(truth(), 1200.0))
    assert (
        float(jnp.max(read_points(jax.random.key(0), old, truth(), meters()).age))
        == 0.0
    )


def test_an_episode_begins_with_every_instrument_answering() -> None:
    params = task_params(*CITIES, dropout=1.0)
    seen, _ = start(jax.random.key(0), places(4, 2), params)
    assert np.all(np.asarray(seen.quality) == Quality.GOOD)
    assert np.all(np.asarray(seen.read("chw_supply_temp")) > 5.0)


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
