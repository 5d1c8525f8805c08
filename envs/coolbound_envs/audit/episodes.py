"""A thousand random episodes: what fails, what trips, and why.

Only failures of the environment count against it; trips of the plant are listed
by their cause. `causes` says which is which.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from coolbound_envs.audit.causes import (
    FAILURES,
    HEAT_BOUND,
    TRIPS,
    failures_of,
    has_diverged,
    trip_cause,
)
from coolbound_envs.audit.closure import given_and_rejected, stored
from coolbound_envs.audit.earning import metered
from coolbound_envs.audit.ends import is_too_hot
from coolbound_envs.audit.lab import ENDLESS, Lab, Step, host, wander
from coolbound_envs.audit.records import (
    Check,
    adjusted,
    judged,
    task_params,
    task_state,
)
from coolbound_envs.cooling import true_plant
from coolbound_envs.interval import CONTROL_INTERVAL

FAILURE_BOUND: Final = 0.05
"""Episodes that may fail, of all. [1]"""

REQUESTS: Final = 0.05
"""Probability that a request is drawn anew in a step. [1]"""

SLOWEST: Final = 0.2
"""Square root of the slowest random walk's pace, over the ramps. [1]"""

WORST: Final = 4
"""Episodes that are kept for the page. [1]"""

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
        self.series[number] = np.where(
            self.alive, _series(step, missing / given), np.nan
        )
        wrong = failures_of(before, step)
        self.failure = np.where(self.alive & (self.failure < 0), wrong, self.failure)
        hot = is_too_hot(step) & ~has_diverged(step)
        cause = trip_cause(step, number - self.dark)
        self.trip = np.where(self.alive & hot, cause, self.trip)
        over = np.asarray(step.terminated).astype(bool) | has_diverged(step)
        self.ended = np.where(self.alive & over, number + 1, self.ended)
        self.alive = self.alive & ~over

    def closed(self) -> Batch:
        """Return the account; heat that is missing in sum is a failure too."""
        missing = np.abs(self.gap) / np.maximum(self.given, 1.0)
        place = list(FAILURES).index("energy not closed")
        leaks = (self.failure < 0) & ~(missing <= HEAT_BOUND)
        failure = np.where(leaks, place, self.failure)
        return Batch(failure, self.trip, self.ended, missing, self.cost, self.series)


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
