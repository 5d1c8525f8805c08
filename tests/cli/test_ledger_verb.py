"""`coolbound ledger`: its tasks, its files, its exit codes."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from coolbound.grammar.ledger import fill
from coolbound.verbs.ledger import KEY_VARIABLE
from coolbound_shadow.ledger.keys import load_signer
from coolbound_shadow.ledger.records import Kind, Review
from coolbound_shadow.ledger.upkeep import Change
from coolbound_shadow.ledger.verify import MAX_UNSIGNED
from coolbound_shadow.ledger.writer import LedgerWriter

COMMENTS = 6


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the user's key stands, or shall stand."""
    path = tmp_path / "home" / "key.pem"
    monkeypatch.setenv(KEY_VARIABLE, str(path))
    return path


@pytest.fixture
def ledger(tmp_path: Path, key: Path, coolbound: Callable) -> Path:
    assert coolbound("ledger", "key").code == 0
    folder = tmp_path / "ledger"
    with LedgerWriter(folder, load_signer(key)) as writer:
        for number in range(COMMENTS):
            writer.append(Review("engineer", "comment", f"o{number}", (1,), "läuft"))
    return folder


def test_a_sound_ledger_passes_in_one_sentence_and_exits_with_0(
    ledger: Path, coolbound: Callable
) -> None:
    ran = coolbound("ledger", "verify", ledger)
    assert (ran.code, ran.err) == (0, "")
    assert "passed: 9 records in an unbroken chain" in ran.out
    assert "note:" not in ran.out
    found = json.loads(coolbound("ledger", "verify", ledger, "--json").out)
    assert found["passed"] is True
    assert found["findings"] == []
    assert (found["records"], found["signed"]) == (9, 9)


def test_a_ledger_that_was_edited_exits_with_1_and_says_where(
    ledger: Path, coolbound: Callable
) -> None:
    connection = sqlite3.connect(ledger / "ledger.sqlite", isolation_level=None)
    connection.execute("DROP TRIGGER no_update")
    connection.execute("UPDATE ledger SET body = replace(body, 'engineer', 'visitor')")
    connection.close()
    ran = coolbound("ledger", "verify", ledger)
    assert (ran.code, ran.err) == (1, "")
    assert "FAILED: record 4 was edited" in ran.out
    assert "- record 5 was edited" in ran.out
    found = json.loads(coolbound("ledger", "verify", ledger, "--json").out)
    assert found["passed"] is False
    assert [each["seq"] for each in found["findings"][:6]] == [4, 5, 6, 7, 8, 9]
    assert {each["what"] for each in found["findings"]} == {"edited", "schema"}


def test_a_ledger_cut_with_its_heads_is_found_by_the_heads_kept_elsewhere(
    ledger: Path, coolbound: Callable, tmp_path: Path
) -> None:
    away = tmp_path / "away.jsonl"
    shutil.copyfile(ledger / "heads.jsonl", away)
    first = away.read_text().splitlines(keepends=True)[0]
    (ledger / "heads.jsonl").write_text(first)
    connection = sqlite3.connect(ledger / "ledger.sqlite", isolation_level=None)
    statements = [r[0] for r in connection.execute("SELECT sql FROM sqlite_master")]
    connection.execute("DROP TRIGGER no_delete")
    connection.execute("DELETE FROM ledger WHERE seq > 3")
    connection.execute(next(s for s in statements if s and "no_delete" in s))
    connection.close()
    assert coolbound("ledger", "verify", ledger).code == 0
    ran = coolbound("ledger", "verify", ledger, "--heads", away)
    assert ran.code == 1
    assert "records 4 to 9 are cut off" in ran.out


def test_the_key_that_one_holds_is_trusted_or_the_one_that_is_named(
    ledger: Path, coolbound: Callable, key: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    assert coolbound("ledger", "key", "--key", other).code == 0
    ran = coolbound("ledger", "verify", ledger, "--trust", f"{other}.pub")
    assert ran.code == 1
    assert "not among the trusted ones" in ran.out
    ran = coolbound("ledger", "verify", ledger, "--trust", f"{other}.pub", f"{key}.pub")
    assert ran.code == 0
    Path(f"{key}.pub").unlink()
    ran = coolbound("ledger", "verify", ledger)
    assert ran.code == 0
    assert "note: the keys are the folder's own" in ran.out


def test_head_prints_the_signed_head_and_signs_on_demand(
    ledger: Path, coolbound: Callable, key: Path
) -> None:
    with LedgerWriter(ledger, None) as writer:
        writer.append(Change(Kind.CONFIG, "engineer", "limits", 27, 26, "new racks"))
    found = json.loads(coolbound("ledger", "head", ledger, "--json").out)
    assert (found["records"], found["unsigned"]) == (10, 1)
    ran = coolbound("ledger", "verify", ledger, "--max-unsigned", "0")
    assert ran.code == 1
    assert "record 10" in ran.out or "records 10" in ran.out
    ran = coolbound("ledger", "head", ledger, "--sign")
    assert ran.code == 0
    line = ran.out.splitlines()[-1]
    assert line == (ledger / "heads.jsonl").read_text().splitlines()[-1]
    assert coolbound("ledger", "verify", ledger, "--max-unsigned", "0").code == 0


def test_seal_seals_what_is_closed(ledger: Path, coolbound: Callable) -> None:
    ran = coolbound("ledger", "seal", ledger)
    assert ran.code == 0
    assert "no closed day" in ran.out


def test_records_are_exported_as_lines_or_parquet(
    ledger: Path, coolbound: Callable, tmp_path: Path
) -> None:
    lines = tmp_path / "out.jsonl"
    words = ("--out", lines, "--kind", "review", "--first", "5", "--last", "8")
    ran = coolbound("ledger", "export", ledger, *words)
    assert ran.code == 0
    rows = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert [row["seq"] for row in rows] == [5, 6, 7, 8]
    assert rows[0]["body"]["user"] == "engineer"
    table = tmp_path / "out.parquet"
    assert coolbound("ledger", "export", ledger, "--out", table).code == 0
    found = pq.read_table(table).to_pylist()
    assert [row["seq"] for row in found] == list(range(1, 10))
    assert [row["hash"].hex() for row in found][4:8] == [row["hash"] for row in rows]
    assert '"läuft"' in found[4]["body"]


def test_a_whole_copy_verifies_and_holds_what_is_not_checkpointed_yet(
    ledger: Path, coolbound: Callable, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    (ledger / "seals").mkdir()
    (ledger / "seals" / ".aside-half.parquet").write_bytes(b"half")
    with LedgerWriter(ledger, None) as writer:
        writer.append(Review("engineer", "accept", "o1", (1,)))
        ran = coolbound("ledger", "export", ledger, "--out", copy)
    assert ran.code == 0
    assert "10 records" in ran.out
    found = json.loads(coolbound("ledger", "verify", copy, "--json").out)
    assert (found["passed"], found["records"]) == (True, 10)
    assert not list(copy.glob("*-wal"))
    assert not list((copy / "seals").iterdir())
    assert coolbound("ledger", "export", ledger, "--out", copy).code == 0
    with LedgerWriter(copy, None) as writer:
        writer.append(Review("engineer", "accept", "o2", (1,)))


def test_a_key_is_made_once_for_its_owner(coolbound: Callable, key: Path) -> None:
    ran = coolbound("ledger", "key", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["private"] == str(key)
    assert key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in ran.out
    again = coolbound("ledger", "key")
    assert again.code == 2
    assert "never replaced" in again.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verify", "GONE"), "found no ledger.sqlite"),
        (("head", "GONE", "--sign"), "found no ledger.sqlite"),
        (("seal", "GONE"), "found no ledger.sqlite"),
        (("export", "GONE", "--out", "x.jsonl"), "found no ledger.sqlite"),
        (("export", "LEDGER"), "found no --out"),
        (("export", "LEDGER", "--out", "x.csv"), "expected .jsonl or .parquet"),
        (("export", "LEDGER", "--out", "x", "--first", "3"), "a copy is always whole"),
        (("export", "LEDGER", "--out", "x.jsonl", "--kind", "tock"), "found kind"),
        (("seal", "LEDGER", "--sign"), "options of `ledger head`"),
        (("head", "LEDGER", "--trust", "x.pub"), "options of `ledger verify`"),
        (("verify", "LEDGER", "--trust", "x.pub"), "No such file"),
        (("verify", "LEDGER", "--heads", "x.jsonl"), "found no file"),
        (("verify", "LEDGER", "--max-unsigned", "-1"), "whole number"),
        (("seal", "LEDGER", "--key", "x.pem"), "No such file"),
        (("mend", "LEDGER"), "invalid choice"),
    ],
)
def test_the_users_mistakes_are_one_sentence_each(
    words: tuple[str, ...],
    said: str,
    ledger: Path,
    coolbound: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"LEDGER": str(ledger), "GONE": str(tmp_path / "gone")}
    before = set(tmp_path.rglob("*"))
    ran = coolbound("ledger", *(places.get(word, word) for word in words))
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1
    # A reader of a ledger at rest leaves SQLite's own two empty files behind.
    added = {path.name for path in set(tmp_path.rglob("*")) - before}
    assert added <= {"ledger.sqlite-wal", "ledger.sqlite-shm"}


def test_the_grammars_default_is_the_verifiers() -> None:
    import argparse

    parser = argparse.ArgumentParser()
    fill(parser)
    assert parser.parse_args(["verify"]).max_unsigned == MAX_UNSIGNED
