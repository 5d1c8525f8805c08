"""What happened around an event: channels and readings, 2 h before to 2 h after."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Final, final

import numpy as np
from markupsafe import Markup, escape

from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS, POINTS
from coolbound_envs.types import Quality
from coolbound_shadow.overrides.columns import (
    Ticks,
    read_ticks,
    run_extent,
)
from coolbound_shadow.overrides.event_types import Event
from coolbound_shadow.overrides.outcomes import (
    COLUMNS,
    HOTTEST,
    QUANTITIES,
    WATCHED,
    Bound,
    Bounds,
)
from coolbound_shadow.overrides.words import length, moment, subject
from coolbound_shadow.report_axes import (
    LEFT,
    Frame,
    Line,
    rule,
    svg,
    time_axis,
    value_axis,
)
from coolbound_shadow.report_rows import number

AROUND_S: Final = 7200
"""Shown before and after an event. [s]"""

LONGEST_S: Final = 86400
"""Of a longer event its first day is shown. [s]"""

MOST_CHANNELS: Final = 4
HEIGHT: Final = 172.0
TOP: Final = 26.0

TICKS_S: Final = (900, 1800, 3600, 7200, 14400, 21600)
"""Distances of the marks on the time axis. [s]"""


@final
@dataclasses.dataclass(frozen=True)
class Panel:
    """One quantity over time. Static.

    Attributes:
        title: Its name, in words.
        unit: Unit of its values.
        lines: What is drawn.
        bounds: Words and values of its limits.
    """

    title: str
    unit: str
    lines: tuple[Line, ...]
    bounds: tuple[tuple[str, float], ...]


@final
@dataclasses.dataclass(frozen=True)
class Trend:
    """The surroundings of an event, as the page places them. Static.

    Attributes:
        run: Run whose ticks are shown.
        figures: Heading and drawing of each quantity.
        header: Of the table.
        rows: One for each tick; the last entry says whether the event was on.
        cut: What was left out, in words; empty for nothing.
    """

    run: str
    figures: tuple[tuple[str, Markup], ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    cut: str


def trend(
    folder: Path, event: Event, bounds: Bounds, runs: Sequence[str]
) -> Trend | None:
    """Return the trend around an event, None where no tick is near.

    Args:
        folder: The ledger's folder.
        event: The event.
        bounds: Between what measured quantities shall stay.
        runs: Runs whose ticks may stand with an event that is of none.
    """
    whole = event.start + AROUND_S if event.end is None else event.end
    end = min(whole, event.start + LONGEST_S)
    first, last = event.start - AROUND_S, end + AROUND_S
    run = event.run or _run_near(folder, runs, first, last)
    ticks = read_ticks(folder, run, first, last) if run else None
    if ticks is None:
        return None
    until = last if event.end is None else end
    panels = _panels(ticks, event, bounds)
    is_on = (ticks.time_utc > event.start) & (ticks.time_utc <= until)
    cut = ""
    if whole > end:
        cut = (
            f"The first {length(LONGEST_S)} of {length(whole - event.start)} are shown."
        )
    return Trend(
        run=run,
        figures=tuple(
            (f"{p.title} [{p.unit}]", _figure(p, ticks, event, until)) for p in panels
        ),
        header=tuple(_heads(panels)),
        rows=tuple(_rows(panels, ticks, is_on)),
        cut=cut,
    )


def _run_near(folder: Path, runs: Sequence[str], first: int, last: int) -> str:
    """Return the run with the latest tick in a period, empty for none."""
    extents = {run: run_extent(folder, run, first, last) for run in runs}
    known = {run: each[1] for run, each in extents.items() if each}
    return max(known, key=lambda run: (known[run], run), default="")


def _panels(ticks: Ticks, event: Event, bounds: Bounds) -> list[Panel]:
    held = (event.subject,) if event.subject in CHANNEL_NAMES else ()
    changed = (name for name in event.changed if name in CHANNEL_NAMES)
    channels = list(dict.fromkeys((*held, *changed)))
    shown = [_channel(ticks, name) for name in channels[:MOST_CHANNELS]]
    limits = (event.subject, *(name for name in event.margins if ":" not in name))
    words = dict.fromkeys([WATCHED[x] for x in limits if x in WATCHED] + [HOTTEST])
    return shown + [_quantity(ticks, word, bounds) for word in words]


def _channel(ticks: Ticks, name: str) -> Panel:
    i = CHANNEL_NAMES.index(name)
    lines = (
        Line("operator", "applied", ticks.operator[:, i]),
        Line("asked", "proposed", ticks.asked[:, i]),
        Line("given", "certified", ticks.given[:, i]),
    )
    return Panel(subject(name), CHANNELS[i].unit, lines, ())


def _quantity(ticks: Ticks, word: str, bounds: Bounds) -> Panel:
    columns, choose = COLUMNS[word], QUANTITIES[word][1]
    is_usable = ticks.quality[:, columns] >= Quality.UNCERTAIN
    values = np.where(is_usable, ticks.observed[:, columns], np.nan)
    reading = np.full(ticks.rows, np.nan)
    known = np.any(np.isfinite(values), axis=1)
    reading[known] = choose(values[known], axis=1)
    found = bounds.get(word, Bound())
    edges = (("least", found.low), ("most", found.high))
    return Panel(
        title=word[0].upper() + word[1:],
        unit=POINTS[columns[0]].unit,
        lines=(Line("measured", "certified", reading),),
        bounds=tuple((f"limit: {w} {v:g}", v) for w, v in edges if v is not None),
    )


def _heads(panels: Sequence[Panel]) -> list[str]:
    heads = ["Time"]
    for panel in panels:
        unit = f" [{panel.unit}]"
        heads += [f"{panel.title}, {line.label}{unit}" for line in panel.lines]
    return [*heads, "Event"]


def _rows(
    panels: Sequence[Panel], ticks: Ticks, is_on: np.ndarray
) -> list[tuple[str, ...]]:
    columns = [(p.unit, line.values.tolist()) for p in panels for line in p.lines]
    rows = []
    for i in range(ticks.rows):
        cells = (number(values[i], unit) for unit, values in columns)
        at = moment(int(ticks.time_utc[i]), int(ticks.offset[i]))
        rows.append((at, *cells, "on" if is_on[i] else "off"))
    return rows


def _figure(panel: Panel, ticks: Ticks, event: Event, until: int) -> Markup:
    local = ticks.time_utc + ticks.offset
    edges = event.start + event.offset, until + event.offset
    frame = _frame(panel, local)
    body = [
        _shade(frame, edges, event),
        *value_axis(frame, 4, 4.0),
        *_time_axis(frame),
        *(rule(frame, word, value, "rule", 4.0) for word, value in panel.bounds),
        *(_path(frame, local, ticks.step_s, line) for line in panel.lines),
        *_legend(panel),
    ]
    return svg(body, int(HEIGHT), _said(panel, event, until))


def _said(panel: Panel, event: Event, until: int) -> str:
    """Return the drawing in words: the text alternative."""
    parts = []
    for line in panel.lines:
        known = line.values[np.isfinite(line.values)]
        between = "no values"
        if len(known):
            low, high = float(np.min(known)), float(np.max(known))
            between = f"{number(low, panel.unit)} to {number(high, panel.unit)}"
        parts.append(f"{line.label} {between}")
    limits = "".join(f"; {word}" for word, _ in panel.bounds)
    begin, end = (moment(time, event.offset) for time in (event.start, until))
    return (
        f"{panel.title} in {panel.unit}: {', '.join(parts)}{limits}. "
        f"Shaded: the event, {begin} to {end}."
    )


def _frame(panel: Panel, local: np.ndarray) -> Frame:
    known = [line.values[np.isfinite(line.values)] for line in panel.lines]
    shown = np.concatenate([*known, [value for _, value in panel.bounds]])
    low, high = (float(np.min(shown)), float(np.max(shown))) if len(shown) else (0, 1)
    pad = 0.12 * (high - low) or max(0.05 * abs(high), 0.5)
    return Frame(low - pad, high + pad, local[0], local[-1], TOP, HEIGHT - 26.0)


def _shade(frame: Frame, edges: tuple[int, int], event: Event) -> str:
    left, right = (float(frame.x(np.clip(t, frame.start, frame.end))) for t in edges)
    right = max(right, left + 2.0)
    top, bottom = f"{frame.top:.1f}", f"{frame.bottom:.1f}"
    return (
        f'<path class="shade {event.kind}" '
        f'd="M{left:.1f} {top}H{right:.1f}V{bottom}H{left:.1f}Z"/>'
        f'<path class="edge {event.kind}" '
        f'd="M{left:.1f} {top}V{bottom}M{right:.1f} {top}V{bottom}"/>'
    )


def _time_axis(frame: Frame) -> list[str]:
    span = frame.end - frame.start
    step = next((s for s in TICKS_S if span / s <= 9), TICKS_S[-1])
    return time_axis(frame, step, 18.0, lambda t: f"{t:%H:%M}")


def _path(frame: Frame, local: np.ndarray, step_s: int, line: Line) -> str:
    is_known = np.isfinite(line.values)
    parts, before = [], None
    for i in np.flatnonzero(is_known).tolist():
        is_joined = before is not None and local[i] - local[before] <= 2.5 * step_s
        move = "L" if is_joined and bool(is_known[before:i].all()) else "M"
        parts.append(f"{move}{frame.x(local[i]):.1f} {frame.y(line.values[i]):.1f}")
        before = i
    return f'<path class="line {line.style}" d="{"".join(parts)}"/>'


def _legend(panel: Panel) -> list[str]:
    body, x = [], LEFT
    for line in panel.lines:
        is_there = bool(np.any(np.isfinite(line.values)))
        word = line.label if is_there else f"{line.label}: no values"
        body.append(f'<path class="line {line.style}" d="M{x} 12h24"/>')
        body.append(f'<text x="{x + 30}" y="16">{escape(word)}</text>')
        x += 46 + 10 * len(word)
    body.append(f'<rect class="shade key" x="{x}" y="5" width="24" height="13"/>')
    body.append(f'<text x="{x + 30}" y="16">event</text>')
    return body
