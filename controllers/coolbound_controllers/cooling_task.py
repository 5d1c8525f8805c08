"""The cooling environment as a learning task: features, costs, restarts."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.task import EXECUTED, Step, Task
from coolbound_envs.features import FEATURE_SIZE, FeatureMap
from coolbound_envs.limit_table import GROUPS
from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.types import (
    Action,
    Key,
    Observation,
    Scalar,
    action_from_vector,
    from_unit,
    to_unit,
)

COST_LIMIT = 0.02
"""Allowed mean cost per control step: inlets near 26 degC at most, and a hair
inside the other limits. [1]"""

COST_UNIT = 0.02
"""One unit of violation; costs are divided by it. [1]"""

INTERVENTION_PRICE = 2.0
"""Reward lost per unit of correction by the safety layer. [1]"""

INTERVENTION_CHARGE = 0.8
"""Reward lost with every intervention, however small: 80 kW. Without it the least
corrections, which cost least, were made in one step of seven. [1]"""

CURRICULUM_STEPS = 20_000
"""Control steps of a lane after which episodes are as hard as they get. [1]"""

Harden = Callable[[Any, Scalar], Any]
"""From parameters and progress, 0 to 1, to those of the next episodes."""


class BatchedEnvironment(Protocol):
    """An environment that steps a batch, axis first; a shielded one is one too."""

    def reset_batch(
        self, key: Key, params: Any, shape: tuple[int]
    ) -> tuple[Observation, Any]:
        """Return first observations and states."""
        ...

    def step(
        self, key: Key, state: Any, action: Action, params: Any
    ) -> tuple[Observation, Any, Scalar, Scalar, Scalar, dict[str, Any]]:
        """Return observation, state, reward, terminated, truncated, info."""
        ...


class RestartingEnvironment(BatchedEnvironment, Protocol):
    """A batched environment whose lanes can be restarted one by one."""

    def select(self, ended: jax.Array, fresh: Any, kept: Any) -> Any:
        """Return states with the lanes that ended, shape (n,), replaced."""
        ...


@struct.dataclass
class LaneState:
    """The lanes and how long they have run. Dynamic.

    Attributes:
        world: State of the environment, batch first.
        steps: Control steps since training began, (). [1]
    """

    world: Any
    steps: jax.Array


def _as_they_are(params: Any, progress: Scalar) -> Any:
    return params


@dataclasses.dataclass(frozen=True, eq=False)
class _Lanes:
    """The environment behind the learner's functions. Static."""

    environment: RestartingEnvironment
    params: Any
    features: FeatureMap
    harden: Harden

    def reset(self, key: Key, count: int) -> tuple[jax.Array, LaneState]:
        """Return features (n, F) and state of a fresh batch."""
        steps = jnp.zeros((), jnp.int32)
        features, world = self._episodes(key, count, steps)
        return features, LaneState(world=world, steps=steps)

    def _episodes(
        self, key: Key, count: int, steps: jax.Array
    ) -> tuple[jax.Array, Any]:
        """Return features and worlds of fresh episodes, as hard as they are by now."""
        progress = jnp.minimum(steps.astype(jnp.float32) / CURRICULUM_STEPS, 1.0)
        params = self.harden(self.params, progress)
        observation, world = self.environment.reset_batch(key, params, (count,))
        return self.features(observation), world

    def step(self, key: Key, state: LaneState, action: jax.Array) -> Step:
        """Step every lane; lanes that ended are reset."""
        step_key, reset_key = jax.random.split(key)
        physical = from_unit(action)
        observation, moved, reward, terminated, truncated, info = self.environment.step(
            step_key, state.world, action_from_vector(physical), self.params
        )
        # Nothing is expected of a state after the end, and a diverged one is NaN.
        final = jnp.where(terminated[:, None], 0.0, self.features(observation))
        ended = terminated | truncated
        fresh, restarted = jax.lax.cond(
            jnp.any(ended),
            lambda: self._episodes(reset_key, action.shape[0], state.steps),
            lambda: (final, moved),
        )
        none = jnp.zeros_like(reward)
        correction = info.get("correction", none)
        intervention = info.get("intervention", none)
        charge = INTERVENTION_PRICE * correction + INTERVENTION_CHARGE * intervention
        return Step(
            features=jnp.where(ended[:, None], fresh, final),
            final_features=final,
            # The value of the final state already has the heat left behind in it.
            reward=reward + info["heat_charge"] - charge,
            costs=info["costs"],
            terminated=terminated,
            truncated=truncated,
            state=LaneState(
                world=self.environment.select(ended, restarted, moved),
                steps=state.steps + 1,
            ),
            info={
                "intervention": intervention,
                "correction": correction,
                "power": -reward,
                EXECUTED: to_unit(info.get("certified", physical)),
            },
        )


def learning_task(
    environment: RestartingEnvironment,
    params: Any,
    features: FeatureMap,
    harden: Harden = _as_they_are,
) -> Task:
    """Return the task that a learner trains on.

    Reward is the environment's, less a price for what the safety layer had to
    correct. One cost for each group of limits.

    Args:
        environment: Batched; usually behind the safety layer.
        params: Its parameters, in the environment's own form.
        features: Maps observations to what the policy sees.
        harden: Gives fresh episodes their parameters by the progress of training.
    """
    lanes = _Lanes(environment, params, features, harden)
    count = len(GROUPS)
    return Task(
        reset_batch=lanes.reset,
        step_batch=lanes.step,
        feature_size=FEATURE_SIZE,
        cost_names=GROUPS,
        cost_limits=(COST_LIMIT,) * count,
        cost_units=(COST_UNIT,) * count,
        action_size=ACTION_SIZE,
    )
