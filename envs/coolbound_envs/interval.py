"""One control interval: the sequencer decides, the plant runs, sums are kept."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import components, sequencer
from coolbound_envs.chilled_water import step_water
from coolbound_envs.coils import (
    CoilFlows,
    coil_flows,
    coil_water,
    step_pressure,
    step_supply_loop,
    supply_air,
)
from coolbound_envs.drives import STANDSTILL, step_drives
from coolbound_envs.halls import HallFlows, apply_supply_air, hall_response, zone_work
from coolbound_envs.params import PlantParams
from coolbound_envs.plant_room import PlantRoom, plant_room
from coolbound_envs.room_air import step_room_air
from coolbound_envs.sequencer import SequencerState
from coolbound_envs.spec import HALLS
from coolbound_envs.state import Disturbance, Flows, PlantState
from coolbound_envs.towers import OutdoorAir, TowerFlows, outdoor_air, step_tower
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


def _flows(
    hall: HallFlows,
    coil: CoilFlows,
    room: PlantRoom,
    tower: TowerFlows,
    before: PlantState,
    powers: tuple[Scalar, Scalar],
) -> Flows:
    """Return one record of what flowed; powers: CRAH fans and CW pumps [W]."""
    crah_power, cw_pump_power = powers
    return Flows(
        inlet_temp=hall.inlet_temp,
        it_power=jnp.sum(hall.power, axis=1),
        airflow_ratio=hall.ratio,
        crah_power=crah_power,
        coil_flow=coil.flow,
        chw_flow=room.flow,
        chw_pressure=coil.pressure,
        chw_pump_power=room.pump_power,
        return_temp=before.buffer_temp,
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
        tower_heat=tower.heat,
        tower_power=tower.power,
        evaporation=tower.evaporation,
        latent_heat=before.latent_heat,
    )


def _air(
    state: PlantState, disturbance: Disturbance, params: PlantParams
) -> tuple[jax.Array, jax.Array]:
    """Return air through the CRAHs in service [kg/s] and their fan power [W], (halls,).

    Affinity laws; without fans a little air drifts through.
    """
    crah = params.crah
    in_service = jnp.maximum(1.0 - disturbance.faults.crah_lost, STANDSTILL)
    speed = jnp.maximum(state.crah_speed, STANDSTILL)
    air_flow = crah.air_flow / HALLS * in_service * speed
    power = crah.fan_power / HALLS * in_service * speed**crah.fan_exponent
    return air_flow, power


def substep(
    state: PlantState,
    action: Action,
    disturbance: Disturbance,
    outdoor: OutdoorAir,
    elapsed: Scalar,
    interval: float,
    params: PlantParams,
) -> tuple[PlantState, Flows]:
    """Advance the plant by one integration step.

    Args:
        state: True state at its start.
        action: Applied action, physical units, hall axis last.
        disturbance: What acts on the plant.
        outdoor: Outdoor air of the control interval.
        elapsed: Since the control interval began. [s]
        interval: Length of the step. [s]
        params: The plant.
    """
    faults = disturbance.faults
    is_powered = elapsed >= faults.power_lost
    state = dataclasses.replace(
        state, sequencer=sequencer.lose_power(state.sequencer, ~is_powered)
    )
    state = step_drives(state, action, faults, is_powered, interval, params)
    air_flow, fan_power = _air(state, disturbance, params)
    work = zone_work(disturbance.it_work)
    response = hall_response(state, work, air_flow, interval, params.it)
    setpoint = jnp.moveaxis(action.supply_air_setpoint, -1, 0)
    state = step_supply_loop(state, setpoint, faults.valve_stuck, interval, params)
    state = step_pressure(state, action.chw_pressure_setpoint * 1e3, interval)
    water = coil_water(state, faults, params)
    supply = supply_air(response, water, fan_power, air_flow)
    state, hall = apply_supply_air(state, response, supply)
    coil = coil_flows(hall.return_temp, water, state.latent_heat)
    pump_power = components.cw_pump_power(state.cw_speed, params.condenser)
    room = plant_room(state, action, coil, pump_power, params)
    before, state = state, step_water(state, coil, room, interval, params)
    state, tower = step_tower(
        state, room, outdoor, faults.tower_cell_lost, interval, params
    )
    state = dataclasses.replace(
        state,
        chiller_power=room.chiller_power,
        lift=room.lift,
        evaporator_flow=room.evaporator_flow,
        sequencer=_machines(state, room, interval, params),
    )
    powers = (fan_power, pump_power)
    return state, _flows(hall, coil, room, tower, before, powers)


def _machines(
    state: PlantState, room: PlantRoom, interval: float, params: PlantParams
) -> SequencerState:
    """Return the sequencer after a step: machines that must have tripped, then age."""
    chiller, machines = params.chiller, state.sequencer
    is_unsafe = (
        ~room.has_flow
        | (room.evaporator_leaving_temp < chiller.freeze_trip)
        | (room.cw_leaving_temp > chiller.condensing_trip)
    )
    is_tripped = is_unsafe[None] & (machines.ramp > 0.0)
    machines = sequencer.trip(machines, is_tripped, params.sequencer)
    return sequencer.advance(
        machines,
        state.basin_temp,
        jnp.asarray(START_BASIN_TEMP, state.basin_temp.dtype),
        interval,
        chiller,
        params.sequencer,
    )


def decide(
    state: PlantState, action: Action, disturbance: Disturbance, params: PlantParams
) -> PlantState:
    """Let the sequencer turn the two requests into commands."""
    timers = params.sequencer
    is_broken = disturbance.faults.chiller_tripped > 0.5
    machines = sequencer.trip(state.sequencer, is_broken, timers)
    machines = sequencer.stage_chillers(machines, action.chiller_demand, timers)
    gain = state.buffer_temp - state.basin_temp
    machines = sequencer.switch_economizer(
        machines, action.economizer_demand, gain, timers
    )
    return dataclasses.replace(state, sequencer=machines)


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
    state = decide(state, action, disturbance, params)
    outdoor = outdoor_air(disturbance)

    def advance(
        carry: tuple[PlantState, Summary], elapsed: jax.Array
    ) -> tuple[tuple[PlantState, Summary], None]:
        before, total = carry
        after, flows = substep(
            before, action, disturbance, outdoor, elapsed, interval, params
        )
        total = _add(total, before, after, flows, interval)
        return (after, total), None

    times = interval * jnp.arange(substeps, dtype=state.basin_temp.dtype)
    shapes = jax.eval_shape(
        lambda: substep(
            state, action, disturbance, outdoor, times[0], interval, params
        )[1]
    )
    empty = _first_summary(jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes))
    (state, total), _ = jax.lax.scan(advance, (state, empty), times)
    return step_room_air(state, disturbance, CONTROL_INTERVAL, params), total
