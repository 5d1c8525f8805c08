"""Tables of the difference by wet bulb and load."""

import itertools
from collections.abc import Sequence
from typing import Any, Final

from coolbound.evaluation.cells import Cell, cell, number
from coolbound.evaluation.shown import Data, Shown
from coolbound_controllers.evaluation_bins import LOADS, WET_BULBS

FEW_HOURS: Final = 24.0
"""A bin with fewer hours than this is set in grey. [h]"""


def bin_tables(data: Data, rows: Sequence[Shown]) -> list[dict[str, Any]]:
    """Return difference by wet bulb and load of some contenders, empty bins blank."""
    return [
        {
            "name": row.name,
            "heads": _heads(LOADS, 100.0, " %"),
            "rows": _bins(data, row),
        }
        for row in rows
    ]


def _heads(edges: Sequence[float], factor: float, unit: str) -> list[str]:
    texts = [f"{factor * edge:.0f}" for edge in edges]
    middle = [f"{a} to {b}{unit}" for a, b in itertools.pairwise(texts)]
    return [f"under {texts[0]}{unit}", *middle, f"from {texts[-1]}{unit}"]


def _bins(data: Data, row: Shown) -> list[dict[str, Any]]:
    """Return the rows of a table, mean over the seeds."""
    cells: dict[tuple[Any, Any], list[Data]] = {}
    for name in row.members:
        for found in data["bins"][name]:
            key = (tuple(found["wet_bulb_c"]), tuple(found["load"]))
            cells.setdefault(key, []).append(found)
    columns = _pairs(LOADS)
    return [
        {
            "head": head,
            "cells": [_bin_cell(cells.get((edges, load), [])) for load in columns],
        }
        for head, edges in zip(
            _heads(WET_BULBS, 1.0, " degC"), _pairs(WET_BULBS), strict=True
        )
    ]


def _pairs(edges: Sequence[float]) -> list[tuple[float | None, float | None]]:
    ends = (None, *edges, None)
    return list(itertools.pairwise(ends))


def _bin_cell(found: Sequence[Data]) -> Cell:
    if not found or found[0]["percent"] is None:
        return cell("")
    percent = sum(each["percent"] for each in found) / len(found)
    hours = found[0]["hours"]
    tone = "quiet" if hours < FEW_HOURS else "limit" if percent < 0.0 else ""
    duration = f"{number(hours, 0)} h" if hours >= 1.0 else "<1 h"
    return cell(f"{number(percent)} %", tone) | {"more": duration}
