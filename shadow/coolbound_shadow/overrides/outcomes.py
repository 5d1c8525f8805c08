"""What was measured 1 h and 24 h after an event began.

The hottest server inlet stands with every event, since that is what a plant is for;
beside it what the limit in the way watches, where instruments show it.
"""

import dataclasses
from collections.abc import Mapping
from typing import final

import numpy as np

from coolbound_envs.spec import POINT_NAMES, POINTS
from coolbound_envs.types import Quality
from coolbound_shadow.overrides.columns import Ticks
from coolbound_shadow.overrides.event_types import Aftermath

AFTER_S = (3600, 86400)
"""Times after the start. [s]"""

UNITS = {point.name: point.unit for point in POINTS}


@final
@dataclasses.dataclass(frozen=True)
class Bound:
    """Between what a quantity shall stay. Static.

    Attributes:
        low: Least value; None for none. [the quantity's unit]
        high: Largest value; None for none. [the quantity's unit]
    """

    low: float | None = None
    high: float | None = None

    def holds(self, value: float) -> bool:
        """Return whether a value is within."""
        is_high = self.high is not None and value > self.high
        is_low = self.low is not None and value < self.low
        return not (is_high or is_low)


Bounds = Mapping[str, Bound]
"""Bounds by name of the quantity."""

HOTTEST, COLDEST = "hottest server inlet", "coldest server inlet"

QUANTITIES = {
    HOTTEST: ("inlet_temp", np.nanmax),
    COLDEST: ("inlet_temp", np.nanmin),
    "chilled water supply": ("chw_supply_temp", np.nanmax),
    "chilled-water pressure": ("chw_pressure", np.nanmin),
    "chilled-water flow": ("chw_flow", np.nanmax),
    "condenser water entering": ("cw_supply_temp", np.nanmax),
    "condenser water leaving": ("cw_return_temp", np.nanmax),
    "condenser-water flow": ("cw_flow", np.nanmin),
    "chillers running": ("chillers_running", np.nanmax),
}
"""What is looked at: how its points begin, and which of their values counts."""

WATCHED = {
    "CA_T_MIN": COLDEST,
    "DEWPOINT_MARGIN": "chilled water supply",
    "CHWS_BOX": "chilled water supply",
    "CHWS_SLEW": "chilled water supply",
    "EVAP_FLOW_MIN": "chilled-water flow",
    "EVAP_FLOW_MAX": "chilled-water flow",
    "CHW_FLOW_ROC": "chilled-water flow",
    "CHW_DP_MIN": "chilled-water pressure",
    "ECWT_MIN": "condenser water entering",
    "ECWT_CWRT_MAX": "condenser water entering",
    "LIFT_MIN": "condenser water leaving",
    "SURGE_LINE": "condenser water leaving",
    "CW_FLOW_MIN": "condenser-water flow",
    "CT_CWP_RATE": "condenser water entering",
    "CAPACITY_N1_POWER": "chillers running",
    "SHORT_CYCLE_MODE": "chillers running",
    "chw_supply_setpoint": "chilled water supply",
    "chw_pressure_setpoint": "chilled-water pressure",
    "cw_pump_speed": "condenser water leaving",
    "tower_fan_speed": "condenser water entering",
    "chiller_demand": "chillers running",
}
"""What each limit or channel watches beside the hottest inlet."""

COLUMNS = {
    word: [i for i, name in enumerate(POINT_NAMES) if name.startswith(start)]
    for word, (start, _) in QUANTITIES.items()
}


@final
@dataclasses.dataclass(frozen=True)
class Measured:
    """Where outcomes come from besides the ticks. Static.

    Attributes:
        records: Measured values with the place of their record, by run and time.
        bounds: Between what each quantity shall stay.
    """

    records: Mapping[tuple[str, int], tuple[int, Mapping[str, float | None]]]
    bounds: Bounds


def outcomes_after(
    ticks: Ticks, start: int, subject: str, measured: Measured
) -> tuple[Aftermath, ...]:
    """Return what was measured after an event began; what is not known is left out.

    Args:
        ticks: The run.
        start: Beginning of the event, UTC epoch. [s]
        subject: The limit that was in the way, or the point that is held.
        measured: Outcome records and bounds.
    """
    found: list[Aftermath] = []
    for after in AFTER_S:
        row = _row_at(ticks, start + after)
        if row is None:
            continue
        found += _from_record(ticks, row, after, measured)
        found += _from_tick(ticks, row, after, subject, measured.bounds)
    return tuple(found)


def _row_at(ticks: Ticks, time: int) -> int | None:
    """Return the step that ends nearest to a time, at most half a step away."""
    near = int(np.searchsorted(ticks.time_utc, time))
    rows = [i for i in (near - 1, near) if 0 <= i < ticks.rows]
    row = min(rows, key=lambda i: abs(int(ticks.time_utc[i]) - time))
    is_near = abs(int(ticks.time_utc[row]) - time) <= ticks.step_s / 2
    return row if is_near else None


def _from_record(
    ticks: Ticks, row: int, after: int, measured: Measured
) -> list[Aftermath]:
    key = (ticks.run, int(ticks.time_utc[row]))
    seq, values = measured.records.get(key, (0, {}))
    return [
        Aftermath(name, value, UNITS.get(name, ""), after, None, seq)
        for name, value in values.items()
        if value is not None
    ]


def _from_tick(
    ticks: Ticks, row: int, after: int, subject: str, bounds: Bounds
) -> list[Aftermath]:
    words = dict.fromkeys((WATCHED.get(subject, HOTTEST), HOTTEST))
    values = {word: _reading(ticks, row, word) for word in words}
    return [
        Aftermath(word, value, _unit(word), after, _within(bounds, word, value), seq)
        for word, value in values.items()
        if value is not None
        for seq in (int(ticks.seq[row]),)
    ]


def _reading(ticks: Ticks, row: int, word: str) -> float | None:
    columns = COLUMNS[word]
    is_usable = ticks.quality[row, columns] >= Quality.UNCERTAIN
    values = ticks.observed[row, columns][is_usable]
    known = values[np.isfinite(values)]
    return float(QUANTITIES[word][1](known)) if len(known) else None


def _unit(word: str) -> str:
    return POINTS[COLUMNS[word][0]].unit


def _within(bounds: Bounds, word: str, value: float) -> bool | None:
    return bounds[word].holds(value) if word in bounds else None
