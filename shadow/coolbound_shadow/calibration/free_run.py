"""The fitted plant run freely along the log: the twin that a shadow run would use.

Nothing measured corrects it after its first row; it gets weather, load and the
operator's set-points, or the site's `legacy` rule where the log lacks some. What it
says of each meter is held against what was read, in the held-out weeks only. Errors
of all parts meet here, so this, not the single parts, decides what the twin is good
for.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.legacy import Legacy
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.site import Site
from coolbound_envs.spec import POINTS
from coolbound_envs.types import Controller
from coolbound_shadow.closed_loop import roll_out, start_plant
from coolbound_shadow.controller_calls import Progress, plain_view
from coolbound_shadow.envelopes import nominal_action
from coolbound_shadow.log_types import Log
from coolbound_shadow.proposals import logged_operator
from coolbound_shadow.simulate import task_params
from coolbound_shadow.twin_inputs import Refusal, TwinInputs, twin_inputs

MEANS = frozenset({"kW", "kg/s"})
"""Units of points that are means over a step; others are read at its end."""


@dataclasses.dataclass(frozen=True)
class FreeRun:
    """What the twin says of each point, or why it could not be run. Static.

    Attributes:
        modelled: Each point at the log's rows, (T,), NaN at the first.
            [each point's unit]
        operator: What stood for the operator.
        is_logged: True where the operator's own set-points were replayed.
        refused: Why it was not run; empty where it was.
        notes: What had to be assumed, one sentence each.
    """

    modelled: Mapping[str, np.ndarray]
    operator: str = ""
    is_logged: bool = False
    refused: str = ""
    notes: tuple[str, ...] = ()


def run_freely(
    site: Site, log: Log, seed: int = 0, progress: Progress | None = None
) -> FreeRun:
    """Return the twin's readings along a log.

    Args:
        site: The plant, with the fitted values.
        log: Weather, load and set-points.
        seed: Of the instruments.
        progress: Told after every simulated day.
    """
    try:
        inputs = twin_inputs(site, log)
    except Refusal as reason:
        return FreeRun({}, refused=str(reason))
    params = task_params(site, inputs.scenario)
    operator, word = _operator(site, inputs)
    first = nominal_action() if inputs.actions is None else inputs.actions[0]
    applied = jnp.asarray(first, jnp.float32)[None, :]
    start = start_plant(jax.random.key(seed), inputs.place, applied, params)
    found = roll_out(
        CoolingTask(),
        operator,
        params,
        start,
        inputs.steps,
        seed,
        plain_view(),
        progress,
        "twin along the log",
    )
    values = _at_rows(inputs, found.values.astype(np.float64))
    modelled = {point.name: values[:, i] for i, point in enumerate(POINTS)}
    return FreeRun(modelled, word, inputs.actions is not None, notes=inputs.notes)


def _operator(site: Site, inputs: TwinInputs) -> tuple[Controller, str]:
    if inputs.actions is not None:
        return logged_operator(inputs.actions), "the logged set-points"
    return Legacy(parse_operator(site)), "the `legacy` rule with the site's settings"


def _at_rows(inputs: TwinInputs, values: np.ndarray) -> np.ndarray:
    """Return readings at the log's rows, (T, P): means, or those at a row's end."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    end = inputs.last_step + 1
    begin = np.maximum(end - inputs.per_row, 0)
    means = (sums[end] - sums[begin]) / np.maximum(end - begin, 1)[:, None]
    is_mean = np.asarray([point.unit in MEANS for point in POINTS])
    found = np.where(is_mean, means, values[inputs.last_step])
    return np.concatenate([np.full((1, values.shape[1]), np.nan), found])
