"""Figures of the page as inline SVG; colours are classes of its style sheet."""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from markupsafe import Markup, escape

from coolbound.evaluation.cells import number
from coolbound_shadow.report_axes import WIDTH, svg

NAMES: Final = 150
"""Width of the column of names. [px]"""

RIGHT: Final = 60
"""Room for what stands behind a bar. [px]"""

ROW: Final = 26
"""Height of a row. [px]"""


class Whisker(NamedTuple):
    """One row of an interval figure.

    Attributes:
        name: As printed.
        value: The difference. [percent]
        low: Lower end, the value itself for none. [percent]
        high: Upper end, the value itself for none. [percent]
        dots: What it is the mean of. [percent]
    """

    name: str
    value: float
    low: float
    high: float
    dots: Sequence[float]


def interval_figure(label: str, rows: Sequence[Whisker]) -> Markup:
    """Return differences with their intervals on one axis, zero marked.

    Args:
        label: Text alternative.
        rows: From above.
    """
    values = [v for row in rows for v in (row.low, row.high, row.value, *row.dots)]
    low, high = min(0.0, *values), max(0.0, *values)
    pad = 0.05 * (high - low) or 1.0
    axis = _Axis(low - pad, high + pad)
    height = ROW * len(rows) + 24
    body = _percent_ticks(axis, height)
    for i, row in enumerate(rows):
        body += _whisker(axis, row, ROW * i + 13)
    return svg(body, height, label)


class _Axis(NamedTuple):
    """A horizontal axis.

    Attributes:
        low: At the left end. [percent]
        high: At the right end. [percent]
    """

    low: float
    high: float

    def x(self, value: float) -> float:
        """Return the abscissa [px]."""
        share = (value - self.low) / (self.high - self.low)
        return NAMES + share * (WIDTH - NAMES - RIGHT)


def _ticks(low: float, high: float, count: int = 6) -> np.ndarray:
    """Return round numbers within a range."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m for m in (1, 2, 5, 10) if m * power >= rough) * power
    return np.arange(math.ceil(low / step) * step, high, step)


def _percent_ticks(axis: _Axis, height: int) -> list[str]:
    body = [f'<path class="zero" d="M{axis.x(0.0):.1f} 2V{height - 17}"/>']
    for value in _ticks(axis.low, axis.high):
        x = axis.x(float(value))
        decimals = 0 if axis.high - axis.low > 5.0 else 1
        text = number(float(value), decimals, True)
        body.append(f'<path class="grid" d="M{x:.1f} 2V{height - 17}"/>')
        body.append(f'<text x="{x:.1f}" y="{height - 4}" class="mid">{text} %</text>')
    return body


def _whisker(axis: _Axis, row: Whisker, y: int) -> list[str]:
    low, high = axis.x(row.low), axis.x(row.high)
    body = [f'<text x="{NAMES - 8}" y="{y + 4}" class="end">{escape(row.name)}</text>']
    body += [
        f'<circle cx="{axis.x(value):.1f}" cy="{y}" r="3" class="ring"/>'
        for value in row.dots
    ]
    body.append(
        f'<path class="whisker" d="M{low:.1f} {y}H{high:.1f}'
        f'M{low:.1f} {y - 5}v10M{high:.1f} {y - 5}v10"/>'
    )
    body.append(f'<circle cx="{axis.x(row.value):.1f}" cy="{y}" r="4" class="dot"/>')
    text = f"{number(row.value, 1, True)} %"
    body.append(f'<text x="{WIDTH - RIGHT + 6}" y="{y + 4}">{text}</text>')
    return body


def stack_figure(
    label: str, rows: Mapping[str, Mapping[str, float]], unit: str
) -> Markup:
    """Return stacked bars, one for each row, with what they add up to.

    Args:
        label: Text alternative.
        rows: Parts by name, the same names in each row; negative ones are not drawn.
        unit: Printed behind the sums.
    """
    most = max(sum(max(v, 0.0) for v in parts.values()) for parts in rows.values())
    scale = (WIDTH - NAMES - RIGHT - 30) / (most or 1.0)
    height = ROW * len(rows) + 22
    body: list[str] = []
    for i, (name, parts) in enumerate(rows.items()):
        body += _bar(name, parts, ROW * i + 20, scale, unit)
    return svg(_legend(next(iter(rows.values()))) + body, height, label)


def _bar(
    name: str, parts: Mapping[str, float], y: int, scale: float, unit: str
) -> list[str]:
    body = [f'<text x="{NAMES - 8}" y="{y + 13}" class="end">{escape(name)}</text>']
    x = float(NAMES)
    for i, value in enumerate(parts.values()):
        width = scale * max(value, 0.0)
        body.append(
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="18" '
            f'class="part{i}"/>'
        )
        x += width
    text = f"{number(sum(parts.values()))} {escape(unit)}"
    body.append(f'<text x="{x + 6:.1f}" y="{y + 13}">{text}</text>')
    return body


def _legend(names: Mapping[str, float]) -> list[str]:
    body, x = [], 4.0
    for i, name in enumerate(names):
        body.append(
            f'<rect x="{x:.0f}" y="2" width="11" height="10" class="part{i}"/>'
            f'<text x="{x + 15:.0f}" y="11">{escape(name)}</text>'
        )
        x += 30 + 6.2 * len(name)
    return body
