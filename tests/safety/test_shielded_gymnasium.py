"""Behind Gymnasium the shield is the same: what it certifies is what is applied."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.vector import AutoresetMode
from made_plants import task_params
from seen_plants import model

from coolbound_envs.cooling import CoolingTask
from coolbound_envs.gymnasium_adapters import CoolingVectorEnv
from coolbound_envs.gymnasium_border import draw_key, programs
from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.types import from_unit
from coolbound_safety.shielded import ShieldedParams, ShieldedTask

LANES = 2
TASK = ShieldedTask(CoolingTask())


@functools.cache
def params() -> ShieldedParams:
    task = task_params("phoenix", "chicago", horizon=3)
    return ShieldedParams(task=task, safety=model())


def proposals(steps: int) -> np.ndarray:
    """Return wild shares of every channel's range, (steps, lanes, 10)."""
    draw = np.random.default_rng(0)
    return draw.uniform(size=(steps, LANES, ACTION_SIZE)).astype(np.float32)


def test_a_shielded_vector_is_the_shielded_task_and_resets_whole_lanes() -> None:
    env = CoolingVectorEnv(
        TASK,
        params(),
        LANES,
        normalised=True,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    seen, _ = env.reset(seed=0)
    first, key = jax.random.split(draw_key(np.random.default_rng(0)))
    program = programs(TASK)
    truncated, info = np.zeros(LANES, bool), {}
    native, state = program.reset(first, params(), (LANES,))
    for k, unit in enumerate(proposals(3)):
        np.testing.assert_array_equal(seen["value"], native.value)
        seen, rewards, _, truncated, info = env.step(unit)
        asked = jax.vmap(from_unit)(jnp.asarray(unit))
        native, state, reward, *_, wanted = program.step(
            key, np.uint32(k), state, asked, params()
        )
        np.testing.assert_allclose(rewards, reward, rtol=1e-4)
        np.testing.assert_allclose(info["proposed"], asked, rtol=1e-5)
        np.testing.assert_allclose(info["certified"], wanted["certified"], atol=1e-3)
        assert np.max(info["intervention"]) == 1.0
        assert "envelope" not in info
    assert np.all(truncated)
    check_fresh(env, info)


def check_fresh(env: CoolingVectorEnv, info: dict[str, Any]) -> None:
    """After the end: last observations told, new episodes begun in every array."""
    for lane in range(LANES):
        last = info["final_obs"][lane]
        np.testing.assert_array_equal(last["applied"], info["certified"][lane])
        assert info["final_info"]["cost"][lane] == info["cost"][lane]
    seen, _, terminated, truncated, _ = env.step(proposals(1)[0])
    assert not np.any(terminated | truncated)
    np.testing.assert_array_equal(env._state.task.steps, np.ones(LANES))
    np.testing.assert_array_equal(env._state.observation.value, seen["value"])
