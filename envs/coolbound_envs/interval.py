"""One control interval: the sequencer decides, the plant runs, sums are kept."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import components, sequencer
from coolbound_envs.chilled_water import step_water
from coolbound_envs.coils import CoilFlows, coils, step_pressure, step_supply_loop
from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.halls import HallFlows, step_halls, zone_work
from coolbound_envs.params import PlantParams
from coolbound_envs.plant_room import PlantRoom, plant_room
from coolbound_envs.psychrometrics import saturated_enthalpy
from coolbound_envs.spec import HALLS
from coolbound_envs.state import Disturbance, Flows, PlantState
from coolbound_envs.towers import OutdoorAir, step_tower
from coolbound_envs.types import Action, Scalar

CONTROL_INTERVAL = 300.0
"""From one decision to the next. [s]"""

SUBSTEPS = 10
"""Integration steps in a control interval: 30 s each. [1]"""

START_BASIN_TEMP = 12.8
"""A chiller starts only with condenser water at least this warm. [degC]"""


@struct.dataclass
class Summary:
    """What one control interval amounted to. Dynamic.

    Attributes:
        mean: Flows, averaged over the interval.
        inlet_temp_max: Hottest inlet of any zone and step. [degC]
        inlet_temp_min: Coldest inlet of any zone and step. [degC]
        airflow_ratio_min: Least CRAH air over server air of any hall. [1]
        basin_temp_min: Coldest basin of any step. [degC]
        basin_temp_min_cooling: The same while a chiller runs; 1000 if none. [degC]
        flow_change_max: Fastest relative change of evaporator flow. [1/min]
        running: Chillers running at the end. [1]
    """

    mean: Flows
    inlet_temp_max: jax.Array
    inlet_temp_min: jax.Array
    airflow_ratio_min: jax.Array
    basin_temp_min: jax.Array
    basin_temp_min_cooling: jax.Array
    flow_change_max: jax.Array
    running: jax.Array


def pump_speed_floor(commanded: Scalar, params: PlantParams) -> Scalar:
    """Return the condenser-pump speed that the running machines need [1].

    The BAS keeps it whatever is asked: a share of each machine's design flow.
    """
    chiller = params.chiller
    needed = chiller.condenser_flow_min * chiller.condenser_flow * commanded
    return needed / params.condenser.design_flow


def _flows(
    hall: HallFlows,
    coil: CoilFlows,
    room: PlantRoom,
    returned: Scalar,
    rejected: Scalar,
    powers: tuple[Scalar, Scalar, Scalar],
) -> Flows:
    """Return one record of what flowed; powers: CRAH fans, CW pumps, tower fans [W]."""
    crah_power, cw_pump_power, tower_power = powers
    return Flows(
        inlet_temp=hall.inlet_temp,
        it_power=jnp.sum(hall.power, axis=1),
        airflow_ratio=hall.ratio,
        crah_power=crah_power,
        coil_flow=coil.flow,
        chw_flow=room.flow,
        chw_pressure=coil.pressure,
        chw_pump_power=room.pump_power,
        return_temp=returned,
        economizer_heat=room.economizer_heat,
        chiller_heat=room.chiller_heat,
        chiller_power=room.chiller_power,
        part_load=room.part_load,
        lift=room.lift,
        evaporator_flow=room.evaporator_flow,
        cw_flow=room.cw_flow,
        cw_entering_temp=room.cw_entering_temp,
        cw_leaving_temp=room.cw_leaving_temp,
        cw_pump_power=cw_pump_power,
        tower_heat=rejected,
        tower_power=tower_power,
    )


def substep(
    state: PlantState,
    action: Action,
    disturbance: Disturbance,
    outdoor: OutdoorAir,
    interval: float,
    params: PlantParams,
) -> tuple[PlantState, Flows]:
    """Advance the plant by one integration step."""
    crah = params.crah
    speed = jnp.moveaxis(action.crah_fan_speed, -1, 0)
    air_flow = crah.air_flow / HALLS * speed
    fan_power = crah.fan_power / HALLS * speed**crah.fan_exponent
    state, hall = step_halls(
        state, zone_work(disturbance.it_work), air_flow, interval, params.it
    )
    setpoint = jnp.moveaxis(action.supply_air_setpoint, -1, 0)
    state = step_supply_loop(state, setpoint, interval, params)
    state = step_pressure(state, action.chw_pressure_setpoint * 1e3, interval)
    coil = coils(state, action, hall.return_temp, params)
    supply = hall.return_temp + (fan_power - coil.heat) / (air_flow * AIR_HEAT)
    floor = pump_speed_floor(state.sequencer.commanded_count, params)
    cw_speed = jnp.maximum(action.cw_pump_speed, floor)
    room = plant_room(state, action, coil, cw_speed, params)
    returned = state.buffer_temp
    state = step_water(state, coil, room, interval, params)
    state, rejected = step_tower(
        state, room, action.tower_fan_speed, outdoor, interval, params
    )
    machines = sequencer.advance(
        state.sequencer,
        state.basin_temp,
        jnp.asarray(START_BASIN_TEMP, state.basin_temp.dtype),
        interval,
        params.chiller,
        params.sequencer,
    )
    state = dataclasses.replace(
        state,
        supply_air_temp=supply,
        return_air_temp=hall.return_temp,
        chiller_power=room.chiller_power,
        lift=room.lift,
        evaporator_flow=room.evaporator_flow,
        sequencer=machines,
    )
    powers = (
        fan_power,
        components.cw_pump_power(cw_speed, params.condenser),
        params.condenser.fan_power * action.tower_fan_speed**3,
    )
    return state, _flows(hall, coil, room, returned, rejected, powers)


def decide(state: PlantState, action: Action, params: PlantParams) -> PlantState:
    """Let the sequencer turn the two requests into commands."""
    machines = sequencer.stage_chillers(
        state.sequencer, action.chiller_demand, params.sequencer
    )
    gain = state.buffer_temp - state.basin_temp
    machines = sequencer.switch_economizer(
        machines, action.economizer_demand, gain, params.sequencer
    )
    return dataclasses.replace(state, sequencer=machines)


def step_room_air(
    state: PlantState, disturbance: Disturbance, params: PlantParams
) -> PlantState:
    """Let the halls' dew point follow the conditioned make-up air."""
    room = params.room
    target = jnp.clip(disturbance.dew_point, room.dew_point_min, room.dew_point_max)
    share = CONTROL_INTERVAL / (CONTROL_INTERVAL + room.exchange_time)
    dew_point = state.room_dew_point + share * (target - state.room_dew_point)
    return dataclasses.replace(state, room_dew_point=dew_point)


def _first_summary(flows: Flows) -> Summary:
    zero = jnp.zeros_like(flows.lift)
    return Summary(
        mean=jax.tree.map(jnp.zeros_like, flows),
        inlet_temp_max=zero - 1e3,
        inlet_temp_min=zero + 1e3,
        airflow_ratio_min=zero + 1e3,
        basin_temp_min=zero + 1e3,
        basin_temp_min_cooling=zero + 1e3,
        flow_change_max=zero,
        running=zero,
    )


def _flow_change(before: PlantState, after: PlantState, interval: float) -> jax.Array:
    """Return the relative change of evaporator flow, 0 while none runs [1/min]."""
    last = before.evaporator_flow
    change = jnp.abs(after.evaporator_flow - last) / jnp.maximum(last, 1.0)
    is_running = before.sequencer.running_count > 0.5
    return jnp.where(is_running, change * (60.0 / interval), 0.0)


def _add(
    total: Summary,
    before: PlantState,
    after: PlantState,
    flows: Flows,
    interval: float,
) -> Summary:
    share = interval / CONTROL_INTERVAL
    hottest = jnp.max(flows.inlet_temp, axis=(0, 1))
    coldest = jnp.min(flows.inlet_temp, axis=(0, 1))
    ratio = jnp.min(flows.airflow_ratio, axis=0)
    change = _flow_change(before, after, interval)
    is_cooling = before.sequencer.running_count > 0.5
    cooling = jnp.where(is_cooling, after.basin_temp, total.basin_temp_min_cooling)
    return Summary(
        mean=jax.tree.map(lambda s, x: s + share * x, total.mean, flows),
        inlet_temp_max=jnp.maximum(total.inlet_temp_max, hottest),
        inlet_temp_min=jnp.minimum(total.inlet_temp_min, coldest),
        airflow_ratio_min=jnp.minimum(total.airflow_ratio_min, ratio),
        basin_temp_min=jnp.minimum(total.basin_temp_min, after.basin_temp),
        basin_temp_min_cooling=jnp.minimum(total.basin_temp_min_cooling, cooling),
        flow_change_max=jnp.maximum(total.flow_change_max, change),
        running=after.sequencer.running_count,
    )


def run_interval(
    state: PlantState,
    action: Action,
    disturbance: Disturbance,
    params: PlantParams,
    substeps: int = SUBSTEPS,
) -> tuple[PlantState, Summary]:
    """Run one control interval of 300 s.

    Args:
        state: True state at its start.
        action: Applied action, physical units, hall axis last.
        disturbance: Load and weather, constant over the interval.
        params: The plant.
        substeps: Integration steps; static. [1]

    Returns:
        The state at its end, and what happened in between.
    """
    interval = CONTROL_INTERVAL / substeps
    state = decide(state, action, params)
    outdoor = OutdoorAir(
        wet_bulb=disturbance.wet_bulb,
        pressure=disturbance.pressure,
        enthalpy=saturated_enthalpy(disturbance.wet_bulb, disturbance.pressure),
    )

    def advance(
        carry: tuple[PlantState, Summary], _: None
    ) -> tuple[tuple[PlantState, Summary], None]:
        before, total = carry
        after, flows = substep(before, action, disturbance, outdoor, interval, params)
        total = _add(total, before, after, flows, interval)
        return (after, total), None

    shapes = jax.eval_shape(
        lambda: substep(state, action, disturbance, outdoor, interval, params)[1]
    )
    empty = _first_summary(jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes))
    (state, total), _ = jax.lax.scan(advance, (state, empty), None, length=substeps)
    return step_room_air(state, disturbance, params), total
