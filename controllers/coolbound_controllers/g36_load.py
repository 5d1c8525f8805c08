"""What `g36` keeps in reserve for the next step of the IT load.

Its fans and valves move once in 300 s and see a step of the load only after it.
So it remembers the largest step of the last days and keeps air and cooling for
another one like it. On a load that moves little the reserve is nearly nothing.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.operator_settings import OperatorSettings
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.spec import HALLS
from coolbound_envs.types import Observation

MEMORY = 7.0 * 86400.0
"""A step of the load fades from memory with this time constant. [s]"""

RISE_MAX = 0.5
"""A larger step is taken for a fault of the meter. [1]"""

HALL_MAX = 1.08
"""Most power of a hall over half the site's design: its share, leakage, fans. [1]"""

AIR_RESERVE = 1.02
"""CRAH air over the servers' after a step, for errors of the meters. [1]"""

OVERSHOOT = 0.25
"""Inlets overshoot while the coils follow, and server fans speed up: more air per
unit of step. [1]"""


@struct.dataclass
class LoadSteps:
    """Memory of the load's steps. Dynamic.

    Attributes:
        it_power: Last measured, (..., halls); 0 before the first. [kW]
        rise: Largest rise in one interval of late, over the power before. [1]
    """

    it_power: jax.Array
    rise: jax.Array


def no_steps(shape: tuple[int, ...], settings: OperatorSettings) -> LoadSteps:
    """Return the memory of a batch of that shape that has seen no load yet."""
    return LoadSteps(
        it_power=jnp.zeros((*shape, HALLS), jnp.float32),
        rise=jnp.full(shape, settings.load_rise, jnp.float32),
    )


def learn_steps(steps: LoadSteps, observation: Observation) -> LoadSteps:
    """Return the memory after one more reading of the halls' power."""
    power = observation.read_halls("it_power")
    power = jnp.where(jnp.isfinite(power), power, steps.it_power)
    before = steps.it_power
    rise = jnp.where(before > 0.0, power / jnp.maximum(before, 1.0) - 1.0, 0.0)
    largest = jnp.clip(jnp.max(rise, axis=-1), 0.0, RISE_MAX)
    kept = steps.rise * (1.0 - CONTROL_INTERVAL / MEMORY)
    return dataclasses.replace(steps, it_power=power, rise=jnp.maximum(kept, largest))


def possible_rise(steps: LoadSteps, settings: OperatorSettings) -> jax.Array:
    """Return how far each hall's power may rise in a step, (..., halls) [1].

    As far as the largest step of late, but not beyond what a hall can draw.
    """
    most = HALL_MAX * settings.it_power_design / HALLS / 1e3
    room = most / jnp.maximum(steps.it_power, 1.0) - 1.0
    return jnp.clip(room, 0.0, steps.rise[..., None])


def fan_speed(steps: LoadSteps, settings: OperatorSettings) -> jax.Array:
    """Return CRAH fan speeds (..., halls) for the servers' air [1].

    The airflow ratio at the present load, or what the next step may need. The
    larger hall takes 52 % of the load: its air follows its own power.
    """
    rise = possible_rise(steps, settings)
    now = _air_share(steps.it_power, settings)
    later = _air_share(steps.it_power * (1.0 + rise), settings)
    ready = (AIR_RESERVE + OVERSHOOT * rise) * later
    share = jnp.maximum(settings.airflow_ratio * now, ready)
    return settings.server_flow * share / settings.air_flow


def _air_share(power: jax.Array, settings: OperatorSettings) -> jax.Array:
    """Return server air over that at design load, from power [kW], in [1]."""
    design = settings.it_power_design / HALLS / 1e3
    return settings.flow_base + (1.0 - settings.flow_base) * power / design
