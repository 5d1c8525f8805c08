"""The shadow report: one offline HTML file that plant staff can read and print.

`render_report` is a pure function of its data: no clock, no machine, no path. The
same run gives the same bytes.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from importlib import resources

import jinja2
import numpy as np
from markupsafe import Markup

from coolbound_envs.spec import CHANNELS, POINT_NAMES
from coolbound_shadow import report_figures as figures
from coolbound_shadow import report_rows as rows
from coolbound_shadow.comparison import Comparison
from coolbound_shadow.events import InterventionEvent
from coolbound_shadow.log_types import LogFacts
from coolbound_shadow.records import Decisions, beyond_dead_band, intervention_mask
from coolbound_shadow.refusal_limits import Entry
from coolbound_shadow.report_axes import Line
from coolbound_shadow.report_comparison import comparison_context
from coolbound_shadow.statistics import NOT_RUN, Interval
from coolbound_shadow.summary import (
    Interventions,
    LimitReport,
    ModelLimit,
    intervention_summary,
)

EVENTS_SHOWN = 20
VIOLATED_SHOWN = 5
MARGINS_SHOWN = 4
BARS_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class ReportData:
    """All that a report says. Static.

    Attributes:
        site: The site's id.
        policy: Name in the policy's manifest.
        log: Facts of the log.
        decisions: All decision records.
        events: Interventions, most serious first.
        limits: The limits, in order of number.
        potential: Modelled potential, positive where the policy uses less.
        null_test: Measured operator against the operator in the model.
        replay_error: Largest difference of the log replayed as its own policy
            (null test N0), in any channel. [the channel's unit]
        writes_attempted: Writes that the policy's process tried. [1]
        notes: What a reader must know first, such as a crude twin.
        provenance: Digests and versions by name.
        model_limits: The limits in both rollouts of the model; empty for none.
        model_notes: What the rollouts rest on, one sentence each.
        null_basis: The power that the null test compares.
        statuses: What the safety layer did, in words, with the steps of each.
        limits_off: Names of the limits that the site file switches off.
        comparison: Both sides in every respect; None to leave that out.
        placebo: The operator against itself one row late.
        refusals: Below what no potential is told.
    """

    site: str
    policy: str
    log: LogFacts
    decisions: Decisions
    events: Sequence[InterventionEvent]
    limits: Sequence[LimitReport]
    potential: Interval
    null_test: Interval
    replay_error: float
    writes_attempted: int
    notes: Sequence[str]
    provenance: Mapping[str, str]
    model_limits: Sequence[ModelLimit] = ()
    model_notes: Sequence[str] = ()
    null_basis: str = ""
    statuses: Sequence[tuple[str, int]] = ()
    limits_off: Sequence[str] = ()
    comparison: Comparison | None = None
    placebo: Interval = NOT_RUN
    refusals: Sequence[Entry] = ()


def render_report(data: ReportData) -> str:
    """Return the report as one HTML page without scripts or addresses."""
    folder = resources.files("coolbound_shadow") / "templates"
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source = (folder / "report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(_context(data))


def _context(data: ReportData) -> dict[str, object]:
    decisions = data.decisions
    mask = intervention_mask(decisions)
    time_local = decisions.time_utc + decisions.offset
    stopped = mask & (np.asarray(decisions.kind) != "ramp")
    summary = intervention_summary(decisions)
    violated = rows.most_violated(data.limits)
    return {
        "data": data,
        "log": data.log,
        "period": f"{rows.short(data.log.start)} to {rows.short(data.log.end)}",
        "interventions": summary,
        "stopped": _share(summary, decisions.rows, ("limit", "fallback")),
        "slowed": _share(summary, decisions.rows, ("ramp",)),
        "kinds": _kinds(summary, decisions.rows),
        "by_limit": _limit_bars(summary, decisions.rows),
        "calendar": _calendar(time_local, stopped, data.log),
        "stopped_steps": int(np.sum(stopped)),
        "channels": rows.channel_rows(decisions),
        "limits": [rows.limit_row(x, x.name in data.limits_off) for x in data.limits],
        "violated": [rows.limit_row(x) for x in violated[:VIOLATED_SHOWN]],
        "more_violated": [x.name for x in violated[VIOLATED_SHOWN:]],
        "unobservable": [
            x
            for x in data.limits
            if not x.certified.observable and x.name not in data.limits_off
        ],
        "totals": rows.totals(data.limits),
        "potential": rows.interval_text(data.potential),
        "null_test": rows.interval_text(data.null_test, "fine percent"),
        "intervals": _intervals(data),
        "replay": _replay_text(data.replay_error),
        "plots": _channel_plots(data, time_local, mask),
        "margins": _margin_plots(data, time_local),
        "events": [
            rows.event_row(i, e) for i, e in enumerate(data.events[:EVENTS_SHOWN])
        ],
        "hidden_events": max(0, len(data.events) - EVENTS_SHOWN),
        "unmapped": [n for n in POINT_NAMES if n not in data.log.observable],
        "health": rows.health_rows(data.log),
        "in_model": [
            rows.model_row(x, x.name in data.limits_off) for x in data.model_limits
        ],
        "model_totals": rows.model_totals(data.model_limits),
        **comparison_context(
            data.comparison, decisions, data.log.step_s, data.potential, data.null_test
        ),
        "placebo": rows.interval_text(data.placebo, "fine percent"),
    }


def _share(found: Interventions, steps: int, kinds: Sequence[str]) -> float:
    """Return the share of all steps with an intervention of some kinds [percent]."""
    return 100.0 * sum(found.by_kind[kind] for kind in kinds) / max(steps, 1)


def _kinds(found: Interventions, steps: int) -> list[dict[str, str]]:
    return [
        {
            "word": kind,
            "shape": rows.SHAPES[kind],
            "count": f"{count:,}",
            "share": f"{100.0 * count / steps:.1f} %",
            "tone": kind if count else "quiet",
        }
        for kind, count in found.by_kind.items()
    ]


def _limit_bars(found: Interventions, steps: int) -> Markup:
    top = dict(list(found.by_limit.items())[:BARS_SHOWN])
    listed = ", ".join(f"{name} {count}" for name, count in top.items())
    label = f"Interventions by the limit that bound most, in steps: {listed or 'none'}"
    return figures.bar_figure(label, top, steps, "steps")


def _calendar(time_local: np.ndarray, mask: np.ndarray, log: LogFacts) -> Markup:
    hours = ((time_local - log.step_s) % 86400) // 3600
    busiest = np.bincount(hours[mask].astype(int), minlength=24)
    label = f"When a limit stood in the way, by local day and hour: {mask.sum()} of "
    label += f"{len(mask)} steps"
    if np.any(mask):
        label += f", most in the hour from {int(np.argmax(busiest)):02d}:00"
    return figures.calendar_figure(label, time_local, mask, log.step_s)


def _intervals(data: ReportData) -> Markup:
    named = (("Modelled potential", data.potential), ("Null test", data.null_test))
    rows = [(w, i.percent, i.low, i.high) for w, i in named if not i.refused]
    if not rows:
        return Markup("")
    texts = (
        f"{w} {v:+.1f} % ({low:+.1f} to {high:+.1f} %)" for w, v, low, high in rows
    )
    return figures.interval_figure("; ".join(texts), rows)


def _replay_text(error: float) -> str:
    if error == 0.0:
        return "exactly 0 in every channel, as it must be"
    return f"\u25b2 differs by up to {error:.3g}: joins or clocks are wrong"


def _channel_plots(
    data: ReportData, time_local: np.ndarray, mask: np.ndarray
) -> list[dict[str, object]]:
    decisions = data.decisions
    changed = beyond_dead_band(decisions.certified, decisions.proposed)
    plots = []
    for i, channel in enumerate(CHANNELS):
        sides = ("applied", "proposed", "certified")
        words = ("operator (applied)", "proposed", "certified")
        lines = [
            Line(word, side, getattr(decisions, side)[:, i])
            for word, side in zip(words, sides, strict=True)
        ]
        text = _alternative(lines, channel.unit)
        heading = f"{rows.title(channel.name)} [{channel.unit}]"
        svg = figures.time_figure(
            f"{heading}. {text}",
            channel.unit,
            time_local,
            data.log.step_s,
            lines,
            changed[:, i] & mask,
        )
        marked = int(np.sum(changed[:, i]))
        plots.append({"heading": heading, "svg": svg, "text": text, "marked": marked})
    return plots


def _alternative(lines: Sequence[Line], unit: str) -> str:
    parts = []
    for line in lines:
        known = line.values[np.isfinite(line.values)]
        if len(known) == 0:
            parts.append(f"{line.label}: not in the log")
            continue
        low, middle, high = (
            rows.number(float(f(known)), unit) for f in (np.min, np.median, np.max)
        )
        parts.append(
            f"{line.label}: {low} to {high}, median {middle} (n = {len(known):,})"
        )
    return "; ".join(parts) + "."


def _margin_plots(data: ReportData, time_local: np.ndarray) -> list[dict[str, object]]:
    units = {limit.name: limit for limit in data.limits}
    margins = data.decisions.margins
    active = np.asarray(data.decisions.limit)
    bound = {name: int(np.sum(active == name)) for name in margins}
    ranked = sorted(margins, key=lambda name: -bound[name])
    plots = []
    for name in [n for n in ranked if bound[n]][:MARGINS_SHOWN]:
        limit = units.get(name)
        unit = limit.unit if limit else "1"
        line = Line("margin under the certified action", "certified", margins[name])
        text = _alternative([line], unit)
        svg = figures.time_figure(
            f"Margin to {name}. {text}",
            unit,
            time_local,
            data.log.step_s,
            [line],
            active == name,
            [("limit", 0.0)],
            140,
        )
        heading = f"{name} [{unit}]" + (f": {limit.meaning}" if limit else "")
        plots.append(
            {"heading": heading, "svg": svg, "text": text, "marked": bound[name]}
        )
    return plots
