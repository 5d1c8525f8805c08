"""What a plan of set-points costs on the nominal plant, and how it is improved.

    minimise    sum_j facility power + price * excess over the guarded limits
                + value of the heat that is left in the plant
    over        eight set-points in each of H intervals, machines as they are asked
    subject to  ranges and ramps, exactly

The plant is the simulated one itself (`interval.run_interval`), differentiated by
`jax.grad`; weather and load stay as they are. Adam steps, each followed by a pass that
brings every set-point back into its range and within its ramp of the one before.
"""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_envs.energy import stored_heat
from coolbound_envs.interval import CONTROL_INTERVAL, run_interval
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS
from coolbound_envs.limits import Moment, limit_values
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import CHANNELS, channel_array
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Action, action_from_vector

PLANNED: Final = sum(not channel.is_request for channel in CHANNELS)
"""Channels that are planned: all that are no requests. [1]"""

SCALE: Final = 1.0e5
"""A plan's cost is in units of this power over one interval. [W]"""

GUARDS: Final = {
    "CA_T_MAX": 0.8,
    "CA_T_MIN": 0.5,
    "CA_ROC": 1.0,
    "DEWPOINT_MARGIN": 0.3,
    "AIRFLOW_RATIO": 0.12,
    "CHW_FLOW_ROC": 0.1,
    "CHW_DP_MIN": 12.0,
    "ECWT_MIN": 0.6,
    "ECWT_CWRT_MAX": 0.8,
    "LIFT_MIN": 0.6,
    "SURGE_LINE": 1.5,
    "CAPACITY_N1_POWER": 0.03,
}
"""How far inside a limit the price begins: what load and weather may do before the
next decision, and what the reconstruction may be wrong by. [each limit's unit]"""

_LOWER: Final = channel_array("lower")[:PLANNED]
_SPAN: Final = channel_array("upper")[:PLANNED] - _LOWER
_LEAST: Final = np.where(
    [c.name == "tower_fan_speed" for c in CHANNELS[:PLANNED]], 0.2, 0.0
)
_RAMP: Final = channel_array("ramp")[:PLANNED] / _SPAN
_DECAY: Final = (0.9, 0.99)


@dataclasses.dataclass(frozen=True)
class PlanSettings:
    """How plans are made. Static.

    Attributes:
        horizon: H, intervals ahead. [1]
        rounds: Adam steps of every decision. [1]
        rate: Length of the first of them, share of each range; falls to a third. [1]
        price: Power that one scale of an excess is worth, in units of `SCALE`. [1]
        heat_value: Power that takes a watt of heat out of the plant with chillers. [1]
        heat_value_free: The same in free cooling. [1]
    """

    horizon: int = 5
    rounds: int = 8
    rate: float = 0.02
    price: float = 3.0
    heat_value: float = 0.12
    heat_value_free: float = 0.03


@struct.dataclass
class Outlook:
    """Where a plan starts. Dynamic.

    Attributes:
        state: Nominal plant.
        acting: Weather and load, held.
        inlets: Of the last quarter of an hour, (halls, zones, ...). [degC]
        requests: Machines and economizer asked for, (..., 2). [mixed units]
        in_force: Set-points now, shares of their range, (..., m). [1]
    """

    state: PlantState
    acting: Disturbance
    inlets: jax.Array
    requests: jax.Array
    in_force: jax.Array


def to_shares(vector: jax.Array) -> jax.Array:
    """Return planned channels of an action (..., 10) as shares, (..., m) [1]."""
    lower, span = (_row(x, vector) for x in (_LOWER, _SPAN))
    return (vector[..., :PLANNED] - lower) / span


def to_vector(shares: jax.Array, requests: jax.Array) -> jax.Array:
    """Return the action (..., 10) of planned shares and requests, physical units."""
    lower, span = (_row(x, shares) for x in (_LOWER, _SPAN))
    return jnp.concatenate([lower + shares * span, requests], axis=-1)


def feasible(plan: jax.Array, in_force: jax.Array) -> jax.Array:
    """Return the plan (H, ..., m) brought within ranges and ramps, step by step."""
    ramp, least = _row(_RAMP, in_force), _row(_LEAST, in_force)

    def keep(last: jax.Array, wanted: jax.Array) -> tuple[jax.Array, jax.Array]:
        inside = jnp.clip(wanted, least, 1.0)
        kept = jnp.clip(inside, last - ramp, last + ramp)
        return kept, kept

    return jax.lax.scan(keep, in_force, plan)[1]


def plan_cost(
    plan: jax.Array,
    outlook: Outlook,
    plant: PlantParams,
    limits: LimitValues,
    settings: PlanSettings,
) -> jax.Array:
    """Return what a plan (H, ..., m) costs on the nominal plant, (...) [1]."""
    scale, guard = _scale_and_guard(outlook.in_force)

    def step(carry: tuple[PlantState, Action, jax.Array], shares: jax.Array):
        state, previous, history = carry
        action = action_from_vector(to_vector(shares, outlook.requests))
        after, summary = run_interval(state, action, outlook.acting, plant)
        moment = Moment(
            summary=summary,
            before=state,
            after=after,
            inlet_before=history[-1],
            inlet_last=history[0],
            action=action,
            previous=previous,
        )
        h = jnp.moveaxis(limit_values(moment, limits, plant), 0, -1)
        excess = jnp.sum(jnp.maximum(h + guard, 0.0) / scale, axis=-1)
        power = summary.mean.facility_power / SCALE
        moved = jnp.concatenate([summary.mean.inlet_temp[None], history[:-1]])
        return (after, action, moved), power + settings.price * excess

    first = action_from_vector(to_vector(outlook.in_force, outlook.requests))
    carry = (outlook.state, first, jnp.stack([outlook.inlets] * 3))
    (last, _, _), costs = jax.lax.scan(step, carry, plan)
    left = stored_heat(last, plant) - stored_heat(outlook.state, plant)
    is_free = outlook.state.sequencer.commanded_count < 0.5
    value = jnp.where(is_free, settings.heat_value_free, settings.heat_value)
    return jnp.sum(costs, axis=0) + value * left / (CONTROL_INTERVAL * SCALE)


def improve(
    plan: jax.Array,
    outlook: Outlook,
    plant: PlantParams,
    limits: LimitValues,
    settings: PlanSettings,
) -> tuple[jax.Array, jax.Array]:
    """Return the best plan of some Adam steps from a first one, and what it costs.

    Args:
        plan: To begin with, (H, ..., m). [1]
        outlook: Where it starts.
        plant: Nominal constants.
        limits: The limits' numbers.
        settings: How plans are made.
    """

    def total(plan: jax.Array) -> tuple[jax.Array, jax.Array]:
        cost = plan_cost(plan, outlook, plant, limits, settings)
        return jnp.sum(cost), cost

    slope = jax.value_and_grad(total, has_aux=True)
    first, second = _DECAY

    def step(carry: tuple[jax.Array, ...], count: jax.Array):
        plan, mean, square, best, least = carry
        (_, cost), gradient = slope(plan)
        best, least = _better(plan, cost, best, least)
        mean = first * mean + (1.0 - first) * gradient
        square = second * square + (1.0 - second) * gradient**2
        whole = (1.0 - first**count, 1.0 - second**count)
        move = (mean / whole[0]) / (jnp.sqrt(square / whole[1]) + 1e-8)
        rate = settings.rate * 3.0 ** (-(count - 1.0) / settings.rounds)
        moved = feasible(plan - rate * move, outlook.in_force)
        return (moved, mean, square, best, least), None

    plan = feasible(plan, outlook.in_force)
    zero = jnp.zeros_like(plan)
    worst = jnp.full(outlook.in_force.shape[:-1], jnp.inf)
    # Once more than there are steps: a plan is judged where it is differentiated.
    counts = jnp.arange(1, settings.rounds + 2, dtype=plan.dtype)
    carry, _ = jax.lax.scan(step, (plan, zero, zero, plan, worst), counts)
    return carry[3], carry[4]


def _better(
    plan: jax.Array, cost: jax.Array, best: jax.Array, least: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return, lane by lane, the cheaper of two plans and what it costs."""
    is_better = cost < least
    chosen = jnp.where(is_better[None, ..., None], plan, best)
    return chosen, jnp.where(is_better, cost, least)


def _scale_and_guard(like: jax.Array) -> tuple[jax.Array, jax.Array]:
    scale = np.asarray([limit.scale for limit in LIMITS])
    guard = np.asarray([GUARDS.get(name, 0.0) for name in LIMIT_NAMES])
    return _row(scale, like), _row(guard, like)


def _row(numbers: np.ndarray, like: jax.Array) -> jax.Array:
    return jnp.asarray(numbers, like.dtype).reshape((1,) * (like.ndim - 1) + (-1,))
