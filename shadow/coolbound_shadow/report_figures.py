"""Figures as inline SVG, drawn here: no script, no font, no address.

Colours are classes of the report's style sheet. Grey is normal; what is not has
a colour, a shape and a word. Every figure carries its text alternative.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from markupsafe import Markup, escape

from coolbound_shadow.report_axes import (
    LEFT,
    RIGHT,
    WIDTH,
    Frame,
    Line,
    nice_step,
    rule,
    svg,
    time_axis,
    value_axis,
)

BUCKETS = 330
"""Columns that a line is drawn with; each keeps its least and largest value. [1]"""

DAY_S = 86400


def time_figure(
    label: str,
    unit: str,
    time_local: np.ndarray,
    step_s: int,
    lines: Sequence[Line],
    marks: np.ndarray,
    bounds: Sequence[tuple[str, float]] = (),
    height: int = 138,
) -> Markup:
    """Return lines over local time, with a mark below each marked step.

    Args:
        label: Text alternative.
        unit: Unit of the values, printed at the axis.
        time_local: UTC epoch plus offset, shape (T,). [s]
        step_s: Nominal step; a longer pause breaks the lines. [s]
        lines: What is drawn, the first lowest.
        marks: Steps to be marked below the axis, bool, shape (T,).
        bounds: Words and values of horizontal lines.
        height: Height of the figure. [px]
    """
    frame = _frame(time_local, lines, bounds, height)
    body = [f'<text x="2" y="12" class="unit">{escape(unit)}</text>']
    body += [*value_axis(frame, 5, 3.0), *_time_axis(frame)]
    body += [rule(frame, word, value, "small", 3.0) for word, value in bounds]
    body += [_path(frame, time_local, step_s, line) for line in lines]
    body += _legend(lines)
    body += _ticks(frame, time_local, marks)
    return svg(body, height, label)


def _frame(
    time: np.ndarray,
    lines: Sequence[Line],
    bounds: Sequence[tuple[str, float]],
    height: int,
) -> Frame:
    edges = [value for _, value in bounds]
    known = [v[np.isfinite(v)] for v in (line.values for line in lines)]
    shown = np.concatenate([*known, np.asarray(edges, dtype=np.float64)])
    low, high = (float(np.min(shown)), float(np.max(shown))) if len(shown) else (0, 1)
    pad = 0.06 * (high - low) or max(0.05 * abs(high), 0.5)
    return Frame(low - pad, high + pad, time[0], time[-1], 22.0, height - 34.0)


def _time_axis(frame: Frame) -> list[str]:
    days = (frame.end - frame.start) / DAY_S
    every = next((d for d in (1, 2, 5, 7, 14, 30, 61) if days / d <= 12), 122)
    if days > 2:
        return time_axis(frame, every * DAY_S, 26.0, lambda t: f"{t.day} {t:%b}")
    return time_axis(frame, 6 * 3600, 26.0, lambda t: f"{t:%H:%M}")


def _path(frame: Frame, time: np.ndarray, step_s: int, line: Line) -> str:
    x, y = thin(time, line.values, BUCKETS)
    parts = []
    pen_up = True
    longest = max(2.5 * step_s, 2.5 * (time[-1] - time[0]) / BUCKETS)
    previous = None
    for a, b in zip(x, y, strict=True):
        if not np.isfinite(b):
            pen_up = True
            continue
        if previous is not None and a - previous > longest:
            pen_up = True
        parts.append(f"{'M' if pen_up else 'L'}{frame.x(a):.1f} {frame.y(b):.1f}")
        pen_up, previous = False, a
    return f'<path class="line {line.style}" d="{"".join(parts)}"/>'


def thin(
    time: np.ndarray, values: np.ndarray, buckets: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return fewer samples that keep each bucket's least and largest value."""
    if len(time) <= 2 * buckets:
        return time, values
    place = (np.arange(len(time)) * buckets) // len(time)
    starts = np.searchsorted(place, np.arange(buckets))
    picked = []
    for chunk in np.split(np.arange(len(time)), starts[1:]):
        known = chunk[np.isfinite(values[chunk])]
        if len(known) == 0:
            picked.append(int(chunk[0]))
            continue
        pair = {int(known[f(values[known])]) for f in (np.argmin, np.argmax)}
        picked += sorted(pair)
    return time[picked], values[picked]


def _legend(lines: Sequence[Line]) -> list[str]:
    body, x = [], LEFT + 4
    for line in lines:
        word = line.label if np.any(np.isfinite(line.values)) else f"{line.label}: none"
        body.append(f'<path class="line {line.style}" d="M{x} 9h22"/>')
        body.append(f'<text x="{x + 27}" y="12">{escape(word)}</text>')
        x += 44 + 6 * len(word)
    return body


def _ticks(frame: Frame, time: np.ndarray, marks: np.ndarray) -> list[str]:
    if not np.any(marks):
        return []
    columns = np.unique(np.round(frame.x(time[marks])).astype(int))
    y = frame.bottom + 5
    path = "".join(f"M{x} {y:.0f}v7" for x in columns)
    return [f'<path class="mark" d="{path}"/>']


def bar_figure(label: str, counts: Mapping[str, int], total: int, unit: str) -> Markup:
    """Return horizontal bars, each with its count and its share of the total."""
    if not counts:
        return Markup('<p class="quiet">none</p>')
    height = 20 * len(counts) + 4
    most = max(counts.values())
    body = []
    for i, (name, count) in enumerate(counts.items()):
        y = 20 * i + 3
        width = 105.0 * count / most if most else 0.0
        share = 100.0 * count / total if total else 0.0
        body.append(f'<text x="128" y="{y + 11}" class="end">{escape(name)}</text>')
        body.append(
            f'<rect x="134" y="{y}" width="{width:.1f}" height="14" class="bar"/>'
        )
        body.append(
            f'<text x="{139 + width:.1f}" y="{y + 11}">{count:,} {escape(unit)} '
            f"({share:.1f} %)</text>"
        )
    return svg(body, height, label, 390)


def interval_figure(
    label: str, rows: Sequence[tuple[str, float, float, float]]
) -> Markup:
    """Return intervals on one percent axis, with zero marked.

    Args:
        label: Text alternative.
        rows: Word, value, low and high of each. [percent]
    """
    reach = 1.15 * max(max(abs(low), abs(high)) for _, _, low, high in rows) or 1.0
    height = 18 * len(rows) + 22

    def x(value: float) -> float:
        return 118 + 260 * (value + reach) / (2 * reach)

    body = [f'<path class="zero" d="M{x(0):.1f} 2V{height - 17}"/>']
    step = nice_step(2 * reach, 4)
    for value in np.arange(np.ceil(-reach / step) * step, reach, step):
        body.append(
            f'<text x="{x(value):.1f}" y="{height - 4}" class="mid">'
            f"{_signed(value, step)} %</text>"
        )
    for i, (word, value, low, high) in enumerate(rows):
        y = 18 * i + 10
        body.append(f'<text x="112" y="{y + 4}" class="end">{escape(word)}</text>')
        body.append(
            f'<path class="whisker" d="M{x(low):.1f} {y}H{x(high):.1f}'
            f'M{x(low):.1f} {y - 5}v10M{x(high):.1f} {y - 5}v10"/>'
        )
        body.append(f'<circle cx="{x(value):.1f}" cy="{y}" r="4.5" class="dot"/>')
    return svg(body, height, label, 390)


def _signed(value: float, step: float) -> str:
    is_zero = abs(value) < 1e-9 * step
    return "0" if is_zero else f"{value:+.4g}".replace("-", "\u2212")


def calendar_figure(
    label: str, time_local: np.ndarray, marks: np.ndarray, step_s: int
) -> Markup:
    """Return hours (down) by days (across): the darker, the more steps are marked."""
    instant = time_local - step_s
    day = instant // DAY_S
    first, days = int(day[0]), int(day[-1] - day[0]) + 1
    per_column = -(-days // 62)
    columns = -(-days // per_column)
    place = ((day - first) // per_column) * 24 + (instant % DAY_S) // 3600
    total = np.bincount(place.astype(int), minlength=columns * 24)
    marked = np.bincount(place.astype(int)[marks], minlength=columns * 24)
    width = (WIDTH - LEFT - RIGHT) / columns
    body = [
        _cell(i // 24, i % 24, width, marked[i] / total[i] if total[i] else np.nan)
        for i in range(columns * 24)
    ]
    body += _calendar_axes(first, columns, per_column, width)
    return svg(body, 24 * 5 + 26, label)


def _cell(column: int, hour: int, width: float, share: float) -> str:
    level = "gap" if np.isnan(share) else f"heat{int(np.ceil(4 * share))}"
    x, y = LEFT + column * width, 5 * hour + 5
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="5" class="{level}"/>'


def _calendar_axes(first: int, columns: int, every: int, width: float) -> list[str]:
    body = [
        f'<text x="{LEFT - 6}" y="{5 * hour + 12}" class="end">{hour:02d}:00</text>'
        for hour in (0, 6, 12, 18)
    ]
    step = max(1, -(-columns // 12))
    for column in range(0, columns, step):
        stamp = datetime.fromtimestamp((first + column * every) * DAY_S, UTC)
        x = LEFT + (column + 0.5) * width
        body.append(
            f'<text x="{x:.1f}" y="140" class="mid">{stamp.day} {stamp:%b}</text>'
        )
    return body
