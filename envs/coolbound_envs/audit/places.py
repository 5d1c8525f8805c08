"""Where the lanes of a batch stand: in constant conditions, or anywhere in a year."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.audit.records import (
    adjusted,
    task_params,
    task_state,
    with_task,
)
from coolbound_envs.psychrometrics import STANDARD_PRESSURE
from coolbound_envs.scenario import Place, Scenario

BLOCK_HOURS: Final = 48
"""Constant weather and load last this long in a made scenario. [h]"""


@dataclasses.dataclass(frozen=True)
class Condition:
    """Weather and load that stay as they are. Static.

    Attributes:
        name: As tables print it.
        load: IT work over design. [1]
        wet_bulb: Outdoor air. [degC]
        dry_bulb: Outdoor air. [degC]
        dew_point: Outdoor air. [degC]
    """

    name: str
    load: float
    wet_bulb: float
    dry_bulb: float
    dew_point: float


def constant_conditions(params: Any, conditions: Sequence[Condition]) -> Any:
    """Return parameters whose scenario holds each condition for two days.

    The tables keep the size of the subject's own where that is large enough, so
    that nothing is compiled again.
    """
    task = task_params(params)
    like = task.scenario
    hours = max(like.dry_bulb.shape[1], BLOCK_HOURS * len(conditions))
    steps = max(like.utilisation.shape[1], 12 * BLOCK_HOURS * len(conditions))

    def table(values: Sequence[float], width: int, rows: int) -> jax.Array:
        each = np.repeat(values, width // len(conditions))
        line = np.pad(each, (0, width - len(each)), mode="edge")
        return jnp.asarray(np.tile(line, (rows, 1)), jnp.float32)

    idle = float(task.plant.it.idle_share)
    cities, traces = like.dry_bulb.shape[0], like.utilisation.shape[0]
    block = BLOCK_HOURS * len(conditions)

    def weather(values: Sequence[float]) -> jax.Array:
        line = table(values, block, cities)
        return jnp.pad(line, ((0, 0), (0, hours - block)), mode="edge")

    load = table(
        [(c.load - idle) / (1.0 - idle) for c in conditions], 12 * block, traces
    )
    scenario = Scenario(
        dry_bulb=weather([c.dry_bulb for c in conditions]),
        wet_bulb=weather([c.wet_bulb for c in conditions]),
        dew_point=weather([c.dew_point for c in conditions]),
        pressure=weather([STANDARD_PRESSURE] * len(conditions)),
        hours=jnp.full((cities,), hours, jnp.int32),
        utilisation=jnp.pad(load, ((0, 0), (0, steps - 12 * block)), mode="edge"),
        steps=jnp.full((traces,), steps, jnp.int32),
    )
    return adjusted(params, scenario=scenario)


def placed(
    state: Any,
    times: np.ndarray,
    city: np.ndarray | int = 0,
    trace: int = 0,
    load_offset: int = 0,
) -> Any:
    """Return a state whose lanes stand at given times of the year [s].

    Args:
        state: Of a batch.
        times: Since the weather year began, (lanes,). [s]
        city: Row of the weather table, one number or (lanes,). [1]
        trace: Row of the load table. [1]
        load_offset: Load trace at the year's beginning. [s]
    """
    task = task_state(state)

    def whole(values: np.ndarray | int) -> jax.Array:
        return jnp.asarray(np.broadcast_to(values, times.shape), jnp.int32)

    place = Place(
        city=whole(city),
        trace=whole(trace),
        time=whole(times),
        load_offset=whole(load_offset),
    )
    return with_task(state, dataclasses.replace(task, place=place))


def at_conditions(state: Any, condition: np.ndarray) -> Any:
    """Return a state whose lanes stand at the beginning of numbered conditions."""
    return placed(state, condition * (BLOCK_HOURS * 3600))
