"""The cooling environment as a learning task: features, costs, restarts."""

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp

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
"""Allowed mean cost per control step: inlets near 25 degC at most, and a hair
inside the other limits. [1]"""

COST_UNIT = 0.02
"""One unit of violation; costs are divided by it. [1]"""

INTERVENTION_PRICE = 2.0
"""Reward lost per unit of correction by the safety layer. [1]"""


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


@dataclasses.dataclass(frozen=True, eq=False)
class _Lanes:
    """The environment behind the learner's functions. Static."""

    environment: RestartingEnvironment
    params: Any
    features: FeatureMap

    def reset(self, key: Key, count: int) -> tuple[jax.Array, Any]:
        """Return features (n, F) and state of a fresh batch."""
        observation, state = self.environment.reset_batch(key, self.params, (count,))
        return self.features(observation), state

    def step(self, key: Key, state: Any, action: jax.Array) -> Step:
        """Step every lane; lanes that ended are reset."""
        step_key, reset_key = jax.random.split(key)
        physical = from_unit(action)
        observation, moved, reward, terminated, truncated, info = self.environment.step(
            step_key, state, action_from_vector(physical), self.params
        )
        # Nothing is expected of a state after the end, and a diverged one is NaN.
        final = jnp.where(terminated[:, None], 0.0, self.features(observation))
        ended = terminated | truncated
        fresh, restarted = jax.lax.cond(
            jnp.any(ended),
            lambda: self.reset(reset_key, action.shape[0]),
            lambda: (final, moved),
        )
        correction = info.get("correction", jnp.zeros_like(reward))
        return Step(
            features=jnp.where(ended[:, None], fresh, final),
            final_features=final,
            # The value of the final state already has the heat left behind in it.
            reward=reward + info["heat_charge"] - INTERVENTION_PRICE * correction,
            costs=info["costs"],
            terminated=terminated,
            truncated=truncated,
            state=self.environment.select(ended, restarted, moved),
            info={
                "intervention": info.get("intervention", jnp.zeros_like(reward)),
                "correction": correction,
                "power": -reward,
                EXECUTED: to_unit(info.get("certified", physical)),
            },
        )


def learning_task(
    environment: RestartingEnvironment, params: Any, features: FeatureMap
) -> Task:
    """Return the task that a learner trains on.

    Reward is the environment's, less a price for what the safety layer had to
    correct. One cost for each group of limits.

    Args:
        environment: Batched; usually behind the safety layer.
        params: Its parameters, in the environment's own form.
        features: Maps observations to what the policy sees.
    """
    lanes = _Lanes(environment, params, features)
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
