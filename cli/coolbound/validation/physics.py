"""The plant's physics held against numbers that it was not written from."""

import dataclasses
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from coolbound.validation.years import Account
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.faults import no_faults
from coolbound_envs.halls import (
    ZONE_SHARE,
    apply_supply_air,
    hall_response,
    zone_work,
)
from coolbound_envs.interval import run_interval, substep
from coolbound_envs.params import PlantParams
from coolbound_envs.psychrometrics import STANDARD_PRESSURE
from coolbound_envs.scenario import HALL_LOAD
from coolbound_envs.settling import initial_state
from coolbound_envs.spec import CHILLERS, HALLS
from coolbound_envs.state import PIPE_CELLS, Disturbance, PlantState
from coolbound_envs.towers import outdoor_air
from coolbound_envs.types import Action, action_from_vector

Array = NDArray[np.floating]

CLOSURE_BOUND = 1e-3
"""Heat unaccounted for over all heat given. [1]"""

ADIABATIC_RATE, ADIABATIC_SHARE = 2.3, 0.3
"""Warming of air and servers without cooling [K/min], and how far off it may be."""

TIME_CONSTANT = (4.0, 6.0)
"""Of servers after a step of supply air. [min]"""

TIME_CONSTANT_LOADS = (0.5, 0.75, 1.0)
"""IT work over design: the last two are judged, their air is near design. [1]"""

HOUR_S = 3600.0

_STEP = 30.0
_FINE = 5.0
_SETTLE = 60
# supply air x 2, fans x 2, chilled water, pressure, pump, tower, machines, economizer
_NORMAL = (22.0, 22.0, 1.0, 1.0, 12.0, 90.0, 1.0, 0.8, 2.0, 0.0)
_OUT_OF_REACH = (90.0, 90.0, *_NORMAL[2:])


@dataclasses.dataclass(frozen=True)
class Warming:
    """Halls at full load that lose their cooling. Static.

    Attributes:
        minutes: Since the coils shut, (steps,). [min]
        servers: Mean server temperature, (steps,). [degC]
        rates: Warming of every zone's servers over five minutes. [K/min]
        trip_minutes: Since all chillers tripped, (intervals,). [min]
        trip_inlet: Hottest inlet then, (intervals,). [degC]
    """

    minutes: Array
    servers: Array
    rates: Array
    trip_minutes: Array
    trip_inlet: Array


def stored_heat(state: PlantState, plant: PlantParams) -> float:
    """Return the heat in every store of one plant, in float64 [J].

    Kept by hand, apart from `coolbound_envs.energy` and the plant's own sums.

    Args:
        state: Of one plant, float64 leaves, no batch axis.
        plant: Its sizes.
    """
    it = plant.it
    design = float(it.design_power) / HALLS * np.asarray(ZONE_SHARE)
    stores = (
        (it.server_capacity, state.server_temp),
        (it.air_capacity, state.hot_aisle_temp),
        (it.structure_capacity, state.structure_temp),
    )
    solid = sum(float(c) * np.sum(design[None] * np.asarray(t)) for c, t in stores)
    pipes = np.sum(state.supply_pipe_temp) + np.sum(state.return_pipe_temp)
    water = (
        pipes * float(plant.chw.pipe_mass) / PIPE_CELLS
        + np.sum(state.buffer_temp) * float(plant.chw.buffer_mass)
        + np.sum(state.basin_temp) * float(plant.condenser.basin_mass)
    )
    return float(solid + water * WATER_HEAT)


def unaccounted(account: Account, plant: PlantParams) -> float:
    """Return heat given less heat rejected less heat stored, over heat given [1].

    All meters but the tower fans' give their power to air and water of the plant.
    """
    meters = sum(float(np.sum(p)) for n, p in account.power.items() if n != "tower")
    given = (meters + float(np.sum(account.latent))) * HOUR_S
    rejected = float(np.sum(account.rejected)) * HOUR_S
    stored = stored_heat(account.after, plant) - stored_heat(account.before, plant)
    return (given - rejected - stored) / given


def worst_closure(accounts: Iterable[Account], plant: PlantParams) -> float:
    """Return the largest share of heat unaccounted for, without sign [1]."""
    return max(abs(unaccounted(account, plant)) for account in accounts)


def still_air(plant: PlantParams, load: float, wet_bulb: float = 18.0) -> Disturbance:
    """Return constant weather and a share of the design load."""
    work = float(plant.it.design_power) * load

    def number(value: float) -> jax.Array:
        return jnp.asarray(value, jnp.float32)

    return Disturbance(
        it_work=jnp.asarray([share * work for share in HALL_LOAD], jnp.float32),
        dry_bulb=number(wet_bulb + 6.0),
        wet_bulb=number(wet_bulb),
        dew_point=number(4.0),
        pressure=number(STANDARD_PRESSURE),
        faults=no_faults(),
    )


def _action(vector: tuple[float, ...]) -> Action:
    return action_from_vector(jnp.asarray(vector, jnp.float32))


def _settled(plant: PlantParams, acting: Disturbance) -> PlantState:
    """Return the plant after five hours on normal set-points."""
    action = _action(_NORMAL)

    @jax.jit
    def settle(state: PlantState) -> PlantState:
        def body(state: PlantState, _: None) -> tuple[PlantState, None]:
            return run_interval(state, action, acting, plant)[0], None

        return jax.lax.scan(body, state, None, length=_SETTLE)[0]

    return settle(initial_state(acting, plant, ()))


def lose_cooling(plant: PlantParams, minutes: int = 15, hours: int = 1) -> Warming:
    """Return what full halls do when coils shut, and when all chillers trip."""
    acting = still_air(plant, 1.0)
    state = _settled(plant, acting)
    servers = _shut_coils(state, acting, plant, round(minutes * 60.0 / _STEP))
    per_minute = round(60.0 / _STEP)
    flat = servers.reshape(len(servers), -1)
    inlets = _trip_chillers(state, acting, plant, 12 * hours)
    return Warming(
        minutes=np.arange(len(servers)) / per_minute,
        servers=flat.mean(axis=1),
        rates=(flat[5 * per_minute] - flat[0]) / 5.0,
        trip_minutes=5.0 * np.arange(len(inlets)),
        trip_inlet=inlets,
    )


def _shut_coils(
    state: PlantState, acting: Disturbance, plant: PlantParams, steps: int
) -> Array:
    """Return server temperatures while the fans go on, (steps + 1, halls, zones)."""
    shut = jnp.zeros_like(state.valve)
    state = dataclasses.replace(state, valve=shut, valve_command=shut)
    action, outdoor = _action(_OUT_OF_REACH), outdoor_air(acting)
    elapsed = jnp.zeros((), jnp.float32)

    @jax.jit
    def run(state: PlantState) -> jax.Array:
        def body(state: PlantState, _: None) -> tuple[PlantState, jax.Array]:
            after = substep(state, action, acting, outdoor, elapsed, _STEP, plant)[0]
            return after, after.server_temp

        return jax.lax.scan(body, state, None, length=steps)[1]

    first = np.asarray(state.server_temp, np.float64)[None]
    return np.concatenate([first, np.asarray(run(state), np.float64)])


def _trip_chillers(
    state: PlantState, acting: Disturbance, plant: PlantParams, intervals: int
) -> Array:
    """Return the hottest inlet while fans and pumps go on, (intervals + 1,) [degC]."""
    tripped = jnp.ones((CHILLERS,), jnp.float32)
    faults = dataclasses.replace(acting.faults, chiller_tripped=tripped)
    broken, action = dataclasses.replace(acting, faults=faults), _action(_NORMAL)

    @jax.jit
    def run(state: PlantState) -> tuple[jax.Array, jax.Array]:
        first = run_interval(state, action, acting, plant)[1].inlet_temp_max

        def body(state: PlantState, _: None) -> tuple[PlantState, jax.Array]:
            after, summary = run_interval(state, action, broken, plant)
            return after, summary.inlet_temp_max

        return first, jax.lax.scan(body, state, None, length=intervals)[1]

    first, later = run(state)
    return np.append(float(first), np.asarray(later, np.float64))


def server_step(plant: PlantParams, load: float) -> tuple[Array, Array]:
    """Return minutes and the share done of a 2 K step of supply air.

    Servers and aisles alone, at steps of 5 s, CRAH fans at nine tenths.
    """
    acting = still_air(plant, load)
    work = zone_work(acting.it_work)
    air = jnp.full((HALLS,), 0.9, jnp.float32) * (plant.crah.air_flow / HALLS)
    start = initial_state(acting, plant, ())

    @jax.jit
    def run(state: PlantState) -> tuple[PlantState, jax.Array]:
        def body(state: PlantState, _: None) -> tuple[PlantState, jax.Array]:
            answer = hall_response(state, work, air, _FINE, plant.it)
            state = apply_supply_air(state, answer, state.supply_air_temp)[0]
            return state, jnp.mean(state.server_temp)

        return jax.lax.scan(body, state, None, length=4000)

    rest, path = run(start)
    colder = dataclasses.replace(rest, supply_air_temp=rest.supply_air_temp - 2.0)
    moved = np.asarray(run(colder)[1], np.float64)
    before = float(path[-1])
    share = (moved - before) / (moved[-1] - before)
    return (np.arange(len(share)) + 1.0) * _FINE / 60.0, share


def time_constant(minutes: Array, share: Array) -> float:
    """Return the time to 63.2 % of a step [min]."""
    return float(minutes[np.argmax(share >= 1.0 - np.exp(-1.0))])
