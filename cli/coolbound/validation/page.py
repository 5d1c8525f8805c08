"""`docs/validation.md` from the evidence: prose in a template, figures from here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coolbound.console import table
from coolbound.pages import page_template
from coolbound.validation import bands, chillers, tower
from coolbound.validation import headroom as head
from coolbound.validation.bands import YearFigures
from coolbound.validation.engines import COMPARED, by_step
from coolbound.validation.evidence import Evidence
from coolbound.validation.findings import findings
from coolbound.validation.headroom_tables import (
    difference_table,
    gain_table,
    gaps,
    held_together,
    mlc_table,
)
from coolbound_envs.energyplus.responses import ResponseRow

FIGURES = {
    "tower": "The tower's approach against YorkCalc",
    "chillers": "COP of the fitted chillers against their records",
    "dynamics": "Halls without cooling; servers after a step of supply air",
    "years": "MLC and WUE of a year with their bands",
    "headroom": "MLC by consumer: operators, rules at rest, optima",
    "energyplus": "Responses of power to set-points: this plant and EnergyPlus",
}
"""Files in `figures/`, each with its text alternative."""

_QUIET = 0.05
"""Changes of power below this are printed as none. [kW]"""


def render(evidence: Evidence, facts: Mapping[str, Any], command: str) -> str:
    """Return the page.

    Args:
        evidence: What was measured.
        facts: Machine, versions, revision and seconds.
        command: That made it.
    """
    return page_template("coolbound.validation").render(
        plan=evidence.plan,
        facts=facts,
        command=command,
        alt=FIGURES,
        summary=_summary(evidence),
        tower=tower,
        chillers=chillers,
        convergence=evidence.convergence,
        trip=_trip(evidence),
        **_years(evidence.years, evidence.concentration),
        **_headroom(evidence),
        **_engines(evidence),
    )


def _summary(evidence: Evidence) -> str:
    """Return the summary; its cells are too long to be padded."""
    rows = [(f.what, f.measured, f.bound, f.verdict) for f in findings(evidence)]
    header = ("promise", "measured", "bound", "verdict")
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def _trip(evidence: Evidence) -> dict[str, float]:
    """Return the hottest inlet before all chillers trip, and 5 and 10 min later."""
    warming = evidence.warming
    at = np.interp([0.0, 5.0, 10.0], warming.trip_minutes, warming.trip_inlet)
    return dict(zip(("first", "five", "ten"), map(float, at), strict=True))


def _years(years: Sequence[YearFigures], concentration: float) -> dict[str, Any]:
    mlc, wue = bands.BANDS["mlc"], bands.BANDS["wue"]
    return {
        "years": _years_table(years),
        "costly": [y for y in years if y.mlc > mlc[1]],
        "cheap": [y for y in years if y.mlc < mlc[0]],
        "dry": [y for y in years if y.wue < wue[0]],
        "wet": [y for y in years if y.wue > wue[1]],
        "watered": [y for y in years if wue[0] <= y.wue <= wue[1]],
        "named": lambda some: ", ".join(f"{y.city} `{y.operator}`" for y in some),
        "span": _span,
        "published_legacy": head.PUBLISHED["phoenix"][0],
        "bands": bands.BANDS,
        "water": bands.water_of_latent_heat(concentration),
    }


def _span(years: Sequence[YearFigures], name: str, form: str, factor: float) -> str:
    """Return least and largest of a figure as text."""
    values = [factor * getattr(year, name) for year in years]
    low, high = form % min(values), form % max(values)
    return low if low == high else f"{low} to {high}"


def _years_table(years: Sequence[YearFigures]) -> str:
    header = (
        "city",
        "operator",
        "wet bulb degC",
        "no chiller %",
        "MLC",
        "PUE",
        "WUE",
        "latent %",
        "worst inlet degC",
        "starts",
        "steps over a limit",
        "outside",
    )
    rows = [
        (
            y.city,
            y.operator,
            f"{y.wet_bulb:.1f}",
            f"{100 * y.free:.0f}",
            f"{y.mlc:.3f}",
            f"{y.pue:.3f}",
            f"{y.wue:.2f}",
            f"{100 * y.latent:.0f}",
            f"{y.inlet:.1f}",
            str(y.starts),
            str(y.violations),
            ", ".join(y.outside).upper() or "-",
        )
        for y in years
    ]
    return table(header, rows)


def _headroom(evidence: Evidence) -> dict[str, Any]:
    cities = evidence.headroom
    known = next((city for city in cities if city.published), None)
    return {
        "hours": cities[0].hours,
        "hold_hours": head.HOLD // 12,
        "mlc": mlc_table(cities),
        "gains": gain_table(cities),
        "held": held_together(cities),
        "unsolved": sum(c.unsolved for x in cities for c in x.optimum.values()),
        "known": known,
        "differences": difference_table(cities),
        "off": max((head.size_error(city) or 0.0 for city in cities), default=0.0),
        "gap": gaps(known) if known else None,
    }


def _engines(evidence: Evidence) -> dict[str, Any]:
    found = evidence.engines
    header = ("point", "step", *(name.replace("_", " ") for name in COMPARED))
    rows = []
    for (point, channel, step), answers in by_step(found.rows).items():
        cells = {row.consumer: _response(row) for row in answers}
        rows.append((point, f"{channel} {step}", *(cells[name] for name in COMPARED)))
    return {
        "responses": table(header, rows) if rows else "",
        "parted": [_parted(row) for row in found.rows if not row.sign_agrees],
        "not_run": found.reason,
    }


def _response(row: ResponseRow) -> str:
    ours, theirs = row.ours_kw, row.energyplus_kw
    if max(abs(ours), abs(theirs)) < _QUIET:
        return "."
    return f"{ours:+.1f} / {theirs:+.1f}" + ("" if row.sign_agrees else " !")


def _parted(row: ResponseRow) -> str:
    return (
        f"{row.point}, {row.channel} {row.step}: {row.consumer.replace('_', ' ')} "
        f"{row.ours_kw:+.1f} kW here, {row.energyplus_kw:+.1f} kW there"
    )
