"""Do the instruments say what is, when it is, and how old it is?"""

import dataclasses
from typing import Any, Final

import numpy as np

from coolbound_envs.audit.lab import (
    Lab,
    Step,
    largest,
    normal_actions,
    wander,
    with_instruments,
)
from coolbound_envs.audit.records import Check, judged, kicked
from coolbound_envs.audit.truth import true_readings
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.sensors import OVER_RANGE
from coolbound_envs.spec import CHANNEL_NAMES, POINT_NAMES, point_array
from coolbound_envs.types import Quality

STEPS: Final = 16
"""Control steps that are watched. [1]"""

KICK_STEP: Final = 8
"""Before this step half of the plants are changed under the instruments. [1]"""

KICKS: Final = {
    "basin_temp": 3.0,
    "buffer_temp": 2.0,
    "supply_pipe_temp": 2.0,
    "return_pipe_temp": 2.0,
    "server_temp": 3.0,
    "hot_aisle_temp": 3.0,
    "room_dew_point": 2.0,
}
"""State quantities that are raised, and by how much. [K]"""

READING_BOUND: Final = 0.51
"""Half a step of the converter, and what float32 rounds. [steps]"""

DROPOUT: Final = 0.3
"""Probability that a reading does not arrive while ages are checked. [1]"""


@dataclasses.dataclass(frozen=True)
class Watched:
    """A run with what the instruments said and what was true. Static.

    Attributes:
        said: Readings, (steps, lanes, points). [each point's unit]
        true: The same of the true state, NaN where unknown here.
            [each point's unit]
        age: Of each reading, likewise. [s]
        quality: `Quality` of each reading, likewise.
        given: Actions given, (steps, lanes, 10). [each channel's unit]
        shown: Set-points shown as in force, likewise. [each channel's unit]
        time: Clock of the observation, (steps, lanes). [s]
        begun: Clock before the first step, (lanes,). [s]
    """

    said: np.ndarray
    true: np.ndarray
    age: np.ndarray
    quality: np.ndarray
    given: np.ndarray
    shown: np.ndarray
    time: np.ndarray
    begun: np.ndarray


def watch(lab: Lab, params: Any, seed: int) -> Watched:
    """Run random set-points and keep readings, truth, ages and set-points."""
    observation, state = lab.reset(params, seed)
    rng = np.random.default_rng(lab.seed + seed)
    actions, rows = normal_actions(lab.sizes.lanes), []
    for number in range(STEPS):
        if number == KICK_STEP:
            odd = np.arange(lab.sizes.lanes) % 2 == 1
            state = kicked(state, odd, **KICKS)
        actions = wander(rng, actions, 0.3)
        step = lab.step(params, state, actions, number)
        rows.append(_row(step, actions))
        state = step.state
    columns = [np.stack(column) for column in zip(*rows, strict=True)]
    return Watched(*columns, begun=np.asarray(observation.time))


def _row(step: Step, actions: np.ndarray) -> tuple[np.ndarray, ...]:
    seen = step.observation
    known = true_readings(step)
    none = np.full(actions.shape[0], np.nan)
    true = np.stack([known.get(name, none) for name in POINT_NAMES], axis=-1)
    given = np.asarray(step.info.get("certified", actions), np.float64)
    return (
        np.asarray(seen.value, np.float64),
        true,
        np.asarray(seen.age, np.float64),
        np.asarray(seen.quality),
        given,
        np.asarray(seen.applied, np.float64),
        np.asarray(seen.time, np.float64),
    )


def in_steps(said: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return how far readings are from the truth, in steps of each converter.

    A converter keeps its readings within the instrument's range.
    """
    lower, upper = point_array("lower"), point_array("upper")
    step = np.maximum(point_array("resolution"), 1e-3)
    return np.abs(said - np.clip(true, lower, upper)) / step


def check_fresh(lab: Lab) -> Check:
    """Compare every reading with the state of the same step, which has just moved."""
    watched = watch(lab, lab.quiet, 11)
    error = in_steps(watched.said, watched.true)
    unknown = [
        n
        for n, true in zip(POINT_NAMES, watched.true.T, strict=True)
        if np.all(np.isnan(true))
    ]
    worst = largest(error[..., [name not in unknown for name in POINT_NAMES]])
    moved = in_steps(watched.true[1:], watched.true[:-1]) > 0.99
    seen_moving = np.any(moved, axis=(0, 1))
    still = [
        n
        for n, m in zip(POINT_NAMES, seen_moving, strict=True)
        if not m and n not in unknown
    ]
    sentence = (
        f"Every reading is within {worst:.2f} of a converter step of the true state "
        f"after the same step, over {STEPS} steps in which {int(seen_moving.sum())} of "
        f"{len(POINT_NAMES)} points moved by a step of theirs or more"
        + (f"; without a true value here: {', '.join(unknown)}" if unknown else "")
        + (f"; never moved: {', '.join(still)}" if still else "")
        + "."
    )
    by_point = {
        name: largest(error[..., i])
        for i, name in enumerate(POINT_NAMES)
        if name not in unknown
    }
    return judged(
        "fresh_observation",
        worst,
        READING_BOUND,
        "converter steps",
        sentence,
        {"worst_by_point": by_point, "unknown": unknown, "still": still},
        not unknown and not still,
    )


def check_age(lab: Lab) -> Check:
    """Let readings fail to arrive, and hold each against the time it claims."""
    params = with_instruments(lab.noisy, 0.0, DROPOUT)
    watched = watch(lab, params, 12)
    back = np.round(watched.age / CONTROL_INTERVAL).astype(int)
    number = np.arange(STEPS)[:, None, None]
    is_judged = (back <= number) & np.isfinite(watched.said)
    taken = np.maximum(number - back, 0)
    lanes = np.arange(watched.said.shape[1])[None, :, None]
    points = np.arange(watched.said.shape[2])[None, None, :]
    error = in_steps(watched.said, watched.true[taken, lanes, points])
    is_wrong = is_judged & ~(error <= READING_BOUND) & ~np.isnan(watched.true)
    not_whole = np.abs(watched.age - back * CONTROL_INTERVAL) > 1e-3
    wrong = int(np.sum(is_wrong | (is_judged & not_whole)))
    expected = _quality(watched, watched.true[taken, lanes, points])
    quality = int(np.sum(is_judged & (expected >= 0) & (watched.quality != expected)))
    late = float(np.mean(back > 0))
    sentence = (
        f"With {100 * DROPOUT:.0f} % of readings lost, {100 * late:.0f} % of those "
        f"shown are old; {wrong} of {int(is_judged.sum()):,} differ from the true "
        f"state at the time that their age names, and {quality} carry another quality "
        "than their age and value say."
    )
    return judged(
        "reading_age",
        wrong + quality,
        0.0,
        "readings",
        sentence,
        {"old_share": late, "wrong_value": wrong, "wrong_quality": quality},
        late > 0.5 * DROPOUT,
    )


def _quality(watched: Watched, true: np.ndarray) -> np.ndarray:
    """Return the quality that age and value call for, -1 where it hangs by a step.

    Args:
        watched: The run.
        true: True value at the time that each reading names. [each point's unit]
    """
    lower, upper = point_array("lower"), point_array("upper")
    beyond = np.maximum(lower - true, true - upper) - OVER_RANGE * (upper - lower)
    found = np.where(
        watched.age > 2.0 * CONTROL_INTERVAL, int(Quality.UNCERTAIN), int(Quality.GOOD)
    )
    found = np.where(beyond > 0.0, int(Quality.BAD), found)
    found = np.where(np.isfinite(watched.said), found, int(Quality.MISSING))
    return np.where(np.abs(beyond) <= point_array("resolution"), -1, found)


def check_setpoints(lab: Lab) -> Check:
    """Compare the set-points shown as in force, and the clock, with what was given."""
    watched = watch(lab, lab.noisy, 13)
    differs = watched.shown != watched.given.astype(np.float32)
    clock = watched.begun + CONTROL_INTERVAL * np.arange(1, STEPS + 1)[:, None]
    late = int(np.sum(np.abs(watched.time - clock) > 0.5))
    by_channel = dict(
        zip(CHANNEL_NAMES, np.sum(differs, axis=(0, 1)).tolist(), strict=True)
    )
    wrong = int(differs.sum())
    sentence = (
        f"Of {differs.size:,} set-points shown as in force {wrong} differ from those "
        f"given in the step; the clock is wrong in {late} of {watched.time.size:,} "
        "observations."
    )
    return judged(
        "setpoints_in_force", wrong + late, 0.0, "values", sentence, by_channel
    )
