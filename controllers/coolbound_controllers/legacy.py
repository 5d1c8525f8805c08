"""`legacy`: fixed set-points, cautious staging, a locked economizer.

Plant reference 3.1: the way many plants are run. Chilled water and pressure
are never reset, CRAH fans stand still, condenser pumps run at full speed,
machines are staged on part load with a long memory, and free cooling waits
until it can carry the whole load.
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
_STAGE_UP = 0.80
_STAGE_DOWN = 0.35
_MEMORY = 1500.0
_LOCK = 3600.0
_GIVEN_UP = 14400.0
_TOWER_GAIN = 0.015


@struct.dataclass
class LegacyState:
    """Memory of the operator. Dynamic.

    Attributes:
        demand: Machines asked for. [1]
        wants_more: How long the load has called for one more. [s]
        wants_less: How long the load has called for one less. [s]
        cold: How long it has been cold enough for free cooling. [s]
        is_free: 1 while free cooling is asked for. [1]
    """

    demand: jax.Array
    wants_more: jax.Array
    wants_less: jax.Array
    cold: jax.Array
    is_free: jax.Array


def _count_on(timer: jax.Array, condition: jax.Array) -> jax.Array:
    return jnp.where(condition, jnp.minimum(timer + _INTERVAL, 1e5), 0.0)


@final
@dataclasses.dataclass(frozen=True)
class Legacy:
    """The fixed-set-point operator. Static.

    Attributes:
        settings: What it knows about the site.
    """

    settings: OperatorSettings

    def init(self, params: Any = ()) -> LegacyState:
        """Return the memory of a batch of shape `params`, () for one plant."""
        zero = jnp.zeros(params, jnp.float32)
        return LegacyState(
            demand=zero + 2.0, wants_more=zero, wants_less=zero, cold=zero, is_free=zero
        )

    def act(
        self, key: Key, state: LegacyState, observation: Observation
    ) -> tuple[Action, LegacyState]:
        """Return the set-points that the operator asks for."""
        del key
        state = self._stage(self._judge_weather(state, observation), observation)
        water = self._tower_setpoint(state, observation)
        error = observation.read("cw_supply_temp") - water
        fan = observation.applied[..., 7] + _TOWER_GAIN * error
        is_free = state.is_free > 0.5
        ready = is_free & (observation.read("economizer_running") > 0.5)
        demand = jnp.where(ready, 0.0, state.demand)
        # The exchanger stays open until two machines have taken over.
        is_open = observation.read("economizer_running") > 0.5
        keeps = is_open & (observation.read("chillers_running") < 1.5)
        wants_open = jnp.where(keeps, 1.0, state.is_free)
        site = self.settings
        rest = (
            full(site.chw_supply, fan),
            full(site.chw_pressure, fan),
            full(1.0, fan),
            jnp.where(is_free, 1.0, jnp.maximum(fan, 0.2)),
            demand,
            wants_open,
        )
        air = full(site.supply_air, observation.applied[..., 0:2])
        speed = full(site.fan_speed, observation.applied[..., 0:2])
        return as_action(air, speed, rest, observation.applied), state

    def _judge_weather(
        self, state: LegacyState, observation: Observation
    ) -> LegacyState:
        """Unlock free cooling after an hour of cold; lock it when it is over."""
        wet_bulb = observation.read("outdoor_wet_bulb")
        is_cold = wet_bulb < self.settings.chw_supply - 6.0
        # Free cooling that does not hold is given up until the next cold hour.
        has_failed = (state.is_free > 0.5) & (
            observation.read("chw_supply_temp") > self.settings.chw_supply + 5.0
        )
        cold = jnp.where(has_failed, -_GIVEN_UP, _count_on(state.cold, is_cold))
        is_over = (wet_bulb > self.settings.chw_supply - 5.0) | has_failed
        start = cold >= _LOCK
        is_free = jnp.where(start, 1.0, jnp.where(is_over, 0.0, state.is_free))
        return dataclasses.replace(state, cold=cold, is_free=is_free)

    def _stage(self, state: LegacyState, observation: Observation) -> LegacyState:
        """Ask for one machine more or less, after a long look at the load."""
        rise = observation.read("chw_return_temp") - observation.read("chw_supply_temp")
        load = cooling_load(observation.read("chw_flow"), rise)
        count = observation.read("chillers_running")
        is_running = count > 0.5
        share = load / (jnp.maximum(count, 1.0) * self.settings.chiller_capacity)
        fewer = load / (jnp.maximum(count - 1.0, 0.5) * self.settings.chiller_capacity)
        hour = (observation.time % 86400.0) / 3600.0
        is_shift_change = (hour >= 7.0) & (hour < 9.0)
        more = _count_on(state.wants_more, is_running & (share > _STAGE_UP))
        # Down at 0.35, or earlier where one machine less would stay below 0.75.
        is_low = (share < _STAGE_DOWN) | (fewer < 0.75)
        less = _count_on(state.wants_less, is_running & (count > 1.5) & is_low)
        up = (more >= _MEMORY) & ~is_shift_change
        down = (less >= _MEMORY) & ~is_shift_change
        step = jnp.where(up, 1.0, jnp.where(down, -1.0, 0.0))
        demand = jnp.clip(jnp.maximum(count, 2.0) + step, 2.0, 3.0)
        waits = observation.read("chillers_starting") > 0.5
        demand = jnp.where(waits, state.demand, demand)
        return dataclasses.replace(
            state, demand=demand, wants_more=more, wants_less=less
        )

    def _tower_setpoint(
        self, state: LegacyState, observation: Observation
    ) -> jax.Array:
        fixed = full(self.settings.tower_water, state.is_free)
        coldest = observation.read("outdoor_wet_bulb") + 3.0
        normal = jnp.clip(jnp.maximum(fixed, coldest), 15.6, 29.4)
        return jnp.where(state.is_free > 0.5, 6.5, normal)
