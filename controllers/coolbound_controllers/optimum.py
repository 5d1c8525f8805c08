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
import itertools
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_controllers.evolution import minimise
from coolbound_controllers.steady_limits import steady_limits, violation
from coolbound_controllers.steady_load import SetPoints
from coolbound_controllers.steady_state import SteadyState, steady_state
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import CHANNELS, CHILLERS, HALLS
from coolbound_envs.state import Disturbance
from coolbound_envs.types import Action

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
"""Twice as many of both find up to 0.05 % less mechanical energy over a year of Chicago
or Phoenix, and 7 % less in the worst hour. [1]"""

_RATIO = (1.0, 1.3)
"""Airflow ratios that are tried. [1]"""

_PRICE = 1.0e7
"""Power that one scale of a broken limit is worth: no power buys it. [W]"""


@dataclasses.dataclass(frozen=True)
class Freedom:
    """What the optimum may choose. Static.

    Attributes:
        supply_air_min: Coldest supply air. [degC]
        supply_air_max: Warmest supply air; the same for a fixed set-point. [degC]
        moves_cw_pumps: False holds them at a fixed speed per stage, as `g36` does.
        combines: False keeps the economizer shut while a machine runs.
    """

    supply_air_min: float
    supply_air_max: float
    moves_cw_pumps: bool = True
    combines: bool = True


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


@struct.dataclass
class _Choice:
    """`Freedom` as arrays, so that one program serves every freedom. Dynamic.

    Attributes:
        lower: Of supply air, airflow ratio, water, pumps and fans, (5,). [mixed units]
        upper: The other end, (5,). [mixed units]
        moves_pumps: True where condenser pumps may be moved.
        combines: True where economizer and machines may run together.
    """

    lower: jax.Array
    upper: jax.Array
    moves_pumps: jax.Array
    combines: jax.Array


def _choice(freedom: Freedom) -> _Choice:
    water, pump = CHANNELS[4], CHANNELS[6]
    lower = (freedom.supply_air_min, _RATIO[0], water.lower, pump.lower, 0.0)
    upper = (freedom.supply_air_max, _RATIO[1], water.upper, pump.upper, 1.0)
    return _Choice(
        lower=jnp.asarray(lower, jnp.float32),
        upper=jnp.asarray(upper, jnp.float32),
        moves_pumps=jnp.asarray(freedom.moves_cw_pumps),
        combines=jnp.asarray(freedom.combines),
    )


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
    choice = _choice(freedom)
    parts = []
    for begin in range(0, hours, CHUNK):
        rows = np.minimum(np.arange(begin, begin + CHUNK), hours - 1)
        chunk = jax.tree.map(lambda x, rows=rows: x[..., rows], disturbance)
        found = _solve(chunk, plant, limits, choice)
        kept = min(CHUNK, hours - begin)
        parts.append(jax.tree.map(lambda x, kept=kept: x[..., :kept], found))
    return jax.tree.map(lambda *x: jnp.concatenate(x, axis=-1), *parts)


@jax.jit
def _solve(
    disturbance: Disturbance,
    plant: PlantParams,
    limits: LimitValues,
    choice: _Choice,
) -> Optimum:
    """Return the optimum of a chunk; batch axes are modes, members, hours."""
    acting = jax.tree.map(
        lambda x: x.reshape((*x.shape[:-1], 1, 1, x.shape[-1])), disturbance
    )

    def score(points: jax.Array) -> jax.Array:
        return _score(_set_points(points, choice), acting, plant, limits)[0]

    points = minimise(
        jax.random.key(0),
        score,
        (choice.lower, choice.upper),
        (len(MODES), disturbance.wet_bulb.shape[0]),
        _POPULATION,
        _GENERATIONS,
    )
    plan = _set_points(points[:, :, None], choice)
    return _best_mode(plan, acting, plant, limits)


def _set_points(points: jax.Array, choice: _Choice) -> SetPoints:
    """Return the set-points of coordinates (5, modes, members, hours)."""
    air, ratio, water, pump, fan = points
    chillers, economizer = jnp.asarray(MODES, jnp.float32).T.reshape((2, -1, 1, 1))
    alone = jnp.where(chillers > 0.5, 0.0, economizer)
    economizer = jnp.where(choice.combines, economizer, alone)
    staged = jnp.where(chillers < 0.5, 1.0, jnp.clip(chillers / 2.0, 0.5, 1.0))
    # A fan is off or turns at its lowest speed at least.
    fan = jnp.where(fan < 0.1, 0.0, jnp.maximum(fan, 0.2))
    return SetPoints(
        supply_air=air,
        airflow_ratio=ratio,
        chw_supply=water,
        cw_pump_speed=jnp.where(choice.moves_pumps, pump, staged),
        tower_fan_speed=fan,
        chillers=chillers + jnp.zeros_like(air),
        economizer=economizer + jnp.zeros_like(air),
        pressure=jnp.zeros_like(air),
    )


def _score(
    plan: SetPoints, acting: Disturbance, plant: PlantParams, limits: LimitValues
) -> tuple[jax.Array, jax.Array, SteadyState]:
    """Return power with the price of what is broken [W], the violation, the state."""
    state = steady_state(plan, acting, plant, limits)
    h = steady_limits(state, plan, acting, limits, plant)
    broken = violation(state, plan, h)
    return state.facility_power + _PRICE * broken, broken, state


def _best_mode(
    plan: SetPoints, acting: Disturbance, plant: PlantParams, limits: LimitValues
) -> Optimum:
    """Return the cheapest mode of every hour, one batch axis."""
    score, broken, state = _score(plan, acting, plant, limits)
    best = jnp.argmin(score, axis=0)[None]

    def choose(field: jax.Array) -> jax.Array:
        lead = field.shape[:-3]
        whole = jnp.broadcast_to(field, (*lead, *score.shape))
        rows = jnp.broadcast_to(best, (*lead, *best.shape))
        chosen = jnp.take_along_axis(whole, rows, axis=-3)
        return chosen.reshape((*lead, score.shape[-1]))

    found = Optimum(plan=plan, state=state, violation=broken)
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
