"""The task repeats, batches, compiles once, and survives any action in range."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import CITIES, TASK, places, start, step, task_params

from coolbound_envs.cooling import (
    HISTORY,
    REWARD_POWER,
    TRIP_TEMP,
    TaskParams,
    TaskState,
)
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.scenario import Place
from coolbound_envs.spec import ACTION_SIZE, OBSERVATION_SIZE, channel_array
from coolbound_envs.types import Observation, action_from_vector, from_unit

POWERS = ("it", "crah", "chiller", "chw_pump", "cw_pump", "tower")


@functools.cache
def quiet_params() -> TaskParams:
    """Instruments without noise: readings then do not depend on the batch."""
    return task_params(*CITIES, noise=0.0)


def vectors(count: int, seed: int = 0) -> jax.Array:
    """Return actions (count, 10), the first lanes the same for every count."""
    unit = np.random.default_rng(seed).uniform(0.2, 0.8, (4096, ACTION_SIZE))
    tiled = np.tile(unit, (-(-count // 4096), 1))[:count]
    lower, upper = channel_array("lower"), channel_array("upper")
    return jnp.asarray(lower + tiled * (upper - lower), jnp.float32)


def short_run(count: int, steps: int = 2) -> tuple[Observation, dict[str, Any]]:
    params = quiet_params()
    seen, state = start(jax.random.key(1), places(count, 2, spread=300), params)
    info: dict[str, Any] = {}
    for k in range(steps):
        act = action_from_vector(vectors(count, k))
        seen, state, reward, _, _, info = step(jax.random.key(k), state, act, params)
        info = info | {"reward": reward}
    return seen, info


def test_step_returns_what_the_contract_names() -> None:
    seen, info = short_run(4)
    assert seen.value.shape == (4, OBSERVATION_SIZE)
    assert seen.applied.shape == (4, ACTION_SIZE)
    assert info["costs"].shape == (4, 4)
    assert info["limits"].shape == (4, len(LIMIT_NAMES))
    assert set(info["power"]) == set(POWERS)
    np.testing.assert_array_equal(info["final_observation"].value, seen.value)


def test_reward_is_minus_the_power_above_the_work() -> None:
    _, info = short_run(4)
    total = sum(np.asarray(info["power"][name], np.float64) for name in POWERS)
    wanted = -(total - np.asarray(info["work"])) / REWARD_POWER
    np.testing.assert_allclose(info["reward"], wanted, rtol=1e-4)


@pytest.mark.parametrize("count", [256, 4096])
def test_a_batch_agrees_with_a_single_plant(count: int) -> None:
    one, few = short_run(1), short_run(count)
    for single, batch in zip(
        jax.tree.leaves(one[0].value), jax.tree.leaves(few[0].value[:1]), strict=True
    ):
        np.testing.assert_allclose(single, batch, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(one[1]["limits"], few[1]["limits"][:1], atol=2e-3)
    np.testing.assert_allclose(one[1]["reward"], few[1]["reward"][:1], rtol=1e-4)


@pytest.mark.long
def test_sixty_five_thousand_plants_agree_with_a_few() -> None:
    few, many = short_run(256), short_run(65536)
    last = slice(61440, 61440 + 256)
    np.testing.assert_allclose(few[1]["reward"], many[1]["reward"][:256], rtol=1e-4)
    np.testing.assert_allclose(few[0].value, many[0].value[:256], rtol=1e-5, atol=1e-3)
    assert np.all(np.isfinite(np.asarray(many[0].value[last])))


def test_the_same_key_and_actions_give_the_same_bits() -> None:
    params = task_params(*CITIES, dropout=0.05)

    def twice() -> tuple[Any, ...]:
        seen, state = start(jax.random.key(1), places(4, 2), params)
        act = action_from_vector(vectors(4))
        return seen, *step(jax.random.key(2), state, act, params)

    for a, b in zip(jax.tree.leaves(twice()), jax.tree.leaves(twice()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_vmap_over_single_plants_agrees_with_the_batch() -> None:
    params = quiet_params()
    place = places(4, 2)
    keys = jax.random.split(jax.random.key(3), 4)
    act = action_from_vector(vectors(4))

    def one(key: jax.Array, where: Place, given: Any) -> tuple[jax.Array, jax.Array]:
        _, state = TASK.start_at(key, where, params)
        _, _, reward, _, _, info = TASK.step(key, state, given, params)
        return reward, info["limits"]

    reward, values = jax.jit(jax.vmap(one))(keys, place, act)
    _, state = start(keys[0], place, params)
    _, _, wanted, _, _, info = step(keys[0], state, act, params)
    np.testing.assert_allclose(reward, wanted, rtol=1e-4)
    np.testing.assert_allclose(values, info["limits"], atol=2e-3)


def test_step_compiles_once_for_any_action_and_scenario() -> None:
    traces: list[None] = []

    @jax.jit
    def traced(
        key: jax.Array, state: TaskState, vector: jax.Array, params: TaskParams
    ) -> Any:
        traces.append(None)  # runs while tracing, not while computing
        return TASK.step(key, state, action_from_vector(vector), params)[1]

    params = quiet_params()
    _, state = start(jax.random.key(1), places(4, 2), params)
    warm = dataclasses.replace(
        params,
        scenario=dataclasses.replace(
            params.scenario, wet_bulb=params.scenario.wet_bulb + 1.0
        ),
    )
    for seed, given in enumerate((params, warm, params)):
        state = traced(jax.random.key(seed), state, vectors(4, seed), given)
    assert len(traces) == 1


def random_run(lanes: int, steps: int) -> tuple[np.ndarray, bool]:
    """Return hottest inlets and whether all was finite, under random actions."""
    params = task_params(*CITIES, dropout=0.01)

    @jax.jit
    def run(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        _, state = TASK.start_at(key, places(lanes, 2, spread=86400), params)

        def body(state: TaskState, key: jax.Array) -> tuple[TaskState, Any]:
            draw, noise = jax.random.split(key)
            unit = jax.random.uniform(draw, (lanes, ACTION_SIZE))
            act = action_from_vector(jax.vmap(from_unit)(unit))
            seen, state, reward, _, _, info = TASK.step(noise, state, act, params)
            numbers = (seen.value, reward, info["limits"], info["costs"], state.plant)
            leaves = jax.tree.leaves(numbers)
            fine = jnp.stack([jnp.all(jnp.isfinite(x)) for x in leaves])
            return state, (jnp.max(info["summary"].inlet_temp_max), jnp.all(fine))

        return jax.lax.scan(body, state, jax.random.split(key, steps))[1]

    hottest, fine = run(jax.random.key(0))
    return np.asarray(hottest), bool(np.all(np.asarray(fine)))


def test_three_days_of_random_actions_stay_finite() -> None:
    hottest, fine = random_run(8, 3 * 288)
    assert fine
    assert hottest.max() < 80.0


@pytest.mark.long
def test_a_year_of_random_actions_stays_finite() -> None:
    hottest, fine = random_run(64, 365 * 288)
    assert fine
    assert hottest.max() < 80.0


def test_an_episode_ends_at_its_horizon_and_at_the_trip_temperature() -> None:
    params = task_params(*CITIES, noise=0.0, horizon=2)
    _, state = start(jax.random.key(0), places(4, 2), params)
    act = state.applied
    ends = []
    for k in range(3):
        _, state, _, terminated, truncated, _ = step(
            jax.random.key(k), state, act, params
        )
        assert not np.any(terminated)
        ends.append(bool(np.all(truncated)))
    assert ends == [False, True, True]
    plant = state.plant
    hot = dataclasses.replace(
        plant,
        supply_air_temp=plant.supply_air_temp.at[:, 0].add(TRIP_TEMP),
    )
    _, _, reward, terminated, _, _ = step(
        jax.random.key(9), dataclasses.replace(state, plant=hot), act, params
    )
    assert list(np.asarray(terminated)) == [True, False, False, False]
    # Ending early must not pay: a day of ordinary steps costs less than a trip.
    assert float(reward[0]) < 100.0 * float(np.min(reward[1:]))


def test_history_holds_the_last_fifteen_minutes_newest_first() -> None:
    params = quiet_params()
    _, state = start(jax.random.key(0), places(4, 2), params)
    means = []
    for k in range(HISTORY):
        act = action_from_vector(vectors(4, k))
        _, state, _, _, _, info = step(jax.random.key(k), state, act, params)
        means.append(np.asarray(info["summary"].mean.inlet_temp))
    np.testing.assert_array_equal(state.inlet_history, np.stack(means[::-1]))


def test_the_clock_begins_where_the_place_says_and_moves_five_minutes() -> None:
    params = quiet_params()
    place = places(4, 2)
    seen, state = start(jax.random.key(0), place, params)
    np.testing.assert_array_equal(seen.time, place.time)
    seen, _, *_ = step(jax.random.key(0), state, state.applied, params)
    np.testing.assert_array_equal(seen.time, place.time + 300)


def test_the_observation_shows_the_set_points_in_force() -> None:
    params = quiet_params()
    _, state = start(jax.random.key(0), places(4, 2), params)
    wanted = vectors(4)
    seen, _, *_ = step(jax.random.key(0), state, action_from_vector(wanted), params)
    np.testing.assert_array_equal(seen.applied, wanted)


def test_resets_differ_by_key_and_keep_their_shape() -> None:
    params = quiet_params()
    reset = jax.jit(TASK.reset_batch, static_argnums=2)
    first, second = (reset(jax.random.key(k), params, (16,)) for k in (0, 1))
    assert first[0].value.shape == (16, OBSERVATION_SIZE)
    assert not np.array_equal(first[0].time, second[0].time)
    single, _ = jax.jit(TASK.reset)(jax.random.key(0), params)
    assert single.value.shape == (OBSERVATION_SIZE,)
