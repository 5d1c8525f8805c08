"""Identification: a bounded random walk excites the plant, and its record is fitted.

The walk goes about the set-points of a controller that keeps the plant cool. It needs
no knowledge of the plant but the ranges and ramps of the set-points.
"""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_controllers.arx import Series
from coolbound_controllers.arx_plant import (
    INPUTS,
    disturbances_of,
    mode_of,
    outputs_of,
)
from coolbound_controllers.cooling_task import BatchedEnvironment
from coolbound_controllers.operator_settings import keep_ramps
from coolbound_envs.spec import channel_array
from coolbound_envs.types import (
    Action,
    Controller,
    Key,
    Observation,
    action_from_vector,
    action_to_vector,
)


@struct.dataclass
class WalkState:
    """Where the walk stands, and the memory of who is walked about. Dynamic.

    Attributes:
        offset: From the operating point, (..., m). [each channel's unit]
    """

    offset: jax.Array
    inner: Any


@final
@dataclasses.dataclass(frozen=True)
class RandomWalk:
    """A bounded random walk about another controller's set-points. Static.

    offset[t+1] = clip(offset[t] + v, -width, width), v uniform within the largest
    step, as Lazic et al. excite their hall about its operating point.

    Attributes:
        inner: Gives the operating point, and the machines.
        width: Of the walk, share of each channel's range. [1]
        step: Largest step of the walk, share of each channel's ramp. [1]
    """

    inner: Controller
    width: float = 0.12
    step: float = 0.6

    def init(self, params: Any = ()) -> WalkState:
        """Return the memory of a batch of shape `params`."""
        offset = jnp.zeros((*jnp.zeros(params).shape, len(INPUTS)), jnp.float32)
        return WalkState(offset=offset, inner=self.inner.init(params))

    def act(
        self, key: Key, state: WalkState, observation: Observation
    ) -> tuple[Action, WalkState]:
        """Return the operating point, moved by the walk, within all ramps."""
        walk_key, key = jax.random.split(key)
        action, inner = self.inner.act(key, state.inner, observation)
        point = action_to_vector(action)
        lead = (1,) * (point.ndim - 1)
        lower, upper, ramp = (
            jnp.asarray(channel_array(f)[: len(INPUTS)], jnp.float32).reshape(*lead, -1)
            for f in ("lower", "upper", "ramp")
        )
        move = jax.random.uniform(walk_key, state.offset.shape, minval=-1.0, maxval=1.0)
        width = self.width * (upper - lower)
        offset = jnp.clip(state.offset + self.step * ramp * move, -width, width)
        moved = point.at[..., : len(INPUTS)].add(offset)
        kept = keep_ramps(moved, observation.applied)
        return action_from_vector(kept), WalkState(offset=offset, inner=inner)


def record(
    controller: Controller,
    environment: BatchedEnvironment,
    params: Any,
    runs: int,
    steps: int,
    seed: int,
) -> tuple[Series, np.ndarray]:
    """Return what a controller's runs looked like, and the mode of every step.

    Args:
        controller: Usually a random walk.
        environment: The plant, or the plant behind the safety layer.
        params: Its parameters.
        runs: Side by side, drawn from the scenario. [1]
        steps: Control intervals. [1]
        seed: Of draws, walk and instruments.
    """

    def body(carry: Any, key: jax.Array) -> tuple[Any, tuple[jax.Array, ...]]:
        seen, state, memory = carry
        act_key, step_key = jax.random.split(key)
        action, memory = controller.act(act_key, memory, seen)
        after, state, *_ = environment.step(step_key, state, action, params)
        row = (
            outputs_of(seen),
            after.applied[..., : len(INPUTS)],
            disturbances_of(seen),
            mode_of(seen),
        )
        return (after, state, memory), row

    @jax.jit
    def run(key: jax.Array) -> tuple[jax.Array, ...]:
        start_key, run_key = jax.random.split(key)
        seen, state = environment.reset_batch(start_key, params, (runs,))
        carry = (seen, state, controller.init((runs,)))
        return jax.lax.scan(body, carry, jax.random.split(run_key, steps))[1]

    x, u, w, mode = (np.asarray(part) for part in run(jax.random.key(seed)))
    return Series(x, u, w, np.ones(mode.shape, bool)), mode


def of_mode(series: Series, mode: np.ndarray, wanted: int, quiet: int) -> Series:
    """Return the series with the steps in use that lie in one mode.

    Args:
        series: The record.
        mode: Of every step, (steps, runs). [1]
        wanted: The mode. [1]
        quiet: Steps that it must have lasted, this one included. [1]
    """
    is_in = mode == wanted
    lasted = is_in.copy()
    for k in range(1, quiet):
        lasted[k:] &= is_in[:-k]
        lasted[:k] = False
    return dataclasses.replace(series, is_used=series.is_used & lasted)
