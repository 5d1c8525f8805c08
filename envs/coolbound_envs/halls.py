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


@struct.dataclass
class HallResponse:
    """Halls after one step with the last supply air, and how they answer to it.

    With flows and powers frozen for the step, nodes and return air are linear in
    the supply air; a gain is the change per degree of it. Dynamic.

    Attributes:
        supply: The supply air that the rest is for, (halls,). [degC]
        flows: Inlets, powers and return air.
        server_temp: Servers, (halls, zones). [degC]
        hot_aisle_temp: Hot aisles, (halls, zones). [degC]
        structure_temp: Structure, (halls, zones). [degC]
        inlet_gain: Of the inlets, (halls, zones). [1]
        server_gain: Of the servers, (halls, zones). [1]
        hot_gain: Of the hot aisles, (halls, zones). [1]
        return_gain: Of the return air, (halls,). [1]
    """

    supply: jax.Array
    flows: HallFlows
    server_temp: jax.Array
    hot_aisle_temp: jax.Array
    structure_temp: jax.Array
    inlet_gain: jax.Array
    server_gain: jax.Array
    hot_gain: jax.Array
    return_gain: jax.Array


def _recirculation(ratio: jax.Array, leak: jax.Array) -> jax.Array:
    """Return the share of hot air in each zone's inlets, (halls, zones) [1].

    phi = phi0 + max(0, 1 - r), but never so much that the CRAHs' own air would
    not reach the servers.
    """
    short = jnp.maximum(1.0 - ratio, 0.0)[:, None]
    most = 1.0 - 0.5 * jnp.minimum(ratio, 1.0)[:, None]
    return jnp.minimum(leak + short, most)


def hall_response(
    state: PlantState,
    work: jax.Array,
    air_flow: jax.Array,
    interval: float,
    it: ItParams,
) -> HallResponse:
    """Return what one step does to servers, aisles and structure.

    C_s dT_s = P - m c (T_s - T_in); C_h dT_h = m c (T_s - T_h) + UA (T_m - T_h);
    T_in = T_sup + phi (T_h - T_sup). Each node is implicit in its own
    temperature, so that 30 s steps stay stable. Air beyond what the servers draw
    returns as it came.

    Args:
        state: The plant at the step's beginning.
        work: IT power per zone, (halls, zones). [W]
        air_flow: Air through the CRAHs, (halls,). [kg/s]
        interval: Length of the step. [s]
        it: The servers and the halls.
    """
    supply, hot_before = state.supply_air_temp[:, None], state.hot_aisle_temp
    mixed = supply + it.recirculation * (hot_before - supply)
    flow = server_flow(work, mixed, it)
    ratio = air_flow / jnp.sum(flow, axis=1)
    share = _recirculation(ratio, lead(ZONE_LEAK, flow, 1) * it.recirculation)
    inlet = supply + share * (hot_before - supply)
    power = components.server_power(work, inlet, it)
    heat_flow, drawn = flow * AIR_HEAT, flow * AIR_HEAT * (1.0 - share)
    design = lead(ZONE_SHARE, work, 1) * (it.design_power / HALLS)
    server_mass = design * it.server_capacity / interval
    server = server_mass * state.server_temp + power + heat_flow * inlet
    server = server / (server_mass + heat_flow)
    air_mass = design * it.air_capacity / interval
    lost = design * it.structure_conductance * (hot_before - state.structure_temp)
    gained = heat_flow * (server - share * hot_before) - lost
    hot = (air_mass * hot_before + gained) / (air_mass + drawn)
    server_gain = drawn / (server_mass + heat_flow)
    hot_gain = heat_flow * server_gain / (air_mass + drawn)
    air = air_flow * AIR_HEAT
    passing = air - jnp.sum(drawn, axis=1)
    returned = (jnp.sum(drawn * hot, axis=1) + passing * state.supply_air_temp) / air
    warmed = lost / (design * it.structure_capacity / interval)
    return HallResponse(
        supply=state.supply_air_temp,
        flows=HallFlows(inlet, power, ratio, returned),
        server_temp=server,
        hot_aisle_temp=hot,
        structure_temp=state.structure_temp + warmed,
        inlet_gain=1.0 - share,
        server_gain=server_gain,
        hot_gain=hot_gain,
        return_gain=(jnp.sum(drawn * hot_gain, axis=1) + passing) / air,
    )


def apply_supply_air(
    state: PlantState, response: HallResponse, supply: jax.Array
) -> tuple[PlantState, HallFlows]:
    """Return the halls after the step with the supply air that they really got."""
    change = supply - response.supply
    by_zone = change[:, None]
    flows = dataclasses.replace(
        response.flows,
        inlet_temp=response.flows.inlet_temp + response.inlet_gain * by_zone,
        return_temp=response.flows.return_temp + response.return_gain * change,
    )
    moved = dataclasses.replace(
        state,
        server_temp=response.server_temp + response.server_gain * by_zone,
        hot_aisle_temp=response.hot_aisle_temp + response.hot_gain * by_zone,
        structure_temp=response.structure_temp,
        supply_air_temp=supply,
        return_air_temp=flows.return_temp,
    )
    return moved, flows
