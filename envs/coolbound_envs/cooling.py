"""The cooling task: a gymnax-shaped environment around the plant.

Observation: instruments, with quality and age. Action: ten channels; one that is
NaN or outside its box is refused and the last one holds. Reward: minus the facility
power above the IT work, minus a price for a trip, and, where time is up, for heat
left behind in the plant. Costs: one per group of limits. Ends: terminated when a
server inlet passes the trip temperature, or when the integration diverges; truncated
after `horizon` intervals.

Faults and the plant's own variation are drawn at reset and act on the true plant;
`TaskParams.plant` stays the nominal one. Limits and costs are those of the true
plant, faults or not.

Everything works on one plant or on a batch of them. Inside, batch axes come
last (the plant's own layout); at the border, in observations, actions and
records, they come first. `step` on a batch takes one key for the whole batch.
"""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp

from coolbound_envs import sensors
from coolbound_envs.accounts import (
    TRIP_TEMP,
    accounts,
    heat_charge,
    reward_of,
    without_readings,
)
from coolbound_envs.action_box import accepted, is_refused
from coolbound_envs.energy import stored_heat
from coolbound_envs.episode import TaskParams, TaskState, select_lanes
from coolbound_envs.fault_effects import SensorFaults, faults_at
from coolbound_envs.fault_schedule import draw_faults
from coolbound_envs.interval import CONTROL_INTERVAL, SUBSTEPS, Summary, run_interval
from coolbound_envs.limits import Moment, limit_values
from coolbound_envs.params import PlantParams
from coolbound_envs.scenario import Place, disturbance_at, disturbed
from coolbound_envs.settling import initial_action, initial_state
from coolbound_envs.soundness import is_sound
from coolbound_envs.spec import HALLS, ZONES
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Action, Key, Observation, Scalar
from coolbound_envs.variation import draw_variation, varied_plant

HISTORY = 3
"""Intervals of inlet temperature that are kept: 15 min. [1]"""

BEFORE = -1
"""`TaskState.steps` while a plant settles before its episode: no fault acts. [1]"""


def true_plant(state: TaskState, params: TaskParams) -> PlantParams:
    """Return the constants of the plant that is simulated, leaves of batch shape."""
    return varied_plant(params.plant, state.variation)


def acting_disturbance(
    state: TaskState, params: TaskParams
) -> tuple[Disturbance, SensorFaults]:
    """Return what acts on plant and instruments in the interval that begins now."""
    active = faults_at(state.faults, _elapsed(state))
    tables = disturbance_at(state.place, params.scenario, params.plant.it)
    acting = disturbed(tables, active, state.variation, params.plant.it)
    return acting, active.sensors


def _stored(state: TaskState, params: TaskParams) -> jax.Array:
    """Return the heat in the true plant [J]."""
    # Constants of each lane, (B,), meet arrays of halls and zones, batch last.
    with jax.numpy_rank_promotion("allow"):
        return stored_heat(state.plant, true_plant(state, params))


def _elapsed(state: TaskState) -> jax.Array:
    """Return the time since the episode began, negative before it [s]."""
    return state.steps.astype(jnp.float32) * CONTROL_INTERVAL


def advance(
    key: Key, state: TaskState, action: Action, params: TaskParams
) -> tuple[TaskState, Summary, jax.Array, Disturbance]:
    """Run one interval and read the instruments; the action is not questioned.

    Returns:
        The state after it, its summary, h of all limits (21, ...), and the
        disturbance that acted.
    """
    disturbance, instruments = acting_disturbance(state, params)
    plant, summary, values = _run(state, action, disturbance, params)
    truth = sensors.true_points(plant, summary, disturbance)
    readings = sensors.read_points(
        key, state.readings, truth, params.sensors, instruments, _elapsed(state)
    )
    history = jnp.concatenate(
        [summary.mean.inlet_temp[None], state.inlet_history[:-1]], axis=0
    )
    place = dataclasses.replace(
        state.place, time=state.place.time + jnp.int32(CONTROL_INTERVAL)
    )
    moved = dataclasses.replace(
        state,
        plant=plant,
        readings=readings,
        applied=action,
        inlet_history=history,
        place=place,
        steps=state.steps + 1,
    )
    return moved, summary, values, disturbance


def _run(
    state: TaskState, action: Action, disturbance: Disturbance, params: TaskParams
) -> tuple[PlantState, Summary, jax.Array]:
    """Return the true plant after the interval, its summary and its limits."""
    constants = true_plant(state, params)
    # A constant of each lane, (B,), meets arrays such as (halls, B): the batch is
    # last in both, which is what numpy's rule lines up.
    with jax.numpy_rank_promotion("allow"):
        plant, summary = run_interval(
            state.plant, action, disturbance, constants, SUBSTEPS
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
        return plant, summary, limit_values(moment, params.limits, constants)


def _has_diverged(state: TaskState, summary: Summary, values: jax.Array) -> jax.Array:
    """Return whether a state is impossible, or an account of it not finite."""
    is_finite = jnp.isfinite(summary.mean.facility_power)
    is_finite = is_finite & jnp.all(jnp.isfinite(values), axis=0)
    return ~(is_sound(state.plant) & is_finite)


@final
@dataclasses.dataclass(frozen=True)
class CoolingTask:
    """Two halls to be kept cool. Static.

    Attributes:
        settle_steps: Intervals that the plant runs before an episode. [1]
        checks_actions: False where actions are a record of what a plant was truly
            told, which may lie outside the box: nothing is refused then.
    """

    settle_steps: int = 0
    checks_actions: bool = True

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
        """Return the first observation and state of an episode at a place.

        Faults and variation are drawn from the key, which also drives the
        instruments while the plant settles.
        """
        shape = place.time.shape
        draw_key = jax.random.fold_in(key, 1)
        fault_key, variation_key = jax.random.split(draw_key)
        variation = draw_variation(variation_key, shape, params.variation)
        disturbance = disturbance_at(place, params.scenario, params.plant.it)
        constants = varied_plant(params.plant, variation)
        inlets = jnp.full((HISTORY, HALLS, ZONES, *shape), 22.5, jnp.float32)
        state = TaskState(
            plant=initial_state(disturbance, constants, shape),
            readings=sensors.no_readings(shape),
            applied=initial_action(disturbance, shape),
            inlet_history=inlets,
            place=place,
            faults=draw_faults(fault_key, place.city, shape, params.faults),
            variation=variation,
            steps=jnp.full(shape, BEFORE, jnp.int32),
            refused=jnp.zeros(shape, jnp.int32),
            stored=jnp.zeros(shape, jnp.float32),
        )
        return self._settle(key, state, params)

    def _settle(
        self, key: Key, state: TaskState, params: TaskParams
    ) -> tuple[Observation, TaskState]:
        """Run the plant on its first action, then turn the clock back."""
        place = state.place
        # An episode begins with every instrument answering, and in time.
        none = jnp.zeros((), jnp.float32)
        prompt = dataclasses.replace(params.sensors, dropout=none, delay=none)
        calm = dataclasses.replace(params, sensors=prompt)

        def settle(carry: TaskState, step_key: Key) -> tuple[TaskState, None]:
            moved = advance(step_key, carry, carry.applied, calm)[0]
            return dataclasses.replace(moved, place=place, steps=carry.steps), None

        keys = jax.random.split(key, self.settle_steps + 1)
        # One interval at least, so that every instrument has a reading.
        state, _ = jax.lax.scan(settle, state, keys)
        state = dataclasses.replace(
            state,
            readings=dataclasses.replace(
                state.readings, age=jnp.zeros_like(state.readings.age)
            ),
            steps=jnp.zeros_like(state.steps),
            stored=_stored(state, params),
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
            action: The action, physical units. One that is not finite or outside
                its box is refused: the last one holds.
            params: The task.

        Returns:
            Observation, state, reward [1], terminated, truncated (never both), and
            `info`: `costs` (..., 4), `limits` (..., 21) in each limit's unit,
            `power` by consumer [W], `work` [W], `water` of the towers by what
            becomes of it [kg/s], `summary`, `disturbance`, `final_observation`,
            `action_refused`, `diverged`, and `heat_charge`, the part of the reward
            that is due at the horizon for heat left behind [1]: a learner that
            values the final observation adds it back.

            Where `diverged`, the lane is terminated, its observation is NaN and
            MISSING, limits, powers, water and summary are NaN, reward and costs
            are finite prices, and the state is kept as it is for
            `coolbound_envs.soundness.require_sound` to report.
        """
        refused = self._refused(action, state)
        action = accepted(action, state.applied, refused)
        state, summary, values, disturbance = advance(key, state, action, params)
        state = dataclasses.replace(
            state, refused=state.refused + refused.astype(jnp.int32)
        )
        diverged = _has_diverged(state, summary, values)
        is_tripped = ~diverged & (summary.inlet_temp_max > TRIP_TEMP)
        clock = state.place.time.astype(jnp.float32)
        observation = without_readings(
            diverged, sensors.observe(state.readings, state.applied, clock)
        )
        condenser = params.plant.condenser
        info = accounts(diverged, summary, values, disturbance, condenser) | {
            "final_observation": observation,
            "action_refused": refused,
            "diverged": diverged,
        }
        terminated = diverged | is_tripped
        truncated = (state.steps >= params.horizon) & ~terminated
        charge = heat_charge(_stored(state, params), state.stored, truncated)
        info["heat_charge"] = charge
        reward = reward_of(summary, disturbance, is_tripped, diverged) - charge
        return observation, state, reward, terminated, truncated, info

    def select(self, ended: jax.Array, fresh: TaskState, kept: TaskState) -> TaskState:
        """Return a batch with the lanes that ended replaced by fresh ones."""
        return select_lanes(ended, fresh, kept)

    def _refused(self, action: Action, state: TaskState) -> jax.Array:
        if self.checks_actions:
            return is_refused(action)
        return jnp.zeros(state.steps.shape, bool)
