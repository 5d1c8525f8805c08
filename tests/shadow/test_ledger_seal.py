"""Closed days stand in Parquet files that the chain vouches for."""

import hashlib
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_ledgers import SetClock, new_key, tampering, tick

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.keys import Signer
from coolbound_shadow.ledger.opening import open_ledger
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.ledger.seal import seal_closed_days
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.ledger.writer import LedgerWriter
from coolbound_shadow.ledger.writing import Settings

DAY = 86400.0


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def write_days(
    folder: Path, signer: Signer, clock: SetClock, days: int, first: int = 0
) -> None:
    """Append four ticks a day; the last day is not over."""
    with open_ledger(folder, signer, Settings(clock=clock.wall())) as writer:
        for step in range(4 * days):
            writer.append(tick(first + step))
            if step < 4 * days - 1:
                clock.go(DAY / 4)
        seal_closed_days(writer)


def seals(folder: Path) -> list[dict]:
    with LedgerReader(folder) as reader:
        return [entry.data for entry in reader.entries(kinds=[Kind.SEAL])]


def test_a_seal_names_a_file_that_holds_the_days_records_byte_for_byte(
    folder: Path, signer: Signer, clock: SetClock
) -> None:
    write_days(folder, signer, clock, 3)
    found = seals(folder)
    # Starting at ten in the morning, the first day has three ticks of six hours.
    assert [seal["day"] for seal in found][:2] == ["2025-06-10", "2025-06-11"]
    before = 0
    with LedgerReader(folder) as reader:
        for seal in found:
            path = folder / "seals" / seal["file"]
            assert hashlib.sha256(path.read_bytes()).hexdigest() == seal["sha256"]
            rows = pq.read_table(path).to_pylist()
            assert seal["first_seq"] == before + 1
            assert seal["rows"] == len(rows)
            for row, entry in zip(
                rows, reader.entries(seal["first_seq"], seal["last_seq"]), strict=True
            ):
                assert (row["seq"], row["prev"], row["hash"], row["body"]) == (
                    entry.seq,
                    entry.prev,
                    entry.hash,
                    entry.body,
                )
                assert row["kind"] == entry.data["kind"]
                assert f"{row['recorded']:%Y-%m-%d}" == seal["day"]
            assert seal["last_hash"] == rows[-1]["hash"].hex()
            before = seal["last_seq"]
    compressions = {
        pq.ParquetFile(folder / "seals" / seal["file"])
        .metadata.row_group(0)
        .column(5)
        .compression
        for seal in found
    }
    assert compressions == {"ZSTD"}
    assert verify(folder).passed


def test_the_day_that_is_not_over_is_not_sealed(
    folder: Path, signer: Signer, clock: SetClock
) -> None:
    write_days(folder, signer, clock, 1)
    assert f"{clock.time:%Y-%m-%d}" == "2025-06-11"
    assert [seal["day"] for seal in seals(folder)] == ["2025-06-10"]
    with open_ledger(folder, signer, Settings(clock=clock.wall())) as writer:
        assert seal_closed_days(writer) == []
    clock.go(DAY)
    open_ledger(folder, signer, Settings(clock=clock.wall())).close()
    assert [seal["day"] for seal in seals(folder)] == ["2025-06-10", "2025-06-11"]


def test_a_start_clears_what_a_crash_left_and_seals_what_is_missing(
    folder: Path, signer: Signer, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(folder, signer, clock, 1)
    clock.go(DAY)
    (folder / "seals" / ".aside-2025-06-11_4-9.parquet").write_bytes(b"half")
    with monkeypatch.context() as broken:

        def crash(*_: object) -> None:
            raise KeyboardInterrupt

        broken.setattr(os, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            open_ledger(folder, signer, Settings(clock=clock.wall()))
    assert len(seals(folder)) == 1
    assert verify(folder).passed
    open_ledger(folder, signer, Settings(clock=clock.wall())).close()
    assert len(seals(folder)) == 2
    assert not list((folder / "seals").glob(".*"))
    assert verify(folder).passed


def test_a_file_whose_seal_a_crash_kept_away_is_sealed_at_the_next_start(
    folder: Path, signer: Signer, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(folder, signer, clock, 1)
    clock.go(DAY)
    with monkeypatch.context() as broken:

        def crash(*_: object) -> None:
            raise KeyboardInterrupt

        broken.setattr(LedgerWriter, "append", crash)
        with pytest.raises(KeyboardInterrupt):
            open_ledger(folder, signer, Settings(clock=clock.wall()))
    files = sorted(path.name for path in (folder / "seals").iterdir())
    assert len(files) == 2
    assert verify(folder).passed
    open_ledger(folder, signer, Settings(clock=clock.wall())).close()
    assert sorted(seal["file"] for seal in seals(folder)) == files
    assert verify(folder).passed


def test_a_clock_set_back_over_midnight_costs_no_record(
    folder: Path, signer: Signer, clock: SetClock
) -> None:
    write_days(folder, signer, clock, 1)
    with open_ledger(folder, signer, Settings(clock=clock.wall())) as writer:
        clock.jump(-DAY)
        writer.append(tick(50))
        clock.jump(100 * DAY)
        writer.append(tick(51))
        clock.jump(-99 * DAY)
        writer.append(tick(52))
        clock.go(DAY)
        seal_closed_days(writer)
    spans = [(seal["first_seq"], seal["last_seq"]) for seal in seals(folder)]
    assert [first for first, _ in spans] == [1] + [last + 1 for _, last in spans[:-1]]
    assert verify(folder).passed


def test_short_reads_leave_nothing_out(
    folder: Path, signer: Signer, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("walk", "reader", "seal"):
        monkeypatch.setattr(f"coolbound_shadow.ledger.{module}.CHUNK", 3)
    write_days(folder, signer, clock, 5)
    with LedgerReader(folder) as reader:
        end = reader.tail().seq
        assert [e.seq for e in reader.entries()] == list(range(1, end + 1))
        assert [e.seq for e in reader.entries(4, 11)] == list(range(4, 12))
        ticks = [e.data["time"] for e in reader.entries(kinds=[Kind.TICK])]
    assert ticks == [tick(step).content()["time"] for step in range(20)]
    found = seals(folder)
    assert found[-1]["last_seq"] == sum(seal["rows"] for seal in found)
    verdict = verify(folder)
    assert (verdict.findings, verdict.records) == ((), end)
    with tampering(folder) as connection:
        connection.execute("UPDATE ledger SET hash = zeroblob(32) WHERE seq = 17")
    assert "record 17 was edited" in verify(folder).sentence()


def test_a_full_disk_while_sealing_is_one_sentence_and_loses_nothing(
    folder: Path, signer: Signer, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(folder, signer, clock, 1)
    clock.go(DAY)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("coolbound_shadow.ledger.seal.write_entries", full)
        with pytest.raises(InputError, match="No space left on device while sealing"):
            open_ledger(folder, signer, Settings(clock=clock.wall()))
    assert verify(folder).passed


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "swap"])
def test_a_sealed_file_that_was_touched_is_found(
    folder: Path, signer: Signer, clock: SetClock, damage: str
) -> None:
    write_days(folder, signer, clock, 3)
    first, second = sorted((folder / "seals").iterdir())[:2]
    data = bytearray(first.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        first.write_bytes(data)
    elif damage == "cut":
        first.write_bytes(data[:-100])
    elif damage == "gone":
        first.unlink()
    else:
        first.write_bytes(second.read_bytes())
    verdict = verify(folder)
    assert not verdict.passed
    assert verdict.findings[0].what == "seal"
    assert first.name in verdict.findings[0].sentence


def test_a_sealed_file_tells_which_record_was_rewritten_or_cut_off(
    folder: Path, signer: Signer, clock: SetClock
) -> None:
    write_days(folder, signer, clock, 3)
    with tampering(folder) as connection:
        connection.execute("UPDATE ledger SET hash = zeroblob(32) WHERE seq = 7")
    found = {(each.what, each.seq) for each in verify(folder).findings}
    assert ("rewritten", 7) in found
    with tampering(folder) as connection:
        connection.execute("DELETE FROM ledger WHERE seq > 5")
    (folder / "heads.jsonl").unlink()
    found = {(each.what, each.seq) for each in verify(folder).findings}
    assert ("truncated", 6) in found
