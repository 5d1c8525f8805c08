"""The pages behind the first: lists, tables and notes, cut to a readable length."""

from collections.abc import Sequence
from typing import Any

from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.overrides import charts, rows
from coolbound_shadow.overrides.event_types import Event, EventKind
from coolbound_shadow.overrides.events import ranked
from coolbound_shadow.overrides.figures import bad_periods
from coolbound_shadow.overrides.groups import REPEATED_DAYS, grouped, repeats
from coolbound_shadow.overrides.material import Material, Told
from coolbound_shadow.overrides.words import length

CARDS_SHOWN = 40
GROUPS_SHOWN = 14
GROUP_EVENTS_SHOWN = 3
BAD_SHOWN = 12
REPEATS_SHOWN = 12
NOTES_SHOWN = 20


def sections(
    material: Material, events: Sequence[Event], view: rows.View
) -> dict[str, Any]:
    """Return the lists and tables of sections 2 to 5."""
    order = ranked(events)
    holds = [e for e in order if e.kind is EventKind.OVERRIDE]
    groups = grouped(order)
    bad = bad_periods(material)
    long = [period for period in bad if period.steps > 1]
    again = repeats(events)
    return {
        "endless": [rows.event_row(e, view) for e in holds if e.expiry is None],
        "silent": [
            rows.event_row(e, view) for e in holds if not (e.reason_code or e.why)
        ],
        "cards": [rows.event_row(e, view) for e in holds[:CARDS_SHOWN]],
        "hidden_cards": max(0, len(holds) - CARDS_SHOWN),
        "overrides": f"{len(holds):,}",
        "groups": [
            rows.group_row(g, GROUP_EVENTS_SHOWN, view) for g in groups[:GROUPS_SHOWN]
        ],
        "hidden_groups": [_hidden(groups[GROUPS_SHOWN:])],
        "interventions": f"{len(order) - len(holds):,}",
        "points": rows.point_rows(events, view),
        "shifts": rows.shift_rows(events, view),
        "shift_names": view.plan.words(),
        "hours": charts.by_hour(events),
        "days": charts.by_day(events, material, view.offset),
        "repeats": [rows.repeat_row(r, view) for r in again[:REPEATS_SHOWN]],
        "hidden_repeats": max(0, len(again) - REPEATS_SHOWN),
        "repeated_days": REPEATED_DAYS,
        "bad": [rows.bad_row(b, view) for b in long[:BAD_SHOWN]],
        "hidden_bad": f"{max(0, len(long) - BAD_SHOWN):,}",
        "single_bad": f"{len(bad) - len(long):,}",
        "bad_count": f"{len(bad):,}",
    }


def _hidden(groups: Sequence[Any]) -> dict[str, str]:
    return {
        "groups": f"{len(groups):,}" if groups else "",
        "events": f"{sum(len(g.events) for g in groups):,}",
        "length": length(sum(g.seconds for g in groups)),
    }


def notes(material: Material, first: int, last: int, view: rows.View) -> dict[str, Any]:
    """Return what else was put on record between the records that are used."""
    told = [t for t in material.told if first <= t.seq <= last]
    kinds = (Kind.REFUSAL, Kind.CLOCK)
    found = [t for t in told if t.kind in kinds]
    silent = sorted({(t.run, n) for t in material.ticks for n in t.strange})
    return {
        "told": [_told(t, view) for t in found[:NOTES_SHOWN]],
        "hidden_told": max(0, len(found) - NOTES_SHOWN),
        "strange": sorted({name for _, name in silent}),
    }


def _told(told: Told, view: rows.View) -> dict[str, Any]:
    body = told.body
    words = body["text"] if told.kind == Kind.CLOCK else body["reason"]
    about = body["source"] if told.kind == Kind.CLOCK else body["subject"]
    return {
        "kind": told.kind,
        "about": about,
        "words": words,
        "recorded": body["recorded"][:16].replace("T", " ") + " UTC",
        "record": view.refs.link(told.seq),
    }
