"""`g36`: the essentials of ASHRAE Guideline 36-2021 for a chilled-water plant.

Plant reference 3.2 (LBNL's implementation): trim and respond on pressure and
chilled-water temperature (5.20.5.2), condenser-water reset by load and lift
(5.20.12.2), staging on a part-load ratio that rises with lift, and an
integrated waterside economizer. Requests come from the halls' valves and
supply air. Thin: equal tower fans, no failsafe on pressure.
"""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.operator_settings import (
    OperatorSettings,
    as_action,
    cooling_load,
    full,
)
from coolbound_envs.types import Action, Key, Observation

_INTERVAL = 300.0
_TRIM = -0.02
_RESPOND = 0.03
_RESPOND_MAX = 0.07
_IGNORED = 2.0
_HOLD = 900.0
_TOWER_GAIN = 0.015
_FREE_APPROACH = 10.0
_ENTERING_MAX = 30.5
_PRESSURE_MIN, _PRESSURE_MAX = 34.5, 120.0


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
    """

    reset: jax.Array
    since_stage: jax.Array
    last_count: jax.Array
    wants_more: jax.Array
    wants_less: jax.Array
    economizer_on: jax.Array


def _count_on(timer: jax.Array, condition: jax.Array) -> jax.Array:
    return jnp.where(condition, jnp.minimum(timer + _INTERVAL, 1e5), 0.0)


@struct.dataclass
class _Plant:
    """What the sequences read, for one decision. Dynamic.

    Attributes:
        count: Machines running. [1]
        starting: Machines on their way. [1]
        chw_setpoint: Wanted chilled water. [degC]
        supply: Measured chilled water. [degC]
        load: Chilled-water load. [W]
        lift: Condenser return minus chilled-water supply. [K]
    """

    count: jax.Array
    starting: jax.Array
    chw_setpoint: jax.Array
    supply: jax.Array
    load: jax.Array
    lift: jax.Array


@final
@dataclasses.dataclass(frozen=True)
class G36:
    """The Guideline 36 operator. Static.

    Attributes:
        settings: What it knows about the site.
    """

    settings: OperatorSettings

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
        )

    def act(
        self, key: Key, state: G36State, observation: Observation
    ) -> tuple[Action, G36State]:
        """Return the set-points that the sequences ask for."""
        del key
        state = self._reset(state, observation)
        pressure, chw_setpoint = self._setpoints(state.reset)
        plant = self._measure(observation, chw_setpoint)
        wants_free, state = self._economize(state, plant, observation)
        demand, state = self._stage(state, plant, wants_free, observation)
        keeps = (wants_free > 0.5) | (plant.count < 1.5)
        is_open = observation.read("economizer_running") > 0.5
        wants_open = jnp.where(is_open & keeps, 1.0, wants_free)
        fan = self._tower(plant, wants_free, observation)
        halls = observation.applied[..., 0:2]
        rest = (
            chw_setpoint,
            pressure,
            self._pump_speed(plant, demand),
            fan,
            demand,
            wants_open,
        )
        air = full(self.settings.supply_air_reset, halls)
        return as_action(air, self._fans(observation), rest, observation.applied), state

    def _reset(self, state: G36State, observation: Observation) -> G36State:
        """Trim and respond; held while machines change and 15 min after."""
        count = observation.read("chillers_running")
        is_staging = (jnp.abs(count - state.last_count) > 0.5) | (
            observation.read("chillers_starting") > 0.5
        )
        since = jnp.where(is_staging, 0.0, jnp.minimum(state.since_stage + 300.0, 1e5))
        valve = observation.read_halls("crah_valve")
        error = (
            observation.read_halls("supply_air_temp") - observation.applied[..., 0:2]
        )
        # One reading stands for the five CRAHs of its hall.
        per_hall = jnp.where(error > 1.0, 3.0, jnp.where(valve > 0.90, 2.0, 0.0))
        requests = jnp.sum(per_hall, axis=-1)
        respond = jnp.minimum(_RESPOND * (requests - _IGNORED), _RESPOND_MAX)
        # A single hall that asks is heard: a request of two is not ignored.
        change = jnp.where(requests > _IGNORED, respond, _TRIM)
        change = jnp.where((requests > 0.0) & (requests <= _IGNORED), _RESPOND, change)
        reset = jnp.clip(state.reset + change, 0.0, 1.0)
        reset = jnp.where(since < _HOLD, state.reset, reset)
        return dataclasses.replace(
            state, reset=reset, since_stage=since, last_count=count
        )

    def _setpoints(self, reset: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return pressure [kPa] and chilled water [degC] of the plant reset.

        0 to 0.5 raises the pressure, 0.5 to 1 lowers the temperature.
        """
        first = jnp.clip(2.0 * reset, 0.0, 1.0)
        second = jnp.clip(2.0 * reset - 1.0, 0.0, 1.0)
        warm, cold = self.settings.chw_supply_max, self.settings.chw_supply_min
        pressure = _PRESSURE_MIN + first * (_PRESSURE_MAX - _PRESSURE_MIN)
        return pressure, warm - second * (warm - cold)

    def _measure(self, observation: Observation, chw_setpoint: jax.Array) -> _Plant:
        supply = observation.read("chw_supply_temp")
        flow = observation.read("chw_flow")
        load = cooling_load(flow, observation.read("chw_return_temp") - supply)
        count = observation.read("chillers_running")
        return _Plant(
            count=count,
            starting=observation.read("chillers_starting"),
            chw_setpoint=chw_setpoint,
            supply=supply,
            load=load,
            lift=observation.read("cw_return_temp") - supply,
        )

    def _lift_max(self) -> float:
        return self.settings.cw_return_design - self.settings.chw_supply_min

    def _stage(
        self,
        state: G36State,
        plant: _Plant,
        wants_free: jax.Array,
        observation: Observation,
    ) -> tuple[jax.Array, G36State]:
        """Return machines wanted: staging ratio by lift, true delay 15 min."""
        lift_max, lift_min = self._lift_max(), self.settings.lift_min
        slope = 0.9 / (lift_max - lift_min)
        offset = slope * (0.4 * lift_max - 1.4 * lift_min)
        ratio = jnp.clip(slope * plant.lift + offset, 0.45, 0.90)
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
        stays = is_free & (count + plant.starting < 0.5)
        demand = jnp.where(is_ready | stays, 0.0, demand)
        return demand, dataclasses.replace(state, wants_more=more, wants_less=less)

    def _economize(
        self, state: G36State, plant: _Plant, observation: Observation
    ) -> tuple[jax.Array, G36State]:
        """Return 1 where free cooling is wanted.

        Full mechanical or full free cooling: with the lift held above its
        minimum the condenser water is too warm for the modes in between. On
        after 20 min off when the predicted outlet, wet bulb plus 10 K, is below
        the set-point; off after 20 min on when it is 1.5 K above that.
        """
        wet_bulb = observation.read("outdoor_wet_bulb")
        predicted = wet_bulb + _FREE_APPROACH - plant.chw_setpoint
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

    def _tower(
        self, plant: _Plant, wants_free: jax.Array, observation: Observation
    ) -> jax.Array:
        """Return the tower fan speed [1].

        With chillers: condenser return at CHWST + max(LIFTmin, A PLR + B), PLR
        of the whole plant. In free cooling the fan holds the chilled water.
        """
        lift_max, lift_min = self._lift_max(), self.settings.lift_min
        share = plant.load / (3.0 * self.settings.chiller_capacity)
        wanted = self.settings.lift_slope * share + self.settings.lift_offset
        reset = jnp.clip(wanted, lift_min, lift_max)
        leaving = observation.read("cw_return_temp")
        rise = leaving - observation.read("cw_supply_temp")
        hottest = jnp.minimum(self.settings.cw_return_design, _ENTERING_MAX + rise)
        setpoint = jnp.minimum(plant.chw_setpoint + reset, hottest)
        with_chiller = leaving - setpoint
        alone = plant.supply - plant.chw_setpoint
        is_cooling = plant.count + plant.starting > 0.5
        error = jnp.where(is_cooling, with_chiller, alone)
        error = jnp.where(is_cooling & (wants_free > 0.5), 10.0, error)
        return jnp.maximum(observation.applied[..., 7] + _TOWER_GAIN * error, 0.2)

    def _pump_speed(self, plant: _Plant, demand: jax.Array) -> jax.Array:
        """Return condenser pump speed: fixed per stage, full in free cooling."""
        stages = jnp.clip(jnp.maximum(demand, plant.count) / 2.0, 0.5, 1.0)
        return jnp.where(demand + plant.count < 0.5, 1.0, stages)

    def _fans(self, observation: Observation) -> jax.Array:
        """Return CRAH fan speeds (..., halls) that give the airflow ratio."""
        site = self.settings
        power = observation.read_halls("it_power") * 1e3
        design = site.it_power_design / 2.0
        # The larger hall takes 52 % of the load: its air follows its own power.
        share = site.flow_base + (1.0 - site.flow_base) * power / design
        return site.airflow_ratio * site.server_flow * share / site.air_flow
