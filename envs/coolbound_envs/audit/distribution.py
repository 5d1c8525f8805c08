"""Does the plant look like the log? Its readings beside the logged ones.

The logged set-points are played into the environment under the logged weather
and load, and every point is compared as a distribution, not sample by sample:
a plant that is right but a few minutes out of step is right.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.audit.lab import LOWER, UPPER, Lab
from coolbound_envs.audit.places import placed
from coolbound_envs.audit.records import (
    Check,
    LoggedRun,
    adjusted,
    judged,
    not_run,
    task_params,
)
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.scenario import Scenario
from coolbound_envs.spec import POINT_NAMES, POINTS

WARM_STEPS: Final = 96
"""Control steps that each piece of the log is run before it counts. [1]"""

COVERAGE: Final = 0.5
"""Share of the steps that a point must be logged in to be compared. [1]"""

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of each distribution, as shown. [1]"""

DISTANCE_BOUND: Final = 1.0
"""Distance of a point's distribution, over the point's tolerance. [tolerances]"""

TOLERANCES: Final[Mapping[str, tuple[float, float]]] = {
    # unit: absolute, and share of the logged mean; the larger counts
    "degC": (1.0, 0.0),
    "kW": (2.0, 0.05),
    "kg/s": (2.0, 0.05),
    "kPa": (5.0, 0.05),
    "machines": (0.1, 0.0),
    "1": (0.1, 0.0),
}
"""What two distributions may differ by: a kelvin, or a twentieth, as ASHRAE
Guideline 14 is said to allow the monthly bias of a calibrated model (read at
second hand). [each unit]"""

DIGITS: Final = 3
"""Readings are compared after rounding to these: a log holds decimal numbers,
the simulation float32, and equal readings must be equal. [1]"""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One point, logged and simulated. Static.

    Attributes:
        point: Its name.
        unit: Of all numbers here but the last two.
        logged: Quantiles. [each point's unit]
        simulated: Quantiles. [each point's unit]
        distance: Wasserstein, order 1. [each point's unit]
        tolerance: What it may be. [each point's unit]
        largest_gap: Kolmogorov-Smirnov. [1]
        samples: Logged readings compared. [1]
    """

    point: str
    unit: str
    logged: tuple[float, ...]
    simulated: tuple[float, ...]
    distance: float
    tolerance: float
    largest_gap: float
    samples: int


def wasserstein(first: np.ndarray, second: np.ndarray) -> float:
    """Return the area between two empirical distribution functions [their unit]."""
    values = np.sort(np.concatenate([first, second]))
    shares = [_share_below(sample, values[:-1]) for sample in (first, second)]
    return float(np.sum(np.abs(shares[0] - shares[1]) * np.diff(values)))


def kolmogorov_smirnov(first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest gap between two empirical distribution functions [1]."""
    values = np.concatenate([first, second])
    shares = [_share_below(sample, values) for sample in (first, second)]
    return float(np.max(np.abs(shares[0] - shares[1])))


def _share_below(sample: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.sort(sample), values, side="right") / len(sample)


def compare(
    logged: Mapping[str, np.ndarray], simulated: Mapping[str, np.ndarray]
) -> list[Comparison]:
    """Return every point that both know well enough, over the same steps."""
    found = []
    for point in POINTS:
        if point.name not in logged:
            continue
        known = np.isfinite(logged[point.name]) & np.isfinite(simulated[point.name])
        if np.mean(known) < COVERAGE:
            continue
        log, model = (
            np.round(side[point.name][known], DIGITS) for side in (logged, simulated)
        )
        absolute, share = TOLERANCES[point.unit]
        found.append(
            Comparison(
                point=point.name,
                unit=point.unit,
                logged=tuple(np.quantile(log, QUANTILES).tolist()),
                simulated=tuple(np.quantile(model, QUANTILES).tolist()),
                distance=wasserstein(log, model),
                tolerance=max(absolute, share * float(np.mean(np.abs(log)))),
                largest_gap=kolmogorov_smirnov(log, model),
                samples=int(known.sum()),
            )
        )
    return found


def replayed(lab: Lab, log: LoggedRun) -> tuple[np.ndarray, np.ndarray]:
    """Play a log's set-points into the environment, in pieces side by side.

    Returns:
        Readings after each step that counts, (steps, points), and the numbers of
        those steps in the log.
    """
    steps = min(len(log.applied), lab.sizes.log_steps)
    pieces = min(lab.sizes.lanes, max(1, (steps - WARM_STEPS) // WARM_STEPS))
    length = -(-(steps - WARM_STEPS) // pieces)
    begin = np.minimum(np.arange(lab.sizes.lanes), pieces - 1) * length
    place = log.place
    clock, offset = int(place.time[0]), int(place.load_offset[0])
    last = (clock + offset) // int(CONTROL_INTERVAL) + steps + length
    like = task_params(lab.noisy).scenario
    params = adjusted(lab.noisy, scenario=_resized(log.scenario, like, last))
    _, state = lab.reset(params, 91)
    start = clock + begin * int(CONTROL_INTERVAL)
    state = placed(state, start, int(place.city[0]), int(place.trace[0]), offset)
    values = []
    for number in range(WARM_STEPS + length):
        rows = np.minimum(begin + number, len(log.applied) - 1)
        actions = np.clip(log.applied[rows], LOWER, UPPER)
        step = lab.step(params, state, actions, number)
        state = step.state
        values.append(np.asarray(step.observation.value, np.float64)[:pieces])
    kept = np.stack(values[WARM_STEPS:], axis=1).reshape(-1, len(POINT_NAMES))
    numbers = (WARM_STEPS + begin[:pieces, None] + np.arange(length)).reshape(-1)
    return kept[numbers < steps], numbers[numbers < steps]


def _resized(scenario: Scenario, like: Scenario, load_steps: int) -> Scenario:
    """Return a scenario with tables as large as another's, where that loses nothing.

    So that nothing is compiled again. What is added lies beyond its lengths, and
    what is left out of the load lies beyond the steps that are used.
    """

    def resize(table: jax.Array, as_table: jax.Array) -> jax.Array:
        sizes = zip(table.shape, as_table.shape, strict=True)
        return jnp.pad(table, [(0, max(b - a, 0)) for a, b in sizes], mode="edge")

    wide = jax.tree.map(resize, scenario, like)
    width = like.utilisation.shape[1]
    if load_steps > width:
        return wide
    return dataclasses.replace(wide, utilisation=wide.utilisation[:, :width])


def check_distribution(lab: Lab) -> Check:
    """Compare every logged point with the plant under the log's own set-points."""
    log = lab.subject.log
    name, unit = "log_distribution", "tolerances"
    if log is None:
        return not_run(name, DISTANCE_BOUND, unit, lab.subject.no_log)
    if len(log.applied) < 2 * WARM_STEPS:
        reason = f"{log.name} is shorter than {2 * WARM_STEPS} steps"
        return not_run(name, DISTANCE_BOUND, unit, reason)
    values, numbers = replayed(lab, log)
    simulated = {n: values[:, i] for i, n in enumerate(POINT_NAMES)}
    found = compare({n: v[numbers] for n, v in log.points.items()}, simulated)
    if not found:
        return not_run(name, DISTANCE_BOUND, unit, f"{log.name} has no usable point")
    ratios = [row.distance / row.tolerance for row in found]
    worst = found[int(np.argmax(ratios))]
    beyond = [
        row.point for row, ratio in zip(found, ratios, strict=True) if ratio > 1.0
    ]
    days = len(numbers) * CONTROL_INTERVAL / 86400.0
    sentence = (
        f"Under the set-points, weather and load of {log.name} ({days:.1f} days), "
        f"{len(found) - len(beyond)} of {len(found)} points are distributed as logged "
        f"within 1 K or 5 %; furthest is {worst.point}, by {worst.distance:.3g} "
        f"{worst.unit}."
    )
    details: dict[str, Any] = {"rows": [dataclasses.asdict(row) for row in found]}
    return judged(name, max(ratios), DISTANCE_BOUND, unit, sentence, details)
