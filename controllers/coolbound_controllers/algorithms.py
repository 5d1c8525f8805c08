"""The learning algorithms, by name and by their settings."""

from collections.abc import Mapping
from typing import Any, Final

from coolbound_controllers.algorithm import Algorithm, Settings
from coolbound_controllers.cpo import CPO
from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.on_policy import deploy
from coolbound_controllers.ppo import init_learner, make_update
from coolbound_controllers.sac import SAC

PPO: Final = Algorithm(
    name="ppo-lagrangian",
    settings=Hyperparameters,
    init=init_learner,
    make_update=make_update,
    deploy=deploy,
)
"""What `coolbound train` runs if nothing is named."""

ALGORITHMS: Final[Mapping[str, Algorithm]] = {a.name: a for a in (PPO, CPO, SAC)}
"""All of them, the default first."""


def algorithm_of(settings: Settings | Any) -> Algorithm:
    """Return the algorithm whose settings these are.

    Raises:
        TypeError: They are nobody's.
    """
    for found in ALGORITHMS.values():
        if type(settings) is found.settings:
            return found
    raise TypeError(
        f"found settings of class {type(settings).__name__}, expected one of "
        f"{', '.join(a.settings.__name__ for a in ALGORITHMS.values())}"
    )
