"""CRAH coils: the supply-air loops, their valves, and the heat they move."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import components
from coolbound_envs.constants import AIR_HEAT, WATER_HEAT
from coolbound_envs.faults import PlantFaults
from coolbound_envs.halls import HallResponse
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import HALLS
from coolbound_envs.state import PlantState
from coolbound_envs.types import Scalar

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
    state: PlantState,
    setpoint: jax.Array,
    is_stuck: jax.Array,
    interval: float,
    params: PlantParams,
) -> PlantState:
    """Let the supply-air loops move their valves, but for those that are stuck.

    PI in velocity form with the command clamped: nothing winds up at its ends.
    """
    crah = params.crah
    error = state.supply_air_temp - setpoint
    move = crah.loop_gain * (
        error - state.loop_error + error * (interval / crah.loop_time)
    )
    command = jnp.clip(state.valve_command + move, 0.0, 1.0)
    lag = interval / (interval + crah.valve_time)
    free = state.valve + (command - state.valve) * lag
    valve = jnp.where(is_stuck > 0.5, state.valve, free)
    return dataclasses.replace(
        state, valve_command=command, valve=valve, loop_error=error
    )


@struct.dataclass
class CoilWater:
    """Chilled water at the coils of one step, before their heat is known. Dynamic.

    Attributes:
        rate: Heat per degree from return air to water, (halls,). [W/K]
        flow: Water through the coils. [kg/s]
        pressure: Remote differential pressure. [Pa]
        supplied: Water entering the coils. [degC]
    """

    rate: jax.Array
    flow: jax.Array
    pressure: jax.Array
    supplied: jax.Array


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


def coil_water(
    state: PlantState, faults: PlantFaults, params: PlantParams
) -> CoilWater:
    """Return what the present valves and pressure send through the coils."""
    crah, chw = params.crah, params.chw
    in_service = 1.0 - faults.crah_lost
    characteristic = state.valve**2
    pressure = components.remote_pressure(
        state.pressure_setpoint,
        jnp.mean(characteristic * in_service, axis=0),
        crah,
        chw,
        1.0 - faults.chw_pump_lost,
        state.chw_pump_ready,
    )
    # A shut valve still leaks a thousandth, so that heat always has water to go to.
    share = jnp.maximum(
        characteristic * jnp.sqrt(pressure / crah.open_pressure)[None], 1e-3
    )
    # Heat is linear in the difference of return air and water.
    unit = jnp.ones_like(share)
    rate = components.coil_heat(
        unit, 0.0 * unit, state.crah_speed, share, HALLS, crah, crah.water_flow
    )
    flow = jnp.mean(share * jnp.maximum(in_service, 1e-3), axis=0) * crah.water_flow
    return CoilWater(
        rate=in_service * rate,
        flow=flow,
        pressure=pressure,
        supplied=state.supply_pipe_temp[-1],
    )


def supply_air(
    halls: HallResponse, water: CoilWater, fan_power: jax.Array, air_flow: jax.Array
) -> jax.Array:
    """Return the air that leaves the CRAHs, (halls,) [degC].

    T_sup = T_ret - (k (T_ret - T_w) - P_fan) / (m c) solved together with the
    halls' answer T_ret(T_sup), so that no heat is lost between the two.
    """
    air = air_flow * AIR_HEAT
    kept = 1.0 - water.rate / air
    unmoved = halls.flows.return_temp - halls.return_gain * halls.supply
    entering = kept * unmoved + (1.0 - kept) * water.supplied[None] + fan_power / air
    return entering / (1.0 - kept * halls.return_gain)


def coil_flows(
    return_temp: jax.Array, water: CoilWater, latent_heat: Scalar
) -> CoilFlows:
    """Return what the coils moved, given the air that returned."""
    heat = water.rate * (return_temp - water.supplied[None])
    rise = (jnp.sum(heat, axis=0) + latent_heat) / (water.flow * WATER_HEAT)
    return CoilFlows(
        heat=heat,
        flow=water.flow,
        pressure=water.pressure,
        water_temp=water.supplied + rise,
    )
