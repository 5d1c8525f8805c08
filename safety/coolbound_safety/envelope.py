"""From the limits to one affine envelope around the previous applied action.

Rows are predictions 15 min ahead, linearised by forward derivatives of the
nominal model at the previous applied action, with a margin, in unit
coordinates and scaled to unit norm. A row whose inputs are missing, that does
not apply now, or that no channel can move is empty: G = 0, h = 1.
"""

import jax
import jax.numpy as jnp

from coolbound_envs.drives import pump_speed_floor
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.spec import HALLS, channel_array
from coolbound_envs.types import Observation, Scalar, action_from_vector
from coolbound_safety.estimate import Estimate, estimate
from coolbound_safety.interlocks import Masks, interlocks
from coolbound_safety.margins import SafetyModel
from coolbound_safety.model import (
    coil_reserve,
    part_load,
    server_air,
    tower_predictions,
)
from coolbound_safety.types import Envelope

NO_AUTHORITY = 1.0e-4
"""Rows that a full-range move changes by less are empty. [the limit's unit]"""

HOT_MARGIN = 0.5
"""The emergency rate of chilled water waits for this much more than the limit's
own threshold, so that no sensor's noise grants it. [K]"""

_HALL_ROWS = ("CA_T_MAX", "CA_T_MIN", "AIRFLOW_RATIO", "CHW_DP_MIN")
_PLANT_ROWS = (
    "DEWPOINT_MARGIN",
    "ECWT_MIN",
    "ECWT_CWRT_MAX:entering",
    "ECWT_CWRT_MAX:leaving",
    "LIFT_MIN",
    "SURGE_LINE",
)
ROW_NAMES = (
    *(f"{name}:hall{h + 1}" for h in range(HALLS) for name in _HALL_ROWS),
    *_PLANT_ROWS,
)
"""Names of the rows: the limit, and after a colon its place."""

ROW_PRICES = (*(1000.0,) * (len(_HALL_ROWS) * HALLS + 1), *(100.0,) * 5)
_PRIORITIES = (*(1,) * (len(_HALL_ROWS) * HALLS + 1), *(2,) * 5)

_BACKUP = (22.0, 22.0, 1.0, 1.0, 11.0, 120.0, 1.0, 0.8, 2.0, 0.0)
"""Where the backup action heads: cool air, full fans. [each channel's unit]"""


def _hall_rows(
    hall: int, action: jax.Array, now: Estimate, model: SafetyModel
) -> list[Scalar]:
    act, limits, margins = action_from_vector(action), model.limits, model.margins
    supply = act.supply_air_setpoint[hall]
    speed = act.crah_fan_speed[hall]
    hottest = supply + now.rise_max[hall] - (limits.inlet_max - margins.inlet_max)
    coldest = (limits.inlet_min + margins.inlet_min) - (supply + now.rise_min[hall])
    air = model.plant.crah.air_flow / HALLS * speed
    drawn = server_air(
        now.it_power[hall],
        supply + now.rise_max[hall],
        model.plant,
        margins.load_growth,
    )
    reserve = coil_reserve(
        supply,
        speed,
        act.chw_supply_setpoint + now.chw_excess,
        act.chw_pressure_setpoint,
        now.it_power[hall],
        limits.valve_max - margins.valve,
        model.plant,
    )
    return [
        hottest,
        coldest,
        limits.airflow_ratio - air / drawn,
        margins.coil * now.it_power[hall] - reserve,
    ]


def _plant_rows(action: jax.Array, now: Estimate, model: SafetyModel) -> list[Scalar]:
    act, limits, margins = action_from_vector(action), model.limits, model.margins
    basin, leaving = tower_predictions(
        act.tower_fan_speed, act.cw_pump_speed, now, model.plant
    )
    is_cooling = now.chillers > 0.5
    coldest = jnp.where(is_cooling, limits.tower_water_min, limits.tower_water_min_free)
    # A site that does not log the set-point still meters the water.
    known = jnp.isfinite(act.chw_supply_setpoint)
    lift = leaving - jnp.where(known, act.chw_supply_setpoint, now.chw_supply)
    load = part_load(now.running, now, model.plant)
    # On the way into and out of free cooling the BAS holds lift and low limit.
    has_economizer = model.plant.condenser.economizer_effectiveness > 0.0
    is_closed = (now.economizer < 0.5) | ~has_economizer
    is_mechanical = (now.running > 0.5) & is_closed
    is_alone = is_mechanical | (now.chillers < 0.5)
    idle = jnp.full_like(lift, jnp.nan)
    return [
        now.room_dew_point
        + limits.dew_point_margin
        + margins.dew_point
        - act.chw_supply_setpoint,
        jnp.where(is_alone, coldest + margins.tower_water - basin, idle),
        basin - (limits.cw_entering_max - margins.condenser_water),
        leaving - (limits.cw_leaving_max - margins.condenser_water),
        jnp.where(is_mechanical, limits.lift_min + margins.lift - lift, idle),
        jnp.where(
            is_mechanical,
            lift - limits.surge_base - limits.surge_slope * load + margins.surge,
            idle,
        ),
    ]


def row_values(action: jax.Array, now: Estimate, model: SafetyModel) -> jax.Array:
    """Return what each row predicts, shape (m,): 0 or less keeps the limit.

    Margins are included. NaN where the limit is not observable or idle.

    Args:
        action: One action, shape (10,). [each channel's unit]
        now: The estimate.
        model: Plant, limits and margins.
    """
    rows = [
        row for hall in range(HALLS) for row in _hall_rows(hall, action, now, model)
    ]
    return jnp.stack([*rows, *_plant_rows(action, now, model)])


def _is_on(model: SafetyModel) -> jax.Array:
    index = [LIMIT_NAMES.index(name.partition(":")[0]) for name in ROW_NAMES]
    return jnp.stack([model.limits.is_on[i] for i in index]) > 0.5


def _rows(
    now: Estimate, previous: jax.Array, model: SafetyModel
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return unit-norm rows (m, n), right-hand sides and scales (m,)."""
    span = _constant("upper") - _constant("lower")
    lower = _constant("lower")

    def predict(action: jax.Array) -> jax.Array:
        return row_values(action, now, model)

    value = predict(previous)
    # Rows that do not apply must not put NaN into the derivative of the others.
    slope = jax.jacfwd(predict)(previous) * span[None, :]
    unit = (previous - lower) / span
    slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
    norm = jnp.sqrt(jnp.sum(slope * slope, axis=1))
    is_used = jnp.isfinite(value) & (norm > NO_AUTHORITY) & _is_on(model)
    scale = jnp.where(is_used, norm, 1.0)
    rows = jnp.where(is_used[:, None], slope / scale[:, None], 0.0)
    sides = jnp.sum(rows * unit[None, :], axis=1) - value / scale
    return rows, jnp.where(is_used, sides, 1.0), scale


def _constant(field: str) -> jax.Array:
    return jnp.asarray(channel_array(field), jnp.float32)


def _pump_floor(chillers: Scalar, model: SafetyModel) -> Scalar:
    """Return the pump speed that keeps CW_FLOW_MIN and the BAS's own floor [1]."""
    each = model.limits.cw_flow_min * model.plant.chiller.condenser_flow
    wanted = each * chillers / model.plant.condenser.design_flow
    return jnp.maximum(wanted, pump_speed_floor(chillers, model.plant))


def action_bounds(
    now: Estimate,
    previous: jax.Array,
    masks: Masks,
    model: SafetyModel,
    ramp_scale: float,
) -> tuple[jax.Array, jax.Array]:
    """Return lower and upper bounds (10,), physical units: range, ramp, masks.

    The previous applied action lies within them, but for a flow floor that has
    risen: that outranks the ramp.
    """
    low, high = _constant("lower"), _constant("upper")
    ramp = _constant("ramp") * ramp_scale
    is_hot = now.inlet_max > model.limits.inlet_max - 1.0 + HOT_MARGIN
    down = ramp.at[4].set(
        jnp.where(is_hot, model.limits.chws_emergency_rate * ramp_scale, ramp[4])
    )
    held = jnp.clip(previous, low, high)
    lower = jnp.maximum(low, held - down)
    upper = jnp.minimum(high, held + ramp)
    floor = _pump_floor(jnp.nan_to_num(now.chillers, nan=0.0), model)
    lower = lower.at[6].max(jnp.minimum(floor, 1.0))
    upper = upper.at[6].max(lower[6])
    lower = lower.at[7].set(masks.fan_min)
    upper = upper.at[7].set(masks.fan_max)
    lower = lower.at[8].set(masks.chillers_min).at[9].set(masks.economizer_min)
    upper = upper.at[8].set(masks.chillers_max).at[9].set(masks.economizer_max)
    return lower, upper


def build_envelope(
    now: Estimate,
    previous: jax.Array,
    masks: Masks,
    model: SafetyModel,
    ramp_scale: float = 1.0,
) -> Envelope:
    """Return the envelope of one lane, float32; `vmap` it for a batch.

    Args:
        now: The estimate.
        previous: Applied action before, shape (10,). [each channel's unit]
        masks: The interlocks' answer.
        model: Plant, limits and margins.
        ramp_scale: Length of the step over 300 s. [1]
    """
    lower, upper = action_bounds(now, previous, masks, model, ramp_scale)
    rows, sides, scale = _rows(now, previous, model)
    low = _constant("lower")
    span = _constant("upper") - low

    def unit(x: jax.Array) -> jax.Array:
        return (x - low) / span

    backup = jnp.clip(jnp.asarray(_BACKUP, jnp.float32), lower, upper)
    return Envelope(
        lower=unit(lower),
        upper=unit(upper),
        G=rows,
        h=sides,
        price=jnp.asarray(ROW_PRICES, jnp.float32),
        scale=scale,
        priority=jnp.asarray(_PRIORITIES, jnp.int32),
        held=unit(previous),
        backup=unit(backup),
        names=ROW_NAMES,
    )


def envelope_at(
    observation: Observation,
    proposed: jax.Array,
    model: SafetyModel,
    ramp_scale: float = 1.0,
) -> Envelope:
    """Return the envelope of one observation (one lane).

    Args:
        observation: What the instruments say; its set-points in force are the
            previous applied action.
        proposed: Proposed action, shape (10,). [each channel's unit]
        model: Plant, limits and margins.
        ramp_scale: Length of the step over 300 s. [1]
    """
    now = estimate(observation)
    masks = interlocks(now, observation.applied, proposed, model, ramp_scale)
    return build_envelope(now, observation.applied, masks, model, ramp_scale)
