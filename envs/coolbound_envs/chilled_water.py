"""Chilled water on its way: pipes of a few mixed cells, and the buffer tank."""

import dataclasses

import jax
import jax.numpy as jnp

from coolbound_envs.coils import CoilFlows
from coolbound_envs.params import PlantParams
from coolbound_envs.plant_room import PlantRoom
from coolbound_envs.state import PIPE_CELLS, PlantState
from coolbound_envs.types import Scalar


def _push(cells: jax.Array, inflow: Scalar, turnover: jax.Array) -> jax.Array:
    """Return pipe cells after one step of upwind transport."""
    upstream = jnp.concatenate([inflow[None], cells[:-1]], axis=0)
    return cells + turnover * (upstream - cells)


def step_water(
    state: PlantState,
    coil: CoilFlows,
    room: PlantRoom,
    interval: float,
    params: PlantParams,
) -> PlantState:
    """Move chilled water through pipes and buffer tank.

    The first supply cell also feeds the minimum-flow bypass, so the whole flow
    of the plant passes through it.
    """
    chw = params.chw
    per_flow = interval / (chw.pipe_mass / PIPE_CELLS)
    onward = jnp.broadcast_to(coil.flow * per_flow, (PIPE_CELLS, *coil.flow.shape))
    outward = jnp.concatenate([(room.flow * per_flow)[None], onward[1:]], axis=0)
    buffer_turnover = coil.flow * interval / chw.buffer_mass
    returned = state.return_pipe_temp[-1]
    buffer = state.buffer_temp + buffer_turnover * (returned - state.buffer_temp)
    return dataclasses.replace(
        state,
        supply_pipe_temp=_push(state.supply_pipe_temp, room.water_temp, outward),
        return_pipe_temp=_push(state.return_pipe_temp, coil.water_temp, onward),
        buffer_temp=buffer,
    )
