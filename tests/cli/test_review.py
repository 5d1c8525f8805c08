"""`coolbound review`: users, refusals, and a server that answers and ends."""

import importlib.util
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coolbound_envs.site import load_site
from coolbound_envs.spec import CHANNELS
from coolbound_shadow.ledger.keys import load_signer, make_key
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind, Override, Tick
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.ledger.writer import LedgerWriter
from coolbound_shadow.review.users import Role, add_user, is_password, read_users

PASSWORD = "four plain words here"


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coolbound: Callable) -> Path:
    path = tmp_path / "users.json"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    ran = coolbound("review", "--add-user", "engineer", "--users", path)
    assert (ran.code, ran.err) == (0, "")
    assert "added engineer as reviewer" in ran.out
    return path


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    signer = make_key(tmp_path / "key.pem")
    with LedgerWriter(tmp_path / "ledger", signer) as writer:
        writer.append(
            Override("o-1", "started", "cw_pump_speed", 1_764_633_600, 3600, 0.9)
        )
    return tmp_path / "ledger"


def test_a_user_is_added_replaced_and_removed(
    users: Path, coolbound: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_password(read_users(users)["engineer"], PASSWORD)
    assert not is_password(read_users(users)["engineer"], PASSWORD + " ")
    monkeypatch.setattr("sys.stdin", io.StringIO("another long password\n"))
    words = ("--add-user", "engineer", "--role", "reader", "--users", users, "--json")
    found = json.loads(coolbound("review", *words).out)
    assert (found["user"], found["role"], found["replaced"]) == (
        "engineer",
        "reader",
        True,
    )
    assert coolbound("review", "--remove-user", "engineer", "--users", users).code == 0
    assert read_users(users) == {}


def test_at_a_terminal_the_password_is_asked_for_twice(
    tmp_path: Path, coolbound: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [PASSWORD, PASSWORD + "x", PASSWORD, PASSWORD]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: answers.pop(0))
    words = ("--add-user", "engineer", "--users", tmp_path / "users.json")
    ran = coolbound("review", *words)
    assert ran.code == 2
    assert "two different passwords" in ran.err
    assert coolbound("review", *words).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--host", "0.0.0.0"), "put a reverse proxy with TLS before it"),
        (("--host", "0.0.0.0", "--allow-remote"), "found no --name"),
        (("--users", "NONE"), "found no user"),
        (("GONE",), "found no ledger.sqlite"),
        (("--add-user", "a", "--remove-user", "b"), "expected one"),
        (("--remove-user", "nobody"), "expected one of engineer"),
        (("--port", "70000"), "whole number"),
        (("--role", "chief"), "invalid choice"),
        (("--key", "x.pem"), "No such file"),
    ],
)
def test_the_users_mistakes_are_one_sentence_each(
    words: tuple[str, ...],
    said: str,
    users: Path,
    ledger: Path,
    coolbound: Callable,
    tmp_path: Path,
) -> None:
    places = {"GONE": str(tmp_path / "gone"), "NONE": str(tmp_path / "none.json")}
    given = [places.get(word, word) for word in words]
    folder = [] if "GONE" in words else [ledger]
    ran = coolbound("review", "--port", 0, "--users", users, *folder, *given)
    assert ran.code == 2
    assert said in ran.err
    # The site may say a word of its own before.
    assert ran.err.count("\n") <= 2


def test_without_the_extra_it_is_said_how_to_get_it(
    coolbound: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    hidden = {"flask": None, "waitress": None}
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name in hidden else found(name),
    )
    ran = coolbound("review")
    assert ran.code == 2
    assert "found no flask, waitress" in ran.err
    assert "pip install 'coolbound[review]'" in ran.err


def test_help_does_without_the_extra(python: Callable) -> None:
    code = (
        "import sys; from coolbound.arguments import build_parser; build_parser(); "
        "import coolbound.verbs.review; "
        "print(sorted({'flask', 'waitress', 'werkzeug'} & set(sys.modules)))"
    )
    assert python(code).out.strip() == "[]"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_page_is_served_until_it_is_stopped(
    users: Path, ledger: Path, stop: signal.Signals
) -> None:
    command = [sys.executable, "-m", "coolbound", "review", ledger, "--users", users]
    server = subprocess.Popen(
        [*map(str, command), "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert server.stderr
    try:
        line = server.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, line
        with urllib.request.urlopen(f"{found[0]}event/o-1", timeout=120) as page:
            assert "Log in" in page.read().decode()
            assert "Server" not in page.headers
        other = urllib.request.Request(found[0], headers={"Host": "attacker.example"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(other, timeout=120)
        assert refused.value.code == 400
        refused.value.close()
    finally:
        server.send_signal(stop)
        out, _ = server.communicate(timeout=120)
    assert server.returncode == 0
    assert json.loads(out) == {"schema": "coolbound.review/1", "address": found[0]}


@pytest.fixture
def shift_over(ledger: Path, tmp_path: Path) -> Path:
    """Return a ledger in which the late shift of 2025-12-01 is over."""
    middle = {c.name: 0.5 * (c.lower + c.upper) for c in CHANNELS}
    night = Tick(
        run="december",
        time_utc=1_764_633_600,
        offset=3600,
        observed={},
        quality={},
        applied=middle,
        proposed=middle,
        certified=middle,
        status="PASSED",
        rung="",
        reason="",
        active={},
        policy_digest="ab" * 32,
    )
    held = Override("o-0", "started", "cw_pump_speed", 1_764_600_000, 3600, 0.9)
    with LedgerWriter(ledger, load_signer(tmp_path / "key.pem")) as writer:
        writer.append_many([held, night])
    return ledger


def test_a_shift_is_signed_off_once_and_the_list_says_so(
    users: Path,
    shift_over: Path,
    coolbound: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = ("--key", tmp_path / "key.pem")
    words = (
        "--users",
        users,
        *key,
        "--sign-off",
        "2025-12-01 late",
        "--as",
        "engineer",
    )

    def signing(*more: str) -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        return coolbound("review", shift_over, *words, *more)

    listed = json.loads(coolbound("review", shift_over, "--list-shifts", "--json").out)
    assert listed["waiting"] == 1
    assert "not accepted yet" in signing().err
    ran = signing("--text", "pumps were held")
    assert (ran.code, ran.err.count("\n")) == (0, 0)
    assert "shift 2025-12-01 late is signed off by engineer, record" in ran.out
    again = signing("--text", "pumps were held")
    assert again.code == 0
    assert "was signed off already by engineer" in again.out
    listed = json.loads(coolbound("review", shift_over, "--list-shifts", "--json").out)
    assert listed["waiting"] == 0
    (late,) = (s for s in listed["shifts"] if s["shift"] == "2025-12-01 late")
    assert (late["signed_by"], late["unaccepted"]) == ("engineer", 1)
    with LedgerReader(shift_over) as reader:
        (review,) = reader.entries(kinds=[Kind.REVIEW])
    assert review.data["text"] == "pumps were held"
    assert verify(shift_over).passed


def test_the_hours_of_shifts_are_the_sites_unless_asked_otherwise(
    shift_over: Path, coolbound: Callable, tmp_path: Path
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(
        load_site().path.read_text(encoding="utf-8")
        + '\n[shifts]\nday = "07:00"\nnight = "19:00"\n'
    )

    def plan(*more: str) -> str:
        words = (shift_over, "--site", site, "--list-shifts", "--json", *more)
        return json.loads(coolbound("review", *words).out)["plan"]

    assert plan() == "day 07:00 to 19:00, night 19:00 to 07:00"
    assert plan("--shifts", "all 6") == "all 06:00 to 06:00"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sign-off", "2025-12-01 late"), "expected --sign-off SHIFT --as NAME"),
        (("--as", "engineer"), "expected --sign-off SHIFT --as NAME"),
        (("--list-shifts", "--add-user", "x"), "expected one"),
        (("--sign-off", "2025-12-01 noon", "--as", "engineer"), "one of early, late"),
        (("--sign-off", "2025-12-01 night", "--as", "engineer"), "not over"),
        (("--sign-off", "2025-12-01 late", "--as", "nobody"), "that is wrong"),
        (("--shifts", "day 25:00", "--list-shifts"), "found 'day 25:00'"),
    ],
)
def test_a_sign_off_that_cannot_be_is_one_sentence(
    words: tuple[str, ...],
    said: str,
    users: Path,
    shift_over: Path,
    coolbound: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    ran = coolbound("review", shift_over, "--users", users, *words)
    assert ran.code == 2
    assert said in ran.err
    with LedgerReader(shift_over) as reader:
        assert list(reader.entries(kinds=[Kind.REVIEW])) == []


def test_a_wrong_password_a_reader_and_a_broken_ledger_sign_nothing(
    users: Path,
    shift_over: Path,
    coolbound: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def signing(name: str, password: str) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        shift = ("--sign-off", "2025-12-01 late", "--as", name, "--text", "seen")
        ran = coolbound("review", shift_over, "--users", users, *shift)
        assert ran.code == 2
        return ran.err

    assert "that is wrong" in signing("engineer", PASSWORD + "x")
    add_user(users, "visitor", Role.READER, PASSWORD)
    assert "found a reader" in signing("visitor", PASSWORD)
    connection = sqlite3.connect(shift_over / "ledger.sqlite", isolation_level=None)
    connection.execute("DROP TRIGGER no_update")
    connection.execute("UPDATE ledger SET body = replace(body, '0.9', '0.8')")
    connection.close()
    assert "does not verify" in signing("engineer", PASSWORD)
    with LedgerReader(shift_over) as reader:
        assert list(reader.entries(kinds=[Kind.REVIEW])) == []
