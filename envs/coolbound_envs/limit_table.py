"""The table of the 21 hard limits: names, units, cost groups, who keeps them."""

import dataclasses
from typing import Final

IDLE: Final = -1.0e3
"""Reading of a limit that has nothing to watch. [each limit's unit]"""

TOLERANCE: Final = 1.0e-3
"""A violation is an h above this: float32 rounding is none. [each limit's unit]"""

GROUPS: Final = ("thermal", "hydronic", "condenser", "machines")
"""Cost groups of learning, each with its own multiplier."""


@dataclasses.dataclass(frozen=True)
class LimitSpec:
    """One limit. Static.

    Attributes:
        name: Short name, as in reports and site files.
        title: What it says, in words.
        unit: Unit of h.
        group: Cost group of learning; empty where actuators keep it exactly.
        near: Cost begins this far inside the limit. [the limit's unit]
        scale: A violation of this size costs 1. [the limit's unit]
        kept_by: Who keeps it: envelope row, bound, interlock or the BAS.
    """

    name: str
    title: str
    unit: str
    group: str
    near: float
    scale: float
    kept_by: str


LIMITS: Final[tuple[LimitSpec, ...]] = (
    LimitSpec("CA_T_MAX", "Hottest server inlet", "K", "thermal", 2.0, 1.0, "row"),
    LimitSpec("CA_T_MIN", "Coldest server inlet", "K", "thermal", 0.2, 1.0, "row"),
    LimitSpec("CA_ROC", "Inlet change in 15 min", "K", "thermal", 1.0, 1.0, "bound"),
    LimitSpec("DEWPOINT_MARGIN", "Chilled water above dew point", "K", "", 0, 1, "row"),
    LimitSpec(
        "AIRFLOW_RATIO", "CRAH air over server air", "1", "thermal", 0.01, 0.05, "row"
    ),
    LimitSpec("CRAH_FAN", "Fan range and rate", "1", "", 0.0, 1.0, "bound"),
    LimitSpec("SAT_BOX_RATE", "Supply-air range and rate", "K", "", 0.0, 1.0, "bound"),
    LimitSpec("CHWS_BOX", "Chilled-water range", "K", "", 0.0, 1.0, "bound"),
    LimitSpec("CHWS_SLEW", "Chilled-water rate", "K", "", 0.0, 1.0, "bound"),
    LimitSpec("EVAP_FLOW_MIN", "Evaporator flow, least", "kg/s", "", 0.0, 5.0, "BAS"),
    LimitSpec("EVAP_FLOW_MAX", "Evaporator flow, most", "kg/s", "", 0.0, 5.0, "BAS"),
    LimitSpec(
        "CHW_FLOW_ROC", "Evaporator flow change", "1/min", "hydronic", 0.05, 0.1, "BAS"
    ),
    LimitSpec(
        "CHW_DP_MIN",
        "Remote pressure, widest valve",
        "kPa",
        "hydronic",
        2.0,
        5.0,
        "row",
    ),
    LimitSpec("ECWT_MIN", "Tower water, coldest", "K", "condenser", 0.2, 1.0, "row"),
    LimitSpec(
        "ECWT_CWRT_MAX", "Condenser water, hottest", "K", "condenser", 0.5, 1.0, "row"
    ),
    LimitSpec("LIFT_MIN", "Chiller lift, least", "K", "condenser", 0.5, 1.0, "row"),
    LimitSpec(
        "SURGE_LINE", "Lift below the surge line", "K", "condenser", 1.0, 2.0, "row"
    ),
    LimitSpec("CW_FLOW_MIN", "Condenser flow, least", "kg/s", "", 0.0, 10.0, "bound"),
    LimitSpec(
        "CT_CWP_RATE", "Tower and pump range and rate", "1", "", 0.0, 1.0, "bound"
    ),
    LimitSpec(
        "CAPACITY_N1_POWER",
        "Load, power and part load",
        "1",
        "machines",
        0.02,
        0.1,
        "interlock",
    ),
    LimitSpec(
        "SHORT_CYCLE_MODE",
        "Timers of the machines",
        "min",
        "machines",
        0.0,
        5.0,
        "BAS",
    ),
)
"""The 21 limits, in the order of `info["limits"]`."""

LIMIT_NAMES: Final = tuple(limit.name for limit in LIMITS)
