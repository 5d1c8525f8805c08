"""Where the model is wrong: by load and by wet bulb, over held-out hours.

Edges are fixed beforehand. A cell with too few hours stays blank.
"""

import dataclasses

import numpy as np

from coolbound_shadow.calibration.metrics import Metrics, compare

LOAD_EDGES = np.linspace(0.0, 1.2, 7)
"""Heat of the chilled water over the IT design. [1]"""

WET_BULB_EDGES = np.arange(-10.0, 35.0, 5.0)
"""Outdoor wet bulb. [degC]"""


@dataclasses.dataclass(frozen=True)
class Cell:
    """Held-out hours of one load and one wet bulb. Static.

    Attributes:
        load: Row, lowest load first. [1]
        wet_bulb: Column, coldest first. [1]
        metrics: Of these hours.
    """

    load: int
    wet_bulb: int
    metrics: Metrics


def binned(
    load: np.ndarray,
    wet_bulb: np.ndarray,
    measured: np.ndarray,
    modelled: np.ndarray,
) -> tuple[Cell, ...]:
    """Return the cells that hold any hour, (H,) hours given."""
    row = _place(load, LOAD_EDGES)
    column = _place(wet_bulb, WET_BULB_EDGES)
    inside = np.isfinite(load) & np.isfinite(wet_bulb)
    cells = []
    for i, j in sorted(
        set(zip(row[inside].tolist(), column[inside].tolist(), strict=True))
    ):
        chosen = inside & (row == i) & (column == j)
        cells.append(Cell(i, j, compare(measured[chosen], modelled[chosen])))
    return tuple(cells)


def _place(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the bin of each value; those beyond the ends count with the last."""
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)


def worst_share(cells: tuple[Cell, ...], most: float) -> float:
    """Return the share of binned hours in cells off by more than `most` percent [1].

    Only cells with figures count; NaN where there is none.
    """
    known = [c.metrics for c in cells if np.isfinite(c.metrics.nmbe)]
    hours = sum(m.hours for m in known)
    if not hours:
        return float("nan")
    return sum(m.hours for m in known if abs(m.nmbe) > most) / hours
