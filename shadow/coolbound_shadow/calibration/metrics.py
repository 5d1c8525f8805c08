"""How far a model is from a meter, hour by hour.

    NMBE     = 100 sum(measured - modelled) / ((n - p) mean(measured))
    CV(RMSE) = 100 sqrt(sum((measured - modelled)^2) / (n - p)) / mean(measured)

with p = 1, as ASHRAE Guideline 14-2014 defines them for calibrated simulations. Its
hourly bounds are 30 % for CV(RMSE) and 10 % for NMBE, either sign: they stand in the
file of refusal limits. The guideline was read in secondary sources that quote it, not
in the original.
"""

import dataclasses
import math

import numpy as np

from coolbound_shadow.refusal_limits import RefusalLimits, published

FITTED = 1
"""p of the formulas. [1]"""

HOUR_COVERAGE = 0.5
"""An hour with fewer of its rows is left out. [1]"""

HOURS_LEAST = 24
"""Hours below which no figure is given. [1]"""


@dataclasses.dataclass(frozen=True)
class Metrics:
    """A model against one meter. Static.

    Attributes:
        hours: Hours compared. [1]
        mean: Measured mean. [the meter's unit]
        cv_rmse: CV(RMSE); NaN with too few hours. [percent]
        nmbe: NMBE, positive where the model reads low; NaN likewise. [percent]
    """

    hours: int = 0
    mean: float = math.nan
    cv_rmse: float = math.nan
    nmbe: float = math.nan

    def passes(self, limits: RefusalLimits | None = None) -> bool:
        """Return whether both are within the hourly bounds; not so where unknown.

        Args:
            limits: What the bounds are; None for the published ones.
        """
        limits = limits or published()
        return self.cv_rmse <= limits.cv_rmse and abs(self.nmbe) <= limits.nmbe


def compare(measured: np.ndarray, modelled: np.ndarray) -> Metrics:
    """Return both figures of equally long series; too few hours give none."""
    hours, mean = len(measured), float(np.mean(measured)) if len(measured) else math.nan
    if hours < HOURS_LEAST or not mean > 0.0:
        return Metrics(hours=hours, mean=mean)
    error = measured - modelled
    return Metrics(
        hours=hours,
        mean=mean,
        cv_rmse=100.0 * math.sqrt(np.sum(error**2) / (hours - FITTED)) / mean,
        nmbe=100.0 * float(np.sum(error)) / ((hours - FITTED) * mean),
    )


@dataclasses.dataclass(frozen=True)
class Hourly:
    """Hourly means of several series over the same rows. Static.

    Attributes:
        hour: Local hours since the epoch, (H,). [1]
        series: Means, one array (H,) each.
    """

    hour: np.ndarray
    series: tuple[np.ndarray, ...]


def hourly(
    hour: np.ndarray, usable: np.ndarray, step_s: int, *series: np.ndarray
) -> Hourly:
    """Return means over the usable rows of each hour that has enough of them.

    Args:
        hour: Local hour of each row, (T,). [1]
        usable: True where a row counts, (T,).
        step_s: Length of a row. [s]
        series: What is averaged, (T,) each.
    """
    found, place, count = np.unique(
        hour[usable], return_inverse=True, return_counts=True
    )
    enough = count >= HOUR_COVERAGE * 3600.0 / max(step_s, 1)
    means = tuple(
        (np.bincount(place, each[usable], minlength=len(found)) / count)[enough]
        for each in series
    )
    return Hourly(found[enough], means)
