"""Events, reviews and the ledger's health as text that the templates only place."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from coolbound_envs.spec import CHANNEL_NAMES
from coolbound_shadow.ledger.heads import Head
from coolbound_shadow.overrides.columns import epoch
from coolbound_shadow.overrides.event_types import Event, EventKind, ReviewNote
from coolbound_shadow.overrides.outcomes import AFTER_S
from coolbound_shadow.overrides.words import (
    LIMIT_TITLES,
    NONE,
    SHAPES,
    length,
    margin_text,
    moment,
    subject,
    utc_moment,
    with_unit,
)
from coolbound_shadow.report_rows import number
from coolbound_shadow.review.book import Checked, Look
from coolbound_shadow.review.listing import Row, State
from coolbound_shadow.review.shifts import Shift
from coolbound_shadow.review.signing import Standing

STATE_SHAPES = {
    State.OPEN: "\u25cb",
    State.COMMENTED: "\u25d0",
    State.ACCEPTED: "\u2713",
}
"""A shape for each state, so that colour never speaks alone."""

ACTIONS = {
    "accept": "\u2713 accepted",
    "comment": "\u275d commented",
    "sign_off": "\u2713 signed off",
}

STANDING_SHAPES = {"signed": "\u2713", "unsigned": "\u25cb", "running": "\u25d0"}

STANDING_WORDS = {
    "signed": "signed off",
    "unsigned": "not signed off",
    "running": "not over yet",
}

HASH_SHOWN = 12


def health(look: Look, checked: Checked, head: Head | None) -> dict[str, Any]:
    """Return how the ledger stands."""
    newer = max(0, look.tail.seq - checked.records)
    tick = None if look.last_tick is None else moment(look.last_tick, look.offset)
    signed = "never"
    if head is not None:
        signed = f"{head.count:,} records at {moment(epoch(head.time), look.offset)}"
    return {
        "passed": checked.passed,
        "sentence": checked.sentence,
        "at": moment(int(checked.at), look.offset),
        "records": f"{look.tail.seq:,}",
        "newer": f"{newer:,}" if newer else "",
        "hash": look.tail.hash.hex()[:HASH_SHOWN],
        "signed": signed,
        "tick": tick or "none",
    }


def subject_words(name: str) -> str:
    """Return a limit's name, or a point or a bound of one channel in words."""
    kind, _, channel = name.partition(":")
    return f"{kind} of {subject(channel)}" if channel else subject(name)


def line(row: Row, look: Look) -> dict[str, Any]:
    """Return an event as the lists show it."""
    event = row.event
    until = look.last_tick or event.start
    return {
        "key": event.key,
        "kind": event.kind.value,
        "shape": SHAPES[event.kind],
        "start": moment(event.start, event.offset),
        "end": None if event.end is None else moment(event.end, event.offset),
        "length": length(max(0, (event.end or until) - event.start)),
        "subject": subject_words(event.subject) or "no limit named",
        "title": LIMIT_TITLES.get(event.subject, ""),
        "run": event.run,
        "change": _change(event),
        "why": event.why,
        "missing": _missing(event),
        "state": row.state.value,
        "state_shape": STATE_SHAPES[row.state],
        "went_on": row.went_on,
        "notes": len(row.notes),
    }


def _change(event: Event) -> str:
    if event.kind is EventKind.OVERRIDE:
        held = event.operator.get(event.subject)
        wanted = event.asked.get(event.subject)
        return (
            f"held at {with_unit(held, event.subject)}, "
            f"wanted {with_unit(wanted, event.subject)}"
        )
    if not event.asked:
        return "nothing was asked" if event.kind is EventKind.FALLBACK else NONE
    if not event.changed:
        return "none beyond the dead band"
    name, more = event.changed[0], len(event.changed) - 1
    asked, given = (with_unit(x.get(name), name) for x in (event.asked, event.given))
    text = f"{subject(name)}: asked {asked}, given {given}"
    return f"{text}; {more} more" if more else text


def _missing(event: Event) -> list[str]:
    """Return what the record of an override leaves out."""
    if event.kind is not EventKind.OVERRIDE:
        return []
    gaps = {
        "no reason": not (event.reason_code or event.why),
        "no expiry": event.end is None and event.expiry is None,
        "no person": event.person is None,
    }
    return [word for word, is_missing in gaps.items() if is_missing]


def summary(rows: Sequence[Row]) -> dict[str, int]:
    """Return what staff look for first."""
    held = [r for r in rows if r.event.kind is EventKind.OVERRIDE]
    states = Counter(row.state for row in rows)
    return {
        "all": len(rows),
        "open": states[State.OPEN] + states[State.COMMENTED],
        "active": sum(row.event.end is None for row in held),
        "no_reason": sum("no reason" in _missing(row.event) for row in held),
        "no_expiry": sum("no expiry" in _missing(row.event) for row in held),
        "fallbacks": sum(
            row.event.kind is EventKind.FALLBACK and row.state is not State.ACCEPTED
            for row in rows
        ),
    }


def details(event: Event) -> dict[str, Any]:
    """Return all that is on record about an event."""
    names = dict.fromkeys((*event.changed, *event.asked, *event.given, *event.operator))
    expiry = None if event.expiry is None else moment(event.expiry, event.offset)
    return {
        "channels": [
            {
                "name": subject(name),
                "asked": with_unit(event.asked.get(name), name),
                "given": with_unit(event.given.get(name), name),
                "operator": with_unit(event.operator.get(name), name),
            }
            for name in sorted(names, key=_place)
        ],
        "margins": _margins(event),
        "outcomes": [(length(s), _outcomes(event, s)) for s in AFTER_S],
        "utc": utc_moment(event.start),
        "utc_end": None if event.end is None else utc_moment(event.end),
        "expiry": expiry,
        "before": with_unit(event.before, event.subject),
        "records": " to ".join(f"{seq:,}" for seq in _ends(event.records)),
    }


def _margins(event: Event) -> list[dict[str, Any]]:
    """Return the smallest margins, limits before bounds of single channels."""
    order = sorted(event.margins.items(), key=lambda item: (":" in item[0], item[1]))
    return [_margin(name, value) for name, value in order]


def _margin(name: str, value: float) -> dict[str, Any]:
    word, is_broken = subject_words(name), value < 0.0
    word = f"\u25b2 beyond: {word}" if is_broken else word
    return {"name": word, "text": margin_text(name, value), "is_broken": is_broken}


def _outcomes(event: Event, after_s: int) -> list[dict[str, Any]]:
    words = {True: "within", False: "\u25b2 outside", None: "none known"}
    return [
        {
            "name": subject(each.name),
            "text": _with_unit(each.value, each.unit),
            "word": words[each.within],
            "is_outside": each.within is False,
            "seq": f"{each.seq:,}",
        }
        for each in event.outcome
        if each.after_s == after_s
    ]


def _with_unit(value: float, unit: str) -> str:
    text = number(value, unit)
    return f"{text} {unit}" if unit not in ("", "1") else text


def _place(name: str) -> int:
    return CHANNEL_NAMES.index(name) if name in CHANNEL_NAMES else len(CHANNEL_NAMES)


def _ends(records: Sequence[int]) -> list[int]:
    return sorted({min(records), max(records)}) if records else []


def notes(found: Sequence[ReviewNote], offset: int) -> list[dict[str, Any]]:
    """Return what people said, the first first."""
    return [
        {
            "seq": f"{note.seq:,}",
            "user": note.user,
            "what": ACTIONS[note.action],
            "text": note.text,
            "at": moment(epoch(note.recorded), offset),
        }
        for note in found
    ]


def standing(found: Standing, look: Look) -> dict[str, Any]:
    """Return how far the review of a shift is, as the overview shows it."""
    state = "signed" if found.signed_by else "unsigned" if found.is_over else "running"
    at = moment(epoch(found.signed), look.offset) if found.signed else ""
    return {
        "day": found.shift.day.isoformat(),
        "name": found.shift.name,
        "hours": hours(found.shift),
        "events": f"{found.events:,}",
        "unaccepted": f"{found.unaccepted:,}" if found.unaccepted else "",
        "state": state,
        "shape": STANDING_SHAPES[state],
        "word": STANDING_WORDS[state],
        "signed_by": found.signed_by,
        "signed": at,
        "later": f"{found.later:,}" if found.later else "",
    }


def standing_counts(found: Sequence[Standing]) -> dict[str, str]:
    """Return how many shifts are signed off, and how many wait for it."""
    over = [each for each in found if each.is_over]
    waiting = [each for each in over if not each.signed_by]
    return {
        "signed_count": f"{len(over) - len(waiting):,}",
        "waiting": f"{len(waiting):,}",
        "pressing": f"{sum(each.unaccepted > 0 for each in waiting):,}",
    }


def hours(shift: Shift) -> str:
    """Return the hours of a shift on the site's clock."""
    ends = (datetime.fromtimestamp(each, UTC) for each in (shift.start, shift.end))
    return " to ".join(f"{each:%Y-%m-%d %H:%M}" for each in ends)
