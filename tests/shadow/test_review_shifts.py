"""Shifts: their hours are the site's, and who has signed which can be seen."""

import dataclasses
import re
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_reviews import (
    OFFSET,
    START,
    STEP,
    kind_at,
    log_in,
    make_setup,
    override,
    tick,
)

from coolbound_envs.site import load_site
from coolbound_envs.tables import InputError, Table
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Review
from coolbound_shadow.ledger.writer import LedgerWriter
from coolbound_shadow.overrides.events import read_events
from coolbound_shadow.review.app import Setup, create_app
from coolbound_shadow.review.book import Book
from coolbound_shadow.review.shifts import shift_at, shift_of
from coolbound_shadow.review.signing import NotSignedError, sign_off_of, standings
from coolbound_shadow.shift_plan import (
    USUAL,
    ShiftPlan,
    chosen_plan,
    parse_plan,
    site_plan,
)

HALVES = parse_plan("night 19:00, day 06:30")

plans = st.lists(st.integers(0, 1439), min_size=1, max_size=5, unique=True).map(
    lambda begins: ShiftPlan(
        tuple(f"s{b}" for b in sorted(begins)), tuple(sorted(begins))
    )
)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return make_setup(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("day 07:30, night 19:00", "day 07:30 to 19:00, night 19:00 to 07:30"),
        ("all 6", "all 06:00 to 06:00"),
        ("c 22, a 6, b 14:00", "a 06:00 to 14:00, b 14:00 to 22:00, c 22:00 to 06:00"),
    ],
)
def test_a_plan_is_names_with_their_beginnings(text: str, words: str) -> None:
    assert parse_plan(text).words() == words


def test_the_usual_plan_is_three_shifts_of_eight_hours() -> None:
    assert parse_plan("early 6, late 14, night 22") == USUAL


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected names with their beginnings"),
        ("day", "found 'day'"),
        ("day 24:00", "found 'day 24:00'"),
        ("day 07:60", "found 'day 07:60'"),
        ("day 7, day 19", "has its name or its beginning"),
        ("day 7, night 07:00", "has its name or its beginning"),
    ],
)
def test_a_wrong_plan_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_plan(text)


def site_with(folder: Path, shifts: str) -> Table:
    path = folder / "mine.toml"
    path.write_text(load_site().path.read_text(encoding="utf-8") + shifts)
    return load_site(path).root


def test_the_hours_are_those_of_the_site_file_unless_asked_otherwise(
    tmp_path: Path,
) -> None:
    root = site_with(tmp_path, '\n[shifts]\nnight = "19:00"\nday = "6:30"\n')
    assert chosen_plan("", root) == HALVES
    assert chosen_plan("all 6", root).names == ("all",)
    assert site_plan(load_site().root) == USUAL


@pytest.mark.parametrize(
    ("shifts", "said"),
    [
        ("day = 7", "mine.toml.shifts.day: found 7, expected text"),
        ('day = "7 am"', "mine.toml.shifts: found 'day 7 am', expected names with"),
        ('day = "7"\nnight = "07:00"', "mine.toml.shifts: found 'night 07:00' where"),
        ("", "mine.toml.shifts: found '', expected names with their beginnings"),
    ],
)
def test_wrong_hours_of_a_site_are_named_where_they_stand(
    shifts: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        site_plan(site_with(tmp_path, f"\n[shifts]\n{shifts}\n"))
    assert said in str(refused.value)


@given(plans)
def test_the_shifts_of_many_minutes_are_those_of_each(plan: ShiftPlan) -> None:
    minutes = np.arange(1440)
    found = [plan.names[place] for place in plan.places(minutes)]
    assert found == [plan.name_at(minute) for minute in range(1440)]


@given(plans, st.integers(0, 4_000_000_000))
def test_under_any_plan_every_instant_belongs_to_one_shift(
    plan: ShiftPlan, local: int
) -> None:
    found = shift_at(local, plan)
    assert found.start <= local < found.end
    assert shift_of(found.day, found.name, plan) == found
    assert shift_at(found.end, plan).start == found.end
    assert shift_at(found.start - 1, plan).end == found.start


def test_a_night_that_begins_yesterday_is_yesterdays() -> None:
    local = int(datetime(2025, 12, 2, 6, 29, tzinfo=UTC).timestamp())
    found = shift_at(local, HALVES)
    assert (found.day, found.name) == (date(2025, 12, 1), "night")


def test_the_overview_has_every_shift_newest_first(setup: Setup) -> None:
    found = standings(Book(setup.ledger, {}).look())
    names = [each.shift.subject.removeprefix("shift ") for each in found]
    assert names == ["2025-12-02 early", "2025-12-01 night"]
    assert [each.events for each in found] == [2, 2]
    assert [each.is_over for each in found] == [False, True]
    assert not any(each.signed_by for each in found)


def test_the_overview_page_says_which_are_signed(setup: Setup) -> None:
    client = create_app(setup).test_client()
    log_in(client, "visitor")
    page = client.get("/shifts").text
    assert "1 over and not signed off</b>, 1 of them with events that nobody" in page
    assert page.count('class="gap"') == 2
    assert page.count('<th scope="row"') == 2
    look = Book(setup.ledger, {}).look()
    night = standings(look)[-1].shift
    review = sign_off_of(look, night, "engineer", "fans were held", look.tail.seq)
    with LedgerWriter(setup.ledger, setup.signer) as writer:
        writer.append(review)
    page = client.get("/shifts").text
    assert "every shift that is over is signed off" in page
    assert "signed off by engineer" in page
    assert client.get("/shifts?only=open").text.count('<th scope="row"') == 0
    with LedgerWriter(setup.ledger, setup.signer) as writer:
        writer.append(override(42, event="late-1"))
    assert "1 came in later" in client.get("/shifts").text


def test_a_shift_is_over_with_the_tick_of_its_last_step(setup: Setup) -> None:
    early = standings(Book(setup.ledger, {}).look())[0].shift
    last = (early.end - OFFSET - START) // STEP - 1
    for steps, is_over in ((range(150, last), False), ((last,), True)):
        with LedgerWriter(setup.ledger, setup.signer) as writer:
            writer.append_many([tick(step) for step in steps])
        newest = standings(Book(setup.ledger, {}).look())[0]
        assert (newest.shift, newest.is_over) == (early, is_over)


def test_a_shift_without_open_events_is_no_alarm(setup: Setup) -> None:
    with LedgerWriter(setup.ledger, setup.signer) as writer:
        writer.append_many([tick(step) for step in range(150, 350)])
    look = Book(setup.ledger, {}).look()
    with LedgerWriter(setup.ledger, setup.signer) as writer:
        for event in look.events:
            writer.append(Review("engineer", "accept", event.key, event.records, "ok"))
    client = create_app(setup).test_client()
    log_in(client, "visitor")
    page = client.get("/shifts").text
    assert "0 of them with events that nobody accepted" in page
    assert 'class="gap"' not in page


def test_all_times_of_the_head_are_on_the_sites_clock(setup: Setup) -> None:
    client = create_app(setup).test_client()
    log_in(client, "visitor")
    head = client.get("/shifts").text.partition('<dl class="health">')[2]
    stamps = re.findall(r"\d\d:\d\d ([+-]\d\d:\d\d)", head.partition("</dl>")[0])
    assert stamps == ["+01:00"] * 3


def test_pages_filters_and_overview_use_the_sites_hours(setup: Setup) -> None:
    client = create_app(dataclasses.replace(setup, plan=HALVES)).test_client()
    log_in(client, "visitor")
    assert client.get("/shift").location == "/shift/2025-12-02/day"
    assert client.get("/shift/2025-12-02/early").status_code == 404
    assert "day 06:30 to 19:00" in client.get("/shifts").text
    assert client.get("/?shift=day").text.count('<th scope="row"') == 1


def test_open_events_are_signed_only_with_words(setup: Setup) -> None:
    look = Book(setup.ledger, {}).look()
    night = standings(look)[-1].shift
    with pytest.raises(NotSignedError, match="not accepted yet") as refused:
        sign_off_of(look, night, "engineer", " ", look.tail.seq)
    assert refused.value.code == 400
    review = sign_off_of(look, night, "engineer", "seen", look.tail.seq)
    own = [e for e in look.events if night.holds(e)]
    assert set(review.records) == {seq for e in own for seq in e.records}


def test_what_came_in_since_stops_a_sign_off(setup: Setup) -> None:
    look = Book(setup.ledger, {}).look()
    night = standings(look)[-1].shift
    last = max(min(e.records) for e in look.events if night.holds(e))
    with pytest.raises(NotSignedError, match="came in since") as refused:
        sign_off_of(look, night, "engineer", "seen", last - 1)
    assert refused.value.code == 409


def test_events_read_bit_by_bit_are_those_read_at_once(setup: Setup) -> None:
    """Records that are no ticks are kept in memory: none is lost, none twice."""
    book = Book(setup.ledger, {})
    book.look()
    with LedgerWriter(setup.ledger, setup.signer) as writer:
        for step in range(150, 156):
            writer.append(tick(step, "limit" if step > 152 else kind_at(step)))
            writer.append(override(step, event=f"o-{step}"))
            writer.append(Review("engineer", "comment", f"o-{step}", (), "seen"))
            book.look()
    with LedgerReader(setup.ledger) as reader:
        assert book.look().events == read_events(reader, bounds={})
    assert [len(n) for n in book.look().notes.values()] == [1] * 6


def test_a_look_that_fails_half_way_is_made_good_by_the_next(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book(setup.ledger, {})
    book.look()
    with LedgerWriter(setup.ledger, setup.signer) as writer:
        writer.append(override(149, event="o-149"))
    with monkeypatch.context() as patch:
        patch.setattr(Book, "_made", lambda *_: (_ for _ in ()).throw(KeyError("x")))
        with pytest.raises(InputError, match="ALARM"):
            book.look()
    events = book.look().events
    assert sum(event.key == "o-149" for event in events) == 1
    assert next(e for e in events if e.key == "o-149").records == (155,)
