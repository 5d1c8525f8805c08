"""The comparison as people read it: one row per controller, then the violations."""

from collections.abc import Mapping
from typing import Any

from coolbound.console import table

HEADER = (
    "controller",
    "facility MWh",
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


def evaluation_table(data: Mapping[str, Any]) -> str:
    """Return the answer of `evaluate` as Markdown."""
    parts = [
        f"{data['days']} days on {data['load']}, the same weather, load and noise for "
        f"all; violations are steps with h > 0, summed over the limits, before and "
        f"after the safety layer; in brackets the 95 % interval of the difference to "
        f"{data['baseline']}, from paired days.",
        f"All of {', '.join(data['weather'])}:",
        _table(data, data["baseline"]),
    ]
    if data["limits_off"]:
        off = ", ".join(data["limits_off"])
        parts.insert(1, f"Switched off in the site file, not counted: {off}.")
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
    return (
        name,
        f"{found['total_energy_kwh'] / 1e3:,.1f}",
        "baseline" if is_base else _difference(paired),
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
    if paired is None or paired["refused"]:
        return "no interval"
    return f"{paired['percent']:+.2f} [{paired['low']:+.2f}, {paired['high']:+.2f}]"


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
