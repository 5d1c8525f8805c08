"""Limits of refusal are a file: published, replaced with a reason, never in silence."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_logs import made_decisions, made_log, made_report
from test_recording import POLICY, replayed

from coolbound_envs.site import load_site
from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.keys import load_signer, make_key
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.recording import (
    LIMITS,
    LedgerChoice,
    record_decisions,
    record_limits,
)
from coolbound_shadow.refusal_limits import (
    SCALES,
    WORDS,
    RefusalLimits,
    published,
    read_limits,
)
from coolbound_shadow.report import render_report
from coolbound_shadow.statistics import (
    Interval,
    paired_difference,
    refuse_against_null,
)
from coolbound_shadow.twin import told

LOG = made_log(40)


def write(folder: Path, text: str) -> Path:
    path = folder / "limits.toml"
    path.write_text(f"schema = 1\n{text}", encoding="utf-8")
    return path


def changed(folder: Path, key: str, value: str) -> RefusalLimits:
    return read_limits(
        write(folder, f'[{key}]\nvalue = "{value}"\nsource = "agreed with the site"\n')
    )


def test_every_published_limit_has_a_unit_and_a_source() -> None:
    limits = published()
    assert {entry.key for entry in limits.entries} == set(SCALES) == set(WORDS)
    assert all(len(entry.value.split()) == 2 for entry in limits.entries)
    assert all(entry.source for entry in limits.entries)
    assert limits.changed == ()
    assert limits.notes() == ()


def test_the_published_limits_are_those_that_the_page_names() -> None:
    limits = published()
    floors = limits.floors
    assert (floors.days, floors.effective_days, floors.blocks) == (7.0, 4.0, 3.0)
    shares = (limits.whole_share, limits.proposed_share, limits.unfamiliar_share)
    assert shares == pytest.approx((0.5, 0.9, 0.2))
    assert (limits.stage_days, limits.stage_bins) == pytest.approx((28.0, 0.9))
    assert limits.null_share == pytest.approx(0.2)
    assert (limits.cv_rmse, limits.nmbe) == (30.0, 10.0)
    assert (limits.bad_bins, limits.temperature) == pytest.approx((0.25, 1.0))


def test_a_changed_limit_is_said_aloud_with_what_was_published(tmp_path: Path) -> None:
    limits = changed(tmp_path, "sample.whole_days", "72 h")
    assert limits.floors.days == pytest.approx(3.0)
    (note,) = limits.notes()
    assert "72 h in place of 7 d" in note
    assert "agreed with the site" in note
    assert limits.sha256 != published().sha256
    assert limits.as_data()["published"] == {"sample.whole_days": "7 d"}


def test_the_same_value_in_another_unit_is_no_change(tmp_path: Path) -> None:
    limits = changed(tmp_path, "sample.whole_days", "168 h")
    assert limits.changed == ()
    assert limits.sha256 == published().sha256


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found no limit"),
        (
            '[sample.whole_day]\nvalue = "3 d"\nsource = "x"',
            "mean 'whole_days'",
        ),
        ('[samples.whole_days]\nvalue = "3 d"\nsource = "x"', "unknown key 'samples'"),
        ("[sample.whole_days]\nvalue = 3\nsource = 'x'", "text with a unit"),
        ('[sample.whole_days]\nvalue = "3 kW"\nsource = "x"', "converts to 'd'"),
        ('[sample.whole_days]\nvalue = "0 d"\nsource = "x"', "1 to 3660 d"),
        ('[coverage.proposed]\nvalue = "120 percent"\nsource = "x"', "0 to 1"),
        ('[sample.whole_days]\nvalue = "3 d"', "'source' is missing"),
        ('[sample.whole_days]\nvalue = "3 d"\nsource = " "', "expected why"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        read_limits(write(tmp_path, text))


def test_the_digest_is_of_all_values_and_sources() -> None:
    limits = published()
    text = json.dumps([[e.key, e.value, e.source] for e in limits.entries])
    assert limits.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_changed_floor_decides_whether_a_number_is_told(tmp_path: Path) -> None:
    rng, hours = np.random.default_rng(0), 24 * 5
    time = 3600 * np.arange(1, hours + 1)
    power = 1000.0 + rng.normal(0.0, 20.0, hours)
    series = power, 0.9 * power + rng.normal(0.0, 2.0, hours), time, 0 * time, 3600
    assert "5 whole days" in paired_difference(*series).refused
    limits = changed(tmp_path, "sample.whole_days", "5 d")
    assert not paired_difference(*series, limits.floors).refused


def test_a_changed_share_decides_how_far_the_null_test_may_be(tmp_path: Path) -> None:
    potential, null = Interval(5.0, 4.0, 6.0), Interval(2.0, 1.0, 3.0)
    assert "more than 20 %" in refuse_against_null(potential, null).refused
    share = changed(tmp_path, "twin.null_test", "50 percent").null_share
    assert not refuse_against_null(potential, null, share).refused
    assert not told(load_site(), potential, null, share).refused


@pytest.fixture
def choice(tmp_path: Path) -> LedgerChoice:
    make_key(tmp_path / "key.pem")
    return LedgerChoice(tmp_path / "ledger", tmp_path / "key.pem", "week 14")


def settings(choice: LedgerChoice) -> list[dict[str, Any]]:
    with LedgerReader(choice.folder) as reader:
        found = [entry.data for entry in reader.entries(kinds=[Kind.CONFIG])]
    return [each for each in found if each["event"] == f"{LIMITS} of week 14"]


def test_limits_stand_in_the_ledger_once_before_the_first_decision(
    choice: LedgerChoice,
) -> None:
    signer = load_signer(choice.key)
    for _ in range(2):
        assert record_limits(choice, signer, POLICY, LOG, published()) == ()
    (found,) = settings(choice)
    assert found["new"] == published().as_data()
    assert found["new"]["published"] == {}
    assert found["old"] is None
    assert verify(choice.folder).passed


def test_limits_changed_after_decisions_are_on_record_are_told(
    choice: LedgerChoice, tmp_path: Path
) -> None:
    signer = load_signer(choice.key)
    record_limits(choice, signer, POLICY, LOG, published())
    record_decisions(choice, signer, POLICY, LOG, replayed(made_decisions(LOG)))
    other = changed(tmp_path, "sample.blocks", "2 count")
    (note,) = record_limits(choice, signer, POLICY, LOG, other)
    assert "after decisions of this run" in note
    assert published().sha256 in note
    last = settings(choice)[-1]
    assert last["old"]["sha256"] == published().sha256
    assert last["new"]["published"] == {"sample.blocks": "3 count"}
    assert "agreed with the site" in last["reason"]


def test_the_report_shows_each_limit_and_what_was_changed(tmp_path: Path) -> None:
    limits = changed(tmp_path, "sample.blocks", "2 count")
    shown = {"refusals": limits.entries, "notes": limits.notes()}
    page = render_report(made_report(LOG, made_decisions(LOG), **shown))
    first = page.split('<section class="page">')[0]
    assert "not the published ones" in first
    assert "blocks of days, at least 2 in place of 3 (because" in first
    assert page.count("as published") == len(SCALES) - 1
    assert "&#9670; changed from 3<" in page
    assert ">20 %<" in page
    assert " percent" not in page
