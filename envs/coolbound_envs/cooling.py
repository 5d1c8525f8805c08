"""The cooling task: a gymnax-shaped environment around the plant.

Observation: instruments, with quality and age. Action: ten channels. Reward:
minus the facility power above the IT work, and minus a price for a trip.
Costs: one per group of limits. Ends: terminated when a server inlet passes the
trip temperature, truncated after `horizon` intervals.

Everything works on one plant or on a batch of them. Inside, batch axes come
last (the plant's own layout); at the border, in observations, actions and
records, they come first. `step` on a batch takes one key for the whole batch.
"""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import sensors
from coolbound_envs.interval import CONTROL_INTERVAL, SUBSTEPS, Summary, run_interval
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limits import Moment, group_costs, limit_values
from coolbound_envs.params import PlantParams
from coolbound_envs.scenario import Place, Scenario, disturbance_at
from coolbound_envs.settling import initial_action, initial_state
from coolbound_envs.spec import HALLS, OBSERVATION_SIZE, ZONES
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Action, Key, Observation, Scalar

REWARD_POWER = 1.0e5
"""One unit of reward is this much power above the IT work. [W]"""

TRIP_TEMP = 40.0
"""Servers switch themselves off at this inlet. [degC]"""

TRIP_PRICE = 1.0e3
"""Reward lost with a trip: more than ending the episode early can gain. [1]"""

HISTORY = 3
"""Intervals of inlet temperature that are kept: 15 min. [1]"""


@struct.dataclass
class TaskParams:
    """Everything that makes one task. Dynamic.

    Attributes:
        plant: The plant.
        limits: The limits' numbers.
        sensors: The instruments.
        scenario: Weather and load to draw from.
        horizon: Intervals in an episode. [1]
    """

    plant: PlantParams
    limits: LimitValues
    sensors: sensors.SensorParams
    scenario: Scenario
    horizon: jax.Array


@struct.dataclass
class TaskState:
    """The whole simulation. Dynamic; no controller reads it.

    Attributes:
        plant: True state of the plant.
        readings: The last readings of the instruments.
        applied: The action of the interval before.
        inlet_history: Zone inlets, newest first, (3, halls, zones). [degC]
        place: Where in weather and load the episode stands.
        steps: Intervals since the episode began. [1]
    """

    plant: PlantState
    readings: sensors.SensorState
    applied: Action
    inlet_history: jax.Array
    place: Place
    steps: jax.Array


def advance(
    key: Key, state: TaskState, action: Action, params: TaskParams
) -> tuple[TaskState, Summary, jax.Array, Disturbance]:
    """Run one interval and read the instruments.

    Returns:
        The state after it, its summary, h of all limits (21, ...), and the
        disturbance that acted.
    """
    disturbance = disturbance_at(state.place, params.scenario, params.plant.it)
    plant, summary = run_interval(
        state.plant, action, disturbance, params.plant, SUBSTEPS
    )
    moment = Moment(
        summary=summary,
        before=state.plant,
        after=plant,
        inlet_before=state.inlet_history[-1],
        inlet_last=state.inlet_history[0],
        action=action,
        previous=state.applied,
    )
    values = limit_values(moment, params.limits, params.plant)
    truth = sensors.true_points(plant, summary, disturbance)
    readings = sensors.read_points(key, state.readings, truth, params.sensors)
    history = jnp.concatenate(
        [summary.mean.inlet_temp[None], state.inlet_history[:-1]], axis=0
    )
    place = dataclasses.replace(
        state.place, time=state.place.time + jnp.int32(CONTROL_INTERVAL)
    )
    moved = TaskState(
        plant=plant,
        readings=readings,
        applied=action,
        inlet_history=history,
        place=place,
        steps=state.steps + 1,
    )
    return moved, summary, values, disturbance


def power_by_consumer(summary: Summary) -> dict[str, jax.Array]:
    """Return the interval's mean power of each consumer [W]."""
    mean = summary.mean
    return {
        "it": jnp.sum(mean.it_power, axis=0),
        "crah": jnp.sum(mean.crah_power, axis=0),
        "chiller": mean.chiller_power,
        "chw_pump": mean.chw_pump_power,
        "cw_pump": mean.cw_pump_power,
        "tower": mean.tower_power,
    }


def power_above_work(summary: Summary, disturbance: Disturbance) -> Scalar:
    """Return facility power above the IT work [W].

    The work is the servers' power at 20 degC inlet: what leakage and server
    fans add in warm air counts against the policy, as it does on the bill.
    """
    work = jnp.sum(disturbance.it_work, axis=0)
    return summary.mean.facility_power - work


@final
@dataclasses.dataclass(frozen=True)
class CoolingTask:
    """Two halls to be kept cool. Static.

    Attributes:
        settle_steps: Intervals that the plant runs before an episode. [1]
    """

    settle_steps: int = 0

    def reset(self, key: Key, params: TaskParams) -> tuple[Observation, TaskState]:
        """Return the first observation and state of one plant."""
        return self.reset_batch(key, params, ())

    def reset_batch(
        self, key: Key, params: TaskParams, shape: tuple[int, ...]
    ) -> tuple[Observation, TaskState]:
        """Return first observations and states of a batch of that shape."""
        place_key, settle_key = jax.random.split(key)
        place = params.scenario.draw(place_key, shape)
        return self.start_at(settle_key, place, params)

    def start_at(
        self, key: Key, place: Place, params: TaskParams
    ) -> tuple[Observation, TaskState]:
        """Return the first observation and state of an episode at a place."""
        shape = place.time.shape
        disturbance = disturbance_at(place, params.scenario, params.plant.it)
        plant = initial_state(disturbance, params.plant, shape)
        empty = jnp.zeros((OBSERVATION_SIZE, *shape), jnp.float32)
        inlets = jnp.full((HISTORY, HALLS, ZONES, *shape), 22.5, jnp.float32)
        state = TaskState(
            plant=plant,
            readings=sensors.SensorState(value=empty, age=empty),
            applied=initial_action(disturbance, shape),
            inlet_history=inlets,
            place=place,
            steps=jnp.zeros(shape, jnp.int32),
        )
        return self._settle(key, state, params)

    def _settle(
        self, key: Key, state: TaskState, params: TaskParams
    ) -> tuple[Observation, TaskState]:
        """Run the plant on its first action, then turn the clock back."""
        place = state.place
        # An episode begins with every instrument answering.
        whole = dataclasses.replace(
            params.sensors, dropout=jnp.zeros_like(params.sensors.dropout)
        )
        calm = dataclasses.replace(params, sensors=whole)

        def settle(carry: TaskState, step_key: Key) -> tuple[TaskState, None]:
            carry = advance(step_key, carry, carry.applied, calm)[0]
            return dataclasses.replace(carry, place=place), None

        keys = jax.random.split(key, self.settle_steps + 1)
        # One interval at least, so that every instrument has a reading.
        state, _ = jax.lax.scan(settle, state, keys)
        state = dataclasses.replace(
            state,
            readings=dataclasses.replace(
                state.readings, age=jnp.zeros_like(state.readings.age)
            ),
            steps=jnp.zeros_like(state.steps),
        )
        clock = place.time.astype(jnp.float32)
        return sensors.observe(state.readings, state.applied, clock), state

    def step(
        self, key: Key, state: TaskState, action: Action, params: TaskParams
    ) -> tuple[Observation, TaskState, Scalar, Scalar, Scalar, dict[str, Any]]:
        """Run one control interval of 300 s.

        Args:
            key: For the instruments; one for the whole batch.
            state: The simulation.
            action: The applied action, physical units.
            params: The task.

        Returns:
            Observation, state, reward [1], terminated, truncated, and `info`:
            `costs` (..., 4), `limits` (..., 21) in each limit's unit, `power`
            by consumer [W], `work` [W], `summary`, `final_observation`.
        """
        state, summary, values, disturbance = advance(key, state, action, params)
        clock = state.place.time.astype(jnp.float32)
        observation = sensors.observe(state.readings, state.applied, clock)
        is_tripped = summary.inlet_temp_max > TRIP_TEMP
        price = TRIP_PRICE * is_tripped.astype(jnp.float32)
        reward = -power_above_work(summary, disturbance) / REWARD_POWER - price
        info = {
            "costs": jnp.moveaxis(group_costs(values), 0, -1),
            "limits": jnp.moveaxis(values, 0, -1),
            "power": power_by_consumer(summary),
            "work": jnp.sum(disturbance.it_work, axis=0),
            "summary": summary,
            "disturbance": disturbance,
            "final_observation": observation,
        }
        truncated = state.steps >= params.horizon
        return observation, state, reward, is_tripped, truncated, info
