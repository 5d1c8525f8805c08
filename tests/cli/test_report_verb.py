"""`coolbound report`: its files, its words, its exit codes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from coolbound.verbs.ledger import KEY_VARIABLE
from coolbound_envs.site import load_site
from coolbound_envs.spec import CHANNELS, POINT_NAMES
from coolbound_shadow.ledger.keys import load_signer
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Override, Tick
from coolbound_shadow.ledger.writer import LedgerWriter

START = 1_764_000_000
HTML = "override_report.html"
MIDDLE = {c.name: 0.5 * (c.lower + c.upper) for c in CHANNELS}


def tick(step: int) -> Tick:
    return Tick(
        run="site-a",
        time_utc=START + 300 * (step + 1),
        offset=3600,
        observed=dict.fromkeys(POINT_NAMES, 20.0),
        quality={},
        applied=MIDDLE,
        proposed=MIDDLE,
        certified=MIDDLE | {"tower_fan_speed": 0.7} if step % 2 else MIDDLE,
        status="PROJECTED" if step % 2 else "PASSED",
        rung="",
        reason="",
        active={"CT_CWP_RATE": 0.05} if step % 2 else {},
        policy_digest="ab" * 32,
        extra={"limit": "CT_CWP_RATE", "kind": "limit"} if step % 2 else {},
    )


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the user's key stands."""
    path = tmp_path / "home" / "key.pem"
    monkeypatch.setenv(KEY_VARIABLE, str(path))
    return path


@pytest.fixture
def ledger(tmp_path: Path, key: Path, coolbound: Callable) -> Path:
    assert coolbound("ledger", "key").code == 0
    folder = tmp_path / "ledger"
    held = Override("o1", "started", "cw_pump_speed", START + 900, 3600, 0.9)
    with LedgerWriter(folder, load_signer(key)) as writer:
        writer.append_many([*map(tick, range(24)), held])
    return folder


def test_a_report_is_written_put_on_record_and_the_same_again(
    ledger: Path, coolbound: Callable, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = coolbound("report", ledger, "--out", out, "--json")
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert found["decisions"] == 24
    assert found["events"] == {"override": 1, "fallback": 0, "limit": 12, "ramp": 0}
    assert found["overrides"] == {"active": 1, "without_expiry": 1, "without_reason": 1}
    page = (out / HTML).read_bytes()
    with LedgerReader(ledger) as reader:
        body = reader.entry(found["recorded_as"]).data
    assert (body["kind"], body["sha256"]) == ("report", found["sha256"])
    again = coolbound("report", ledger, "--out", out, "--no-record")
    assert again.code == 0
    assert "not put on record: as you asked" in again.out
    assert (out / HTML).read_bytes() == page
    assert coolbound("ledger", "verify", ledger).code == 0


def test_the_hours_of_shifts_are_the_sites_unless_asked_otherwise(
    ledger: Path, coolbound: Callable, tmp_path: Path
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(
        load_site().path.read_text(encoding="utf-8")
        + '\n[shifts]\nday = "07:00"\nnight = "19:00"\n'
    )
    words = ("report", ledger, "--site", site, "--out", tmp_path / "out", "--no-record")
    assert coolbound(*words).code == 0
    page = (tmp_path / "out" / HTML).read_text(encoding="utf-8")
    assert "day 07:00 to 19:00, night 19:00 to 07:00" in page
    assert coolbound(*words, "--shifts", "whole 06:00").code == 0
    page = (tmp_path / "out" / HTML).read_text(encoding="utf-8")
    assert "whole 06:00 to 06:00" in page
    assert "19:00 to 07:00" not in page


def test_without_a_key_the_report_is_made_and_not_recorded(
    ledger: Path, key: Path, coolbound: Callable, tmp_path: Path
) -> None:
    key.unlink()
    with LedgerReader(ledger) as reader:
        before = reader.tail()
    ran = coolbound("report", ledger, "--out", tmp_path / "out")
    assert ran.code == 0
    assert "not put on record: no key" in ran.out
    with LedgerReader(ledger) as reader:
        assert reader.tail() == before


def test_pdf_stands_beside_the_page(
    ledger: Path, coolbound: Callable, tmp_path: Path
) -> None:
    ran = coolbound("report", ledger, "--out", tmp_path / "out", "--pdf")
    assert ran.code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [HTML, "override_report.pdf"]


def test_pdf_without_the_library_says_what_to_install_and_writes_nothing(
    ledger: Path,
    coolbound: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    ran = coolbound("report", ledger, "--out", tmp_path / "out", "--pdf")
    assert ran.code == 2
    assert "pip install 'coolbound[pdf]'" in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("GONE",), "found no ledger.sqlite"),
        (("LEDGER", "--from", "2030-01-01"), "choose days from 2025-11-24"),
        (("LEDGER", "--from", "tomorrow"), "expected a day such as 2026-11-20"),
        (("LEDGER", "--run", "other"), "expected one of site-a"),
        (("LEDGER", "--out", "FILE"), "found a file, expected a folder"),
        (("LEDGER", "--key", "GONE"), "No such file"),
        (("LEDGER", "--site", "nowhere"), "nowhere"),
    ],
)
def test_the_users_mistakes_are_one_sentence_each(
    options: tuple[str, ...],
    said: str,
    ledger: Path,
    coolbound: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    places = {"LEDGER": str(ledger), "GONE": "gone", "FILE": str(tmp_path / "file")}
    ran = coolbound("report", *(places.get(word, word) for word in options))
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()
    assert (tmp_path / "file").read_text() == "mine"


def test_a_ledger_that_does_not_verify_is_refused(
    ledger: Path, coolbound: Callable, tmp_path: Path
) -> None:
    heads = ledger / "heads.jsonl"
    heads.write_text(heads.read_text().replace('"count":', '"count": '))
    ran = coolbound("report", ledger, "--out", tmp_path / "out")
    assert ran.code == 2
    assert "found a ledger that does not verify" in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
