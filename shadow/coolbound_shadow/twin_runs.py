"""Rollouts of operator and policy in the model, all from one start."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.site import Site
from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.types import Controller, Observation
from coolbound_safety.guard import first_memory
from coolbound_safety.margins import SafetyModel
from coolbound_safety.shielded import ShieldedParams, ShieldedState, ShieldedTask
from coolbound_shadow.closed_loop import (
    Rollout,
    as_rollout,
    places,
    roll_lanes,
    start_plant,
)
from coolbound_shadow.controller_calls import Progress, plain_view
from coolbound_shadow.envelopes import nominal_action
from coolbound_shadow.parts import DAY_STEPS, Parts, cut_parts, stitch
from coolbound_shadow.patience import batch_limit
from coolbound_shadow.replay import Policy
from coolbound_shadow.simulate import task_params
from coolbound_shadow.twin_inputs import STEP_S, TwinInputs

REPEATED_STEPS = 7 * DAY_STEPS
"""Steps of the operator that are run twice, to see that nothing differs. [1]"""


@dataclasses.dataclass(frozen=True)
class Runner:
    """One start, one weather, one load, one noise for all. Static.

    Attributes:
        params: The plant with its weather and load.
        start: First observation and state, one lane for each part.
        parts: How the log is cut.
        seed: Of the instruments. [1]
        progress: Told after every simulated day.
    """

    params: TaskParams
    start: tuple[Observation, TaskState]
    parts: Parts
    seed: int
    progress: Progress | None

    def plain(self, controller: Controller, what: str) -> Rollout:
        """Return the rollout of an operator."""
        return self._stitched(*self._plain(controller, self.parts.length, what))

    def repeated(self, controller: Controller, baseline: Rollout) -> float:
        """Return how far an operator's second run is off its first [percent]."""
        steps = min(self.parts.length, REPEATED_STEPS)
        rows, _ = self._plain(controller, steps, "null test")
        again = rows["facility"][:steps, 0].astype(np.float64) / 1e3
        first = baseline.facility[: len(again)]
        return 100.0 * float(np.sum(first - again)) / float(np.sum(first))

    def shielded(self, policy: Policy, model: SafetyModel) -> Rollout:
        """Return the rollout of a policy behind the safety layer."""
        observation, state = self.start
        memory = first_memory((self.parts.number,))
        return self._stitched(
            *roll_lanes(
                ShieldedTask(CoolingTask()),
                policy.controller,
                ShieldedParams(task=self.params, safety=model),
                (observation, ShieldedState(state, observation, memory)),
                self.parts.length,
                self.seed,
                # The model has every point: what a log lacks is assumed nowhere.
                dataclasses.replace(plain_view(), factor=policy.view.factor),
                self.progress,
                "policy in the model",
                batch_limit(DAY_STEPS),
            )
        )

    def _plain(self, controller: Controller, steps: int, what: str) -> tuple[Any, Any]:
        return roll_lanes(
            CoolingTask(),
            controller,
            self.params,
            self.start,
            steps,
            self.seed,
            plain_view(),
            self.progress,
            what,
        )

    def _stitched(self, rows: dict[str, np.ndarray], state: Any) -> Rollout:
        return as_rollout(stitch(rows, self.parts), state)


def make_runner(
    site: Site, inputs: TwinInputs, seed: int, progress: Progress | None
) -> Runner:
    """Return what all rollouts of a log share.

    Args:
        site: The plant.
        inputs: Weather, load and set-points.
        seed: Of the instruments. [1]
        progress: Told after every simulated day.
    """
    parts = cut_parts(inputs.steps)
    params = task_params(site, inputs.scenario)
    where = places(inputs.clock + STEP_S * parts.begins, -inputs.clock)
    first = np.broadcast_to(nominal_action(), (parts.number, ACTION_SIZE))
    first = first if inputs.actions is None else inputs.actions[parts.begins]
    applied = jnp.asarray(first, jnp.float32)
    start = start_plant(jax.random.key(seed), where, applied, params)
    return Runner(params, start, parts, seed, progress)
