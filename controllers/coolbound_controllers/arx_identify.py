"""Identifies the ARX models of the reference site on the training cities.

    python -m coolbound_controllers.arx_identify [FILE]

lets `g36_tuned` run the plant while a bounded random walk moves its set-points, and
writes the shipped file again, or another one, in about a minute. In simulation the
walk goes bare; on a site it goes behind the safety layer, which is itself an
environment and can be given here.
"""

import dataclasses
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from coolbound_controllers.arx import ArxModel, fit
from coolbound_controllers.arx_data import SHIPPED, models_text
from coolbound_controllers.arx_plant import MODES, allowed
from coolbound_controllers.arx_walk import RandomWalk, of_mode, record
from coolbound_controllers.atomic import write_atomic
from coolbound_controllers.cooling_task import BatchedEnvironment
from coolbound_controllers.g36_tuned import g36_tuned
from coolbound_controllers.g36_tuned_weeks import SETTLE, SearchPlan, search_task
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.site import load_site
from coolbound_envs.types import Controller

COMMAND: Final = "python -m coolbound_controllers.arx_identify"


@dataclasses.dataclass(frozen=True)
class Experiment:
    """How the plant is excited and the models are fitted. Static.

    Attributes:
        runs: Days side by side, at random places of the training years. [1]
        steps: Control intervals of each. [1]
        lags: T of the models. [1]
        width: Of the walk, share of each range. [1]
        step: Largest step of the walk, share of each ramp. [1]
        seed: Of places, walk and instruments. [1]
    """

    runs: int = 96
    steps: int = 288
    lags: int = 2
    width: float = 0.12
    step: float = 0.6
    seed: int = 0


def identify(
    experiment: Experiment,
    operator: Controller,
    environment: BatchedEnvironment,
    params: Any,
) -> tuple[list[ArxModel], list[np.ndarray]]:
    """Return one model for each mode, and the spread of their one-step errors.

    Args:
        experiment: How.
        operator: Gives the operating point and the machines.
        environment: The plant, or the plant behind the safety layer.
        params: Its parameters.

    Raises:
        ValueError: A mode was hardly ever seen.
    """
    walk = RandomWalk(operator, experiment.width, experiment.step)
    series, mode = record(
        walk, environment, params, experiment.runs, experiment.steps, experiment.seed
    )
    fitted = [
        fit(
            of_mode(series, mode, number, experiment.lags + 2),
            experiment.lags,
            allowed(),
        )
        for number in range(len(MODES))
    ]
    models, errors = zip(*fitted, strict=True)
    return list(models), list(errors)


def main(arguments: Sequence[str]) -> None:
    """Identify, and write the file named, or the shipped one."""
    shipped = resources.files("coolbound_controllers") / "data" / SHIPPED
    path = Path(arguments[0]) if arguments else Path(str(shipped))
    site, plan, experiment = load_site(), SearchPlan(), Experiment()
    operator = g36_tuned(parse_operator(site))
    task = CoolingTask(settle_steps=SETTLE)
    models, errors = identify(experiment, operator, task, search_task(plan, site))
    provenance = {
        "command": COMMAND,
        "operator": "g36_tuned",
        "weather": list(plan.weather),
        "loads": list(plan.loads),
        **dataclasses.asdict(experiment),
    }
    write_atomic(path, models_text(models, errors, provenance).encode())
    print(f"{path}: one-step errors {[error.round(3).tolist() for error in errors]}")


if __name__ == "__main__":
    main(sys.argv[1:])
