"""What the readings of an unmapped column look like, all of them and not a sample."""

import dataclasses
from collections import Counter
from collections.abc import Mapping

import numpy as np

from coolbound_shadow.intake.judge import usual_interval_ms
from coolbound_shadow.intake.readings import Series
from coolbound_shadow.intake.reasons import GOOD, MISSING

IRREGULAR = 0.2
"""More steps that are not the usual one: the point reports on change. [1]"""

DISTINCT_KEPT = 12


@dataclasses.dataclass(frozen=True)
class Profile:
    """What the readings of one column look like. Static.

    Attributes:
        readings: Cells. [1]
        blank: Share of empty cells. [1]
        wrong: Share of cells that are no number. [1]
        low: Lower end of 98 % of the numbers. [per raw unit]
        median: Median. [per raw unit]
        high: Upper end of 98 % of the numbers. [per raw unit]
        distinct: Different numbers, of the few that were kept; empty for many.
        interval_s: Usual time between readings. [s]
        irregular: Share of steps that are not the usual one. [1]
        longest_s: Longest time between readings. [s]
        is_rising: True where the numbers hardly ever fall, and rise far.
        tokens: Texts that are no numbers.
        first_ms: First reading, as the stamps were written. [ms]
        last_ms: Last reading, as the stamps were written. [ms]
    """

    readings: int
    blank: float
    wrong: float
    low: float
    median: float
    high: float
    distinct: tuple[float, ...]
    interval_s: float
    irregular: float
    longest_s: float
    is_rising: bool
    tokens: Mapping[str, int]
    first_ms: int
    last_ms: int

    @property
    def is_binary(self) -> bool:
        """Whether the numbers are 0 and 1, and both occur."""
        return set(self.distinct) == {0.0, 1.0}


def profile(series: Series, tokens: Counter[str]) -> Profile:
    """Return what the readings of a column look like.

    Args:
        series: Its readings in order of time, not judged.
        tokens: Texts that are no numbers.
    """
    numbers = series.raw[np.isfinite(series.raw)]
    known = len(numbers) > 0
    low, median, high = (
        np.quantile(numbers, (0.01, 0.5, 0.99)) if known else (np.nan,) * 3
    )
    distinct = np.unique(numbers) if known else numbers
    here = series.only(series.code != MISSING)
    steps = np.diff(here.utc_ms)
    steps = steps[steps > 0]
    usual = usual_interval_ms(here)
    count = max(len(series.code), 1)
    return Profile(
        readings=len(series.code),
        blank=float(np.sum(series.code == MISSING)) / count,
        wrong=float(np.sum(series.code > MISSING)) / count,
        low=float(low),
        median=float(median),
        high=float(high),
        distinct=tuple(map(float, distinct)) if len(distinct) <= DISTINCT_KEPT else (),
        interval_s=usual / 1000.0,
        irregular=_irregular(steps, usual),
        longest_s=float(steps.max()) / 1000.0 if len(steps) else 0.0,
        is_rising=_is_rising(series.raw[series.code == GOOD]),
        tokens=dict(tokens.most_common(DISTINCT_KEPT)),
        first_ms=int(series.utc_ms[0]) if len(series.utc_ms) else 0,
        last_ms=int(series.utc_ms[-1]) if len(series.utc_ms) else 0,
    )


def _irregular(steps: np.ndarray, usual: float) -> float:
    if len(steps) == 0:
        return 0.0
    # Whole multiples are gaps of a regular clock, not reports of another kind.
    ratio = steps / max(usual, 1.0)
    off = np.abs(ratio - np.round(ratio)) > 0.1
    return float(np.mean(off | (ratio < 0.9)))


def _is_rising(values: np.ndarray) -> bool:
    if len(values) < 20 or len(np.unique(values)) < 10:
        return False
    falls = np.mean(np.diff(values) < 0)
    return bool(falls < 0.01 and values[-1] - values[0] > 0.0 and values[0] >= 0.0)
