"""What the pages show, what they put on record, and that they are never stale."""

import dataclasses
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from made_ledgers import change_body, tampering
from made_reviews import (
    OFFSET,
    START,
    STEP,
    kind_at,
    log_in,
    make_setup,
    override,
    seen,
    tick,
    token,
)

from coolbound_shadow.ledger.chain import Entry
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.ledger.writer import LedgerWriter
from coolbound_shadow.overrides.event_types import Event
from coolbound_shadow.overrides.events import read_events
from coolbound_shadow.review.app import Setup, create_app
from coolbound_shadow.review.book import Book
from coolbound_shadow.review.listing import ORDERS, found_rows, wanted
from coolbound_shadow.review.posting import MOST_TEXT, append_once, clean
from coolbound_shadow.review.shifts import shift_at, shift_of

EARLY = "/shift/2025-12-02/early"


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return make_setup(tmp_path)


@pytest.fixture
def client(setup: Setup) -> FlaskClient:
    client = create_app(setup).test_client()
    assert log_in(client, "engineer").status_code == 303
    return client


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    book = Book(make_setup(tmp_path_factory.mktemp("day")).ledger, {})
    yield book
    book.reader.close()


def reviews(setup: Setup) -> list[Entry]:
    with LedgerReader(setup.ledger) as reader:
        return list(reader.entries(kinds=[Kind.REVIEW]))


def form(client: FlaskClient, path: str, text: str = "") -> dict[str, str]:
    page = client.get(path)
    return {"csrf_token": token(page), "seen": seen(page), "text": text}


def key_of(setup: Setup, kind: str) -> str:
    with LedgerReader(setup.ledger) as reader:
        return next(e.key for e in read_events(reader) if e.kind == kind)


def test_the_list_has_every_event_with_shape_and_word(client: FlaskClient) -> None:
    page = client.get("/").text
    assert page.count('<th scope="row"') == 4
    for shape, word in (("●", "override"), ("■", "fallback"), ("◆", "limit")):
        assert f'<span aria-hidden="true">{shape}</span> {word}' in page
    assert "2025-12-02 04:20 +01:00" in page  # the override, local with offset
    for gap in ("no reason", "no expiry", "no person"):
        assert f"&#9650; {gap}" in page
    assert "&#10003; verified" in page
    assert "2025-12-02 13:30 +01:00" in page  # the last tick


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ({"kind": "limit"}, ["limit"]),
        (
            {"from": "2025-12-02", "to": "2025-12-02"},
            ["ramp", "fallback", "override", "limit"],
        ),
        ({"to": "2025-12-01"}, []),
        ({"from": "2025-12-03"}, ["override"]),
        ({"subject": "tower_fan_speed"}, ["override"]),
        ({"shift": "night"}, ["override", "limit"]),
        ({"shift": "early"}, ["ramp", "fallback"]),
        ({"state": "accepted"}, []),
        ({"state": "open", "run": "december"}, ["ramp", "fallback", "limit"]),
        ({"run": "nothing"}, []),
        ({"text": "TIMED out"}, ["fallback"]),
        ({"text": "tower fan"}, ["override"]),
        ({"order": "oldest"}, ["limit", "override", "fallback", "ramp"]),
        ({"order": "serious"}, ["override", "fallback", "limit", "ramp"]),
        ({"order": "longest"}, ["override", "ramp", "limit", "fallback"]),
    ],
)
def test_filters_choose_and_order(
    day: Book, query: dict[str, str], kinds: list[str]
) -> None:
    rows = found_rows(day.look(), wanted(query))
    assert [row.event.kind.value for row in rows] == kinds


@pytest.mark.parametrize("order", ORDERS)
def test_no_order_loses_an_event(day: Book, order: str) -> None:
    rows = found_rows(day.look(), wanted({"order": order}))
    assert {r.event.key for r in rows} == {e.key for e in day.look().events}


def test_what_a_filter_cannot_understand_is_said(client: FlaskClient) -> None:
    page = client.get("/?from=yesterday&kind=odd&page=x&order=%3Cb%3E").text
    assert "&#39;yesterday&#39; is no day" in page
    assert "&#39;odd&#39; is none of" in page
    assert "<b>&#39;" not in page
    assert page.count('<th scope="row"') == 4


def test_a_long_list_comes_in_pages(setup: Setup) -> None:
    with LedgerWriter(setup.ledger, None) as writer:
        for n in range(60):
            writer.append(override(100 + n, event=f"many-{n}"))
    client = create_app(setup).test_client()
    log_in(client, "visitor")
    first = client.get("/?kind=override").text
    assert first.count('<th scope="row"') == 50
    assert "61 events, page 1 of 2" in first
    assert "kind=override" in first.partition('rel="next"')[2].partition("Page 2")[0]
    assert client.get("/?kind=override&page=2").text.count('<th scope="row"') == 11
    assert "page 2 of 2" in client.get("/?kind=override&page=99").text


def test_an_event_shows_what_is_on_record(client: FlaskClient, setup: Setup) -> None:
    page = client.get(f"/event/{key_of(setup, 'limit')}").text
    for words in ("CA_T_MAX", "0.25 K", "Hottest server inlet", "run december"):
        assert words in page
    assert "14.75 degC" in page  # asked at the largest change: 12.5 + 2.0 + 0.25
    assert page.count('role="img"') == 2  # the channel changed, the hottest inlet
    assert "limit: most 27" in page
    assert (
        "Shaded: the event, 2025-12-02 02:40 +01:00 to 2025-12-02 03:10 +01:00" in page
    )
    assert "<details>" in page
    assert page.count('<tr class="on">') == 6
    assert "record 24 to 29" in page
    held = client.get("/event/o-17").text
    assert "still active" in held
    assert "nobody is named" in held
    assert client.get("/event/none").status_code == 404


def test_a_gap_in_the_readings_is_a_gap_in_the_trend(setup: Setup) -> None:
    missing = dataclasses.replace(tick(152), observed={}, applied={})
    with LedgerWriter(setup.ledger, None) as writer:
        writer.append_many([tick(150), tick(151), missing, tick(153), tick(154)])
        writer.append(override(152, event="late"))
    client = create_app(setup).test_client()
    log_in(client, "visitor")
    page = client.get("/event/late").text
    lines = [p.partition('"')[0] for p in page.split('class="line applied" d="')[1:]]
    assert max(line.count("M") for line in lines) == 2


def test_accepting_is_put_on_record_and_shown(
    client: FlaskClient, setup: Setup
) -> None:
    key = key_of(setup, "limit")
    said = form(client, f"/event/{key}", "seen at the\r\npanel ")
    page = client.post(f"/event/{key}/accept", data=said)
    assert (page.status_code, page.location) == (303, f"/event/{key}")
    (entry,) = reviews(setup)
    body = entry.data
    assert (body["user"], body["action"], body["subject"]) == (
        "engineer",
        "accept",
        key,
    )
    assert body["text"] == "seen at the\npanel"
    assert body["records"] == [24, 29]
    recorded = datetime.fromisoformat(body["recorded"])
    assert abs(datetime.now(UTC) - recorded) < timedelta(minutes=2)
    shown = client.get(f"/event/{key}").text
    assert f"Recorded as {entry.seq:,}" in shown
    assert "✓ accepted" in shown
    assert "Accept this event" not in shown
    assert "✓</span> accepted" in client.get("/?kind=limit").text
    verdict = verify(setup.ledger)
    assert verdict.passed
    assert verdict.signed == verdict.records


def test_a_form_that_is_sent_twice_leaves_one_record(
    client: FlaskClient, setup: Setup
) -> None:
    for what in ("comment", "accept"):
        said = form(client, "/event/o-17", "once")
        for _ in range(3):
            assert client.post(f"/event/o-17/{what}", data=said).status_code == 303
    assert [e.data["action"] for e in reviews(setup)] == ["comment", "accept"]
    client.post("/event/o-17/accept", data=said | {"text": "other words"})
    assert len(reviews(setup)) == 2
    fresh = form(client, "/event/o-17", "once")
    client.post("/event/o-17/comment", data=fresh)
    assert [e.data["action"] for e in reviews(setup)] == [
        "comment",
        "accept",
        "comment",
    ]


def test_submissions_at_once_leave_one_record(setup: Setup) -> None:
    from coolbound_shadow.ledger.records import Review

    review = Review("engineer", "comment", "o-17", (1,), "at once")
    found: list[int | None] = []

    def post() -> None:
        found.append(append_once(setup.ledger, setup.signer, review, 0))

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(seq is not None for seq in found) == 1
    assert len(reviews(setup)) == 1


def test_a_comment_needs_words_and_a_form_its_place(
    client: FlaskClient, setup: Setup
) -> None:
    said = form(client, "/event/o-17", " \n ")
    assert client.post("/event/o-17/comment", data=said).status_code == 400
    said |= {"text": "hello", "seen": "-1"}
    assert client.post("/event/o-17/comment", data=said).status_code == 400
    said |= {"seen": "1"}
    assert client.post("/event/none/comment", data=said).status_code == 404
    large = said | {"text": "a" * 70_000}
    assert client.post("/event/o-17/comment", data=large).status_code == 413
    assert reviews(setup) == []


@given(st.text())
def test_texts_are_cleaned_to_what_a_record_can_hold(text: str) -> None:
    found = clean(text)
    assert len(found) <= MOST_TEXT
    assert all(c == "\n" or ord(c) >= 32 for c in found)
    assert clean(found) == found
    found.encode("utf-8")


def test_what_another_process_appends_appears(
    client: FlaskClient, setup: Setup
) -> None:
    from coolbound_shadow.ledger.records import Review

    assert client.get("/").text.count('<th scope="row"') == 4
    with LedgerWriter(setup.ledger, None) as other:
        other.append_many(tick(step, "limit") for step in range(150, 153))
        other.append(Review("deputy", "comment", "o-17", (1,), "on my way"))
    page = client.get("/").text
    assert page.count('<th scope="row"') == 5
    assert "13:45 +01:00" in page
    assert "on my way" in client.get("/event/o-17").text
    with LedgerWriter(setup.ledger, None) as other:
        other.append(override(153, "ended"))
    assert "still active" not in client.get("/event/o-17").text


def plain(event: Event) -> Event:
    return dataclasses.replace(event, reviews=())


def test_reading_on_gives_what_reading_anew_gives(setup: Setup, tmp_path: Path) -> None:
    """Ticks one by one, an override that ends late, a second run, a gap."""
    book = Book(setup.ledger, {})
    book.look()
    more = [tick(step, kind_at(step % 100)) for step in range(150, 500, 50)]
    more += [tick(step, kind_at(step % 100)) for step in range(501, 530)]
    other = [tick(step, "limit", "other") for step in range(90, 94)]
    with LedgerWriter(setup.ledger, None) as writer:
        for record in (*more[:20], override(300, "ended"), *other, *more[20:]):
            writer.append(record)
            book.look()
    found = [plain(event) for event in book.look().events]
    with LedgerReader(setup.ledger) as reader:
        assert found == [plain(event) for event in read_events(reader)]
    book.reader.close()


def test_an_event_that_went_on_after_it_was_accepted_says_so(
    client: FlaskClient, setup: Setup
) -> None:
    with LedgerWriter(setup.ledger, None) as writer:
        writer.append(tick(150, "limit"))
    key = next(
        e.key
        for e in Book(setup.ledger, {}).look().events
        if e.start == START + 150 * STEP
    )
    client.post(f"/event/{key}/accept", data=form(client, f"/event/{key}"))
    assert "went on since" not in client.get(f"/event/{key}").text
    with LedgerWriter(setup.ledger, None) as writer:
        writer.append(tick(151, "limit"))
    assert "went on since" in client.get(f"/event/{key}").text


def test_a_shift_is_signed_off_with_its_records(
    client: FlaskClient, setup: Setup
) -> None:
    page = client.get(EARLY).text
    assert "2 events began" in page
    assert "2 not accepted yet" in page
    assert "not signed off" in page
    assert "Carried over" in page
    said = form(client, EARLY)
    assert client.post(f"{EARLY}/sign-off", data=said).status_code == 400
    assert reviews(setup) == []
    said["text"] = "Fans held, see o-17."
    for _ in range(2):
        assert client.post(f"{EARLY}/sign-off", data=said).location == EARLY
    (entry,) = reviews(setup)
    assert entry.data["subject"] == "shift 2025-12-02 early"
    assert entry.data["action"] == "sign_off"
    assert entry.data["records"] == [64, 65, 74, 98]
    shown = client.get(EARLY).text
    assert "signed off by engineer" in shown
    assert "Fans held, see o-17." in shown


def test_events_that_come_in_late_stop_and_mark_a_sign_off(
    client: FlaskClient, setup: Setup
) -> None:
    said = form(client, EARLY, "all quiet")
    with LedgerWriter(setup.ledger, None) as writer:
        writer.append(override(100, event="late-1"))
    page = client.post(f"{EARLY}/sign-off", data=said)
    assert page.status_code == 409
    assert "Events came in" in page.text
    assert reviews(setup) == []
    client.post(f"{EARLY}/sign-off", data=form(client, EARLY, "now"))
    assert "came in after the last sign-off" not in client.get(EARLY).text
    with LedgerWriter(setup.ledger, None) as writer:
        writer.append(override(101, event="late-2"))
    assert "1 event came in after the last sign-off" in client.get(EARLY).text


def test_a_ledger_that_does_not_verify_is_an_alarm_and_nothing_is_signed_off(
    client: FlaskClient, setup: Setup
) -> None:
    said = form(client, EARLY, "fine")
    assert "ALARM" not in client.get("/").text
    with tampering(setup.ledger) as connection:
        change_body(connection, 40)
    page = client.post(f"{EARLY}/sign-off", data=said)
    assert page.status_code == 409
    assert reviews(setup) == []
    for path in ("/", EARLY, "/event/o-17"):
        shown = client.get(path).text
        assert "ALARM: this ledger does not verify" in shown
        assert "record 40 was edited" in shown
    assert "Sign this shift off" not in client.get(EARLY).text


def test_the_check_is_repeated_beside_the_pages(setup: Setup) -> None:
    client = create_app(dataclasses.replace(setup, check_every_s=0.0)).test_client()
    log_in(client, "visitor")
    assert "ALARM" not in client.get("/").text
    with tampering(setup.ledger) as connection:
        change_body(connection, 40)
    end = time.monotonic() + 120.0
    while "ALARM" not in client.get("/").text:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_ledger_that_was_cut_is_read_anew(setup: Setup) -> None:
    book = Book(setup.ledger, {})
    before = book.look()
    with tampering(setup.ledger) as connection:
        connection.execute("DELETE FROM ledger WHERE seq > 30")
    after = book.look()
    assert after.tail.seq == 30
    assert len(after.events) < len(before.events)
    book.reader.close()


@pytest.mark.parametrize("body", ["{", '{"kind":"override"}', '{"kind":"review"}'])
def test_a_ledger_that_cannot_be_read_is_an_alarm(setup: Setup, body: str) -> None:
    client = create_app(setup).test_client()
    with tampering(setup.ledger) as connection:
        connection.execute("UPDATE ledger SET body = ? WHERE seq = 40", (body,))
    assert log_in(client, "engineer").status_code == 303
    for path in ("/", EARLY, "/event/o-17"):
        page = client.get(path)
        assert page.status_code == 503
        assert "ALARM" in page.text
        assert "ledger verify" in page.text


def test_an_end_that_does_not_hold_takes_no_review(
    client: FlaskClient, setup: Setup
) -> None:
    said = form(client, "/event/o-17", "hello")
    with tampering(setup.ledger) as connection:
        connection.execute("DELETE FROM ledger WHERE seq = 154")
    page = client.post("/event/o-17/comment", data=said)
    assert page.status_code in (404, 503)
    assert reviews(setup) == []


@given(st.integers(0, 4_000_000_000))
def test_every_instant_belongs_to_one_shift(local: int) -> None:
    found = shift_at(local)
    assert found.start <= local < found.end
    assert shift_of(found.day, found.name) == found
    assert shift_at(found.end).start == found.end
    assert shift_at(found.start - 1).end == found.start


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    local = START + OFFSET  # 02:00
    assert shift_at(local).day == date(2025, 12, 1)
    assert shift_at(local).name == "night"
    assert shift_of(date(2025, 12, 1), "noon") is None


@pytest.mark.parametrize("path", ["/shift/2025-13-01/early", "/shift/2025-12-01/noon"])
def test_a_shift_that_is_none_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.post(f"{path}/sign-off").status_code == 400


def test_the_shift_of_the_last_tick_is_the_one_to_sign(client: FlaskClient) -> None:
    assert client.get("/shift").location == "/shift/2025-12-02/early"
