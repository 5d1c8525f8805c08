"""The table of the 21 hard limits: names, units, cost groups, kinds, priorities."""

import dataclasses
from typing import Final

IDLE: Final = -1.0e3
"""Reading of a limit that has nothing to watch. [each limit's unit]"""

TOLERANCE: Final = 1.0e-3
"""A violation is an h above this: float32 rounding is none. [each limit's unit]"""

GROUPS: Final = ("thermal", "airflow", "hydronic", "condenser", "machines")
"""Cost groups of learning, each with its own multiplier."""

KINDS: Final = {
    "E": "exact and affine in the action",
    "L": "linearised, 15 min ahead, with a margin for model error",
    "N": "affine once the number of running machines is fixed",
    "I": "an interlock: a mask on machines and modes",
}
"""How a limit can enter the projection, by the letters of `LimitSpec.kinds`."""

HARD: Final = 0
"""Priority of a limit that is never relaxed. [1]"""

PRIORITIES: Final = {
    HARD: "never: actuators, ranges, flow floors, timers",
    1: "last: halls, dew point, coils, load and power",
    2: "first: the condenser side",
}
"""When the limits of each priority give way, and which they are."""


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
        kinds: Letters of `KINDS`: how it can enter the projection.
        priority: Key of `PRIORITIES`; a site may choose another unless it is 0. [1]
        source: Where its numbers are from; "project choice" where from no source.
    """

    name: str
    title: str
    unit: str
    group: str
    near: float
    scale: float
    kinds: str
    priority: int
    source: str


LIMITS: Final[tuple[LimitSpec, ...]] = (
    LimitSpec(
        "CA_T_MAX",
        "Hottest server inlet",
        "K",
        "thermal",
        1.0,
        1.0,
        "L",
        1,
        "ASHRAE TC 9.9 (2021), recommended for A1 to A4",
    ),
    LimitSpec(
        "CA_T_MIN",
        "Coldest server inlet",
        "K",
        "thermal",
        0.2,
        1.0,
        "L",
        1,
        "ASHRAE TC 9.9 (2021), recommended for A1 to A4",
    ),
    LimitSpec(
        "CA_ROC",
        "Inlet change in 15 min",
        "K",
        "thermal",
        1.0,
        1.0,
        "L",
        1,
        "project choice; ASHRAE TC 9.9 (2021) gives 20 K/h without tape",
    ),
    LimitSpec(
        "DEWPOINT_MARGIN",
        "Chilled water above dew point",
        "K",
        "",
        0.0,
        1.0,
        "E",
        1,
        "project choice: no condensation, no latent load",
    ),
    LimitSpec(
        "AIRFLOW_RATIO",
        "CRAH air over server air",
        "1",
        "airflow",
        0.01,
        0.05,
        "L",
        1,
        "project choice: no recirculation of server air",
    ),
    LimitSpec(
        "CRAH_FAN", "Fan range and rate", "1", "", 0.0, 1.0, "E", HARD, "project choice"
    ),
    LimitSpec(
        "SAT_BOX_RATE",
        "Supply-air range and rate",
        "K",
        "",
        0.0,
        1.0,
        "E",
        HARD,
        "range from the coil and ASHRAE TC 9.9 (2021); rate: project choice",
    ),
    LimitSpec(
        "CHWS_BOX",
        "Chilled-water range",
        "K",
        "",
        0.0,
        1.0,
        "E",
        HARD,
        "project choice: range of the machine; Guideline 36-2021 ends at 15.6 degC",
    ),
    LimitSpec(
        "CHWS_SLEW",
        "Chilled-water rate",
        "K",
        "",
        0.0,
        1.0,
        "E",
        HARD,
        "project choice, within the reset of Guideline 36-2021",
    ),
    LimitSpec(
        "EVAP_FLOW_MIN",
        "Evaporator flow, least",
        "kg/s",
        "",
        0.0,
        5.0,
        "N",
        HARD,
        "Trane Engineers Newsletter 31-4 (2002), 0.9 m/s; share: project choice",
    ),
    LimitSpec(
        "EVAP_FLOW_MAX",
        "Evaporator flow, most",
        "kg/s",
        "",
        0.0,
        5.0,
        "N",
        HARD,
        "Trane Engineers Newsletter 31-4 (2002), 3.4 m/s; share: project choice",
    ),
    LimitSpec(
        "CHW_FLOW_ROC",
        "Evaporator flow change",
        "1/min",
        "hydronic",
        0.05,
        0.1,
        "L",
        HARD,
        "project choice: what a modern machine tolerates at most",
    ),
    LimitSpec(
        "CHW_DP_MIN",
        "Remote pressure, widest valve",
        "kPa",
        "hydronic",
        2.0,
        5.0,
        "L",
        1,
        "Guideline 36-2021, 34.5 kPa; valve: project choice",
    ),
    LimitSpec(
        "ECWT_MIN",
        "Tower water, coldest",
        "K",
        "condenser",
        0.2,
        1.0,
        "L",
        2,
        "EnergyPlus chiller records, from 12.8 degC; free cooling: project choice",
    ),
    LimitSpec(
        "ECWT_CWRT_MAX",
        "Condenser water, hottest",
        "K",
        "condenser",
        0.5,
        1.0,
        "L",
        2,
        "project choice: about 3 K above design, 29.4 and 35 degC",
    ),
    LimitSpec(
        "LIFT_MIN",
        "Chiller lift, least",
        "K",
        "condenser",
        0.5,
        1.0,
        "L",
        2,
        "project choice for variable speed; Guideline 36-2021 defaults to 12 K",
    ),
    LimitSpec(
        "SURGE_LINE",
        "Lift below the surge line",
        "K",
        "condenser",
        1.0,
        2.0,
        "L",
        2,
        "project choice, derived from the prevention line in Carrier's manuals",
    ),
    LimitSpec(
        "CW_FLOW_MIN",
        "Condenser flow, least",
        "kg/s",
        "",
        0.0,
        10.0,
        "N",
        HARD,
        "project choice",
    ),
    LimitSpec(
        "CT_CWP_RATE",
        "Tower and pump range and rate",
        "1",
        "",
        0.0,
        1.0,
        "EI",
        HARD,
        "EnergyPlus, least air 0.2; pump range and rates: project choice",
    ),
    LimitSpec(
        "CAPACITY_N1_POWER",
        "Load, power and part load",
        "1",
        "machines",
        0.02,
        0.1,
        "LI",
        1,
        "project choice; chiller records unload to 0.1 to 0.2",
    ),
    LimitSpec(
        "SHORT_CYCLE_MODE",
        "Timers of the machines",
        "min",
        "machines",
        0.0,
        5.0,
        "I",
        HARD,
        "Carrier's manuals, 15 min; Guideline 36-2021, 15 and 20 min; "
        "starts in an hour: project choice",
    ),
)
"""The 21 limits, in the order of `info["limits"]`."""

LIMIT_NAMES: Final = tuple(limit.name for limit in LIMITS)
