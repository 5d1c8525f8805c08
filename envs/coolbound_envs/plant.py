"""The plant in motion: state, one integration step, one control interval.

Zone fields have leading axes (halls, zones), pipe and machine fields a leading
axis of cells or chillers; whatever follows is a batch. The step moves heat
between stores with one number per flow, used on both sides, so that energy
closes to rounding (plant-and-constraints 1.1 to 1.7).
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import components
from coolbound_envs.constants import AIR_HEAT, WATER_HEAT
from coolbound_envs.params import ItParams, PlantParams
from coolbound_envs.psychrometrics import saturated_enthalpy
from coolbound_envs.sequencer import SequencerState
from coolbound_envs.spec import HALLS
from coolbound_envs.types import Action, Scalar

ZONE_SHARE = (0.36, 0.34, 0.30)
"""Share of a hall's IT power in each zone. [1]"""

ZONE_LEAK = (0.75, 1.0, 1.25)
"""Recirculation of each zone over that of the hall. [1]"""

PIPE_CELLS = 3
"""Well-mixed cells of each pipe: transport delay by tanks in series. [1]"""

LIFT_DELAY = 600.0
"""Lift control waits this long after a stage change. [s]"""


@struct.dataclass
class Disturbance:
    """What acts on the plant for one control interval. Dynamic.

    Attributes:
        it_work: IT power at 20 degC inlet, per hall, leading axis. [W]
        dry_bulb: Outdoor air. [degC]
        wet_bulb: Outdoor air. [degC]
        dew_point: Outdoor air. [degC]
        pressure: Outdoor air. [Pa]
    """

    it_work: jax.Array
    dry_bulb: jax.Array
    wet_bulb: jax.Array
    dew_point: jax.Array
    pressure: jax.Array


@struct.dataclass
class PlantState:
    """True state of the plant. Dynamic; no controller reads it.

    Attributes:
        server_temp: Servers, (halls, zones). [degC]
        hot_aisle_temp: Hot aisles, (halls, zones). [degC]
        structure_temp: Structure, (halls, zones). [degC]
        supply_air_temp: Air leaving the CRAHs, (halls,). [degC]
        return_air_temp: Air entering the CRAHs, (halls,). [degC]
        valve: Coil valves, (halls,). [1]
        valve_command: Output of the supply-air loop, (halls,). [1]
        loop_error: Last error of that loop, (halls,). [K]
        supply_pipe_temp: Chilled water towards the halls, (cells,). [degC]
        return_pipe_temp: Chilled water from the halls, (cells,). [degC]
        buffer_temp: Buffer tank in the return. [degC]
        basin_temp: Tower basin, water entering the condensers. [degC]
        bypass: Tower bypass valve. [1]
        air_capacity: Air along saturation in the towers, c_pe. [J/(kg K)]
        chiller_power: All chillers. [W]
        lift: Condenser leaving minus evaporator leaving. [K]
        room_dew_point: Air of the halls. [degC]
        sequencer: What runs.
    """

    server_temp: jax.Array
    hot_aisle_temp: jax.Array
    structure_temp: jax.Array
    supply_air_temp: jax.Array
    return_air_temp: jax.Array
    valve: jax.Array
    valve_command: jax.Array
    loop_error: jax.Array
    supply_pipe_temp: jax.Array
    return_pipe_temp: jax.Array
    buffer_temp: jax.Array
    basin_temp: jax.Array
    bypass: jax.Array
    air_capacity: jax.Array
    chiller_power: jax.Array
    lift: jax.Array
    room_dew_point: jax.Array
    sequencer: SequencerState


@struct.dataclass
class Flows:
    """Flows, heats and powers of one integration step. Dynamic.

    Attributes:
        inlet_temp: Server inlets, (halls, zones). [degC]
        it_power: Servers with their fans, (halls,). [W]
        airflow_ratio: CRAH air over server air, (halls,). [1]
        crah_power: CRAH fans, (halls,). [W]
        coil_flow: Water through the coils. [kg/s]
        chw_flow: Water through the plant, bypass included. [kg/s]
        chw_pressure: Remote differential pressure. [Pa]
        chw_pump_power: Chilled-water pumps. [W]
        return_temp: Water entering the economizer. [degC]
        economizer_heat: Heat that the economizer moves. [W]
        chiller_heat: Heat that the evaporators take up. [W]
        chiller_power: All chillers. [W]
        part_load: Load of each running chiller. [1]
        lift: Condenser leaving minus evaporator leaving. [K]
        evaporator_flow: Water through each open evaporator. [kg/s]
        cw_flow: Condenser water. [kg/s]
        cw_entering_temp: Water entering the condensers. [degC]
        cw_leaving_temp: Water leaving the condensers. [degC]
        cw_pump_power: Condenser pumps. [W]
        tower_heat: Heat rejected. [W]
        tower_power: Tower fans. [W]
    """

    inlet_temp: jax.Array
    it_power: jax.Array
    airflow_ratio: jax.Array
    crah_power: jax.Array
    coil_flow: jax.Array
    chw_flow: jax.Array
    chw_pressure: jax.Array
    chw_pump_power: jax.Array
    return_temp: jax.Array
    economizer_heat: jax.Array
    chiller_heat: jax.Array
    chiller_power: jax.Array
    part_load: jax.Array
    lift: jax.Array
    evaporator_flow: jax.Array
    cw_flow: jax.Array
    cw_entering_temp: jax.Array
    cw_leaving_temp: jax.Array
    cw_pump_power: jax.Array
    tower_heat: jax.Array
    tower_power: jax.Array

    @property
    def facility_power(self) -> jax.Array:
        """Everything that is metered [W]."""
        return jnp.sum(self.it_power, axis=0) + self.mechanical_power

    @property
    def mechanical_power(self) -> jax.Array:
        """Everything but the servers [W]."""
        return (
            jnp.sum(self.crah_power, axis=0)
            + self.chw_pump_power
            + self.chiller_power
            + self.cw_pump_power
            + self.tower_power
        )


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
        action.chw_pressure_setpoint * 1e3,
        jnp.mean(characteristic, axis=0),
        crah,
        chw,
    )
    share = characteristic * jnp.sqrt(pressure / crah.open_pressure)[None]
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
    rise = jnp.sum(heat, axis=0) / (jnp.maximum(flow, 1e-3) * WATER_HEAT)
    return CoilFlows(
        heat=heat, flow=flow, pressure=pressure, water_temp=supplied + rise
    )


@struct.dataclass
class PlantRoom:
    """Chillers, economizer and towers of one step. Dynamic.

    Fields as in `Flows`; `water_temp` leaves the plant.
    """

    flow: jax.Array
    pump_power: jax.Array
    economizer_heat: jax.Array
    chiller_heat: jax.Array
    chiller_power: jax.Array
    part_load: jax.Array
    lift: jax.Array
    evaporator_flow: jax.Array
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


def plant_room(
    state: PlantState,
    action: Action,
    coil: CoilFlows,
    cw_speed: Scalar,
    params: PlantParams,
) -> PlantRoom:
    """Return what economizer and chillers do with the returning water."""
    chiller, chw = params.chiller, params.chw
    sequencer = state.sequencer
    open_count = jnp.sum(sequencer.valve, axis=0)
    running = sequencer.running_count
    least = running * (chiller.evaporator_flow_min * chiller.evaporator_flow)
    flow = jnp.maximum(coil.flow, least)
    pump_power = components.chw_pump_power(flow, coil.pressure, chw)
    bypassed = flow - coil.flow
    # The minimum-flow bypass joins the return ahead of the economizer.
    supplied = state.supply_pipe_temp[0]
    header = (coil.flow * state.buffer_temp + bypassed * supplied) / flow
    entering = header + pump_power / (flow * WATER_HEAT)
    cw_flow = params.condenser.design_flow * cw_speed
    setpoint = action.chw_supply_setpoint
    free = economize(state, setpoint, entering, flow, cw_flow, params)
    cooled = entering - free / (flow * WATER_HEAT)
    needed = flow * WATER_HEAT * jnp.maximum(cooled - setpoint, 0.0)
    capacity = jnp.sum(sequencer.ramp, axis=0) * chiller.capacity
    heat = jnp.minimum(needed, capacity)
    leaving = cooled - heat / (flow * WATER_HEAT)
    evaporator = jnp.minimum(
        flow / jnp.maximum(open_count, 1e-3),
        chiller.evaporator_flow_max * chiller.evaporator_flow,
    )
    # Flow beyond the evaporators' maximum passes around them, so the machines
    # run colder than the header that they hold at its set-point.
    through = jnp.maximum(evaporator * open_count, 1e-3)
    evaporator_leaving = cooled - heat / (through * WATER_HEAT)
    part_load = heat / (jnp.maximum(running, 1.0) * chiller.capacity)
    condenser_entering = state.basin_temp + free / (cw_flow * WATER_HEAT)
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
        water_temp=leaving,
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


@struct.dataclass
class OutdoorAir:
    """Outdoor air as the towers need it. Dynamic.

    Attributes:
        wet_bulb: Outdoor air. [degC]
        pressure: Outdoor air. [Pa]
        enthalpy: Saturated air at the wet bulb. [J/kg]
    """

    wet_bulb: jax.Array
    pressure: jax.Array
    enthalpy: jax.Array


def step_tower(
    state: PlantState,
    room: PlantRoom,
    fan_speed: Scalar,
    outdoor: OutdoorAir,
    interval: float,
    params: PlantParams,
) -> tuple[PlantState, Scalar]:
    """Reject heat and move the basin; returns the heat rejected [W].

    A bypass valve keeps the basin above its low limit and, ten minutes after
    the last stage change, the lift above its set-point, as the
    condenser-water controls of a BAS do.
    """
    condenser = params.condenser
    has_chiller = state.sequencer.commanded_count > 0.5
    low = jnp.where(has_chiller, condenser.low_limit_cooling, condenser.low_limit_free)
    short = low + 1.0 - state.basin_temp
    sequencer = state.sequencer
    is_loaded = (sequencer.running_count > 0.5) & (sequencer.stage_age > LIFT_DELAY)
    short_lift = jnp.where(is_loaded, condenser.lift_setpoint + 1.0 - room.lift, 0.0)
    target = jnp.clip(jnp.maximum(short, short_lift), 0.0, 1.0)
    bypass = state.bypass + (target - state.bypass) * (interval / (interval + 60.0))
    share = room.cw_flow / condenser.design_flow * (1.0 - bypass)
    entering = room.cw_leaving_temp
    heat = components.tower_heat(
        entering, share, fan_speed, outdoor.wet_bulb, state.air_capacity, condenser
    )
    air = condenser.air_flow * jnp.maximum(fan_speed, 0.125)
    rise = jnp.maximum(heat / (air * state.air_capacity), 0.5)
    saturated = saturated_enthalpy(outdoor.wet_bulb + rise, outdoor.pressure)
    capacity = (saturated - outdoor.enthalpy) / rise
    mixed = entering - heat / (room.cw_flow * WATER_HEAT)
    turnover = room.cw_flow * interval / condenser.basin_mass
    basin = state.basin_temp + turnover * (mixed - state.basin_temp)
    moved = dataclasses.replace(
        state,
        bypass=bypass,
        basin_temp=basin,
        air_capacity=0.5 * (state.air_capacity + capacity),
    )
    return moved, heat


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
