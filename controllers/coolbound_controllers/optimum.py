"""The least power at which the plant can rest, hour by hour, knowing all.

    minimise    facility power at rest (servers with their fans included)
    over        supply air, airflow ratio, chilled water, condenser pumps, tower
                fans, machines, economizer; pump pressure follows as the least one
    subject to  every limit of the 21 that a plant at rest can break

A bound, not a controller: no ramps, timers, starts, noise or forecast stand in its
way. Each mode of the machines is searched on its own by differential evolution;
many hours are solved side by side.
"""

import dataclasses
import functools
import itertools
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_controllers.evolution import minimise
from coolbound_controllers.steady_load import SetPoints
from coolbound_controllers.steady_state import SteadyState, steady_state
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limit_table import IDLE, LIMITS
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import CHANNELS, CHILLERS, HALLS
from coolbound_envs.state import Disturbance
from coolbound_envs.types import Action, Scalar

MODES: Final = tuple(
    (count, economizer)
    for count, economizer in itertools.product(range(CHILLERS + 1), (0, 1))
    if count or economizer
)
"""Machines running, and whether the economizer is open. [1]"""

CHUNK: Final = 32
"""Hours that are solved side by side. [1]"""

_POPULATION = 48
_GENERATIONS = 80
"""Twice as many of both find 0.05 % less mechanical power. [1]"""

_RATIO = (1.0, 1.3)
"""Airflow ratios that are tried. [1]"""

_OPEN = 1.0e-3
"""Share of the load that bisection may leave open. [1]"""

_SPARE = 3.0e-3
"""Share of the load that machines and exchanger could take beyond it. [1]"""

_LOCKOUT = 1.6
"""The sequencer opens the economizer only for a gain of 1.5 K. [K]"""

_PRICE = 1.0e7
"""Power that one scale of a broken limit is worth: no power buys it. [W]"""

MARGINS: Final = {
    "CA_T_MAX": 0.02,
    "CA_T_MIN": 0.02,
    "DEWPOINT_MARGIN": 0.0,
    "AIRFLOW_RATIO": 0.001,
    "CHW_DP_MIN": 0.5,
    "ECWT_MIN": 0.05,
    "ECWT_CWRT_MAX": 0.05,
    "LIFT_MIN": 0.05,
    "SURGE_LINE": 0.05,
    "CAPACITY_N1_POWER": 0.001,
}
"""Limits that a plant at rest can break, and how far inside them the optimum stays:
more than these equations and the plant differ. The BAS and the channels' ranges keep
flows, boxes and rates, and at rest nothing starts. [each limit's unit]"""

_SCALE = {limit.name: limit.scale for limit in LIMITS}


@dataclasses.dataclass(frozen=True)
class Freedom:
    """What the optimum may choose. Static.

    Attributes:
        supply_air_min: Coldest supply air. [degC]
        supply_air_max: Warmest supply air; the same for a fixed set-point. [degC]
        moves_cw_pumps: False holds them at a fixed speed per stage, as `g36` does.
    """

    supply_air_min: float
    supply_air_max: float
    moves_cw_pumps: bool = True


@struct.dataclass
class Optimum:
    """The best rest of each hour. Dynamic.

    Attributes:
        plan: Set-points.
        state: The plant at rest under them.
        violation: Largest excess over a limit, in its scale; 0 where all are kept. [1]
    """

    plan: SetPoints
    state: SteadyState
    violation: jax.Array


def steady_limits(
    state: SteadyState,
    plan: SetPoints,
    disturbance: Disturbance,
    limits: LimitValues,
    plant: PlantParams,
) -> dict[str, Scalar]:
    """Return h of the limits that a plant at rest can break, each in its own unit.

    0 or less keeps the limit, as in `coolbound_envs.limits`.
    """
    air, water, condenser = state.air, state.water, state.condenser
    room, is_running = plant.room, plan.chillers > 0.5
    dew_point = jnp.clip(disturbance.dew_point, room.dew_point_min, room.dew_point_max)
    coldest = jnp.where(is_running, limits.tower_water_min, limits.tower_water_min_free)
    hottest = jnp.maximum(
        condenser.entering_temp - limits.cw_entering_max,
        condenser.leaving_temp - limits.cw_leaving_max,
    )
    surge = limits.surge_base + limits.surge_slope * condenser.part_load
    left = (CHILLERS - 1) * plant.chiller.capacity
    capacity = (
        water.load / (limits.capacity_share * left) - 1.0,
        state.mechanical_power / limits.feeder_power - 1.0,
        jnp.where(is_running, limits.part_load_min - condenser.part_load, IDLE),
    )
    values = (
        jnp.max(air.inlet_temp, axis=(0, 1)) - limits.inlet_max,
        limits.inlet_min - jnp.min(air.inlet_temp, axis=(0, 1)),
        dew_point + limits.dew_point_margin - plan.chw_supply,
        limits.airflow_ratio - jnp.min(air.ratio, axis=0),
        water.shortfall / 1e3,
        coldest - condenser.basin_temp,
        hottest,
        jnp.where(is_running, limits.lift_min - condenser.lift, IDLE),
        jnp.where(is_running, condenser.lift - surge, IDLE),
        functools.reduce(jnp.maximum, capacity),
    )
    return dict(zip(MARGINS, values, strict=True))


def solve(
    disturbance: Disturbance,
    plant: PlantParams,
    limits: LimitValues,
    freedom: Freedom,
) -> Optimum:
    """Return the cheapest rest of every hour.

    Args:
        disturbance: Constant weather and load of each hour, one batch axis.
        plant: Constants of the plant.
        limits: The limits' numbers.
        freedom: What may be chosen.

    Returns:
        The optimum, one batch axis. Where no set-points keep every limit it breaks
        them least, and `violation` says by how much.
    """
    hours = disturbance.wet_bulb.shape[0]
    moves = jnp.asarray(freedom.moves_cw_pumps)
    parts = []
    for begin in range(0, hours, CHUNK):
        rows = np.minimum(np.arange(begin, begin + CHUNK), hours - 1)
        chunk = jax.tree.map(lambda x, rows=rows: x[..., rows], disturbance)
        found = _solve(chunk, plant, limits, _bounds(freedom), moves)
        kept = min(CHUNK, hours - begin)
        parts.append(jax.tree.map(lambda x, kept=kept: x[..., :kept], found))
    return jax.tree.map(lambda *x: jnp.concatenate(x, axis=-1), *parts)


@jax.jit
def _solve(
    disturbance: Disturbance,
    plant: PlantParams,
    limits: LimitValues,
    bounds: tuple[jax.Array, jax.Array],
    moves_pumps: jax.Array,
) -> Optimum:
    """Return the optimum of a chunk; batch axes are modes, members, hours."""
    acting = jax.tree.map(
        lambda x: x.reshape((*x.shape[:-1], 1, 1, x.shape[-1])), disturbance
    )

    def score(points: jax.Array) -> jax.Array:
        return _score(_set_points(points, moves_pumps), acting, plant, limits)[0]

    points = minimise(
        jax.random.key(0),
        score,
        bounds,
        (len(MODES), disturbance.wet_bulb.shape[0]),
        _POPULATION,
        _GENERATIONS,
    )
    plan = _set_points(points[:, :, None], moves_pumps)
    return _best_mode(plan, acting, plant, limits)


def _bounds(freedom: Freedom) -> tuple[jax.Array, jax.Array]:
    """Return the ends of supply air, airflow ratio, water, pumps and fans."""
    water, pump = CHANNELS[4], CHANNELS[6]
    lower = (freedom.supply_air_min, _RATIO[0], water.lower, pump.lower, 0.0)
    upper = (freedom.supply_air_max, _RATIO[1], water.upper, pump.upper, 1.0)
    return jnp.asarray(lower, jnp.float32), jnp.asarray(upper, jnp.float32)


def _set_points(points: jax.Array, moves_pumps: jax.Array) -> SetPoints:
    """Return the set-points of coordinates (5, modes, members, hours)."""
    air, ratio, water, pump, fan = points
    chillers, economizer = jnp.asarray(MODES, jnp.float32).T.reshape((2, -1, 1, 1))
    staged = jnp.where(chillers < 0.5, 1.0, jnp.clip(chillers / 2.0, 0.5, 1.0))
    # A fan is off or turns at its lowest speed at least.
    fan = jnp.where(fan < 0.1, 0.0, jnp.maximum(fan, 0.2))
    return SetPoints(
        supply_air=air,
        airflow_ratio=ratio,
        chw_supply=water,
        cw_pump_speed=jnp.where(moves_pumps, pump, staged),
        tower_fan_speed=fan,
        chillers=chillers + jnp.zeros_like(air),
        economizer=economizer + jnp.zeros_like(air),
        pressure=jnp.zeros_like(air),
    )


def _violation(state: SteadyState, plan: SetPoints, h: dict[str, Scalar]) -> Scalar:
    """Return by how much limits are broken, each in its scale, summed [1].

    What is no rest at all counts too: a load that nothing takes, a basin beyond
    the bracket, an economizer that its lockout would not let open.
    """
    excess = [
        jnp.maximum(h[name] + margin, 0.0) / _SCALE[name]
        for name, margin in MARGINS.items()
    ]
    condenser, water = state.condenser, state.water
    gain = plan.chw_supply + water.load / (water.flow * WATER_HEAT)
    locked = _LOCKOUT - (gain - condenser.basin_temp)
    excess += [
        100.0 * jnp.maximum(condenser.shortage + _SPARE, 0.0),
        100.0 * jnp.maximum(jnp.abs(condenser.imbalance) - _OPEN, 0.0),
        plan.economizer * jnp.maximum(locked, 0.0),
    ]
    return sum(excess[1:], excess[0])


def _score(
    plan: SetPoints, acting: Disturbance, plant: PlantParams, limits: LimitValues
) -> tuple[jax.Array, jax.Array, SteadyState]:
    """Return power with the price of what is broken [W], the violation, the state."""
    state = steady_state(plan, acting, plant, limits)
    h = steady_limits(state, plan, acting, limits, plant)
    violation = _violation(state, plan, h)
    return state.facility_power + _PRICE * violation, violation, state


def _best_mode(
    plan: SetPoints, acting: Disturbance, plant: PlantParams, limits: LimitValues
) -> Optimum:
    """Return the cheapest mode of every hour, one batch axis."""
    score, violation, state = _score(plan, acting, plant, limits)
    best = jnp.argmin(score, axis=0)[None]

    def choose(field: jax.Array) -> jax.Array:
        lead = field.shape[:-3]
        whole = jnp.broadcast_to(field, (*lead, *score.shape))
        rows = jnp.broadcast_to(best, (*lead, *best.shape))
        chosen = jnp.take_along_axis(whole, rows, axis=-3)
        return chosen.reshape((*lead, score.shape[-1]))

    found = Optimum(plan=plan, state=state, violation=violation)
    return jax.tree.map(choose, found)


def as_action(optimum: Optimum) -> Action:
    """Return the set-points as an action, batch axis first."""
    plan, state = optimum.plan, optimum.state
    air = plan.supply_air[:, None]
    return Action(
        supply_air_setpoint=jnp.concatenate([air] * HALLS, axis=1),
        crah_fan_speed=jnp.moveaxis(state.air.fan_speed, 0, -1),
        chw_supply_setpoint=plan.chw_supply,
        chw_pressure_setpoint=state.water.pressure / 1e3,
        cw_pump_speed=plan.cw_pump_speed,
        tower_fan_speed=plan.tower_fan_speed,
        chiller_demand=plan.chillers,
        economizer_demand=plan.economizer,
    )
