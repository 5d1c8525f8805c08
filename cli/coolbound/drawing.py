"""How the figures of generated pages are begun, labelled and written."""

import io
from typing import Any, Final

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito: told apart by every eye, and in print."""

_WIDTH = 7.2
_SMALL = 8


def canvas(height: float, panels: int, width: float = _WIDTH):
    """Return a figure [in] and its panels, side by side."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, panels, squeeze=False)[0]


def label(axes: Axes, title: str, x: str, y: str, size: int = _SMALL) -> None:
    """Write a panel's title and what its axes show."""
    axes.set_title(title, fontsize=size + 1, loc="left")
    axes.set_xlabel(x, fontsize=size)
    axes.set_ylabel(y, fontsize=size)
    axes.tick_params(labelsize=size)
    axes.spines[["top", "right"]].set_visible(False)


def svg(figure: Figure) -> bytes:
    """Return the figure; the same data give the same bytes."""
    FigureCanvasSVG(figure)
    file = io.BytesIO()
    settings: Any = {"svg.hashsalt": "coolbound", "svg.fonttype": "none"}
    with matplotlib.rc_context(settings):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
