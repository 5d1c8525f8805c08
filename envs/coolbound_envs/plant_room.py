"""The plant room: economizer in series before the chillers, and their balance."""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import components
from coolbound_envs.coils import CoilFlows
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.drives import STANDSTILL
from coolbound_envs.params import PlantParams
from coolbound_envs.state import PlantState
from coolbound_envs.types import Action, Scalar


@struct.dataclass
class PlantRoom:
    """Chillers and economizer of one step. Dynamic.

    Attributes:
        flow: Water through the plant, bypass included. [kg/s]
        pump_power: Chilled-water pumps. [W]
        economizer_heat: Heat that the economizer moves. [W]
        chiller_heat: Heat that the evaporators take up. [W]
        chiller_power: All chillers. [W]
        part_load: Load of each running chiller. [1]
        lift: Condenser leaving minus evaporator leaving. [K]
        evaporator_flow: Water through each open evaporator. [kg/s]
        evaporator_leaving_temp: Water leaving the evaporators. [degC]
        has_flow: True where both sides of the machines have flow enough. [1]
        water_temp: Chilled water leaving the plant. [degC]
        cw_flow: Condenser water. [kg/s]
        cw_entering_temp: Water entering the condensers. [degC]
        cw_leaving_temp: Water leaving the condensers. [degC]
    """

    flow: jax.Array
    pump_power: jax.Array
    economizer_heat: jax.Array
    chiller_heat: jax.Array
    chiller_power: jax.Array
    part_load: jax.Array
    lift: jax.Array
    evaporator_flow: jax.Array
    evaporator_leaving_temp: jax.Array
    has_flow: jax.Array
    water_temp: jax.Array
    cw_flow: jax.Array
    cw_entering_temp: jax.Array
    cw_leaving_temp: jax.Array


def economize(
    state: PlantState,
    setpoint: Scalar,
    entering_temp: Scalar,
    flow: Scalar,
    cw_flow: Scalar,
    params: PlantParams,
) -> Scalar:
    """Return the heat that the economizer takes [W].

    Its valves hold the supply set-point and leave the running chillers their
    smallest load, so that a machine never idles behind the exchanger.
    """
    chiller = params.chiller
    most = components.economizer_heat(
        entering_temp, state.basin_temp, flow, cw_flow, params.condenser
    )
    needed = flow * WATER_HEAT * jnp.maximum(entering_temp - setpoint, 0.0)
    kept = state.sequencer.running_count * (chiller.load_min * chiller.capacity)
    allowed = jnp.maximum(needed - kept, 0.0)
    return jnp.minimum(most * state.sequencer.economizer_position, allowed)


def _entering(
    state: PlantState, coil: CoilFlows, params: PlantParams
) -> tuple[Scalar, Scalar, Scalar]:
    """Return flow [kg/s], pump power [W] and water entering the plant [degC].

    The minimum-flow bypass follows the evaporators' valves, without a jump when
    a machine starts, and joins the return ahead of the economizer.
    """
    chiller = params.chiller
    opened = jnp.sum(state.sequencer.valve, axis=0)
    least = opened * (chiller.evaporator_flow_min * chiller.evaporator_flow)
    flow = jnp.maximum(coil.flow, least * state.chw_pump_ready)
    power = components.chw_pump_power(flow, coil.pressure, params.chw)
    supplied = state.supply_pipe_temp[0]
    mixed = (coil.flow * state.buffer_temp + (flow - coil.flow) * supplied) / flow
    return flow, power, mixed + power / (flow * WATER_HEAT)


def evaporator_flow(flow: Scalar, state: PlantState, params: PlantParams) -> Scalar:
    """Return the water through each open evaporator [kg/s].

    Open machines share the flow: one more isolation valve open cuts the flow of
    1, 2 or 3 others by 50, 33 or 25 % (Trane Engineers Newsletter 31-4). Flow
    beyond the evaporators' maximum passes around them.
    """
    chiller = params.chiller
    open_count = jnp.sum(state.sequencer.valve, axis=0)
    most = chiller.evaporator_flow_max * chiller.evaporator_flow
    return jnp.minimum(flow / jnp.maximum(open_count, 1e-3), most)


def _evaporator_leaving(
    each: Scalar, state: PlantState, cooled: Scalar, heat: Scalar
) -> Scalar:
    """Return the water leaving the evaporators [degC].

    Where some flow passes around them they run colder than the header that
    they hold at its set-point.
    """
    through = jnp.maximum(each * jnp.sum(state.sequencer.valve, axis=0), 1e-3)
    return cooled - heat / (through * WATER_HEAT)


def _has_flow(
    evaporator: Scalar, cw_flow: Scalar, state: PlantState, params: PlantParams
) -> jax.Array:
    """Return whether the flow switches of both sides let the machines run."""
    chiller = params.chiller
    machines = jnp.maximum(state.sequencer.running_count, 1.0)
    return (evaporator >= chiller.flow_trip * chiller.evaporator_flow) & (
        cw_flow >= chiller.flow_trip * chiller.condenser_flow * machines
    )


def plant_room(
    state: PlantState,
    action: Action,
    coil: CoilFlows,
    cw_pump_power: Scalar,
    params: PlantParams,
) -> PlantRoom:
    """Return what economizer and chillers do with the returning water.

    The condenser pumps' work warms the water that enters the condensers.
    """
    chiller, sequencer = params.chiller, state.sequencer
    setpoint = action.chw_supply_setpoint
    cw_flow = params.condenser.design_flow * jnp.maximum(state.cw_speed, STANDSTILL)
    cw_rate = cw_flow * WATER_HEAT
    flow, pump_power, entering = _entering(state, coil, params)
    free = economize(state, setpoint, entering, flow, cw_flow, params)
    cooled = entering - free / (flow * WATER_HEAT)
    needed = flow * WATER_HEAT * jnp.maximum(cooled - setpoint, 0.0)
    evaporator = evaporator_flow(flow, state, params)
    has_flow = _has_flow(evaporator, cw_flow, state, params)
    most = jnp.sum(sequencer.ramp, axis=0) * chiller.capacity
    heat = jnp.where(has_flow, jnp.minimum(needed, most), 0.0)
    evaporator_leaving = _evaporator_leaving(evaporator, state, cooled, heat)
    part_load = heat / (jnp.maximum(sequencer.running_count, 1.0) * chiller.capacity)
    condenser_entering = state.basin_temp + (free + cw_pump_power) / cw_rate
    power, condenser_leaving, lift = _chiller_balance(
        state.chiller_power,
        heat,
        part_load,
        condenser_entering,
        cw_flow,
        evaporator_leaving,
        params,
    )
    return PlantRoom(
        flow=flow,
        pump_power=pump_power,
        economizer_heat=free,
        chiller_heat=heat,
        chiller_power=power,
        part_load=part_load,
        lift=lift,
        evaporator_flow=evaporator,
        evaporator_leaving_temp=evaporator_leaving,
        has_flow=has_flow,
        water_temp=cooled - heat / (flow * WATER_HEAT),
        cw_flow=cw_flow,
        cw_entering_temp=condenser_entering,
        cw_leaving_temp=condenser_leaving,
    )


def _chiller_balance(
    power: Scalar,
    heat: Scalar,
    part_load: Scalar,
    entering: Scalar,
    cw_flow: Scalar,
    evaporator_leaving: Scalar,
    params: PlantParams,
) -> tuple[Scalar, Scalar, Scalar]:
    """Return power [W], condenser leaving [degC] and lift [K], which agree.

    Three fixed-point steps from the last power; each shrinks the error about
    thirtyfold, since power is a tenth of the heat.
    """
    capacity_rate = cw_flow * WATER_HEAT
    leaving = entering
    lift = leaving - evaporator_leaving
    for _ in range(3):
        leaving = entering + (heat + power) / capacity_rate
        lift = leaving - evaporator_leaving
        cop = components.chiller_cop(
            part_load, lift, evaporator_leaving, params.chiller
        )
        power = heat / cop
    return power, entering + (heat + power) / capacity_rate, lift
