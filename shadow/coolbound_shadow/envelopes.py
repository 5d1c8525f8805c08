"""Envelopes of all rows of a log: built in float32, handed on in float64.

Ranges and ramps are computed again in float64 and intersected with the built
bounds, so that rounding never loosens one. Two things stay as built: a flow
floor that outranks the pump's ramp, and the step of a tower fan between off and
its lowest speed. A channel that the log does not hold has no set-point to ramp
from: it keeps its range, and a row of the envelope that needs it is empty. Where
only the chilled-water set-point is missing, the measured water stands for it and
the row binds the other channels.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.settling import initial_action
from coolbound_envs.spec import (
    ACTION_SIZE,
    POINT_INDEX,
    POINT_NAMES,
    channel_array,
)
from coolbound_envs.types import Observation, action_to_vector
from coolbound_safety.envelope import ROW_NAMES, envelope_at
from coolbound_safety.judge import judge
from coolbound_safety.margins import SafetyModel
from coolbound_safety.types import Envelope, to_unit64
from coolbound_shadow.replay_inputs import Inputs, chunks, observation_of

INLETS = [i for i, name in enumerate(POINT_NAMES) if name.startswith("inlet_temp")]
WATER, TOWER = 4, 7
WATER_POINT = POINT_INDEX["chw_supply_temp"]
LEAST_NORM = 1.0e-3
"""A row that keeps less of its norm without the water says nothing. [1]"""

LEAST_FAN = 0.2
"""Lowest speed of a tower fan that turns. [1]"""

ARRAYS = ("lower", "upper", "G", "h", "price", "scale", "priority", "held", "backup")


def nominal_action() -> np.ndarray:
    """Return the set-points of a plant at its start, float64, shape (10,)."""
    action: Any = initial_action(None, ())  # pyright: ignore[reportArgumentType]
    return np.asarray(action_to_vector(action), dtype=np.float64)


@jax.jit
def _build(
    observation: Observation,
    proposed: jax.Array,
    model: SafetyModel,
    ramp_scale: jax.Array,
) -> Envelope:
    def one(seen: Observation, action: jax.Array) -> Envelope:
        return envelope_at(
            seen,
            action,
            model,
            ramp_scale,  # pyright: ignore[reportArgumentType]
        )

    return jax.vmap(one)(observation, proposed)


@jax.jit
def _judge(
    observation: Observation,
    actions: jax.Array,
    model: SafetyModel,
    ramp_scale: jax.Array,
) -> jax.Array:
    def one(seen: Observation, action: jax.Array) -> jax.Array:
        return judge(
            seen,
            action,
            model,
            ramp_scale,  # pyright: ignore[reportArgumentType]
        )

    return jax.vmap(jax.vmap(one, in_axes=(None, 0)))(observation, actions)


def build_envelopes(
    inputs: Inputs, proposed: np.ndarray, model: SafetyModel, ramp_scale: float
) -> Envelope:
    """Return the envelopes of all rows, float64, row axis first.

    Args:
        inputs: What was known at each row.
        proposed: Proposed actions, shape (T, 10). [each channel's unit]
        model: Plant, limits and margins.
        ramp_scale: Length of a step over 300 s. [1]
    """
    known = np.isfinite(inputs.previous)
    filled = np.where(known, inputs.previous, nominal_action()[None, :])
    water = np.asarray(inputs.value[:, WATER_POINT], dtype=np.float64)
    is_metered = ~known[:, WATER] & np.isfinite(water)
    filled[is_metered, WATER] = water[is_metered]
    whole = dataclasses.replace(inputs, previous=filled)
    scale, found = jnp.asarray(ramp_scale, jnp.float32), []
    for rows, count in chunks(inputs.rows):
        action = jnp.asarray(proposed[rows], jnp.float32)
        built = _build(observation_of(whole, rows), action, model, scale)
        arrays = {k: np.asarray(getattr(built, k), np.float64) for k in ARRAYS}
        found.append({k: array[:count] for k, array in arrays.items()})
    joined = {k: np.concatenate([each[k] for each in found]) for k in ARRAYS}
    built = Envelope(**joined, names=ROW_NAMES)
    exact = _exact(built, whole, model, ramp_scale)
    return _without_unknown(_fix_water(exact, is_metered), known)


def _fix_water(built: Envelope, is_metered: np.ndarray) -> Envelope:
    """Hold the chilled water of some rows at its reading: a row without its column.

    What is left of a row is scaled to unit norm again, or emptied.
    """
    rows, sides = np.array(built.G), np.array(built.h)
    column = np.where(is_metered[:, None], rows[:, :, WATER], 0.0)
    sides = sides - column * np.asarray(built.held)[:, WATER, None]
    rows[:, :, WATER] -= column
    norm = np.sqrt(np.sum(rows**2, axis=2))
    is_cut = column != 0.0
    is_empty = is_cut & (norm < LEAST_NORM)
    scale = np.where(is_cut & ~is_empty, norm, 1.0)
    return dataclasses.replace(
        built,
        G=np.where(is_empty[:, :, None], 0.0, rows / scale[:, :, None]),
        h=np.where(is_empty, 1.0, sides / scale),
        scale=np.asarray(built.scale) * scale,
    )


def _exact(
    built: Envelope, inputs: Inputs, model: SafetyModel, ramp_scale: float
) -> Envelope:
    """Intersect the bounds with ranges and ramps computed in float64."""
    low, high = channel_array("lower"), channel_array("upper")
    ramp = np.broadcast_to(channel_array("ramp") * ramp_scale, inputs.previous.shape)
    down = ramp.copy()
    inlet = np.max(inputs.value[:, INLETS], axis=1)
    is_hot = inlet > np.float32(model.limits.inlet_max) - np.float32(1.0)
    emergency = float(model.limits.chws_emergency_rate) * ramp_scale
    down[:, WATER] = np.where(is_hot, emergency, down[:, WATER])
    held = np.clip(inputs.previous, low, high)
    lower = to_unit64(np.maximum(low, held - down))
    upper = to_unit64(np.minimum(high, held + ramp))
    built_lower, built_upper = np.asarray(built.lower), np.asarray(built.upper)
    steps = _fan_steps(built_upper[:, TOWER], inputs.previous[:, TOWER])
    lower[steps, TOWER], upper[steps, TOWER] = 0.0, 1.0
    lower, upper = np.maximum(lower, built_lower), np.minimum(upper, built_upper)
    crossed = lower > upper
    backup = np.asarray(built.backup)
    lower = np.where(crossed, built_lower, lower)
    upper = np.where(crossed, built_upper, upper)
    return dataclasses.replace(
        built,
        lower=lower,
        upper=upper,
        held=to_unit64(inputs.previous),
        backup=np.clip(backup, lower, upper),
    )


def _fan_steps(built_upper: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return where the tower fan is off, starts or stops: no ramp applies."""
    return (last < LEAST_FAN - 1e-6) | (built_upper <= 0.0)


def _without_unknown(built: Envelope, known: np.ndarray) -> Envelope:
    """Free the channels that the log does not hold, empty the rows that need them."""
    unknown = ~known & ~_requests()[None, :]
    rows = np.asarray(built.G)
    needs = np.any((rows != 0.0) & ~known[:, None, :], axis=2)
    return dataclasses.replace(
        built,
        lower=np.where(unknown, 0.0, built.lower),
        upper=np.where(unknown, 1.0, built.upper),
        G=np.where(needs[:, :, None], 0.0, rows),
        h=np.where(needs, 1.0, built.h),
        scale=np.where(needs, 1.0, built.scale),
    )


def _requests() -> np.ndarray:
    """Return which channels are bounded by interlocks alone, bool, shape (10,)."""
    is_request = np.zeros(ACTION_SIZE, dtype=bool)
    is_request[-2:] = True
    return is_request


def judge_actions(
    inputs: Inputs, actions: np.ndarray, model: SafetyModel, ramp_scale: float
) -> np.ndarray:
    """Return h of the 21 limits for several actions of each row, (T, n, 21).

    NaN where a limit is not observable, float64, each in its own unit.

    Args:
        inputs: What was known at each row.
        actions: Shape (T, n, 10), NaN for none. [each channel's unit]
        model: Plant and limits.
        ramp_scale: Length of a step over 300 s. [1]
    """
    scale, found = jnp.asarray(ramp_scale, jnp.float32), []
    for rows, count in chunks(inputs.rows):
        action = jnp.asarray(actions[rows], jnp.float32)
        values = _judge(observation_of(inputs, rows), action, model, scale)
        found.append(np.asarray(values, dtype=np.float64)[:count])
    return np.concatenate(found)
