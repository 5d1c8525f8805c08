"""A batch behind Gymnasium: its own lanes, autoreset as stated, one program."""

from typing import Any

import gymnasium
import jax
import numpy as np
import pytest
from clock_task import (
    CLOCK,
    LANES,
    MIDDLE,
    ONE,
    UPPER,
    ClockTask,
    assert_alike,
    clocks,
    lanes_of,
    mild,
    plant_env,
    plant_params,
    run,
)
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from made_plants import TASK

from coolbound_envs.gymnasium_adapters import (
    ID,
    CoolingEnv,
    CoolingVectorEnv,
    register,
)
from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.tables import InputError

MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)


def test_one_lane_of_a_vector_is_the_single_environment() -> None:
    single = plant_env()
    vector = CoolingVectorEnv(TASK, plant_params(), 1)
    one, _ = single.reset(seed=3)
    many, _ = vector.reset(seed=3)
    for action in mild(2, 6):
        assert_alike(jax.tree.map(lambda x: x[0], many), one)
        one, *answer, info = single.step(action)
        many, *answers, infos = vector.step(action[None])
        assert answer == [x[0].item() for x in answers]
        np.testing.assert_array_equal(infos["limits"][0], info["limits"])
        assert infos["power"]["chiller"][0] == info["power"]["chiller"]


def test_each_lane_of_a_vector_is_the_task_from_that_lanes_state() -> None:
    """Without autoreset: what happens to a lane depends on no other lane."""
    vector = clocks()
    seen, _ = vector.reset(seed=0)
    starts = seen["value"][:, 0].copy()
    seen, rewards, *_ = vector.step(lanes_of(MIDDLE))
    np.testing.assert_allclose(rewards, -1.0 - 0.001 * starts, rtol=1e-6)
    np.testing.assert_array_equal(seen["value"][:, 0], starts)
    np.testing.assert_array_equal(seen["time"], np.ones((LANES, 1)))


def test_a_seed_fixes_all_episodes_and_another_seed_gives_others() -> None:
    env = clocks(autoreset_mode="SameStep")
    first = env.reset(seed=5), run(env, 20, lanes_of(MIDDLE))
    again = env.reset(seed=5), run(env, 20, lanes_of(MIDDLE))
    other = env.reset(seed=6)
    assert str(first) == str(again)
    assert not np.array_equal(other[0]["value"][:, 0], first[0][0]["value"][:, 0])


def history(mode: AutoresetMode, flat: bool) -> tuple[CoolingVectorEnv, list[Any]]:
    env = clocks(autoreset_mode=mode, flat=flat)
    env.reset(seed=1)
    return env, run(env, 40, lanes_of(MIDDLE))


def test_next_step_mode_resets_in_the_step_after_the_end() -> None:
    env, steps = history(AutoresetMode.NEXT_STEP, False)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    ended = np.zeros(LANES, bool)
    clock, count = np.zeros(LANES), 0
    for seen, rewards, terminated, truncated, info in steps:
        clock = np.where(ended, 0.0, clock + 1.0)
        np.testing.assert_array_equal(seen["time"][:, 0], clock)
        np.testing.assert_array_equal(info["_cost"], ~ended)
        np.testing.assert_array_equal(info["power"]["_pump"], ~ended)
        np.testing.assert_array_equal(info["power"]["pump"], 10.0 * clock)
        assert np.all(rewards[ended] == 0.0)
        assert np.all(rewards[~ended] <= -clock[~ended])
        assert not np.any((terminated | truncated) & ended)
        is_odd = seen["value"][:, 0] % 2 == 1
        assert np.all(is_odd[terminated])
        assert not np.any(is_odd[truncated])
        ended = terminated | truncated
        count += int(ended.sum())
    assert count > 2 * LANES


def test_same_step_mode_gives_the_last_of_the_old_and_the_first_of_the_new() -> None:
    env, steps = history(AutoresetMode.SAME_STEP, False)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    clock, count = np.zeros(LANES), 0
    for seen, rewards, terminated, truncated, info in steps:
        clock = clock + 1.0
        ended = terminated | truncated
        np.testing.assert_array_equal(seen["time"][:, 0], np.where(ended, 0.0, clock))
        np.testing.assert_array_equal(info["power"]["pump"], 10.0 * clock)
        assert np.all(info["_cost"])
        assert ("final_obs" in info) == bool(ended.any())
        for lane in np.flatnonzero(ended):
            final = info["final_obs"][lane]
            assert final["time"][0] == clock[lane]
            start = final["value"][0]
            assert rewards[lane] == pytest.approx(-clock[lane] - 0.001 * start)
            assert info["final_info"]["cost"][lane] == info["cost"][lane]
            assert info["final_info"]["power"]["pump"][lane] == 10.0 * clock[lane]
        if ended.any():
            np.testing.assert_array_equal(info["_final_obs"], ended)
            np.testing.assert_array_equal(info["final_info"]["_costs"], ended)
            assert all(info["final_obs"][k] is None for k in np.flatnonzero(~ended))
        clock = np.where(ended, 0.0, clock)
        count += int(ended.sum())
    assert count > 2 * LANES


def shape_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape_of(part) for name, part in sorted(value.items())}
    array = np.asarray(value)
    return array.shape, array.dtype.kind


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("flat", [False, True])
def test_answers_have_the_form_of_gymnasiums_own_vector(
    mode: AutoresetMode, flat: bool
) -> None:
    own = SyncVectorEnv(
        [lambda: CoolingEnv(CLOCK, ONE, flat=flat)] * LANES, autoreset_mode=mode
    )
    ours = clocks(autoreset_mode=mode, flat=flat)
    assert ours.observation_space == own.observation_space
    assert ours.action_space == own.action_space
    assert shape_of(ours.reset(seed=0)[0]) == shape_of(own.reset(seed=0)[0])
    kinds: list[set[str]] = []
    for env in (ours, own):
        seen = {}
        for answer in run(env, 20, lanes_of(MIDDLE)):
            is_final = "final_obs" in answer[4]
            seen[is_final] = str([shape_of(part) for part in answer])
        kinds.append(set(seen.values()))
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("mode", MODES)
def test_gymnasiums_statistics_count_our_episodes(mode: AutoresetMode) -> None:
    env = RecordEpisodeStatistics(clocks(autoreset_mode=mode))
    env.reset(seed=2)
    lengths: list[int] = []
    for _, _, terminated, truncated, info in run(env, 60, lanes_of(MIDDLE)):
        ended = terminated | truncated
        if ended.any():
            lengths += list(info["episode"]["l"][ended])
            wanted = -np.cumsum(np.arange(1, 9))[info["episode"]["l"][ended] - 1]
            np.testing.assert_allclose(info["episode"]["r"][ended], wanted, atol=9.0)
    assert len(lengths) > 3 * LANES
    assert set(lengths) <= set(range(2, 9))


def test_without_autoreset_the_caller_resets_by_mask() -> None:
    env = clocks(autoreset_mode=AutoresetMode.DISABLED)
    seen, _ = env.reset(seed=0)
    ended = np.zeros(LANES, bool)
    while not ended.any():
        seen, _, terminated, truncated, _ = env.step(lanes_of(MIDDLE))
        ended = terminated | truncated
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(lanes_of(MIDDLE))
    fresh, _ = env.reset(options={"reset_mask": ended})
    assert isinstance(fresh, dict)
    assert isinstance(seen, dict)
    assert np.all(fresh["time"][ended] == 0.0)
    for name, values in fresh.items():
        np.testing.assert_array_equal(values[~ended], seen[name][~ended])
    env.step(lanes_of(MIDDLE))


@pytest.mark.parametrize(
    "mask", [[True] * LANES, np.ones(3, bool), np.zeros(LANES, bool)]
)
def test_a_reset_mask_that_is_none_is_refused(mask: Any) -> None:
    env = clocks(autoreset_mode=AutoresetMode.DISABLED)
    env.reset(seed=0)
    with pytest.raises(InputError, match=r"reset_mask .*expected a bool array"):
        env.reset(options={"reset_mask": mask})


def test_a_bad_action_of_one_lane_names_the_lane() -> None:
    actions = lanes_of(np.full(ACTION_SIZE, 0.5))
    actions[3, 6] = 1.2
    env = clocks(normalised=True)
    env.reset(seed=0)
    expected = r"'cw_pump_speed' of environment 3: found 1.2, expected 0 to 1, which is"
    with pytest.raises(InputError, match=expected):
        env.step(actions)


def test_the_action_of_a_lane_that_begins_anew_is_not_read() -> None:
    env = clocks()
    env.reset(seed=1)
    ended = np.zeros(LANES, bool)
    for _ in range(20):
        actions = lanes_of(MIDDLE)
        actions[ended] = np.nan
        _, _, terminated, truncated, info = env.step(actions)
        assert not np.any(info["action_refused"])
        ended = terminated | truncated


def test_a_random_policy_runs_on_vectors_made_by_id() -> None:
    register()
    env: VectorEnv[Any, Any, Any] = gymnasium.make_vec(
        ID, num_envs=1, task=TASK, params=plant_params(), flat=True
    )
    env.action_space.seed(0)
    env.reset(seed=0)
    ends = 0
    for _ in range(40):
        seen, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert seen in env.observation_space
        assert np.all(np.isfinite(reward))
        assert np.all(np.isfinite(info["cost"]))
        ends += int(np.sum(terminated | truncated))
    assert ends >= 5


def test_everything_compiles_once_for_all_environments_of_a_task() -> None:
    task = ClockTask(name="counted")
    for seed in range(3):
        env = CoolingEnv(task, ONE * (seed + 1), on_bad_action="hold")
        env.reset(seed=seed)
        run(env, 2, MIDDLE)
        env.reset()
        env.step(UPPER.astype(np.float32))
        env.step(np.full(ACTION_SIZE, np.nan))
    assert sorted(task.traces) == ["reset", "step"]
    vector = CoolingVectorEnv(task, ONE, LANES)
    vector.reset(seed=0)
    for _ in range(30):
        vector.step(lanes_of(MIDDLE))
    # Two shapes more, looked at without compiling, tell where the batch stands.
    assert sorted(task.traces) == ["reset"] * 4 + ["step"] * 2
