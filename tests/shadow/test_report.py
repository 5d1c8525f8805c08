"""One offline page that answers, in order, what a plant manager asks."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from made_logs import LIMITS, made_decisions, made_log, made_report, with_fallback

from coolbound_shadow.report import render_report
from coolbound_shadow.report_figures import thin
from coolbound_shadow.report_rows import number, title
from coolbound_shadow.statistics import Interval


@pytest.fixture(scope="module")
def page() -> str:
    log = made_log(2016)
    decisions = with_fallback(made_decisions(log), slice(50, 60), "sensor <b>lost</b>")
    return render_report(made_report(log, decisions))


def first_page(page: str) -> str:
    return page.split('<section class="page">')[0]


def test_the_first_page_answers_the_five_questions(page: str) -> None:
    text = first_page(page)
    for question in (
        "What was the log?",
        "How often and where did the policy differ from the operator?",
        "What did the safety layer change, and which limit bound?",
        "What would the operator and the policy each have violated?",
        "Modelled potential",
    ):
        assert question in text
    assert "2,016 control steps of 300 s" in text
    assert "2024-05-01 00:05 +02:00" in text
    assert "2024-04-30T22:05:00Z" in text
    assert "Null test" in text
    assert "Not observable, hence not known to be met:</strong> AIRFLOW_RATIO" in text


def test_the_page_needs_no_script_no_network_and_little_room(page: str) -> None:
    assert len(page.encode()) < 2_000_000
    assert not re.search(r"<script|<link|<iframe|<img|@import|url\(", page, re.I)
    assert not re.search(r"(https?:)?//\w", page)
    assert " on" + "load=" not in page


def test_the_word_for_live_trials_is_not_used(page: str) -> None:
    assert not re.search(r"\bsav(ing|ings|ed|es|e)\b", page, re.I)


def test_every_figure_is_well_formed_and_has_a_text_alternative(page: str) -> None:
    figures = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(figures) >= 13
    for figure in figures:
        element = ElementTree.fromstring(figure)
        assert element.get("role") == "img"
        assert len(element.get("aria-label", "")) > 20
        assert "nan" not in figure.lower()


def test_the_same_run_gives_the_same_page() -> None:
    log = made_log(300)
    pages = {render_report(made_report(log, made_decisions(log))) for _ in range(2)}
    assert len(pages) == 1


def test_every_limit_is_listed_and_the_unknown_are_not_called_met(page: str) -> None:
    rows = re.findall(r'<tr><td class="n">\d+</td><td class="name">(\w+)</td>.*', page)
    assert rows == [name for name, _, _ in LIMITS]
    row = re.search(r'<td class="name">AIRFLOW_RATIO</td>.*', page)
    assert row is not None
    assert row.group(0).count("not observable") == 3
    assert "met" not in row.group(0)


def test_a_violation_has_a_colour_a_shape_and_a_word(page: str) -> None:
    assert re.search(r'class="violated">\u25b2 [\d,]+ violated', page)
    assert re.search(r'class="name fallback">\u25a0 fallback', page)


def test_text_from_a_log_cannot_become_markup(page: str) -> None:
    assert "sensor &lt;b&gt;lost&lt;/b&gt;" in page
    assert "<b>lost" not in page


def test_a_refused_potential_gives_the_reason_and_no_number() -> None:
    log = made_log(300)
    refused = Interval(refused="1 whole days with both series, at least 7 needed")
    data = made_report(log, made_decisions(log), potential=refused, null_test=refused)
    text = first_page(render_report(data))
    assert "No number: 1 whole days" in text
    assert not re.search(r"95 % interval", text)


def test_zero_inside_the_interval_is_said_aloud() -> None:
    log = made_log(300)
    wide = Interval(1.0, -2.0, 4.0, days=14)
    text = first_page(
        render_report(made_report(log, made_decisions(log), potential=wide))
    )
    assert "Zero lies inside the interval." in text


def test_an_attempted_write_is_an_alarm() -> None:
    log = made_log(300)
    data = made_report(log, made_decisions(log), writes_attempted=3)
    assert "attempted 3 writes" in first_page(render_report(data))


def test_an_unlogged_channel_is_no_comparison_and_a_quiet_run_renders() -> None:
    log = made_log(300)
    log.applied[:, 0] = np.nan
    decisions = made_decisions(log)
    empty = ("",) * log.rows
    calm = dataclasses.replace(
        decisions,
        proposed=decisions.certified,
        status=("PASSED",) * log.rows,
        kind=empty,
        limit=empty,
    )
    page = render_report(made_report(log, calm))
    assert "not in the log: no comparison" in first_page(page)
    assert "The safety layer never had to intervene." in page


def test_a_thinned_line_keeps_its_peaks() -> None:
    values = np.zeros(10_000)
    values[[1234, 7777]] = [5.0, -3.0]
    time, kept = thin(np.arange(10_000), values, 300)
    assert len(kept) <= 600
    assert (np.max(kept), np.min(kept)) == (5.0, -3.0)
    assert np.all(np.diff(time) > 0)


def test_numbers_and_names_are_written_as_people_read_them() -> None:
    assert number(-0.001, "degC") == "0.00"
    assert number(-1234.5, "kW", is_signed=True) == "\u22121,234"
    assert number(float("nan"), "kW") == "\u2013"
    assert title("crah_fan_speed_hall2") == "CRAH fan speed, hall 2"
