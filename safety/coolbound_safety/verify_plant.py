"""A plant put together from instruments, for the second check.

Temperatures that are metered are taken as they are; what nobody meters (servers,
aisles, water in the pipes) stands in the steady state of what is metered. What is
out of order shows where a drive gives less than it was asked for.
"""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs import components
from coolbound_envs.constants import AIR_HEAT, WATER_HEAT
from coolbound_envs.drives import pump_speed_floor
from coolbound_envs.faults import PlantFaults, no_faults
from coolbound_envs.halls import ZONE_LEAK, ZONE_SHARE, server_flow
from coolbound_envs.params import PlantParams
from coolbound_envs.psychrometrics import STANDARD_PRESSURE
from coolbound_envs.sequencer import SequencerState
from coolbound_envs.spec import HALLS, POINT_INDEX
from coolbound_envs.state import PIPE_CELLS, Disturbance, PlantState
from coolbound_envs.types import Action, Scalar
from coolbound_safety.verify_record import Record

LOST: Final = 0.92
"""A drive that gives less than this share of what it should lacks machines. [1]"""

FRESH: Final = 60.0
"""An older meter is not compared with the command of now. [s]"""

LEAK_RISE: Final = 0.5
"""Stands for what leaks warm an inlet over the supply air. [K]"""

RISE_MAX: Final = 4.0
"""The return air moves the steady hot aisle by at most this. [K]"""

CHILLED_WATER: Final = ("chw_supply_temp", "chw_return_temp", "chw_flow")

MILD: Final = 20.0
"""Stands for an outdoor reading that never came. [degC]"""


def reading(record: Record, name: str, otherwise: Scalar) -> Scalar:
    """Return the last usable reading of a point, else what stands in for it."""
    value = record.value[POINT_INDEX[name]]
    return jnp.where(jnp.isfinite(value), value, otherwise)


def reading_halls(record: Record, name: str, otherwise: jax.Array) -> jax.Array:
    """Return the last usable readings of the halls, shape (halls,)."""
    found = [reading(record, f"{name}_hall{h + 1}", otherwise[h]) for h in range(HALLS)]
    return jnp.stack(found)


def it_power(record: Record, plant: PlantParams) -> jax.Array:
    """Return power of the servers per hall, (halls,) [kW].

    A hall without a meter is taken as the other; without any, the halls share
    what the chilled water carries; without that the plant stands at its design.
    """
    read = jnp.stack(
        [record.value[POINT_INDEX[f"it_power_hall{h + 1}"]] for h in range(HALLS)]
    )
    water = {name: record.value[POINT_INDEX[name]] for name in CHILLED_WATER}
    rise = water["chw_return_temp"] - water["chw_supply_temp"]
    carried = water["chw_flow"] * WATER_HEAT / 1e3 * rise / HALLS
    design = plant.it.design_power / (1e3 * HALLS)
    rest = jnp.where(jnp.isfinite(carried), carried, design)
    known = jnp.where(jnp.any(jnp.isfinite(read)), jnp.nanmax(read), rest)
    return jnp.where(jnp.isfinite(read), read, known)


def rebuild(
    record: Record, applied: Action, plant: PlantParams
) -> tuple[PlantState, Disturbance]:
    """Return the plant that the instruments describe, and what acts on it.

    Args:
        record: With the observation of now.
        applied: The set-points in force.
        plant: The nominal plant.
    """
    faults = _faults(record, applied, plant)
    inlets = record.inlets[0]
    coldest = jnp.min(jnp.where(jnp.isfinite(inlets), inlets, jnp.inf), axis=1)
    otherwise = jnp.where(
        jnp.isfinite(coldest), coldest - LEAK_RISE, applied.supply_air_setpoint
    )
    supply = reading_halls(record, "supply_air_temp", otherwise)
    inlets = jnp.where(jnp.isfinite(inlets), inlets, supply[:, None] + LEAK_RISE)
    share = jnp.asarray(ZONE_SHARE, jnp.float32)[None, :]
    per_work = components.server_power(jnp.ones_like(inlets), inlets, plant.it)
    power = it_power(record, plant) * 1e3
    work = power / jnp.maximum(jnp.sum(share * per_work, axis=1), 1e-3)
    disturbance = _disturbance(record, work, faults)
    hot = _hot_aisle(record, applied, work, inlets, supply, faults, plant)
    return _state(record, applied, supply, hot, faults, plant), disturbance


def _disturbance(record: Record, work: jax.Array, faults: PlantFaults) -> Disturbance:
    """Return load and weather as they are now.

    The make-up air keeps the rooms' dew point: within 15 min it could not move it by
    what a limit would notice.
    """
    bulb = reading(record, "outdoor_wet_bulb", jnp.asarray(MILD, jnp.float32))
    return Disturbance(
        it_work=work,
        dry_bulb=jnp.maximum(reading(record, "outdoor_temp", bulb + 5.0), bulb),
        wet_bulb=bulb,
        dew_point=_dew_point(record),
        pressure=jnp.asarray(STANDARD_PRESSURE, jnp.float32),
        faults=faults,
    )


def _dew_point(record: Record) -> Scalar:
    low = jnp.full(HALLS, -20.0, jnp.float32)
    return jnp.max(reading_halls(record, "room_dew_point", low))


def _faults(record: Record, applied: Action, plant: PlantParams) -> PlantFaults:
    """Return the fans and pumps that do not answer, by their own meters.

    Fan power falls with the units in service, and condenser flow with the pumps:
    n^2 H0 = static + (friction + a/s^2) m^2 (see `components.cw_speed_limit`).
    """
    crah, condenser = plant.crah, plant.condenser
    speed = applied.crah_fan_speed
    full = crah.fan_power / (1e3 * HALLS) * speed**crah.fan_exponent
    given = [_now(record, f"crah_fan_power_hall{h + 1}", full[h]) for h in range(HALLS)]
    given = jnp.stack(given) / jnp.maximum(full, 1e-3)
    lost = jnp.where(given < LOST, 1.0 - jnp.clip(given, 0.0, 1.0), 0.0)
    floor = pump_speed_floor(_commanded(record, applied), plant)
    wanted = jnp.maximum(applied.cw_pump_speed, floor)
    flow = _now(record, "cw_flow", wanted * condenser.design_flow)
    reached = flow / condenser.design_flow
    whole = condenser.friction_pressure + condenser.pump_drop
    square = whole / jnp.maximum(reached, 0.05) ** 2 - condenser.friction_pressure
    left = jnp.sqrt(condenser.pump_drop / jnp.maximum(square, condenser.pump_drop))
    pumps = jnp.where(reached < LOST * wanted, 1.0 - left, 0.0)
    return dataclasses.replace(no_faults(), crah_lost=lost, cw_pump_lost=pumps)


def _now(record: Record, name: str, otherwise: Scalar) -> Scalar:
    """Return a reading of this interval, else what stands in for it."""
    is_fresh = record.age[POINT_INDEX[name]] < FRESH
    return jnp.where(is_fresh, reading(record, name, otherwise), otherwise)


def _commanded(record: Record, applied: Action) -> Scalar:
    seen = jnp.sum(record.commanded)
    return jnp.where(jnp.isfinite(seen), seen, jnp.round(applied.chiller_demand))


def _hot_aisle(
    record: Record,
    applied: Action,
    work: jax.Array,
    inlets: jax.Array,
    supply: jax.Array,
    faults: PlantFaults,
    plant: PlantParams,
) -> jax.Array:
    """Return server and hot-aisle temperature, (halls, zones) [degC].

    Steady, T_h = T_in + P / (m c); then moved as a whole so that the air that
    returns, T_ret = (sum m c (1 - phi) T_h + the rest T_sup) / (M c), is as metered.
    """
    share = jnp.asarray(ZONE_SHARE, jnp.float32)[None, :]
    zones = work[:, None] * share
    heat_flow = server_flow(zones, inlets, plant.it) * AIR_HEAT
    hot = inlets + components.server_power(zones, inlets, plant.it) / heat_flow
    leak = jnp.asarray(ZONE_LEAK, jnp.float32)[None, :] * plant.it.recirculation
    drawn = heat_flow * (1.0 - leak)
    in_service = jnp.maximum(1.0 - faults.crah_lost, 0.05)
    speed = applied.crah_fan_speed
    air = plant.crah.air_flow / HALLS * in_service * speed * AIR_HEAT
    total = jnp.sum(drawn, axis=1)
    steady = (jnp.sum(drawn * hot, axis=1) + (air - total) * supply) / air
    metered = reading_halls(record, "return_air_temp", steady)
    shift = jnp.clip((metered - steady) * air / total, -RISE_MAX, RISE_MAX)
    return hot + shift[:, None]


def _state(
    record: Record,
    applied: Action,
    supply: jax.Array,
    hot: jax.Array,
    faults: PlantFaults,
    plant: PlantParams,
) -> PlantState:
    """Return the state; what follows from the rest is left for `settle_flows`."""
    chw = reading(record, "chw_supply_temp", applied.chw_supply_setpoint)
    returned = reading(record, "chw_return_temp", chw + 8.0)
    bulb = reading(record, "outdoor_wet_bulb", jnp.asarray(MILD, jnp.float32))
    valve = reading_halls(record, "crah_valve", jnp.full(HALLS, 0.8, jnp.float32))
    zero = jnp.zeros_like(chw)
    basin = reading(record, "cw_supply_temp", bulb + 5.0)
    condenser = plant.condenser
    pump = jnp.maximum(
        applied.cw_pump_speed, pump_speed_floor(_commanded(record, applied), plant)
    )
    most = components.cw_speed_limit(1.0 - faults.cw_pump_lost, condenser)
    pump = jnp.minimum(pump, most)
    cells = jnp.floor(pump * condenser.cells / condenser.cell_flow_min + 1e-3)
    leaving = reading(record, "cw_return_temp", basin + 5.0)
    return PlantState(
        server_temp=hot,
        hot_aisle_temp=hot,
        structure_temp=hot,
        supply_air_temp=supply,
        return_air_temp=reading_halls(record, "return_air_temp", hot[:, 0]),
        valve=valve,
        valve_command=valve,
        loop_error=supply - applied.supply_air_setpoint,
        crah_speed=applied.crah_fan_speed,
        chw_pump_ready=zero + 1.0,
        cw_speed=pump,
        tower_speed=applied.tower_fan_speed,
        tower_cells=jnp.clip(cells, 1.0, condenser.cells),
        latent_heat=zero,
        pressure_setpoint=applied.chw_pressure_setpoint * 1e3,
        supply_pipe_temp=jnp.broadcast_to(chw, (PIPE_CELLS,)),
        return_pipe_temp=jnp.broadcast_to(returned, (PIPE_CELLS,)),
        buffer_temp=returned,
        basin_temp=basin,
        bypass=_bypass(record, basin, leaving - chw, plant),
        air_capacity=zero + 3500.0,
        chiller_power=reading(record, "chiller_power", zero + 200.0) * 1e3,
        lift=leaving - chw,
        evaporator_flow=plant.chiller.evaporator_flow + zero,
        room_dew_point=_dew_point(record),
        sequencer=_sequencer(record, applied, plant),
    )


def _bypass(record: Record, basin: Scalar, lift: Scalar, plant: PlantParams) -> Scalar:
    """Return where the tower bypass stands: open by what basin or lift lacks [1]."""
    condenser = plant.condenser
    has_chiller = jnp.nan_to_num(jnp.sum(record.commanded)) > 0.5
    low = jnp.where(has_chiller, condenser.low_limit_cooling, condenser.low_limit_free)
    short_lift = jnp.where(has_chiller, condenser.lift_setpoint + 1.0 - lift, 0.0)
    return jnp.clip(jnp.maximum(low + 1.0 - basin, short_lift), 0.0, 1.0)


def _sequencer(record: Record, applied: Action, plant: PlantParams) -> SequencerState:
    """Return the sequencer by the record; machines known to cool, cool.

    Of the slots told to run, the youngest are those that still start.
    """
    chiller, timers = plant.chiller, plant.sequencer
    wanted = _commanded(record, applied)
    slots = jnp.arange(record.commanded.shape[0], dtype=wanted.dtype)
    guess = (slots < wanted).astype(wanted.dtype)
    on = jnp.where(jnp.isfinite(record.commanded), record.commanded, guess)
    age = record.machine_age
    running = jnp.round(reading(record, "chillers_running", wanted))
    older = jnp.where(on > 0.5, age - 1e-2 * slots, -1.0)
    rank = jnp.sum((older[None, :] > older[:, None]).astype(older.dtype), axis=1)
    cools = (on > 0.5) & (rank < running)
    ramp = jnp.clip((age - chiller.start_time) * chiller.ramp, 0.05, 1.0)
    stroke = jnp.clip(age / timers.valve_stroke, 0.0, 1.0)
    economizer = jnp.where(
        jnp.isfinite(record.economizer), record.economizer, applied.economizer_demand
    )
    travel = jnp.clip(record.economizer_age / timers.valve_stroke, 0.0, 1.0)
    return SequencerState(
        commanded=on,
        machine_age=age,
        ramp=jnp.where(cools, ramp, 0.0),
        valve=jnp.where(on > 0.5, stroke, 1.0 - stroke),
        economizer=economizer,
        economizer_position=jnp.where(economizer > 0.5, travel, 1.0 - travel),
        economizer_age=record.economizer_age,
        stage_age=record.stage_age,
        start_age=record.start_age,
        start_age_second=record.start_age_second,
        lockout=record.lockout,
        protective=jnp.zeros_like(on),
    )
