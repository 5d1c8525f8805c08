"""Load and weather of each row, and the bins that figures are sorted into.

The edges stand here, fixed before any log is read. Load is IT power over design, or
the heat in the chilled water over the plant's design heat where IT is not metered.
"""

import dataclasses
import itertools
from typing import Final

import numpy as np

from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.site import Site
from coolbound_envs.spec import HALLS, POINT_INDEX
from coolbound_shadow.local_time import DAY_S
from coolbound_shadow.log_types import Log

LOAD_EDGES: Final = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Between bins of load, share of design. [1]"""

WET_BULB_EDGES: Final = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0, 25.0)
"""Between bins of wet bulb. [degC]"""


@dataclasses.dataclass(frozen=True)
class Conditions:
    """What the plant met at each row, NaN where unknown. Static.

    Attributes:
        load: Share of design, shape (T,). [1]
        wet_bulb: Outdoor wet bulb, shape (T,). [degC]
        minute: Since local midnight, where the step begins, shape (T,). [min]
        month: Local month, 0 to 11, shape (T,). [1]
        load_basis: What load is a share of.
    """

    load: np.ndarray
    wet_bulb: np.ndarray
    minute: np.ndarray
    month: np.ndarray
    load_basis: str


def conditions(log: Log, site: Site) -> Conditions:
    """Return load and weather of each row."""
    readings = log.usable()
    # A row stands at the end of its step.
    local = log.time_utc + log.offset - log.step_s
    months = local.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    load, basis = _load(readings, site)
    return Conditions(
        load=load,
        wet_bulb=readings[:, POINT_INDEX["outdoor_wet_bulb"]],
        minute=(local % DAY_S) // 60,
        month=months % 12,
        load_basis=basis,
    )


def _load(readings: np.ndarray, site: Site) -> tuple[np.ndarray, str]:
    halls = [f"it_power_hall{h + 1}" for h in range(HALLS)]
    power = np.sum(readings[:, [POINT_INDEX[name] for name in halls]], axis=1)
    if np.any(np.isfinite(power)):
        design = float(site.plant.it.design_power) / 1e3
        return power / design, "IT power over design"
    names = ("chw_flow", "chw_supply_temp", "chw_return_temp")
    flow, supply, back = (readings[:, POINT_INDEX[name]] for name in names)
    design = float(site.plant.it.design_power)
    heat = flow * WATER_HEAT * np.maximum(back - supply, 0.0)
    return heat / design, "heat in the chilled water over IT design"


def bins(values: np.ndarray, edges: tuple[float, ...]) -> np.ndarray:
    """Return the bin of each value, -1 for unknown ones, int64, shape (T,)."""
    place = np.searchsorted(np.asarray(edges), np.nan_to_num(values), side="right")
    return np.where(np.isfinite(values), place, -1)


def load_names() -> tuple[str, ...]:
    """Return what the bins of load are called."""
    return _names([f"{100.0 * edge:.0f}" for edge in LOAD_EDGES], "%")


def wet_bulb_names() -> tuple[str, ...]:
    """Return what the bins of wet bulb are called."""
    texts = [f"{edge:.0f}".replace("-", "\u2212") for edge in WET_BULB_EDGES]
    return _names(texts, "degC")


def _names(texts: list[str], unit: str) -> tuple[str, ...]:
    inner = [f"{a} to {b} {unit}" for a, b in itertools.pairwise(texts)]
    return (f"below {texts[0]} {unit}", *inner, f"above {texts[-1]} {unit}")
