"""The two operators of the plant reference at rest: its simplified rules, hour by hour.

Section 6 of the plant reference compares an optimum with rules that are at rest in
every hour: no ramps, timers or reset loops. The same rules on this plant's equations
say how much of a difference is the plant's and how much the running operators'.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.steady_load import SetPoints
from coolbound_controllers.steady_state import SteadyState, steady_state
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.params import PlantParams
from coolbound_envs.state import Disturbance
from coolbound_envs.types import Scalar

_ROUNDS = 18
_STAGE_LOAD = 0.80
_COIL_FLOW = 0.95
_GAIN = 2.0
_RETURN_MAX = 35.0


@struct.dataclass
class RestRule:
    """One operator's set-points at rest, plant reference 3.1 and 3.2. Dynamic.

    Attributes:
        supply_air: Of both halls. [degC]
        airflow_ratio: CRAH air over server air. [1]
        chw_coldest: Coldest chilled water. [degC]
        chw_warmest: Warmest; that which leaves the coils 0.95 of their design flow
            is used. [degC]
        pressure: Remote pressure held at least. [Pa]
        resets: True where the condenser return is reset and free cooling is held at
            its set-point; else tower water is fixed and free cooling runs full.
        tower_water: The fixed tower water. [degC]
        lift_min: Least lift of the reset. [K]
        lift_slope: Its rise over the plant's part load. [K]
        lift_offset: Its value at no load. [K]
        lift_max: Most lift of the reset. [K]
        integrates: True where the economizer helps running machines.
    """

    supply_air: Scalar
    airflow_ratio: Scalar
    chw_coldest: Scalar
    chw_warmest: Scalar
    pressure: Scalar
    resets: Scalar
    tower_water: Scalar
    lift_min: Scalar
    lift_slope: Scalar
    lift_offset: Scalar
    lift_max: Scalar
    integrates: Scalar


def legacy_rule() -> RestRule:
    """Return the rule of `legacy`; its pressure is that of the running operator."""
    return _rule(22.0, 1.25, (10.0, 10.0), 96.0e3, resets=False, integrates=False)


def g36_rule(supply_air: float, integrates: bool) -> RestRule:
    """Return the rule of `g36` at a room set-point, with the guideline's constants."""
    return _rule(supply_air, 1.1, (8.0, 15.6), 0.0, resets=True, integrates=integrates)


def _rule(
    supply_air: float,
    airflow_ratio: float,
    water: tuple[float, float],
    pressure: float,
    resets: bool,
    integrates: bool,
) -> RestRule:
    numbers = {
        "supply_air": supply_air,
        "airflow_ratio": airflow_ratio,
        "chw_coldest": water[0],
        "chw_warmest": water[1],
        "pressure": pressure,
        "tower_water": 24.0,
        "lift_min": 10.0,
        "lift_slope": 18.7,
        "lift_offset": 8.3,
        "lift_max": 27.0,
    }
    return RestRule(
        **{name: jnp.asarray(value, jnp.float32) for name, value in numbers.items()},
        resets=jnp.asarray(resets),
        integrates=jnp.asarray(integrates),
    )


def as_published(plant: PlantParams) -> PlantParams:
    """Return the plant with the simplifications of the reference's section 6.

    IT power rises by 0.4 % per kelvin from any inlet, and no control holds the lift
    or the tower water above the limits.
    """

    def number(value: float) -> Scalar:
        return jnp.asarray(value, jnp.float32)

    return dataclasses.replace(
        plant,
        it=dataclasses.replace(plant.it, leakage=number(0.004), fan_slope=number(0.0)),
        condenser=dataclasses.replace(
            plant.condenser, lift_setpoint=number(-50.0), low_limit_cooling=number(11.8)
        ),
    )


def _plan(disturbance: Disturbance, **fields: Any) -> SetPoints:
    zero = jnp.zeros_like(disturbance.wet_bulb)
    return SetPoints(**{name: zero + value for name, value in fields.items()})


def _bisect(is_low: Callable[[Scalar], Scalar], low: Scalar, high: Scalar) -> Scalar:
    """Return the last value that is low, to within the ends."""

    def halve(_: int, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        middle = 0.5 * (ends[0] + ends[1])
        keep = is_low(middle)
        return jnp.where(keep, middle, ends[0]), jnp.where(keep, ends[1], middle)

    low, high = jax.lax.fori_loop(0, _ROUNDS, halve, (low, high))
    return 0.5 * (low + high)


@jax.jit
def at_rest(
    rule: RestRule, disturbance: Disturbance, plant: PlantParams, limits: LimitValues
) -> tuple[SetPoints, SteadyState]:
    """Return set-points and rest of every hour under a rule, one batch axis.

    Free cooling where the economizer carries the whole load at full fan, else
    machines by a part load of 0.80, with the economizer open where the rule says so
    and the return is 2 K warmer than the tower water.
    """

    def rest(plan: SetPoints) -> SteadyState:
        return steady_state(plan, disturbance, plant, limits)

    base = _base(rule, disturbance, plant, rest)
    mechanical = _cool(rule, base, plant, rest)
    combined = _combine(base, plant, rest)
    state = rest(combined)
    water = combined.chw_supply + state.water.load / (state.water.flow * WATER_HEAT)
    helps = (water - state.condenser.basin_temp > _GAIN) & rule.integrates
    free, carries = _free(rule, base, rest)
    plan = _where(carries, free, _where(helps, combined, mechanical))
    return plan, rest(plan)


def _where(condition: Scalar, first: SetPoints, second: SetPoints) -> SetPoints:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), first, second)


def _base(
    rule: RestRule,
    disturbance: Disturbance,
    plant: PlantParams,
    rest: Callable[[SetPoints], SteadyState],
) -> SetPoints:
    """Return set-points with chilled water and machines decided."""
    plan = _plan(
        disturbance,
        supply_air=rule.supply_air,
        airflow_ratio=rule.airflow_ratio,
        chw_supply=rule.chw_coldest,
        cw_pump_speed=1.0,
        tower_fan_speed=1.0,
        chillers=2.0,
        economizer=0.0,
        pressure=rule.pressure,
    )
    most = _COIL_FLOW * plant.chw.design_flow

    def has_flow(water: Scalar) -> Scalar:
        return rest(dataclasses.replace(plan, chw_supply=water)).water.flow <= most

    ends = plan.chw_supply, jnp.zeros_like(plan.chw_supply) + rule.chw_warmest
    plan = dataclasses.replace(plan, chw_supply=_bisect(has_flow, *ends))
    return _staged(plan, rest(plan).water.load, plant)


def _staged(plan: SetPoints, load: Scalar, plant: PlantParams) -> SetPoints:
    """Return set-points with machines for a load, pumps at their stage's speed."""
    count = jnp.ceil(load / (_STAGE_LOAD * plant.chiller.capacity) - 1e-3)
    count = jnp.clip(count, 1.0, 3.0)
    return dataclasses.replace(
        plan, chillers=count, cw_pump_speed=jnp.clip(count / 2.0, 0.5, 1.0)
    )


def _fans(plan: SetPoints) -> tuple[Scalar, Scalar]:
    return jnp.full_like(plan.chillers, 0.2), jnp.ones_like(plan.chillers)


def _cool(
    rule: RestRule,
    plan: SetPoints,
    plant: PlantParams,
    rest: Callable[[SetPoints], SteadyState],
) -> SetPoints:
    """Return set-points with the tower fans at the rule's condenser water."""
    share = rest(plan).water.load / (3.0 * plant.chiller.capacity)
    wanted = rule.lift_slope * share + rule.lift_offset
    lift = jnp.clip(wanted, rule.lift_min, rule.lift_max)
    setpoint = jnp.minimum(plan.chw_supply + lift, _RETURN_MAX)

    def is_warm(fan: Scalar) -> Scalar:
        condenser = rest(dataclasses.replace(plan, tower_fan_speed=fan)).condenser
        is_fixed = condenser.basin_temp > rule.tower_water
        return jnp.where(rule.resets, condenser.leaving_temp > setpoint, is_fixed)

    return dataclasses.replace(plan, tower_fan_speed=_bisect(is_warm, *_fans(plan)))


def _free(
    rule: RestRule, plan: SetPoints, rest: Callable[[SetPoints], SteadyState]
) -> tuple[SetPoints, Scalar]:
    """Return set-points of free cooling, and where it carries the whole load."""
    one = jnp.ones_like(plan.chillers)
    free = dataclasses.replace(
        plan, chillers=0.0 * one, economizer=one, cw_pump_speed=one
    )

    def is_short(fan: Scalar) -> Scalar:
        moved = dataclasses.replace(free, tower_fan_speed=fan)
        return rest(moved).condenser.shortage > 0.0

    fan = jnp.where(rule.resets, _bisect(is_short, *_fans(plan)), one)
    return dataclasses.replace(free, tower_fan_speed=fan), ~is_short(one)


def _combine(
    plan: SetPoints, plant: PlantParams, rest: Callable[[SetPoints], SteadyState]
) -> SetPoints:
    """Return set-points with the economizer open, fans full, fewer machines."""
    plan = dataclasses.replace(
        plan,
        economizer=jnp.ones_like(plan.economizer),
        tower_fan_speed=jnp.ones_like(plan.tower_fan_speed),
    )
    for _ in range(3):
        state = rest(plan)
        plan = _staged(plan, state.water.load - state.condenser.free_heat, plant)
    return plan
