"""What a controller scores on a task: whole episodes, side by side."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_controllers.cooling_task import BatchedEnvironment
from coolbound_envs.limit_table import GROUPS, TOLERANCE
from coolbound_envs.types import Controller


@struct.dataclass
class Score:
    """Sums over an episode until its end. Dynamic.

    Attributes:
        steps: Control steps that counted. [1]
        reward: Sum of rewards. [1]
        costs: Sum of costs, (..., groups). [1]
        power: Sum of facility power above the IT work. [W]
        violations: Steps that violated each limit, (..., 21). [1]
        hottest: Hottest inlet. [degC]
        is_tripped: 1 where servers switched themselves off. [1]
        is_diverged: 1 where the integration diverged. [1]
        is_alive: 1 until the episode ends. [1]
    """

    steps: jax.Array
    reward: jax.Array
    costs: jax.Array
    power: jax.Array
    violations: jax.Array
    hottest: jax.Array
    is_tripped: jax.Array
    is_diverged: jax.Array
    is_alive: jax.Array


@dataclasses.dataclass(frozen=True)
class TaskFigures:
    """What a controller scores on a task, means over the episodes. Static.

    Attributes:
        episodes: How many. [1]
        reward: Mean reward of a step. [1]
        reward_spread: Standard deviation of that between episodes. [1]
        costs: Mean cost of a step, by group. [1]
        above_work_kw: Facility power above the IT work. [kW]
        violations: Violated limits in a thousand steps. [1]
        hottest_c: Hottest inlet of all episodes. [degC]
        tripped: Share of episodes that ended with servers off. [1]
        diverged: Share of episodes that ended in divergence. [1]
    """

    episodes: int
    reward: float
    reward_spread: float
    costs: dict[str, float]
    above_work_kw: float
    violations: float
    hottest_c: float
    tripped: float
    diverged: float


def score_task(
    controller: Controller,
    environment: BatchedEnvironment,
    params: Any,
    episodes: int,
    steps: int,
    seed: int,
) -> TaskFigures:
    """Return what a controller scores over some episodes.

    Args:
        controller: The operator or policy.
        environment: The plant, or the plant behind the safety layer.
        params: The environment's parameters.
        episodes: How many, side by side. [1]
        steps: Control steps of the longest. [1]
        seed: Of draws and instruments; the same for all who are compared.
    """
    run = jax.jit(functools.partial(_run, controller, environment, episodes, steps))
    score = jax.tree.map(np.asarray, run(jax.random.key(seed), params))
    return _figures(score)


def _run(
    controller: Controller,
    environment: BatchedEnvironment,
    episodes: int,
    steps: int,
    key: jax.Array,
    params: Any,
) -> Score:
    start_key, run_key = jax.random.split(key)
    observation, state = environment.reset_batch(start_key, params, (episodes,))
    memory = controller.init((episodes,))

    def step(carry: Any, key: jax.Array) -> tuple[Any, None]:
        observation, state, memory, score = carry
        act_key, step_key = jax.random.split(key)
        action, memory = controller.act(act_key, memory, observation)
        observation, state, reward, terminated, truncated, info = environment.step(
            step_key, state, action, params
        )
        score = _counted(score, reward, terminated, truncated, info)
        return (observation, state, memory, score), None

    first = (observation, state, memory, _no_score(episodes))
    carry, _ = jax.lax.scan(step, first, jax.random.split(run_key, steps))
    return carry[-1]


def _no_score(episodes: int) -> Score:
    zero = jnp.zeros(episodes, jnp.float32)
    return Score(
        steps=zero,
        reward=zero,
        costs=jnp.zeros((episodes, len(GROUPS)), jnp.float32),
        power=zero,
        violations=jnp.zeros((episodes, 21), jnp.float32),
        hottest=zero,
        is_tripped=zero,
        is_diverged=zero,
        is_alive=zero + 1.0,
    )


def _counted(
    score: Score,
    reward: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    info: dict[str, Any],
) -> Score:
    """Return the sums after one more step of the episodes that still run."""
    alive = score.is_alive
    diverged = alive * info["diverged"].astype(jnp.float32)
    sound = alive - diverged
    above = info["summary"].mean.facility_power - info["work"]
    broken = (info["limits"] > TOLERANCE).astype(jnp.float32)
    ends = (terminated | truncated).astype(jnp.float32)
    tripped = sound * terminated.astype(jnp.float32)
    return Score(
        steps=score.steps + sound,
        reward=score.reward + _where(sound, reward),
        costs=score.costs + _where(sound[:, None], info["costs"]),
        power=score.power + _where(sound, above),
        violations=score.violations + _where(sound[:, None], broken),
        hottest=jnp.maximum(
            score.hottest, _where(sound, info["summary"].inlet_temp_max)
        ),
        is_tripped=jnp.maximum(score.is_tripped, tripped),
        is_diverged=jnp.maximum(score.is_diverged, diverged),
        is_alive=alive * (1.0 - ends),
    )


def _where(counts: jax.Array, value: jax.Array) -> jax.Array:
    return jnp.where(counts > 0.5, value, 0.0)


def _figures(score: Score) -> TaskFigures:
    steps = np.maximum(score.steps, 1.0)
    reward = score.reward / steps
    costs = score.costs.sum(0) / steps.sum()
    return TaskFigures(
        episodes=int(steps.size),
        reward=float(score.reward.sum() / steps.sum()),
        reward_spread=float(reward.std()),
        costs=dict(zip(GROUPS, costs.tolist(), strict=True)),
        above_work_kw=float(score.power.sum() / steps.sum() / 1e3),
        violations=float(1e3 * score.violations.sum() / steps.sum()),
        hottest_c=float(score.hottest.max()),
        tripped=float(score.is_tripped.mean()),
        diverged=float(score.is_diverged.mean()),
    )
