"""Why an episode failed, and why a plant tripped.

A failure is the environment's: a state that diverges, a number that is not
finite, heat that goes missing, a record that contradicts itself. A trip is the
plant's: servers too hot under random set-points and faults.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from coolbound_envs.accounts import REWARD_POWER
from coolbound_envs.audit.earning import expected_reward, metered
from coolbound_envs.audit.ends import is_too_hot
from coolbound_envs.audit.lab import Step, host
from coolbound_envs.audit.records import task_state
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.spec import CHANNEL_NAMES, point_array
from coolbound_envs.types import Quality

CHW: Final = CHANNEL_NAMES.index("chw_supply_setpoint")

HEAT_BOUND: Final = 1e-2
"""Heat that may go missing in one episode, over the heat given off. [1]"""

REWARD_BOUND: Final = 1e-5
"""Reward may differ from its meters by this, over facility power. [1]"""

FAILURES: Final[Mapping[str, str]] = {
    "diverged": "the integration left what is physical",
    "not finite": "a reward, cost, limit or reading is NaN or infinite",
    "energy not closed": f"more than {100 * HEAT_BOUND:g} % of the heat goes missing",
    "reward not metered": "the reward is not what the meters say",
    "clock or count": "time or step count does not go on by one interval",
    "wrong end": "ended without a cause, or went on in spite of one",
    "action refused": "an action inside its box was refused",
    "reading out of range": "a reading outside its instrument's range passes as good",
}
"""Causes of failure, in the order in which they are looked for."""

TRIPS: Final[Mapping[str, str]] = {
    "power lost": "utility power failed within half an hour before",
    "CRAH units lost": "a fault took CRAH units out of service",
    "too little air": "less CRAH air than the servers draw",
    "no machine": "neither a chiller nor the economizer took heat",
    "machines short": "chilled water far above its set-point",
    "coil or set-point": "chilled water held, yet the halls grew hot",
}
"""Causes of a trip, in the order in which they are looked for."""


def has_diverged(step: Step) -> np.ndarray:
    """Return where the environment says that its integration diverged, (lanes,)."""
    none = np.zeros(np.asarray(step.reward).shape, bool)
    return np.asarray(step.info.get("diverged", none)).astype(bool)


def failures_of(before: Any, step: Step) -> np.ndarray:
    """Return the first cause of failure of each lane in a step, -1 for none.

    Args:
        before: Observation that the step began from.
        step: What came back.
    """
    diverged = has_diverged(step)
    numbers = [step.reward, step.info["limits"], step.info["costs"]]
    finite = np.all([_all_finite(x) for x in numbers], axis=0) & _readings_told(step)
    size = np.maximum(metered(step) / REWARD_POWER, np.abs(expected_reward(step)))
    error = np.abs(np.asarray(step.reward, np.float64) - expected_reward(step)) / size
    moved = np.asarray(step.observation.time, np.float64) - np.asarray(before.time)
    refused = np.asarray(step.info.get("action_refused", diverged)).astype(bool)
    ended = np.asarray(step.terminated).astype(bool)
    found = {
        "diverged": diverged,
        "not finite": ~finite,
        "reward not metered": ~(error <= REWARD_BOUND),
        "clock or count": np.abs(moved - CONTROL_INTERVAL) > 0.5,
        "wrong end": (ended != is_too_hot(step)) | np.asarray(step.truncated),
        "action refused": refused & ~diverged,
        "reading out of range": _out_of_range(step),
    }
    cause = np.full(diverged.shape, -1)
    for name in reversed(found):
        cause = np.where(found[name], list(FAILURES).index(name), cause)
    return cause


def _all_finite(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return np.all(np.isfinite(array.reshape(array.shape[0], -1)), axis=-1)


def _readings_told(step: Step) -> np.ndarray:
    """Return where every reading that is no number says that it is missing."""
    missing = np.asarray(step.observation.quality) == int(Quality.MISSING)
    return np.all(np.isfinite(np.asarray(step.observation.value)) | missing, axis=-1)


def _out_of_range(step: Step) -> np.ndarray:
    value, quality = (
        np.asarray(step.observation.value),
        np.asarray(step.observation.quality),
    )
    slack = 1e-3 + point_array("resolution")
    beyond = (value < point_array("lower") - slack) | (
        value > point_array("upper") + slack
    )
    return np.any(beyond & (quality >= int(Quality.UNCERTAIN)), axis=-1)


def trip_cause(step: Step, since_dark: np.ndarray) -> np.ndarray:
    """Return why each plant is too hot, as an index into `TRIPS`.

    Args:
        step: The step in which the servers tripped.
        since_dark: Steps since utility power was lost, (lanes,). [1]
    """
    mean, plant = host(step.info["summary"].mean), host(task_state(step.state).plant)
    faults = host(step.info["disturbance"].faults)
    taken = mean.chiller_heat + mean.economizer_heat
    setpoint = np.asarray(step.observation.applied)[:, CHW]
    found = {
        "power lost": since_dark <= 6,
        "CRAH units lost": faults.crah_lost.max(axis=0) > 0.25,
        "too little air": mean.airflow_ratio.min(axis=0) < 0.95,
        "no machine": taken < 0.1 * mean.it_power.sum(axis=0),
        "machines short": plant.supply_pipe_temp[0] > setpoint + 2.0,
    }
    cause = np.full(taken.shape, len(TRIPS) - 1)
    for name in reversed(found):
        cause = np.where(found[name], list(TRIPS).index(name), cause)
    return cause
