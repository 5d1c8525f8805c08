"""What the nominal model gets wrong at the point where the plant runs.

Factors and offsets, each a slow average of what the instruments show over what the
model says for the action in force. They carry unknown sizes (fouled coils, lost fan
units, weak towers) into the rows, and cancel a wrong wet bulb or meter there.
"""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.spec import HALLS
from coolbound_envs.types import Observation, Scalar, action_from_vector
from coolbound_safety.estimate import Estimate
from coolbound_safety.margins import SafetyModel
from coolbound_safety.model import (
    coil_capability,
    mechanical_power,
    tower_predictions,
)
from coolbound_safety.readings import middle, usable, usable_halls

GAIN: Final = 0.15
"""Share of a new finding that enters the average in one interval. [1]"""

URGENT_GAIN: Final = 0.5
"""The same where coils have lost their set-point. [1]"""

COIL_RANGE: Final = (0.2, 1.2)
AIR_RANGE: Final = (0.35, 1.0)
RISE_RANGE: Final = (0.6, 1.6)
POWER_RANGE: Final = (-300.0, 300.0)
LIFT_BAND: Final = 1.5
"""With less lift than this above its set-point the bypass may be open. [K]"""

OFFSET_MAX: Final = 4.0
"""Tower water is never off by more. [K]"""

AIR_SOUND: Final = 0.88
"""Measured over nominal air from here up counts as sound: transients of the hall's
heat capacity look like lost air. [1]"""

LOST_SETPOINT: Final = 0.5
"""Supply air this far above its set-point is no longer held by its valve. [K]"""


@struct.dataclass
class Learned:
    """What the model gets wrong, one lane. Dynamic.

    Attributes:
        coil_factor: Heat that the coils move over the model's, (halls,). [1]
        air_factor: CRAH air over the model's, (halls,). [1]
        basin_offset: Tower water above the model's. [K]
        rise_factor: Condenser rise over the model's. [1]
        power_offset: Mechanical power above the model's. [kW]
    """

    coil_factor: jax.Array
    air_factor: jax.Array
    basin_offset: jax.Array
    rise_factor: jax.Array
    power_offset: jax.Array


def learned_nothing() -> Learned:
    """Return a model that is right."""
    return Learned(
        coil_factor=jnp.ones((HALLS,), jnp.float32),
        air_factor=jnp.ones((HALLS,), jnp.float32),
        basin_offset=jnp.zeros((), jnp.float32),
        rise_factor=jnp.ones((), jnp.float32),
        power_offset=jnp.zeros((), jnp.float32),
    )


def learn(
    last: Learned,
    now: Estimate,
    observation: Observation,
    model: SafetyModel,
) -> Learned:
    """Return what one more observation teaches, one lane.

    Args:
        last: Learned so far; `now` carries it too.
        now: The estimate.
        observation: What the instruments say.
        model: Plant, limits and margins.
    """
    basin, rise = _tower(last, now, observation, model)
    return Learned(
        coil_factor=_coil(last, now, observation, model),
        air_factor=_air(last, now, observation, model),
        basin_offset=basin,
        rise_factor=rise,
        power_offset=_power(last, now, observation, model),
    )


def _averaged(
    last: jax.Array,
    found: jax.Array,
    gain: jax.Array | float,
    within: tuple[float, float],
) -> jax.Array:
    """Return the average, unchanged where nothing was found."""
    moved = last + gain * (jnp.clip(found, *within) - last)
    return jnp.where(jnp.isfinite(moved), moved, last)


def _coil(
    last: Learned,
    now: Estimate,
    observation: Observation,
    model: SafetyModel,
) -> jax.Array:
    """Return heat that coils must move over what the model moves there [1].

    While the loop holds its set-point the valve tells how hard the coil works;
    where it does not, the coil gives all it has, whatever its valve says.
    """
    act = action_from_vector(observation.applied)
    is_lost = now.supply_excess > LOST_SETPOINT
    valve = jnp.where(is_lost, 1.0, usable_halls(observation, "crah_valve"))
    needed, moved = coil_capability(
        now.supply_air,
        act.crah_fan_speed,
        now.chw_supply,
        act.chw_pressure_setpoint,
        now.it_power,
        valve,
        model.plant,
    )
    # A valve nearly shut says little of what the coil could do.
    is_metered = jnp.isfinite(usable_halls(observation, "supply_air_temp"))
    is_metered &= jnp.isfinite(usable_halls(observation, "it_power"))
    is_told = is_metered & jnp.isfinite(usable(observation, "chw_supply_temp"))
    found = jnp.where(is_told & (valve > 0.25), needed / moved, jnp.nan)
    gain = jnp.where(is_lost, URGENT_GAIN, GAIN)
    return _averaged(last.coil_factor, found, gain, COIL_RANGE)


def _air(
    last: Learned, now: Estimate, observation: Observation, model: SafetyModel
) -> jax.Array:
    """Return the halls' air over that of the fans' speed, by heat and by power [1].

    m = (P_it + P_fan) / (c (T_return - T_supply)); units that stand still draw nothing.
    What was learned has the third vote.
    """
    speed = action_from_vector(observation.applied).crah_fan_speed
    fans = usable_halls(observation, "crah_fan_power")
    difference = usable_halls(observation, "return_air_temp") - now.supply_air
    flow = (now.it_power + fans) * 1e3 / (AIR_HEAT * jnp.maximum(difference, 1.0))
    crah = model.plant.crah
    by_heat = flow / (crah.air_flow / HALLS * speed)
    drawn = crah.fan_power / HALLS * speed**crah.fan_exponent / 1e3
    found = middle(by_heat, fans / drawn, last.air_factor)
    sound = jnp.where(found < AIR_SOUND, found, AIR_RANGE[1])
    known = jnp.where(jnp.isfinite(found), sound, jnp.nan)
    return _averaged(last.air_factor, known, 2.0 * GAIN, AIR_RANGE)


def _tower(
    last: Learned, now: Estimate, observation: Observation, model: SafetyModel
) -> tuple[Scalar, Scalar]:
    """Return the offset of tower water [K] and the factor of its rise [1].

    The heat is what the water carried, so that no pull-down is taken for a weak tower.
    Not learned while the bypass holds the water up: it says nothing of the tower.
    """
    act, condenser = action_from_vector(observation.applied), model.plant.condenser
    tower = tower_predictions(
        act.tower_fan_speed,
        act.cw_pump_speed,
        dataclasses.replace(now, heat=now.carried),
        model.plant,
        start=now.cw_before,
    )
    held = jnp.where(
        now.running > 0.5, condenser.low_limit_cooling, condenser.low_limit_free
    )
    seen = usable(observation, "cw_supply_temp") + usable(
        observation, "outdoor_wet_bulb"
    )
    is_free = (tower.soon > held + 0.5) & (now.cw_supply > held + 0.5)
    lift = usable(observation, "cw_return_temp") - now.chw_supply
    is_short = (now.running > 0.5) & ~(lift > condenser.lift_setpoint + LIFT_BAND)
    is_free &= jnp.isfinite(seen) & ~is_short
    missed = (now.cw_supply - tower.soon) / jnp.maximum(tower.approach, 0.2)
    offset = last.basin_offset + jnp.where(is_free, missed, jnp.nan)
    modelled = tower.rise / last.rise_factor
    measured = usable(observation, "cw_return_temp") - now.cw_supply
    rise = jnp.where(modelled > 1.0, measured / modelled, jnp.nan)
    return (
        _averaged(last.basin_offset, offset, GAIN, (-OFFSET_MAX, OFFSET_MAX)),
        _averaged(last.rise_factor, rise, GAIN, RISE_RANGE),
    )


def _power(
    last: Learned, now: Estimate, observation: Observation, model: SafetyModel
) -> Scalar:
    """Return mechanical power above the model's at the action in force [kW]."""
    act = action_from_vector(observation.applied)
    tower = tower_predictions(act.tower_fan_speed, act.cw_pump_speed, now, model.plant)
    modelled = mechanical_power(act, now, model.plant, tower) - last.power_offset
    is_metered = jnp.isfinite(usable(observation, "chiller_power"))
    found = jnp.where(is_metered, now.mechanical_power - modelled, jnp.nan)
    return _averaged(last.power_offset, found, 2.0 * GAIN, POWER_RANGE)
