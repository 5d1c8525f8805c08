"""Rows of the override report's tables: text that the template only has to place."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any, final

from coolbound_shadow.overrides.event_types import Event, EventKind
from coolbound_shadow.overrides.figures import BadPeriod, RunFigures
from coolbound_shadow.overrides.groups import (
    Group,
    Repeat,
    counted,
    lasted,
    lead,
    local_hour,
    shift_name,
)
from coolbound_shadow.overrides.references import References
from coolbound_shadow.overrides.words import (
    LIMIT_TITLES,
    NONE,
    SHAPES,
    UNITS,
    channel_lines,
    length,
    margin_lines,
    moment,
    outcome_lines,
    share,
    subject,
    utc_moment,
    with_unit,
)
from coolbound_shadow.shift_plan import USUAL, ShiftPlan

ACTIONS = {"comment": "comment", "accept": "accepted", "sign_off": "signed off"}
HOUR_S, DAY_S = 3600, 86400


@final
@dataclasses.dataclass(frozen=True)
class View:
    """What all rows need. Static.

    Attributes:
        until: The period ends here, UTC epoch. [s]
        offset: Local time minus UTC there. [s]
        steps: Decisions in the period, all runs. [1]
        seconds: Time that they cover. [s]
        refs: Collects the records that are named.
        plan: The hours of the shifts.
    """

    until: int
    offset: int
    steps: int
    seconds: int
    refs: References
    plan: ShiftPlan = USUAL


def event_row(event: Event, view: View) -> dict[str, Any]:
    """Return one event with all that its card or line says."""
    is_active = event.end is None
    return {
        "key": event.key,
        "kind": event.kind.value,
        "shape": SHAPES[event.kind],
        "subject": subject(event.subject) or "no limit named",
        "meaning": LIMIT_TITLES.get(event.subject, ""),
        "start": moment(event.start, event.offset),
        "start_utc": utc_moment(event.start),
        "end": "" if event.end is None else moment(event.end, event.offset),
        "length": length(lasted(event, view.until)),
        "is_active": is_active,
        "steps": f"{event.steps:,}",
        "channels": channel_lines(event),
        "margins": margin_lines(event),
        "why": event.why,
        "hour": outcome_lines(event, HOUR_S),
        "day": outcome_lines(event, DAY_S),
        "records": view.refs.link(*event.records),
        "reviews": [_review(note, view) for note in event.reviews],
        **_override_words(event, view),
    }


def _review(note: Any, view: View) -> dict[str, Any]:
    return {
        "user": note.user,
        "action": ACTIONS.get(note.action, note.action),
        "text": note.text,
        "recorded": note.recorded[:16].replace("T", " ") + " UTC",
        "record": view.refs.link(note.seq),
    }


def _override_words(event: Event, view: View) -> dict[str, Any]:
    if event.kind is not EventKind.OVERRIDE:
        return {}
    return {
        "point": event.subject,
        "held": with_unit(event.operator.get(event.subject), event.subject),
        "before": with_unit(event.before, event.subject),
        "wanted": with_unit(event.asked.get(event.subject), event.subject),
        "certified": with_unit(event.given.get(event.subject), event.subject),
        "priority": event.priority or "",
        "person": event.person or "",
        "code": event.reason_code or "",
        "has_reason": bool(event.reason_code or event.why),
        "expiry": "" if event.expiry is None else moment(event.expiry, event.offset),
        "is_expired": is_expired(event, view.until),
        "started": event.started,
    }


def is_expired(event: Event, until: int) -> bool:
    """Return whether a hold outlived its own end."""
    return event.expiry is not None and event.end is None and event.expiry < until


def group_row(group: Group, shown: int, view: View) -> dict[str, Any]:
    """Return a group of interventions with its most serious events."""
    steps = sum(event.steps for event in group.events)
    hours = Counter(local_hour(event) for event in group.events)
    hour = min(hours, key=lambda h: (-hours[h], h))
    first = min(group.events, key=lambda e: e.start)
    last = max(group.events, key=lambda e: e.start)
    return {
        "kind": group.kind.value,
        "shape": SHAPES[group.kind],
        "subject": subject(group.subject) or "no limit named",
        "meaning": LIMIT_TITLES.get(group.subject, ""),
        "channel": subject(group.channel) if group.channel else "",
        "unit": UNITS.get(group.channel, ""),
        "count": f"{len(group.events):,}",
        "steps": f"{steps:,}",
        "share": share(steps, view.steps),
        "length": length(group.seconds),
        "often": f"{hour:02d}:00 to {(hour + 1) % 24:02d}:00 ({hours[hour]:,})",
        "first": moment(first.start, first.offset),
        "last": moment(last.start, last.offset),
        "first_record": view.refs.link(first.records[0]),
        "last_record": view.refs.link(last.records[-1]),
        "events": [event_row(event, view) for event in group.events[:shown]],
        "rest": f"{max(0, len(group.events) - shown):,}",
        "has_rest": len(group.events) > shown,
    }


def point_rows(events: Sequence[Event], view: View) -> list[dict[str, Any]]:
    """Return overrides and interventions by point, most held first."""
    found: dict[str, list[Event]] = {}
    for event in events:
        is_hold = event.kind is EventKind.OVERRIDE
        found.setdefault(event.subject if is_hold else lead(event), []).append(event)
    made = [_point_row(name, each, view) for name, each in found.items() if name]
    return sorted(made, key=lambda r: (-r["order"][0], -r["order"][1], r["name"]))


def _point_row(name: str, events: list[Event], view: View) -> dict[str, Any]:
    holds = [e for e in events if e.kind is EventKind.OVERRIDE]
    kinds = Counter(e.kind for e in events)
    seconds = sum(lasted(e, view.until) for e in holds)
    stopped = kinds[EventKind.LIMIT] + kinds[EventKind.FALLBACK]
    latest = max(events, key=lambda e: e.start)
    return {
        "order": (seconds, stopped),
        "name": subject(name),
        "holds": f"{len(holds):,}",
        "held": length(seconds) if holds else NONE,
        "longest": length(max((lasted(e, view.until) for e in holds), default=0))
        if holds
        else NONE,
        "limit": f"{kinds[EventKind.LIMIT]:,}",
        "fallback": f"{kinds[EventKind.FALLBACK]:,}",
        "ramp": f"{kinds[EventKind.RAMP]:,}",
        "latest": view.refs.link(latest.records[-1]),
    }


def shift_rows(events: Sequence[Event], view: View) -> list[dict[str, Any]]:
    """Return the events that began in each shift, by kind."""
    found = counted(events, lambda event: shift_name(event, view.plan))
    rows = []
    for name in view.plan.names:
        kinds = found.get(name, Counter())
        own = [e for e in events if shift_name(e, view.plan) == name]
        latest = max(own, key=lambda e: e.start, default=None)
        rows.append(
            {
                "name": f"{name}, {view.plan.hours(name)}",
                "counts": [f"{kinds[kind]:,}" for kind in EventKind],
                "latest": view.refs.link(latest.records[-1]) if latest else NONE,
            }
        )
    return rows


def repeat_row(repeat: Repeat, view: View) -> dict[str, Any]:
    """Return what comes back at the same hour."""
    return {
        "kind": repeat.kind.value,
        "shape": SHAPES[repeat.kind],
        "subject": subject(repeat.subject) or "no limit named",
        "hour": f"{repeat.hour:02d}:00 to {(repeat.hour + 1) % 24:02d}:00",
        "days": f"{repeat.days:,}",
        "events": f"{repeat.events:,}",
        "latest": view.refs.link(repeat.last.records[-1]),
    }


def bad_row(period: BadPeriod, view: View) -> dict[str, Any]:
    """Return one period of bad data."""
    return {
        "point": subject(period.point)
        if period.point
        else "all: no decision on record",
        "word": period.word,
        "start": moment(period.start, period.offset),
        "start_utc": utc_moment(period.start),
        "length": length(period.end - period.start),
        "steps": f"{period.steps:,}",
        "records": view.refs.link(
            *dict.fromkeys((period.first_seq, period.last_seq)).keys()
        ),
    }


def run_row(figures: RunFigures, view: View) -> dict[str, Any]:
    """Return where one run's ticks stand."""
    low, high = figures.offsets
    return {
        "run": figures.run,
        "decisions": f"{figures.decisions:,}",
        "due": f"{figures.due:,}",
        "step": length(figures.step_s),
        "service": share(figures.in_service, figures.due),
        "utilisation": share(figures.free, figures.channel_steps),
        "bad": share(figures.bad, figures.readings),
        "first": view.refs.link(figures.first_seq),
        "last": view.refs.link(figures.last_seq),
        "between": f"{figures.least_seq:,} to {figures.most_seq:,}",
        "policies": [(digest, f"{n:,}") for digest, n in figures.digests],
        "is_shifted": low != high,
    }
