"""The override report's files: whole, on record, or not there at all."""

import dataclasses
import hashlib
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from made_ledgers import change_body, new_key, tampering
from made_overrides import BUSY, START, STEP, day, tick, write

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.keys import Signer
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.overrides.report import Heading
from coolbound_shadow.overrides.writing import HTML, Wish, write_report

HEADING = Heading("reference", "Reference site", "Europe/Berlin", "ab" * 32)
DAY = 288


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return new_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Path:
    return write(tmp_path_factory.mktemp("busy") / "ledger", BUSY, signer)


def wish(folder: Path, out: Path, **changes: Any) -> Wish:
    return dataclasses.replace(Wish(folder, out, None, None, None, False), **changes)


def written(given: Wish, signer: Any = None) -> dict[str, Any]:
    return write_report(given, HEADING, {}, None, signer, "engineer")


def test_the_report_is_put_on_record_and_made_again_has_the_same_bytes(
    busy: Path, tmp_path: Path, signer: Signer
) -> None:
    found = written(wish(busy, tmp_path / "out"), signer)
    page = (tmp_path / "out" / HTML).read_bytes()
    with LedgerReader(busy) as reader:
        body = reader.entry(found["recorded_as"]).data
        head = reader.entry(found["last_seq"]).hash.hex()
    assert body["kind"] == "report"
    assert body["sha256"] == hashlib.sha256(page).hexdigest() == found["sha256"]
    assert body["head"] == head == found["head"]
    assert (body["actor"], body["file"]) == ("engineer", HTML)
    again = written(wish(busy, tmp_path / "out"), signer)
    assert (tmp_path / "out" / HTML).read_bytes() == page
    assert again["recorded_as"] > found["recorded_as"]
    assert verify(busy).passed
    json.dumps(found, allow_nan=False)


def test_days_are_those_of_the_plants_clock(busy: Path, tmp_path: Path) -> None:
    given = wish(
        busy, tmp_path / "out", first=date(2025, 11, 25), last=date(2025, 11, 25)
    )
    found = written(given)
    # Local midnight is 23:00 UTC the day before.
    assert found["start_utc"] == START + 7 * 3600
    assert found["end_utc"] == START + DAY * STEP  # the last record
    assert found["decisions"] == DAY - 84


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first": date(2030, 1, 1)}, "choose days from 2025-11-24 to 2025-11-25"),
        ({"last": date(2020, 1, 1)}, "found no decision and no override up to"),
        (
            {"first": date(2025, 11, 25), "last": date(2025, 11, 24)},
            "before --from 2025-11-25",
        ),
        ({"run": "other"}, "expected one of run"),
        ({"ledger": Path("nowhere")}, "found no ledger.sqlite"),
    ],
)
def test_bad_input_leaves_nothing_behind(
    busy: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match=re.escape(said)):
        written(wish(busy, out, **changes))
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_does_not_verify_is_refused_with_the_finding(
    tmp_path: Path, signer: Signer
) -> None:
    ledger = write(tmp_path / "ledger", day({}, 6), signer)
    with tampering(ledger) as connection:
        change_body(connection, 4)
    with pytest.raises(InputError, match="record 4 was edited"):
        written(wish(ledger, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(busy: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="without override_report"):
        written(wish(busy, tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.long
def test_a_year_is_rendered_within_its_time_and_memory(
    tmp_path: Path, signer: Signer
) -> None:
    import resource
    import time

    kinds = ("", "", "ramp", "limit", "")
    limits = {"limit": "CHWS_BOX", "ramp": "CHWS_SLEW"}
    steps = 105_120
    for first in range(0, steps, 2000):
        last = min(first + 2000, steps)
        write(
            tmp_path / "ledger",
            [
                tick(i, kinds[i // 3 % 5], limits.get(kinds[i // 3 % 5], ""))
                for i in range(first, last)
            ],
            signer,
        )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    found = written(wish(tmp_path / "ledger", tmp_path / "out"))
    spent = time.process_time() - begin
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert found["decisions"] == steps
    assert found["events"]["limit"] == steps // 15
    assert spent < 20.0
    assert grown < 1_000_000
