"""What an event of the plant's staff is: one dataclass, no rule."""

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import final


class EventKind(StrEnum):
    """Why an action was not the one that was asked for, most serious first."""

    OVERRIDE = "override"
    FALLBACK = "fallback"
    LIMIT = "limit"
    RAMP = "ramp"


@final
@dataclasses.dataclass(frozen=True)
class Aftermath:
    """One quantity that was measured after an event began. Static.

    Attributes:
        name: What was measured, in words.
        value: What it read. [each quantity's unit]
        unit: Unit of the value.
        after_s: Time since the event began. [s]
        within: Whether it was within its limit; None where no limit is known.
        seq: Place of the record that holds it. [1]
    """

    name: str
    value: float
    unit: str
    after_s: int
    within: bool | None
    seq: int


@final
@dataclasses.dataclass(frozen=True)
class ReviewNote:
    """What a person said about an event. Static.

    Attributes:
        seq: Place of the record. [1]
        user: Who said it.
        action: `comment`, `accept` or `sign_off`.
        text: The words; empty for none.
        recorded: When it was written, UTC, as in the record.
    """

    seq: int
    user: str
    action: str
    text: str
    recorded: str


@final
@dataclasses.dataclass(frozen=True)
class Event:
    """One override, or consecutive interventions of one kind. Static.

    Attributes:
        key: Stable name: of an override the one in its records, of an intervention
            made of run, kind, subject and start.
        kind: What happened.
        run: Name of the shadow run; empty for overrides.
        subject: The limit that bound most, or the point that is held; empty for none.
        start: Start of the first step, UTC epoch. [s]
        end: End of the last step or of the hold, UTC epoch; None for a hold that
            is still active. [s]
        offset: Local time minus UTC at the start. [s]
        steps: Decisions in it; 0 for overrides. [1]
        asked: What the policy wanted at the largest change, by channel.
        given: What was certified at that moment, by channel.
        operator: What the operator had applied at that moment, by channel.
        margins: Smallest margin of each limit that was active in it.
        why: Reason in words; empty for none.
        person: Who took the point; None where nobody is named.
        reason_code: The site's code for why; None for none.
        expiry: When a hold ends by itself, UTC epoch; None for never. [s]
        outcome: What was measured 1 h and 24 h after the start.
        size: Largest change as a share of its channel's range. [1]
        records: Places of its records; of a longer run the first and the last.
        reviews: What people said about it, in order.
        changed: Channels changed beyond the dead band at the largest change, the
            largest share first.
        before: What the point stood at before it was taken, None where unknown.
            [the point's unit]
        priority: Slot or level that holds the point; None for none.
        started: True where the record of its beginning is there.
    """

    key: str
    kind: EventKind
    run: str
    subject: str
    start: int
    end: int | None
    offset: int
    steps: int
    asked: Mapping[str, float]
    given: Mapping[str, float]
    operator: Mapping[str, float]
    margins: Mapping[str, float]
    why: str
    person: str | None
    reason_code: str | None
    expiry: int | None
    outcome: tuple[Aftermath, ...]
    size: float
    records: tuple[int, ...]
    reviews: tuple[ReviewNote, ...]
    changed: tuple[str, ...] = ()
    before: float | None = None
    priority: str | None = None
    started: bool = True
