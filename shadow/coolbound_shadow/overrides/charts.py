"""Charts of the override report, each with the table that holds its numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from coolbound_shadow.overrides import drawings
from coolbound_shadow.overrides.event_types import Event, EventKind
from coolbound_shadow.overrides.figures import RunFigures
from coolbound_shadow.overrides.groups import (
    DAY_S,
    counted,
    lasted,
    local_day,
    local_hour,
)
from coolbound_shadow.overrides.material import Material
from coolbound_shadow.overrides.rows import View
from coolbound_shadow.overrides.words import length, share, subject
from coolbound_shadow.report_figures import bar_figure

TOP = 5
MOST_COLUMNS = 31
"""A longer period is counted by the week, then by 4 weeks, and so on. [1]"""


def top_points(
    holds: Sequence[Event], material: Material, view: View
) -> dict[str, Any]:
    """Return when the points that were held longest were held."""
    seconds: Counter[str] = Counter()
    for event in holds:
        begin = max(event.start, material.start)
        seconds[event.subject] += lasted(event, view.until) - (begin - event.start)
    names = [name for name, _ in seconds.most_common(TOP)]
    spans: dict[str, list[drawings.Span]] = {subject(name): [] for name in names}
    for event in holds:
        if event.subject in names:
            end = material.end if event.end is None else min(event.end, material.end)
            spans[subject(event.subject)].append(
                (event.start + view.offset, end + view.offset, event.end is None)
            )
    table = [
        {
            "name": subject(name),
            "count": f"{sum(e.subject == name for e in holds):,}",
            "length": length(seconds[name]),
            "share": share(seconds[name], material.end - material.start),
        }
        for name in names
    ]
    said = "; ".join(f"{r['name']} {r['length']} in {r['count']}" for r in table)
    label = f"Points held by overrides, time in the period: {said or 'none'}"
    edges = material.start + view.offset, material.end + view.offset
    svg = drawings.lanes(label, spans, *edges) if names else ""
    return {"svg": svg, "table": table, "more": max(0, len(seconds) - TOP)}


def top_limits(
    events: Sequence[Event], figures: Sequence[RunFigures], view: View
) -> dict[str, Any]:
    """Return the limits that stood in the way most, in steps."""
    steps: Counter[str] = Counter()
    for each in figures:
        steps.update(dict(each.limit_steps))
    # An event is named after the limit that bound most of its steps, not all.
    stopped = [e for e in events if e.kind in (EventKind.LIMIT, EventKind.FALLBACK)]
    count = Counter(event.subject or "fallback" for event in stopped)
    top = dict(steps.most_common(TOP))
    said = ", ".join(f"{name} {n:,}" for name, n in top.items())
    label = f"Steps by the limit that stood in the way: {said or 'none'}"
    table = [
        {
            "name": name,
            "count": f"{count[name]:,}",
            "steps": f"{n:,}",
            "share": share(n, view.steps),
        }
        for name, n in top.items()
    ]
    svg = bar_figure(label, top, view.steps, "steps") if top else ""
    return {"svg": svg, "table": table, "more": max(0, len(steps) - TOP)}


def by_hour(events: Sequence[Event]) -> dict[str, Any]:
    """Return the events that began in each local hour."""
    found = counted(events, local_hour)
    bars = [(f"{h:02d}", found.get(h, Counter())) for h in range(24)]
    return _columns("local hour in which they began", bars)


def by_day(events: Sequence[Event], material: Material, offset: int) -> dict[str, Any]:
    """Return the events that began on each local day, or in longer stretches."""
    first = (material.start + offset) // DAY_S
    last = max(first, (material.end + offset - 1) // DAY_S)
    every = next(
        d for d in (1, 7, 28, 91, 364, 3640) if (last - first) // d < MOST_COLUMNS
    )
    found = counted(events, lambda e: max(0, local_day(e) - first) // every)
    bars = [
        (_date(first + i * every), found.get(i, Counter()))
        for i in range((last - first) // every + 1)
    ]
    word = "local day" if every == 1 else f"{every} local days, by the first of them,"
    return _columns(f"{word} on which they began", bars) | {"every": every}


def _date(day: int) -> str:
    stamp = datetime.fromtimestamp(day * DAY_S, UTC)
    return f"{stamp.day} {stamp:%b}"


def _columns(
    word: str, bars: Sequence[tuple[str, Mapping[EventKind, int]]]
) -> dict[str, Any]:
    said = []
    for kind in EventKind:
        total = sum(counts.get(kind, 0) for _, counts in bars)
        said.append(f"{kind.value} {total:,}")
    label = f"Events by {word}: {', '.join(said)}; ramps are in the table only"
    table = [
        {
            "kind": kind.value,
            "counts": [f"{counts.get(kind, 0):,}" for _, counts in bars],
        }
        for kind in EventKind
    ]
    return {
        "svg": drawings.columns(label, bars),
        "words": [name for name, _ in bars],
        "table": table,
    }
