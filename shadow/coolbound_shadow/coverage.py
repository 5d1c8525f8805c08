"""How much of a site's operating range a shadow period has seen.

The range is that of a year of weather and load: bins of load and wet bulb that the
year spends at least eight hours in. A bin is seen once the log holds an hour in it.
Leaving the shadow stage takes four weeks and nine bins of ten.
"""

import dataclasses
from typing import Any, Final

import numpy as np

from coolbound_envs.load import Load
from coolbound_envs.site import Site
from coolbound_envs.weather import Weather
from coolbound_shadow.conditions import (
    LOAD_EDGES,
    WET_BULB_EDGES,
    Conditions,
    bins,
    load_names,
    wet_bulb_names,
)
from coolbound_shadow.log_types import Log
from coolbound_shadow.refusal_limits import RefusalLimits, published
from coolbound_shadow.statistics import DAY_COVERAGE, DAY_S

RANGE_HOURS: Final = 8.0
"""Hours of the year from which on a bin belongs to the range. [h]"""

SEEN_HOURS: Final = 1.0
"""Hours of log from which on a bin is seen. [h]"""

LOAD_STEP_H: Final = 1.0 / 12.0
"""Time between two entries of a load trace. [h]"""


@dataclasses.dataclass(frozen=True)
class Year:
    """A year of weather and load that stands for a site's operating range. Static.

    Attributes:
        name: What reports call it.
        hours: Hours in each bin of load and wet bulb, shape (L, W). [h]
    """

    name: str
    hours: np.ndarray


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What a shadow period has seen. Static.

    Attributes:
        seen: Hours of log in each bin of load and wet bulb, shape (L, W). [h]
        unknown: Hours of log whose load or wet bulb is not known. [h]
        days: Local days of which nearly all steps are there. [d]
        months: Days in each month of the year, shape (12,). [d]
        year: The operating range; None where none was given.
        days_needed: Whole days of log that the rule asks for. [d]
        share_needed: Share of the range's bins that it asks for. [1]
    """

    seen: np.ndarray
    unknown: float
    days: int
    months: np.ndarray
    year: Year | None
    days_needed: float
    share_needed: float

    @property
    def is_range(self) -> np.ndarray:
        """Bins that belong to the range, bool, shape (L, W)."""
        if self.year is None:
            return np.zeros(self.seen.shape, dtype=bool)
        return self.year.hours >= RANGE_HOURS

    @property
    def is_seen(self) -> np.ndarray:
        """Bins that were seen, bool, shape (L, W)."""
        return self.seen >= SEEN_HOURS

    @property
    def bins_needed(self) -> int:
        """Bins of the range [1]."""
        return int(np.sum(self.is_range))

    @property
    def bins_seen(self) -> int:
        """Bins of the range that were seen [1]."""
        return int(np.sum(self.is_range & self.is_seen))

    @property
    def share(self) -> float | None:
        """Share of the range's bins that was seen; None without a range [1]."""
        return self.bins_seen / self.bins_needed if self.bins_needed else None

    def missing(self) -> list[str]:
        """Return what the rule still lacks, one clause each."""
        found = []
        if self.days < self.days_needed:
            found.append(f"{self.days_needed - self.days:.0f} more days of log")
        if self.share is None:
            found.append("a year of weather and load to tell the operating range")
        elif self.share < self.share_needed:
            more = int(np.ceil(self.share_needed * self.bins_needed)) - self.bins_seen
            found.append(f"{more} more bins of load and wet bulb")
        return found

    def as_data(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "days": self.days,
            "days_needed": self.days_needed,
            "year": self.year.name if self.year else None,
            "bins": self.bins_needed if self.year else None,
            "bins_seen": self.bins_seen if self.year else None,
            "share": self.share,
            "share_needed": self.share_needed,
            "missing": self.missing(),
            "load_bins": list(load_names()),
            "wet_bulb_bins": list(wet_bulb_names()),
            "hours": np.round(self.seen, 3).tolist(),
            "year_hours": self.year.hours.tolist() if self.year else None,
            "unknown_hours": round(self.unknown, 3),
        }


def grid(load: np.ndarray, wet_bulb: np.ndarray, hours: float) -> np.ndarray:
    """Return the hours in each bin, shape (L, W) [h].

    Args:
        load: Share of design, NaN for unknown, shape (T,). [1]
        wet_bulb: Likewise, shape (T,). [degC]
        hours: What one entry stands for. [h]
    """
    shape = (len(LOAD_EDGES) + 1, len(WET_BULB_EDGES) + 1)
    row, column = bins(load, LOAD_EDGES), bins(wet_bulb, WET_BULB_EDGES)
    known = (row >= 0) & (column >= 0)
    place = row[known] * shape[1] + column[known]
    count = np.bincount(place, minlength=shape[0] * shape[1])
    return hours * count.reshape(shape)


def year_of(weather: Weather, load: Load, site: Site) -> Year:
    """Return the operating range of a year of weather and load.

    The load repeats where it is shorter than the year.
    """
    wet_bulb = np.repeat(np.asarray(weather.wet_bulb, dtype=np.float64), 12)
    shape = np.asarray(load.utilisation, dtype=np.float64)
    idle = float(site.plant.it.idle_share)
    work = idle + (1.0 - idle) * shape / np.max(shape)
    hours = grid(np.resize(work, len(wet_bulb)), wet_bulb, LOAD_STEP_H)
    return Year(f"{weather.name}, {load.name}", hours)


def coverage(
    log: Log, met: Conditions, year: Year | None, limits: RefusalLimits | None = None
) -> Coverage:
    """Return what a log has seen of the operating range."""
    limits = limits or published()
    step = log.step_s / 3600.0
    seen = grid(met.load, met.wet_bulb, step)
    total = step * log.rows
    return Coverage(
        seen=seen,
        unknown=total - float(np.sum(seen)),
        days=_whole_days(log),
        months=step / 24.0 * np.bincount(met.month, minlength=12),
        year=year,
        days_needed=limits.stage_days,
        share_needed=limits.stage_bins,
    )


def _whole_days(log: Log) -> int:
    """Return the local days that the log holds nearly whole [1]."""
    day = (log.time_utc + log.offset - log.step_s) // DAY_S
    count = np.unique(day, return_counts=True)[1]
    return int(np.sum(count >= DAY_COVERAGE * DAY_S / log.step_s))
