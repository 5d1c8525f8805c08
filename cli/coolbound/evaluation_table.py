"""The comparison as people read it: one row per controller, then the violations."""

from collections.abc import Mapping
from typing import Any

from coolbound.console import table

HEADER = (
    "controller",
    "facility MWh",
    "less than baseline %",
    "cooling MWh",
    "less than baseline %",
    "above IT work kW",
    "MLC",
    "PUE",
    "WUE",
    "worst inlet degC",
    "violations before",
    "violations after",
    "interventions %",
    "starts",
)

SEEDS = (
    ("less cooling than baseline %", "percent_21", 1.0, 2),
    ("cooling MWh", "cooling_energy_21_kwh", 1e-3, 1),
    ("worst inlet degC", "worst_inlet_c", 1.0, 2),
    ("interventions %", "intervention_rate", 100.0, 1),
)
"""Rows of a learner's table: heading, figure, factor, decimals."""


def evaluation_table(data: Mapping[str, Any]) -> str:
    """Return the answer of `evaluate` as Markdown."""
    parts = [
        f"{data['days']} days on {data['load']}, the same weather, load and noise for "
        f"all; violations are steps with h > 0, summed over the limits, before and "
        f"after the safety layer; cooling is chillers, towers, pumps, CRAH fans and "
        f"what servers draw beyond inlets of 21 degC; in brackets the 95 % interval "
        f"of the difference to {data['baseline']}, from paired days.",
        f"All of {', '.join(data['cities'] or data['weather'])}:",
        _table(data, data["baseline"]),
    ]
    if data["limits_off"]:
        off = ", ".join(data["limits_off"])
        parts.insert(1, f"Switched off in the site file, not counted: {off}.")
    for label, group in data.get("seeds", {}).items():
        parts += [f"{label}, {len(group['members'])} seeds:", _seeds(group)]
    if data.get("bound"):
        parts.append(_headroom(data))
    cities = data["cities"] if len(data["cities"]) > 1 else {}
    for name, city in cities.items():
        parts += [f"{name}:", _table(city, data["baseline"])]
    return "\n\n".join([*parts, _violations(data)])


def _table(part: Mapping[str, Any], baseline: str) -> str:
    rows = [
        _row(name, found, part["paired"].get(name), name == baseline)
        for name, found in part["controllers"].items()
    ]
    return table(HEADER, rows)


def _row(
    name: str, found: Mapping[str, Any], paired: Mapping[str, Any] | None, is_base: bool
) -> tuple[str, ...]:
    before, after = (
        sum(limit[side] for limit in found["violations"].values())
        for side in ("before", "after")
    )
    cooling = None if paired is None else paired["cooling_21"]
    return (
        name,
        f"{found['total_energy_kwh'] / 1e3:,.1f}",
        "baseline" if is_base else _difference(paired),
        f"{found['cooling_energy_21_kwh'] / 1e3:,.1f}",
        "baseline" if is_base else _difference(cooling),
        f"{found['above_work_kw']:.1f}",
        f"{found['mlc']:.4f}",
        f"{found['pue']:.4f}",
        f"{found['wue']:.3f}",
        f"{found['worst_inlet_c']:.2f}",
        str(before),
        str(after),
        f"{100.0 * found['intervention_rate']:.1f}",
        str(found["chiller_starts"]),
    )


def _difference(paired: Mapping[str, Any] | None) -> str:
    if paired is None:
        return "no interval"
    if paired["refused"]:
        return f"{paired['point']:+.2f}, no interval"
    return f"{paired['percent']:+.2f} [{paired['low']:+.2f}, {paired['high']:+.2f}]"


def _headroom(data: Mapping[str, Any]) -> str:
    """Return everyone's share of the way to the optimum at rest, in one sentence."""
    bound = data["bound"]
    shares = ", ".join(
        f"{name} {100.0 * share:.0f} %" for name, share in bound["share"].items()
    )
    return (
        f"The optimum at rest uses {bound['percent']:.1f} % less cooling energy than "
        f"{data['baseline']} ({bound['hours']} hours of each place). Of that way: "
        f"{shares}."
    )


def _seeds(group: Mapping[str, Any]) -> str:
    """Return mean, worst and interval of the seeds, and who kept each cost's limit."""
    rows = [
        _seed_row(head, group[name], factor, decimals)
        for head, name, factor, decimals in SEEDS
        if name in group
    ]
    rows += [
        _seed_row(f"cost {name} (limit {cost['limit']:g})", cost, 1.0, 5)
        for name, cost in group["costs"].items()
    ]
    return table(("figure", "mean", "worst", "95 % interval", "within"), rows)


def _seed_row(
    head: str, found: Mapping[str, Any], factor: float, decimals: int
) -> tuple[str, ...]:
    mean, worst, low, high = (
        "-" if found[key] is None else f"{factor * found[key]:.{decimals}f}"
        for key in ("mean", "worst", "low", "high")
    )
    within = found.get("share_within")
    share = "" if within is None else f"{100.0 * within:.0f} %"
    return head, mean, worst, f"{low} to {high}", share


def _violations(data: Mapping[str, Any]) -> str:
    """Return every limit that anyone violated, by controller, before and after."""
    rows = [
        (name, limit, str(count["before"]), str(count["after"]))
        for name, found in data["controllers"].items()
        for limit, count in found["violations"].items()
        if count["before"] or count["after"]
    ]
    if not rows:
        return "No limit was violated by anyone."
    return "\n\n".join(
        ["Limits violated:", table(("controller", "limit", "before", "after"), rows)]
    )
