"""Drives of fans and pumps: what turns, given what is asked for and what is broken."""

import dataclasses

import jax
import jax.numpy as jnp

from coolbound_envs import components
from coolbound_envs.components import ramp_towards
from coolbound_envs.faults import PlantFaults
from coolbound_envs.params import PlantParams
from coolbound_envs.state import PlantState
from coolbound_envs.types import Action, Scalar

STANDSTILL = 0.01
"""Share of design flow that drifts through a fan or pump at rest. [1]"""


def pump_speed_floor(commanded: Scalar, params: PlantParams) -> Scalar:
    """Return the condenser-pump speed that the running machines need [1].

    The BAS keeps it whatever is asked: a share of each machine's design flow.
    """
    chiller = params.chiller
    needed = chiller.condenser_flow_min * chiller.condenser_flow * commanded
    return needed / params.condenser.design_flow


def step_drives(
    state: PlantState,
    action: Action,
    faults: PlantFaults,
    is_powered: jax.Array,
    interval: float,
    params: PlantParams,
) -> PlantState:
    """Let the drives follow their commands, or run down without power.

    Each drive crosses its whole range in `drive_travel`, so an allowed change
    of set-point is done within one integration step; only starts, losses of
    power and their ends take longer.
    """
    powered = is_powered.astype(state.cw_speed.dtype)
    step = jnp.minimum(interval / params.sequencer.drive_travel, 1.0)
    floor = pump_speed_floor(state.sequencer.commanded_count, params)
    most = components.cw_speed_limit(1.0 - faults.cw_pump_lost, params.condenser)
    cw_speed = jnp.minimum(jnp.maximum(action.cw_pump_speed, floor), most)
    crah_speed = jnp.moveaxis(action.crah_fan_speed, -1, 0)
    return dataclasses.replace(
        state,
        crah_speed=ramp_towards(state.crah_speed, powered[None] * crah_speed, step),
        chw_pump_ready=ramp_towards(state.chw_pump_ready, powered, step),
        cw_speed=ramp_towards(state.cw_speed, powered * cw_speed, step),
        tower_speed=ramp_towards(
            state.tower_speed, powered * action.tower_fan_speed, step
        ),
    )
