"""The page `docs/limits.md`, from the code's own tables.

    python -m coolbound_safety.limits_page > docs/limits.md

Numbers, units and cost groups are read from the reference site and from the
tables of the limits; what no table holds (who keeps a limit, what waits) is
said here, one entry per limit.
"""

import inspect
import re
import sys
from typing import Any, Final

from coolbound_envs import limit_numbers
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.limit_table import GROUPS, LIMITS, TOLERANCE, LimitSpec
from coolbound_envs.limits import SETTLING
from coolbound_envs.site import load_site
from coolbound_envs.spec import CHANNELS, CHILLERS, Channel
from coolbound_safety import envelope, margins
from coolbound_safety.envelope import ROW_NAMES
from coolbound_safety.judge import JUDGED_UNITS
from coolbound_safety.margins import parse_margins

_ENTRY: Final = re.compile(r"^    (\w+): ((?:.|\n {8})*) \[(.+)\]$", re.M)
_LIMIT_WORD: Final = re.compile(r"^[A-Z0-9_]{5,}[,:.]?\s*")

_READABLE: Final = {"W": ("kW", 1e-3), "s": ("min", 1 / 60.0), "1": ("", 1.0)}
"""Units that people read, and the factor to them."""

_PLANT_FIELDS: Final = {"feeder_power": ("CAPACITY_N1_POWER", "plant.feeder_power")}
"""Numbers of limits that stand elsewhere in the site file."""

CHANNELS_OF: Final = {
    "CRAH_FAN": ("crah_fan_speed_hall1",),
    "SAT_BOX_RATE": ("supply_air_setpoint_hall1",),
    "CHWS_BOX": ("chw_supply_setpoint",),
    "CHWS_SLEW": ("chw_supply_setpoint",),
    "CT_CWP_RATE": ("tower_fan_speed", "cw_pump_speed"),
}
"""Limits whose numbers are the ranges and ramps of channels."""

KEPT_BY: Final = {
    "CA_ROC": "bounds: the ramp of supply air",
    "CRAH_FAN": "bounds",
    "SAT_BOX_RATE": "bounds",
    "CHWS_BOX": "bounds",
    "CHWS_SLEW": "bounds",
    "EVAP_FLOW_MIN": "BAS: minimum-flow bypass, at its own `evaporator_flow_min`",
    "EVAP_FLOW_MAX": "BAS: bypass past the machines, at `evaporator_flow_max`",
    "CHW_FLOW_ROC": "BAS: stroke of the isolation valves",
    "CW_FLOW_MIN": "bounds: a floor under the pump speed, above its ramp; and BAS",
    "CT_CWP_RATE": "bounds, and an interlock for the fan's step to and from 0",
    "CAPACITY_N1_POWER": "interlock on the number of machines asked for",
    "SHORT_CYCLE_MODE": "BAS: the timers of the plant's sequencer",
}
"""Who keeps a limit that has no row in the envelope."""

ALSO_KEPT_BY: Final = {
    "CHW_DP_MIN": "bounds: the channel ends at the reference value",
    "ECWT_MIN": "BAS: tower bypass at `low_limit_cooling` and `low_limit_free`",
    "LIFT_MIN": "BAS: tower bypass at `lift_setpoint`",
}
"""Who keeps a limit beside its rows."""

UNJUDGED: Final = {
    "CA_ROC": "needs readings 15 min apart",
    "EVAP_FLOW_MAX": "the plant's meter does not show what passes around",
    "CHW_FLOW_ROC": "needs readings within a minute",
    "SHORT_CYCLE_MODE": "the timers are on no instrument",
}
"""Limits that one observation does not show, and why."""

TRUE_STATE: Final = {
    "CA_T_MAX": "hottest inlet of any zone and 30 s step",
    "CA_T_MIN": "coldest inlet of any zone and 30 s step",
    "CA_ROC": "mean inlet of the interval against that of 15 min before, by zone",
    "DEWPOINT_MARGIN": "set-point against the halls' dew point after the interval",
    "AIRFLOW_RATIO": "least CRAH air over server air of any hall and step",
    "CRAH_FAN": "exact, from the applied action",
    "SAT_BOX_RATE": "exact, from the applied action",
    "CHWS_BOX": "exact, from the applied action",
    "CHWS_SLEW": "exact, from the applied action; 1 K below CA_T_MAX and hotter the "
    "emergency rate holds downward",
    "EVAP_FLOW_MIN": "mean flow of each running machine, once settled",
    "EVAP_FLOW_MAX": "mean flow of each running machine, once settled",
    "CHW_FLOW_ROC": "fastest change between two steps while a machine runs",
    "CHW_DP_MIN": "mean pressure; and, once settled, what the pressure would have to "
    "rise by to bring the widest valve back",
    "ECWT_MIN": "coldest basin of any step, each step by its own mode",
    "ECWT_CWRT_MAX": "mean water entering and leaving the condensers",
    "LIFT_MIN": "mean lift, once settled",
    "SURGE_LINE": "mean lift and part load, once settled",
    "CW_FLOW_MIN": "mean flow against what the commanded machines need",
    "CT_CWP_RATE": "exact, from the applied action",
    "CAPACITY_N1_POWER": "mean load, mechanical power, and part load once settled",
    "SHORT_CYCLE_MODE": "what changed, against the timers before it changed",
}
"""How h is evaluated on the true state of the simulation."""

WAITING: Final = {
    "CA_T_MAX": "a filter over time: today the rise from supply air to inlet is the "
    "present reading, noise included",
    "CA_T_MIN": "a filter over time, as for CA_T_MAX",
    "CA_ROC": "a row: today it is not projected, only bounded through supply air "
    "(3 x 1 K in 15 min); 20 K/h is not evaluated",
    "AIRFLOW_RATIO": "a forecast of load: today a fixed growth within one interval",
    "EVAP_FLOW_MIN": "candidates with N - 1, N and N + 1 machines in the projection",
    "EVAP_FLOW_MAX": "candidates with N - 1, N and N + 1 machines in the projection",
    "CHW_FLOW_ROC": "a row, and the cautious value of 0.10 per minute: today 0.30, "
    "kept by the valves' stroke of 5 min",
    "CHW_DP_MIN": "a check of the true coil at the answer, not only of its tangent",
    "ECWT_MIN": "rows while machines and economizer run together: today the BAS holds "
    "its low limit there",
    "ECWT_CWRT_MAX": "a check of the true tower at the answer",
    "LIFT_MIN": "a row for each number of machines that may run next",
    "SURGE_LINE": "a row for each number of machines that may run next",
    "CW_FLOW_MIN": "the flow of each tower cell: today all cells are one",
    "CAPACITY_N1_POWER": "power as a row: today load and power are evaluated and "
    "judged, and only the number of machines is acted on",
    "SHORT_CYCLE_MODE": "timers in the safety layer itself: today it passes on "
    "requests that the plant's sequencer then delays",
}
"""What the safety issue still has to bring, by limit."""

_HEAD: Final = """\
# The 21 limits

Generated by `python -m coolbound_safety.limits_page`; do not edit. A limit is kept
where its h is 0 or less, in its own unit; a violation is a control step with h above
{tolerance}. Values are those of the site `reference`; a site file changes them under
`[limits.NAME]` by the keys below. `on = false` switches a limit off: it has no row, and
reports call it *not observable*. *Margin* is how far inside the limit the envelope
stays. Ranges and ramps belong to the action channels and are not in the site file.
"""

_GROUPS: Final = """\
Cost groups of learning: {groups}; none where something
else keeps the limit exactly, whatever is learned. The site has {machines} machines.
"""

_KEPT: Final = """\
## How each is kept and evaluated

A *row* is one affine constraint of the projection, linearised at the previous applied
action, 15 min ahead where the plant is slow. *Bounds* are ranges and ramps, never
relaxed. The *BAS* is the plant's own automation, part of the simulation. *True state*
is what the tables of `coolbound evaluate` count. *Judged* says whether instruments
alone show it, for any action, as in the shadow report. *Settled* is {settling:g} min
and more after a change of machines or mode.
"""

_WAIT: Final = """\
## What waits for the safety issue

For all limits: slack that gives way strictly by priority (today by price, {prices}), a
check of the nonlinear model at the answer with a line search towards the backup,
an estimator over time, and a projection for each number of machines of which the
cheapest is taken with hysteresis.
"""


def fields_of(record: type, table: dict[str, tuple[Any, ...]], name: str) -> list:
    """Return the fields of one limit: name, key in the site file, words, unit.

    Args:
        record: `LimitValues` or `Margins`; its docstring has words and units.
        table: By field the limit and the key, as the site file is read.
        name: The limit.
    """
    found = []
    for field, text, unit in _ENTRY.findall(inspect.getdoc(record) or ""):
        limit, key = table.get(field, _PLANT_FIELDS.get(field, ("", "")))[:2]
        if limit == name:
            words = " ".join(_LIMIT_WORD.sub("", text).split())
            words = words[:1].lower() + words[1:]
            found.append((field, key, words.strip(" ,:."), unit))
    return found


def _number(value: float, unit: str) -> str:
    readable, factor = _READABLE.get(unit, (unit, 1.0))
    return f"{value * factor:.6g} {readable}".rstrip()


def _numbers(record: Any, table: dict[str, tuple[Any, ...]], name: str) -> str:
    texts = []
    for field, key, words, unit in fields_of(type(record), table, name):
        text = f"`{key}` {_number(float(getattr(record, field)), unit)}"
        texts.append(f"{text} ({words})" if words else text)
    return "; ".join(texts)


def _channels(name: str) -> str:
    found = [c for c in CHANNELS if c.name in CHANNELS_OF.get(name, ())]
    parts = [(_range(channel), _ramp(channel)) for channel in found]
    has_range, has_ramp = name != "CHWS_SLEW", name != "CHWS_BOX"
    texts = [pair[: 1 + has_ramp] if has_range else pair[1:] for pair in parts]
    return "; ".join(", ".join(pair) for pair in texts)


def _range(channel: Channel) -> str:
    unit = "" if channel.unit == "1" else channel.unit
    # The fan's lowest speed is part of the limit itself, as in `limits`.
    is_fan = channel.name == "tower_fan_speed"
    lower = "0, or 0.2" if is_fan else f"{channel.lower:g}"
    return f"{lower} to {channel.upper:g} {unit}".rstrip()


def _ramp(channel: Channel) -> str:
    unit = " K" if channel.unit == "degC" else ""
    return f"{channel.ramp:g}{unit} per 5 min"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _values_table() -> str:
    site = load_site()
    values = parse_limits(site.root, site.feeder_power)
    kept = parse_margins(site.root)
    rows = []
    for number, limit in enumerate(LIMITS, start=1):
        parts = (
            _numbers(values, limit_numbers.FIELDS, limit.name),
            _channels(limit.name),
        )
        rows.append(
            (
                str(number),
                limit.name,
                limit.title,
                limit.unit,
                "; ".join(part for part in parts if part),
                _numbers(kept, margins.FIELDS, limit.name) or "none",
                limit.group or "none",
            )
        )
    head = ("No.", "Limit", "What", "Unit of h", "Value", "Margin", "Cost group")
    return _table(head, rows)


def rows_of(name: str) -> int:
    """Return how many rows of the envelope a limit has [1]."""
    return sum(row.partition(":")[0] == name for row in ROW_NAMES)


def _kept_by(limit: LimitSpec) -> str:
    count = rows_of(limit.name)
    if not count:
        return KEPT_BY[limit.name]
    rows = "row" if count == 1 else f"{count} rows"
    return "; ".join([rows, *filter(None, [ALSO_KEPT_BY.get(limit.name)])])


def _judged(limit: LimitSpec) -> str:
    if limit.name in UNJUDGED:
        return f"no: {UNJUDGED[limit.name]}"
    unit = JUDGED_UNITS[limit.name]
    return "yes" if unit == limit.unit else f"yes, in {unit}"


def page() -> str:
    """Return the whole page as Markdown."""
    prices = sorted(set(envelope.ROW_PRICES), reverse=True)
    kept = [(x.name, _kept_by(x), TRUE_STATE[x.name], _judged(x)) for x in LIMITS]
    waits = [(x.name, WAITING[x.name]) for x in LIMITS if x.name in WAITING]
    parts = (
        _HEAD.format(tolerance=f"{TOLERANCE:g}"),
        _values_table(),
        _GROUPS.format(groups=", ".join(GROUPS), machines=CHILLERS),
        _KEPT.format(settling=SETTLING / 60.0),
        _table(("Limit", "Kept by", "On the true state", "Judged"), kept),
        _WAIT.format(prices=" and ".join(f"{p:g}" for p in prices)),
        _table(("Limit", "What waits"), waits),
    )
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
