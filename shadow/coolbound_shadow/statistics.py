"""Intervals for a difference of two power series that are far from independent.

Both series run over the same weather and load, so they are compared in pairs.
Days are the unit. Two methods give an interval, and the wider one is published:

1. day means with the effective number of days of an AR(1) process, Student t;
2. means over blocks of several days, Student t.

An interval of independent samples is far too narrow here (its 95 % covers the
truth in 15 to 35 % of cases), hence none is offered.
"""

import dataclasses
import math

import numpy as np
from scipy import stats

from coolbound_shadow.refusal_limits import Floors, published

DAY_S = 86400
CONFIDENCE = 0.95
DAY_COVERAGE = 0.9
"""A day with fewer of its steps than this is left out. [1]"""

BLOCK_DAYS_MOST = 7
BLOCKS_WANTED = 4


@dataclasses.dataclass(frozen=True)
class Interval:
    """A difference in percent with its interval, or the reason for none. Static.

    Attributes:
        percent: Less energy than the baseline is positive. [percent]
        low: Lower end of the interval. [percent]
        high: Upper end of the interval. [percent]
        refused: Why no number is given; empty where one is.
        days: Days compared. [1]
        days_left_out: Days with too few steps. [1]
        effective_days: Independent days that the series are worth. [1]
        blocks: Blocks of the second method. [1]
        block_days: Days in a block. [1]
        method: The method whose interval was wider.
    """

    percent: float = math.nan
    low: float = math.nan
    high: float = math.nan
    refused: str = ""
    days: int = 0
    days_left_out: int = 0
    effective_days: float = 0.0
    blocks: int = 0
    block_days: int = 0
    method: str = ""


NOT_RUN = Interval(refused="not run")


def paired_difference(
    baseline: np.ndarray,
    other: np.ndarray,
    time_utc: np.ndarray,
    offset: np.ndarray,
    step_s: int,
    floors: Floors | None = None,
    is_whole_days: bool = True,
) -> Interval:
    """Return how much less energy `other` uses than `baseline`, in percent.

    100 * sum(baseline - other) / sum(baseline) over whole local days; a step at
    which either is NaN counts in neither. Where only some hours of the days are
    asked about, each day weighs as much as it has of them.

    Args:
        baseline: Power of the operator, shape (T,). [kW]
        other: Power of the policy at the same steps, shape (T,). [kW]
        time_utc: UTC epoch, shape (T,). [s]
        offset: Local time minus UTC, shape (T,). [s]
        step_s: Nominal length of a step. [s]
        floors: Below these no number is given; None for the published ones.
        is_whole_days: Leave out days with too few steps.
    """
    floors = floors or published().floors
    known = np.isfinite(baseline) & np.isfinite(other)
    day = (time_utc + offset - step_s) // DAY_S
    series = (baseline[known], other[known])
    if is_whole_days:
        means, left_out = _day_means(day[known], *series, step_s)
    else:
        means, left_out = _day_sums(day[known], *series), 0
    days, kind = len(means), "whole " if is_whole_days else ""
    if days < floors.days:
        reason = f"{days} {kind}days with both series, at least {floors.days:g} needed"
        return Interval(refused=reason, days=days, days_left_out=left_out)
    total = float(np.mean(means[:, 0]))
    if total <= 0.0:
        return Interval(refused="the baseline used no energy", days=days)
    return _interval(means, total, left_out, floors)


def _day_means(
    day: np.ndarray, baseline: np.ndarray, other: np.ndarray, step_s: int
) -> tuple[np.ndarray, int]:
    """Return day means, shape (D, 2), and the number of days left out."""
    _, place, count = np.unique(day, return_inverse=True, return_counts=True)
    sums = [np.bincount(place, series) for series in (baseline, other)]
    means = np.stack(sums, axis=1) / np.maximum(count, 1)[:, None]
    whole = count >= DAY_COVERAGE * DAY_S / step_s
    return means[whole], int(np.sum(~whole))


def _day_sums(day: np.ndarray, baseline: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return day sums over their mean number of steps, shape (D, 2)."""
    if len(day) == 0:
        return np.zeros((0, 2))
    _, place, count = np.unique(day, return_inverse=True, return_counts=True)
    sums = [np.bincount(place, series) for series in (baseline, other)]
    return np.stack(sums, axis=1) / np.mean(count)


def _interval(
    means: np.ndarray, total: float, left_out: int, floors: Floors
) -> Interval:
    difference = means[:, 0] - means[:, 1]
    ratio = float(np.mean(difference)) / total
    # The error of a ratio of means lies in what is left of each day after it.
    residual = (difference - ratio * means[:, 0]) / total
    effective = effective_number(residual)
    by_days = _half_width(residual, effective)
    size, by_blocks, blocks = _block_half_width(residual)
    half = max(by_days, by_blocks)
    found = Interval(
        percent=100.0 * ratio,
        low=100.0 * (ratio - half),
        high=100.0 * (ratio + half),
        days=len(means),
        days_left_out=left_out,
        effective_days=effective,
        blocks=blocks,
        block_days=size,
        method="day means, AR(1)" if by_days >= by_blocks else "day blocks",
    )
    return _refuse_weak(found, floors)


def _refuse_weak(found: Interval, floors: Floors) -> Interval:
    if found.effective_days < floors.effective_days:
        return refuse(
            found,
            f"{found.days} days are worth {found.effective_days:.1f} independent ones, "
            f"at least {floors.effective_days:g} needed",
        )
    if found.blocks < floors.blocks:
        return refuse(found, f"{found.blocks} blocks of days, {floors.blocks:g} needed")
    return found


def refuse(found: Interval, reason: str) -> Interval:
    """Return the interval without its numbers, and why."""
    return dataclasses.replace(
        found, percent=math.nan, low=math.nan, high=math.nan, refused=reason
    )


def shifted(found: Interval, by: float) -> Interval:
    """Return the interval moved by a known amount [percent]."""
    return dataclasses.replace(
        found, percent=found.percent + by, low=found.low + by, high=found.high + by
    )


def effective_number(series: np.ndarray) -> float:
    """Return the independent samples that an AR(1) series is worth [1].

    n (1 - r) / (1 + r) with the lag-one correlation r, corrected for its bias
    in short series by (1 + 3 r) / n (Marriott and Pope, Biometrika 41 (1954)
    390), and never above n.
    """
    n = len(series)
    centred = series - np.mean(series)
    power = float(np.sum(centred**2))
    if power <= 0.0:
        return float(n)
    r = float(np.sum(centred[1:] * centred[:-1])) / power
    r = min(max(r + (1.0 + 3.0 * r) / n, 0.0), 0.99)
    return n * (1.0 - r) / (1.0 + r)


def _half_width(series: np.ndarray, effective: float) -> float:
    """Return the half-width of the mean's interval, in the series' unit."""
    if effective <= 1.0:
        return math.inf
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2.0, effective - 1.0)
    # The variance about the sample mean is too small by the correlated part.
    variance = float(np.mean((series - np.mean(series)) ** 2))
    variance *= effective / (effective - 1.0)
    return float(quantile) * math.sqrt(variance / effective)


def _block_half_width(series: np.ndarray) -> tuple[int, float, int]:
    """Return block length, half-width and number of blocks."""
    size = max(1, min(BLOCK_DAYS_MOST, len(series) // BLOCKS_WANTED))
    blocks = len(series) // size
    # The days that fill no block are the first: the newest ones are kept.
    kept = series[len(series) - blocks * size :].reshape(blocks, size)
    return size, _half_width(np.mean(kept, axis=1), float(blocks)), blocks


def refuse_against_null(
    potential: Interval, null_test: Interval, share: float | None = None
) -> Interval:
    """Return the potential, refused where the null test is too far from zero.

    What the model gets wrong about the operator may be as wrong about the
    policy, so the error of the one must be small beside the claim of the other.

    Args:
        potential: Operator against policy, both in the model.
        null_test: Operator measured against operator in the model.
        share: Of the potential that the null test may be; None for the published
            one. [1]
    """
    share = published().null_share if share is None else share
    if potential.refused:
        return potential
    if null_test.refused:
        return refuse(potential, f"no null test ({null_test.refused})")
    if abs(null_test.percent) > share * abs(potential.percent):
        return refuse(
            potential,
            f"the model misses the measured operator by {null_test.percent:+.1f} %, "
            f"more than {100.0 * share:.0f} % of the difference it would claim "
            f"({potential.percent:+.1f} %)",
        )
    return potential


def replay_error(applied: np.ndarray, replayed: np.ndarray) -> float:
    """Return the largest difference of the log replayed as its own policy.

    Anything but 0 is an error of joins or clocks (null test N0).

    Args:
        applied: The operator's set-points in the log, shape (T, 10).
        replayed: The same after the whole pipeline, shape (T, 10).
    """
    if not np.array_equal(np.isnan(applied), np.isnan(replayed)):
        return math.inf
    return float(np.nanmax(np.abs(applied - replayed), initial=0.0))
