"""Where an episode starts: two chillers at work, mild set-points."""

import jax.numpy as jnp

from coolbound_envs.params import PlantParams
from coolbound_envs.sequencer import AGE_MAX, SequencerState
from coolbound_envs.spec import CHILLERS, HALLS, ZONES
from coolbound_envs.state import PIPE_CELLS, Disturbance, PlantState
from coolbound_envs.types import Action

_SUPPLY_AIR = 21.0
_CHW_SUPPLY = 12.0
_PRESSURE = 80.0
_RISE = 12.0
_CHW_RISE = 8.0
_CRAH_SPEED = 0.85
_CW_SPEED = 0.8
_TOWER_SPEED = 0.6


def initial_action(disturbance: Disturbance, shape: tuple[int, ...]) -> Action:
    """Return the set-points in force before an episode begins."""
    del disturbance

    def full(value: float, *tail: int) -> jnp.ndarray:
        return jnp.full((*shape, *tail), value, jnp.float32)

    return Action(
        supply_air_setpoint=full(_SUPPLY_AIR, HALLS),
        crah_fan_speed=full(_CRAH_SPEED, HALLS),
        chw_supply_setpoint=full(_CHW_SUPPLY),
        chw_pressure_setpoint=full(_PRESSURE),
        cw_pump_speed=full(_CW_SPEED),
        tower_fan_speed=full(_TOWER_SPEED),
        chiller_demand=full(2.0),
        economizer_demand=full(0.0),
    )


def initial_state(
    disturbance: Disturbance, params: PlantParams, shape: tuple[int, ...]
) -> PlantState:
    """Return a plant near its steady state under `initial_action`."""

    def full(value: float, *head: int) -> jnp.ndarray:
        return jnp.full((*head, *shape), value, jnp.float32)

    basin = jnp.clip(disturbance.wet_bulb + 5.0, 18.0, 29.0) + full(0.0)
    dew_point = jnp.clip(
        disturbance.dew_point, params.room.dew_point_min, params.room.dew_point_max
    )
    hot = _SUPPLY_AIR + _RISE
    return PlantState(
        server_temp=full(hot, HALLS, ZONES),
        hot_aisle_temp=full(hot, HALLS, ZONES),
        structure_temp=full(hot - 1.0, HALLS, ZONES),
        supply_air_temp=full(_SUPPLY_AIR, HALLS),
        return_air_temp=full(hot - 2.0, HALLS),
        valve=full(0.8, HALLS),
        valve_command=full(0.8, HALLS),
        loop_error=full(0.0, HALLS),
        crah_speed=full(_CRAH_SPEED, HALLS),
        chw_pump_ready=full(1.0),
        cw_speed=full(_CW_SPEED),
        tower_speed=full(_TOWER_SPEED),
        tower_cells=params.condenser.cells + full(0.0),
        latent_heat=full(0.0),
        pressure_setpoint=full(_PRESSURE * 1e3),
        supply_pipe_temp=full(_CHW_SUPPLY, PIPE_CELLS),
        return_pipe_temp=full(_CHW_SUPPLY + _CHW_RISE, PIPE_CELLS),
        buffer_temp=full(_CHW_SUPPLY + _CHW_RISE),
        basin_temp=basin,
        bypass=full(0.0),
        air_capacity=full(3500.0),
        chiller_power=full(4.0e5),
        lift=full(18.0),
        evaporator_flow=params.chiller.evaporator_flow + full(0.0),
        room_dew_point=dew_point + full(0.0),
        sequencer=_two_running(full),
    )


def _two_running(full) -> SequencerState:
    machines = jnp.stack([full(1.0)] * 2 + [full(0.0)] * (CHILLERS - 2))
    return SequencerState(
        commanded=machines,
        machine_age=full(AGE_MAX, CHILLERS),
        ramp=machines,
        valve=machines,
        economizer=full(0.0),
        economizer_position=full(0.0),
        economizer_age=full(AGE_MAX),
        stage_age=full(AGE_MAX),
        start_age=full(AGE_MAX),
        start_age_second=full(AGE_MAX),
        lockout=full(0.0, CHILLERS),
        protective=full(0.0, CHILLERS),
    )
