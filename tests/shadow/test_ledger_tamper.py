"""Whatever is done to a ledger behind its back is found, and the place is named.

The guard rails are taken away before and put back after: nothing here is found
because a trigger is missing. The heads that were signed stay, unless said.
"""

import dataclasses
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_ledgers import (
    SetClock,
    change_body,
    new_key,
    rewrite_from,
    tampering,
    tick,
    write_ticks,
)

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.heads import NONE_BEFORE, read_heads
from coolbound_shadow.ledger.keys import (
    PublicKeys,
    load_public,
    load_signer,
    public_path,
)
from coolbound_shadow.ledger.opening import open_ledger
from coolbound_shadow.ledger.seal import seal_closed_days
from coolbound_shadow.ledger.verify import Verdict, verify
from coolbound_shadow.ledger.writing import Settings

SIGN_EVERY = 10
TICKS = 44


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ledger of two sealed days and one open one, all signed."""
    folder = tmp_path_factory.mktemp("whole")
    clock = SetClock()
    chosen = Settings(sign_every=SIGN_EVERY, sign_after_s=1e9, clock=clock.wall())
    signer = new_key(folder)
    for first in (0, TICKS // 2):
        with open_ledger(folder / "ledger", signer, chosen) as writer:
            for step in range(first, first + TICKS // 2):
                writer.append(tick(step))
                clock.go(5000.0)
            seal_closed_days(writer)
    return folder / "ledger"


@pytest.fixture(scope="module")
def keys(whole: Path) -> PublicKeys:
    return load_public([public_path(whole.parent / "key.pem")])


@pytest.fixture(scope="module")
def count(whole: Path) -> int:
    connection = sqlite3.connect(whole / "ledger.sqlite")
    found = connection.execute("SELECT count(*) FROM ledger").fetchone()[0]
    connection.close()
    return found


@contextmanager
def copied(whole: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copytree(whole, Path(folder) / "ledger"))


def places(verdict: Verdict, *whats: str) -> list[int]:
    assert not verdict.passed
    return [each.seq for each in verdict.findings if each.what in whats]


def heads_of(folder: Path) -> list[int]:
    lines = (folder / "heads.jsonl").read_text().splitlines()
    return [json.loads(line)["count"] for line in lines]


def test_the_ledger_itself_passes(whole: Path, keys: PublicKeys, count: int) -> None:
    verdict = verify(whole, keys)
    assert verdict.findings == ()
    assert (verdict.records, verdict.signed) == (count, count)
    assert verdict.seals >= 2
    assert verdict.heads >= 5


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_byte_of_any_record_that_is_edited_is_found_at_its_record(
    whole: Path, keys: PublicKeys, count: int, data: st.DataObject
) -> None:
    seq = data.draw(st.integers(1, count), "record")
    column = data.draw(st.sampled_from(["body", "prev", "hash"]), "column")
    with copied(whole) as folder:
        with tampering(folder) as connection:
            select = f"SELECT CAST({column} AS BLOB) FROM ledger WHERE seq = ?"
            stored = bytearray(connection.execute(select, (seq,)).fetchone()[0])
            place = data.draw(st.integers(0, len(stored) - 1), "byte")
            stored[place] ^= data.draw(st.integers(1, 255), "bits")
            as_type = "CAST(? AS TEXT)" if column == "body" else "?"
            update = f"UPDATE ledger SET {column} = {as_type} WHERE seq = ?"
            connection.execute(update, (bytes(stored), seq))
        verdict = verify(folder, keys)
        assert seq in places(verdict, "edited")
        assert f"record {seq} was edited" in verdict.sentence()


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_records_that_are_deleted_are_named(
    whole: Path, keys: PublicKeys, count: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(1, count - 1), "first")
    last = data.draw(st.integers(first, count - 1), "last")
    with copied(whole) as folder:
        with tampering(folder) as connection:
            between = "DELETE FROM ledger WHERE seq BETWEEN ? AND ?"
            connection.execute(between, (first, last))
        verdict = verify(folder, keys)
        assert places(verdict, "missing") == [first]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_records_that_are_deleted_and_closed_up_are_found(
    whole: Path, keys: PublicKeys, count: int, data: st.DataObject
) -> None:
    gone = data.draw(st.integers(1, count - 1), "deleted")
    with copied(whole) as folder:
        with tampering(folder) as connection:
            connection.execute("DELETE FROM ledger WHERE seq = ?", (gone,))
            for seq in range(gone + 1, count + 1):
                move = "UPDATE ledger SET seq = ? WHERE seq = ?"
                connection.execute(move, (seq - 1, seq))
        assert gone in places(verify(folder, keys), "broken")


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_an_end_that_is_cut_off_is_found(
    whole: Path, keys: PublicKeys, count: int, data: st.DataObject
) -> None:
    last = data.draw(st.integers(0, count - 1), "last kept")
    with copied(whole) as folder:
        with tampering(folder) as connection:
            connection.execute("DELETE FROM ledger WHERE seq > ?", (last,))
        verdict = verify(folder, keys)
        assert last + 1 in places(verdict, "truncated")
        assert f"the ledger ends at {last}" in verdict.sentence()


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_records_that_change_places_are_found(
    whole: Path, keys: PublicKeys, count: int, data: st.DataObject
) -> None:
    one = data.draw(st.integers(1, count - 1), "one")
    two = data.draw(st.integers(one + 1, count), "two")
    is_body_only = data.draw(st.booleans(), "bodies only")
    with copied(whole) as folder:
        with tampering(folder) as connection:
            move = "UPDATE ledger SET seq = ? WHERE seq = ?"
            for new, old in ((-1, one), (one, two), (two, -1)):
                connection.execute(move, (new, old))
            if is_body_only:
                select = "SELECT prev, hash FROM ledger WHERE seq = ?"
                links = [connection.execute(select, (s,)) for s in (one, two)]
                links = [link.fetchone() for link in links]
                blank = "UPDATE ledger SET prev = ? WHERE seq = ?"
                connection.execute(blank, (b"", one))
                for seq, (prev, own) in zip((two, one), links, strict=True):
                    update = "UPDATE ledger SET prev = ?, hash = ? WHERE seq = ?"
                    connection.execute(update, (prev, own, seq))
        found = places(verify(folder, keys), "broken", "edited")
        assert one in found
        assert min(found) == one


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_record_that_is_slipped_in_is_found(
    whole: Path, keys: PublicKeys, count: int, data: st.DataObject
) -> None:
    after = data.draw(st.integers(0, count - 1), "after")
    with copied(whole) as folder:
        with tampering(folder) as connection:
            for seq in range(count, after, -1):
                move = "UPDATE ledger SET seq = ? WHERE seq = ?"
                connection.execute(move, (seq + 1, seq))
            body = '{"kind":"review","recorded":"2026-11-20T10:00:00.000000Z"}'
            insert = "INSERT INTO ledger VALUES (?, zeroblob(31), zeroblob(32), ?)"
            connection.execute(insert, (after + 1, body))
            hide = "UPDATE ledger SET seq = -seq WHERE seq > ?"
            connection.execute(hide, (after + 1,))
            rechain_one(connection, after + 1)
            connection.execute("UPDATE ledger SET seq = -seq WHERE seq < 0")
        # The forged record follows well; what came after it does not follow it.
        assert after + 2 in places(verify(folder, keys), "broken", "edited")


def rechain_one(connection: sqlite3.Connection, seq: int) -> None:
    """Give one record the right links, whatever comes after it."""
    hidden = connection.execute(
        "SELECT seq, prev, hash, body FROM ledger WHERE seq < 0"
    ).fetchall()
    connection.execute("DELETE FROM ledger WHERE seq < 0")
    rewrite_from(connection, seq)
    taken = connection.execute("SELECT prev FROM ledger WHERE seq = ?", (seq,))
    prev = taken.fetchone()[0]
    for row in hidden:
        # The one that stood here names the same predecessor, which must be unique.
        link = b"\x00" if row[1] == prev else row[1]
        insert = "INSERT INTO ledger VALUES (?, ?, ?, ?)"
        connection.execute(insert, (row[0], link, *row[2:]))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_chain_that_is_rewritten_to_its_end_is_found_between_two_heads(
    whole: Path, keys: PublicKeys, count: int, data: st.DataObject
) -> None:
    seq = data.draw(st.integers(1, count), "record")
    has_seals = data.draw(st.booleans(), "sealed files are left")
    with copied(whole) as folder:
        with tampering(folder) as connection:
            change_body(connection, seq)
            rewrite_from(connection, seq)
        if not has_seals:
            shutil.rmtree(folder / "seals")
        verdict = verify(folder, keys)
        before = max([c for c in heads_of(folder) if c < seq], default=0)
        assert before + 1 in places(verdict, "rewritten")
        is_sealed = seq <= max(s for s in sealed_ends(whole))
        if has_seals and is_sealed:
            assert seq in places(verdict, "rewritten")


def sealed_ends(folder: Path) -> list[int]:
    names = [path.stem for path in (folder / "seals").iterdir()]
    return [int(name.rpartition("-")[2]) for name in names]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_ledger_file_that_passes_holds_the_records_that_were_written(
    whole: Path, keys: PublicKeys, data: st.DataObject
) -> None:
    with copied(whole) as folder:
        path = folder / "ledger.sqlite"
        stored = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 3), "flips")):
            place = data.draw(st.integers(0, len(stored) - 1), "byte")
            stored[place] ^= data.draw(st.integers(1, 255), "bits")
        path.write_bytes(stored)
        if verify(folder, keys).passed:
            assert all_rows(folder) == all_rows(whole)


def all_rows(folder: Path) -> list[tuple]:
    connection = sqlite3.connect(folder / "ledger.sqlite")
    rows = connection.execute("SELECT * FROM ledger ORDER BY seq").fetchall()
    connection.close()
    return rows


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_signed_heads_that_are_edited_are_found(
    whole: Path, keys: PublicKeys, data: st.DataObject
) -> None:
    with copied(whole) as folder:
        path = folder / "heads.jsonl"
        stored = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(stored) - 2), "byte")
        stored[place] ^= data.draw(st.integers(1, 255), "bits")
        path.write_bytes(stored)
        assert places(verify(folder, keys), "heads", "signature", "truncated")


def test_heads_that_are_forged_to_fit_a_rewritten_chain_are_found(
    whole: Path, keys: PublicKeys
) -> None:
    with copied(whole) as folder:
        shutil.rmtree(folder / "seals")
        with tampering(folder) as connection:
            change_body(connection, 12)
            rewrite_from(connection, 12)
            rows = dict(connection.execute("SELECT seq, hex(hash) FROM ledger"))
        previous, forged = NONE_BEFORE, []
        for head in read_heads(folder / "heads.jsonl").heads:
            own = rows[head.count].lower()
            head = dataclasses.replace(head, hash=own, previous=previous)
            forged.append(head.line() + "\n")
            previous = head.digest()
        (folder / "heads.jsonl").write_text("".join(forged))
        verdict = verify(folder, keys)
        assert len(places(verdict, "signature")) == len(forged) - 1
        assert not places(verdict, "rewritten", "heads")
        assert "false signature" in verdict.sentence()


def test_heads_that_are_dropped_are_missed(whole: Path, keys: PublicKeys) -> None:
    lines = (whole / "heads.jsonl").read_bytes().splitlines(keepends=True)
    for gone in range(len(lines) - 1):
        with copied(whole) as folder:
            kept = [*lines[:gone], *lines[gone + 1 :]]
            (folder / "heads.jsonl").write_bytes(b"".join(kept))
            assert places(verify(folder, keys), "heads")
    with copied(whole) as folder:
        (folder / "heads.jsonl").unlink()
        assert places(verify(folder, keys), "heads") == [0]
    with copied(whole) as folder:
        (folder / "ledger.sqlite").unlink()
        assert places(verify(folder, keys), "unreadable", "truncated")


def test_heads_kept_elsewhere_find_what_the_folder_alone_cannot(
    whole: Path, keys: PublicKeys, tmp_path: Path, count: int
) -> None:
    away = tmp_path / "away.jsonl"
    shutil.copyfile(whole / "heads.jsonl", away)
    lines = away.read_bytes().splitlines(keepends=True)
    for is_rewritten in (True, False):
        with copied(whole) as folder:
            (folder / "heads.jsonl").write_bytes(lines[0])
            shutil.rmtree(folder / "seals")
            with tampering(folder) as connection:
                if is_rewritten:
                    change_body(connection, 12)
                    rewrite_from(connection, 12)
                else:
                    connection.execute("DELETE FROM ledger WHERE seq > 12")
            inside = verify(folder, keys, max_unsigned=count)
            assert not places_of(inside, "rewritten", "truncated")
            verdict = verify(folder, keys, [away])
            assert places(verdict, "rewritten" if is_rewritten else "truncated")
            assert places(verdict, "heads") == [json.loads(lines[1])["count"]]


def places_of(verdict: Verdict, *whats: str) -> list[int]:
    return [each.seq for each in verdict.findings if each.what in whats]


def test_a_ledger_replaced_as_a_whole_needs_a_key_that_one_holds(
    whole: Path, keys: PublicKeys, tmp_path: Path
) -> None:
    with copied(whole) as folder:
        shutil.rmtree(folder)
        write_ticks(folder, new_key(tmp_path), 20)
        trusting = verify(folder)
        assert trusting.passed
        assert "--trust" in trusting.notes[0]
        verdict = verify(folder, keys)
        assert places(verdict, "signature")
        verdict = verify(folder, None, [whole / "heads.jsonl"])
        assert not verdict.passed
    # The same key, another ledger: its heads are not this one's.
    with copied(whole) as folder:
        second = tmp_path / "second"
        write_ticks(second, load_signer(whole.parent / "key.pem"), 60)
        shutil.copyfile(second / "ledger.sqlite", folder / "ledger.sqlite")
        assert "replaced from its first record on" in verify(folder, keys).sentence()


def test_what_came_after_the_last_head_is_counted_and_bounded(
    whole: Path, keys: PublicKeys, count: int
) -> None:
    with copied(whole) as folder:
        write_ticks(folder, None, 30)
        verdict = verify(folder, keys)
        assert verdict.passed
        assert "30 records not signed yet" in verdict.sentence()
        strict = verify(folder, keys, max_unsigned=29)
        assert places(strict, "unsigned") == [count + 1]
        assert verify(folder, keys, max_unsigned=30).passed


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TRIGGER no_delete",
        "DROP INDEX one_tick",
        "CREATE TABLE extra(x)",
        "CREATE VIEW ticks AS SELECT * FROM ledger",
    ],
)
def test_guard_rails_that_are_changed_are_found(
    whole: Path, keys: PublicKeys, damage: str
) -> None:
    with copied(whole) as folder:
        connection = sqlite3.connect(folder / "ledger.sqlite")
        connection.execute(damage)
        connection.close()
        assert places(verify(folder, keys), "schema") == [0]


def test_an_index_that_hides_a_record_from_readers_is_found(
    whole: Path, keys: PublicKeys
) -> None:
    with copied(whole) as folder:
        with tampering(folder) as connection:
            connection.execute("CREATE INDEX by_kind ON ledger(hex(hash))")
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(
                "UPDATE sqlite_master SET sql = (SELECT sql FROM sqlite_master "
                "WHERE name = 'by_kind') WHERE name = 'by_kind'"
            )
            sql = "CREATE INDEX by_kind ON ledger(json_extract(body, '$.kind'))"
            update = "UPDATE sqlite_master SET sql = ? WHERE name = 'by_kind'"
            connection.execute(update, (sql,))
        verdict = verify(folder, keys)
        assert places(verdict, "unreadable") == [0]
        assert "index by_kind" in verdict.sentence()


def test_there_must_be_a_ledger_to_verify(tmp_path: Path, whole: Path) -> None:
    with pytest.raises(InputError, match="expected the folder of a ledger"):
        verify(tmp_path)
    with pytest.raises(InputError, match="signed heads, one in every line"):
        verify(whole, None, [tmp_path / "gone.jsonl"])


@pytest.mark.parametrize("body", ['{"kind":"wish"}', '["kind"]', "{}", '{"kind":1}'])
def test_a_record_that_says_nothing_is_found_though_it_is_chained(
    whole: Path, keys: PublicKeys, count: int, body: str
) -> None:
    with copied(whole) as folder:
        with tampering(folder) as connection:
            insert = "INSERT INTO ledger VALUES (?, zeroblob(31), zeroblob(32), ?)"
            connection.execute(insert, (count + 1, body))
            rewrite_from(connection, count + 1)
        verdict = verify(folder, keys)
        assert places(verdict, "edited") == [count + 1]
        assert "says nothing that a ledger holds" in verdict.sentence()
