"""`g36`: the essentials of ASHRAE Guideline 36-2021 for a chilled-water plant.

Plant reference 3.2 (LBNL's implementation): trim and respond on pressure and
chilled-water temperature (5.20.5.2, `g36_reset`), condenser-water reset by load and
lift (5.20.12.2), staging on a part-load ratio that rises with lift, and a waterside
economizer that is one change of mode. Requests come from the halls' valves and
supply air; air and valves keep a reserve for the next step of the load (`g36_load`).
Thin: equal tower fans, no failsafe on pressure.
"""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.g36_load import (
    LoadSteps,
    fan_speed,
    learn_steps,
    no_steps,
    possible_rise,
)
from coolbound_controllers.g36_plant import (
    PlantReadings,
    largest_lift,
    pump_speed,
    read_plant,
    tower_fan_speed,
)
from coolbound_controllers.g36_reset import (
    in_force,
    next_reset,
    requests,
    set_points,
)
from coolbound_controllers.g36_tuning import GUIDELINE, G36Tuning
from coolbound_controllers.operator_settings import (
    OperatorSettings,
    as_action,
    full,
)
from coolbound_envs.types import Action, Key, Observation

_INTERVAL = 300.0
_HOLD = 900.0
_PRECOOL_NEAR = 0.5
_PRECOOL_PRESSURE = 110.0
"""Remote pressure at least, for valves that are about to meet warm water. [kPa]"""


@struct.dataclass
class G36State:
    """Memory of the sequences. Dynamic.

    Attributes:
        reset: Plant reset, 0 to 1. [1]
        since_stage: Time since machines last changed. [s]
        last_count: Machines that ran before. [1]
        wants_more: How long one more was wanted. [s]
        wants_less: How long one less was wanted. [s]
        economizer_on: How long it has been on; negative while off. [s]
        load: Steps of the IT load.
    """

    reset: jax.Array
    since_stage: jax.Array
    last_count: jax.Array
    wants_more: jax.Array
    wants_less: jax.Array
    economizer_on: jax.Array
    load: LoadSteps


def is_changing(state: G36State, observation: Observation) -> jax.Array:
    """Return True where machines change or are about to, (...)."""
    running = observation.read("chillers_running") > 0.5
    leaves = (state.economizer_on >= 0.0) & running
    is_starting = observation.read("chillers_starting") > 0.5
    return (state.since_stage < _HOLD) | leaves | is_starting


def _count_on(timer: jax.Array, condition: jax.Array) -> jax.Array:
    return jnp.where(condition, jnp.minimum(timer + _INTERVAL, 1e5), 0.0)


@final
@dataclasses.dataclass(frozen=True)
class G36:
    """The Guideline 36 operator. Static.

    Attributes:
        settings: What it knows about the site.
        tuning: Constants of the sequences; the guideline's unless given.
        is_guest: True beside a controller that sets the chilled water: machines are
            judged by its set-point where that is the warmer one.
    """

    settings: OperatorSettings
    tuning: G36Tuning = GUIDELINE
    is_guest: bool = False

    def init(self, params: Any = ()) -> G36State:
        """Return the memory of a batch of shape `params`, () for one plant."""
        zero = jnp.zeros(params, jnp.float32)
        return G36State(
            reset=zero + 0.7,
            since_stage=zero + 1e5,
            last_count=zero + 2.0,
            wants_more=zero,
            wants_less=zero,
            economizer_on=zero - 1e5,
            load=no_steps(zero.shape, self.settings),
        )

    def act(
        self, key: Key, state: G36State, observation: Observation
    ) -> tuple[Action, G36State]:
        """Return the set-points that the sequences ask for."""
        del key
        state = self._reset(state, observation)
        pressure, water = set_points(state.reset, self.settings)
        judged = water
        if self.is_guest:
            judged = jnp.maximum(water, observation.applied[..., 4])
        plant = read_plant(observation, judged)
        wants_free, state = self._economize(state, plant, observation)
        demand, state = self._stage(state, plant, wants_free, observation)
        leaves = (wants_free > 0.5) & (plant.count + plant.starting > 0.5)
        is_held = state.since_stage < _HOLD
        # The resets, water included, are held while machines change.
        water = jnp.where(is_held, observation.applied[..., 4], water)
        water = jnp.where(leaves, self._precooled_water(plant), water)
        raised = jnp.maximum(pressure, _PRECOOL_PRESSURE)
        rest = (
            water,
            jnp.where(leaves, raised, pressure),
            self._pump_speed(plant, demand, wants_free),
            tower_fan_speed(plant, wants_free, observation, self.settings),
            demand,
            self._opening(plant, wants_free, leaves, observation),
        )
        colder = jnp.where(leaves, self.tuning.precool_air, 0.0)[..., None]
        air = full(self.settings.supply_air_reset, observation.applied[..., 0:2])
        fans = self._fans(state, leaves | is_held, observation)
        return as_action(air - colder, fans, rest, observation.applied), state

    def _reset(self, state: G36State, observation: Observation) -> G36State:
        """Trim and respond; held while machines change and 15 min after."""
        count = observation.read("chillers_running")
        is_staging = (jnp.abs(count - state.last_count) > 0.5) | (
            observation.read("chillers_starting") > 0.5
        )
        since = jnp.where(is_staging, 0.0, jnp.minimum(state.since_stage + 300.0, 1e5))
        load = learn_steps(state.load, observation)
        rise = possible_rise(load, self.settings)
        asked = requests(observation, rise, self.tuning.valve_first)
        held = in_force(state.reset, observation.applied[..., 5])
        moved = next_reset(held, asked, observation, self.settings)
        return dataclasses.replace(
            state,
            reset=jnp.where(since < _HOLD, held, moved),
            since_stage=since,
            last_count=count,
            load=load,
        )

    def _precooled_water(self, plant: PlantReadings) -> jax.Array:
        """Return the chilled water at which the chillers may stop [degC].

        When they stop the tower water stands where their lift needs it, 5 K above
        what free cooling brings in the end: for 10 min water, air and servers live
        on the cold that was stored before. Colder chilled water also lets the towers
        go colder at the same lift.
        """
        coldest = self.settings.chw_supply_min
        warmest = self.settings.chw_supply_max - self.tuning.precool_water
        wanted = jnp.maximum(warmest, coldest)
        return jnp.minimum(plant.chw_setpoint, wanted)

    def _is_precooled(self, plant: PlantReadings) -> jax.Array:
        return plant.supply < self._precooled_water(plant) + _PRECOOL_NEAR

    def _opening(
        self,
        plant: PlantReadings,
        wants_free: jax.Array,
        leaves: jax.Array,
        observation: Observation,
    ) -> jax.Array:
        """Return the economizer's request: open for free cooling, once precooled."""
        opens = jnp.where(leaves & ~self._is_precooled(plant), 0.0, wants_free)
        is_open = observation.read("economizer_running") > 0.5
        keeps = (wants_free > 0.5) | (plant.count < 1.5)
        return jnp.where(is_open & keeps, 1.0, opens)

    def _stage(
        self,
        state: G36State,
        plant: PlantReadings,
        wants_free: jax.Array,
        observation: Observation,
    ) -> tuple[jax.Array, G36State]:
        """Return machines wanted: staging ratio by lift, true delay 15 min."""
        lift_max, lift_min = largest_lift(self.settings), self.settings.lift_min
        slope = 0.9 / (lift_max - lift_min)
        offset = slope * (0.4 * lift_max - 1.4 * lift_min)
        ratio = jnp.clip(slope * plant.lift + offset, self.tuning.stage_least, 0.90)
        capacity = self.settings.chiller_capacity
        count, load = plant.count, plant.load
        is_free = wants_free > 0.5
        share = load / (jnp.maximum(count, 1.0) * capacity)
        fewer = load / (jnp.maximum(count - 1.0, 0.25) * capacity)
        is_warm = plant.supply > plant.chw_setpoint + 1.0
        is_short = (share > ratio) | is_warm
        more = _count_on(state.wants_more, is_short & ~is_free)
        is_spare = (count > 1.5) & (fewer < 0.9 * ratio) & ~is_warm
        less = _count_on(state.wants_less, is_spare)
        # Out of free cooling the first machine is wanted at once.
        patience = jnp.where(count < 1.5, 0.0, _HOLD)
        step = jnp.where(more > patience, 1.0, jnp.where(less >= _HOLD, -1.0, 0.0))
        step = jnp.where(plant.starting > 0.5, 0.0, step)
        demand = jnp.clip(count + plant.starting + step, 1.0, 3.0)
        is_open = observation.read("economizer_running") > 0.5
        # The towers run up before the chillers stop: their fans ramp slowly.
        is_ready = is_free & is_open & (observation.applied[..., 7] > 0.75)
        is_ready = is_ready & self._is_precooled(plant)
        stays = is_free & (count + plant.starting < 0.5)
        demand = jnp.where(is_ready | stays, 0.0, demand)
        return demand, dataclasses.replace(state, wants_more=more, wants_less=less)

    def _economize(
        self, state: G36State, plant: PlantReadings, observation: Observation
    ) -> tuple[jax.Array, G36State]:
        """Return 1 where free cooling is wanted.

        Full mechanical or full free cooling: with the lift held above its
        minimum the condenser water is too warm for the modes in between. On
        after 20 min off when the predicted outlet, wet bulb plus approach, is below
        the set-point; off after 20 min on when it is 1.5 K above that.
        """
        wet_bulb = observation.read("outdoor_wet_bulb")
        predicted = wet_bulb + self.tuning.free_approach - plant.chw_setpoint
        is_on = state.economizer_on >= 0.0
        age = jnp.abs(state.economizer_on)
        start = ~is_on & (age >= 1200.0) & (predicted < 0.0)
        is_warm = plant.supply > plant.chw_setpoint + 2.0
        is_late = (age >= 3600.0) & is_warm
        stop = is_on & (age >= 1200.0) & ((predicted > 1.5) | is_late)
        now_on = (is_on | start) & ~stop
        older = jnp.minimum(age + _INTERVAL, 1e5)
        signed = jnp.where(now_on, older, -older)
        fresh = jnp.where(now_on, 0.0, -_INTERVAL)
        timer = jnp.where(now_on == is_on, signed, fresh)
        return now_on.astype(jnp.float32), dataclasses.replace(
            state, economizer_on=timer
        )

    def _pump_speed(
        self, plant: PlantReadings, demand: jax.Array, wants_free: jax.Array
    ) -> jax.Array:
        """Return condenser pump speed: reset, or fixed per stage and full when free."""
        is_free = demand + plant.count < 0.5
        reset = self.tuning.pump
        if reset is not None:
            return pump_speed(reset, plant, is_free | (wants_free > 0.5), self.settings)
        stages = jnp.clip(jnp.maximum(demand, plant.count) / 2.0, 0.5, 1.0)
        return jnp.where(is_free, 1.0, stages)

    def _fans(
        self, state: G36State, changes: jax.Array, observation: Observation
    ) -> jax.Array:
        """Return CRAH fan speeds (..., halls); not slowed while machines change."""
        slowest = jnp.where(changes[..., None], observation.applied[..., 2:4], 0.0)
        return jnp.maximum(fan_speed(state.load, self.settings), slowest)
