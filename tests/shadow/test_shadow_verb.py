"""The command line of a shadow run: one sentence and exit code 2 for a mistake."""

import sys
from pathlib import Path

import pytest
from made_logs import made_log

from coolbound.main import main
from coolbound_shadow.log_writer import write_log
from coolbound_shadow.selection import first_rows

MISTAKES = {
    "a run without a ledger": (("--run", "week"), "without --ledger"),
    "a key without a ledger": (("--key", "k.pem"), "without --ledger"),
    "weather without load": (("--year-weather", "chicago"), "add the other"),
    "an unknown year": (
        ("--year-weather", "atlantis", "--year-load", "google2019"),
        "atlantis",
    ),
    "a ledger without a key": (
        ("--ledger", "ledger", "--key", "none.pem"),
        "coolbound ledger key",
    ),
    "a ledger among the results": (
        ("--ledger", "out/ledger", "--key", "none.pem"),
        "choose another --ledger or --out",
    ),
    "hours of shifts that are none": (("--shifts", "day 25:00"), "--shifts: found"),
    "a log that is absent": (("--log", "none.csv"), "no such file or folder"),
    "an empty period": (("--from", "2030-01-01"), "choose a period inside"),
    "a period that is no time": (("--to", "tomorrow"), "expected a date"),
    "a folder that is no import": (("--log", "."), "log"),
}


@pytest.mark.parametrize("name", list(MISTAKES))
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words, said = MISTAKES[name]
    assert main(["shadow", *words, "--out", "out", "--policy", "start"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_log_shorter_than_a_day_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").mkdir()
    path, _ = write_log(first_rows(made_log(), 100), tmp_path / "log")
    words = ("shadow", "--log", path, "--out", tmp_path / "out", "--policy", "start")
    assert main([str(word) for word in words]) == 2
    told = capsys.readouterr()
    assert "found 8.3 h of log, expected at least a day" in told.err
    assert told.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_pdf_that_cannot_be_printed_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    out = tmp_path / "out"
    assert main(["shadow", "--pdf", "--policy", "start", "--out", str(out)]) == 2
    assert "pip install 'coolbound[pdf]'" in capsys.readouterr().err
    assert not out.exists()
