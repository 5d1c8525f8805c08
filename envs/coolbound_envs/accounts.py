"""What one control interval costs, in power, water, reward and limits."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from coolbound_envs.interval import CONTROL_INTERVAL, Summary
from coolbound_envs.limit_table import GROUPS
from coolbound_envs.limits import group_costs
from coolbound_envs.params import CondenserParams
from coolbound_envs.state import Disturbance
from coolbound_envs.towers import water_use
from coolbound_envs.types import Observation, Quality, Scalar

REWARD_POWER = 1.0e5
"""One unit of reward is this much power above the IT work. [W]"""

TRIP_TEMP = 40.0
"""Servers switch themselves off at this inlet. [degC]"""

TRIP_PRICE = 2.0e4
"""Reward lost with a trip: about twice what ending the longest reference task at its
first step can gain. [1]"""

HEAT_PRICE = 0.25
"""Power that takes a watt of heat out of the plant again, at the worst: chillers,
pumps and towers on a hot day. [1]"""

DIVERGED_COST = 1.0
"""Cost of every group of limits where the integration diverged: that of one limit
broken by its own scale. [1]"""


def power_by_consumer(summary: Summary) -> dict[str, jax.Array]:
    """Return the interval's mean power of each consumer [W]."""
    mean = summary.mean
    return {
        "it": jnp.sum(mean.it_power, axis=0),
        "crah": jnp.sum(mean.crah_power, axis=0),
        "chiller": mean.chiller_power,
        "chw_pump": mean.chw_pump_power,
        "cw_pump": mean.cw_pump_power,
        "tower": mean.tower_power,
    }


def power_above_work(summary: Summary, disturbance: Disturbance) -> Scalar:
    """Return facility power above the IT work [W].

    The work is the servers' power at 20 degC inlet: what leakage and server
    fans add in warm air counts against the policy, as it does on the bill.
    """
    work = jnp.sum(disturbance.it_work, axis=0)
    return summary.mean.facility_power - work


def reward_of(
    summary: Summary,
    disturbance: Disturbance,
    tripped: jax.Array,
    diverged: jax.Array,
) -> Scalar:
    """Return the reward of an interval; finite, whatever was computed [1].

    Args:
        summary: What the interval amounted to.
        disturbance: What acted.
        tripped: True where servers switched themselves off.
        diverged: True where the integration diverged: priced as a trip is.
    """
    power = power_above_work(summary, disturbance) / REWARD_POWER
    price = TRIP_PRICE * (tripped | diverged).astype(jnp.float32)
    return -jnp.where(diverged, 0.0, power) - price


def heat_charge(stored: Scalar, stored_first: Scalar, is_last: jax.Array) -> Scalar:
    """Return the reward lost at the horizon for heat left behind [1].

    Whoever stops cooling shortly before the end leaves work to nobody; the heat
    that the plant holds beyond what it held at first is charged as if taken out in
    one interval. A colder plant earns nothing: no credit can be gamed.

    Args:
        stored: Heat in the plant now. [J]
        stored_first: When the episode began. [J]
        is_last: True where time is up.
    """
    left = jnp.maximum(stored - stored_first, 0.0)
    charge = HEAT_PRICE * left / (CONTROL_INTERVAL * REWARD_POWER)
    return jnp.where(is_last, charge, 0.0)


def _where_sound(diverged: jax.Array, tree: Any) -> Any:
    """Return arrays (..., batch) with NaN where the integration diverged."""

    def blank(values: jax.Array) -> jax.Array:
        lanes = diverged.reshape((1,) * (values.ndim - diverged.ndim) + diverged.shape)
        return jnp.where(lanes, jnp.nan, values)

    return jax.tree.map(blank, tree)


def without_readings(diverged: jax.Array, observation: Observation) -> Observation:
    """Return an observation without readings where the integration diverged."""
    lanes = diverged[..., None]
    return dataclasses.replace(
        observation,
        value=jnp.where(lanes, jnp.nan, observation.value),
        quality=jnp.where(lanes, int(Quality.MISSING), observation.quality),
    )


def accounts(
    diverged: jax.Array,
    summary: Summary,
    values: jax.Array,
    disturbance: Disturbance,
    condenser: CondenserParams,
) -> dict[str, Any]:
    """Return the records of `info`, free of what a diverged lane computed.

    Args:
        diverged: True where the integration diverged.
        summary: What the interval amounted to.
        values: h of all limits, shape (21, ...).
        disturbance: What acted.
        condenser: Its drift and cycles of concentration.
    """
    summary, values = _where_sound(diverged, (summary, values))
    mean = summary.mean
    costs = jnp.full((len(GROUPS), *diverged.shape), DIVERGED_COST, jnp.float32)
    costs = jnp.where(diverged[None], costs, group_costs(values))
    return {
        "costs": jnp.moveaxis(costs, 0, -1),
        "limits": jnp.moveaxis(values, 0, -1),
        "power": power_by_consumer(summary),
        "work": jnp.sum(disturbance.it_work, axis=0),
        "water": water_use(mean.evaporation, mean.cw_flow, condenser),
        "summary": summary,
        "disturbance": disturbance,
    }
