"""The axes of figures over time: where numbers fall on paper, and what stands there."""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
from markupsafe import Markup, escape

WIDTH = 720
LEFT = 56
RIGHT = 8


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a figure. Static.

    Attributes:
        label: Its word in the legend.
        style: Class in the style sheet.
        values: Its values, shape (T,), NaN where there is none. [the figure's unit]
    """

    label: str
    style: str
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Frame:
    """Where numbers fall on paper. Static.

    Attributes:
        low: Least value shown. [the figure's unit]
        high: Largest value shown. [the figure's unit]
        start: Local epoch at the left edge. [s]
        end: Local epoch at the right edge. [s]
        top: Upper edge of the plot. [px]
        bottom: Lower edge of the plot. [px]
    """

    low: float
    high: float
    start: float
    end: float
    top: float
    bottom: float

    def x(self, time: np.ndarray | float) -> np.ndarray:
        """Return abscissae [px]."""
        share = (np.asarray(time) - self.start) / max(self.end - self.start, 1.0)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: np.ndarray | float) -> np.ndarray:
        """Return ordinates [px]."""
        share = (np.asarray(value) - self.low) / (self.high - self.low)
        return self.bottom - share * (self.bottom - self.top)


def svg(body: Sequence[str], height: int, label: str, width: int = WIDTH) -> Markup:
    """Return a figure with its text alternative."""
    text = escape(label)
    return Markup(
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{text}">'
        f"<title>{text}</title>{''.join(body)}</svg>"
    )


def nice_step(span: float, count: int) -> float:
    """Return the 1-2-5 step that gives about `count` ticks."""
    rough = span / count
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(m for m in (1, 2, 5, 10) if m * power >= rough) * power)


def value_axis(frame: Frame, count: int, drop: float) -> list[str]:
    """Return lines across the plot with their numbers.

    Args:
        frame: Where numbers fall.
        count: About how many lines. [1]
        drop: Baseline of a number under its line. [px]
    """
    step = nice_step(frame.high - frame.low, count)
    body = []
    for value in np.arange(np.ceil(frame.low / step) * step, frame.high, step):
        y = float(frame.y(value))
        text = f"{value:.6g}" if abs(value) > 1e-9 * step else "0"
        text = text.replace("-", "\u2212")
        body.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        body.append(
            f'<text x="{LEFT - 6}" y="{y + drop:.1f}" class="end">{text}</text>'
        )
    return body


def time_axis(
    frame: Frame, step: int, drop: float, word: Callable[[datetime], str]
) -> list[str]:
    """Return the axis of local time with its marks.

    Args:
        frame: Where numbers fall.
        step: Distance of the marks. [s]
        drop: Baseline of their words under the axis. [px]
        word: What stands at an instant, given on the site's clock as if that were UTC.
    """
    body = [f'<path class="axis" d="M{LEFT} {frame.bottom:.1f}H{WIDTH - RIGHT}"/>']
    for time in np.arange(np.ceil(frame.start / step) * step, frame.end + 1, step):
        x, y = float(frame.x(time)), frame.bottom + drop
        text = word(datetime.fromtimestamp(float(time), UTC))
        place = "end" if x > WIDTH - 24 else "mid"
        body.append(f'<path class="axis" d="M{x:.1f} {frame.bottom:.1f}v4"/>')
        body.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{place}">{text}</text>')
    return body


def rule(frame: Frame, word: str, value: float, style: str, lift: float) -> str:
    """Return a line across the plot with its word.

    Args:
        frame: Where numbers fall.
        word: What the line is.
        value: Where it stands. [the figure's unit]
        style: Class of the word in the style sheet.
        lift: Baseline of the word above the line. [px]
    """
    y = float(frame.y(value))
    return (
        f'<path class="bound" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{WIDTH - RIGHT - 3}" y="{y - lift:.1f}" class="end {style}">'
        f"{escape(word)}</text>"
    )
