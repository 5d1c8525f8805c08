"""Who drives the plant: the agent, or the neutral rule; and how one hands over.

The neutral state is the last rung of the ladder: a rule-based controller, any that
keeps the `Controller` contract, drives until the safety layer has proven itself again.

    agent -> neutral    at once where the instruments are too old, else after
                        PATIENCE decisions in a row without a certified action
    neutral -> agent    after RETURN_AFTER certified decisions in a row

Handing over is bumpless both ways: set-points start from the action in force, and
none moves faster than its channel's rate. Thirty minutes of proof before a return keep
an instrument that comes and goes from moving the plant to and fro.
"""

import dataclasses
import enum
from typing import Final

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, channel_array

PATIENCE: Final = 2
"""Decisions in a row without a certified action that are bridged by holding. [1]"""

RETURN_AFTER: Final = 6
"""Certified decisions in a row, 30 min, before the agent drives again. [1]"""

FAN: Final = CHANNEL_NAMES.index("tower_fan_speed")
"""The tower fans are off, or at 0.2 and above."""

FAN_LEAST: Final = 0.2
"""Lowest speed of a tower fan that turns. [1]"""

_LOWER, _UPPER = channel_array("lower"), channel_array("upper")
_RAMP = channel_array("ramp")


class Mode(enum.IntEnum):
    """Who drives."""

    AGENT = 0
    NEUTRAL = 1


class Worth(enum.IntEnum):
    """What one decision says about the safety layer.

    BAD: nothing was certified. FAIR: certified, but a fallback. GOOD: certified.
    """

    BAD = 0
    FAIR = 1
    GOOD = 2


@dataclasses.dataclass(frozen=True)
class Takeover:
    """Who drives, and what counts towards a change.

    Attributes:
        mode: Who drives.
        bad: Decisions in a row without a certified action. [1]
        good: Certified decisions in a row. [1]
    """

    mode: Mode = Mode.AGENT
    bad: int = 0
    good: int = 0


def advance(state: Takeover, worth: Worth, is_urgent: bool = False) -> Takeover:
    """Return the state after one decision.

    Args:
        state: Before it.
        worth: What the decision was worth.
        is_urgent: Do not wait for a second bad decision.
    """
    bad = state.bad + 1 if worth == Worth.BAD else 0
    good = state.good + 1 if worth == Worth.GOOD else 0
    mode = state.mode
    if is_urgent or bad >= PATIENCE:
        mode, good = Mode.NEUTRAL, 0
    elif mode == Mode.NEUTRAL and good >= RETURN_AFTER:
        mode = Mode.AGENT
    return Takeover(mode=mode, bad=bad, good=good)


def move_towards(
    target: np.ndarray, in_force: np.ndarray, ramp_scale: float = 1.0
) -> np.ndarray:
    """Return the target as far as each channel's rate lets it come, shape (10,).

    A channel whose target is not finite holds. One whose value in force is not known
    takes its target, within the range; without either it stands in mid-range. From
    outside its range a channel only moves inward.

    Args:
        target: Where the set-points should go. [each channel's unit]
        in_force: Where they are. [each channel's unit]
        ramp_scale: Length of the step over 300 s. [1]

    Raises:
        ValueError: An array has the wrong shape.
    """
    target, in_force = _vector(target, "target"), _vector(in_force, "action in force")
    last = np.where(np.isfinite(in_force), in_force, target)
    last = np.where(np.isfinite(last), last, 0.5 * (_LOWER + _UPPER))
    wanted = np.clip(np.where(np.isfinite(target), target, last), _LOWER, _UPPER)
    step = np.where(np.isfinite(in_force), _RAMP * ramp_scale, np.inf)
    moved = np.clip(wanted, last - step, last + step)
    moved[FAN] = _fan(float(wanted[FAN]), float(last[FAN]), float(step[FAN]))
    return moved


def _vector(given: np.ndarray, name: str) -> np.ndarray:
    vector = np.asarray(given, dtype=np.float64)
    if vector.shape != _LOWER.shape:
        raise ValueError(
            f"{name}: found shape {vector.shape}, expected {_LOWER.shape}; "
            "give one action"
        )
    return vector


def _fan(wanted: float, last: float, step: float) -> float:
    """Return the fan's next speed [1]: off and the lowest speed are neighbours."""
    goes_off = wanted < 0.5 * FAN_LEAST
    if last < 1e-4:
        return 0.0 if goes_off else FAN_LEAST
    if last < FAN_LEAST - 1e-6:
        return min(last + step, FAN_LEAST)
    if goes_off and last <= FAN_LEAST + 1e-6:
        return 0.0
    wanted = max(wanted, FAN_LEAST)
    return float(np.clip(wanted, last - step, last + step))
