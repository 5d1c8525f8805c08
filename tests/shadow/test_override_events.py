"""A ledger's records become the events that staff read: whole, and nothing inferred."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from made_overrides import OFFSET, START, STEP, override, tick, write

from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Outcome, Record, Review, Tick
from coolbound_shadow.overrides.event_types import Event, EventKind
from coolbound_shadow.overrides.events import ranked, read_events
from coolbound_shadow.overrides.outcomes import HOTTEST, Bound, Bounds

HOUR = 12


def events(
    folder: Path,
    records: Sequence[Record],
    start: int | None = None,
    end: int | None = None,
    bounds: Bounds | None = None,
) -> tuple[Event, ...]:
    write(folder, records)
    with LedgerReader(folder) as reader:
        return read_events(reader, start, end, bounds=bounds)


def ticks(kinds: str, run: str = "run", first: int = 0) -> list[Tick]:
    """Return one tick per letter: r, l, f, or a dot for none; x leaves it out."""
    words = {"r": "ramp", "l": "limit", "f": "fallback", ".": ""}
    return [
        tick(i, words[letter], "CHWS_BOX" if letter in "rl" else "", run)
        for i, letter in enumerate(kinds, first)
        if letter != "x"
    ]


def seen(found: tuple[Event, ...]) -> list[tuple[str, int, int]]:
    return [(e.kind.value, (e.start - START) // STEP, e.steps) for e in found]


def test_consecutive_steps_of_one_kind_are_one_event(tmp_path: Path) -> None:
    found = events(tmp_path, ticks("..rrll.f.l"))
    assert seen(found) == [
        ("ramp", 2, 2),
        ("limit", 4, 2),
        ("fallback", 7, 1),
        ("limit", 9, 1),
    ]
    assert [e.end for e in found[:2]] == [START + 4 * STEP, START + 6 * STEP]


def test_a_gap_in_the_ticks_ends_an_event(tmp_path: Path) -> None:
    assert seen(events(tmp_path, ticks("llxll"))) == [("limit", 0, 2), ("limit", 3, 2)]


def test_runs_are_events_of_their_own_in_whatever_order_they_were_written(
    tmp_path: Path,
) -> None:
    mixed = [*ticks("ll", "second", 2), *ticks("ll.l", "first"), *ticks(".", "second")]
    found = events(tmp_path, mixed)
    assert [(e.run, (e.start - START) // STEP, e.steps) for e in found] == [
        ("first", 0, 2),
        ("second", 2, 2),
        ("first", 3, 1),
    ]
    with LedgerReader(tmp_path) as reader:
        only = read_events(reader, run="second")
    assert {e.run for e in only} == {"second"}


def test_the_key_is_the_one_that_the_contract_says(tmp_path: Path) -> None:
    event = events(tmp_path, ticks(".l"))[0]
    text = f"run|limit|CHWS_BOX|{START + STEP}"
    assert event.key == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_an_event_says_what_was_asked_given_applied_and_how_close_it_came(
    tmp_path: Path,
) -> None:
    event = events(tmp_path, ticks(".ll"))[0]
    assert event.changed == ("chw_supply_setpoint",)
    assert event.asked == {"chw_supply_setpoint": 12.5}
    assert event.given == {"chw_supply_setpoint": 13.5}
    assert event.operator == {"chw_supply_setpoint": 9.0}
    assert event.margins == {"CHWS_BOX": pytest.approx(0.48)}
    assert event.size == pytest.approx(1.0 / 11.0)
    assert (event.subject, event.offset, event.person) == ("CHWS_BOX", OFFSET, None)


def test_what_an_event_says_is_that_of_its_largest_change(tmp_path: Path) -> None:
    made = ticks("lll")
    asked = {**made[1].proposed, "chw_supply_setpoint": 10.0}
    made[1] = dataclasses.replace(made[1], proposed=asked)
    event = events(tmp_path, made)[0]
    assert event.asked == {"chw_supply_setpoint": 10.0}
    assert event.size == pytest.approx(3.5 / 11.0)


def test_a_fallback_names_its_reason_and_counts_without_any_change(
    tmp_path: Path,
) -> None:
    silent = dataclasses.replace(tick(0, "fallback"), proposed={})
    event = events(tmp_path, [silent])[0]
    assert (event.kind, event.why) == (EventKind.FALLBACK, "the policy timed out")
    assert event.asked == {}
    assert len(event.given) == 10


def test_records_of_an_event_are_those_in_the_ledger(tmp_path: Path) -> None:
    event = events(tmp_path, ticks(".lll"))[0]
    with LedgerReader(tmp_path) as reader:
        bodies = [reader.entry(seq).data for seq in event.records]
    assert [b["kind"] for b in bodies] == ["tick", "tick"]
    assert [b["time"][11:16] for b in bodies] == ["16:10", "16:20"]


def test_a_period_gives_its_events_whole_with_their_keys(tmp_path: Path) -> None:
    whole = events(tmp_path, ticks("." + 100 * "l" + ".l" + 100 * "."))
    with LedgerReader(tmp_path) as reader:
        cut = read_events(reader, START + 90 * STEP, START + 95 * STEP)
    assert cut == whole[:1]
    assert cut[0].steps == 100


def test_what_lies_outside_a_period_is_left_out(tmp_path: Path) -> None:
    found = events(tmp_path, ticks("l.l.l"), START + 2 * STEP, START + 4 * STEP)
    assert seen(found) == [("limit", 2, 1)]


def test_outcomes_are_what_was_read_1_h_and_24_h_after_the_start(
    tmp_path: Path,
) -> None:
    made = ticks("l" + (24 * HOUR + 2) * ".")
    event = events(tmp_path, made, bounds={HOTTEST: Bound(high=25.0)})[0]
    hottest = [o for o in event.outcome if o.name == HOTTEST]
    assert [(o.after_s, o.value, o.within) for o in hottest] == [
        (3600, pytest.approx(24.11), True),
        (86400, pytest.approx(26.87), False),
    ]
    assert {o.unit for o in event.outcome} == {"degC"}
    with LedgerReader(tmp_path) as reader:
        at = reader.entry(hottest[0].seq).data["time"]
    assert at == "2025-11-24T17:00:00Z"


def test_an_outcome_that_nobody_measured_is_not_given(tmp_path: Path) -> None:
    made = ticks("l" + (HOUR - 2) * ".")
    bad = tick(HOUR - 1)
    bad = dataclasses.replace(bad, quality=dict.fromkeys(bad.observed, 1))
    event = events(tmp_path, [*made, bad])[0]
    assert event.outcome == ()


def test_an_outcome_record_counts(tmp_path: Path) -> None:
    at = START + HOUR * STEP
    record = Outcome("run", at, OFFSET, {"facility_power": 1234.0, "x": None})
    event = events(tmp_path, [*ticks("l" + HOUR * "."), record])[0]
    told = next(o for o in event.outcome if o.name == "facility_power")
    assert (told.value, told.unit, told.after_s) == (1234.0, "kW", 3600)


def test_an_override_is_one_event_from_start_to_end(tmp_path: Path) -> None:
    made = [
        override(),
        override(state="changed", step=5, value=1.0, text=None, wanted=0.55),
        override(state="ended", step=9, value=None, person="A. Oduya", wanted=None),
    ]
    event = events(tmp_path, [*ticks(10 * "."), *made])[0]
    assert (event.key, event.kind, event.run) == ("o1", EventKind.OVERRIDE, "")
    assert (event.start, event.end) == (START + 2 * STEP, START + 9 * STEP)
    assert event.operator == {"tower_fan_speed": 1.0}
    assert event.asked == {"tower_fan_speed": 0.55}
    assert event.given == {"tower_fan_speed": 0.5}
    assert (event.person, event.reason_code, event.why) == (
        "R. Vega",
        "MAINT",
        "gearbox noise",
    )
    assert event.before == 0.5
    assert len(event.records) == 3


def test_what_nobody_recorded_stays_missing(tmp_path: Path) -> None:
    bare = override(
        person=None, reason_code=None, text=None, expiry_utc=None, wanted=None
    )
    event = events(tmp_path, [bare])[0]
    assert (event.person, event.reason_code, event.why) == (None, None, "")
    assert (event.expiry, event.end, event.asked) == (None, None, {})


def test_a_change_that_names_no_expiry_leaves_none(tmp_path: Path) -> None:
    made = [override(), override(state="changed", step=4, expiry_utc=None)]
    assert events(tmp_path, made)[0].expiry is None


def test_a_period_knows_nothing_of_what_came_later(tmp_path: Path) -> None:
    made = [override(), override(state="ended", step=9)]
    write(tmp_path, [*ticks(12 * "."), *made])
    with LedgerReader(tmp_path) as reader:
        during = read_events(reader, START, START + 8 * STEP)
        before = read_events(reader, START - 10 * STEP, START)
        after = read_events(reader, START + 10 * STEP, START + 11 * STEP)
    assert [e.end for e in during] == [None]
    assert (before, after) == ((), ())


def test_an_override_that_began_before_the_first_record_says_so(
    tmp_path: Path,
) -> None:
    event = events(tmp_path, [override(state="changed")])[0]
    assert event.started is False


def test_what_people_said_stands_with_the_event(tmp_path: Path) -> None:
    write(tmp_path, [*ticks(".l"), override()])
    with LedgerReader(tmp_path) as reader:
        keys = [e.key for e in read_events(reader)]
    said = [Review("engineer", "accept", key, (1,), "as planned") for key in keys]
    found = events(tmp_path, said)
    assert [[n.action for n in e.reviews] for e in found] == [["accept"], ["accept"]]
    assert found[0].reviews[0].user == "engineer"


def test_overrides_come_first_and_active_ones_before_all(tmp_path: Path) -> None:
    made = [
        override("ended"),
        override("ended", state="ended", step=5),
        override("active", step=4),
    ]
    found = ranked(events(tmp_path, [*ticks("llll.rrrr.f"), *made]))
    assert [e.kind.value for e in found] == [
        "override",
        "override",
        "fallback",
        "limit",
        "ramp",
    ]
    assert [e.key for e in found[:2]] == ["active", "ended"]


def test_a_ledger_without_ticks_has_no_interventions(tmp_path: Path) -> None:
    assert events(tmp_path, [Review("engineer", "comment", "x", ())]) == ()
