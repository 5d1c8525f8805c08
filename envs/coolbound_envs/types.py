"""The records that the layers exchange: action, observation, step."""

import enum
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.spec import (
    HALLS,
    POINT_INDEX,
    channel_array,
)

Scalar = jax.Array
Key = jax.Array


class Quality(enum.IntEnum):
    """What a reading is worth; higher is better."""

    MISSING = 0
    BAD = 1
    UNCERTAIN = 2
    GOOD = 3


@struct.dataclass
class Action:
    """What the actuators are asked for, in physical units. Dynamic.

    Attributes:
        supply_air_setpoint: Air leaving the CRAHs, one per hall. [degC]
        crah_fan_speed: Share of full speed, one per hall. [1]
        chw_supply_setpoint: Chilled water leaving the plant. [degC]
        chw_pressure_setpoint: Remote differential pressure. [kPa]
        cw_pump_speed: Condenser pumps, share of full speed. [1]
        tower_fan_speed: 0, or 0.20 to 1.00 of full speed. [1]
        chiller_demand: Machines asked of the sequencer. [1]
        economizer_demand: Above 0.5 asks for the economizer. [1]
    """

    supply_air_setpoint: jax.Array
    crah_fan_speed: jax.Array
    chw_supply_setpoint: jax.Array
    chw_pressure_setpoint: jax.Array
    cw_pump_speed: jax.Array
    tower_fan_speed: jax.Array
    chiller_demand: jax.Array
    economizer_demand: jax.Array


def action_from_vector(vector: jax.Array) -> Action:
    """Return the action of a vector, shape (..., 10), physical units."""
    return Action(
        supply_air_setpoint=vector[..., 0:HALLS],
        crah_fan_speed=vector[..., HALLS : 2 * HALLS],
        chw_supply_setpoint=vector[..., 4],
        chw_pressure_setpoint=vector[..., 5],
        cw_pump_speed=vector[..., 6],
        tower_fan_speed=vector[..., 7],
        chiller_demand=vector[..., 8],
        economizer_demand=vector[..., 9],
    )


def action_to_vector(action: Action) -> jax.Array:
    """Return the action as a vector, shape (..., 10), physical units."""
    scalars = (
        action.chw_supply_setpoint,
        action.chw_pressure_setpoint,
        action.cw_pump_speed,
        action.tower_fan_speed,
        action.chiller_demand,
        action.economizer_demand,
    )
    stacked = jnp.stack(scalars, axis=-1)
    return jnp.concatenate(
        [action.supply_air_setpoint, action.crah_fan_speed, stacked], axis=-1
    )


def to_unit(vector: jax.Array) -> jax.Array:
    """Map an action vector (..., 10) to shares of its range, 0 to 1."""
    lower, upper = _bounds(vector)
    return (vector - lower) / (upper - lower)


def from_unit(unit: jax.Array) -> jax.Array:
    """Map shares of the range (..., 10) to an action vector, physical units."""
    lower, upper = _bounds(unit)
    return lower + unit * (upper - lower)


def _bounds(like: jax.Array) -> tuple[jax.Array, jax.Array]:
    shape = (1,) * (like.ndim - 1) + (-1,)
    lower = jnp.asarray(channel_array("lower"), like.dtype).reshape(shape)
    return lower, jnp.asarray(channel_array("upper"), like.dtype).reshape(shape)


@struct.dataclass
class Observation:
    """What the instruments say; no controller sees more. Dynamic.

    Points stand in the order of `coolbound_envs.spec.POINTS`, each reading in
    its own unit. A reading that is missing is NaN with quality MISSING.

    Attributes:
        value: Readings, shape (..., P). [each point's unit]
        quality: `Quality` of each reading, int32, shape (..., P).
        age: Time since each reading was taken, shape (..., P). [s]
        applied: The set-points in force, shape (..., 10). [each channel's unit]
        time: Seconds since the year began, local standard time. [s]
    """

    value: jax.Array
    quality: jax.Array
    age: jax.Array
    applied: jax.Array
    time: jax.Array

    def read(self, name: str) -> jax.Array:
        """Return one reading by the point's name, in the point's unit."""
        return self.value[..., POINT_INDEX[name]]

    def read_halls(self, name: str) -> jax.Array:
        """Return a reading of every hall, shape (..., halls)."""
        readings = [self.read(f"{name}_hall{h + 1}") for h in range(HALLS)]
        return jnp.stack(readings, axis=-1)


class Environment(Protocol):
    """A cooling task, shaped as in gymnax 1.0; a shielded one is one too."""

    def reset(self, key: Key, params: Any) -> tuple[Observation, Any]:
        """Return the first observation and state."""
        ...

    def step(
        self, key: Key, state: Any, action: Action, params: Any
    ) -> tuple[Observation, Any, Scalar, Scalar, Scalar, dict[str, Any]]:
        """Return observation, state, reward, terminated, truncated, info.

        `info` has `costs` (K,), `limits` (21,), `power` by consumer [W] and
        `final_observation`, the observation before any reset.
        """
        ...


class Controller(Protocol):
    """An operator or a policy; both are asked in the same way."""

    def init(self, params: Any) -> Any:
        """Return the controller's memory before its first decision."""
        ...

    def act(self, key: Key, state: Any, observation: Observation) -> tuple[Action, Any]:
        """Return the proposed action and the memory after it."""
        ...
