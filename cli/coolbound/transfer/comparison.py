"""Figures of everyone and the differences between them, in all and by place."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from coolbound_controllers.evaluation import Trace
from coolbound_controllers.evaluation_figures import (
    at,
    cooling_power_21,
    facility_power,
    figures,
)
from coolbound_shadow.statistics import DAY_S, paired_difference

OWN: Final = "own controls"
"""EnergyPlus by itself, as tables call it."""

Traces = Mapping[str, Trace]


def compare(
    traces: Traces, rows: Mapping[str, Sequence[int]], bases: Sequence[str]
) -> dict[str, Any]:
    """Return figures and paired differences, in all and by place.

    Args:
        traces: What everyone did, by name.
        rows: Lanes of each place.
        bases: With whom everyone is paired.
    """
    return {
        **_part(traces, bases),
        "cities": {
            name: _part({k: at(t, own) for k, t in traces.items()}, bases)
            for name, own in rows.items()
        },
    }


def _part(traces: Traces, bases: Sequence[str]) -> dict[str, Any]:
    return {
        "controllers": {name: figures(trace) for name, trace in traces.items()},
        "paired": {
            base: {
                name: _pair(traces[base], trace)
                for name, trace in traces.items()
                if name != base
            }
            for base in bases
        },
    }


def _pair(base: Trace, other: Trace) -> dict[str, Any]:
    return {
        "facility": difference(facility_power(base), facility_power(other)),
        "cooling_21": difference(cooling_power_21(base), cooling_power_21(other)),
    }


def difference(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """Return how much less is used, by paired days.

    Args:
        before: Mean of each day and lane, (days, lanes). [W]
        after: Of the other, likewise. [W]

    Returns:
        The interval of `coolbound_shadow.statistics` over days, all lanes of a day
        together; `point`, the plain difference of these days; `days_less`, days of a
        lane on which less was used; `least` and `most`, the ends among them. Percent.
    """
    one, other = (x.sum(axis=1) / 1e3 for x in (before, after))
    time_utc = DAY_S * np.arange(1, len(before) + 1)
    found = paired_difference(one, other, time_utc, 0 * time_utc, DAY_S)
    each = 100.0 * (before - after) / before
    return dataclasses.asdict(found) | {
        "point": 100.0 * float(np.sum(before - after) / np.sum(before)),
        "days_less": round(float(np.sum(each > 0.0))),
        "lane_days": int(each.size),
        "least": float(np.min(each)),
        "most": float(np.max(each)),
    }
