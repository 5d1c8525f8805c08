"""The limits on a plant at rest, and how far a rest is from keeping them."""

import functools
from typing import Final

import jax.numpy as jnp

from coolbound_controllers.steady_load import SetPoints
from coolbound_controllers.steady_state import SteadyState
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limit_table import IDLE, LIMITS
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import CHILLERS
from coolbound_envs.state import Disturbance
from coolbound_envs.types import Scalar

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

_OPEN = 1.0e-3
"""Share of the load that bisection may leave open. [1]"""

_SPARE = 1.0e-2
"""Share of the load that machines and exchanger could take beyond it: with less, a
plant needs days to come to rest. [1]"""

_LOCKOUT = 1.6
"""The sequencer opens the economizer only for a gain of 1.5 K. [K]"""


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


def violation(state: SteadyState, plan: SetPoints, h: dict[str, Scalar]) -> Scalar:
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
