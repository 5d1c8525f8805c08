"""The figures of the evidence page, as small SVG files that print on A4."""

import numpy as np

from coolbound.drawing import COLOURS, canvas, label, svg
from coolbound.evidence.causes import CLASSES
from coolbound.evidence.coverage import BINS, COVERED, REACH, SAME_UNIT
from coolbound.evidence.gather import Evidence
from coolbound.evidence.tables import KINDS, opponents_of
from coolbound.evidence.tallies import HOT
from coolbound_envs.limit_table import LIMITS

_FLOOR = 1e-3
"""Rates below this are drawn here: a logarithm knows no zero. [1/1000]"""


def inlets_figure(evidence: Evidence) -> bytes:
    """Return hot steps per 1,000 and worst inlets of everyone, with and without."""
    names = [name for name in evidence.filtered.names]
    figure, (left, right) = canvas(0.9 + 0.19 * len(names), 2)
    rows = np.arange(len(names))[::-1]
    for contest, colour, mark, what in (
        (evidence.bare, COLOURS[1], "x", "bare"),
        (evidence.filtered, COLOURS[0], "o", "behind the safety layer"),
    ):
        some = [n for n in names if n in contest.names]
        places = [rows[names.index(n)] for n in some]
        tally = contest.some(some).tally
        share = 1e3 * tally.violations[:, HOT].sum(axis=1) / tally.steps.sum(axis=1)
        left.plot(
            np.maximum(share, _FLOOR), places, mark, color=colour, ms=4, label=what
        )
        right.plot(27.0 + tally.worst[:, HOT], places, mark, color=colour, ms=4)
    left.set_xscale("log")
    left.set_yticks(rows, names)
    right.set_yticks(rows, [])
    right.axvline(27.0, color="black", linewidth=0.8)
    left.legend(frameon=False, fontsize=7, loc="lower right")
    label(left, "Over 27 degC", "steps per 1,000 (none: left edge)", "")
    label(right, "Hottest inlet of the campaign", "degC", "")
    return svg(figure)


def causes_figure(evidence: Evidence) -> bytes:
    """Return how often limits were violated while each fault was on, and after."""
    tally = opponents_of(evidence.filtered).tally
    over, steps = tally.violations.sum(axis=0), tally.steps.sum(axis=0)
    limits = [i for i in range(len(LIMITS)) if over[i].sum() > 0]
    rows = ("none", "start", *KINDS)
    cells = np.full((len(rows), max(len(limits), 1)), np.nan)
    for r, name in enumerate(rows):
        classes = [CLASSES.index(name)]
        if name in KINDS:
            classes.append(CLASSES.index(f"after {name}"))
        count = steps[classes].sum()
        for c, limit in enumerate(limits):
            cells[r, c] = 1e3 * over[limit, classes].sum() / max(count, 1.0)
    figure, (axes,) = canvas(4.4, 1)
    shown = axes.imshow(
        np.log10(np.maximum(cells, 1e-2)), cmap="cividis", aspect="auto", vmin=-2
    )
    axes.set_xticks(range(len(limits)), [LIMITS[i].name for i in limits], rotation=60)
    axes.set_yticks(range(len(rows)), rows)
    label(axes, "Steps over a limit per 1,000, by what was broken", "", "")
    bar = figure.colorbar(shown, ax=axes)
    bar.set_ticks([-2, -1, 0, 1, 2], labels=["<0.01", "0.1", "1", "10", "100"])
    bar.ax.tick_params(labelsize=7)
    return svg(figure)


def margins_figure(evidence: Evidence) -> bytes:
    """Return the distribution of the model's errors beside the margins."""
    figure, axes = canvas(2.6, len(SAME_UNIT), 1.25 * len(SAME_UNIT))
    for panel, limit in zip(axes, SAME_UNIT, strict=True):
        place = COVERED.index(limit)
        spec = LIMITS[limit]
        centres = (np.arange(BINS) / (BINS - 1) - 0.5) * 2.0 * REACH * spec.scale
        for (variation, found), colour in zip(
            evidence.coverage.items(), COLOURS, strict=False
        ):
            counts = np.asarray(found.errors[place], np.float64)
            if counts.sum() == 0:
                continue
            beyond = 1.0 - np.cumsum(counts) / counts.sum()
            name = "nominal" if variation == 0.0 else f"{variation:.0%} off"
            shown = (centres > -1.6 * spec.scale) & (centres < 2.6 * spec.scale)
            panel.plot(
                centres[shown], beyond[shown], color=colour, linewidth=1, label=name
            )
            margin = found.margins[place] / found.predicted[place]
            panel.axvline(margin, color=colour, linewidth=0.6, linestyle=":")
        panel.set_yscale("log")
        panel.set_ylim(1e-5, 1.0)
        panel.set_xlim(-1.5 * spec.scale, 2.5 * spec.scale)
        label(panel, spec.name, spec.unit, "", 5)
    axes[0].legend(frameon=False, fontsize=6)
    axes[0].set_ylabel("share of errors beyond", fontsize=7)
    return svg(figure)
