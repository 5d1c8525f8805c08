"""CRAH coils: the supply-air loops, their valves, and the heat they move."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import components
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import HALLS
from coolbound_envs.state import PlantState
from coolbound_envs.types import Action, Scalar

PRESSURE_SLEW = 50.0
"""The pumps' controls move their pressure no faster: 15 kPa in 300 s. [Pa/s]"""


def step_pressure(state: PlantState, setpoint: Scalar, interval: float) -> PlantState:
    """Let the pumps' pressure follow the set-point asked for [Pa]."""
    held = components.ramp_towards(
        state.pressure_setpoint,
        setpoint,
        jnp.asarray(PRESSURE_SLEW * interval, setpoint.dtype),
    )
    return dataclasses.replace(state, pressure_setpoint=held)


def step_supply_loop(
    state: PlantState, setpoint: jax.Array, interval: float, params: PlantParams
) -> PlantState:
    """Let the supply-air loops move their valves: PI, velocity form, clamped."""
    crah = params.crah
    error = state.supply_air_temp - setpoint
    move = crah.loop_gain * (
        error - state.loop_error + error * (interval / crah.loop_time)
    )
    command = jnp.clip(state.valve_command + move, 0.0, 1.0)
    lag = interval / (interval + crah.valve_time)
    valve = state.valve + (command - state.valve) * lag
    return dataclasses.replace(
        state, valve_command=command, valve=valve, loop_error=error
    )


@struct.dataclass
class CoilFlows:
    """Coils and chilled-water distribution of one step. Dynamic.

    Attributes:
        heat: Heat from air to water, (halls,). [W]
        flow: Water through the coils. [kg/s]
        pressure: Remote differential pressure. [Pa]
        water_temp: Water leaving the coils, mixed. [degC]
    """

    heat: jax.Array
    flow: jax.Array
    pressure: jax.Array
    water_temp: jax.Array


def coils(
    state: PlantState, action: Action, return_temp: jax.Array, params: PlantParams
) -> CoilFlows:
    """Return what the coils move at the present valves and pressure."""
    crah, chw = params.crah, params.chw
    characteristic = state.valve**2
    pressure = components.remote_pressure(
        state.pressure_setpoint,
        jnp.mean(characteristic, axis=0),
        crah,
        chw,
    )
    # A shut valve still leaks a thousandth, so that heat always has water to go to.
    share = jnp.maximum(
        characteristic * jnp.sqrt(pressure / crah.open_pressure)[None], 1e-3
    )
    supplied = state.supply_pipe_temp[-1]
    heat = components.coil_heat(
        return_temp,
        supplied[None],
        jnp.moveaxis(action.crah_fan_speed, -1, 0),
        share,
        HALLS,
        crah,
        crah.water_flow,
    )
    flow = jnp.mean(share, axis=0) * crah.water_flow
    rise = jnp.sum(heat, axis=0) / (flow * WATER_HEAT)
    return CoilFlows(
        heat=heat, flow=flow, pressure=pressure, water_temp=supplied + rise
    )
