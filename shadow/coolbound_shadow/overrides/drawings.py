"""Drawings of the override report: inline SVG, each with its text alternative.

Grey is normal. Overrides are magenta circles, fallbacks red squares, limits amber
diamonds; the data stand in a table beside each drawing.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from markupsafe import Markup, escape

from coolbound_shadow.overrides.event_types import EventKind
from coolbound_shadow.report_axes import svg

WIDTH = 720
RIGHT = 10
LANES_WIDTH = 390
LANES_LEFT = 186
LANE = 19
STACK = (EventKind.LIMIT, EventKind.FALLBACK, EventKind.OVERRIDE)
"""What stands in a bar, from below; ramps are counted in the table only."""

Span = tuple[float, float, bool]
"""Local start and end of a hold [s], and whether it is still active."""


def lanes(
    label: str, rows: Mapping[str, Sequence[Span]], start: float, end: float
) -> Markup:
    """Return the time that each point was held, one lane each.

    Args:
        label: Text alternative.
        rows: Holds by point, in words.
        start: Local epoch at the left edge. [s]
        end: Local epoch at the right edge. [s]
    """
    bottom = LANE * len(rows) + 4
    width = max(end - start, 1.0)

    def x(time: float) -> float:
        share = min(max((time - start) / width, 0.0), 1.0)
        return LANES_LEFT + share * (LANES_WIDTH - LANES_LEFT - RIGHT)

    body: list[str] = []
    for i, (name, spans) in enumerate(rows.items()):
        y = LANE * i + 4
        place, right = f'x="{LANES_LEFT - 8}" y="{y + 11}"', LANES_WIDTH - RIGHT
        body.append(f'<text {place} class="end">{escape(name)}</text>')
        body.append(f'<path class="grid" d="M{LANES_LEFT} {y + 7}H{right}"/>')
        for first, last, is_active in spans:
            body += _span(x(first), x(last), y, is_active)
    body += _days(x, start, end, bottom)
    return svg(body, bottom + 22, label, LANES_WIDTH)


def _span(left: float, right: float, y: float, is_active: bool) -> list[str]:
    wide = max(right - left, 2.0)
    body = [
        f'<rect x="{left:.1f}" y="{y + 2}" width="{wide:.1f}" height="10" '
        'class="hold"/>'
    ]
    if is_active:
        body.append(f'<circle cx="{right:.1f}" cy="{y + 7}" r="5.5" class="hold"/>')
    return body


def _days(
    x: Callable[[float], float], start: float, end: float, bottom: float
) -> list[str]:
    days = (end - start) / 86400
    every = next((d for d in (1, 2, 5, 7, 14, 30, 61) if days / d <= 4), 122) * 86400
    step = every if days > 2 else 6 * 3600
    body = [f'<path class="axis" d="M{LANES_LEFT} {bottom}H{LANES_WIDTH - RIGHT}"/>']
    time = -(-start // step) * step
    while time <= end:
        stamp = datetime.fromtimestamp(time, UTC)
        text = f"{stamp.day} {stamp:%b}" if days > 2 else f"{stamp:%H:%M}"
        place = "end" if x(time) > LANES_WIDTH - 26 else "mid"
        body.append(f'<path class="axis" d="M{x(time):.1f} {bottom}v4"/>')
        body.append(
            f'<text x="{x(time):.1f}" y="{bottom + 16}" class="{place}">{text}</text>'
        )
        time += step
    return body


def columns(
    label: str, bars: Sequence[tuple[str, Mapping[EventKind, int]]], height: int = 120
) -> Markup:
    """Return stacked columns of events, overrides on top.

    Args:
        label: Text alternative.
        bars: Word and counts of each column.
        height: Height of the drawing. [px]
    """
    totals = [sum(counts.get(kind, 0) for kind in STACK) for _, counts in bars]
    most = max([*totals, 1])
    bottom, top, left = height - 18.0, 12.0, 34.0
    wide = (WIDTH - left - RIGHT) / max(len(bars), 1)
    body = [
        f'<path class="axis" d="M{left} {bottom}H{WIDTH - RIGHT}"/>',
        f'<path class="grid" d="M{left} {top}H{WIDTH - RIGHT}"/>',
        f'<text x="{left - 5}" y="{top + 4}" class="end">{most:,}</text>',
        f'<text x="{left - 5}" y="{bottom + 3}" class="end">0</text>',
    ]
    every = -(-len(bars) // 24)
    for i, (word, counts) in enumerate(bars):
        x, y = left + i * wide, bottom
        for kind in STACK:
            tall = (bottom - top) * counts.get(kind, 0) / most
            y -= tall
            if tall:
                body.append(
                    f'<rect x="{x + 0.15 * wide:.1f}" y="{y:.1f}" '
                    f'width="{0.7 * wide:.1f}" height="{tall:.1f}" class="{kind}"/>'
                )
        if i % every == 0:
            body.append(
                f'<text x="{x + 0.5 * wide:.1f}" y="{height - 4}" class="mid">'
                f"{escape(word)}</text>"
            )
    return svg(body, height, label)
