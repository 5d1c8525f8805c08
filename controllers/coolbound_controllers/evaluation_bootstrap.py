"""A second interval for a paired difference: blocks of days, drawn again.

Moving blocks keep the dependence of a day on the days before it (Kuensch, Annals of
Statistics 17 (1989) 1217); here they wrap around the end, so that every day is drawn
equally often (Politis and Romano, 1992). All places are drawn together, since they
share the calendar.
"""

import math
from typing import Any, Final

import numpy as np

BLOCK_DAYS: Final = 7
"""Length of a block: weather and load remember about a week. [1]"""

RESAMPLES: Final = 2000
"""Draws of the whole series. [1]"""

BLOCKS_LEAST: Final = 4
"""With fewer blocks than this no interval is given. [1]"""

PERCENTILES: Final = (2.5, 97.5)
"""Ends of the interval. [percent]"""


def block_bootstrap(
    baseline: np.ndarray, other: np.ndarray, seed: int = 0
) -> tuple[float, float] | None:
    """Return how much less `other` uses, the ends of a 95 % interval [percent].

    100 * sum(baseline - other) / sum(baseline) over drawn days; None where there are
    too few days or the baseline used nothing.

    Args:
        baseline: Energy or power of each day, (days, places). [any unit]
        other: The same of the other one.
        seed: Of the draws.
    """
    days = len(baseline)
    size = min(BLOCK_DAYS, days // BLOCKS_LEAST)
    before, after = (np.asarray(x, np.float64).sum(axis=1) for x in (baseline, other))
    if size < 1 or not np.sum(before) > 0.0:
        return None
    drawn = _drawn(np.random.default_rng(seed), days, size)
    total = np.sum(before[drawn], axis=1)
    percent = 100.0 * np.sum(before[drawn] - after[drawn], axis=1) / total
    low, high = np.percentile(percent, PERCENTILES)
    return float(low), float(high)


def _drawn(generator: Any, days: int, size: int) -> np.ndarray:
    """Return the days of every resample, (resamples, days)."""
    blocks = math.ceil(days / size)
    first = generator.integers(0, days, (RESAMPLES, blocks, 1))
    inside = (first + np.arange(size)) % days
    return inside.reshape(RESAMPLES, -1)[:, :days]
