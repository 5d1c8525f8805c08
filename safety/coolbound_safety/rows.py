"""What each row of the envelope predicts for an action, on the nonlinear model.

One function of action and estimate, margins included: its derivative makes the rows,
and its value checks the answer once more. Rows of *recovery* look one step further:
after load or wet bulb has grown and two more moves were made towards full cooling,
the limit must still be kept. They make sure that a way back exists.
"""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS
from coolbound_envs.spec import CHANNELS, HALLS
from coolbound_envs.types import Action, Scalar, action_from_vector
from coolbound_safety.estimate import Estimate
from coolbound_safety.margins import SafetyModel
from coolbound_safety.model import (
    TowerPrediction,
    coil_capability,
    coil_floor,
    free_approach,
    mechanical_power,
    part_load,
    pull_down,
    server_air,
    stored_air,
    tower_predictions,
)

MOVES: Final = 2.0
"""Moves at full ramp that a recovery may count on: 10 min. [1]"""

SHORT_OF_WATER: Final = 0.4
"""Chilled water this far above its set-point, lasting, is all that there is. [K]"""

OVERSHOOT: Final = 0.35
"""Share of a step of supply air by which it overshoots. [1]"""

OVERSHOOT_OF: Final = 1.5
"""Longest step that overshoots in proportion. [K]"""

RECOVERY: Final = "recovery"
SOON: Final = "soon"

_HALL_ROWS: Final = (
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
_PLANT_ROWS: Final = (
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
ROW_NAMES: Final = (
    *(
        ":".join(part for part in (limit, f"hall{h + 1}", what) if part)
        for h in range(HALLS)
        for limit, what in _HALL_ROWS
    ),
    *_PLANT_ROWS,
)
"""Names of the rows: the limit, then after colons its place and what it looks at."""

ROW_LIMITS: Final = tuple(
    LIMIT_NAMES.index(name.partition(":")[0]) for name in ROW_NAMES
)
"""Index of each row's limit in the table of limits."""

IS_RECOVERY: Final = tuple(name.endswith(RECOVERY) for name in ROW_NAMES)
"""True where a row looks one step further."""

_NOTICEABLE: Final = {"K": 0.1, "1": 0.01, "kPa": 10.0}
NOTICEABLE: Final = tuple(_NOTICEABLE[LIMITS[i].unit] for i in ROW_LIMITS)
"""Differences of a row's value that count: less than this by a move over the whole
range is no authority, and less than this beyond a row is no violation of the model's
prediction. In the limit's unit; the coils' rows count kW. [mixed units]"""


def row_values(
    action: jax.Array, now: Estimate, model: SafetyModel, machines: Scalar | None = None
) -> jax.Array:
    """Return what each row predicts, shape (m,): 0 or less keeps the limit.

    Margins are included. NaN where the limit is not observable or idle.

    Args:
        action: One action, shape (10,). [each channel's unit]
        now: The estimate.
        model: Plant, limits and margins.
        machines: Machines that will run; those that run now where not given. [1]
    """
    act = action_from_vector(action)
    count = now.running if machines is None else machines
    tower = tower_predictions(
        act.tower_fan_speed,
        act.cw_pump_speed,
        now,
        model.plant,
        pull_down(act, now, model.plant),
    )
    halls = _hall_rows(act, now, model, tower)
    return jnp.concatenate([halls, _plant_rows(act, now, model, tower, count)])


def _moved(value: jax.Array, channel: int, moves: float) -> jax.Array:
    """Return a channel after so many full ramps, within its range."""
    spec = CHANNELS[channel]
    return jnp.clip(value + moves * spec.ramp, spec.lower, spec.upper)


def _hall_rows(
    act: Action, now: Estimate, model: SafetyModel, tower: TowerPrediction
) -> jax.Array:
    """Return the rows of all halls, in the order of `_HALL_ROWS`, hall by hall."""
    supply = act.supply_air_setpoint
    limits, margins = model.limits, model.margins
    hot = limits.inlet_max - margins.inlet_max - now.inlet_spread
    cold = limits.inlet_min + margins.inlet_min + now.inlet_spread
    change = supply + now.rise - now.inlet_before
    most = limits.inlet_change - margins.inlet_change
    # The valves overshoot while they follow a ramp.
    over = OVERSHOOT * jnp.clip(supply - now.supply_air, -OVERSHOOT_OF, OVERSHOOT_OF)
    coil, floor = _coil(act, now, model, _hall_water(act, now, model, tower))
    rows = [
        supply + jnp.maximum(over, 0.0) + now.rise_max - hot,
        floor + now.rise_max - hot,
        cold - (supply + jnp.minimum(over, 0.0) + now.rise_min),
        change - most,
        -change - most,
        *_airflow(act, now, model),
        coil,
        _coil_recovery(act, now, model, tower),
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
        (_moved(speed, 2, MOVES), margins.load_growth_recovery),
    ):
        air = model.plant.crah.air_flow / HALLS * fan * now.air_factor
        grown = growth + now.load_spread
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
    return needed * (1.0 + margins.coil) - moved, floor


def _hall_water(
    act: Action, now: Estimate, model: SafetyModel, tower: TowerPrediction
) -> Scalar:
    """Return the chilled water that the action leads to [degC].

    Machines that do not reach the set-point do not reach a colder one either; in
    free cooling the towers set what can be reached.
    """
    free = jnp.maximum(tower.soon, tower.later) + free_approach(now, model.plant)
    is_free = (now.chillers < 0.5) & (now.economizer > 0.5)
    is_short = now.chw_excess > SHORT_OF_WATER
    reached = jnp.where(is_free, free, jnp.where(is_short, now.chw_supply, -jnp.inf))
    return jnp.maximum(act.chw_supply_setpoint, reached)


def _coil_recovery(
    act: Action, now: Estimate, model: SafetyModel, tower: TowerPrediction
) -> jax.Array:
    """Return heat that the coils lack after growth and two moves, (halls,) [kW]."""
    growth = model.margins.heat_growth_recovery
    later = dataclasses.replace(now, it_power=now.it_power * (1.0 + growth))
    moved = dataclasses.replace(
        act,
        crah_fan_speed=_moved(act.crah_fan_speed, 2, MOVES),
        chw_supply_setpoint=_moved(act.chw_supply_setpoint, 4, -MOVES),
        chw_pressure_setpoint=_moved(act.chw_pressure_setpoint, 5, MOVES),
    )
    return _coil(moved, later, model, _hall_water(moved, now, model, tower))[0]


def _plant_rows(
    act: Action,
    now: Estimate,
    model: SafetyModel,
    tower: TowerPrediction,
    count: Scalar,
) -> jax.Array:
    """Return the rows of the plant, in the order of `_PLANT_ROWS`."""
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
    fan = _moved(act.tower_fan_speed, 7, MOVES)
    pump = _moved(act.cw_pump_speed, 6, MOVES)
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
        left = load * _left_to_machines(basin, now, model)
        line = limits.surge_base + limits.surge_slope * left - margins.surge
        surge = lift - line + now.tower_spread
        short = limits.lift_min + margins.lift + now.tower_spread - lift
        # With the economizer open the BAS holds the lift by its bypass.
        least.append(jnp.where(is_cooling & is_closed, short, jnp.nan))
        most.append(jnp.where(is_cooling, surge, jnp.nan))
    return least[0], least[1], most[0], most[1]


def _left_to_machines(basin: Scalar, now: Estimate, model: SafetyModel) -> Scalar:
    """Return the share of the heat that the economizer leaves to the machines [1]."""
    condenser = model.plant.condenser
    rise = jnp.maximum(now.chw_return - now.chw_supply, 0.5)
    gain = jnp.maximum(now.chw_return - basin, 0.0) / rise
    taken = condenser.economizer_effectiveness * gain
    share = jnp.clip(1.0 - jnp.nan_to_num(now.economizer * taken), 0.1, 1.0)
    return jnp.where(condenser.economizer_effectiveness > 0.0, share, 1.0)
