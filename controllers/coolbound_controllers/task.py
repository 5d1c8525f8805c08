"""What a learner sees of the world: one batched, self-resetting task.

The learner knows neither the plant nor the safety layer. Where training runs
behind the safety filter the task filters: the learner proposes an action, the
task applies what the filter certified, and reward and costs are measured on
that outcome. The log-probability that the learner stores is always that of
its own proposed action.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import jax
from flax import struct

from coolbound_envs.types import Key

EXECUTED: Final = "executed"
"""Where `Step.info` tells what the plant was told, shape (n, A), each 0 to 1."""


@struct.dataclass
class Step:
    """What one control step of n lanes returned. Dynamic.

    A lane that ended is already reset: `features` open its next episode, while
    `final_features` are the true next features, before any reset.

    Attributes:
        features: What the policy sees next, shape (n, F). [mixed units]
        final_features: The true next features, shape (n, F). [mixed units]
        reward: Earned in this step, shape (n,). [1]
        costs: Cost of each constraint, shape (n, K). [each cost's unit]
        terminated: 1 where the plant tripped, shape (n,), bool or float. [1]
        truncated: 1 where time was up, shape (n,), bool or float. [1]
        state: The task's own state after the step and any reset.
        info: Figures to average and report, each of shape (n,); under `EXECUTED` the
            executed action of shape (n, A), which buffers keep beside the proposed one.
    """

    features: jax.Array
    final_features: jax.Array
    reward: jax.Array
    costs: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    state: Any
    info: dict[str, jax.Array]


ResetBatch = Callable[[Key, int], tuple[jax.Array, Any]]
StepBatch = Callable[[Key, Any, jax.Array], Step]


@dataclasses.dataclass(frozen=True)
class Task:
    """A batched task under K constraints. Static.

    Both functions can be traced. A constraint holds where the mean cost per
    control step is at most its limit; the learner divides cost and limit by
    the unit, so the unit sets the scale of the multiplier.

    Attributes:
        reset_batch: (key, n) to features (n, F) and state.
        step_batch: (key, state, action (n, A) in 0 to 1) to `Step`.
        feature_size: F, features per lane. [1]
        cost_names: Names of the K constraints.
        cost_limits: Largest mean cost per control step. [each cost's unit]
        cost_units: Positive; one unit of violation. [each cost's unit]
        action_size: A, channels of one action. [1]
        bias: Mean action before training, A shares of the range; empty where the
            last A features are that action. [1]
    """

    reset_batch: ResetBatch
    step_batch: StepBatch
    feature_size: int
    cost_names: tuple[str, ...]
    cost_limits: tuple[float, ...]
    cost_units: tuple[float, ...]
    action_size: int
    bias: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a task whose parts do not fit together.

        Raises:
            ValueError: Sizes differ, a unit is not positive, a bias leaves 0 to 1.
        """
        sizes = {len(self.cost_names), len(self.cost_limits), len(self.cost_units)}
        if len(sizes) != 1:
            raise ValueError("cost_names, cost_limits and cost_units differ in size")
        if not all(unit > 0.0 for unit in self.cost_units):
            raise ValueError(f"cost_units must be positive, found {self.cost_units}")
        if len(self.bias) not in (0, self.action_size):
            raise ValueError(
                f"bias must name {self.action_size} channels or none, "
                f"found {len(self.bias)}"
            )
        if not all(0.0 <= share <= 1.0 for share in self.bias):
            raise ValueError(f"bias must lie within 0 to 1, found {self.bias}")

    @property
    def cost_count(self) -> int:
        """K, the number of constraints [1]."""
        return len(self.cost_names)
