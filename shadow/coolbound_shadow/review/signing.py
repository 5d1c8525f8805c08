"""Signing a shift off: one rule for the page and for the command line."""

import dataclasses
from typing import final

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.records import Review
from coolbound_shadow.review.book import Look
from coolbound_shadow.review.listing import Row, State, row_of
from coolbound_shadow.review.posting import clean
from coolbound_shadow.review.shifts import Shift, shift_at
from coolbound_shadow.shift_plan import USUAL, ShiftPlan

CONFLICT, WORDLESS = 409, 400
"""Why a page refuses: what it showed is no longer so, or words are missing."""


class NotSignedError(InputError):
    """A shift that cannot be signed off as asked; says what to do."""

    def __init__(self, words: str, code: int) -> None:
        """Keep the words, and the status that a page answers with."""
        super().__init__(words)
        self.code = code


@final
@dataclasses.dataclass(frozen=True)
class Standing:
    """How far the review of one shift is. Static.

    Attributes:
        shift: The shift.
        events: Events that began in it. [1]
        unaccepted: Those of them that nobody accepted. [1]
        signed_by: Who signed it off last; empty for nobody.
        signed: When, as the record says; empty for never.
        later: Events that came in after that. [1]
        is_over: False where ticks may still come.
    """

    shift: Shift
    events: int
    unaccepted: int
    signed_by: str
    signed: str
    later: int
    is_over: bool


def sign_off_of(look: Look, shift: Shift, user: str, text: str, seen: int) -> Review:
    """Return the record of a sign-off.

    Args:
        look: The ledger as it is now.
        shift: What is signed off.
        user: Who signs.
        text: What the next shift must know; may be empty where all is accepted.
        seen: Last record that the user was shown. [1]

    Raises:
        NotSignedError: Events came in since, or are not accepted and nothing is said.
    """
    own = [row_of(e, look) for e in look.events if shift.holds(e)]
    if any(min(row.event.records, default=0) > seen for row in own):
        raise NotSignedError(
            "Events came in since you opened the shift: go back and look at them.",
            CONFLICT,
        )
    said = clean(text)
    if not said and any(row.state is not State.ACCEPTED for row in own):
        raise NotSignedError(
            "Events of this shift are not accepted yet: say why you sign off.", WORDLESS
        )
    records = sorted({seq for row in own for seq in row.event.records})
    return Review(user, "sign_off", shift.subject, tuple(records), said)


def standing_of(look: Look, shift: Shift, rows: list[Row]) -> Standing:
    """Return how far the review of a shift is.

    Args:
        look: The ledger.
        shift: The shift.
        rows: Events that began in it.
    """
    signed = look.notes.get(shift.subject, ())
    last = max((note.seq for note in signed), default=0)
    later = (min(row.event.records, default=0) > last for row in rows)
    now = 0 if look.last_tick is None else look.last_tick + look.offset
    return Standing(
        shift=shift,
        events=len(rows),
        unaccepted=sum(row.state is not State.ACCEPTED for row in rows),
        signed_by=signed[-1].user if signed else "",
        signed=signed[-1].recorded if signed else "",
        later=sum(later) if signed else 0,
        is_over=shift.end <= now,
    )


def standings(look: Look, plan: ShiftPlan = USUAL) -> list[Standing]:
    """Return every shift between the first and the last tick or event, newest first."""
    by_shift: dict[str, list[Row]] = {}
    for event in look.events:
        found = shift_at(event.start + event.offset, plan)
        by_shift.setdefault(found.subject, []).append(row_of(event, look))
    return [
        standing_of(look, each, by_shift.get(each.subject, []))
        for each in reversed(_shifts(look, plan))
    ]


def _shifts(look: Look, plan: ShiftPlan) -> list[Shift]:
    times = [event.start + event.offset for event in look.events]
    for tick in (look.first_tick, look.last_tick):
        # A step stands at its end.
        times += [] if tick is None else [tick - 1 + look.offset]
    found: list[Shift] = []
    time = min(times, default=None)
    while time is not None and time <= max(times):
        found.append(shift_at(time, plan))
        time = found[-1].end
    return found
