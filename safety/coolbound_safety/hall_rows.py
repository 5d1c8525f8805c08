"""The rows of the halls: inlets, air, and the coils that hold them."""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.spec import HALLS
from coolbound_envs.types import Action, Scalar
from coolbound_safety.estimate import Estimate
from coolbound_safety.foresight import MOVES, RECOVERY, moved
from coolbound_safety.margins import SafetyModel
from coolbound_safety.model import (
    TowerPrediction,
    coil_capability,
    coil_floor,
    free_approach,
    server_air,
    stored_air,
    tower_predictions,
)

OVERSHOOT: Final = 0.35
"""Share of a step of supply air by which it overshoots. [1]"""

OVERSHOOT_OF: Final = 1.5
"""Longest step that overshoots in proportion. [K]"""

SHORT_OF_WATER: Final = 0.4
"""Chilled water this far above its set-point, lasting, is all that there is. [K]"""

COIL_SHARE: Final = 0.5
"""Share of a rise beyond the customary one that coils are ready for at once. [1]"""

HOTTER_PER_GROWTH: Final = 3.0
"""Overshoot of the inlets for each unit of such a rise: fans and valves see it only
afterwards. [K]"""

HALL_ROWS: Final = (
    ("CA_T_MAX", ""),
    ("CA_T_MAX", "coil"),
    ("CA_T_MIN", ""),
    ("CA_ROC", "rise"),
    ("CA_ROC", "fall"),
    ("AIRFLOW_RATIO", ""),
    ("AIRFLOW_RATIO", RECOVERY),
    ("CHW_DP_MIN", ""),
    ("CHW_DP_MIN", RECOVERY),
)
"""Limit and what the row looks at, in the order of every hall's rows."""


def hall_rows(
    act: Action, now: Estimate, model: SafetyModel, tower: TowerPrediction
) -> jax.Array:
    """Return the rows of all halls, in the order of `HALL_ROWS`, hall by hall."""
    supply = act.supply_air_setpoint
    limits, margins = model.limits, model.margins
    hot = limits.inlet_max - margins.inlet_max - now.inlet_spread
    hot = hot - HOTTER_PER_GROWTH * _beyond_custom(now, model)
    cold = limits.inlet_min + margins.inlet_min + now.inlet_spread
    change = supply + now.rise - now.inlet_before
    most = limits.inlet_change - margins.inlet_change
    # The valves overshoot while they follow a ramp.
    over = OVERSHOOT * jnp.clip(supply - now.supply_air, -OVERSHOOT_OF, OVERSHOOT_OF)
    coil, floor = _coil(act, now, model, _hall_water(act, now, model, tower))
    # All cooling is asked for: a coil at its end gives what it has, and no reserve.
    is_urgent = now.emergency > 0.5
    short = _coil_recovery(act, now, model, tower)
    rows = [
        supply + jnp.maximum(over, 0.0) + now.rise_max - hot,
        floor + now.rise_max - hot,
        cold - (supply + jnp.minimum(over, 0.0) + now.rise_min),
        change - most,
        -change - most,
        *_airflow(act, now, model),
        jnp.where(is_urgent, jnp.nan, coil),
        jnp.where(is_urgent, jnp.nan, short),
    ]
    return jnp.stack(rows, axis=1).reshape(-1)


def _airflow(
    act: Action, now: Estimate, model: SafetyModel
) -> tuple[jax.Array, jax.Array]:
    """Return AIRFLOW_RATIO now and in recovery, (halls,)."""
    margins, speed = model.margins, act.crah_fan_speed
    inlet = act.supply_air_setpoint + now.rise_max
    values = []
    for fan, growth in (
        (speed, margins.load_growth),
        (moved(speed, 2, MOVES), margins.load_growth_recovery),
    ):
        air = model.plant.crah.air_flow / HALLS * fan * now.air_factor
        grown = jnp.maximum(growth, now.load_growth) + now.load_spread
        drawn = server_air(now.it_power, inlet, model.plant, grown)
        values.append(model.limits.airflow_ratio - air / drawn)
    return values[0], values[1]


def _coil(
    act: Action, now: Estimate, model: SafetyModel, water: Scalar
) -> tuple[jax.Array, jax.Array]:
    """Return heat that the coils lack [kW], and the coldest air they hold [degC]."""
    limits, margins, crah = model.limits, model.margins, model.plant.crah
    supply, fan = act.supply_air_setpoint, act.crah_fan_speed
    power = now.it_power * (1.0 + now.load_spread)
    power = power + stored_air(act, now, model.plant)
    needed, nominal = coil_capability(
        supply,
        fan,
        water,
        act.chw_pressure_setpoint,
        power,
        limits.valve_max - margins.valve,
        model.plant,
    )
    moved = nominal * now.coil_factor
    air = crah.air_flow / HALLS * fan * (AIR_HEAT / 1e3) * now.air_factor
    floor = coil_floor(supply, water, needed, moved, air)
    reserve = margins.coil + COIL_SHARE * _beyond_custom(now, model)
    return needed * (1.0 + reserve) - moved, floor


def _beyond_custom(now: Estimate, model: SafetyModel) -> jax.Array:
    """Return the rise of the load beyond what the margins are for, (halls,) [1]."""
    return jnp.maximum(now.load_growth - model.margins.heat_growth_recovery, 0.0)


def coldest_air(act: Action, now: Estimate, model: SafetyModel) -> jax.Array:
    """Return the coldest air that coils hold with their reserve, (halls,) [degC]."""
    tower = tower_predictions(act.tower_fan_speed, act.cw_pump_speed, now, model.plant)
    water = _hall_water(act, now, model, tower)
    weaker = now.coil_factor / (1.0 + model.margins.coil)
    return _coil(act, dataclasses.replace(now, coil_factor=weaker), model, water)[1]


def _hall_water(
    act: Action, now: Estimate, model: SafetyModel, tower: TowerPrediction
) -> Scalar:
    """Return the chilled water that the action leads to [degC].

    Machines that do not reach the set-point do not reach a colder one either; in
    free cooling the towers set what can be reached.
    """
    approach = free_approach(act.cw_pump_speed, now, model.plant)
    free = jnp.maximum(tower.soon, tower.later) + approach
    is_free = (now.chillers < 0.5) & (now.economizer > 0.5)
    is_short = now.chw_excess > SHORT_OF_WATER
    reached = jnp.where(is_free, free, jnp.where(is_short, now.chw_supply, -jnp.inf))
    return jnp.maximum(act.chw_supply_setpoint, reached)


def _coil_recovery(
    act: Action, now: Estimate, model: SafetyModel, tower: TowerPrediction
) -> jax.Array:
    """Return heat that the coils lack after growth and two moves, (halls,) [kW]."""
    growth = jnp.maximum(model.margins.heat_growth_recovery, now.load_growth)
    later = dataclasses.replace(now, it_power=now.it_power * (1.0 + growth))
    full = dataclasses.replace(
        act,
        crah_fan_speed=moved(act.crah_fan_speed, 2, MOVES),
        chw_supply_setpoint=moved(act.chw_supply_setpoint, 4, -MOVES),
        chw_pressure_setpoint=moved(act.chw_pressure_setpoint, 5, MOVES),
    )
    return _coil(full, later, model, _hall_water(full, now, model, tower))[0]
