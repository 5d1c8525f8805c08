"""Overrides as events: points that a person or the BAS took away."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.overrides.columns import Ticks, epoch, local_offset, read_ticks
from coolbound_shadow.overrides.event_types import Aftermath, Event, EventKind
from coolbound_shadow.overrides.interventions import Notes
from coolbound_shadow.overrides.material import Material, Told
from coolbound_shadow.overrides.outcomes import AFTER_S, Measured, outcomes_after

RANGES = {channel.name: channel.upper - channel.lower for channel in CHANNELS}


@dataclasses.dataclass(frozen=True)
class Hold:
    """All records of one override up to the end of the period. Static.

    Attributes:
        key: The key that they share.
        records: The records, in order of time.
    """

    key: str
    records: tuple[Told, ...]

    def latest(self, field: str) -> Any:
        """Return what was said last in a field, an end left out; None for nothing."""
        said = [t.body[field] for t in self.records if t.body["state"] != "ended"]
        return next((value for value in reversed(said) if value is not None), None)

    @property
    def expiry(self) -> int | None:
        """When it ends by itself, as the last start or change has it [s]."""
        said = [t.body["expiry"] for t in self.records if t.body["state"] != "ended"]
        return epoch(said[-1]) if said and said[-1] else None

    @property
    def end(self) -> int | None:
        """When the point was given back; None where it is still held [s]."""
        last = self.records[-1].body
        return epoch(last["time"]) if last["state"] == "ended" else None


def holds(material: Material) -> list[Hold]:
    """Return the overrides that were active in a period, by start."""
    grouped: dict[str, list[Told]] = {}
    for told in material.of_kind(Kind.OVERRIDE):
        if epoch(told.body["time"]) <= material.end:
            grouped.setdefault(told.body["event"], []).append(told)
    found = [
        Hold(key, tuple(sorted(records, key=lambda t: (epoch(t.body["time"]), t.seq))))
        for key, records in grouped.items()
    ]
    return [each for each in found if each.end is None or each.end > material.start]


def override_events(
    material: Material, measured: Measured, notes: Notes
) -> list[Event]:
    """Return the overrides of a period as events."""
    return [_event(hold, material, measured, notes) for hold in holds(material)]


def _event(hold: Hold, material: Material, measured: Measured, notes: Notes) -> Event:
    first = hold.records[0].body
    point, start = first["point"], epoch(first["time"])
    value, wanted = hold.latest("value"), hold.latest("wanted")
    return Event(
        key=hold.key,
        kind=EventKind.OVERRIDE,
        run="",
        subject=point,
        start=start,
        end=hold.end,
        offset=local_offset(first["local"]),
        steps=0,
        asked=_known(point, wanted),
        given=_given(material, point, start),
        operator=_known(point, value),
        margins=_margins(hold),
        why=hold.latest("text") or "",
        person=hold.latest("person"),
        reason_code=hold.latest("reason_code"),
        expiry=hold.expiry,
        outcome=_outcome(material, start, point, measured),
        size=_size(point, value, wanted, first["before"]),
        records=tuple(told.seq for told in hold.records),
        reviews=notes.get(hold.key, ()),
        changed=(point,),
        before=first["before"],
        priority=hold.latest("priority"),
        started=first["state"] == "started",
    )


def _known(point: str, value: float | None) -> dict[str, float]:
    return {} if value is None else {point: float(value)}


def _margins(hold: Hold) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for told in hold.records:
        for name, margin in told.body["limits"].items():
            if margin is not None:
                found[name] = min(margin, found.get(name, margin))
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0])))


def _size(
    point: str, value: float | None, wanted: float | None, before: float | None
) -> float:
    """Return how far the hold is from what was wanted, or from before, as a share."""
    other = wanted if wanted is not None else before
    if point not in RANGES or value is None or other is None:
        return 0.0
    return abs(value - other) / RANGES[point]


def _given(material: Material, point: str, start: int) -> dict[str, float]:
    """Return what was certified when the point was taken, where one run says it."""
    if len(material.ticks) != 1 or point not in CHANNEL_NAMES:
        return {}
    ticks = _around(material, material.ticks[0], start)
    if ticks is None:
        return {}
    later = (ticks.time_utc >= start) & (ticks.time_utc < start + ticks.step_s)
    values = ticks.given[later, CHANNEL_NAMES.index(point)]
    return _known(point, float(values[0])) if len(values) == 1 else {}


def _outcome(
    material: Material, start: int, point: str, measured: Measured
) -> tuple[Aftermath, ...]:
    """Return what was measured afterwards: all runs saw the same plant."""
    found: list[Aftermath] = []
    for after in AFTER_S:
        for run in material.ticks:
            ticks = _around(material, run, start + after)
            seen = outcomes_after(ticks, start, point, measured) if ticks else ()
            at = [outcome for outcome in seen if outcome.after_s == after]
            if at:
                found += at
                break
    return tuple(found)


def _around(material: Material, ticks: Ticks, time: int) -> Ticks | None:
    """Return the ticks around an instant, from the ledger where not at hand."""
    if ticks.time_utc[0] <= time <= ticks.time_utc[-1]:
        return ticks
    reach = 3 * ticks.step_s
    return read_ticks(material.folder, ticks.run, time - reach, time + reach)
