"""The Gymnasium adapter adds nothing to the task and keeps Gymnasium's own rules."""

import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from clock_task import (
    CLOCK,
    LANES,
    LOWER,
    LOWEST,
    MIDDLE,
    ONE,
    UPPER,
    WHOLE,
    ClockTask,
    assert_alike,
    changed,
    clocks,
    mild,
    plant_env,
    plant_params,
)
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from made_plants import TASK

from coolbound_envs.action_box import is_refused
from coolbound_envs.gymnasium_adapters import (
    ID,
    CoolingEnv,
    CoolingVectorEnv,
    make_vector,
    register,
)
from coolbound_envs.gymnasium_border import (
    FLAT_NAMES,
    draw_key,
    physical_actions,
    programs,
)
from coolbound_envs.spec import ACTION_SIZE, CHANNEL_NAMES, POINT_INDEX
from coolbound_envs.tables import InputError
from coolbound_envs.types import Quality, action_from_vector

NATIVE_STEP = jax.jit(TASK.step)


def test_the_plant_by_id_passes_gymnasiums_own_check_without_a_warning() -> None:
    """Warnings are errors here."""
    register()
    env = gymnasium.make(ID, task=TASK, params=plant_params())
    check_env(env.unwrapped)
    assert env.action_space == gymnasium.spaces.Box(0.0, 1.0, (ACTION_SIZE,))


def warnings_of_the_check(task: ClockTask, **options: Any) -> list[str]:
    env = CoolingEnv(task, ONE, **options)
    env.spec = EnvSpec(ID, "made:for_the_test")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        check_env(env, skip_render_check=True, skip_close_check=True)
    return [str(one.message) for one in told]


def test_any_task_passes_gymnasiums_own_check() -> None:
    assert warnings_of_the_check(WHOLE, normalised=True) == []
    assert warnings_of_the_check(WHOLE, normalised=True, flat=True) == []


def test_physical_actions_meet_only_the_advice_to_normalise() -> None:
    (told,) = warnings_of_the_check(WHOLE)
    assert "we recommend using a symmetric and normalized space" in told


def test_flat_observations_are_in_their_box_though_readings_are_missing() -> None:
    assert warnings_of_the_check(CLOCK, normalised=True, flat=True) == []
    env = CoolingEnv(CLOCK, ONE)
    env.reset(seed=0)
    seen = env.step(MIDDLE)[0]
    assert np.isnan(seen["value"][1])
    assert seen["quality"][1] == int(Quality.MISSING)
    assert seen not in env.observation_space


@pytest.mark.parametrize("normalised", [False, True])
def test_an_episode_is_the_tasks_own_step_by_step(normalised: bool) -> None:
    env = plant_env(normalised=normalised)
    seen, info = env.reset(seed=7)
    assert info == {}
    # The documented derivation of keys, from a generator of the same seed.
    first, key = jax.random.split(draw_key(np.random.default_rng(7)))
    native, state = programs(TASK).reset(first, plant_params(), (1,))
    truncated = False
    for k, action in enumerate(mild(1, 6)):
        assert isinstance(seen, dict)
        for name in ("value", "quality", "age", "applied"):
            wanted = np.asarray(getattr(native, name))[0]
            np.testing.assert_array_equal(seen[name], wanted)
        np.testing.assert_array_equal(seen["time"], native.time)
        unit = (action - LOWER) / (UPPER - LOWER)
        seen, reward, terminated, truncated, info = env.step(
            unit if normalised else action
        )
        given = physical_actions(unit, None, True, "raise") if normalised else action
        native, state, *answer, wanted = NATIVE_STEP(
            jax.random.fold_in(key, k),
            state,
            action_from_vector(jnp.asarray(given).reshape(1, -1)),
            plant_params(),
        )
        assert (reward, terminated, truncated) == tuple(x[0].item() for x in answer)
        for name in ("costs", "limits"):
            np.testing.assert_array_equal(info[name], np.asarray(wanted[name])[0])
        assert info["cost"] == pytest.approx(float(np.sum(wanted["costs"])), rel=1e-6)
        powers = {name: float(x[0]) for name, x in wanted["power"].items()}
        assert info["power"] == powers
        assert info["action_refused"] is False
        assert info["diverged"] is False
    assert truncated


def test_an_episode_does_not_depend_on_how_long_the_one_before_was() -> None:
    def second(steps: int) -> Any:
        env = plant_env()
        env.reset(seed=11)
        for action in mild(steps, steps):
            env.step(action)
        return env.reset(), env.step(MIDDLE)

    short, long = second(1), second(4)
    assert_alike(short[0], long[0])
    assert_alike(short[1], long[1])


def test_resets_without_seed_differ_and_unseeded_environments_too() -> None:
    env = plant_env()
    times = [float(env.reset()[0]["time"][0]) for _ in range(6)]
    times += [float(plant_env().reset()[0]["time"][0])]
    assert len(set(times)) > 4


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (
            changed(4, np.nan),
            r"'chw_supply_setpoint': found nan, expected 7 to 18",
        ),
        (changed(9, np.inf), r"'economizer_demand': found inf, expected 0 to 1 1"),
        (
            changed(5, 34.0),
            r"'chw_pressure_setpoint': found 34, expected 34.5 to",
        ),
        (
            changed(0, 25.1),
            r"'supply_air_setpoint_hall1': found 25.1, expected 16",
        ),
        (changed(8, -1.0), r"'chiller_demand': found -1, expected 0 to 3 machines"),
        (
            MIDDLE[:9],
            r"found shape \(9,\), expected \(10,\).*supply_air_setpoint",
        ),
        (MIDDLE[None], r"found shape \(1, 10\), expected \(10,\)"),
        (["warm"] * 10, r"found an array of <U4, expected real numbers"),
        (MIDDLE + 1j, r"found an array of complex64, expected real numbers"),
        (None, r"found an array of object, expected real numbers"),
    ],
)
def test_a_bad_action_is_refused_and_the_episode_stands_where_it_was(
    action: Any, expected: str
) -> None:
    env, other = CoolingEnv(CLOCK, ONE), CoolingEnv(CLOCK, ONE)
    env.reset(seed=0)
    other.reset(seed=0)
    with pytest.raises(InputError, match=expected):
        env.step(action)
    assert_alike(env.step(MIDDLE), other.step(MIDDLE))


def test_held_actions_are_refused_by_the_task_and_told() -> None:
    env = plant_env(on_bad_action="hold")
    env.reset(seed=0)
    env.step(MIDDLE)
    seen, *_, info = env.step(changed(4, np.nan))
    assert info["action_refused"] is True
    np.testing.assert_array_equal(seen["applied"], MIDDLE)
    env.step(changed(4, 40.0))
    assert int(env._state.refused[0]) == 2


@pytest.mark.parametrize("normalised", [False, True])
def test_the_border_refuses_what_the_plant_refuses(normalised: bool) -> None:
    """Both rules, on steps around every bound, in both forms of the action."""
    offsets = np.array([-2e-3, -1.1e-3, -9e-4, -1e-7, 0.0, 1e-7, 9e-4, 1.1e-3, 2e-3])
    for index in range(ACTION_SIZE):
        for end in (0.0, 1.0):
            for offset in offsets:
                unit = np.full(ACTION_SIZE, 0.5)
                unit[index] = end + offset
                physical = LOWER + unit * (UPPER - LOWER)
                given = unit if normalised else physical
                passed = physical_actions(given, None, normalised, "hold")
                refused = bool(is_refused(action_from_vector(jnp.asarray(passed)))[0])
                try:
                    physical_actions(given, None, normalised, "raise")
                    assert not refused
                except InputError:
                    assert refused


def test_the_ends_of_normalised_actions_are_the_ends_of_the_channels() -> None:
    for end, bound in ((0.0, LOWER), (1.0, UPPER)):
        found = physical_actions(np.full(ACTION_SIZE, end), None, True, "raise")
        np.testing.assert_array_equal(found[0], bound.astype(np.float32))


def test_flat_observations_hold_the_record_and_mask_what_is_missing() -> None:
    record, flat = CoolingEnv(CLOCK, ONE), CoolingEnv(CLOCK, ONE, flat=True)
    assert flat.observation_space.shape == (len(FLAT_NAMES),)
    record.reset(seed=4)
    flat.reset(seed=4)
    seen, vector = record.step(MIDDLE)[0], flat.step(MIDDLE)[0]
    named = dict(zip(FLAT_NAMES, vector, strict=True))
    for name, index in POINT_INDEX.items():
        is_lost = index == 1
        assert named[f"present {name}"] == (0.0 if is_lost else 1.0)
        assert named[f"quality {name}"] == seen["quality"][index]
        assert named[f"age {name}"] == seen["age"][index]
        wanted = LOWEST[index] if is_lost else seen["value"][index]
        assert named[f"value {name}"] == wanted
    for name, value in zip(CHANNEL_NAMES, seen["applied"], strict=True):
        assert named[f"applied {name}"] == value
    assert named["time"] == seen["time"][0]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: clocks(on_bad_action="clip"), r"found 'clip', expected 'raise' or"),
        (lambda: CoolingVectorEnv(CLOCK, ONE, 0), r"num_envs: found 0, expected 1"),
        (lambda: CoolingEnv(CLOCK, ONE).reset(options={"hot": 1}), r"option 'hot'"),
        (lambda: make_vector(2, CLOCK), r"found a task without params, expected bo"),
        (lambda: make_vector(2, "bad-week", ONE), r"params beside the reference task"),
        (lambda: make_vector(2, "bad-day"), r"'bad-day', expected one of calm-day"),
        (lambda: make_vector(2, days=0), r"found 0 days, expected 1 or more"),
        (lambda: make_vector(2, weather="pheonix"), r"'pheonix'.*one of chicago"),
        (
            lambda: clocks().reset(options={"reset_mask": np.ones(LANES, bool)}),
            r"found a reset_mask at the first reset",
        ),
    ],
)
def test_bad_options_are_refused_in_words(
    call: Callable[[], Any], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        call()


def test_a_reference_task_by_name_takes_other_weather_load_and_length() -> None:
    env = make_vector(
        2, "calm-day", weather=("phoenix", "dallas"), load="frontier", days=2
    )
    assert env.params.scenario.hours.shape == (2,)
    assert env.params.scenario.steps[0] == 288
    assert env.params.horizon == 2 * 288
    assert env.params.sensors.noise == 0.0


def test_steps_without_an_episode_are_refused() -> None:
    env = CoolingEnv(CLOCK, ONE)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(MIDDLE)
    env.reset(seed=0)
    while not any(env.step(MIDDLE)[2:4]):
        pass
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(MIDDLE)
