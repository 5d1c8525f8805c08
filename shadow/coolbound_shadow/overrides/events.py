"""Events of a ledger: what was overridden, and where the safety layer stepped in.

Nothing is inferred: an override is what its records say, an intervention what the
ticks say. What nobody recorded stays None or empty, so that it can be shown missing.
"""

from collections.abc import Sequence

from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.overrides.event_types import (
    Event,
    EventKind,
)
from coolbound_shadow.overrides.holds import override_events
from coolbound_shadow.overrides.interventions import interventions
from coolbound_shadow.overrides.material import Material, Told, read_material
from coolbound_shadow.overrides.outcomes import Bounds, Measured

SERIOUSNESS = tuple(EventKind)
"""The kinds, most serious first."""


def read_events(
    reader: LedgerReader,
    start: int | None = None,
    end: int | None = None,
    run: str | None = None,
    bounds: Bounds | None = None,
    told: Sequence[Told] | None = None,
) -> tuple[Event, ...]:
    """Return the events that overlap a period, whole, by start.

    An intervention that lasts to the last tick ends there; only an override whose
    end is not on record is still active.

    Args:
        reader: The ledger.
        start: The period begins after this instant, UTC epoch; None for all. [s]
        end: The period ends here, UTC epoch; None for all. [s]
        run: Name of the run; None for all. Overrides belong to the plant, and are
            given whatever the run.
        bounds: Between what each measured quantity shall stay; without them an
            outcome does not say whether it was within its limit.
        told: All records that are no ticks, where they were read before.
    """
    return events_of(read_material(reader, start, end, run, told), bounds)


def events_of(material: Material, bounds: Bounds | None = None) -> tuple[Event, ...]:
    """Return the events of what was read, by start."""
    measured, notes = Measured(material.outcomes(), bounds or {}), material.notes()
    found = override_events(material, measured, notes)
    for ticks in material.ticks:
        found += [
            event
            for event in interventions(ticks, measured, notes)
            if event.start < material.end and (event.end or 0) > material.start
        ]
    return tuple(sorted(found, key=lambda e: (e.start, SERIOUSNESS.index(e.kind))))


def ranked(events: Sequence[Event]) -> tuple[Event, ...]:
    """Return events most serious first.

    By kind; of one kind those that are still active, then the largest change times
    its duration, then the earliest.
    """

    def place(event: Event) -> tuple[int, bool, float, int, str]:
        lasted = 0 if event.end is None else event.end - event.start
        weight = event.size * lasted
        kind = SERIOUSNESS.index(event.kind)
        return kind, event.end is not None, -weight, event.start, event.key

    return tuple(sorted(events, key=place))
