"""`pid`: one PID loop for each set-point, as most plants are run between resets.

| loop | holds | by |
|---|---|---|
| air | the hall's hottest inlet | supply air |
| fans | the hall's hottest inlet, where the air alone does not | CRAH fans |
| pressure | the widest valve | remote pressure |
| water | the pressure at its rest value (mid-ranging) | chilled water |
| tower | condenser return at the lift that the load asks for, or the water | fans |
| pump | the rise of the condenser water | condenser pumps |

Fans never fall below what the servers draw after the next step of the load, a feed-
forward. No loop can stage machines: those, the economizer and the set-points while
either changes are `g36`'s; the loops go on from where it leaves them.
"""

import dataclasses
from typing import Any, Final, final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.g36 import G36, G36State, is_changing
from coolbound_controllers.g36_load import fan_speed
from coolbound_controllers.g36_plant import PUMP_LEAST, read_plant, tower_error
from coolbound_controllers.operator_settings import (
    OperatorSettings,
    as_action,
)
from coolbound_controllers.pid_loop import Gains, LoopState, loop_move, no_memory
from coolbound_controllers.pid_readings import hottest_inlets
from coolbound_envs.spec import HALLS
from coolbound_envs.types import (
    Action,
    Key,
    Observation,
    action_from_vector,
    action_to_vector,
)

AIR: Final = Gains(0.4, 1200.0)
FANS: Final = Gains(-0.03, 600.0, 60.0)
PRESSURE: Final = Gains(-80.0, 900.0)
WATER: Final = Gains(0.02, 900.0)
TOWER: Final = Gains(-0.03, 600.0)
PUMP: Final = Gains(-0.05, 900.0)
"""Gains of the loops, chosen by hand on the reference site."""

_WARM = 0.5
"""Chilled water this far above its set-point does not follow it. [K]"""


@dataclasses.dataclass(frozen=True)
class PidSettings:
    """Set-points and gains. Static.

    Attributes:
        inlet: Of each hall's hottest inlet. [degC]
        inlet_excess: Above it the fans help. [K]
        valve: Of the widest valve. [1]
        pressure_rest: Pressure at which the water is left where it is. [kPa]
        condenser_rise: Of the condenser water. [K]
        air: Gains from inlet to supply air.
        fans: Gains from inlet to CRAH fans.
        pressure: Gains from valve to pressure.
        water: Gains from pressure to chilled water.
        tower: Gains from condenser return to tower fans.
        pump: Gains from condenser rise to condenser pumps.
    """

    inlet: float = 24.8
    inlet_excess: float = 0.6
    valve: float = 0.85
    pressure_rest: float = 90.0
    condenser_rise: float = 6.0
    air: Gains = AIR
    fans: Gains = FANS
    pressure: Gains = PRESSURE
    water: Gains = WATER
    tower: Gains = TOWER
    pump: Gains = PUMP


@struct.dataclass
class PidState:
    """Memory of all loops and of the sequences beside them. Dynamic."""

    air: LoopState
    fans: LoopState
    pressure: LoopState
    water: LoopState
    tower: LoopState
    pump: LoopState
    sequences: G36State


@final
@dataclasses.dataclass(frozen=True)
class Pid:
    """Loops for set-points, `g36`'s sequences for machines. Static.

    Attributes:
        settings: What is known about the site.
        loops: Set-points and gains.
    """

    settings: OperatorSettings
    loops: PidSettings = PidSettings()

    @property
    def rule(self) -> G36:
        """Who stages machines, and sets everything while they change."""
        return G36(self.settings, is_guest=True)

    def init(self, params: Any = ()) -> PidState:
        """Return the memory of a batch of shape `params`, () for one plant."""
        sequences = self.rule.init(params)
        plant = sequences.reset.shape
        halls = (*plant, HALLS)
        return PidState(
            air=no_memory(halls),
            fans=no_memory(halls),
            pressure=no_memory(plant),
            water=no_memory(plant),
            tower=no_memory(plant),
            pump=no_memory(plant),
            sequences=sequences,
        )

    def act(
        self, key: Key, state: PidState, observation: Observation
    ) -> tuple[Action, PidState]:
        """Return the set-points that the loops ask for."""
        action, sequences = self.rule.act(key, state.sequences, observation)
        state = dataclasses.replace(state, sequences=sequences)
        air, fans, state = self._halls(state, observation)
        pressure, water, state = self._water(state, observation)
        tower, pump, state = self._condenser(state, observation)
        rest = (
            water,
            pressure,
            pump,
            tower,
            action.chiller_demand,
            action.economizer_demand,
        )
        own = as_action(air, fans, rest, observation.applied)
        changes = is_changing(sequences, observation)[..., None]
        vector = jnp.where(changes, action_to_vector(action), action_to_vector(own))
        return action_from_vector(vector), state

    def _halls(
        self, state: PidState, observation: Observation
    ) -> tuple[jax.Array, jax.Array, PidState]:
        """Return supply air [degC] and fan speeds [1], (..., halls)."""
        loops, applied = self.loops, observation.applied
        inlet = hottest_inlets(observation)
        wanted = jnp.full_like(inlet, loops.inlet)
        colder, air = loop_move(loops.air, state.air, inlet, wanted)
        faster, fans = loop_move(
            loops.fans, state.fans, inlet, wanted + loops.inlet_excess
        )
        least = fan_speed(state.sequences.load, self.settings)
        speed = jnp.maximum(applied[..., 2:4] + faster, least)
        moved = dataclasses.replace(state, air=air, fans=fans)
        return applied[..., 0:2] + colder, speed, moved

    def _water(
        self, state: PidState, observation: Observation
    ) -> tuple[jax.Array, jax.Array, PidState]:
        """Return remote pressure [kPa] and chilled water [degC]."""
        loops, applied = self.loops, observation.applied
        widest = jnp.max(observation.read_halls("crah_valve"), axis=-1)
        higher, pressure = loop_move(
            loops.pressure, state.pressure, widest, jnp.full_like(widest, loops.valve)
        )
        in_force = applied[..., 5]
        rest = jnp.full_like(in_force, loops.pressure_rest)
        warmer, water = loop_move(loops.water, state.water, in_force, rest)
        # Water that does not reach its set-point gains nothing by a colder one.
        excess = observation.read("chw_supply_temp") - applied[..., 4]
        warmer = jnp.where(excess > _WARM, jnp.maximum(warmer, 0.0), warmer)
        site = self.settings
        wanted = jnp.clip(
            applied[..., 4] + warmer, site.chw_supply_min, site.chw_supply_max
        )
        moved = dataclasses.replace(state, pressure=pressure, water=water)
        return in_force + higher, wanted, moved

    def _condenser(
        self, state: PidState, observation: Observation
    ) -> tuple[jax.Array, jax.Array, PidState]:
        """Return tower fan speed and condenser pump speed [1]."""
        loops, applied = self.loops, observation.applied
        plant = read_plant(observation, applied[..., 4])
        wants_free = (state.sequences.economizer_on >= 0.0).astype(jnp.float32)
        excess = tower_error(plant, wants_free, observation, self.settings)
        faster, tower = loop_move(
            loops.tower, state.tower, excess, jnp.zeros_like(excess)
        )
        rise = observation.read("cw_return_temp") - observation.read("cw_supply_temp")
        more, pump = loop_move(
            loops.pump, state.pump, rise, jnp.full_like(rise, loops.condenser_rise)
        )
        is_free = (plant.count + plant.starting < 0.5) | (wants_free > 0.5)
        speed = jnp.where(is_free, 1.0, jnp.maximum(applied[..., 6] + more, PUMP_LEAST))
        fan = jnp.maximum(applied[..., 7] + faster, 0.2)
        return fan, speed, dataclasses.replace(state, tower=tower, pump=pump)
