"""The comparison's part of the report: tables as text, and its pictures."""

from datetime import date
from typing import Any

import numpy as np
from markupsafe import Markup

from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS
from coolbound_shadow.agreement import Agreement
from coolbound_shadow.comparison import Comparison
from coolbound_shadow.conditions import load_names, wet_bulb_names
from coolbound_shadow.coverage import Coverage
from coolbound_shadow.divergence import ALERTS_LISTED, Divergence
from coolbound_shadow.log_types import local_text
from coolbound_shadow.novelty import NOVELTY_LIMIT
from coolbound_shadow.potential import Cell
from coolbound_shadow.records import Decisions
from coolbound_shadow.report_grids import GridCell, grid_figure
from coolbound_shadow.report_rows import duration, interval_text, number, short, title
from coolbound_shadow.statistics import Interval

MONTHS = [f"{date(2000, month, 1):%b}" for month in range(1, 13)]

TABLES = (
    ("shift", "By shift (local)"),
    ("load", "By load"),
    ("wet_bulb", "By outdoor wet bulb"),
)


def comparison_context(
    found: Comparison | None,
    decisions: Decisions,
    step_s: int,
    potential: Interval,
    null_test: Interval,
) -> dict[str, Any]:
    """Return what the template places of a comparison; `compared` says whether.

    Args:
        found: The comparison; None to leave it out.
        decisions: The run.
        step_s: Nominal length of a step. [s]
        potential: Modelled potential of the whole log.
        null_test: Measured operator against operator in the model.
    """
    context = {
        "compared": found is not None,
        "null_share": _share(potential, null_test),
    }
    if found is None:
        return context
    return context | {
        "agreements": [
            {"heading": words, **_table(found.agreement[name])}
            for name, words in TABLES
            if np.any(found.agreement[name].steps)
        ],
        "by_hour": _hours(found.agreement["hour"]),
        "load_basis": found.met.load_basis,
        "divergence": _divergence(found.divergence, decisions, step_s),
        "cells": _cells(found.cells, potential),
        "excluded_steps": f"{found.exclusions.steps:,}",
        "excluded": interval_text(found.exclusions.potential),
        "coverage": _coverage(found.coverage),
    }


def _share(potential: Interval, null_test: Interval) -> str:
    """Return the null test as a fraction of the potential; empty without both."""
    if potential.refused or null_test.refused or null_test.percent == 0.0:
        return ""
    parts = abs(potential.percent / null_test.percent)
    return f"1/{parts:.0f} of the potential" if parts >= 2.0 else "no small part of it"


def _table(found: Agreement) -> dict[str, Any]:
    """Return one table: channels down, groups with steps across."""
    groups = np.flatnonzero(found.steps)
    return {
        "groups": [(found.groups[g], f"{int(found.steps[g]):,}") for g in groups],
        "channels": [
            {
                "title": title(channel.name),
                "unit": channel.unit,
                "cells": [_agreed(found, int(g), i) for g in groups],
            }
            for i, channel in enumerate(CHANNELS)
        ],
    }


def _agreed(found: Agreement, group: int, channel: int) -> str:
    share = found.within[group, channel]
    if not np.isfinite(share):
        return ""
    mean = number(found.difference[group, channel], CHANNELS[channel].unit, True)
    return f"{100.0 * share:.0f} %; {mean}"


def _hours(found: Agreement) -> Markup:
    """Return the picture of agreement by channel and local hour."""
    cells = [
        [_shade(found.within[hour, i]) for hour in range(24)]
        for i in range(len(CHANNELS))
    ]
    known = found.within[np.isfinite(found.within)]
    mean = f"{100.0 * float(np.mean(known)):.0f} %" if len(known) else "unknown"
    label = "Share of steps within the dead band by channel and local hour, "
    names = [title(name) for name in CHANNEL_NAMES]
    return grid_figure(f"{label}{mean} on average", names, found.groups, cells, 190)


def _shade(share: float) -> GridCell:
    if not np.isfinite(share):
        return GridCell("gap", "")
    return GridCell(f"agree{int(np.ceil(4.0 * share))}", "")


def _divergence(found: Divergence, decisions: Decisions, step_s: int) -> dict[str, Any]:
    return {
        "scored": f"{found.scored:,}",
        "is_scored": found.scored > 0,
        "limit": f"{NOVELTY_LIMIT:.2f}",
        "novel": f"{found.novel:,}",
        "share": f"{100.0 * found.novel / max(found.scored, 1):.1f} %",
        "median": number(found.median, "K"),
        "high": number(found.high, "K"),
        "far": f"{found.far:,}",
        "both": f"{found.both:,}",
        "farthest": ", ".join(
            f"{name} ({distance:.1f})" for name, distance in found.farthest
        ),
        "modelled": "" if found.modelled is None else f"{100.0 * found.modelled:.1f} %",
        "hidden": max(0, len(found.alerts) - ALERTS_LISTED),
        "alerts": [
            {
                "start": short(
                    local_text(
                        int(decisions.time_utc[alert.row]),
                        int(decisions.offset[alert.row]),
                    )
                ),
                "duration": duration(alert.steps * step_s),
                "score": number(alert.score, "K"),
                "channel": title(alert.channel),
                "difference": _difference(alert.channel, alert.difference),
            }
            for alert in found.alerts[:ALERTS_LISTED]
        ],
    }


def _difference(channel: str, value: float) -> str:
    unit = CHANNELS[CHANNEL_NAMES.index(channel)].unit
    text = number(value, unit, True)
    return text if unit == "1" else f"{text} {unit}"


def _cells(found: tuple[Cell, ...], potential: Interval) -> dict[str, Any]:
    """Return the potential by bin; hours alone where no potential is given."""
    by_bin = {(cell.load, cell.wet_bulb): cell for cell in found}
    columns = [x for x in wet_bulb_names() if any(key[1] == x for key in by_bin)]
    rows = [x for x in load_names() if any(key[0] == x for key in by_bin)]
    known = [cell for cell in found if not cell.potential.refused]
    hours = sum(cell.hours for cell in found)
    covered = sum(cell.hours for cell in known)
    return {
        "columns": columns,
        "rows": [
            {
                "name": row,
                "cells": [_cell(by_bin.get((row, x)), potential) for x in columns],
            }
            for row in rows
        ],
        "share": f"{100.0 * covered / hours:.0f} %" if hours else "",
        "hours": f"{hours:,.0f}",
    }


def _cell(cell: Cell | None, potential: Interval) -> dict[str, str]:
    if cell is None:
        return {"value": "", "range": "", "more": ""}
    more = f"{cell.hours:,.0f} h"
    if np.isfinite(cell.null_test):
        more += f", N1 {number(cell.null_test, 'fine percent', True)} %"
    if cell.potential.refused or potential.refused:
        return {"value": "", "range": "", "more": more}
    text = interval_text(cell.potential)
    return {"value": text["value"], "range": text["range"], "more": more}


def _coverage(found: Coverage) -> dict[str, Any]:
    share = found.share
    return {
        "days": f"{found.days}",
        "days_needed": f"{found.days_needed:g}",
        "is_long": found.days >= found.days_needed,
        "share": "unknown" if share is None else f"{100.0 * share:.0f} %",
        "share_needed": f"{100.0 * found.share_needed:.0f} %",
        "is_wide": share is not None and share >= found.share_needed,
        "bins": f"{found.bins_seen} of {found.bins_needed}" if found.year else "",
        "year": found.year.name if found.year else "",
        "missing": "; ".join(found.missing()),
        "unknown": f"{found.unknown:,.0f}",
        "months": [
            (name, f"{days:.1f}" if days else "")
            for name, days in zip(MONTHS, found.months, strict=True)
        ],
        "grid": _range_picture(found),
    }


def _range_picture(found: Coverage) -> Markup:
    """Return the picture of the operating range: seen, missing, outside."""
    cells = [
        [_range_cell(found, i, j) for j in range(found.seen.shape[1])]
        for i in reversed(range(found.seen.shape[0]))
    ]
    said = f"{found.bins_seen} of {found.bins_needed} bins of the operating range seen"
    label = said if found.year else f"{int(np.sum(found.is_seen))} bins seen"
    rows = tuple(reversed(load_names()))
    columns = [name.removesuffix(" degC") for name in wet_bulb_names()]
    label = f"Hours of log by load and wet bulb: {label}"
    return grid_figure(label, rows, columns, cells, 110)


def _range_cell(found: Coverage, i: int, j: int) -> GridCell:
    hours, is_range = found.seen[i, j], bool(found.is_range[i, j])
    text = f"{hours:,.0f} h" if hours >= 0.5 else ""
    if found.is_seen[i, j]:
        return GridCell("seen", text)
    if is_range:
        return GridCell("lacking", f"\u25cb {text}".strip())
    return GridCell("outside", text)
