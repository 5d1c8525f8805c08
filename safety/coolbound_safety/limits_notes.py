"""What no table knows of each limit: who keeps it, how it is seen, what is not covered.

One entry per limit, for `docs/limits.md`. Rows are counted from the envelope itself;
`kept_by` names what keeps a limit beside its rows, or where it has none.
"""

import dataclasses
from typing import Final

_ACTION: Final = "exact, from the applied action"


@dataclasses.dataclass(frozen=True)
class LimitNote:
    """The words of one limit. Static.

    Attributes:
        on_true_state: How h is evaluated on the true state of the simulation.
        kept_by: What keeps it beside its rows; empty where rows alone do.
        unjudged: Why one observation does not show it; empty where it does.
        not_covered: What neither rows nor evaluation look at; may be empty.
    """

    on_true_state: str
    kept_by: str = ""
    unjudged: str = ""
    not_covered: str = ""


NOTES: Final[dict[str, LimitNote]] = {
    "CA_T_MAX": LimitNote("hottest inlet of any zone and 30 s step"),
    "CA_T_MIN": LimitNote("coldest inlet of any zone and 30 s step"),
    "CA_ROC": LimitNote(
        "mean inlet of the interval against that of 15 min before, by zone",
        kept_by="bounds: the ramp of supply air",
        unjudged="needs readings 15 min apart; a log is judged with its past",
        not_covered="20 K in an hour, the standard's own figure, is not evaluated",
    ),
    "DEWPOINT_MARGIN": LimitNote(
        "set-point against the halls' dew point after the interval"
    ),
    "AIRFLOW_RATIO": LimitNote(
        "least CRAH air over server air of any hall and step",
        not_covered="air pressure between the aisles is on no instrument",
    ),
    "CRAH_FAN": LimitNote(_ACTION, kept_by="bounds"),
    "SAT_BOX_RATE": LimitNote(_ACTION, kept_by="bounds"),
    "CHWS_BOX": LimitNote(_ACTION, kept_by="bounds"),
    "CHWS_SLEW": LimitNote(
        f"{_ACTION}; 1 K below CA_T_MAX and hotter the emergency rate holds downward",
        kept_by="bounds",
    ),
    "EVAP_FLOW_MIN": LimitNote(
        "mean flow of each running machine, once settled",
        kept_by="BAS: minimum-flow bypass, at its own `evaporator_flow_min`",
    ),
    "EVAP_FLOW_MAX": LimitNote(
        "mean flow of each running machine, once settled",
        kept_by="BAS: bypass past the machines, at `evaporator_flow_max`",
        unjudged="the plant's meter does not show what passes around",
    ),
    "CHW_FLOW_ROC": LimitNote(
        "fastest change between two steps while a machine runs",
        kept_by="BAS: stroke of the isolation valves",
        unjudged="needs readings within a minute",
        not_covered="the cautious 0.10 per minute, which some machines ask for",
    ),
    "CHW_DP_MIN": LimitNote(
        "mean pressure; and, once settled, what the pressure would have to rise by to "
        "bring the widest valve back",
        kept_by="bounds: a floor under the pressure set-point",
    ),
    "ECWT_MIN": LimitNote(
        "coldest basin of any step, each step by its own mode",
        kept_by="BAS: tower bypass at `low_limit_cooling` and `low_limit_free`",
        not_covered="on the way into and out of free cooling the BAS alone keeps it",
    ),
    "ECWT_CWRT_MAX": LimitNote("mean water entering and leaving the condensers"),
    "LIFT_MIN": LimitNote(
        "mean lift, once settled", kept_by="BAS: tower bypass at `lift_setpoint`"
    ),
    "SURGE_LINE": LimitNote(
        "mean lift and part load, once settled",
        kept_by="interlock: not more machines than the load serves",
    ),
    "CW_FLOW_MIN": LimitNote(
        "mean flow against what the commanded machines need",
        kept_by="bounds: a floor under the pump speed, above its ramp; and BAS",
        not_covered="the flow of each tower cell: all cells in service are one",
    ),
    "CT_CWP_RATE": LimitNote(
        _ACTION, kept_by="bounds, and an interlock for the fan's step to and from 0"
    ),
    "CAPACITY_N1_POWER": LimitNote(
        "mean load, mechanical power, and part load once settled",
        kept_by="interlock on the number of machines asked for",
        not_covered="load with one machine lost: no action lowers the load",
    ),
    "SHORT_CYCLE_MODE": LimitNote(
        "what changed, against the timers before it changed",
        kept_by="interlock: the safety layer's own timers; and BAS: the sequencer's",
        unjudged="the timers are on no instrument",
    ),
}
"""By limit, in the order of the table of limits."""

ROW_WORDS: Final = {
    "": "15 min ahead",
    "coil": "what the coils can hold",
    "rise": "rising",
    "fall": "falling",
    "entering": "entering",
    "leaving": "leaving",
    "power": "power",
    "soon": "in 5 min",
    "recovery": "one step further",
}
"""What a row looks at, by the last parts of its name."""
