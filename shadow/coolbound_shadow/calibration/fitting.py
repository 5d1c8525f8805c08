"""Fitting one part to its training rows, and what the rows say of each parameter.

A parameter whose 95 % interval is wider than its tolerance, or that ends at a bound,
is not identifiable from the log: it goes back to the site's value and the others are
fitted again without it. `solving` has the problem and its uncertainty.
"""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from scipy import stats

from coolbound_envs.params import PlantParams
from coolbound_shadow.calibration.part_types import Parameter, Part
from coolbound_shadow.calibration.solving import Problem, solve, uncertainty

ROWS_LEAST = 100
"""Steady training rows below which a part is not fitted. [1]"""

DAYS_LEAST = 2
"""Training days below which a part is not fitted. [1]"""

AT_BOUND = 1e-3
"""A value this near its bound, of the range, is at it. [1]"""

SILENT = 30.0
"""An interval this many tolerances wide says nothing. [1]"""


@dataclasses.dataclass(frozen=True)
class Found:
    """What the log says of one parameter. Static.

    Attributes:
        parameter: Which.
        value: What the model takes. [the parameter's unit]
        standard_error: Of its last fit; NaN if never fitted.
            [the parameter's unit]
        half_width: Of the 95 % interval. [the parameter's unit]
        refused: Why the site's value stays; empty where the fitted one is taken.
    """

    parameter: Parameter
    value: float
    standard_error: float = math.nan
    half_width: float = math.nan
    refused: str = ""

    @property
    def is_identifiable(self) -> bool:
        """Whether the log says it well enough to be taken."""
        return not self.refused


@dataclasses.dataclass(frozen=True)
class Fit:
    """One part, fitted. Static.

    Attributes:
        found: Its parameters.
        anchors: Training medians about which slopes turn. [each input's unit]
        correlation: Of all parameters fitted together, (K, K). [1]
        condition: Of the Jacobian scaled by tolerances, all parameters. [1]
        rows: Rows fitted to. [1]
        days: Days that they lie in. [1]
        refused: Why nothing was fitted; empty where something was.
    """

    found: tuple[Found, ...]
    anchors: np.ndarray
    correlation: np.ndarray
    condition: float = math.nan
    rows: int = 0
    days: int = 0
    refused: str = ""

    @property
    def values(self) -> np.ndarray:
        """What the model takes, (K,) [mixed units]."""
        return np.asarray([each.value for each in self.found])


def unfitted(part: Part, plant: PlantParams, reason: str) -> Fit:
    """Return a part that keeps the site's values."""
    found = tuple(Found(p, p.nominal, refused=reason) for p in part.parameters(plant))
    size = len(found)
    anchors = np.ones(len(part.anchors))
    return Fit(found, anchors, np.full((size, size), np.nan), refused=reason)


def fit_part(
    part: Part,
    plant: PlantParams,
    inputs: Mapping[str, np.ndarray],
    measured: np.ndarray,
    day: np.ndarray,
    held: str = "",
) -> Fit:
    """Return a part fitted to training rows.

    Args:
        part: Which.
        plant: The plant with what was fitted before.
        inputs: What the part's model takes, (N,) each.
        measured: What the meter read, (N,). [the meter's unit]
        day: Local day of each row, (N,). [1]
        held: Why all but the first parameter keep the site's values; none to fit
            them.
    """
    days = len(np.unique(day))
    if len(measured) < ROWS_LEAST or days < DAYS_LEAST:
        reason = (
            f"{len(measured)} steady training rows on {days} days, at least "
            f"{ROWS_LEAST} on {DAYS_LEAST} needed"
        )
        return unfitted(part, plant, reason)
    anchors = np.asarray([np.median(inputs[name]) for name in part.anchors])
    parameters = part.parameters(plant)
    problem = Problem(part, plant, inputs, measured, day, anchors, parameters)
    return _without_unknown(problem, days, held)


def _without_unknown(problem: Problem, days: int, held: str) -> Fit:
    """Fit, give up the parameter that is known least, and fit again."""
    parameters = problem.parameters
    size = len(parameters)
    free = [0] if held else list(range(size))
    found = [
        Found(p, p.nominal, refused="" if i in free else held)
        for i, p in enumerate(parameters)
    ]
    correlation = np.full((size, size), np.nan)
    condition = math.nan
    while free:
        values, loss = solve(problem, [f.value for f in found], free)
        error, covariance, number = uncertainty(problem, values, free, loss)
        if len(free) == size:
            correlation, condition = _correlation(covariance), number
        width = stats.t.ppf(0.975, max(days - 1, 1)) * error
        for place, index in enumerate(free):
            found[index] = Found(
                parameters[index],
                float(values[index]),
                float(error[place]),
                float(width[place]),
            )
        worst = _known_least([found[i] for i in free])
        if worst is None:
            break
        place, reason = worst
        index = free.pop(place)
        found[index] = dataclasses.replace(
            found[index], value=parameters[index].nominal, refused=reason
        )
    return Fit(
        tuple(found),
        problem.anchors,
        correlation,
        condition,
        len(problem.measured),
        days,
    )


def _correlation(covariance: np.ndarray) -> np.ndarray:
    deviation = np.sqrt(np.diag(covariance))
    return covariance / np.outer(deviation, deviation)


def _known_least(found: list[Found]) -> tuple[int, str] | None:
    """Return place and reason of the parameter to give up, None if all are known.

    The first of a part is its scale; it goes last.
    """
    reasons = [_doubt(each) for each in found]
    doubtful = [i for i, reason in enumerate(reasons) if reason]
    if not doubtful:
        return None
    later = [i for i in range(1, len(found))]
    unsure = [i for i in doubtful if i > 0] or (later if len(found) > 1 else [0])
    worst = max(
        unsure, key=lambda i: found[i].half_width / found[i].parameter.tolerance
    )
    return worst, reasons[worst] or (
        f"tied to {found[0].parameter.name}, which the log does not settle"
    )


def _doubt(each: Found) -> str:
    """Return why a fitted value is not taken; empty where it is."""
    parameter = each.parameter
    if not each.half_width <= SILENT * parameter.tolerance:
        return "not identifiable from this log: it says nothing of it"
    if each.half_width > parameter.tolerance:
        return (
            f"not identifiable from this log: known to +/- {each.half_width:.2g} "
            f"{_unit(parameter)}at 95 %, {parameter.tolerance:g} needed"
        )
    span = AT_BOUND * (parameter.upper - parameter.lower)
    if not parameter.lower + span < each.value < parameter.upper - span:
        return (
            f"not taken: the fit ended at the bound {each.value:.3g} of what was tried"
        )
    return ""


def _unit(parameter: Parameter) -> str:
    return "" if parameter.unit == "1" else f"{parameter.unit} "
