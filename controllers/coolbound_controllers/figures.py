"""The picture of a training run: reward, power, costs, prices and more over steps."""

import io
from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from coolbound_envs.accounts import REWARD_POWER

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito: told apart by every eye, and in print."""


_NO_WORDS = ("Creator", "Date", "Format", "Type")
"""What matplotlib would write of itself and of the day."""


def training_page(
    rows: Sequence[Mapping[str, float]], limits: Mapping[str, float]
) -> bytes:
    """Return the page as SVG; the same rows give the same bytes.

    Args:
        rows: Lines of `metrics.csv`, oldest first.
        limits: Largest mean cost per control step, by constraint. [1]
    """
    figure = Figure(figsize=(9.0, 9.0), layout="constrained")
    reward, power, costs, prices, interventions, speed = figure.subplots(3, 2).flat
    steps = [row["steps"] for row in rows]
    reward.plot(steps, [row["reward"] for row in rows], color=COLOURS[0])
    _label(reward, "Reward of a step, while exploring [1]")
    kilowatt = [row["power"] * REWARD_POWER / 1e3 for row in rows]
    power.plot(steps, kilowatt, color=COLOURS[0])
    _label(power, "Facility power above the IT work [kW]")
    for colour, (name, limit) in zip(COLOURS, limits.items(), strict=False):
        share = [row[f"cost_{name}"] / limit for row in rows]
        costs.plot(steps, share, color=colour, label=name)
        price = [row[f"multiplier_{name}"] for row in rows]
        prices.plot(steps, price, color=colour, label=name)
    costs.axhline(1.0, color="black", linewidth=0.8, linestyle="--")
    costs.set_yscale("symlog", linthresh=1.0)
    costs.set_ylim(bottom=0.0)
    _label(costs, "Mean cost over its limit, per group [1]")
    costs.legend(frameon=False, fontsize=8)
    _label(prices, "Multiplier, per group [1]")
    rate = [100.0 * row["intervention"] for row in rows]
    interventions.plot(steps, rate, color=COLOURS[0])
    interventions.set_ylim(0.0, 100.0)
    _label(interventions, "Steps with an intervention, while exploring [%]")
    rates = [row["steps_per_second"] for row in rows]
    speed.plot(steps, rates, color=COLOURS[0])
    speed.set_ylim(bottom=0.0)
    _label(speed, "Environment steps per second [1/s]")
    return _svg(figure)


def _label(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("environment steps", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _svg(figure: Figure) -> bytes:
    FigureCanvasSVG(figure)
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "coolbound"}):
        figure.savefig(file, format="svg", metadata=dict.fromkeys(_NO_WORDS))
    return file.getvalue()
