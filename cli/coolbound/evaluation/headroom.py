"""How much of the way to the optimum at rest each contender has gone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coolbound.choices import OPTIMUM
from coolbound.evaluation.cells import DASH, Cell, cell, number
from coolbound.evaluation.shown import Data, Shown, shown
from coolbound_controllers.evaluation_bound import Bound
from coolbound_controllers.evaluation_figures import DAY_HOURS

ENERGY = "cooling_energy_21_kwh"


def headroom(
    found: Bound, places: Sequence[str], days: int, compared: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the bound and everyone's share of the way, over all and by place.

    Args:
        found: The optimum at rest of every lane.
        places: Names of the lanes' places; those of the same name are one.
        days: Length of the comparison. [1]
        compared: What `compare` returned.
    """
    energy = {name: 0.0 for name in places}
    for name, power in zip(places, found.power, strict=True):
        energy[name] += float(power) * DAY_HOURS * days / 1e3
    whole = _shares(compared, compared["baseline"], sum(energy.values()))
    return {
        "name": OPTIMUM,
        "hours": found.hours,
        "every_hours": found.every,
        "unsolved_hours": int(np.sum(found.unsolved)),
        **whole,
        "places": {
            name: _shares(part, compared["baseline"], energy[name])
            for name, part in compared["cities"].items()
        },
    }


def _shares(part: Mapping[str, Any], baseline: str, bound: float) -> dict[str, Any]:
    """Return the bound's energy [kWh] and (baseline - x) / (baseline - bound) [1]."""
    controllers = part["controllers"]
    base = controllers[baseline][ENERGY]
    return {
        ENERGY: bound,
        "percent": 100.0 * (1.0 - bound / base),
        "share": {
            name: (base - each[ENERGY]) / (base - bound)
            for name, each in controllers.items()
            if name != baseline and base > bound
        },
    }


def headroom_rows(data: Data) -> list[list[Cell]]:
    """Return one row for all places and for each: the bound, everyone's share."""
    bound = data["bound"]
    if bound is None:
        return []
    parts = {"all": bound, **(bound["places"] if len(bound["places"]) > 1 else {})}
    return [
        [
            cell(name),
            cell(number(part[ENERGY] / 1e3)),
            cell(f"{number(part['percent'])} %"),
            *(cell(_percent(part, row)) for row in _others(data)),
        ]
        for name, part in parts.items()
    ]


def headroom_heads(data: Data) -> list[str]:
    """Return the headings of `headroom_rows`."""
    base, others = data["baseline"], [row.name for row in _others(data)]
    return ["Place", "Optimum MWh", f"less than {base}", *others]


def _others(data: Data) -> list[Shown]:
    return [row for row in shown(data) if data["baseline"] not in row.members]


def _percent(part: Data, row: Shown) -> str:
    shares = [part["share"][name] for name in row.members if name in part["share"]]
    if not shares:
        return DASH
    return f"{number(100.0 * sum(shares) / len(shares), 0)} %"
