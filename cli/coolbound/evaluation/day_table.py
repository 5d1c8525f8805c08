"""The days behind the figures: a line for each controller, place and day."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from coolbound_controllers.evaluation import Trace
from coolbound_controllers.evaluation_figures import (
    DAY_HOURS,
    cooling_power,
    cooling_power_21,
    facility_power,
    it_power,
)

COLUMNS: Final = (
    "controller",
    "place",
    "day",
    "facility_kwh",
    "cooling_kwh",
    "cooling_21_kwh",
    "it_kwh",
    "water_l",
    "peak_kw",
    "worst_inlet_c",
    "steps_over_a_limit",
    "interventions",
    "chiller_starts",
)


def day_table(traces: Mapping[str, Trace], places: Sequence[str]) -> str:
    """Return the days as CSV; the paired differences can be made again from them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, trace in traces.items():
        values = _values(trace)
        for i, place in enumerate(places):
            for day, row in enumerate(values[:, i]):
                writer.writerow([name, place, day, *(f"{x:.7g}" for x in row)])
    return text.getvalue().rstrip("\n")


def _values(trace: Trace) -> np.ndarray:
    """Return the columns after the first three, (days, places, columns)."""
    days, kwh = trace.days, DAY_HOURS / 1e3
    columns = (
        kwh * facility_power(trace),
        kwh * cooling_power(trace),
        kwh * cooling_power_21(trace),
        kwh * it_power(trace),
        days.water,
        np.asarray(days.peak) / 1e3,
        days.inlet,
        days.broken,
        days.interventions,
        days.starts,
    )
    return np.stack([np.asarray(column) for column in columns], axis=-1)
