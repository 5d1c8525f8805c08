"""What the estimator remembers from one observation to the next."""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.spec import HALLS, ZONES
from coolbound_safety.alarm import Alarm, no_alarm
from coolbound_safety.learned import Learned, learned_nothing
from coolbound_safety.valves import Valves, sound_valves


@struct.dataclass
class EstimatorState:
    """What the estimator remembers, one lane. Dynamic.

    Attributes:
        it_power: Last load, (halls,). [kW]
        load_rise: Its largest rise within an interval, fading, (halls,). [1]
        rise: Middle inlet over supply air, (halls,). [K]
        rise_high: The same, its highest of late, (halls,). [K]
        rise_low: The same, its lowest of late, (halls,). [K]
        hotter: Zones above their hall's middle, lasting, (halls, zones). [K]
        colder: Zones below their hall's middle, lasting, (halls, zones). [K]
        supply_excess: Raw excess of supply air one interval ago, (halls,). [K]
        valves: Which of them do not answer.
        water_excess: Raw excess of chilled water one interval ago. [K]
        inlets: Middle inlet now, 5 and 10 min ago, (3, halls). [degC]
        room_dew_point: Last dew point. [degC]
        chw_supply: Last chilled water. [degC]
        chw_return: Last chilled water. [degC]
        cw_supply: Last tower water. [degC]
        wet_bulb: Last outdoor air. [degC]
        heat: Last heat. [kW]
        chiller_power: Last power of all machines. [kW]
        mechanical_power: Last power of all but the servers. [kW]
        counts: Last chillers running, starting, economizer, (3,). [1]
        unseen: Age of inlets per hall, loads per hall, dew point, tower water and
            wet bulb, (2 halls + 2 halls + 3,). [s]
        learned: What the model gets wrong here.
        alarm: Reasons to ask for all cooling.
    """

    it_power: jax.Array
    load_rise: jax.Array
    rise: jax.Array
    rise_high: jax.Array
    rise_low: jax.Array
    hotter: jax.Array
    colder: jax.Array
    supply_excess: jax.Array
    valves: Valves
    water_excess: jax.Array
    inlets: jax.Array
    room_dew_point: jax.Array
    chw_supply: jax.Array
    chw_return: jax.Array
    cw_supply: jax.Array
    wet_bulb: jax.Array
    heat: jax.Array
    chiller_power: jax.Array
    mechanical_power: jax.Array
    counts: jax.Array
    unseen: jax.Array
    learned: Learned
    alarm: Alarm


def first_state() -> EstimatorState:
    """Return the memory before the first observation: nothing is known."""

    def unknown(*shape: int) -> jax.Array:
        return jnp.full(shape, jnp.nan, jnp.float32)

    return EstimatorState(
        it_power=unknown(HALLS),
        load_rise=jnp.zeros((HALLS,), jnp.float32),
        rise=unknown(HALLS),
        rise_high=unknown(HALLS),
        rise_low=unknown(HALLS),
        hotter=unknown(HALLS, ZONES),
        colder=unknown(HALLS, ZONES),
        supply_excess=jnp.zeros((HALLS,), jnp.float32),
        valves=sound_valves(),
        water_excess=jnp.zeros((), jnp.float32),
        inlets=unknown(3, HALLS),
        room_dew_point=unknown(),
        chw_supply=unknown(),
        chw_return=unknown(),
        cw_supply=unknown(),
        wet_bulb=unknown(),
        heat=unknown(),
        chiller_power=unknown(),
        mechanical_power=unknown(),
        counts=unknown(3),
        unseen=jnp.zeros((2 * HALLS + 3,), jnp.float32),
        learned=learned_nothing(),
        alarm=no_alarm(),
    )
