"""What makes the layer ask for all cooling: heat, and faults before they are heat.

A machine that stops unasked, water or air that leaves its set-point, air that is lost
and a jump of the load take minutes to warm an inlet. Whoever waits for the inlet has
lost those minutes; so the alarm answers to the fault itself, and stays for a while.
"""

from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.spec import HALLS
from coolbound_envs.types import Scalar

NEAR: Final = 0.3
"""An inlet this far below CA_T_MAX is an emergency whatever else is sound. [K]"""

AIR_EXCESS: Final = 1.0
"""Supply air this far above its set-points of now and of one step ago. [K]"""

WATER_EXCESS: Final = 1.5
"""Chilled water this far above its set-points of now and of one step ago. [K]"""

WARM: Final = 3.0
"""Air or water out of hand matter with inlets nearer than this to CA_T_MAX. [K]"""

AIR_LOST: Final = 0.9
"""Air of the fans over what their speed says, below which some stand still. [1]"""

LOAD_JUMP: Final = 0.2
"""Growth of a hall's load in one interval that is no day's work: in a month of the
Google 2019 trace 391 steps grow by more than 6 %, 32 by more than 15 %. [1]"""

LOAD_SLACK: Final = 0.05
"""Nothing is kept for a jump that is larger by this than the largest of late. [1]"""

LASTS: Final = 1800.0
"""The alarm stays for this long after its last reason. [s]"""

LONG_AGO: Final = 1.0e5
"""There was no reason for longer than matters. [s]"""


@struct.dataclass
class Alarm:
    """What the alarm remembers, one lane. Dynamic.

    Attributes:
        running: Machines running when last seen; NaN before. [1]
        air: Set-points of supply air one step ago, NaN before, (halls,). [degC]
        water: Set-point of chilled water one step ago, NaN before. [degC]
        age: Since the last reason. [s]
    """

    running: jax.Array
    air: jax.Array
    water: jax.Array
    age: jax.Array


def no_alarm() -> Alarm:
    """Return the memory before the first observation."""
    return Alarm(
        running=jnp.full((), jnp.nan, jnp.float32),
        air=jnp.full((HALLS,), jnp.nan, jnp.float32),
        water=jnp.full((), jnp.nan, jnp.float32),
        age=jnp.full((), LONG_AGO, jnp.float32),
    )


@struct.dataclass
class Symptoms:
    """What may be a reason for alarm, one lane. Dynamic.

    Attributes:
        inlet_max: Hottest inlet of the site. [degC]
        supply_air: Air leaving the CRAHs, (halls,). [degC]
        air_setpoint: Its set-points, (halls,). [degC]
        chw_supply: Chilled water. [degC]
        water_setpoint: Its set-point. [degC]
        air_factor: Air over what the fans' speed says, (halls,). [1]
        load: Servers' power, (halls,). [kW]
        load_before: The same one interval earlier, (halls,). [kW]
        load_rise: Largest rise of late before this one, (halls,). [1]
        running: Machines running. [1]
        requested: Machines asked for by the action in force. [1]
    """

    inlet_max: jax.Array
    supply_air: jax.Array
    air_setpoint: jax.Array
    chw_supply: jax.Array
    water_setpoint: jax.Array
    air_factor: jax.Array
    load: jax.Array
    load_before: jax.Array
    load_rise: jax.Array
    running: jax.Array
    requested: jax.Array


def raise_alarm(
    alarm: Alarm,
    found: Symptoms,
    limits: LimitValues,
    elapsed: Scalar | float,
) -> tuple[jax.Array, Alarm]:
    """Return whether all cooling is asked for, and the memory after it, one lane.

    Args:
        alarm: The memory before.
        found: What the instruments show.
        limits: For CA_T_MAX.
        elapsed: Since the observation before. [s]
    """
    age = jnp.where(is_alarming(alarm, found, limits), 0.0, alarm.age + elapsed)
    running = jnp.where(jnp.isfinite(found.running), found.running, alarm.running)
    after = Alarm(
        running=running,
        air=found.air_setpoint,
        water=found.water_setpoint,
        age=jnp.minimum(age, LONG_AGO),
    )
    return after.age < LASTS, after


def is_alarming(alarm: Alarm, found: Symptoms, limits: LimitValues) -> jax.Array:
    """Return whether there is a reason now; what is not known is none."""
    is_near = found.inlet_max > limits.inlet_max - NEAR
    is_warm = found.inlet_max > limits.inlet_max - WARM
    air = jnp.fmax(found.air_setpoint, alarm.air)
    water = jnp.fmax(found.water_setpoint, alarm.water)
    is_astray = jnp.any(found.supply_air > air + AIR_EXCESS)
    # Free cooling gives what it gives, whatever the set-point is.
    is_made = found.running > 0.5
    is_astray |= is_made & (found.chw_supply > water + WATER_EXCESS)
    has_stopped = alarm.running - found.running > 0.5
    was_wanted = found.requested > alarm.running - 0.5
    is_starved = jnp.any(found.air_factor < AIR_LOST)
    # What the load has done of late, air and coils are kept ready for.
    usual = jnp.fmax(LOAD_JUMP, found.load_rise + LOAD_SLACK)
    has_jumped = jnp.any(found.load > (1.0 + usual) * found.load_before)
    return (
        is_near
        | (is_warm & is_astray)
        | (has_stopped & was_wanted)
        | is_starved
        | has_jumped
    )
