"""Pictures of the calibration page: inline SVG, no script, no font, no address.

Grey points are hours; a black bar is the mean of those above it, with as many bars as
there are bins. Nothing is told by colour alone, and every picture has its words.
"""

import dataclasses
import math
from collections.abc import Sequence
from datetime import date

import numpy as np
from markupsafe import Markup

from coolbound_shadow.report_axes import svg

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 350, 48, 8, 18, 34
POINTS_MOST = 400
"""Hours drawn in one picture; evenly chosen where there are more. [1]"""

BARS = 8
"""Bins whose means are drawn. [1]"""

HOURS_OF_A_BAR = 5
"""Hours below which a bin has no bar. [1]"""

STRIP_WIDTH = 720


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis of a picture. Static.

    Attributes:
        low: Least value shown. [the picture's unit]
        high: Largest value shown. [the picture's unit]
        start: Where the least value falls. [px]
        end: Where the largest value falls. [px]
    """

    low: float
    high: float
    start: float
    end: float

    def at(self, value: np.ndarray | float) -> np.ndarray:
        """Return where values fall [px]."""
        share = (np.asarray(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return four to eight round values within the axis."""
        rough = (self.high - self.low) / 5.0
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
        first = math.ceil(self.low / step)
        return [step * i for i in range(first, math.floor(self.high / step) + 1)]


def scatter(
    label: str,
    across: str,
    up: str,
    x: np.ndarray,
    y: np.ndarray,
    height: int = 190,
    is_equal: bool = False,
) -> Markup:
    """Return hours as points with the means of bins.

    Args:
        label: Text alternative.
        across: Name and unit of the horizontal axis.
        up: Name and unit of the vertical axis.
        x: Abscissae, (H,). [the picture's unit]
        y: Ordinates, (H,). [the picture's unit]
        height: Of the picture. [px]
        is_equal: True to draw the line of equality; else that of zero.
    """
    known = np.isfinite(x) & np.isfinite(y)
    if np.sum(known) < 2:
        return Markup("")
    x, y = x[known], y[known]
    low, high = _range(np.concatenate([x, y]) if is_equal else x)
    horizontal = Axis(low, high, LEFT, WIDTH - RIGHT)
    if not is_equal:
        low, high = _range(np.append(y, 0.0))
    vertical = Axis(low, high, height - BOTTOM, TOP)
    body = [*_axes(horizontal, vertical, across, up, height)]
    body.append(_line(horizontal, vertical, is_equal))
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS_MOST)).astype(int))
    pairs = zip(horizontal.at(x[chosen]), vertical.at(y[chosen]), strict=True)
    body += [
        f'<circle class="hour" cx="{a:.1f}" cy="{b:.1f}" r="1.6"/>' for a, b in pairs
    ]
    if not is_equal:
        body += _bars(horizontal, vertical, x, y)
    return svg(body, height, label, WIDTH)


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = float(np.min(values)), float(np.max(values))
    pad = 0.05 * (high - low) or max(0.05 * abs(high), 0.5)
    return low - pad, high + pad


def _axes(
    horizontal: Axis, vertical: Axis, across: str, up: str, height: int
) -> list[str]:
    base = height - BOTTOM
    body = [f'<text x="{LEFT}" y="11">{up}</text>']
    for value in vertical.ticks():
        y = float(vertical.at(value))
        body.append(
            f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
            f'<text class="end" x="{LEFT - 4}" y="{y + 3:.1f}">{value:g}</text>'
        )
    for value in horizontal.ticks():
        x = float(horizontal.at(value))
        body.append(f'<text class="mid" x="{x:.1f}" y="{base + 13}">{value:g}</text>')
    body.append(f'<path class="axis" d="M{LEFT} {base}H{WIDTH - RIGHT}"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    body.append(f'<text class="mid" x="{middle}" y="{height - 6}">{across}</text>')
    return body


def _line(horizontal: Axis, vertical: Axis, is_equal: bool) -> str:
    if is_equal:
        low, high = horizontal.low, horizontal.high
        ends = [(low, low), (high, high)]
    else:
        ends = [(horizontal.low, 0.0), (horizontal.high, 0.0)]
    (a, b), (c, d) = [(horizontal.at(x), vertical.at(y)) for x, y in ends]
    return f'<path class="zero" d="M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}"/>'


def _bars(horizontal: Axis, vertical: Axis, x: np.ndarray, y: np.ndarray) -> list[str]:
    edges = np.linspace(horizontal.low, horizontal.high, BARS + 1)
    place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, BARS - 1)
    body = []
    for i in range(BARS):
        if np.sum(place == i) >= HOURS_OF_A_BAR:
            left, right = horizontal.at(edges[i : i + 2])
            at = float(vertical.at(float(np.mean(y[place == i]))))
            body.append(
                f'<path class="mean" d="M{left + 2:.1f} {at:.1f}H{right - 2:.1f}"/>'
            )
    return body


def split_strip(
    training: Sequence[tuple[str, str]], held_out: Sequence[tuple[str, str]]
) -> Markup:
    """Return which days trained and which judged, as a strip with words."""
    spans = [(*_days(s), "train") for s in training]
    spans += [(*_days(s), "held") for s in held_out]
    first, last = min(s[0] for s in spans), max(s[1] for s in spans) + 1
    axis = Axis(first, last, 1.0, STRIP_WIDTH - 1.0)
    body = []
    for start, end, kind in sorted(spans):
        left, right = float(axis.at(start)), float(axis.at(end + 1))
        width = right - left
        body.append(
            f'<rect class="{kind}" x="{left:.1f}" y="2" width="{width:.1f}" '
            'height="20"/>'
        )
        word = "training" if kind == "train" else "held out"
        if width > 52:
            body.append(
                f'<text class="mid {kind}-word" x="{left + width / 2:.1f}" y="16">'
                f"{word}</text>"
            )
    begin, end = date.fromordinal(first), date.fromordinal(last - 1)
    body.append(f'<text x="1" y="36">{begin}</text>')
    body.append(f'<text class="end" x="{STRIP_WIDTH - 1}" y="36">{end}</text>')
    return svg(body, 40, f"Days that trained and days that judged, {begin} to {end}")


def _days(span: tuple[str, str]) -> tuple[int, int]:
    first, last = (date.fromisoformat(each).toordinal() for each in span)
    return first, last
