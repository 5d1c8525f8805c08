"""Like events together: thousands become a list that a shift can read."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import final

from coolbound_shadow.overrides.event_types import Event, EventKind
from coolbound_shadow.overrides.events import SERIOUSNESS, ranked
from coolbound_shadow.shift_plan import ShiftPlan

HOUR_S = 3600
DAY_S = 86400

REPEATED_DAYS = 3
"""On as many days at the same hour, an event is a repeat. [1]"""


@final
@dataclasses.dataclass(frozen=True)
class Group:
    """Interventions of one kind, limit and channel. Static.

    Attributes:
        kind: Their kind.
        subject: Limit that bound most; empty for none.
        channel: Channel that was changed most; empty for none.
        events: The events, most serious first.
        seconds: Time of all together. [s]
    """

    kind: EventKind
    subject: str
    channel: str
    events: tuple[Event, ...]
    seconds: int


def lasted(event: Event, until: int) -> int:
    """Return how long an event lasted, one that is active up to an instant [s]."""
    end = until if event.end is None else event.end
    return max(0, end - event.start)


def grouped(events: Sequence[Event]) -> list[Group]:
    """Return interventions in groups, most serious kind first, then longest."""
    found: dict[tuple[EventKind, str, str], list[Event]] = defaultdict(list)
    for event in events:
        if event.kind is not EventKind.OVERRIDE:
            found[event.kind, event.subject, lead(event)].append(event)
    made = [
        Group(*key, ranked(each), sum(lasted(e, e.start) for e in each))
        for key, each in found.items()
    ]
    return sorted(
        made,
        key=lambda g: (SERIOUSNESS.index(g.kind), -g.seconds, g.subject, g.channel),
    )


def lead(event: Event) -> str:
    """Return the channel that was changed most; empty for none."""
    return event.changed[0] if event.changed and event.asked else ""


def local_hour(event: Event) -> int:
    """Return the local hour in which an event began [1]."""
    return (event.start + event.offset) % DAY_S // HOUR_S


def local_day(event: Event) -> int:
    """Return the local day on which an event began, days since 1970."""
    return (event.start + event.offset) // DAY_S


def shift_name(event: Event, plan: ShiftPlan) -> str:
    """Return the shift in which an event began."""
    return plan.name_at((event.start + event.offset) % DAY_S // 60)


def counted(
    events: Sequence[Event], key: Callable[[Event], Hashable]
) -> dict[Hashable, Counter[EventKind]]:
    """Return how many events of each kind have each key."""
    found: dict[Hashable, Counter[EventKind]] = defaultdict(Counter)
    for event in events:
        found[key(event)][event.kind] += 1
    return found


@final
@dataclasses.dataclass(frozen=True)
class Repeat:
    """The same thing at the same hour on several days. Static.

    Attributes:
        kind: What happened.
        subject: Limit or point; empty for none.
        hour: Local hour in which it begins. [1]
        days: Different days. [1]
        events: Events in all. [1]
        last: The latest of them.
    """

    kind: EventKind
    subject: str
    hour: int
    days: int
    events: int
    last: Event


def repeats(events: Sequence[Event]) -> list[Repeat]:
    """Return what comes back at the same hour, on most days first."""
    found: dict[tuple[EventKind, str, int], list[Event]] = defaultdict(list)
    for event in events:
        found[event.kind, event.subject, local_hour(event)].append(event)
    made = [
        Repeat(*key, len({local_day(e) for e in each}), len(each), each[-1])
        for key, each in found.items()
    ]
    often = [each for each in made if each.days >= REPEATED_DAYS]
    return sorted(
        often,
        key=lambda r: (SERIOUSNESS.index(r.kind), -r.days, -r.events, r.hour),
    )
