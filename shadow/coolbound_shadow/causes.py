"""Which limit bound most at each row, and of what kind its intervention is."""

import numpy as np

from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS, channel_array
from coolbound_safety.coordinates import spans
from coolbound_safety.types import Envelope, FilterResult, FilterStatus
from coolbound_shadow.batch import envelope_of
from coolbound_shadow.envelopes import Choices
from coolbound_shadow.records import beyond_dead_band

CAPACITY = "CAPACITY_N1_POWER"
HOTTEST = "CA_T_MAX"
"""What an emergency is about."""

INTERLOCK = "INTERLOCK"
"""Machines and modes are locked as they are, since the load is not observable."""

LIMIT_OF_BOUND = {
    "supply_air_setpoint": ("SAT_BOX_RATE", "SAT_BOX_RATE"),
    "crah_fan_speed": ("CRAH_FAN", "CRAH_FAN"),
    "chw_supply_setpoint": ("CHWS_BOX", "CHWS_SLEW"),
    "chw_pressure_setpoint": ("CHW_DP range", "CHW_DP rate"),
    "cw_pump_speed": ("CT_CWP_RATE", "CT_CWP_RATE"),
    "tower_fan_speed": ("CT_CWP_RATE", "CT_CWP_RATE"),
    "chiller_demand": (CAPACITY, CAPACITY),
    "economizer_demand": (CAPACITY, CAPACITY),
}
"""What a channel's range and its ramp stand for; pressure has no limit of its own."""

DEAD_SHARES = channel_array("dead_band") / (
    channel_array("upper") - channel_array("lower")
)
"""Dead bands as shares of the ranges, shape (10,). [1]"""


def causes(
    results: list[FilterResult],
    certified: np.ndarray,
    proposed: np.ndarray,
    choices: Choices,
) -> list[tuple[str, str]]:
    """Return the limit that bound most and the kind of each intervention."""
    moved = np.any(beyond_dead_band(certified, proposed), axis=1)
    found = []
    for i, result in enumerate(results):
        if result.status == FilterStatus.FALLBACK:
            found.append(("", "fallback"))
        elif moved[i]:
            cause = _cause(result, proposed[i], envelope_of(choices.envelopes, i))
            found.append((HOTTEST, "limit") if choices.is_emergency[i] else cause)
        else:
            found.append(("", ""))
    return found


def named_interlocks(
    found: list[tuple[str, str]], values: np.ndarray
) -> list[tuple[str, str]]:
    """Name the interlock itself where the limit that it keeps is not observable."""
    is_known = np.isfinite(values[:, 2, LIMIT_NAMES.index(CAPACITY)])
    return [
        (INTERLOCK, kind) if limit == CAPACITY and not is_known[i] else (limit, kind)
        for i, (limit, kind) in enumerate(found)
    ]


def _cause(
    result: FilterResult, proposed: np.ndarray, envelope: Envelope
) -> tuple[str, str]:
    """Return the limit that bound most, and "limit" or "ramp".

    Rows come before interlocks and ranges, those before ramps; among equals the
    one that moved the action most.
    """
    low, high = channel_array("lower"), channel_array("upper")
    moved = np.nan_to_num(result.action - proposed)
    change, rows = moved / (high - low), np.asarray(envelope.G)
    found = []
    for name, _ in result.active:
        if name in envelope.names:
            row = rows[envelope.names.index(name)]
            size = abs(float(row @ (moved / spans())))
            found.append((2, size, name.partition(":")[0], "limit"))
        else:
            found.append(_bound_cause(name, change))
    # What is projected lies within the ranges; what was proposed may not.
    for i in np.flatnonzero((proposed < low) | (proposed > high)):
        found.append(_bound_cause(f"range:{CHANNEL_NAMES[i]}", change))
    if not found:
        return "", "limit"
    _, _, limit, kind = max(found, key=lambda each: each[:2])
    return limit, kind


def _bound_cause(name: str, change: np.ndarray) -> tuple[int, float, str, str]:
    place, _, channel = name.partition(":")
    index = CHANNEL_NAMES.index(channel)
    range_name, ramp_name = LIMIT_OF_BOUND[channel.partition("_hall")[0]]
    size = abs(float(change[index]))
    # A request has no ramp: what bounds it inside its range is an interlock.
    if place == "ramp" and not CHANNELS[index].is_request:
        return 0, size, ramp_name, "ramp"
    # Rounded to whole machines the request is still the one that was made.
    is_felt = size > DEAD_SHARES[index]
    return (1 if is_felt else -1), size, range_name, "limit"
