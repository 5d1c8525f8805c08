"""The first page: what is held now, what needs somebody, how well the policy served."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from coolbound_envs.spec import CHANNEL_NAMES
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.overrides import charts, rows
from coolbound_shadow.overrides.event_types import Event, EventKind
from coolbound_shadow.overrides.events import ranked
from coolbound_shadow.overrides.figures import RunFigures
from coolbound_shadow.overrides.material import Material
from coolbound_shadow.overrides.words import share

ACTIVE_SHOWN = 6


def first_page(
    material: Material,
    events: Sequence[Event],
    figures: Sequence[RunFigures],
    view: rows.View,
) -> dict[str, Any]:
    """Return what the first page shows."""
    holds = [e for e in ranked(events) if e.kind is EventKind.OVERRIDE]
    active = sorted((e for e in holds if e.end is None), key=lambda e: e.start)
    kinds = Counter(e.kind for e in events)
    stopped = kinds[EventKind.LIMIT] + kinds[EventKind.FALLBACK]
    hours = view.seconds / 3600.0
    return {
        "active": [rows.event_row(e, view) for e in active],
        "active_shown": ACTIVE_SHOWN,
        "needs": _needs(holds, active, kinds, view),
        "kinds": {kind.value: f"{kinds[kind]:,}" for kind in EventKind},
        "tiles": _tiles(figures, stopped, kinds[EventKind.RAMP], hours),
        "points_chart": charts.top_points(holds, material, view),
        "limits_chart": charts.top_limits(events, figures, view),
        "stage": _stage(material, figures, view),
    }


def _needs(
    holds: Sequence[Event],
    active: Sequence[Event],
    kinds: Counter[EventKind],
    view: rows.View,
) -> list[tuple[str, str, str]]:
    """Return what somebody has to look at: count, words and section."""
    endless = sum(e.expiry is None for e in active)
    expired = sum(rows.is_expired(e, view.until) for e in active)
    silent = sum(not (e.reason_code or e.why) for e in holds)
    nameless = sum(e.person is None for e in holds)
    found = (
        (expired, "outlived its expiry", "outlived their expiry", "s1"),
        (endless, "is active without expiry", "are active without expiry", "s2"),
        (silent, "gives no reason", "give no reason", "s2"),
        (nameless, "names nobody", "name nobody", "s3"),
    )
    said = [
        (f"{n:,}", f"override {one}" if n == 1 else f"overrides {more}", where)
        for n, one, more, where in found
        if n
    ]
    falls = kinds[EventKind.FALLBACK]
    if falls:
        word = "fallback" if falls == 1 else "fallbacks"
        said.append((f"{falls:,}", f"{word}: no certified action existed", "s3"))
    return said


def _tiles(
    figures: Sequence[RunFigures], stopped: int, ramps: int, hours: float
) -> dict[str, str]:
    due, serving = sum(f.due for f in figures), sum(f.in_service for f in figures)
    offered = sum(f.channel_steps for f in figures)
    bad, readings = sum(f.bad for f in figures), sum(f.readings for f in figures)
    missing = due - sum(f.decisions for f in figures)
    return {
        "service": share(serving, due),
        "service_n": f"{serving:,} of {due:,} steps due",
        "utilisation": share(sum(f.free for f in figures), offered),
        "utilisation_n": f"{offered:,} channel-steps of {len(CHANNEL_NAMES)} channels",
        "held": share(sum(f.held for f in figures), offered),
        "per_hour": f"{stopped / hours:.2f} /h" if hours else "\u2013",
        "per_hour_n": f"{stopped:,} in {hours:,.1f} h",
        "ramps": f"{ramps / hours:.2f} /h" if hours else "\u2013",
        "health": share(readings - bad, readings),
        "health_n": f"{bad:,} of {readings:,} readings not usable",
        "missing": f"{missing:,}",
    }


def _stage(
    material: Material, figures: Sequence[RunFigures], view: rows.View
) -> dict[str, Any]:
    """Return the stage as the last change of it before the last decision says."""
    last = max((f.most_seq for f in figures), default=0)
    changes = [t for t in material.of_kind(Kind.TRANSITION) if t.seq < last]
    if not changes:
        return {"word": "shadow", "record": "", "note": "no change of stage on record"}
    change = changes[-1]
    return {
        "word": str(change.body["new"]),
        "record": view.refs.link(change.seq),
        "note": str(change.body["reason"]),
    }
