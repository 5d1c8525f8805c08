"""What the audit looks at and what it says: subject, sizes, checks."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import jax.numpy as jnp
import numpy as np

from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.scenario import Place, Scenario
from coolbound_envs.types import Action, Controller, Key, Observation, Scalar

Progress = Callable[[str, int, int], None]
"""Told what is being checked, how many checks are done, and how many there are."""


class BatchedEnvironment(Protocol):
    """An environment of the contract that can start a batch, axis first."""

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


@dataclasses.dataclass(frozen=True)
class LoggedRun:
    """What a site's log says, and what drives the same plant along it. Static.

    Attributes:
        name: Of the log.
        points: Readings by point, NaN where unusable. [each point's unit]
        applied: Set-points in force in each step, shape (T, 10).
            [each channel's unit]
        scenario: The log's weather and load.
        place: Where the log begins in them, shape (1,).
    """

    name: str
    points: Mapping[str, np.ndarray]
    applied: np.ndarray
    scenario: Scenario
    place: Place


@dataclasses.dataclass(frozen=True)
class Subject:
    """The environment under audit and what it is compared with. Static.

    An environment that wraps another keeps the inner task's params and state in
    a field `task` of its own.

    Attributes:
        name: What the report calls it.
        environment: Batched, of the contract.
        params: Its parameters, without faults and without variation.
        rough: The same with random faults and variation; none where it has none.
        references: Operators that no degenerate policy may beat, by name; the first
            is also the one that some of them imitate.
        log: A site's log; none where there is none.
        no_log: Why there is none, one clause.
        digests: Action digests that others stored, by their names.
        changes_actions: True where the environment may apply another action than
            the one it is given, as a safety layer does.
        is_traceable: False where `step` cannot be compiled as a whole.
    """

    name: str
    environment: BatchedEnvironment
    params: Any
    rough: Any | None = None
    references: Mapping[str, Controller] = dataclasses.field(default_factory=dict)
    log: LoggedRun | None = None
    no_log: str = "there is no log of this site"
    digests: Mapping[str, str] = dataclasses.field(default_factory=dict)
    changes_actions: bool = False
    is_traceable: bool = True


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much the audit tries. Static.

    Attributes:
        lanes: Plants side by side in most checks. [1]
        batches: Batch sizes that must agree. [1]
        energy_steps: Control steps of the energy balance. [1]
        episodes: Random episodes. [1]
        episode_steps: Control steps of each. [1]
        places: Places that each degenerate policy is run at. [1]
        score_steps: Control steps of a scored episode. [1]
        sweep: Limit values that each cost is probed at. [1]
        log_steps: Longest piece of a log that is replayed. [1]
    """

    lanes: int = 256
    batches: tuple[int, ...] = (1, 256, 4096, 65536)
    energy_steps: int = 2016
    episodes: int = 1024
    episode_steps: int = 72
    places: int = 16
    score_steps: int = 288
    sweep: int = 24
    log_steps: int = 7776


QUICK: Final = Sizes(
    batches=(1, 256, 4096),
    energy_steps=288,
    episodes=256,
    episode_steps=36,
    places=8,
    score_steps=144,
    sweep=8,
    log_steps=2016,
)
"""Sizes of `--quick`: every check, on less. [1]"""


@dataclasses.dataclass(frozen=True)
class Check:
    """One question to the environment and its answer. Static.

    Attributes:
        name: Fixed name, for scripts.
        passed: None where the check could not be run.
        figure: What was measured. [the check's unit]
        bound: What it may be at most. [the check's unit]
        unit: Unit of figure and bound, as printed.
        sentence: The answer in plain words.
        details: Rows behind the figure, ready for JSON.
    """

    name: str
    passed: bool | None
    figure: float
    bound: float
    unit: str
    sentence: str
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def judged(
    name: str,
    figure: float,
    bound: float,
    unit: str,
    sentence: str,
    details: Mapping[str, Any] | None = None,
    and_also: bool = True,
) -> Check:
    """Return a check that passes where the figure keeps the bound.

    A figure that is NaN keeps no bound. `and_also` is what else must hold.
    """
    passed = bool(figure <= bound) and and_also
    return Check(name, passed, float(figure), bound, unit, sentence, details or {})


def not_run(name: str, bound: float, unit: str, reason: str) -> Check:
    """Return a check that could not be run, with the reason."""
    return Check(name, None, float("nan"), bound, unit, f"Not run: {reason}.")


def failed(name: str, bound: float, unit: str, reason: str) -> Check:
    """Return a check that failed before a figure could be measured."""
    return Check(name, False, float("nan"), bound, unit, reason)


@dataclasses.dataclass(frozen=True)
class Audit:
    """All answers. Static.

    Attributes:
        subject: Name of the environment.
        checks: In the order in which they were run.
        trajectories: The worst episodes, for the page.
        seed: Source of all random numbers.
        seconds: Time that the audit took. [s]
    """

    subject: str
    checks: Sequence[Check]
    trajectories: Sequence[Any]
    seed: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether no check failed and at least one was run."""
        ran = [check.passed for check in self.checks if check.passed is not None]
        return bool(ran) and all(ran)


def task_params(params: Any) -> TaskParams:
    """Return the task's parameters of an environment that may wrap it."""
    return getattr(params, "task", params)


def task_state(state: Any) -> TaskState:
    """Return the task's state of an environment that may wrap it."""
    return getattr(state, "task", state)


def with_task(record: Any, task: Any) -> Any:
    """Return parameters or state with another inner task."""
    if hasattr(record, "task"):
        return dataclasses.replace(record, task=task)
    return task


def adjusted(params: Any, **changes: Any) -> Any:
    """Return parameters with fields of the inner task replaced."""
    return with_task(params, dataclasses.replace(task_params(params), **changes))


def kicked(state: Any, lanes: np.ndarray, **offsets: float) -> Any:
    """Return a state with fields of the true plant raised in some lanes.

    Args:
        state: Of a batch.
        lanes: True where a lane is changed, (lanes,).
        **offsets: What is added, by field. [each field's unit]
    """
    task = task_state(state)
    raised = {
        name: jnp.asarray(
            np.asarray(getattr(task.plant, name)) + np.float32(by) * lanes
        )
        for name, by in offsets.items()
    }
    return with_task(
        state,
        dataclasses.replace(task, plant=dataclasses.replace(task.plant, **raised)),
    )
