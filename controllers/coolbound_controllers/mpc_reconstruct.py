"""A plant state that agrees with one observation: where the nominal model starts.

Readings stand where there are any. What no instrument shows is taken as settled:
servers and hot aisles at the rise that the measured load gives, moved until the
return air is the one that is read; pipes at the water that enters them; structure at
the hot aisles; machines beyond all timers, but for those that are starting. Weather
without an instrument (outdoor moisture, pressure) is that of the halls, at sea level.
Batch axes come first in an observation and last in a state.
"""

import jax
import jax.numpy as jnp

from coolbound_envs import components
from coolbound_envs.constants import AIR_HEAT, WATER_HEAT
from coolbound_envs.drives import pump_speed_floor
from coolbound_envs.faults import no_faults
from coolbound_envs.halls import server_flow, zone_work
from coolbound_envs.params import PlantParams
from coolbound_envs.psychrometrics import STANDARD_PRESSURE, saturated_enthalpy
from coolbound_envs.sequencer import AGE_MAX, SequencerState
from coolbound_envs.spec import CHILLERS, HALLS, ZONES
from coolbound_envs.state import PIPE_CELLS, Disturbance, PlantState
from coolbound_envs.towers import FREE_CONVECTION
from coolbound_envs.types import Observation

_SHIFT = 6.0
"""Hot aisles are moved no further than this for the return air. [K]"""

_ROUNDS = 4
"""Refinements of the air's heat capacity in the towers. [1]"""


def inlets_of(observation: Observation) -> jax.Array:
    """Return every zone's inlet, (halls, zones, ...) [degC]."""
    zones = [
        [observation.read(f"inlet_temp_hall{h + 1}_zone{z + 1}") for z in range(ZONES)]
        for h in range(HALLS)
    ]
    return jnp.stack([jnp.stack(hall) for hall in zones])


def _halls_first(observation: Observation, name: str) -> jax.Array:
    return jnp.moveaxis(observation.read_halls(name), -1, 0)


def disturbance_now(observation: Observation, plant: PlantParams) -> Disturbance:
    """Return what acts, from the instruments: IT work by their power and inlets."""
    inlet = inlets_of(observation)
    share = zone_work(jnp.ones_like(inlet[:, 0]))
    watt = jnp.sum(components.server_power(share, inlet, plant.it), axis=1)
    power = _halls_first(observation, "it_power") * 1e3
    wet_bulb = observation.read("outdoor_wet_bulb")
    dew_point = jnp.min(_halls_first(observation, "room_dew_point"), axis=0)
    return Disturbance(
        it_work=power / watt,
        dry_bulb=observation.read("outdoor_temp"),
        wet_bulb=wet_bulb,
        dew_point=jnp.minimum(dew_point, wet_bulb),
        pressure=jnp.full_like(wet_bulb, STANDARD_PRESSURE),
        faults=no_faults(wet_bulb.shape),
    )


def reconstruct(
    observation: Observation, acting: Disturbance, plant: PlantParams
) -> PlantState:
    """Return a state of the nominal plant that agrees with the readings."""
    like = observation.read("chw_supply_temp")
    applied = jnp.moveaxis(observation.applied, -1, 0)
    supply_air = _halls_first(observation, "supply_air_temp")
    return_air = _halls_first(observation, "return_air_temp")
    hot = _hot_aisles(observation, acting, plant)
    valve = _halls_first(observation, "crah_valve")
    supplied, returned = like, observation.read("chw_return_temp")
    sequencer = _machines(observation)
    floor = pump_speed_floor(sequencer.commanded_count, plant)
    pump = jnp.maximum(applied[6], floor)
    basin = observation.read("cw_supply_temp")
    count = jnp.maximum(sequencer.running_count, 1.0)
    chiller = plant.chiller
    most = chiller.evaporator_flow_max * chiller.evaporator_flow
    lift = observation.read("cw_return_temp") - supplied
    return PlantState(
        server_temp=hot,
        hot_aisle_temp=hot,
        structure_temp=hot,
        supply_air_temp=supply_air,
        return_air_temp=return_air,
        valve=valve,
        valve_command=valve,
        loop_error=supply_air - applied[0:HALLS],
        crah_speed=applied[HALLS : 2 * HALLS],
        chw_pump_ready=jnp.ones_like(like),
        cw_speed=pump,
        tower_speed=applied[7],
        tower_cells=_cells(pump, plant),
        latent_heat=jnp.zeros_like(like),
        pressure_setpoint=applied[5] * 1e3,
        supply_pipe_temp=jnp.stack([supplied] * PIPE_CELLS),
        return_pipe_temp=jnp.stack([returned] * PIPE_CELLS),
        buffer_temp=returned,
        basin_temp=basin,
        bypass=_bypass(sequencer, basin, lift, plant),
        air_capacity=_air_capacity(observation, acting, pump, plant),
        chiller_power=observation.read("chiller_power") * 1e3,
        lift=lift,
        evaporator_flow=jnp.minimum(observation.read("chw_flow") / count, most),
        room_dew_point=jnp.max(_halls_first(observation, "room_dew_point"), axis=0),
        sequencer=sequencer,
    )


def _hot_aisles(
    observation: Observation, acting: Disturbance, plant: PlantParams
) -> jax.Array:
    """Return air behind the servers, (halls, zones, ...) [degC]."""
    inlet, it = inlets_of(observation), plant.it
    work = zone_work(acting.it_work)
    flow = server_flow(work, inlet, it)
    rise = components.server_power(work, inlet, it) / (flow * AIR_HEAT)
    hot = inlet + rise
    speed = jnp.moveaxis(observation.applied[..., HALLS : 2 * HALLS], -1, 0)
    air = plant.crah.air_flow / HALLS * speed
    drawn = jnp.sum(flow, axis=1)
    warm = jnp.sum(flow * hot, axis=1)
    supply = _halls_first(observation, "supply_air_temp")
    through = jnp.minimum(drawn, air)
    mixed = (warm / drawn * through + (air - through) * supply) / air
    missing = _halls_first(observation, "return_air_temp") - mixed
    shift = jnp.clip(missing * air / through, -_SHIFT, _SHIFT)
    return hot + shift[:, None]


def _machines(observation: Observation) -> SequencerState:
    """Return machines as counted: the first ones run, those that start come next."""
    running = observation.read("chillers_running")
    starting = observation.read("chillers_starting")
    economizer = observation.read("economizer_running")
    order = jnp.arange(CHILLERS, dtype=running.dtype)
    order = order.reshape((-1,) + (1,) * running.ndim)
    ramp = (order < running[None] - 0.5).astype(running.dtype)
    commanded = (order < (running + starting)[None] - 0.5).astype(running.dtype)
    age = jnp.where(commanded > ramp, 0.0, AGE_MAX)
    stage = jnp.where(starting > 0.5, 0.0, AGE_MAX)
    long = jnp.full_like(running, AGE_MAX)
    return SequencerState(
        commanded=commanded,
        machine_age=age,
        ramp=ramp,
        valve=commanded,
        economizer=economizer,
        economizer_position=economizer,
        economizer_age=long,
        stage_age=stage,
        start_age=long,
        start_age_second=long,
        lockout=jnp.zeros_like(commanded),
        protective=jnp.zeros_like(commanded),
    )


def _cells(pump: jax.Array, plant: PlantParams) -> jax.Array:
    """Return the tower cells that get enough water [1]."""
    condenser = plant.condenser
    most = jnp.floor(pump * condenser.cells / condenser.cell_flow_min + 1e-3)
    return jnp.clip(most, 1.0, condenser.cells)


def _bypass(
    machines: SequencerState, basin: jax.Array, lift: jax.Array, plant: PlantParams
) -> jax.Array:
    """Return the opening at which the condenser-water controls rest [1]."""
    condenser, is_running = plant.condenser, machines.running_count > 0.5
    low = jnp.where(is_running, condenser.low_limit_cooling, condenser.low_limit_free)
    short = jnp.where(is_running, condenser.lift_setpoint + 1.0 - lift, 0.0)
    return jnp.clip(jnp.maximum(low + 1.0 - basin, short), 0.0, 1.0)


def _air_capacity(
    observation: Observation, acting: Disturbance, pump: jax.Array, plant: PlantParams
) -> jax.Array:
    """Return c_pe in the towers for the heat that they reject [J/(kg K)]."""
    condenser, bulb = plant.condenser, acting.wet_bulb
    rise = observation.read("cw_return_temp") - observation.read("cw_supply_temp")
    heat = condenser.design_flow * pump * WATER_HEAT * jnp.maximum(rise, 0.5)
    speed = jnp.maximum(observation.applied[..., 7], FREE_CONVECTION)
    air = condenser.air_flow * _cells(pump, plant) / condenser.cells * speed
    first = saturated_enthalpy(bulb, acting.pressure)
    capacity = jnp.full_like(bulb, 3500.0)
    for _ in range(_ROUNDS):
        warmer = jnp.maximum(heat / (air * capacity), 0.5)
        warm = saturated_enthalpy(bulb + warmer, acting.pressure)
        capacity = 0.5 * (capacity + (warm - first) / warmer)
    return capacity
