"""The override report: one offline HTML page, the same bytes for the same records.

It knows no clock: "now" is the end of the period. What was appended to the ledger
after the last record that it uses does not change it.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from typing import Any, final

import jinja2

from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.overrides import rows
from coolbound_shadow.overrides.event_types import Event
from coolbound_shadow.overrides.events import events_of
from coolbound_shadow.overrides.figures import RunFigures, run_figures
from coolbound_shadow.overrides.first_page import first_page
from coolbound_shadow.overrides.material import Material
from coolbound_shadow.overrides.outcomes import Bounds
from coolbound_shadow.overrides.references import References
from coolbound_shadow.overrides.sections import notes, sections
from coolbound_shadow.overrides.words import length, moment, utc_moment
from coolbound_shadow.shift_plan import USUAL, ShiftPlan


@final
@dataclasses.dataclass(frozen=True)
class Heading:
    """What a report says about the plant. Static.

    Attributes:
        site: Name of the site.
        title: The plant in one line.
        zone: IANA name of its time zone.
        limits_of: Digest of the site file whose limits judge the outcomes.
        plan: The hours of its shifts.
    """

    site: str
    title: str
    zone: str
    limits_of: str
    plan: ShiftPlan = USUAL


@final
@dataclasses.dataclass(frozen=True)
class Made:
    """A report, and what it rests on. Static.

    Attributes:
        html: The page.
        events: All events of the period, by start.
        first_seq: First record that it used. [1]
        last_seq: Last record that it used. [1]
        head: Hash of that record, hexadecimal.
        start: The period begins after this instant, UTC epoch. [s]
        end: The period ends here, UTC epoch. [s]
        decisions: Decisions in the period. [1]
        figures: Service and health of each run.
    """

    html: str
    events: tuple[Event, ...]
    first_seq: int
    last_seq: int
    head: str
    start: int
    end: int
    decisions: int
    figures: tuple[RunFigures, ...]


def make(
    reader: LedgerReader, material: Material, bounds: Bounds, heading: Heading
) -> Made:
    """Return the report of a period that holds at least one decision or override.

    Args:
        reader: The ledger, for the records that the report names.
        material: What it holds about the period.
        bounds: Between what each measured quantity shall stay.
        heading: What to say about the plant.
    """
    events = events_of(material, bounds)
    figures = run_figures(material, events)
    used = _used(material, events, figures)
    refs = References()
    first, last = min(used), max(used)
    head = reader.entry(last)
    refs.link(last)
    view = rows.View(
        until=material.end,
        offset=_offset(figures, events),
        steps=sum(f.decisions for f in figures),
        seconds=sum(f.decisions * f.step_s for f in figures),
        refs=refs,
        plan=heading.plan,
    )
    context = {
        "heading": heading,
        "first_seq": f"{first:,}",
        "last_seq": f"{last:,}",
        "head": head.hash.hex(),
        **_period(material, figures, events, view),
        **first_page(material, events, figures, view),
        **sections(material, events, view),
        **notes(material, first, last, view),
    }
    html = _template().render(context | {"ledger": refs.rows(reader)})
    return Made(
        html=html,
        events=events,
        first_seq=first,
        last_seq=last,
        head=head.hash.hex(),
        start=material.start,
        end=material.end,
        decisions=view.steps,
        figures=tuple(figures),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = resources.files("coolbound_shadow") / "templates"
    source = (folder / "override_report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source)


def _used(
    material: Material, events: Sequence[Event], figures: Sequence[RunFigures]
) -> set[int]:
    """Return places of records that the report rests on, the extremes at least."""
    found = {place for f in figures for place in (f.least_seq, f.most_seq)}
    for event in events:
        found.update(event.records)
        found.update(note.seq for note in event.reviews)
        found.update(outcome.seq for outcome in event.outcome)
    return found


def _offset(figures: Sequence[RunFigures], events: Sequence[Event]) -> int:
    if figures:
        return figures[-1].offsets[1]
    return events[-1].offset


def _period(
    material: Material,
    figures: Sequence[RunFigures],
    events: Sequence[Event],
    view: rows.View,
) -> dict[str, Any]:
    begin = figures[0].offsets[0] if figures else events[0].offset
    return {
        "start": moment(material.start, begin),
        "end": moment(material.end, view.offset),
        "start_utc": utc_moment(material.start),
        "end_utc": utc_moment(material.end),
        "lasts": length(material.end - material.start),
        "decisions": f"{view.steps:,}",
        "runs": [rows.run_row(f, view) for f in figures],
        "policies": _policies(figures),
    }


def _policies(figures: Sequence[RunFigures]) -> list[tuple[str, str]]:
    total: Counter[str] = Counter()
    for each in figures:
        total.update(dict(each.digests))
    return [(digest[:12], f"{n:,}") for digest, n in total.most_common()]
