"""The figures of the validation page, as small SVG files that print on A4."""

from collections.abc import Sequence

import numpy as np

from coolbound.drawing import COLOURS, canvas, label, svg
from coolbound.validation import bands, chillers, physics, tower
from coolbound.validation.bands import YearFigures
from coolbound.validation.chillers import ChillerComparison
from coolbound.validation.engines import COMPARED, EngineComparison
from coolbound.validation.headroom import CityHeadroom
from coolbound.validation.physics import Warming
from coolbound.validation.tower import TowerBand


def tower_figure(found: Sequence[TowerBand]) -> bytes:
    """Return the approach of both towers, and their difference by wet bulb."""
    figure, (left, right) = canvas(3.1, 2)
    for band, colour in zip(found, COLOURS, strict=False):
        name = f"{band.low:g} to {band.high:g} degC"
        some = slice(None, None, 3)
        left.plot(
            band.york[some], band.ours[some], ".", color=colour, ms=2.5, label=name
        )
        right.fill_between(*_envelope(band), color=colour, alpha=0.35, linewidth=0)
    most = max(float(np.max(band.york)) for band in found) + 0.5
    left.plot([0, most], [0, most], color="black", linewidth=0.6)
    left.legend(frameon=False, fontsize=7, title="wet bulb", title_fontsize=7)
    label(left, "Approach", "YorkCalc, K", "this plant, K")
    low, high = found[0].low, found[0].high
    for bound in (tower.BOUND, -tower.BOUND):
        right.plot([low, high], [bound, bound], color="black", linewidth=0.9)
    right.text(low, tower.BOUND + 0.06, "bound", fontsize=7)
    right.axhline(0.0, color="grey", linewidth=0.4)
    label(right, "This plant less YorkCalc, all cases", "wet bulb, degC", "approach, K")
    return svg(figure)


def _envelope(band: TowerBand) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return wet bulbs with the least and the largest difference at each."""
    bulbs = np.unique(band.wet_bulb)
    gaps = [(band.ours - band.york)[band.wet_bulb == bulb] for bulb in bulbs]
    return bulbs, np.array([g.min() for g in gaps]), np.array([g.max() for g in gaps])


def chiller_figure(found: Sequence[ChillerComparison]) -> bytes:
    """Return COP over part load at some condenser temperatures, and all errors."""
    figure, (left, right) = canvas(3.2, 2)
    first = found[0]
    warm = np.max(first.leaving)
    temps = np.unique(first.entering[np.isclose(first.leaving, warm)])
    for temp, colour in zip(temps[:: max(1, len(temps) // 4)], COLOURS, strict=False):
        is_shown = np.isclose(first.leaving, warm) & (first.entering == temp)
        order = np.argsort(first.load[is_shown])
        load = first.load[is_shown][order]
        left.plot(load, first.record[is_shown][order], ".", color=colour, markersize=4)
        ours = first.ours[is_shown][order]
        left.plot(load, ours, color=colour, linewidth=1, label=f"{temp:.0f} degC")
    left.set_ylim(top=1.22 * float(np.max(first.record)))
    left.legend(
        frameon=False,
        fontsize=7,
        title="condenser water in",
        title_fontsize=7,
        ncols=3,
        loc="upper left",
    )
    title = f"COP at {warm:.1f} degC leaving: record (dots), fit"
    label(left, title, "part load", "COP")
    for i, (machine, colour) in enumerate(zip(found, COLOURS, strict=False)):
        edges = np.arange(-6.0, 6.01, 0.25)
        count, _ = np.histogram(machine.error, edges)
        middle = 0.5 * (edges[1:] + edges[:-1])
        half = 0.42 * count / count.max()
        right.fill_betweenx(middle, i - half, i + half, color=colour, linewidth=0)
        right.plot([i, i], [machine.error.min(), machine.error.max()], "k-", lw=0.5)
        right.text(i, 6.2, f"{machine.rms:.2f} % rms", fontsize=7, ha="center")
    for bound in (chillers.BOUND, -chillers.BOUND):
        right.axhline(bound, color="black", linewidth=0.6, linestyle="--")
    right.set_ylim(-7.0, 7.2)
    right.set_xticks(range(len(found)), [m.name.replace("-", "\n", 1) for m in found])
    label(right, "Error of COP, every point in range", "", "%")
    right.tick_params(axis="x", labelsize=7)
    return svg(figure)


def dynamics_figure(
    warming: Warming, steps: Sequence[tuple[float, np.ndarray, np.ndarray]]
) -> bytes:
    """Return halls without cooling, and servers after a step of supply air.

    Args:
        warming: Halls that lose their cooling.
        steps: Load, minutes, share of the step done.
    """
    figure, (left, right) = canvas(3.0, 2)
    rise = warming.servers - warming.servers[0]
    line = np.asarray([0.0, 5.0])
    low, high = (1.0 + s * physics.ADIABATIC_SHARE for s in (-1, 1))
    rate = physics.ADIABATIC_RATE
    left.fill_between(
        line, low * rate * line, high * rate * line, color="0.88", label="bound"
    )
    left.plot(warming.minutes, rise, color=COLOURS[0], label="servers, coils shut")
    inlet = warming.trip_inlet - warming.trip_inlet[0]
    left.plot(
        warming.trip_minutes, inlet, color=COLOURS[1], label="inlets, chillers tripped"
    )
    left.set_xlim(0.0, 10.0)
    left.set_ylim(0.0, 20.0)
    left.legend(frameon=False, fontsize=7, loc="upper left")
    label(left, "Full load without cooling", "minutes", "rise, K")
    for (load, minutes, share), colour in zip(steps, COLOURS, strict=False):
        right.plot(minutes, share, color=colour, label=f"load {load:g}")
    right.axvspan(*physics.TIME_CONSTANT, color="0.9")
    right.axhline(1.0 - np.exp(-1.0), color="black", linewidth=0.6, linestyle="--")
    right.set_xlim(0.0, 25.0)
    right.legend(frameon=False, fontsize=7)
    label(right, "Servers after a step of supply air", "minutes", "share done")
    return svg(figure)


_YEARLY = ("mlc", "wue"), ("mechanical over IT energy", "L/kWh")


def years_figure(found: Sequence[YearFigures]) -> bytes:
    """Return MLC and WUE of every city and operator with their bands."""
    figure, panels = canvas(3.1, 2)
    cities = list(dict.fromkeys(year.city for year in found))
    operators = list(dict.fromkeys(year.operator for year in found))
    height = 0.8 / len(operators)
    for axes, name, unit in zip(panels, *_YEARLY, strict=True):
        for i, (operator, colour) in enumerate(zip(operators, COLOURS, strict=False)):
            values = [getattr(y, name) for y in found if y.operator == operator]
            place = np.arange(len(cities)) + (i - 0.5) * height
            axes.barh(place, values, height, color=colour, label=operator)
        axes.axvspan(*bands.BANDS[name], color="0.9", zorder=0)
        axes.set_yticks(range(len(cities)), cities if axes is panels[0] else [])
        axes.invert_yaxis()
        label(axes, f"{name.upper()} of a year, band in grey", unit, "")
    panels[1].legend(frameon=False, fontsize=7, loc="lower right")
    return svg(figure)


_PARTS = ("chiller", "tower", "cw_pump", "chw_pump", "crah", "extra IT")


def headroom_figure(found: Sequence[CityHeadroom]) -> bytes:
    """Return MLC by consumer of every case, one panel for each city."""
    figure, panels = canvas(3.3, len(found))
    shown = [c for x in found for part in (x.running, x.rest) for c in part.values()]
    most = max(case.mlc for case in shown)
    for axes, city in zip(panels, found, strict=True):
        cases = {
            **{f"{name}, running": case for name, case in city.running.items()},
            **{f"{name}, at rest": case for name, case in city.rest.items()},
            **city.optimum,
        }
        left = np.zeros(len(cases))
        for part, colour in zip(_PARTS, COLOURS, strict=True):
            width = np.asarray([case.shares[part] for case in cases.values()])
            name = part.replace("_", " ")
            axes.barh(range(len(cases)), width, left=left, color=colour, label=name)
            left += width
        axes.set_yticks(range(len(cases)), list(cases) if axes is panels[0] else [])
        axes.invert_yaxis()
        axes.set_xlim(0.0, 1.02 * most)
        label(axes, city.city, "MLC", "")
    panels[-1].legend(frameon=False, fontsize=7, loc="lower right")
    return svg(figure)


def engines_figure(found: EngineComparison) -> bytes:
    """Return both engines' responses against each other, by consumer."""
    figure, (left, right) = canvas(3.3, 2)
    for axes, unit in ((left, "kw"), (right, "percent")):
        for consumer, colour in zip(COMPARED, COLOURS, strict=False):
            rows = [row for row in found.rows if row.consumer == consumer]
            ours = [getattr(row, f"ours_{unit}") for row in rows]
            theirs = [getattr(row, f"energyplus_{unit}") for row in rows]
            name = consumer.replace("_", " ")
            axes.plot(theirs, ours, "o", color=colour, markersize=3.5, label=name)
        axes.set_xscale("symlog", linthresh=1.0)
        axes.set_yscale("symlog", linthresh=1.0)
        ends = np.asarray([*axes.get_xlim(), *axes.get_ylim()])
        axes.plot([ends.min(), ends.max()], [ends.min(), ends.max()], "k-", lw=0.5)
        axes.axhline(0.0, color="grey", linewidth=0.4)
        axes.axvline(0.0, color="grey", linewidth=0.4)
    label(left, "Change of power, kW", "EnergyPlus", "this plant")
    label(right, "Change of power, %", "EnergyPlus", "this plant")
    left.legend(frameon=False, fontsize=7, loc="upper left")
    return svg(figure)
