"""The tables of a transfer, in Markdown."""

from collections.abc import Mapping
from typing import Any, Final

from coolbound.choices import BASELINE
from coolbound.console import table
from coolbound.transfer.account import OF_ACTUATORS
from coolbound.transfer.comparison import OWN
from coolbound_envs.limit_table import LIMITS

Data = Mapping[str, Any]

DASH: Final = "\u2013"
"""Stands where there is nothing to count."""

CONSUMERS: Final = {
    "chiller": "chillers",
    "tower": "tower fans",
    "cw_pump": "condenser pumps",
    "chw_pump": "chilled-water pumps",
    "crah": "CRAH fans",
    "extra_it": "servers beyond 21 degC",
}
"""Parts of cooling energy, each with its column."""


def is_guarded(found: Data) -> bool:
    """Return whether a controller stood behind the safety layer."""
    return bool(found["interventions"]["by_kind"])


def headline(part: Data) -> str:
    """Return one row for everyone: energy, limits, comfort, interventions, time."""
    header = (
        "controller",
        "facility MWh",
        "cooling MWh",
        f"cooling against {OWN}",
        f"against {BASELINE}",
        "steps over a limit",
        "worst inlet degC",
        "changed by the layer",
        "starts",
        "wall s",
    )
    rows = [_headline_row(part, name) for name in part["controllers"]]
    return table(header, rows)


def _headline_row(part: Data, name: str) -> tuple[str, ...]:
    found = part["controllers"][name]
    changed = f"{100.0 * found['intervention_rate']:.1f} %"
    return (
        name,
        f"{found['total_energy_kwh'] / 1e3:,.1f}",
        f"{found['cooling_energy_21_kwh'] / 1e3:,.2f}",
        _change(part, OWN, name),
        _change(part, BASELINE, name),
        f"{found['violation_steps']:,}",
        f"{found['worst_inlet_c']:.2f}",
        changed if is_guarded(found) else DASH,
        f"{found['chiller_starts']:,}",
        f"{found['wall_s']:.0f}",
    )


def _change(part: Data, base: str, name: str) -> str:
    """Return the change of cooling energy, less is negative, with its interval."""
    if base not in part["paired"]:
        return DASH
    if name == base:
        return "baseline"
    found = part["paired"][base][name]["cooling_21"]
    text = f"{-found['point']:+.1f} %"
    if found["refused"]:
        return text
    return f"{text} ({-found['high']:+.1f} to {-found['low']:+.1f})"


def energy_table(part: Data) -> str:
    """Return cooling energy by consumer, MWh."""
    rows = [
        (
            name,
            *(f"{found['energy_kwh'][each] / 1e3:,.2f}" for each in CONSUMERS),
            f"{found['mlc_21']:.4f}",
            f"{found['water_l'] / 1e3:,.0f}",
        )
        for name, found in part["controllers"].items()
    ]
    return table(("MWh", *CONSUMERS.values(), "over IT", "water m\u00b3"), rows)


def day_rows(part: Data) -> str:
    """Return paired days: how many used less, and the ends."""
    rows = []
    for base, pairs in part["paired"].items():
        for name, pair in pairs.items():
            for what, label in (("cooling_21", "cooling"), ("facility", "facility")):
                found = pair[what]
                rows.append(
                    (
                        f"{name} against {base}",
                        label,
                        f"{-found['point']:+.2f} %",
                        f"{-found['most']:+.1f} to {-found['least']:+.1f} %",
                        f"{found['days_less']} of {found['lane_days']}",
                    )
                )
    return table(("pair", "energy", "all days", "single days", "days with less"), rows)


def limit_table(part: Data) -> str:
    """Return steps over each limit, before and after the safety layer."""
    names = list(part["controllers"])
    rows = []
    for limit in LIMITS:
        counts = [part["controllers"][name]["violations"][limit.name] for name in names]
        if any(x["before"] or x["after"] for x in counts):
            cells = [
                _counts(part["controllers"][name], limit.name, limit.unit)
                for name in names
            ]
            rows.append((f"`{limit.name}` [{limit.unit}]", *cells))
    if not rows:
        return "No limit was broken or asked to be broken by anyone."
    return table(("limit", *names), rows)


def _counts(found: Data, limit: str, unit: str) -> str:
    """Return asked for and truly broken, with the greatest excess."""
    count = found["violations"][limit]
    if not is_guarded(found):
        is_idle = limit in OF_ACTUATORS and not found["refused_actions"]
        if is_idle and count["after"] == 0:
            return DASH
        before = ""
    else:
        before = f"{count['before']:,} / "
    excess = f" (+{count['worst']:.2g})" if count["after"] else ""
    return f"{before}{count['after']:,}{excess}"


def cause_table(part: Data) -> str:
    """Return what the safety layer stepped in for, share of all steps."""
    guarded = {n: x for n, x in part["controllers"].items() if is_guarded(x)}
    causes: dict[str, int] = {}
    for found in guarded.values():
        for cause, count in found["interventions"]["by_limit"].items():
            causes[cause] = causes.get(cause, 0) + count
    rows = [
        (
            f"`{cause}`" if cause.isupper() else cause,
            *(_share(found, cause) for found in guarded.values()),
        )
        for cause in sorted(causes, key=lambda each: -causes[each])
    ]
    return table(("cause", *guarded), rows) if rows else "It changed nothing."


def _share(found: Data, cause: str) -> str:
    count = found["interventions"]["by_limit"].get(cause, 0)
    return f"{100.0 * count / found['steps']:.2f} %" if count else "0"
