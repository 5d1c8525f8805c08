"""The ledger takes records and gives them back; it never changes or loses one."""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_ledgers import SetClock, new_key, tampering, tick, write_ticks

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.body import canonical
from coolbound_shadow.ledger.chain import follow
from coolbound_shadow.ledger.database import insert, read_tail
from coolbound_shadow.ledger.keys import Signer
from coolbound_shadow.ledger.lock import hold
from coolbound_shadow.ledger.opening import open_ledger
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import (
    Kind,
    Outcome,
    Override,
    Record,
    Refusal,
    Report,
    Review,
)
from coolbound_shadow.ledger.upkeep import Change, ClockNote, Seal
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.ledger.writer import LedgerWriter
from coolbound_shadow.ledger.writing import DuplicateTick, Settings

OF_ALL_KINDS: list[Record] = [
    tick(0),
    Outcome("run", 1_764_000_300, 3600, {"it_power_hall1": 1.5}),
    Refusal("shadow", "modelled potential", "horizon < 24 h"),
    Override("o1", "started", "cw_pump_speed", 1_764_000_000, 3600, 0.9, person=None),
    Review("engineer", "comment", "o1", (4, 5), "Pumpe 2 läuft heiß, 冷却"),
    Change(
        Kind.CONFIG, "engineer", "limits", {"inlet": 27}, {"inlet": 26}, "new racks"
    ),
    Change(Kind.GATE, "coolbound", "shadow to advisory", None, "hold", "no data"),
    Change(Kind.TRANSITION, "engineer", "stage", "shadow", "advisory", "gate met"),
    Change(Kind.KEY, "engineer", "revoked", "ab", None, "laptop lost"),
    ClockNote("plant gateway", -3600.0, "an hour behind"),
    Seal("2026-11-19", "x.parquet", "ab", 1, 2, 2, "cd"),
    Report("engineer", "report.html", "ab" * 32, 1, 9, "cd" * 32),
]


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def writer(folder: Path, signer: Signer) -> Iterator[LedgerWriter]:
    with LedgerWriter(folder, signer) as writer:
        yield writer


def stored(folder: Path) -> list[tuple[int, bytes, bytes, bytes]]:
    select = "SELECT seq, prev, hash, CAST(body AS BLOB) FROM ledger ORDER BY seq"
    connection = sqlite3.connect(folder / "ledger.sqlite")
    rows = connection.execute(select).fetchall()
    connection.close()
    return rows


def test_each_record_is_chained_over_the_bytes_that_are_stored(
    writer: LedgerWriter, folder: Path
) -> None:
    for record in OF_ALL_KINDS:
        writer.append(record)
    before = bytes(32)
    rows = stored(folder)
    for place, (seq, prev, own, body) in enumerate(rows, 1):
        assert (seq, prev) == (place, before)
        assert own == hashlib.sha256(before + body).digest()
        text = body.decode()
        again = json.dumps(
            json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        assert again == text
        before = own


def test_every_kind_is_read_back_as_it_was_appended(
    writer: LedgerWriter, folder: Path
) -> None:
    receipts = [writer.append(record) for record in OF_ALL_KINDS]
    assert {record.kind for record in OF_ALL_KINDS} == set(Kind)
    with LedgerReader(folder) as reader:
        for record, receipt in zip(OF_ALL_KINDS, receipts, strict=True):
            entry = reader.entry(receipt.seq)
            data = entry.data
            assert entry.hash.hex() == receipt.hash
            assert data["kind"] == record.kind.value
            assert data["host"]
            assert data["recorded"].endswith("Z")
            for name, value in record.content().items():
                assert data[name] == value
        assert [e.seq for e in reader.entries(kinds=[Kind.REVIEW])] == [receipts[4].seq]


def test_a_tick_says_its_time_in_utc_and_on_the_sites_clock() -> None:
    content = tick(0).content()
    assert content["time"] == "2025-11-24T16:00:00Z"
    assert content["local"] == "2025-11-24T17:00:00+01:00"
    override = Override("o", "ended", "p", 0, -9000, None, expiry_utc=60).content()
    assert override["local"] == "1969-12-31T21:30:00-02:30"
    assert override["expiry"] == "1970-01-01T00:01:00Z"
    assert override["person"] is None


def test_a_review_by_nobody_and_a_change_of_no_kind_are_refused() -> None:
    with pytest.raises(InputError, match="named user"):
        Review("", "accept", "o1", (1,))
    with pytest.raises(InputError, match="sign_off"):
        Review("engineer", "approve", "o1", (1,))
    with pytest.raises(InputError, match="transition"):
        Change(Kind.TICK, "engineer", "x", None, None, "")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET body = '{}' WHERE seq = 2",
        "UPDATE OR REPLACE ledger SET seq = 3 WHERE seq = 2",
        "DELETE FROM ledger WHERE seq = 2",
        "DELETE FROM ledger",
        "INSERT INTO ledger VALUES (99, x'00', x'00', '{}')",
        "INSERT OR REPLACE INTO ledger VALUES (2, x'00', x'00', '{}')",
        "REPLACE INTO ledger VALUES (1, x'00', x'00', '{}')",
        "INSERT INTO ledger VALUES (5, 'text', 7, '{}')",
        "INSERT INTO ledger(prev, hash, body) VALUES (x'00', x'00', '{}')",
    ],
)
@pytest.mark.parametrize("is_own", [True, False])
def test_the_database_itself_refuses_to_change_delete_or_skip(
    writer: LedgerWriter, folder: Path, statement: str, is_own: bool
) -> None:
    writer.append(tick(0))
    before = stored(folder)
    own = writer.connection
    connection = own if is_own else sqlite3.connect(folder / "ledger.sqlite")
    with pytest.raises(sqlite3.DatabaseError):
        connection.execute(statement)
    if not is_own:
        connection.close()
    assert stored(folder) == before


def test_a_writing_connection_syncs_fully_and_a_reader_cannot_write(
    writer: LedgerWriter, folder: Path
) -> None:
    settings = ("journal_mode", "synchronous", "recursive_triggers")
    found = [writer.connection.execute(f"PRAGMA {x}").fetchone()[0] for x in settings]
    assert found == ["wal", 2, 1]
    with LedgerReader(folder) as reader:
        reader.connection.execute("PRAGMA query_only = OFF")
        for statement in ("DELETE FROM ledger", "CREATE TABLE x(y)"):
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader.connection.execute(statement)
        assert not hasattr(reader, "append")


def test_what_is_not_finite_or_no_text_is_refused_and_nothing_is_written(
    writer: LedgerWriter, folder: Path
) -> None:
    before = stored(folder)
    wrong: list[Any] = [float("nan"), float("inf"), b"bytes", "\ud800", {1, 2}]
    for value in wrong:
        change = Change(Kind.CONFIG, "engineer", "limits", None, value, "")
        with pytest.raises(InputError, match="finite numbers"):
            writer.append_many([tick(0), change])
    assert stored(folder) == before
    writer.append(tick(0))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abü\0\n\u2028"), inner),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text("abcdé"), values))
def test_one_content_has_one_text_whatever_the_order(content: dict[str, Any]) -> None:
    text = canonical(content)
    assert json.loads(text) == content
    assert canonical(dict(reversed(content.items()))) == text
    assert canonical(json.loads(text)) == text


def test_no_run_holds_two_ticks_of_one_time(writer: LedgerWriter, folder: Path) -> None:
    writer.append_many([tick(0), tick(1), tick(0, run="other")])
    before = stored(folder)
    with pytest.raises(DuplicateTick, match="2025-11-24T16:05:00Z"):
        writer.append(tick(1))
    with pytest.raises(DuplicateTick):
        writer.append_many([tick(2), tick(3), tick(2)])
    assert stored(folder) == before
    with LedgerReader(folder) as reader:
        assert reader.last_tick("run") == "2025-11-24T16:05:00Z"
        assert reader.last_tick("other") == "2025-11-24T16:00:00Z"
        assert reader.last_tick("nobody") is None


def test_a_batch_stands_whole_or_not_at_all(folder: Path, signer: Signer) -> None:
    with LedgerWriter(folder, signer, Settings(batch=10)) as writer:
        first = len(stored(folder)) + 1
        receipt = writer.append_many(tick(i) for i in range(35))
        assert receipt is not None
        assert (receipt.first_seq, receipt.seq) == (first, first + 34)
        assert stored(folder)[-1][2].hex() == receipt.hash
        assert writer.append_many([]) is None
        with pytest.raises(DuplicateTick):
            writer.append_many(tick(i) for i in [*range(35, 58), 50])
    with LedgerReader(folder) as reader:
        assert reader.last_tick("run") == tick(54).content()["time"]


def test_threads_may_share_a_writer(folder: Path, signer: Signer) -> None:
    with LedgerWriter(folder, signer) as writer:

        def work(name: str) -> None:
            for step in range(20):
                writer.append(tick(step, run=name))

        threads = [threading.Thread(target=work, args=(f"run{i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert verify(folder).passed
    assert sum(b'"kind":"tick"' in row[3] for row in stored(folder)) == 80


def test_two_writers_and_a_reader_share_one_ledger(
    folder: Path, signer: Signer
) -> None:
    with (
        LedgerWriter(folder, signer) as one,
        LedgerWriter(folder, signer) as two,
        LedgerReader(folder) as reader,
    ):
        before = reader.tail().seq
        for step in range(5):
            one.append(tick(step, "one"))
            two.append(tick(step, "two"))
            assert reader.tail().seq == before + 2 * step + 2
    assert verify(folder).passed


def test_a_writer_that_will_not_let_go_is_named_in_one_sentence(
    folder: Path, signer: Signer
) -> None:
    settings = Settings(timeout_s=0.05)
    with LedgerWriter(folder, signer, settings) as writer:
        said = pytest.raises(InputError, match=r"another process writing.*0\.05 s")
        with hold(folder / "writer.lock", 1.0), said:
            writer.append(tick(0))
        writer.append(tick(0))


def test_a_full_disk_is_said_at_once_and_nothing_is_lost(
    folder: Path, signer: Signer
) -> None:
    kept = 0

    def fill(writer: LedgerWriter) -> None:
        nonlocal kept
        for kept in range(500):
            writer.append(tick(kept))

    with LedgerWriter(folder, signer) as writer:
        pages = writer.connection.execute("PRAGMA page_count").fetchone()[0]
        writer.connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(InputError, match=r"full.*nothing of this batch"):
            fill(writer)
        assert 0 < kept < 500
        writer.connection.execute("PRAGMA max_page_count = 1000000")
        writer.append(tick(kept))
    assert verify(folder).passed
    assert sum(b'"kind":"tick"' in row[3] for row in stored(folder)) == kept + 1


def test_steps_of_the_clock_are_on_record_and_its_passing_is_not(
    folder: Path, signer: Signer
) -> None:
    clock = SetClock()
    settings = Settings(clock=clock.wall())
    with LedgerWriter(folder, signer, settings) as writer:
        for step, seconds in enumerate([300.0, 300.5, 86400.0]):
            clock.go(seconds)
            writer.append(tick(step))
        clock.jump(0.8)
        writer.append(tick(3))
        clock.jump(-3600.0)
        receipt = writer.append_many([tick(4), tick(5)])
        assert receipt is not None
        assert receipt.first_seq == receipt.seq - 1
        clock.jump(7200.0)
        writer.append(tick(6))
    clock.jump(-1800.0)
    write_ticks(folder, signer, 1, settings)
    with LedgerReader(folder) as reader:
        notes = [entry.data for entry in reader.entries(kinds=[Kind.CLOCK])]
    assert [note["step_s"] for note in notes] == [-3600.0, 7200.0, -1800.0]
    assert "backwards by 3600.000 s" in notes[0]["text"]


def test_what_writes_is_on_record_and_again_only_when_it_changes(
    folder: Path, signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def events() -> list[str]:
        with LedgerReader(folder) as reader:
            found = reader.entries(kinds=[Kind.CONFIG, Kind.KEY])
            return [entry.data["event"] for entry in found]

    write_ticks(folder, signer, 1)
    write_ticks(folder, signer, 1)
    assert events() == ["ledger", "software", "signing key"]
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.51.3")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    write_ticks(folder, new_key(tmp_path / "second"), 1)
    assert events()[3:] == ["software", "signing key"]
    with LedgerReader(folder) as reader:
        change = [e.data for e in reader.entries(kinds=[Kind.CONFIG])][-1]
    assert change["new"]["has_wal_reset_bug"] is False
    assert change["old"]["sqlite"] != "3.51.3"


def test_a_file_that_is_no_ledger_is_left_alone(folder: Path, signer: Signer) -> None:
    folder.mkdir()
    path = folder / "ledger.sqlite"
    path.write_bytes(b"These are notes of mine. " * 300)
    with pytest.raises(InputError, match="cannot use"):
        LedgerWriter(folder, signer)
    assert path.read_bytes().startswith(b"These are notes")
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine(x)")
    connection.close()
    before = path.read_bytes()
    for open_it in (lambda: LedgerWriter(folder, signer), lambda: LedgerReader(folder)):
        with pytest.raises(InputError, match="application id 0"):
            open_it()
    assert path.read_bytes() == before
    with pytest.raises(InputError, match=r"found no ledger\.sqlite"):
        LedgerReader(folder / "nowhere")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM ledger WHERE seq > 5", "last signed head, which counts 9"),
        ("UPDATE ledger SET hash = zeroblob(32) WHERE seq = 9", "last signed head"),
        ("UPDATE ledger SET body = body || ' ' WHERE seq = 11", "record 11 was edited"),
        ("DELETE FROM ledger WHERE seq = 10", "record 10 is missing"),
        ("CREATE TRIGGER x AFTER INSERT ON ledger BEGIN SELECT 1; END", "trigger"),
    ],
)
def test_nobody_goes_on_behind_a_damaged_end(
    folder: Path, signer: Signer, damage: str, said: str
) -> None:
    write_ticks(folder, signer, 6)
    write_ticks(folder, None, 3)
    with tampering(folder) as connection:
        connection.execute(damage)
    rows = stored(folder)
    with pytest.raises(InputError, match=said):
        open_ledger(folder, signer)
    assert stored(folder) == rows


def test_a_writer_notices_that_its_own_past_was_rewritten(
    folder: Path, signer: Signer
) -> None:
    with LedgerWriter(folder, signer) as writer:
        writer.append_many(tick(i) for i in range(3))
        with tampering(folder) as connection:
            connection.execute("DELETE FROM ledger WHERE seq > 4")
        for act in (lambda: writer.append(tick(9)), writer.sign):
            with pytest.raises(InputError, match="found another record 6"):
                act()
        writer._close(is_signing=False)


def test_a_reader_says_how_the_ledger_stands(folder: Path, signer: Signer) -> None:
    write_ticks(folder, signer, 2)
    with LedgerWriter(folder, None) as writer, LedgerReader(folder) as reader:
        receipt = writer.append(tick(7))
        status = reader.status()
        assert (status.records, status.hash) == (receipt.seq, receipt.hash)
        assert status.unsigned == 1
        assert status.head is not None
        assert status.head.count == receipt.seq - 1
        assert status.wal_bytes > 0
        with pytest.raises(InputError, match="found no record 99, expected 1 to 6"):
            reader.entry(99)


def test_a_writer_waits_for_one_that_knows_only_sqlites_own_locks(
    folder: Path, signer: Signer
) -> None:
    with LedgerWriter(folder, signer) as writer:
        other = sqlite3.connect(
            folder / "ledger.sqlite", isolation_level=None, check_same_thread=False
        )
        other.execute("BEGIN IMMEDIATE")
        tail = read_tail(other)
        body = canonical(
            tick(0).content() | {"kind": "tick", "recorded": tail.recorded}
        )
        insert(other, follow(tail, [body]))
        later = threading.Timer(0.3, lambda: other.execute("COMMIT"))
        later.start()
        receipt = writer.append(tick(1))
        later.join()
        other.close()
    assert receipt.seq == tail.seq + 2
    assert verify(folder).passed


def test_a_ledger_that_is_being_written_verifies_at_any_moment(
    folder: Path, signer: Signer
) -> None:
    verdicts = []
    is_over = threading.Event()

    def work() -> None:
        with LedgerWriter(folder, signer, Settings(sign_every=3)) as writer:
            step = 0
            while not is_over.is_set():
                writer.append(tick(step))
                step += 1

    with LedgerWriter(folder, signer) as writer:
        writer.append(tick(0, run="before"))
    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(20):
        verdicts.append(verify(folder))
    is_over.set()
    thread.join()
    assert [verdict.findings for verdict in verdicts] == [()] * 20
    assert verdicts[-1].records > verdicts[0].records
