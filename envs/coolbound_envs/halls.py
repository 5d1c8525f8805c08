"""The halls: servers, aisles and containment.

One number per flow, used on both sides, so that energy closes to rounding
(plant reference 1.1 and 1.2).
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import components
from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.params import ItParams
from coolbound_envs.spec import HALLS
from coolbound_envs.state import PlantState

ZONE_SHARE = (0.36, 0.34, 0.30)
"""Share of a hall's IT power in each zone. [1]"""

ZONE_LEAK = (0.75, 1.0, 1.25)
"""Recirculation of each zone over that of the hall. [1]"""


def lead(values: tuple[float, ...], like: jax.Array, axis: int) -> jax.Array:
    """Return constants along one leading axis, shaped to broadcast to `like`."""
    shape = [1] * like.ndim
    shape[axis] = len(values)
    return jnp.asarray(values, like.dtype).reshape(shape)


def zone_work(it_work: jax.Array) -> jax.Array:
    """Return IT power per zone (halls, zones) of that per hall (halls,) [W]."""
    share = lead(ZONE_SHARE, it_work[:, None], 1)
    return it_work[:, None] * share


def server_flow(work: jax.Array, inlet_temp: jax.Array, it: ItParams) -> jax.Array:
    """Return server airflow per zone, (halls, zones) [kg/s].

    m = m0 (a0 + a1 load) g(T), with m0 the flow that carries the design power
    at the design rise.
    """
    design = it.design_power / HALLS
    share = lead(ZONE_SHARE, work, 1)
    load = work / (design * share)
    full = design / (AIR_HEAT * it.air_rise) * share
    factor = components.server_airflow_factor(inlet_temp, it)
    return full * (it.flow_base + (1.0 - it.flow_base) * load) * factor


@struct.dataclass
class HallFlows:
    """Air side of one integration step. Dynamic.

    Attributes:
        inlet_temp: Server inlets, (halls, zones). [degC]
        power: Servers, (halls, zones). [W]
        ratio: CRAH air over server air, (halls,). [1]
        return_temp: Air entering the CRAHs, (halls,). [degC]
    """

    inlet_temp: jax.Array
    power: jax.Array
    ratio: jax.Array
    return_temp: jax.Array


def step_halls(
    state: PlantState,
    work: jax.Array,
    air_flow: jax.Array,
    interval: float,
    it: ItParams,
) -> tuple[PlantState, HallFlows]:
    """Move heat through servers, aisles and structure.

    C_s dT_s = P - m c (T_s - T_in); C_h dT_h = m c (T_s - T_h) + UA (T_m - T_h);
    T_in = T_sup + phi (T_h - T_sup), phi = phi0 + max(0, 1 - r). Each node is
    implicit in its own temperature, so that 30 s steps stay stable.
    """
    supply = state.supply_air_temp[:, None]
    mixed = supply + it.recirculation * (state.hot_aisle_temp - supply)
    flow = server_flow(work, mixed, it)
    ratio = air_flow / jnp.sum(flow, axis=1)
    short = jnp.maximum(1.0 - ratio, 0.0)[:, None]
    leak = lead(ZONE_LEAK, flow, 1) * it.recirculation
    share = jnp.minimum(leak + short, 0.8)
    inlet = supply + share * (state.hot_aisle_temp - supply)
    power = components.server_power(work, inlet, it)
    design = lead(ZONE_SHARE, work, 1) * (it.design_power / HALLS)
    heat_flow = flow * AIR_HEAT
    server_mass = design * it.server_capacity / interval
    server = (server_mass * state.server_temp + power + heat_flow * inlet) / (
        server_mass + heat_flow
    )
    air_mass = design * it.air_capacity / interval
    to_structure = (
        design
        * it.structure_conductance
        * (state.hot_aisle_temp - state.structure_temp)
    )
    gained = heat_flow * (server - share * state.hot_aisle_temp) - to_structure
    hot = (air_mass * state.hot_aisle_temp + gained) / (
        air_mass + heat_flow * (1.0 - share)
    )
    structure = state.structure_temp + to_structure / (
        design * it.structure_capacity / interval
    )
    drawn = heat_flow * (1.0 - share)
    air_heat_flow = air_flow * AIR_HEAT
    bypass = air_heat_flow - jnp.sum(drawn, axis=1)
    returned = jnp.sum(drawn * hot, axis=1) + bypass * state.supply_air_temp
    moved = dataclasses.replace(
        state, server_temp=server, hot_aisle_temp=hot, structure_temp=structure
    )
    return moved, HallFlows(
        inlet_temp=inlet,
        power=power,
        ratio=ratio,
        return_temp=returned / air_heat_flow,
    )
