"""A thousand random episodes: what fails, what trips, and why.

A failure is the environment's: a state that diverges, a number that is not
finite, heat that goes missing, a record that contradicts itself. A trip is the
plant's: servers too hot under random set-points and faults. Only failures count
against the environment; trips are listed by their cause.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from coolbound_envs.audit.closure import given_and_rejected, stored
from coolbound_envs.audit.earning import expected_reward, metered
from coolbound_envs.audit.ends import is_too_hot
from coolbound_envs.audit.lab import ENDLESS, Lab, Step, host, wander
from coolbound_envs.audit.records import (
    Check,
    adjusted,
    judged,
    task_params,
    task_state,
)
from coolbound_envs.cooling import REWARD_POWER, true_plant
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.spec import point_array
from coolbound_envs.types import Quality

FAILURE_BOUND: Final = 0.05
"""Episodes that may fail, of all. [1]"""

HEAT_BOUND: Final = 1e-2
"""Heat that may go missing in one episode, over the heat given off. [1]"""

REWARD_BOUND: Final = 1e-5
"""Reward may differ from its meters by this, over facility power. [1]"""

REQUESTS: Final = 0.05
"""Probability that a request is drawn anew in a step. [1]"""

SLOWEST: Final = 0.2
"""Square root of the slowest random walk's pace, over the ramps. [1]"""

WORST: Final = 4
"""Episodes that are kept for the page. [1]"""

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

SERIES: Final = (
    "hottest_inlet",
    "supply_air",
    "chw_supply",
    "basin",
    "power_above_work",
    "airflow_ratio",
    "machines",
    "tower_fan",
    "fan_speed",
    "heat_missing",
)
"""What is kept of every step of an episode, in the order of the arrays."""


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """One episode worth looking at. Static.

    Attributes:
        title: Why it is shown.
        ending: What became of it.
        hours: Time of each step's end. [h]
        series: By the names of `SERIES`, NaN after its end. [mixed units]
    """

    title: str
    ending: str
    hours: np.ndarray
    series: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Batch:
    """Episodes that ran side by side. Static.

    Attributes:
        failure: Index into `FAILURES`, -1 for none, (lanes,). [1]
        trip: Index into `TRIPS`, -1 for none, (lanes,). [1]
        ended: Step of its end, or the number of steps, (lanes,). [1]
        missing: Heat that went missing over heat given off, (lanes,). [1]
        cost: Costs summed over groups and steps, (lanes,). [1]
        series: (steps, series, lanes). [mixed units]
    """

    failure: np.ndarray
    trip: np.ndarray
    ended: np.ndarray
    missing: np.ndarray
    cost: np.ndarray
    series: np.ndarray


def run_batch(lab: Lab, params: Any, seed: int) -> Batch:
    """Run one batch of random episodes."""
    observation, state = lab.reset(params, seed)
    constants = host(true_plant(task_state(state), task_params(params)))
    rng = np.random.default_rng((lab.seed, seed))
    lanes, steps = lab.sizes.lanes, lab.sizes.episode_steps
    # Slow walks stay near what is sensible for hours, fast ones leave it at once.
    pace = rng.uniform(SLOWEST, 1.0, (lanes, 1)) ** 2
    book = _Book(lanes, steps)
    last = np.asarray(observation.applied)
    kept = stored(host(task_state(state).plant), constants)
    for number in range(steps):
        actions = wander(rng, last, REQUESTS, pace)
        step = lab.step(params, state, actions, seed * 1000 + number)
        now = stored(host(task_state(step.state).plant), constants)
        book.enter(number, observation, step, now - kept)
        observation, state, kept = step.observation, step.state, now
        last = np.asarray(observation.applied)
    return book.closed()


class _Book:
    """Keeps the account of one batch while it runs."""

    def __init__(self, lanes: int, steps: int) -> None:
        """Open an empty account."""
        self.alive = np.ones(lanes, bool)
        self.failure, self.trip = (np.full(lanes, -1) for _ in range(2))
        self.ended = np.full(lanes, steps)
        self.given, self.gap, self.cost, self.dark = (np.zeros(lanes) for _ in range(4))
        self.dark -= 1e9
        self.series = np.full((steps, len(SERIES), lanes), np.nan)

    def enter(
        self, number: int, before: Any, step: Step, stored_more: np.ndarray
    ) -> None:
        """Enter one step of all lanes; lanes that have ended are left alone."""
        given, rejected = given_and_rejected(host(step.info["summary"].mean))
        missing = given - rejected - stored_more
        self.given += np.where(self.alive, np.nan_to_num(given), 0.0)
        self.gap += np.where(self.alive, np.nan_to_num(missing), 0.0)
        costs = np.nan_to_num(np.asarray(step.info["costs"], np.float64)).sum(-1)
        self.cost += np.where(self.alive, costs, 0.0)
        dark = np.asarray(step.info["disturbance"].faults.power_lost) > 0.0
        self.dark = np.where(dark, number, self.dark)
        self.series[number] = np.where(self.alive, _series(step, missing / given), np.nan)
        wrong = failures_of(before, step)
        self.failure = np.where(self.alive & (self.failure < 0), wrong, self.failure)
        hot = is_too_hot(step) & ~_diverged(step)
        cause = trip_cause(step, number - self.dark)
        self.trip = np.where(self.alive & hot, cause, self.trip)
        over = np.asarray(step.terminated).astype(bool) | _diverged(step)
        self.ended = np.where(self.alive & over, number + 1, self.ended)
        self.alive = self.alive & ~over

    def closed(self) -> Batch:
        """Return the account; heat that is missing in sum is a failure too."""
        missing = np.abs(self.gap) / np.maximum(self.given, 1.0)
        place = list(FAILURES).index("energy not closed")
        leaks = (self.failure < 0) & ~(missing <= HEAT_BOUND)
        failure = np.where(leaks, place, self.failure)
        return Batch(failure, self.trip, self.ended, missing, self.cost, self.series)


def _diverged(step: Step) -> np.ndarray:
    none = np.zeros(np.asarray(step.reward).shape, bool)
    return np.asarray(step.info.get("diverged", none)).astype(bool)


def failures_of(before: Any, step: Step) -> np.ndarray:
    """Return the first cause of failure of each lane in a step, -1 for none.

    Args:
        before: Observation that the step began from.
        step: What came back.
    """
    diverged = _diverged(step)
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
    setpoint = np.asarray(step.observation.applied)[:, 4]
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


def _series(step: Step, missing: np.ndarray) -> np.ndarray:
    summary, plant = step.info["summary"], task_state(step.state).plant
    applied = np.asarray(step.observation.applied)
    above = metered(step) - np.asarray(step.info["work"], np.float64)
    rows = (
        summary.inlet_temp_max,
        np.max(np.asarray(plant.supply_air_temp), axis=0),
        plant.supply_pipe_temp[0],
        plant.basin_temp,
        above / 1e3,
        np.min(np.asarray(summary.mean.airflow_ratio), axis=0),
        plant.sequencer.running_count,
        applied[:, 7],
        np.min(applied[:, 2:4], axis=-1),
        missing,
    )
    return np.stack([np.asarray(row, np.float64) for row in rows])


def check_episodes(lab: Lab) -> tuple[Check, list[Trajectory]]:
    """Run random episodes under faults and variation and sort what went wrong."""
    is_rough = lab.subject.rough is not None
    params = adjusted(
        lab.subject.rough if is_rough else lab.noisy,
        horizon=jnp.asarray(ENDLESS, jnp.int32),
    )
    batches = [
        run_batch(lab, params, 81 + i)
        for i in range(-(-lab.sizes.episodes // lab.sizes.lanes))
    ]
    failure = np.concatenate([batch.failure for batch in batches])
    trip = np.concatenate([batch.trip for batch in batches])
    failed = {name: int(np.sum(failure == i)) for i, name in enumerate(FAILURES)}
    tripped = {name: int(np.sum(trip == i)) for i, name in enumerate(TRIPS)}
    rate = float(np.mean(failure >= 0))
    hours = lab.sizes.episode_steps * CONTROL_INTERVAL / 3600.0
    sentence = (
        f"{100 * rate:.2f} % of {failure.size:,} random episodes of {hours:g} h fail "
        f"({_listed(failed)}), "
        + ("with" if is_rough else "without")
        + " random faults and variation of the plant; in "
        f"{100 * np.mean(trip >= 0):.0f} % servers trip under random set-points "
        f"({_listed(tripped)})."
    )
    details = {
        "episodes": int(failure.size),
        "failures": failed,
        "trips": tripped,
        "worst_missing_heat": float(max(batch.missing.max() for batch in batches)),
    }
    check = judged("random_episodes", rate, FAILURE_BOUND, "1", sentence, details)
    return check, worst_of(batches)


def _listed(counts: Mapping[str, int]) -> str:
    shown = [f"{name} {count}" for name, count in counts.items() if count]
    return ", ".join(shown) or "none"


def worst_of(batches: Sequence[Batch]) -> list[Trajectory]:
    """Return the episodes that a reader should look at first."""
    picked: list[tuple[int, int, str]] = []
    for b, batch in enumerate(batches):
        picked += [
            (b, int(lane), "Failed") for lane in np.flatnonzero(batch.failure >= 0)
        ]
    picked = picked[: WORST // 2]
    hottest = _largest(batches, lambda batch: np.nanmax(batch.series[:, 0], axis=0))
    powers = _largest(batches, lambda batch: np.nanmax(batch.series[:, 4], axis=0))
    costly = _largest(
        batches, lambda batch: np.where(batch.trip < 0, batch.cost, -np.inf)
    )
    leaking = _largest(batches, lambda batch: batch.missing)
    picked += [
        (*hottest, "Hottest inlet of all"),
        (*costly, "Highest costs without a trip"),
        (*powers, "Most power above the IT work"),
        (*leaking, "Largest share of heat missing"),
    ]
    return [_trajectory(batches[b], lane, why) for b, lane, why in picked[:WORST]]


def _largest(batches: Sequence[Batch], measure: Any) -> tuple[int, int]:
    values = [np.nan_to_num(measure(batch), nan=-np.inf) for batch in batches]
    best = int(np.argmax([np.max(value) for value in values]))
    return best, int(np.argmax(values[best]))


def _trajectory(batch: Batch, lane: int, title: str) -> Trajectory:
    steps = batch.series.shape[0]
    end = CONTROL_INTERVAL / 3600.0 * float(batch.ended[lane])
    if batch.failure[lane] >= 0:
        cause = list(FAILURES)[batch.failure[lane]]
        ending = f"failed ({cause}) after {end:.2g} h"
    elif batch.trip[lane] >= 0:
        ending = f"servers tripped ({list(TRIPS)[batch.trip[lane]]}) after {end:.2g} h"
    else:
        ending = "ran to its end"
    hours = CONTROL_INTERVAL / 3600.0 * np.arange(1, steps + 1)
    series = {name: batch.series[:, i, lane] for i, name in enumerate(SERIES)}
    return Trajectory(title, ending, hours, series)
