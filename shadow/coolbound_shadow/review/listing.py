"""Which events are shown, in which order: the filters of the list, and its pages."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final, TypeVar, final

from coolbound_shadow.overrides.event_types import Event, EventKind, ReviewNote
from coolbound_shadow.overrides.events import ranked
from coolbound_shadow.overrides.words import subject
from coolbound_shadow.review.book import Look
from coolbound_shadow.review.shifts import shift_at
from coolbound_shadow.shift_plan import USUAL, ShiftPlan

T = TypeVar("T")

PAGE: Final = 50
"""Events on a page. [1]"""


class State(StrEnum):
    """How far the review of an event is."""

    OPEN = "open"
    COMMENTED = "commented"
    ACCEPTED = "accepted"


ORDERS: Final = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "serious": "Most serious first",
    "longest": "Longest first",
    "largest": "Largest change first",
}
"""Orders of the list, the first unless another is asked for."""


@final
@dataclasses.dataclass(frozen=True)
class Row:
    """An event with what people said about it. Static.

    Attributes:
        event: The event.
        notes: Its reviews, in order.
        state: How far its review is.
        went_on: Whether records were added to it after it was accepted.
    """

    event: Event
    notes: tuple[ReviewNote, ...]
    state: State
    went_on: bool


def row_of(event: Event, look: Look) -> Row:
    """Return an event with its reviews."""
    notes = look.notes.get(event.key, ())
    accepted = max((n.seq for n in notes if n.action == "accept"), default=0)
    state = State.ACCEPTED if accepted else State.COMMENTED if notes else State.OPEN
    last = max(event.records, default=0)
    return Row(event, notes, state, 0 < accepted < last)


@final
@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a visitor asks for. Static.

    Attributes:
        first: First local day; None for all.
        last: Last local day; None for all.
        kind: One kind; empty for all.
        subject: One limit or point; empty for all.
        shift: One shift by name; empty for all.
        state: One state; empty for all.
        run: One run; empty for all.
        text: Words that must be there; empty for none.
        order: One of `ORDERS`.
        page: Page of the list, from 1 on. [1]
        wrong: What could not be understood, in words.
    """

    first: date | None = None
    last: date | None = None
    kind: str = ""
    subject: str = ""
    shift: str = ""
    state: str = ""
    run: str = ""
    text: str = ""
    order: str = next(iter(ORDERS))
    page: int = 1
    wrong: tuple[str, ...] = ()


def wanted(given: Mapping[str, str], plan: ShiftPlan = USUAL) -> Wanted:
    """Return what a query asks for; what it does not say well is named in `wrong`."""
    wrong: list[str] = []

    def day(name: str) -> date | None:
        text = given.get(name, "").strip()
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            wrong.append(f"{text!r} is no day: give it as 2026-11-30")
            return None

    def one(name: str, known: Sequence[str]) -> str:
        text = given.get(name, "").strip()
        if text and text not in known:
            wrong.append(f"{text!r} is none of {', '.join(known)}")
            return ""
        return text

    page = given.get("page", "1")
    return Wanted(
        first=day("from"),
        last=day("to"),
        kind=one("kind", [kind.value for kind in EventKind]),
        subject=given.get("subject", "").strip(),
        shift=one("shift", plan.names),
        state=one("state", [state.value for state in State]),
        run=given.get("run", "").strip(),
        text=given.get("text", "").strip()[:200],
        order=one("order", list(ORDERS)) or next(iter(ORDERS)),
        page=int(page) if page.isascii() and page.isdecimal() and len(page) < 7 else 1,
        wrong=tuple(wrong),
    )


def found_rows(look: Look, wish: Wanted, plan: ShiftPlan = USUAL) -> list[Row]:
    """Return the events that a visitor asks for, in the order asked for."""
    rows = [row_of(event, look) for event in look.events]
    return _ordered([row for row in rows if _is_wanted(row, wish, plan)], wish.order)


def _is_wanted(row: Row, wish: Wanted, plan: ShiftPlan) -> bool:
    event = row.event
    begins = _local_day(event.start + event.offset)
    ends = None if event.end is None else _local_day(event.end + event.offset)
    return (
        (wish.last is None or begins <= wish.last)
        and (wish.first is None or ends is None or ends >= wish.first)
        and wish.kind in ("", event.kind)
        and wish.subject in ("", event.subject)
        and wish.state in ("", row.state)
        and wish.run in ("", event.run)
        and (not wish.shift or _shift_name(event, plan) == wish.shift)
        and (not wish.text or _says(row, wish.text.casefold()))
    )


def _shift_name(event: Event, plan: ShiftPlan) -> str:
    return shift_at(event.start + event.offset, plan).name


def _local_day(local: int) -> date:
    return datetime.fromtimestamp(local, UTC).date()


def _says(row: Row, text: str) -> bool:
    event = row.event
    parts = (event.key, event.why, event.person, event.reason_code, event.subject)
    said = [part for note in row.notes for part in (note.user, note.text)]
    words = (*parts, subject(event.subject), *event.changed, *said)
    return any(text in word.casefold() for word in words if word)


def _ordered(rows: list[Row], order: str) -> list[Row]:
    if order == "serious":
        by_key = {row.event.key: row for row in rows}
        return [by_key[e.key] for e in ranked([row.event for row in rows])]
    if order == "longest":
        return sorted(rows, key=lambda row: -_lasted(row.event))
    if order == "largest":
        return sorted(rows, key=lambda row: -row.event.size)
    return sorted(rows, key=lambda r: r.event.start, reverse=order == "newest")


def _lasted(event: Event) -> float:
    return float("inf") if event.end is None else event.end - event.start


def page_of(rows: Sequence[T], page: int) -> tuple[Sequence[T], int, int]:
    """Return the rows of a page, its number, cut to what there is, and all pages."""
    pages = max(1, -(-len(rows) // PAGE))
    number = min(max(1, page), pages)
    return rows[(number - 1) * PAGE : number * PAGE], number, pages
