"""Tables of the seeds of a learner: every one, their mean, the worst, an interval."""

from typing import Any, Final

from coolbound.evaluation.cells import (
    DASH,
    Cell,
    alarm,
    cell,
    interval_text,
    number,
    percent_cell,
)
from coolbound.evaluation.shown import Data
from coolbound_envs.limit_table import GROUPS


def seed_tables(data: Data) -> list[dict[str, Any]]:
    """Return a table of every seed, and one of the costs, for each learner."""
    return [
        {
            "name": label,
            "rows": [_seed_row(data, name) for name in group["members"]],
            "summary": _summary(group),
            "costs": [_cost_row(name, group["costs"][name]) for name in GROUPS],
            "within": number(100.0 * group["share_without_violation"], 0),
            "limits": [
                [
                    cell(name),
                    cell(number(found["after"]["mean"])),
                    cell(number(found["after"]["worst"], 0)),
                    cell(interval_text(found["after"], 1)),
                    cell(f"{number(100.0 * found['share_within'], 0)} %"),
                ]
                for name, found in group["limits"].items()
                if found["after"]["worst"]
            ],
        }
        for label, group in data["seeds"].items()
    ]


SEED_COLUMNS: Final = (
    ("Cooling MWh", "cooling_energy_21_kwh", 1e-3, 1),
    ("Facility MWh", "total_energy_kwh", 1e-3, 1),
    ("Hottest inlet degC", "worst_inlet_c", 1.0, 2),
    ("Changed %", "intervention_rate", 100.0, 1),
    ("Starts", "chiller_starts", 1.0, 0),
)
"""Columns of the seeds' table: heading, figure, factor, decimals."""


def _seed_row(data: Data, name: str) -> list[Cell]:
    found = data["controllers"][name]
    pair = data["paired"].get(name)
    return [
        cell(name),
        percent_cell(None if pair is None else pair["cooling_21"]),
        *(cell(number(f * found[key], d)) for _, key, f, d in SEED_COLUMNS),
        alarm(found["violation_steps"]),
    ]


def _summary(group: Data) -> list[list[Cell]]:
    """Return mean, worst and interval over the seeds, in the columns above."""
    lines = []
    for word, key in (("mean", "mean"), ("worst seed", "worst")):
        cells = [
            cell(number(factor * group[name][key], decimals))
            for _, name, factor, decimals in SEED_COLUMNS
        ]
        lines.append([cell(word), _less(group, key), *cells, cell("")])
    cells = [
        cell(interval_text(group[name], decimals, factor))
        for _, name, factor, decimals in SEED_COLUMNS
    ]
    return [*lines, [cell("95 % interval"), _less(group, ""), *cells, cell("")]]


def _less(group: Data, key: str) -> Cell:
    """Return mean or worst difference to the baseline; its interval for no key."""
    found = group.get("percent_21")
    if found is None or found["mean"] is None:
        return cell(DASH)
    return cell(f"{number(found[key])} %" if key else interval_text(found, 1))


def _cost_row(name: str, found: Data) -> list[Cell]:
    share = found["share_within"]
    return [
        cell(name),
        cell(number(found["limit"], 4)),
        cell(number(found["mean"], 5)),
        cell(number(found["worst"], 5)),
        cell(interval_text(found, 5)),
        cell(f"{number(100.0 * share, 0)} %", "" if share == 1.0 else "violated"),
    ]
