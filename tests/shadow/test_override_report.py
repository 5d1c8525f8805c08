"""The override report's page, against its promises."""

import html as html_text
import re
from pathlib import Path

import pytest
from made_overrides import BUSY, START, STEP, day, override, tick, write

from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind, Refusal
from coolbound_shadow.ledger.upkeep import Change
from coolbound_shadow.overrides.material import read_material
from coolbound_shadow.overrides.outcomes import HOTTEST, Bound
from coolbound_shadow.overrides.report import Heading, Made, make

HEADING = Heading("reference", "Reference site", "Europe/Berlin", "ab" * 32)
BOUNDS = {HOTTEST: Bound(high=27.0)}
DAY = 288


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("busy") / "ledger", BUSY)


@pytest.fixture(scope="module")
def made(busy: Path) -> Made:
    return rendered(busy)


@pytest.fixture(scope="module")
def page(made: Made) -> str:
    return made.html


def rendered(folder: Path) -> Made:
    with LedgerReader(folder) as reader:
        return make(reader, read_material(reader), BOUNDS, HEADING)


def words(page: str) -> str:
    """Return what a reader sees, without marks."""
    body = page[max(0, page.find("<body>")) :]
    return " ".join(html_text.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def section(page: str, number: int) -> str:
    begin = page.index(f'<h2 id="s{number}">')
    end = page.find(f'<h2 id="s{number + 1}">')
    return page[begin : end if end > 0 else None]


def test_the_page_stands_alone(page: str) -> None:
    assert len(page.encode()) < 2_000_000
    assert "<script" not in page
    assert not re.search(r"(?:src|href)\s*=\s*\"(?!#)", page)
    assert "url(" not in page
    assert "http" not in page
    assert '<html lang="en">' in page


def test_the_first_page_answers(page: str) -> None:
    first = words(page[: page.index('<h2 id="s2">')])
    for said in (
        "2025-11-24 17:00 +01:00 to 2025-11-25 17:00 +01:00",
        "2025-11-24 16:00 UTC",
        "288 decisions on record",
        "Stage: shadow",
        "abababababab",
        "Active overrides: 3",
        "override outlived its expiry",
        "override is active without expiry",
        "override gives no reason",
        "override names nobody",
        "fallback: no certified action existed",
        "287 of 288 steps due",
        "manipulated-variable utilisation",
        "3 in 24.0 h",
        "Usable readings",
        "Head (hash of record",
    ):
        assert said in first, said


def test_what_is_missing_is_called_out_apart(page: str) -> None:
    found = words(section(page, 2))
    assert "Without expiry: 1" in found
    assert "Condenser-water pump speed" in found
    assert "Without reason: 1" in found
    assert "\u25b2 no reason given" in found
    assert "\u25b2 nobody named" in found


def test_an_override_says_all_that_is_on_record(page: str) -> None:
    card = page[page.index('id="e-o1"') :]
    found = words(card[: card.index("</article>")])
    for said in (
        "Tower fan speed held at 0.900, ended",
        "2025-11-24 17:10 +01:00",
        "2 h 20 min",
        "R. Vega, 8",
        "MAINT: gearbox noise",
        "Before 0.500",
        "Policy asked (wanted) 0.600",
        "Certified (given) 0.500",
        "hottest server inlet 24.13 degC within",
        "engineer accepted: gearbox <ordered>",
        "Signature",
    ):
        assert said in found, said


def test_an_intervention_says_asked_given_did_margin_and_outcome(page: str) -> None:
    found = words(section(page, 3))
    assert "2 events , 15 min in all, 3 steps (1.0 % of 288)" in found
    assert "Chilled-water supply set-point [degC] changed most" in found
    assert "10 min 12.50 13.50 9.00 0.46 K" in found
    assert "the policy timed out" in found


def test_outcomes_beyond_a_limit_say_so_in_a_word(tmp_path: Path) -> None:
    page = rendered(write(tmp_path, day({0: "limit"}, DAY + 30))).html
    assert "26.87 degC within" in words(page)
    bounds = {HOTTEST: Bound(high=26.0)}
    with LedgerReader(tmp_path) as reader:
        page = make(reader, read_material(reader), bounds, HEADING).html
    assert "26.87 degC \u25b2 outside" in words(page)


def test_every_record_that_a_number_names_stands_at_the_end(
    page: str, busy: Path
) -> None:
    named = set(re.findall(r'href="#r(\d+)"', page))
    rows = set(re.findall(r'<tr id="r(\d+)">', page))
    assert named
    assert named == rows
    with LedgerReader(busy) as reader:
        for seq in sorted(map(int, named)):
            assert reader.entry(seq).hash.hex()[:16] in page


def test_colour_never_speaks_alone(page: str) -> None:
    body = re.sub(r"<svg.*?</svg>", "", page[page.index("<body>") :], flags=re.DOTALL)
    marked = r'class="(override|fallback|bad)(?: keep)?">([^<]*)<'
    for tone, text in re.findall(marked, body):
        assert html_text.unescape(text)[0] in "\u25cf\u25a0\u25c6\u25b2", (tone, text)


def test_every_chart_has_words_and_a_table(page: str) -> None:
    charts = re.findall(r"<figure><svg[^>]*aria-label=\"([^\"]+)\"", page)
    assert len(charts) == 4
    for figure in re.findall(r"<figure><svg.*?</figure>\s*<(\w+)", page, re.DOTALL):
        assert figure == "table"


def test_the_page_is_well_formed(page: str) -> None:
    from xml.etree import ElementTree

    plain = page.replace("<!DOCTYPE html>", "")
    plain = re.sub(r"<(meta|br)\b([^>]*)>", r"<\1\2/>", plain)
    plain = re.sub(
        r"&(\w+);",
        lambda m: html_text.unescape(m.group(0)),
        plain.replace("&lt;", "").replace("&gt;", "").replace("&amp;", ""),
    )
    ids = [e.get("id") for e in ElementTree.fromstring(plain).iter() if e.get("id")]
    assert len(ids) == len(set(ids))


def test_the_same_records_give_the_same_bytes_whatever_came_later(
    tmp_path: Path,
) -> None:
    folder = write(tmp_path, BUSY)
    first = rendered(folder)
    later = [
        Refusal("coolbound", "later", "later"),
        Change(Kind.CONFIG, "k", "e", 1, 2, "r"),
    ]
    write(folder, later)
    assert rendered(folder).html == first.html


def test_a_closed_period_does_not_change_when_the_run_goes_on(tmp_path: Path) -> None:
    folder = write(tmp_path, day({3: "limit", 200: "ramp"}, 3 * DAY))
    period = START, START + DAY * STEP
    with LedgerReader(folder) as reader:
        first = make(reader, read_material(reader, *period), BOUNDS, HEADING).html
    more = [tick(i, "limit", "CHWS_BOX") for i in range(3 * DAY, 3 * DAY + 9)]
    write(folder, more)
    with LedgerReader(folder) as reader:
        again = make(reader, read_material(reader, *period), BOUNDS, HEADING).html
    assert again == first


def test_the_stage_is_the_last_one_on_record_before_the_decisions(
    tmp_path: Path,
) -> None:
    moved = Change(
        Kind.TRANSITION, "engineer", "stage", "shadow", "advisory", "gate held"
    )
    page = rendered(write(tmp_path, [moved, *day({}, 5)])).html
    assert "Stage: advisory" in words(page)
    assert "gate held" in words(page)


def test_thousands_of_like_events_stay_a_short_page(tmp_path: Path) -> None:
    kinds = {i: "limit" if i % 4 else "ramp" for i in range(0, 7 * DAY, 2)}
    many = [override(f"o{i}", step=i, expiry_utc=None) for i in range(200)]
    found = rendered(write(tmp_path, [*day(kinds, 7 * DAY), *many]))
    assert len(found.events) == 7 * DAY // 2 + 200
    assert len(found.html.encode()) < 400_000
    seen = words(found.html)
    assert "504 events" in seen
    assert "160 more overrides" in seen


def test_a_quiet_period_says_so(tmp_path: Path) -> None:
    seen = words(rendered(write(tmp_path, day({}, 12))).html)
    assert "Nothing: no override lacks a person" in seen
    assert "The safety layer changed nothing" in seen
    assert "No point was overridden" in seen


def test_overrides_without_any_decision_are_reported(tmp_path: Path) -> None:
    seen = words(rendered(write(tmp_path, [override(), override("x", step=9)])).html)
    assert "Active overrides: 2" in seen
    assert "0 decisions on record" in seen
