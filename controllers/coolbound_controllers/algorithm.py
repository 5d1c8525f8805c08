"""What a learning algorithm is to the run around it."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

from coolbound_controllers.policy import PolicyWeights
from coolbound_controllers.task import Task
from coolbound_envs.types import Key


class Settings(Protocol):
    """What every algorithm's hyper-parameters have in common. Static."""

    @property
    def seed(self) -> int:
        """Of every random number in the run [1]."""
        ...

    @property
    def total_steps(self) -> int:
        """Environment steps to train for, all lanes together [1]."""
        ...

    @property
    def checkpoint_every(self) -> int:
        """Updates between two checkpoints [1]."""
        ...

    @property
    def envs(self) -> int:
        """Lanes stepped side by side [1]."""
        ...

    @property
    def steps_per_update(self) -> int:
        """Environment steps of one update, all lanes together [1]."""
        ...

    @property
    def rows_kept(self) -> int:
        """Environment steps kept from one update to the next [1]."""
        ...

    @property
    def updates(self) -> int:
        """Updates of the whole run, at least one [1]."""
        ...


class Learner(Protocol):
    """Everything a run needs to go on; what a checkpoint holds. Dynamic."""

    @property
    def updates(self) -> Any:
        """Updates done so far [1]."""
        ...


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """One learning algorithm. Static.

    Attributes:
        name: What the command line calls it.
        settings: Class of its hyper-parameters, whose defaults train.
        init: (key, task, settings) to a learner before its first update.
        make_update: (task, settings) to a compiled update that consumes a learner
            and returns the next with its metrics: means over the update, at least
            `reward`, `costs` (K,), `multipliers` (K,), `is_finite`, and the means
            of `Step.info`.
        deploy: (learner, task) to what a decision needs.
    """

    name: str
    settings: type[Any]
    init: Callable[[Key, Task, Any], Any]
    make_update: Callable[[Task, Any], Callable[[Any], tuple[Any, dict[str, Any]]]]
    deploy: Callable[[Any, Task], PolicyWeights]
