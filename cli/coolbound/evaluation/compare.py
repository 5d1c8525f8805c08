"""From traces to what `evaluation.json` says: figures, pairs, seeds, places, bins."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coolbound.choices import BASELINE
from coolbound_controllers.cooling_task import COST_LIMIT
from coolbound_controllers.evaluation import Trace
from coolbound_controllers.evaluation_bins import bin_table
from coolbound_controllers.evaluation_bootstrap import block_bootstrap
from coolbound_controllers.evaluation_figures import (
    at,
    cooling_power_21,
    facility_power,
    figures,
)
from coolbound_controllers.evaluation_seeds import seed_figures, spread
from coolbound_shadow.statistics import DAY_S, paired_difference

Traces = Mapping[str, Trace]


def compare(
    traces: Traces,
    places: Sequence[str],
    groups: Mapping[str, Sequence[str]] | None = None,
    rules: Sequence[str] = (),
) -> dict[str, Any]:
    """Return figures and paired differences, over all places and by place.

    Args:
        traces: What each controller did, by its name.
        places: Names of the places; those of the same name are one.
        groups: Names of the seeds of each learner.
        rules: Contenders that need no training: everyone is paired with each of them.
    """
    baseline = next(iter([n for n in (BASELINE, *rules) if n in traces] or traces))
    own = {
        name: _part({k: at(t, rows) for k, t in traces.items()}, baseline)
        for name, rows in _rows_of(places).items()
    }
    whole = _part(traces, baseline)
    for name, pair in whole["paired"].items():
        points = [part["paired"][name]["cooling_21"]["point"] for part in own.values()]
        pair["mean_of_places"] = float(np.mean(points))
    seeds = {
        label: _seeds(members, whole, own, baseline)
        for label, members in (groups or {}).items()
    }
    return {
        "baseline": baseline,
        **whole,
        "versus": {rule: _pairs(traces, rule) for rule in rules if rule != baseline},
        "seeds": seeds,
        "cities": own,
        "bins": {
            name: bin_table(trace.bins, traces[baseline].bins)
            for name, trace in traces.items()
        },
    }


def _rows_of(places: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row, name in enumerate(places):
        found.setdefault(name, []).append(row)
    return found


def _part(traces: Traces, baseline: str) -> dict[str, Any]:
    return {
        "controllers": {name: figures(trace) for name, trace in traces.items()},
        "paired": _pairs(traces, baseline),
    }


def _pairs(traces: Traces, baseline: str) -> dict[str, Any]:
    return {
        name: _paired(traces[baseline], trace)
        for name, trace in traces.items()
        if name != baseline
    }


def _paired(baseline: Trace, other: Trace) -> dict[str, Any]:
    """Return how much less a controller uses than the baseline, by paired days.

    Of facility energy, and under `cooling_21` of cooling energy.
    """
    return {
        **_difference(*(facility_power(t) for t in (baseline, other))),
        "cooling_21": _difference(*(cooling_power_21(t) for t in (baseline, other))),
    }


def _difference(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """Return the difference of two day series, (days, places) [W].

    `point` is the plain difference of these days: a fact of the simulation that says
    nothing of other days, and stands without an interval too.
    """
    days = len(before)
    one, other = (x.sum(axis=1) / 1e3 for x in (before, after))
    time_utc = DAY_S * np.arange(1, days + 1)
    found = paired_difference(one, other, time_utc, 0 * time_utc, DAY_S)
    ends = None if found.refused else block_bootstrap(before, after)
    drawn = None if ends is None else {"low": ends[0], "high": ends[1]}
    point = 100.0 * float(np.sum(before - after) / np.sum(before))
    return dataclasses.asdict(found) | {"point": point, "bootstrap": drawn}


def _seeds(
    members: Sequence[str],
    whole: Mapping[str, Any],
    places: Mapping[str, Any],
    baseline: str,
) -> dict[str, Any]:
    runs = [whole["controllers"][name] for name in members]
    # Where everyone is a seed, the baseline is one of them.
    others = [name for name in members if name != baseline]
    by_place = {
        place: spread(
            [_percents(part["paired"][name])["percent_21"] for name in others], True
        )
        for place, part in places.items()
        if others
    }
    return {
        "members": list(members),
        **seed_figures(
            runs, [_percents(whole["paired"][name]) for name in others], COST_LIMIT
        ),
        "places": by_place,
    }


def _percents(pair: Mapping[str, Any]) -> dict[str, float]:
    # Of these days; the interval over seeds says nothing about others.
    return {"percent": pair["point"], "percent_21": pair["cooling_21"]["point"]}
