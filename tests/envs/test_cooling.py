"""The task repeats, batches, compiles once, and survives any action in range."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import CITIES, NORMAL, TASK, drill, places, start, step, task_params

from coolbound_envs.accounts import REWARD_POWER
from coolbound_envs.cooling import HISTORY, CoolingTask
from coolbound_envs.episode import TaskParams, TaskState, select_lanes
from coolbound_envs.fault_kinds import FaultEvent, FaultKind
from coolbound_envs.fault_schedule import fixed_plan, random_plan
from coolbound_envs.limit_table import GROUPS, LIMIT_NAMES
from coolbound_envs.scenario import Place
from coolbound_envs.soundness import require_sound
from coolbound_envs.spec import (
    ACTION_SIZE,
    CHANNEL_NAMES,
    OBSERVATION_SIZE,
    channel_array,
)
from coolbound_envs.types import Observation, action_from_vector, from_unit
from coolbound_envs.variation import NAMES, make_spread

POWERS = ("it", "crah", "chiller", "chw_pump", "cw_pump", "tower")


DRILL = (
    FaultEvent(FaultKind.CHILLER_TRIP, "chiller2", 0.0, 300.0),
    FaultEvent(FaultKind.CRAH_LOSS, "hall1", 300.0, 900.0),
    FaultEvent(FaultKind.LOAD_STEP, "hall2", 0.0, 1800.0),
    FaultEvent(FaultKind.POWER_DIP, "site", 300.0, 20.0),
    FaultEvent(FaultKind.SENSOR_BIAS, "chw_flow", 0.0, 600.0, 9.0),
)


@functools.cache
def quiet_params() -> TaskParams:
    """Instruments without noise: readings then do not depend on the batch."""
    return task_params(*CITIES, noise=0.0)


@functools.cache
def drill_params() -> TaskParams:
    """The same with faults that are the same in every lane."""
    return task_params(*CITIES, noise=0.0, faults=drill(*DRILL))


def unlike(state: TaskState) -> TaskState:
    """Return a batch whose plants differ, the first the same for every size."""
    lane = np.arange(state.steps.shape[0]) % 64
    factor = jnp.asarray(0.9 + 0.2 / 64.0 * lane, jnp.float32)
    variation = dataclasses.replace(
        state.variation, chiller_capacity=factor, recirculation=factor, load=factor
    )
    return dataclasses.replace(state, variation=variation)


def vectors(count: int, seed: int = 0) -> jax.Array:
    """Return actions (count, 10), the first lanes the same for every count."""
    unit = np.random.default_rng(seed).uniform(0.2, 0.8, (4096, ACTION_SIZE))
    tiled = np.tile(unit, (-(-count // 4096), 1))[:count]
    lower, upper = channel_array("lower"), channel_array("upper")
    return jnp.asarray(lower + tiled * (upper - lower), jnp.float32)


@functools.cache
def short_run(count: int, steps: int = 2) -> tuple[Observation, dict[str, Any]]:
    params = drill_params()
    seen, state = start(jax.random.key(1), places(count, 2, spread=300), params)
    state = unlike(state)
    info: dict[str, Any] = {}
    for k in range(steps):
        act = action_from_vector(vectors(count, k))
        seen, state, reward, _, _, info = step(jax.random.key(k), state, act, params)
        info = info | {"reward": reward}
    return seen, info


def test_step_returns_what_the_contract_names() -> None:
    seen, info = short_run(256)
    assert seen.value.shape == (256, OBSERVATION_SIZE)
    assert seen.applied.shape == (256, ACTION_SIZE)
    assert info["costs"].shape == (256, len(GROUPS))
    assert info["limits"].shape == (256, len(LIMIT_NAMES))
    assert set(info["power"]) == set(POWERS)
    np.testing.assert_array_equal(info["final_observation"].value, seen.value)


def test_reward_is_minus_the_power_above_the_work() -> None:
    _, info = short_run(256)
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


def test_sixty_five_thousand_plants_agree_with_a_few() -> None:
    few, many = short_run(256), short_run(65536)
    last = slice(61440, 61440 + 256)
    np.testing.assert_allclose(few[1]["reward"], many[1]["reward"][:256], rtol=1e-4)
    np.testing.assert_allclose(few[0].value, many[0].value[:256], rtol=1e-5, atol=1e-3)
    assert np.all(np.isfinite(np.asarray(many[0].value[last])))


def test_the_same_key_and_actions_give_the_same_bits() -> None:
    plan = random_plan({FaultKind.SENSOR_LATE: 20.0, FaultKind.LOAD_STEP: 20.0}, 3600)
    spread = make_spread(chiller_capacity=0.1, outdoor_temp=2.0)
    params = task_params(*CITIES, dropout=0.05, faults=plan, variation=spread)

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
        **{
            name: getattr(plant, name).at[..., 0].add(40.0)
            for name in (
                "server_temp",
                "hot_aisle_temp",
                "structure_temp",
                "supply_air_temp",
                "return_air_temp",
                "supply_pipe_temp",
            )
        },
    )
    _, _, reward, terminated, truncated, _ = step(
        jax.random.key(9), dataclasses.replace(state, plant=hot), act, params
    )
    assert list(np.asarray(terminated)) == [True, False, False, False]
    # A trip at the end of its time is a trip: no value is to be expected after it.
    assert list(np.asarray(truncated)) == [False, True, True, True]
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


REFUSED = [
    *[(name, np.nan) for name in CHANNEL_NAMES],
    ("chw_supply_setpoint", np.inf),
    ("chw_supply_setpoint", 6.9),
    ("supply_air_setpoint_hall2", 25.1),
    ("crah_fan_speed_hall1", -0.5),
    ("tower_fan_speed", -0.01),
    ("tower_fan_speed", 1.01),
    ("chiller_demand", 3.1),
    ("economizer_demand", 1e9),
    ("cw_pump_speed", 0.39),
    ("chw_pressure_setpoint", -1e30),
]


@pytest.mark.parametrize("first", range(0, len(REFUSED), 4))
def test_an_impossible_action_never_reaches_the_plant(first: int) -> None:
    """Each of four lanes asks for one impossible thing; all hold the last action."""
    params, key = quiet_params(), jax.random.key(2)
    _, state = start(jax.random.key(1), places(4, 2), params)
    asked = np.array(vectors(4))
    for lane, (name, value) in enumerate(REFUSED[first : first + 4]):
        asked[lane, CHANNEL_NAMES.index(name)] = value
    given = action_from_vector(jnp.asarray(asked, jnp.float32))
    held = step(key, state, state.applied, params)
    found = step(key, state, given, params)
    assert np.all(found[5]["action_refused"])
    assert not np.any(held[5]["action_refused"])
    for a, b in zip(
        jax.tree.leaves((found[0], found[1].plant, found[2:5])),
        jax.tree.leaves((held[0], held[1].plant, held[2:5])),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found[1].refused, 1)
    again = step(key, found[1], given, params)[1]
    np.testing.assert_array_equal(again.refused, 2)
    np.testing.assert_array_equal(held[1].refused, 0)


def test_a_possible_action_is_applied_as_it_is_rounding_and_limits_included() -> None:
    params = quiet_params()
    _, state = start(jax.random.key(0), places(4, 2), params)
    asked = np.array(vectors(4))
    asked[0] = channel_array("upper") * (1.0 + 1e-7)
    asked[1] = channel_array("lower") - 1e-5
    # Between off and its lowest speed a fan breaks a limit, not its box.
    asked[2, 7] = 0.1
    seen, state, *_, info = step(
        jax.random.key(0),
        state,
        action_from_vector(jnp.asarray(asked, jnp.float32)),
        params,
    )
    assert not np.any(info["action_refused"])
    np.testing.assert_array_equal(seen.applied, asked.astype(np.float32))
    assert float(info["limits"][2, 18]) > 0.0


def test_a_record_of_what_was_applied_is_not_refused() -> None:
    params = quiet_params()
    _, state = start(jax.random.key(0), places(4, 2), params)
    told = np.array(vectors(4))
    told[:, 6] = 0.0  # a pump that stood still
    act = action_from_vector(jnp.asarray(told, jnp.float32))
    replay = jax.jit(CoolingTask(checks_actions=False).step)
    seen, state, *_, info = replay(jax.random.key(0), state, act, params)
    assert not np.any(info["action_refused"])
    np.testing.assert_array_equal(seen.applied[:, 6], 0.0)
    np.testing.assert_array_equal(state.refused, 0)


def test_one_environment_is_small_even_with_many_faults() -> None:
    plan = random_plan({FaultKind.CHILLER_TRIP: 4.0}, 86400, fixed_plan(DRILL))
    params = dataclasses.replace(quiet_params(), faults=plan)
    shapes = jax.eval_shape(lambda key: TASK.reset(key, params)[1], jax.random.key(0))
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
    assert shapes.faults.kind.shape[0] > 15
    assert size < 4096


def test_lanes_that_ended_are_replaced_whole_whatever_the_batch_size() -> None:
    """Batches as large as the plant has halls, chillers, zones or faults, too."""
    params = drill_params()
    for count in (2, 3, 5):
        pair = [
            jax.eval_shape(
                lambda key, n=count: TASK.reset_batch(key, params, (n,))[1],
                jax.random.key(0),
            )
        ]
        old, new = (
            jax.tree.map(lambda x, v=value: jnp.full(x.shape, v, x.dtype), pair[0])
            for value in (0, 1)
        )
        ended = jnp.arange(count) == 1
        mixed = select_lanes(ended, new, old)
        for name in (field.name for field in dataclasses.fields(mixed)):
            axis = 0 if name == "applied" else -1
            for leaf in jax.tree.leaves(getattr(mixed, name)):
                lanes = np.moveaxis(np.asarray(leaf), axis, 0)
                assert np.all(lanes[1] == 1), name
                assert np.all(np.delete(lanes, 1, axis=0) == 0), name


def test_random_faults_and_plants_keep_every_state_possible() -> None:
    """Random actions, faults at fifty times what a bad site has, varied plants."""
    rates = {kind: 2.0 for kind in FaultKind if kind != FaultKind.NONE}
    widths = {name: 0.2 for name in NAMES}
    params = task_params(
        *CITIES,
        dropout=0.01,
        faults=random_plan(rates, 43200.0),
        variation=make_spread(**widths),
    )
    lanes = 32

    @jax.jit
    def run(key: jax.Array) -> tuple[TaskState, Any]:
        _, state = TASK.start_at(key, places(lanes, 2, spread=11 * 86400), params)

        def body(state: TaskState, key: jax.Array) -> tuple[TaskState, Any]:
            draw, noise = jax.random.split(key)
            unit = jax.random.uniform(draw, (lanes, ACTION_SIZE))
            act = action_from_vector(jax.vmap(from_unit)(unit))
            seen, state, reward, _, _, info = TASK.step(noise, state, act, params)
            fine = jnp.all(jnp.isfinite(reward)) & jnp.all(jnp.isfinite(seen.value))
            return state, (jnp.any(info["diverged"]), fine)

        return jax.lax.scan(body, state, jax.random.split(key, 144))

    state, (diverged, fine) = run(jax.random.key(0))
    assert np.sum(np.asarray(state.faults.kind) > 0) > 10 * lanes
    assert not np.any(diverged)
    assert np.all(fine)
    require_sound(state)


def test_water_is_what_evaporates_drifts_and_is_blown_down() -> None:
    _, info = short_run(256)
    water = {name: np.asarray(x, np.float64) for name, x in info["water"].items()}
    mean = info["summary"].mean
    np.testing.assert_array_equal(water["evaporation"], mean.evaporation)
    assert np.all(water["evaporation"] > 0.0)
    total = water["evaporation"] + water["drift"] + water["blowdown"]
    np.testing.assert_allclose(water["make_up"], total, rtol=1e-5)
    # All latent it would be the heat over the heat of evaporation; dry desert air
    # is itself cooled, which evaporates more, cold air takes up heat as such.
    share = water["evaporation"] / (np.asarray(mean.tower_heat, np.float64) / 2.43e6)
    acting = info["disturbance"]
    is_damp = np.asarray(acting.dry_bulb - acting.wet_bulb) < 5.0
    assert np.sum(is_damp) > 20
    assert np.all((share[is_damp] > 0.3) & (share[is_damp] < 1.05))
    assert np.all(share < 2.0)


def test_whoever_leaves_heat_behind_at_the_horizon_pays_for_it() -> None:
    given = task_params("phoenix", horizon=3)
    _, state = start(jax.random.key(5), places(2), given)
    cool = NORMAL
    coast = (*NORMAL[:7], 0.0, 0.0, 0.0)  # neither machines nor towers
    charges, rewards = [], []
    truncated, info = jnp.zeros(2, bool), {}
    for number in range(3):
        vector = jnp.asarray([cool, coast], jnp.float32)
        _, state, reward, _, truncated, info = step(
            jax.random.key(number), state, action_from_vector(vector), given
        )
        charges.append(np.asarray(info["heat_charge"]))
        rewards.append(np.asarray(reward))
        power = sum(np.asarray(p, np.float64) for p in info["power"].values())
        bare = -(power - np.asarray(info["work"])) / REWARD_POWER
        np.testing.assert_allclose(rewards[-1], bare - charges[-1], rtol=1e-5)
    assert np.all(np.asarray(truncated))
    assert np.all(np.asarray(charges[:2]) == 0.0)
    # A quarter of an hour without cooling: the work of that time, a quarter of it
    # as power, in one interval.
    heat = float(np.asarray(info["work"])[1]) * 900.0
    expected = 0.25 * heat / (300.0 * REWARD_POWER)
    assert 0.5 * expected < charges[2][1] < 1.5 * expected
    assert charges[2][0] < 0.3 * charges[2][1]
    # It never pays to have coasted.
    assert sum(r[1] for r in rewards) < sum(r[0] for r in rewards)
