"""The ingestion report: one offline HTML file, in the look of the shadow report.

A pure function of what was counted: no clock, no path, no script, no address. The
first screen says how much of the export could be used and what to look at first.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from itertools import pairwise
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup, escape

from coolbound_shadow.intake.findings import ADVICE, SEVERITIES, Finding
from coolbound_shadow.intake.importing import Imported
from coolbound_shadow.intake.order import duration
from coolbound_shadow.intake.reasons import ROW_MEANINGS
from coolbound_shadow.intake.totals import FileTotals, PointTotals
from coolbound_shadow.log_types import Log, local_text
from coolbound_shadow.report_axes import svg
from coolbound_shadow.report_rows import short

SHAPES = {"error": "\u25a0", "warning": "\u25b2", "note": "\u25cb"}

SUBJECTS_SHOWN = 6
"""Points or files that one line of the findings names. [1]"""

STRIPS_SHOWN = 60
"""Points in the figure: those that feed coolbound first. [1]"""

RUNS_SHOWN = 25
"""Runs of failed readings that are listed. [1]"""

COLUMNS = 200
"""Columns of the figure at most. [1]"""

LEFT, RIGHT, ROW = 190, 44, 13

DAY_MS = 86_400_000

ALL, MOST = 0.999, 0.9
"""Shares of usable readings that the figure tells apart. [1]"""


def render_page(found: Imported, log: Log, findings: Sequence[Finding]) -> str:
    """Return the report as one HTML page."""
    folder = resources.files("coolbound_shadow.intake") / "templates"
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source = (folder / "ingestion.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(_context(found, log, findings))


def _context(found: Imported, log: Log, findings: Sequence[Finding]) -> dict[str, Any]:
    local = _Local(log)
    rows = [file.rows for file in found.files]
    start, end = (local_text(log.time_utc[i], log.offset[i]) for i in (0, -1))
    usable = sum(p.qualities["GOOD"] + p.qualities["UNCERTAIN"] for p in found.points)
    readings = sum(p.readings for p in found.points)
    return {
        "site": found.intake.site,
        "period": f"{short(start)} to {short(end)}",
        "zone": found.intake.report_zone,
        "rows": {
            name: sum(getattr(r, name) for r in rows)
            for name in ("read", "accepted", "flagged", "rejected")
        },
        "readings": readings,
        "usable": 100.0 * usable / max(readings, 1),
        "log": log,
        "feeding": len(log.observable),
        "groups": grouped(findings),
        "severe": {
            s: len({f.kind for f in findings if f.severity == s}) for s in SEVERITIES
        },
        "shapes": SHAPES,
        "files": [_file_row(file, local) for file in found.files],
        "rejected": _rejected(found.files),
        "points": [_point_row(point, local) for point in found.points],
        "strips": strip_figure(found.points, local.text),
        "strips_left": max(0, len(found.points) - STRIPS_SHOWN),
        "runs": _runs(found.points, local),
        "unlisted": [(f.name, f.unlisted) for f in found.files if f.unlisted],
        "tags": found.unknown_tags,
        "meanings": [r for r in found.intake.reasons if r.name],
        "map_sha256": found.intake.sha256,
        "map_name": found.intake.where,
    }


class _Local:
    """Tells UTC instants as the site's local time."""

    def __init__(self, log: Log) -> None:
        self._time, self._offset = log.time_utc, log.offset

    def text(self, ms: int) -> str:
        if ms == 0:
            return "\u2013"
        place = min(int(np.searchsorted(self._time, ms // 1000)), len(self._time) - 1)
        return short(local_text(ms // 1000, self._offset[place]))


def grouped(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return findings of one kind together: its points, its largest, what to do."""
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for each in findings:
        kinds.setdefault((each.severity, each.kind), []).append(each)
    return [
        {
            "kind": kind,
            "severity": severity,
            "shape": SHAPES[severity],
            "lines": _lines(group)[:SUBJECTS_SHOWN],
            "more": len(_lines(group)) - SUBJECTS_SHOWN,
            "advice": ADVICE.get(kind, group[0].advice),
        }
        for (severity, kind), group in kinds.items()
    ]


def _lines(group: Sequence[Finding]) -> list[str]:
    """Return one line for each text, with all the points that it is said of."""
    subjects: dict[str, list[str]] = {}
    for each in group:
        subjects.setdefault(each.text, []).append(each.subject)
    return [f"{', '.join(names)}: {text}" for text, names in subjects.items()]


def _file_row(file: FileTotals, local: _Local) -> dict[str, str]:
    rows = file.rows
    return {
        "name": file.name,
        "size": f"{file.size / 1e6:.2f}",
        "read": f"{rows.read:,}",
        "accepted": f"{rows.accepted:,}",
        "flagged": f"{rows.flagged:,}",
        "rejected": f"{rows.rejected:,}",
        "first": local.text(file.first_ms),
        "last": local.text(file.last_ms),
        "sha256": file.sha256,
    }


def _rejected(files: Sequence[FileTotals]) -> list[dict[str, str]]:
    return [
        {
            "file": file.name,
            "reason": name,
            "meaning": ROW_MEANINGS[name],
            "count": f"{count:,}",
            "examples": "; ".join(
                f"row {row}" + (f" {text!r}" if text else "")
                for row, text in file.rows.examples.get(name, ())
            ),
        }
        for file in files
        for name, count in file.rows.reasons.items()
    ]


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "\u2013"
    # 32 degF is 4e-14 degC in floating point; nobody measures that.
    return f"{round(value, 9) + 0.0:,.4g}".replace("-", "\u2212")


def _point_row(totals: PointTotals, local: _Local) -> dict[str, Any]:
    usable = totals.qualities["GOOD"] + totals.qualities["UNCERTAIN"]
    share = 100.0 * usable / max(totals.readings, 1)
    return {
        "id": totals.point.id,
        "feeds": totals.point.feeds,
        "unit": totals.point.unit,
        "readings": f"{totals.readings:,}",
        "share": f"{share:.1f} %" if totals.readings else "\u2013",
        "tone": "" if share >= 100.0 * MOST else "limit" if usable else "violated",
        "low": _number(totals.low),
        "median": _number(totals.median),
        "high": _number(totals.high),
        "interval": duration(totals.interval_ms) if totals.interval_ms else "\u2013",
        "reasons": _reasons(totals.reasons),
    }


def _reasons(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in reasons.items()) or "none"


def _runs(points: Sequence[PointTotals], local: _Local) -> list[dict[str, str]]:
    runs = [run for point in points for run in point.runs]
    runs.sort(key=lambda r: (r.start_ms - r.end_ms, r.start_ms, r.point))
    return [
        {
            "point": run.point,
            "reason": run.reason,
            "start": local.text(run.start_ms),
            "end": local.text(run.end_ms),
            "length": duration(run.end_ms - run.start_ms),
            "readings": f"{run.readings:,}",
            "value": _number(run.value),
        }
        for run in runs[:RUNS_SHOWN]
    ]


def strip_figure(points: Sequence[PointTotals], text_of: Any) -> Markup:
    """Return one strip for each point: by day, how many readings could be used.

    Args:
        points: What was counted.
        text_of: Turns an instant [ms] into local text.
    """
    known = [p for p in points if p.first_ms]
    known = sorted(known, key=lambda p: (not p.point.feeds, float(np.min(p.days))))
    known = known[:STRIPS_SHOWN]
    if not known:
        return Markup('<p class="quiet">no readings</p>')
    start = min(p.first_ms for p in known)
    days = int((max(p.last_ms for p in known) - start) // DAY_MS) + 1
    width = 720 - LEFT - RIGHT
    body: list[str] = []
    for i, point in enumerate(known):
        y = ROW * i + 4
        name = escape(_shortened(point.point.id))
        body.append(f'<text x="{LEFT - 6}" y="{y + 9}" class="end">{name}</text>')
        body += _strip(_levels(point, start, days), y, width)
        share = 100.0 * float(np.mean(point.days))
        body.append(f'<text x="{720 - RIGHT + 4}" y="{y + 9}">{share:.0f} %</text>')
    bottom = ROW * len(known) + 16
    body.append(f'<text x="{LEFT}" y="{bottom}">{text_of(start)[:10]}</text>')
    last = text_of(start + (days - 1) * DAY_MS)[:10]
    body.append(f'<text x="{720 - RIGHT}" y="{bottom}" class="end">{last}</text>')
    worst = min(known, key=lambda p: float(np.mean(p.days)))
    label = (
        f"Share of usable readings by day, {len(known)} points over {days} days; least "
        f"at {worst.point.id}, {100 * float(np.mean(worst.days)):.0f} %"
    )
    return svg(body, bottom + 6, label)


def _shortened(name: str, most: int = 28) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}\u2026"


def _levels(point: PointTotals, start: int, days: int) -> np.ndarray:
    """Return a level for each column: 0 all usable, 1 most, 2 some, 3 none, 4 blank."""
    by_day = np.full(days, np.nan)
    first = int((point.first_ms - start) // DAY_MS)
    part = point.days[: days - first]
    by_day[first : first + len(part)] = part
    size = min(days, COLUMNS)
    edges = np.linspace(0, days, size + 1).astype(int)
    worst = [by_day[a:b] for a, b in pairwise(edges)]
    least = np.asarray(
        [np.nanmin(w) if np.any(np.isfinite(w)) else np.nan for w in worst]
    )
    level = np.select([least >= ALL, least >= MOST, least > 0.0], [0, 1, 2], 3)
    return np.where(np.isnan(least), 4, level)


def _strip(level: np.ndarray, y: int, width: float) -> list[str]:
    edges = np.flatnonzero(np.diff(level)) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(level)]])
    scale = width / len(level)
    return [
        f'<rect x="{LEFT + a * scale:.1f}" y="{y}" width="{(b - a) * scale:.1f}" '
        f'height="{ROW - 3}" class="use{level[a]}"/>'
        for a, b in zip(starts, ends, strict=True)
        if level[a] != 4
    ]
