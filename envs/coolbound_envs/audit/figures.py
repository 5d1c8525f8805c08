"""The audit's figures as inline SVG: episodes, and what cheating earns."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib

matplotlib.use("Agg")

import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from coolbound_envs.accounts import TRIP_TEMP
from coolbound_envs.audit.episodes import Trajectory
from coolbound_envs.spec import CHILLERS

INK: Final = "#1d2730"
SOFT: Final = "#7b8791"
RED: Final = "#a3160f"
BLUE: Final = "#0072b2"
ORANGE: Final = "#d55e00"
GREEN: Final = "#009e73"
"""Okabe and Ito where colours must be told apart; each also has its own dash."""

INLET_LIMIT: Final = 27.0
"""Recommended inlet, as drawn. [degC]"""

TITLE: Final[dict[str, Any]] = {"loc": "left", "fontsize": 8}

SETTINGS: Final[dict[Any, Any]] = {
    "font.family": "sans-serif",
    "font.size": 8.0,
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "xtick.color": INK,
    "ytick.color": INK,
}


def trajectory_figure(trajectory: Trajectory) -> Markup:
    """Return temperatures, power and set-points of one episode over its hours."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.4, 2.45), layout="constrained")
        heat, power, shares = figure.subplots(1, 3)
        _panels(heat, power, shares, trajectory)
        hottest = float(np.nanmax(trajectory.series["hottest_inlet"]))
        what = f"{trajectory.title}: {trajectory.ending}"
        return _svg(figure, f"{what}; hottest inlet {hottest:.1f} degC.")


def _panels(heat: Axes, power: Axes, shares: Axes, trajectory: Trajectory) -> None:
    """Draw the three panels of an episode."""
    heat.axhline(TRIP_TEMP, color=RED, lw=0.8)
    heat.axhline(INLET_LIMIT, color=RED, lw=0.8, ls=":")
    rows = (
        ("hottest_inlet", "hottest inlet", RED, "-"),
        ("supply_air", "supply air", INK, "--"),
        ("chw_supply", "chilled water", BLUE, "-"),
        ("basin", "tower basin", GREEN, "-."),
    )
    _lines(heat, trajectory, rows)
    heat.set_title(f"\u00b0C (red: {INLET_LIMIT:g}, trip at {TRIP_TEMP:g})", **TITLE)
    _lines(power, trajectory, (("power_above_work", "power above IT work", INK, "-"),))
    power.set_title("kW", **TITLE)
    rows = (
        ("fan_speed", "CRAH fans, slower hall", BLUE, "-"),
        ("airflow_ratio", "air over server air", ORANGE, "--"),
        ("tower_fan", "tower fans", GREEN, "-."),
        ("machines_share", "chillers running, of 3", SOFT, ":"),
    )
    _lines(shares, trajectory, rows)
    shares.set_ylim(0.0, None)
    shares.set_title("share", **TITLE)


def _lines(
    axes: Axes,
    trajectory: Trajectory,
    rows: Sequence[tuple[str, str, str, str]],
) -> None:
    for name, label, colour, dash in rows:
        if name == "machines_share":
            values = trajectory.series["machines"] / CHILLERS
        else:
            values = trajectory.series[name]
        axes.plot(trajectory.hours, values, dash, color=colour, lw=1.2, label=label)
        end = int(np.max(np.flatnonzero(np.isfinite(values)), initial=0))
        if end < len(values) - 1:
            axes.plot(trajectory.hours[end], values[end], "x", color=colour, ms=5)
    axes.set_xlim(0.0, trajectory.hours[-1])
    axes.tick_params(labelsize=7)
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.1)}
    axes.legend(frameon=False, fontsize=7, ncol=2, handlelength=1.6, **place)


def score_figure(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """Return what every policy loses a step, on reward alone and with costs priced.

    Args:
        rows: Scores, best first, as in the check's details.
    """
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.4, 0.9 + 0.155 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for place, row in enumerate(rows):
            colour = INK if row["is_reference"] else ORANGE
            reward, score = -row["reward"], -row["score"]
            axes.plot([reward, score], [place, place], color=colour, lw=1.0)
            axes.plot(reward, place, "o", color=colour, ms=4.5, mfc="white")
            axes.plot(score, place, "o", color=colour, ms=4.5)
            if row["is_reference"]:
                axes.axvline(score, color=SOFT, lw=0.8, ls="--")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda value, _: "")
        axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
        axes.tick_params(axis="y", labelsize=7, length=0)
        axes.invert_yaxis()
        axes.set_xlabel("lost a step: 1 is 100 kW above the IT work (log)")
        label = "What each policy loses a step, on reward alone and with costs priced."
        return _svg(figure, label)


def _svg(figure: Figure, label: str) -> Markup:
    """Return the figure as an element of a page, with its text alternative."""
    FigureCanvasSVG(figure)
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": label}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    body = text[text.index("<svg") :]
    named = f'<svg role="img" aria-label="{escape(label)}"'
    return Markup(body.replace("<svg", named, 1))
