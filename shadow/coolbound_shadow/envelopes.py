"""Envelopes of all rows of a log: built in float32, handed on in float64.

Each row has one: of N - 1, N and N + 1 machines the cheapest, as the safety layer
chooses. Ranges and ramps are computed again in float64 and intersected with the built
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
    channel_array,
)
from coolbound_envs.types import Observation, Scalar, action_to_vector
from coolbound_safety.coordinates import weights
from coolbound_safety.envelope import HOT_MARGIN, MACHINES
from coolbound_safety.estimate import Estimate
from coolbound_safety.judge import judge
from coolbound_safety.margins import SafetyModel
from coolbound_safety.types import Envelope, from_unit64, to_unit64
from coolbound_shadow.choice import choose_rows
from coolbound_shadow.estimates import Known, first_of, joined, rows_of
from coolbound_shadow.replay_inputs import Inputs, chunks, observation_of

WATER, TOWER = 4, 7
WATER_POINT = POINT_INDEX["chw_supply_temp"]
LEAST_NORM = 1.0e-3
"""A row that keeps less of its norm without the water says nothing. [1]"""

LEAST_FAN = 0.2
"""Lowest speed of a tower fan that turns. [1]"""


@dataclasses.dataclass(frozen=True)
class Choices:
    """What the safety layer is asked at each row, row axis first. Static.

    Attributes:
        envelopes: One for each row, float64.
        asked: What is projected: the proposal within the ranges, or what stands in
            for it, float64, shape (T, 10). [each channel's unit]
        machines: Machines that the row's envelope asks for, shape (T,). [1]
        known: True where the log holds a channel or its reading, shape (T, 10).
        is_metered: True where the chilled water is held at its reading, shape (T,).
        is_emergency: True where all cooling is asked for, shape (T,).
        is_blind: True where inlets or loads are too old to use a proposal, (T,).
    """

    envelopes: Envelope
    asked: np.ndarray
    machines: np.ndarray
    known: np.ndarray
    is_metered: np.ndarray
    is_emergency: np.ndarray
    is_blind: np.ndarray


def nominal_action() -> np.ndarray:
    """Return the set-points of a plant at its start, float64, shape (10,)."""
    action: Any = initial_action(None, ())  # pyright: ignore[reportArgumentType]
    return np.asarray(action_to_vector(action), dtype=np.float64)


@jax.jit
def _judge(
    observation: Observation,
    actions: jax.Array,
    estimate: Estimate,
    model: SafetyModel,
    ramp_scale: Scalar,
) -> jax.Array:
    def one(seen: Observation, now: Estimate, action: jax.Array) -> jax.Array:
        return judge(seen, action, now, model, ramp_scale)

    each = jax.vmap(one, in_axes=(None, None, 0))
    return jax.vmap(each)(observation, estimate, actions)


def build_envelopes(
    inputs: Inputs,
    proposed: np.ndarray,
    known: Known,
    model: SafetyModel,
    ramp_scale: float,
) -> Choices:
    """Return the envelopes of all rows and what is projected onto them.

    Args:
        inputs: What was known at each row.
        proposed: Proposed actions, NaN for none, (T, 10). [each channel's unit]
        known: What the safety layer knew at each row.
        model: Plant, limits and margins.
        ramp_scale: Length of a step over 300 s. [1]
    """
    is_known = np.isfinite(inputs.previous)
    filled = np.where(is_known, inputs.previous, nominal_action()[None, :])
    water = np.asarray(inputs.value[:, WATER_POINT], dtype=np.float64)
    is_metered = ~is_known[:, WATER] & np.isfinite(water)
    filled[is_metered, WATER] = water[is_metered]
    is_usable = is_known.copy()
    is_usable[:, WATER] |= is_metered
    whole = dataclasses.replace(inputs, previous=filled)
    scale, found = jnp.asarray(ramp_scale, jnp.float32), []
    for rows, count in chunks(inputs.rows):
        chosen = choose_rows(
            *rows_of((known.estimate, known.timers), rows),
            jnp.asarray(filled[rows], jnp.float32),
            jnp.asarray(is_usable[rows]),
            jnp.asarray(proposed[rows], jnp.float32),
            model,
            scale,
        )
        found.append(first_of(chosen, count))
    chosen = joined(found)
    built = jax.tree.map(lambda x: np.asarray(x, np.float64), chosen.envelope)
    inlet = np.asarray(known.estimate.inlet_max)
    exact = _exact(built, whole, chosen.machines, inlet, model, ramp_scale)
    fixed = _fix_water(exact, is_metered)
    # The proposal itself keeps the digits that float32 has no room for.
    inside = np.clip(proposed, channel_array("lower"), channel_array("upper"))
    replaced = np.asarray(chosen.asked, dtype=np.float64)
    return Choices(
        envelopes=_with_whole_ranges(fixed, is_known),
        asked=np.where(chosen.is_replaced, replaced, inside),
        machines=chosen.machines,
        known=is_usable,
        is_metered=is_metered,
        is_emergency=chosen.is_emergency,
        is_blind=chosen.is_blind,
    )


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
    built: Envelope,
    inputs: Inputs,
    machines: np.ndarray,
    inlet: np.ndarray,
    model: SafetyModel,
    ramp_scale: float,
) -> Envelope:
    """Intersect the bounds with ranges and ramps computed in float64."""
    low, high = channel_array("lower"), channel_array("upper")
    ramp = np.broadcast_to(channel_array("ramp") * ramp_scale, inputs.previous.shape)
    down = ramp.copy()
    threshold = np.float32(model.limits.inlet_max) - np.float32(1.0 - HOT_MARGIN)
    emergency = float(model.limits.chws_emergency_rate) * ramp_scale
    down[:, WATER] = np.where(inlet > threshold, emergency, down[:, WATER])
    held = np.clip(inputs.previous, low, high)
    lower = to_unit64(np.maximum(low, held - down))
    upper = to_unit64(np.minimum(high, held + ramp))
    built_lower, built_upper = np.asarray(built.lower), np.asarray(built.upper)
    steps = _fan_steps(built_upper[:, TOWER], inputs.previous[:, TOWER])
    lower[steps, TOWER], upper[steps, TOWER] = 0.0, weights()[TOWER]
    lower, upper = np.maximum(lower, built_lower), np.minimum(upper, built_upper)
    crossed = lower > upper
    lower = np.where(crossed, built_lower, lower)
    upper = np.where(crossed, built_upper, upper)
    # Machines are whole: a third of the range is not exact in float32.
    whole = from_unit64(lower)
    whole[:, MACHINES] = machines
    lower[:, MACHINES] = upper[:, MACHINES] = to_unit64(whole)[:, MACHINES]
    return dataclasses.replace(
        built,
        lower=lower,
        upper=upper,
        held=to_unit64(inputs.previous),
        backup=np.clip(np.asarray(built.backup), lower, upper),
    )


def _fan_steps(built_upper: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return where the tower fan is off, starts or stops: no ramp applies."""
    return (last < LEAST_FAN - 1e-6) | (built_upper <= 0.0)


def _with_whole_ranges(built: Envelope, known: np.ndarray) -> Envelope:
    """Free the channels that the log does not hold."""
    unknown = ~known & ~_requests()[None, :]
    return dataclasses.replace(
        built,
        lower=np.where(unknown, 0.0, built.lower),
        upper=np.where(unknown, weights()[None, :], built.upper),
    )


def _requests() -> np.ndarray:
    """Return which channels are bounded by interlocks alone, bool, shape (10,)."""
    is_request = np.zeros(ACTION_SIZE, dtype=bool)
    is_request[-2:] = True
    return is_request


def judge_actions(
    inputs: Inputs,
    actions: np.ndarray,
    known: Known,
    model: SafetyModel,
    ramp_scale: float,
) -> np.ndarray:
    """Return h of the 21 limits for several actions of each row, (T, n, 21).

    NaN where a limit is not observable, float64, each in its own unit.

    Args:
        inputs: What was known at each row.
        actions: Shape (T, n, 10), NaN for none. [each channel's unit]
        known: What the safety layer knew at each row.
        model: Plant and limits.
        ramp_scale: Length of a step over 300 s. [1]
    """
    scale, found = jnp.asarray(ramp_scale, jnp.float32), []
    for rows, count in chunks(inputs.rows):
        action = jnp.asarray(actions[rows], jnp.float32)
        now = rows_of(known.estimate, rows)
        values = _judge(observation_of(inputs, rows), action, now, model, scale)
        found.append(np.asarray(values, dtype=np.float64)[:count])
    return np.concatenate(found)
