"""The shifts of a plant on its own clock."""

import dataclasses
from datetime import UTC, date, datetime
from typing import Final, final

from coolbound_shadow.overrides.event_types import Event
from coolbound_shadow.shift_plan import USUAL, ShiftPlan

MINUTE_S: Final = 60
DAY_S: Final = 86400


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


def shift_of(day: date, name: str, plan: ShiftPlan = USUAL) -> Shift | None:
    """Return a shift, or None where the site has none of that name."""
    if name not in plan.names:
        return None
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    start = midnight + plan.begins[plan.names.index(name)] * MINUTE_S
    return Shift(day, name, start, start + plan.length_min(name) * MINUTE_S)


def shift_at(local: int, plan: ShiftPlan = USUAL) -> Shift:
    """Return the shift of an instant.

    Args:
        local: On the site's clock, as if that were UTC, epoch. [s]
        plan: The hours of the shifts.
    """
    minute = local % DAY_S // MINUTE_S
    name = plan.name_at(minute)
    # Before the day's first beginning the last shift of the day before goes on.
    is_before = minute < plan.begins[0]
    day = datetime.fromtimestamp(local - is_before * DAY_S, UTC).date()
    found = shift_of(day, name, plan)
    assert found is not None
    return found
