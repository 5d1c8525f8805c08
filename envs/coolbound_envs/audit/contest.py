"""Degenerate policies and reference operators side by side, step by step."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.audit.closure import stored
from coolbound_envs.audit.degenerate import POLICIES, Moment
from coolbound_envs.audit.ends import is_too_hot
from coolbound_envs.audit.lab import (
    LOWER,
    UPPER,
    Lab,
    Step,
    host,
    lane_axes,
    normal_actions,
    take_lanes,
)
from coolbound_envs.audit.places import placed
from coolbound_envs.audit.records import (
    adjusted,
    task_params,
    task_state,
    with_task,
)
from coolbound_envs.cooling import true_plant
from coolbound_envs.limit_table import TOLERANCE
from coolbound_envs.types import action_to_vector

SETTLE_STEPS: Final = 12
"""Control steps on ordinary set-points before the episode. [1]"""


@dataclasses.dataclass(frozen=True)
class Run:
    """Sums over the steps that each lane ran, (lanes, ...). Static.

    Attributes:
        reward: Earned, less what the environment charged at the horizon. [1]
        charge: What it charged there for heat left behind. [1]
        costs: Of each group, (lanes, groups). [1]
        power: Above the IT work. [W]
        violated: Steps with each limit violated, (lanes, 21). [1]
        hurt: Steps with any limit violated. [1]
        steps: Steps that the lane ran. [1]
        hottest: Hottest inlet. [degC]
        tripped: True where it ended early.
        heat: Stored at the end. [J]
    """

    reward: np.ndarray
    charge: np.ndarray
    costs: np.ndarray
    power: np.ndarray
    violated: np.ndarray
    hurt: np.ndarray
    steps: np.ndarray
    hottest: np.ndarray
    tripped: np.ndarray
    heat: np.ndarray


@dataclasses.dataclass(frozen=True)
class Field:
    """Which lanes belong to which policy: references first. Static.

    Attributes:
        names: Of all policies.
        places: Lanes of each. [1]
        lanes: Of the batch; those left over are ordinary. [1]
    """

    names: tuple[str, ...]
    places: int
    lanes: int

    def rows(self, name: str) -> slice:
        """Return the lanes of a policy."""
        first = self.names.index(name) * self.places
        return slice(first, first + self.places)


def field_of(lab: Lab) -> Field:
    """Return the lanes of all references and degenerate policies."""
    names = (*lab.subject.references, *POLICIES)
    places = min(lab.sizes.places, lab.sizes.lanes // len(names))
    return Field(names, places, lab.sizes.lanes)


def _start(lab: Lab, field: Field) -> tuple[Any, Any]:
    """Return observation and state of all lanes, the same at each policy's places.

    Places are spread over the year and over the cities of the scenario.
    """
    _, state = lab.reset(lab.noisy, 71)
    place = np.arange(field.lanes) % field.places
    state = take_lanes(state, lane_axes(lab, lab.noisy), place)
    scenario = task_params(lab.noisy).scenario
    cities = scenario.hours.shape[0]
    hours = int(np.min(np.asarray(scenario.hours)))
    begin = (place * hours // field.places) * 3600
    state = placed(state, begin, place % cities)
    step = _settle(lab, state)
    return step.observation, _begun(lab, step.state)


def _begun(lab: Lab, state: Any) -> Any:
    """Return the state as that of an episode that begins now."""
    task = task_state(state)
    heat = jnp.asarray(_stored(lab, state), jnp.float32)
    begun = dataclasses.replace(task, steps=jnp.zeros_like(task.steps), stored=heat)
    return with_task(state, begun)


def _stored(lab: Lab, state: Any) -> np.ndarray:
    """Return the heat in every plant, float64, (lanes,) [J]."""
    constants = host(true_plant(task_state(state), task_params(lab.noisy)))
    return stored(host(task_state(state).plant), constants)


def _settle(lab: Lab, state: Any) -> Step:
    actions = normal_actions(lab.sizes.lanes)
    step = lab.step(lab.noisy, state, actions, 0)
    for number in range(1, SETTLE_STEPS):
        step = lab.step(lab.noisy, step.state, actions, number)
    return step


def _actions(
    field: Field, asked: Mapping[str, np.ndarray], moment: Moment
) -> np.ndarray:
    """Return what every policy does, given what the references ask for everywhere."""
    leader = next(iter(asked))
    actions = normal_actions(field.lanes)
    for name in field.names:
        rows = field.rows(name)
        if name in asked:
            actions[rows] = asked[name][rows]
            continue
        own = dataclasses.replace(
            moment,
            first=moment.first[rows],
            last=moment.last[rows],
            reference=asked[leader][rows],
        )
        actions[rows] = POLICIES[name].act(own)
    return np.clip(actions, LOWER, UPPER)


def play(lab: Lab, field: Field) -> Run:
    """Run every policy for an episode; what comes after an end does not count."""
    observation, state = _start(lab, field)
    references = dict(lab.subject.references)
    programs = {name: jax.jit(each.act) for name, each in references.items()}
    memories = {name: each.init((field.lanes,)) for name, each in references.items()}
    first = np.asarray(observation.applied)
    rng, steps = np.random.default_rng(lab.seed + 71), lab.sizes.score_steps
    params = adjusted(lab.noisy, horizon=jnp.asarray(steps, jnp.int32))
    rows, alive = [], np.ones(field.lanes, bool)
    for number in range(steps):
        asked, key = {}, jax.random.key(lab.seed + number)
        for name, program in programs.items():
            action, memories[name] = program(key, memories[name], observation)
            asked[name] = np.asarray(action_to_vector(action))
        last = np.asarray(observation.applied)
        moment = Moment(number, steps - number, first, last, last, rng)
        actions = _actions(field, asked, moment)
        step = lab.step(params, state, actions, 1000 + number)
        rows.append(_row(step, alive))
        # What has not tripped ran to its end, whatever the environment calls that.
        alive = alive & ~(np.asarray(step.terminated).astype(bool) & is_too_hot(step))
        observation, state = step.observation, step.state
    totals = [np.sum(column, axis=0) for column in zip(*rows, strict=True)]
    hottest = np.max([row[-1] for row in rows], axis=0)
    heat = _stored(lab, state)
    return Run(*totals[:-1], hottest=hottest, tripped=~alive, heat=heat)


def _row(step: Step, alive: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what a step adds in each lane that still runs."""
    power = np.sum([np.asarray(p, np.float64) for p in step.info["power"].values()], 0)
    violated = np.asarray(step.info["limits"]) > TOLERANCE
    hottest = np.asarray(step.info["summary"].inlet_temp_max)

    def counted(values: np.ndarray) -> np.ndarray:
        mask = alive.reshape(alive.shape + (1,) * (values.ndim - 1))
        return np.where(mask, np.asarray(values, np.float64), 0.0)

    charge = step.info.get("heat_charge", jnp.zeros_like(step.reward))
    return (
        counted(np.asarray(step.reward)),
        counted(np.asarray(charge)),
        counted(np.asarray(step.info["costs"])),
        counted(power - np.asarray(step.info["work"])),
        counted(violated),
        counted(np.any(violated, axis=-1)),
        alive.astype(np.float64),
        np.where(alive, hottest, -np.inf),
    )
