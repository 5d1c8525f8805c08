"""What whole points and several points together say of unit, site and instruments."""

from collections.abc import Mapping, Sequence

import numpy as np

from coolbound_envs.site import Site
from coolbound_envs.spec import POINT_INDEX
from coolbound_envs.tables import InputError
from coolbound_envs.types import Quality
from coolbound_shadow.intake.findings import Finding
from coolbound_shadow.intake.map_types import IntakeMap
from coolbound_shadow.intake.regular import Fed, in_spec_unit
from coolbound_shadow.intake.totals import FileTotals, PointTotals
from coolbound_shadow.log_types import Log

WRONG_SHARE = 0.5
"""A point with more of its readings out of range has a wrong unit or source. [1]"""

WRONG_POINTS = 0.5
"""With more such points, the log is not the site's. [1]"""

FAR_ABOVE = 1.5
"""A site's log stays below this multiple of its design. [1]"""

FAR_BELOW = 0.02
"""And above this share of it. [1]"""

TOLERANCE = 0.5
"""Two thermometers may differ by as much. [K]"""

ORDERED = (
    ("chw_supply_temp", "chw_return_temp", "chilled water returns colder than it left"),
    ("cw_supply_temp", "cw_return_temp", "condenser water returns colder than it left"),
    ("outdoor_wet_bulb", "cw_supply_temp", "tower water is colder than the wet bulb"),
    ("outdoor_wet_bulb", "outdoor_temp", "the wet bulb is above the air temperature"),
)
"""Pairs of which the first is never warmer, while machines run."""

RUNNING = (("chw_flow", "chw_pump_power"), ("cw_flow", "cw_pump_power"))
"""Flows, and the pumps that bring them: no flow while the pump draws power."""

DRAWING = 0.2
"""A pump that draws more than this share of its median runs. [1]"""

LISTED = 8
"""Names that a finding lists. [1]"""


def require_units(points: Sequence[PointTotals], intake: IntakeMap) -> None:
    """Refuse a log of which most points lie outside their ranges.

    Raises:
        InputError: It looks like another site's, or like other units.
    """
    checked = [p for p in points if np.isfinite(p.point.lower + p.point.upper)]
    wrong = [p for p in checked if _outside(p) > WRONG_SHARE]
    if len(checked) >= 2 and len(wrong) > WRONG_POINTS * len(checked):
        first = wrong[0]
        raise InputError(
            f"{intake.where}: found {len(wrong)} of {len(checked)} points out of range "
            f"in more than half of their readings (first {first.point.id!r}), expected "
            "readings within the map's ranges; this looks like another site's log or "
            "other units: check both"
        )


def _outside(totals: PointTotals) -> float:
    return totals.reasons.get("out_of_range", 0) / max(totals.readings, 1)


def cell_findings(points: Sequence[PointTotals]) -> list[Finding]:
    """Return what each point's ranges, overrides and cells say."""
    found = []
    for each in points:
        name, interval = each.point.id, each.interval_ms / 1000.0
        if _outside(each) > WRONG_SHARE:
            text = f"{100 * _outside(each):.0f} % of its readings are out of range"
            count = each.reasons["out_of_range"]
            found.append(Finding("unit_doubt", "error", name, text, count))
        if each.overrides:
            text = f"a person or the BAS held it in {each.overrides:,} readings"
            found.append(Finding("override", "note", name, text, each.overrides))
        if each.stale:
            text = f"{each.stale:,} cells are empty: the last reading was too old"
            found.append(Finding("stale_cells", "note", name, text, each.stale))
        if each.thin:
            text = (
                f"{each.thin:,} cells are empty: readings every {interval:g} s stand "
                "for too little of them"
            )
            found.append(Finding("thin_cells", "note", name, text, each.thin))
    return found


def unlisted_findings(
    files: Sequence[FileTotals], tags: Mapping[str, int]
) -> list[Finding]:
    """Return the columns and names that the map does not use."""
    found = [
        Finding("unlisted", "note", f.name, _listing(f.unlisted), len(f.unlisted))
        for f in files
        if f.unlisted
    ]
    if tags:
        found.append(
            Finding("unlisted", "note", "tall files", _listing(tags), len(tags))
        )
    return found


def _listing(names: Sequence[str] | Mapping[str, int]) -> str:
    shown = ", ".join(repr(name) for name in list(names)[:LISTED])
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"not in the map: {shown}{more}"


def impossible(fed: Fed, intake: IntakeMap) -> list[Finding]:
    """Return where two instruments contradict each other."""
    found = []
    for low, high, words in ORDERED:
        pair = _aligned(fed, low, high, intake)
        if pair is None:
            continue
        time, colder, warmer = pair
        excess = colder - warmer
        wrong = np.flatnonzero(excess > TOLERANCE)
        if len(wrong):
            share = 100.0 * len(wrong) / max(int(np.sum(np.isfinite(excess))), 1)
            text = (
                f"{words} in {len(wrong):,} cells ({share:.3g} %), by up to "
                f"{np.nanmax(excess):.3g} K"
            )
            start, end = int(time[wrong[0]]), int(time[wrong[-1]])
            subject = f"{low}, {high}"
            found.append(
                Finding("impossible", "warning", subject, text, len(wrong), start, end)
            )
    return found + [f for pair in RUNNING if (f := _dry(fed, *pair, intake))]


def _dry(fed: Fed, flow: str, pump: str, intake: IntakeMap) -> Finding | None:
    """Return where a flow is zero although its pump draws power."""
    pair = _aligned(fed, flow, pump, intake)
    if pair is None or not np.any(np.isfinite(pair[2])):
        return None
    time, water, power = pair
    least = DRAWING * float(np.nanmedian(power))
    dry = np.flatnonzero((water == 0.0) & (power > least) & (power > 0.0))
    if len(dry) == 0:
        return None
    text = f"no flow in {len(dry):,} cells while the pump draws power: is zero a code?"
    start, end = int(time[dry[0]]), int(time[dry[-1]])
    subject = f"{flow}, {pump}"
    return Finding("impossible", "warning", subject, text, len(dry), start, end)


def _aligned(
    fed: Fed, low: str, high: str, intake: IntakeMap
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return cell ends [ms] and both points' usable cells; None if one is absent."""
    if low not in fed or high not in fed:
        return None
    (one, first), (other, second) = fed[low][0], fed[high][0]
    start = max(first.first, second.first)
    end = min(first.first + len(first.values), second.first + len(second.values))
    if end <= start:
        return None
    parts = []
    for name, point, run in ((low, one, first), (high, other, second)):
        here = slice(start - run.first, end - run.first)
        usable = run.quality[here] >= Quality.UNCERTAIN
        values = in_spec_unit(run.values[here], point, name, intake)
        parts.append(np.where(usable, values, np.nan))
    time = 1000 * intake.resample.step_s * np.arange(start, end, dtype=np.int64)
    return time, parts[0], parts[1]


def require_site(log: Log, site: Site, intake: IntakeMap) -> list[Finding]:
    """Refuse a log that cannot be the site's; return a doubt where it is small.

    Raises:
        InputError: Its powers are far above what the site can draw.
    """
    feeder = site.feeder_power / 1000.0
    found = []
    for name in ("chiller_power", "facility_power", "chw_pump_power", "cw_pump_power"):
        column = log.usable()[:, POINT_INDEX[name]]
        known = column[np.isfinite(column)]
        design = feeder + (_it_power(site) if name == "facility_power" else 0.0)
        if len(known) == 0:
            continue
        high = float(np.quantile(known, 0.99))
        if high > FAR_ABOVE * design:
            raise InputError(
                f"{intake.where}: found {name!r} up to {high:,.0f} kW, expected at "
                f"most the {design:,.0f} kW of site {site.name!r}; this looks like "
                "another site's log or another unit: check `--site` and `unit_in`"
            )
        if name == "chiller_power" and high < FAR_BELOW * design:
            text = (
                f"reaches {high:,.1f} kW where site {site.name!r} has {design:,.0f} "
                "kW: another site or another unit?"
            )
            found.append(Finding("site_size", "warning", name, text, len(known)))
    return found


def _it_power(site: Site) -> float:
    return float(site.plant.it.design_power) / 1000.0
