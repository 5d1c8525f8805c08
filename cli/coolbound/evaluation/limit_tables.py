"""Tables of limits and of what the safety layer stepped in for."""

from collections.abc import Sequence
from typing import Any, Final

from coolbound.evaluation.cells import Cell, alarm, cell, count, number
from coolbound.evaluation.shown import Data, Shown, greatest, mean, shown, total
from coolbound.evaluation.tables import rate_cell
from coolbound_envs.limit_table import LIMITS

KINDS: Final = ("ramp", "limit", "fallback")
"""Kinds of intervention, least serious first."""

KIND_TONES: Final = ("", "", "fallback")
"""Classes of their counts."""


def limit_rows(data: Data) -> list[dict[str, Any]]:
    """Return the limits that anyone broke or asked to break."""
    rows = []
    for limit in LIMITS:
        if limit.name in data["limits_off"]:
            continue
        counts = [
            [total(data, row, "violations", limit.name, side) for row in shown(data)]
            for side in ("before", "after")
        ]
        if any(counts[0]) or any(counts[1]):
            rows.append(_limit_row(data, limit.name, limit.title, limit.unit, counts))
    return rows


def _limit_row(
    data: Data, name: str, meaning: str, unit: str, counts: Sequence[Sequence[int]]
) -> dict[str, Any]:
    cells = []
    for row, before, after in zip(shown(data), *counts, strict=True):
        worst = greatest(data, row, "violations", name, "worst")
        excess = {"more": number(worst, 2, True) if after else ""}
        found = [cell(number(before, 0), "quiet") | {"more": ""}] * row.is_guarded
        found.append(alarm(after) | excess)
        found[0] = found[0] | {"tone": f"edge {found[0]['tone']}"}
        cells += found
    return {"name": name, "meaning": meaning, "unit": unit, "cells": cells}


def cause_rows(data: Data) -> list[list[Cell]]:
    """Return what the safety layer stepped in for: one row for each limit."""
    guarded = [row for row in shown(data) if row.is_guarded]
    counts = [_causes(data, row) for row in guarded]
    names = sorted(
        {name for found in counts for name in found},
        key=lambda name: -sum(found.get(name, 0) for found in counts),
    )
    return [
        [cell(name), *(count(found.get(name, 0), "") for found in counts)]
        for name in names
    ]


def _causes(data: Data, row: Shown) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in row.members:
        by_limit = data["controllers"][name]["interventions"]["by_limit"]
        for limit in by_limit:
            found[limit] = found.get(limit, 0) + by_limit[limit]
    return found


def kind_rows(data: Data) -> list[list[Cell]]:
    """Return one row for each who is guarded: kinds of intervention and their size."""
    rows = []
    for row in shown(data):
        if not row.is_guarded:
            continue
        kinds = [
            sum(
                data["controllers"][name]["interventions"]["by_kind"].get(kind, 0)
                for name in row.members
            )
            for kind in KINDS
        ]
        rows.append(
            [
                cell(row.name),
                rate_cell(data, row),
                *(
                    count(n, t)
                    for n, t in zip(kinds, ("", "", "fallback"), strict=True)
                ),
                cell(f"{number(100.0 * mean(data, row, 'relaxed_rate'), 2)} %"),
                cell(number(mean(data, row, "mean_correction"), 4)),
            ]
        )
    return rows
