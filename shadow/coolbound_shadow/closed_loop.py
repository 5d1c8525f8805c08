"""A controller and the plant in closed loop, a day at a time in one compilation."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.cooling_task import BatchedEnvironment
from coolbound_envs import sensors
from coolbound_envs.cooling import BEFORE, CoolingTask, advance
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.scenario import Place
from coolbound_envs.soundness import require_sound
from coolbound_envs.types import Controller, Observation, action_from_vector
from coolbound_shadow.controller_calls import Progress, View, join, split
from coolbound_shadow.parts import DAY_STEPS
from coolbound_shadow.patience import within
from coolbound_shadow.proposals import LoggedOperator

SETTLE_STEPS = 24
"""Steps that a plant runs on its first set-points before a rollout. [1]"""

WATER_SIDE = ("chiller", "chw_pump", "cw_pump", "tower")
"""Consumers of the chilled-water plant itself."""


@dataclasses.dataclass(frozen=True)
class Rollout:
    """What a closed loop did, one row per step of 300 s. Static.

    Attributes:
        values: Readings after each step, float32, shape (T, P). [each point's unit]
        applied: Set-points during each step, float32, (T, 10). [each channel's unit]
        facility: Facility power, shape (T,). [kW]
        water_side: Power of the chilled-water plant, shape (T,). [kW]
        limits: True h of all limits, shape (T, 21). [each limit's unit]
        tripped: Steps in which servers were too hot to run. [1]
        state: True state after the last step that was run.
    """

    values: np.ndarray
    applied: np.ndarray
    facility: np.ndarray
    water_side: np.ndarray
    limits: np.ndarray
    tripped: int
    state: Any


@jax.jit
def start_plant(
    key: jax.Array, place: Place, applied: jax.Array, params: TaskParams
) -> tuple[Observation, TaskState]:
    """Return a plant that has run for two hours on given set-points.

    Args:
        key: For the instruments.
        place: Where in weather and load; batch axis first.
        applied: Set-points in force before, shape (B, 10). [each channel's unit]
        params: The task.
    """
    first_key, settle_key = jax.random.split(key)
    action = action_from_vector(applied)
    _, state = CoolingTask().start_at(first_key, place, params)
    # Negative steps are before the episode: no fault acts yet.
    before = jnp.full_like(state.steps, BEFORE)
    state = dataclasses.replace(state, applied=action, steps=before)

    def settle(carry: TaskState, step_key: jax.Array) -> tuple[TaskState, None]:
        moved = advance(step_key, carry, action, params)[0]
        return dataclasses.replace(moved, place=place, steps=before), None

    state, _ = jax.lax.scan(settle, state, jax.random.split(settle_key, SETTLE_STEPS))
    state = dataclasses.replace(state, steps=jnp.zeros_like(state.steps))
    clock = place.time.astype(jnp.float32)
    return sensors.observe(state.readings, state.applied, clock), state


@functools.partial(jax.jit, static_argnames=("environment", "fixed"))
def _run_day(
    environment: BatchedEnvironment,
    fixed: Controller | None,
    dynamic: Controller | None,
    carry: Any,
    keys: jax.Array,
    view: View,
    params: Any,
) -> tuple[Any, dict[str, jax.Array]]:
    controller = join(fixed, dynamic)

    def step(carry: Any, key: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
        observation, state, memory = carry
        act_key, step_key = jax.random.split(key)
        action, memory = controller.act(act_key, memory, view(observation))
        observation, state, _, terminated, _, info = environment.step(
            step_key, state, action, params
        )
        power = info["power"]
        row = {
            "values": observation.value,
            "applied": observation.applied,
            "facility": _total(power, tuple(power)),
            "water_side": _total(power, WATER_SIDE),
            "limits": info["limits"],
            "tripped": terminated,
            "diverged": info["diverged"],
        }
        return (observation, state, memory), row

    return jax.lax.scan(step, carry, keys)


def _finished(run: Callable[[], Any]) -> Any:
    return jax.block_until_ready(run())


def _total(power: dict[str, jax.Array], names: tuple[str, ...]) -> jax.Array:
    return functools.reduce(jnp.add, [power[name] for name in names])


def roll_lanes(
    environment: BatchedEnvironment,
    controller: Controller,
    params: Any,
    start: tuple[Observation, Any],
    steps: int,
    seed: int,
    view: View,
    progress: Progress | None = None,
    what: str = "simulate",
    day_limit_s: float | None = None,
) -> tuple[dict[str, np.ndarray], Any]:
    """Return the rows of closed loops side by side, (steps, B, ...), and the end.

    The same seed gives the same instrument noise to any controller.

    Args:
        environment: The task, shielded or not.
        controller: Acts on every observation.
        params: The environment's parameters.
        start: First observations and states of B lanes.
        steps: Control steps. [1]
        seed: Of the instruments.
        view: What the controller sees of an observation.
        progress: Told after every simulated day.
        what: How progress calls it.
        day_limit_s: How long a simulated day may take; None for ever. [s]

    Raises:
        DivergenceError: The plant's integration left what is physical.
        TimedOutError: A day took longer.
    """
    if isinstance(controller, LoggedOperator) and isinstance(environment, CoolingTask):
        # A plant was truly told this, inside the model's box or not.
        environment = dataclasses.replace(environment, checks_actions=False)
    fixed, dynamic = split(controller)
    lanes = start[0].value.shape[0]
    carry = (*start, controller.init((lanes,)))
    days, rows = -(-steps // DAY_STEPS), []
    for day in range(days):
        keys = jax.random.split(
            jax.random.fold_in(jax.random.key(seed), day), DAY_STEPS
        )
        run = functools.partial(
            _run_day, environment, fixed, dynamic, carry, keys, view, params
        )
        if day_limit_s is None:
            carry, found = run()
        else:
            done = functools.partial(_finished, run)
            carry, found = within(day_limit_s, done)
        told = {"diverged": np.any(found["diverged"], axis=0)}
        require_sound(getattr(carry[1], "task", carry[1]), told)
        rows.append(jax.tree.map(np.asarray, found))
        if progress is not None:
            progress(what, day + 1, days)
    joined = {k: np.concatenate([row[k] for row in rows])[:steps] for k in rows[0]}
    return joined, carry[1]


def as_rollout(rows: dict[str, np.ndarray], state: Any) -> Rollout:
    """Return the rows of one closed loop, (T, ...), as a rollout."""
    return Rollout(
        values=rows["values"],
        applied=rows["applied"],
        facility=rows["facility"].astype(np.float64) / 1e3,
        water_side=rows["water_side"].astype(np.float64) / 1e3,
        limits=rows["limits"].astype(np.float64),
        tripped=int(np.sum(rows["tripped"])),
        state=state,
    )


def roll_out(
    environment: BatchedEnvironment,
    controller: Controller,
    params: Any,
    start: tuple[Observation, Any],
    steps: int,
    seed: int,
    view: View,
    progress: Progress | None = None,
    what: str = "simulate",
) -> Rollout:
    """Return the closed loop of a controller and a plant, a batch of one.

    Arguments and errors are those of `roll_lanes`.
    """
    rows, state = roll_lanes(
        environment, controller, params, start, steps, seed, view, progress, what
    )
    return as_rollout({name: row[:, 0] for name, row in rows.items()}, state)


def one_place(time: int, load_offset: int) -> Place:
    """Return a batch of one place in the first weather and the first load.

    Args:
        time: Since the weather year began. [s]
        load_offset: Load trace at the year's beginning. [s]
    """
    return places(np.asarray([time]), load_offset)


def places(times: np.ndarray, load_offset: int) -> Place:
    """Return places in the first weather and the first load.

    Args:
        times: Since the weather year began, shape (B,). [s]
        load_offset: Load trace at the year's beginning. [s]
    """
    zero = jnp.zeros(times.shape, jnp.int32)
    return Place(
        city=zero,
        trace=zero,
        time=jnp.asarray(times, jnp.int32),
        load_offset=jnp.full(times.shape, load_offset, jnp.int32),
    )
