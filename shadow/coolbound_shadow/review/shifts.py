"""The shifts of a plant on its own clock."""

import dataclasses
from datetime import UTC, date, datetime
from typing import Final, final

from coolbound_shadow.overrides.event_types import Event
from coolbound_shadow.overrides.groups import SHIFTS

HOUR_S: Final = 3600
DAY_S: Final = 86400

SHIFT_NAMES: Final = tuple(name for name, _, _ in SHIFTS)


@final
@dataclasses.dataclass(frozen=True)
class Shift:
    """One shift of one day. Static.

    Attributes:
        day: Local day on which it begins.
        name: As the site calls it.
        start: Beginning on the site's clock, as if that were UTC, epoch. [s]
        end: End on the site's clock, in the same way. [s]
    """

    day: date
    name: str
    start: int
    end: int

    @property
    def subject(self) -> str:
        """What a sign-off of it names."""
        return f"shift {self.day.isoformat()} {self.name}"

    def holds(self, event: Event) -> bool:
        """Return whether an event began in it."""
        return self.start <= event.start + event.offset < self.end

    def meets(self, event: Event) -> bool:
        """Return whether an event that began before it lasted into it."""
        is_earlier = event.start + event.offset < self.start
        return is_earlier and (
            event.end is None or event.end + event.offset > self.start
        )


def shift_of(day: date, name: str) -> Shift | None:
    """Return a shift, or None where the site has none of that name."""
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    for each, first, last in SHIFTS:
        if each == name:
            hours = (last - first) % 24 or 24
            start = midnight + first * HOUR_S
            return Shift(day, name, start, start + hours * HOUR_S)
    return None


def shift_at(local: int) -> Shift:
    """Return the shift of an instant.

    Args:
        local: On the site's clock, as if that were UTC, epoch. [s]
    """
    for days in (0, 1):
        day = datetime.fromtimestamp(local - days * DAY_S, UTC).date()
        for name in SHIFT_NAMES:
            found = shift_of(day, name)
            if found and found.start <= local < found.end:
                return found
    raise AssertionError(f"the shifts leave out {local}")
