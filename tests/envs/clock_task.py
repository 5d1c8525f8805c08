"""A small task of the environment contract, and the plant's, behind the adapters.

The small one counts: its lanes end at different times and compile at once, so the
adapters' bookkeeping can be seen.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from made_plants import TASK, task_params

from coolbound_envs.action_box import is_refused
from coolbound_envs.gymnasium_adapters import CoolingEnv, CoolingVectorEnv
from coolbound_envs.spec import (
    ACTION_SIZE,
    OBSERVATION_SIZE,
    channel_array,
    point_array,
)
from coolbound_envs.types import (
    Action,
    Observation,
    Quality,
    action_from_vector,
    action_to_vector,
)

LANES = 5
LOWER, UPPER = channel_array("lower"), channel_array("upper")
MIDDLE = ((LOWER + UPPER) / 2).astype(np.float32)
LOWEST = point_array("lower").astype(np.float32)
ONE = jnp.ones((), jnp.float32)


@struct.dataclass
class ClockState:
    """Lanes last, but for the action. Dynamic."""

    start: jax.Array
    length: jax.Array
    steps: jax.Array
    applied: Action


@dataclasses.dataclass(frozen=True)
class ClockTask:
    """A task that counts: each episode has its own start and length.

    The first reading is the start, the clock the steps; odd starts terminate, even
    ones are truncated. Where it `loses`, the second reading is missing in odd steps.
    """

    traces: list[str] = dataclasses.field(default_factory=list, compare=False)
    name: str = "clock"
    loses: bool = True

    def reset_batch(
        self, key: jax.Array, params: jax.Array, shape: tuple[int, ...]
    ) -> tuple[Observation, ClockState]:
        self.traces.append("reset")
        start_key, length_key = jax.random.split(key)
        middle = jnp.broadcast_to(jnp.asarray(MIDDLE), (*shape, ACTION_SIZE))
        state = ClockState(
            start=jax.random.randint(start_key, shape, 0, 1000),
            length=jax.random.randint(length_key, shape, 2, 9),
            steps=jnp.zeros(shape, jnp.int32),
            applied=action_from_vector(middle),
        )
        return self._seen(state), state

    def step(
        self, key: jax.Array, state: ClockState, action: Action, params: jax.Array
    ) -> Any:
        self.traces.append("step")
        refused = is_refused(action)
        asked, held = action_to_vector(action), action_to_vector(state.applied)
        applied = jnp.where(refused[..., None], held, asked)
        state = ClockState(
            start=state.start,
            length=state.length,
            steps=state.steps + 1,
            applied=action_from_vector(applied),
        )
        noise = jax.random.uniform(key, state.start.shape)
        ends = state.steps >= state.length
        is_odd = state.start % 2 == 1
        steps = state.steps.astype(jnp.float32)
        info = {
            "costs": jnp.stack([steps, noise], axis=-1) * params,
            "power": {"pump": steps * 10.0},
            "action_refused": refused,
            "summary": state,
        }
        reward = -steps - 0.001 * state.start.astype(jnp.float32)
        return self._seen(state), state, reward, ends & is_odd, ends & ~is_odd, info

    def _seen(self, state: ClockState) -> Observation:
        shape = state.start.shape
        value = jnp.broadcast_to(jnp.asarray(LOWEST), (*shape, OBSERVATION_SIZE))
        value = value.at[..., 0].set(state.start.astype(jnp.float32))
        is_lost = (jnp.arange(OBSERVATION_SIZE) == 1) & self.loses
        is_second = jnp.broadcast_to(is_lost, value.shape)
        is_lost = is_second & (state.steps[..., None] % 2 > 0)
        value = jnp.where(is_lost, jnp.nan, value)
        quality = jnp.where(is_lost, int(Quality.MISSING), int(Quality.GOOD))
        return Observation(
            value=value,
            quality=quality.astype(jnp.int32),
            age=jnp.zeros_like(value),
            applied=action_to_vector(state.applied),
            time=state.steps.astype(jnp.float32),
        )


CLOCK = ClockTask()
WHOLE = ClockTask(name="whole", loses=False)


def clocks(**options: Any) -> CoolingVectorEnv:
    return CoolingVectorEnv(CLOCK, ONE, LANES, **options)


def lanes_of(action: np.ndarray) -> np.ndarray:
    return np.broadcast_to(action, (LANES, ACTION_SIZE)).copy()


@functools.cache
def plant_params() -> Any:
    return task_params("phoenix", "chicago", dropout=0.05, horizon=6)


def plant_env(**options: Any) -> CoolingEnv:
    return CoolingEnv(TASK, plant_params(), **options)


def mild(seed: int, count: int) -> np.ndarray:
    """Return physical actions of the plant that trip nothing, shape (count, 10)."""
    unit = np.random.default_rng(seed).uniform(0.4, 0.6, (count, ACTION_SIZE))
    return (LOWER + unit * (UPPER - LOWER)).astype(np.float32)


def assert_alike(found: Any, wanted: Any) -> None:
    """Require equal structure, types and numbers; NaN equals NaN."""
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


def run(env: Any, steps: int, action: Any) -> list[Any]:
    return [env.step(action) for _ in range(steps)]


def changed(index: int, value: float) -> np.ndarray:
    action = MIDDLE.copy()
    action[index] = value
    return action
