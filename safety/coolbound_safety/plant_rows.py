"""The rows of the plant room: dew point, towers, lift, surge line and power."""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.types import Action, Scalar
from coolbound_safety.estimate import Estimate
from coolbound_safety.foresight import MOVES, RECOVERY, SOON, moved
from coolbound_safety.margins import SafetyModel
from coolbound_safety.model import (
    TowerPrediction,
    left_to_machines,
    mechanical_power,
    part_load,
    tower_predictions,
)

PLANT_ROWS: Final = (
    "DEWPOINT_MARGIN",
    "ECWT_MIN",
    "ECWT_CWRT_MAX:entering",
    f"ECWT_CWRT_MAX:entering:{RECOVERY}",
    "ECWT_CWRT_MAX:leaving",
    f"ECWT_CWRT_MAX:leaving:{SOON}",
    "LIFT_MIN",
    f"LIFT_MIN:{SOON}",
    "SURGE_LINE",
    f"SURGE_LINE:{SOON}",
    "CAPACITY_N1_POWER:power",
)
"""Limit and what the row looks at, in the order of the plant's rows."""


def plant_rows(
    act: Action,
    now: Estimate,
    model: SafetyModel,
    tower: TowerPrediction,
    count: Scalar,
) -> jax.Array:
    """Return the rows of the plant, in the order of `PLANT_ROWS`."""
    limits, margins = model.limits, model.margins
    margin = margins.condenser_water + now.tower_spread
    leaving_max = limits.cw_leaving_max - margin
    entering_max = limits.cw_entering_max - now.tower_spread
    dew_point = now.room_dew_point + now.dew_point_spread
    wanted = dew_point + limits.dew_point_margin + margins.dew_point
    power = mechanical_power(act, now, model.plant, tower)
    rows = [
        wanted - act.chw_supply_setpoint,
        _tower_min(tower.later, now, model),
        tower.later - limits.cw_entering_max + margin,
        _tower_recovery(act, now, model) - entering_max,
        tower.later + tower.rise - leaving_max,
        tower.soon + tower.rise - leaving_max,
        *_lift(act, tower, now, model, count),
        power / (limits.feeder_power / 1e3) - 1.0 + margins.power,
    ]
    return jnp.stack(rows)


def _tower_min(basin: Scalar, now: Estimate, model: SafetyModel) -> Scalar:
    """Return ECWT_MIN; on the way into and out of free cooling the BAS holds it."""
    limits = model.limits
    has_economizer = model.plant.condenser.economizer_effectiveness > 0.0
    is_closed = (now.economizer < 0.5) | ~has_economizer
    is_alone = ((now.running > 0.5) & is_closed) | (now.chillers < 0.5)
    coldest = jnp.where(
        now.chillers > 0.5, limits.tower_water_min, limits.tower_water_min_free
    )
    margin = model.margins.tower_water + now.tower_spread
    return jnp.where(is_alone, coldest + margin - basin, jnp.nan)


def _tower_recovery(act: Action, now: Estimate, model: SafetyModel) -> Scalar:
    """Return tower water after the wet bulb has risen and two moves [degC]."""
    fan = moved(act.tower_fan_speed, 7, MOVES)
    pump = moved(act.cw_pump_speed, 6, MOVES)
    wet_bulb = now.wet_bulb + model.margins.wet_bulb_rise
    later = dataclasses.replace(now, wet_bulb=wet_bulb)
    return tower_predictions(fan, pump, later, model.plant).later


def _lift(
    act: Action,
    tower: TowerPrediction,
    now: Estimate,
    model: SafetyModel,
    count: Scalar,
) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Return LIFT_MIN and SURGE_LINE, each later and soon.

    With `count` machines running. Chilled water follows its set-point at once and
    the basin slowly: what holds in 15 min may not hold on the way.
    """
    limits, margins = model.limits, model.margins
    # A site that does not log the set-point still meters the water.
    known = jnp.isfinite(act.chw_supply_setpoint)
    water = jnp.where(known, act.chw_supply_setpoint, now.chw_supply)
    has_economizer = model.plant.condenser.economizer_effectiveness > 0.0
    is_closed = (now.economizer < 0.5) | ~has_economizer
    is_cooling = (now.running > 0.5) & (count > 0.5)
    load = part_load(count, now, model.plant)
    least, most = [], []
    for basin in (tower.later, tower.soon):
        lift = basin + tower.rise - water
        left = load * left_to_machines(basin, now, model.plant)
        line = limits.surge_base + limits.surge_slope * left - margins.surge
        surge = lift - line + now.tower_spread
        short = limits.lift_min + margins.lift + now.tower_spread - lift
        # With the economizer open the BAS holds the lift by its bypass.
        least.append(jnp.where(is_cooling & is_closed, short, jnp.nan))
        most.append(jnp.where(is_cooling, surge, jnp.nan))
    return least[0], least[1], most[0], most[1]
