"""Signed heads, and the keys that sign them."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from made_ledgers import SetClock, new_key, tick, write_ticks

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.heads import Head, parse_head, read_heads
from coolbound_shadow.ledger.keys import (
    Signer,
    load_public,
    load_signer,
    make_key,
    public_path,
)
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.ledger.writer import LedgerWriter
from coolbound_shadow.ledger.writing import Settings


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def counts(folder: Path) -> list[int]:
    return [head.count for head in read_heads(folder / "heads.jsonl").heads]


def test_a_head_is_an_ed25519_signature_that_anyone_can_check(
    folder: Path, signer: Signer
) -> None:
    write_ticks(folder, signer, 3)
    public = load_pem_public_key(public_path(signer.path).read_bytes())
    lines = (folder / "heads.jsonl").read_text().splitlines()
    with LedgerReader(folder) as reader:
        for line in lines:
            fields = json.loads(line)
            signature = bytes.fromhex(fields.pop("signature"))
            text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
            public.verify(  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
                signature, b"coolbound ledger head\n" + text.encode()
            )
            entry = reader.entry(fields["count"])
            assert fields["hash"] == entry.hash.hex()
            assert fields["ledger"] == reader.entry(1).data["new"]["id"]


def test_a_ledger_has_a_head_from_its_first_records_on(
    folder: Path, signer: Signer
) -> None:
    with LedgerWriter(folder, signer):
        assert counts(folder) == [3]


def test_a_head_is_signed_after_so_many_records_and_at_the_end(
    folder: Path, signer: Signer
) -> None:
    with LedgerWriter(folder, signer, Settings(sign_every=10)) as writer:
        for step in range(25):
            writer.append(tick(step))
        assert counts(folder) == [3, 13, 23]
    assert counts(folder) == [3, 13, 23, 28]


def test_a_head_is_signed_after_so_much_time(folder: Path, signer: Signer) -> None:
    clock = SetClock()
    settings = Settings(sign_after_s=3600.0, clock=clock.wall())
    with LedgerWriter(folder, signer, settings) as writer:
        for step in range(25):
            clock.go(300.0)
            writer.append(tick(step))
        assert counts(folder) == [3, 15, 27]


def test_nothing_new_is_not_signed_twice(folder: Path, signer: Signer) -> None:
    with LedgerWriter(folder, signer) as writer:
        first = writer.sign()
        assert writer.sign() == first
    write_ticks(folder, signer, 0)
    assert counts(folder) == [3]


def test_a_writer_without_a_key_leaves_signing_to_the_next(
    folder: Path, signer: Signer
) -> None:
    write_ticks(folder, None, 4)
    assert not verify(folder).passed
    write_ticks(folder, signer, 0)
    assert counts(folder) == [7]
    assert verify(folder).passed


def test_a_line_that_a_crash_cut_short_gives_way_to_the_next(
    folder: Path, signer: Signer
) -> None:
    write_ticks(folder, signer, 2)
    path = folder / "heads.jsonl"
    whole = path.read_bytes()
    last = whole.splitlines()[-1]
    for torn in (last[:1], last[:100], last, b"\0" * 4000):
        path.write_bytes(whole + torn)
        verdict = verify(folder)
        assert verdict.passed
        assert "not finished" in verdict.notes[0]
    write_ticks(folder, signer, 1)
    assert counts(folder) == [3, 5, 6]
    assert verify(folder).notes[0].startswith("the keys")
    assert path.read_bytes().startswith(whole)
    path.write_bytes(whole + b"{}\n")
    with pytest.raises(InputError, match="no signed head"):
        LedgerWriter(folder, signer)


def test_only_the_text_that_was_signed_is_a_head(folder: Path, signer: Signer) -> None:
    write_ticks(folder, signer, 1)
    line = (folder / "heads.jsonl").read_text().splitlines()[0]
    assert isinstance(parse_head(line), Head)
    fields = json.loads(line)
    wrong = [
        json.dumps(fields),
        line.replace("head/1", "head/2"),
        line.replace('"count":3', '"count":"3"'),
        line.replace('"count":3', '"count":0'),
        line.replace('"count":3', '"count":3,"more":1'),
        "[]",
        "",
    ]
    assert [parse_head(text) for text in wrong] == [None] * len(wrong)


def test_a_private_key_is_for_its_owner_alone_and_never_replaced(
    tmp_path: Path,
) -> None:
    path = tmp_path / "keys" / "mine.pem"
    signer = make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert load_signer(path).key == signer.key
    assert list(load_public([public_path(path)])) == [signer.key]
    before = path.read_bytes()
    with pytest.raises(InputError, match="never replaced"):
        make_key(path)
    assert path.read_bytes() == before
    path.chmod(0o640)
    with pytest.raises(InputError, match="mode 640, expected 600"):
        load_signer(path)


def test_what_is_no_key_is_refused(tmp_path: Path, signer: Signer) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_signer(tmp_path / "gone.pem")
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("hello")
    wrong.chmod(0o600)
    for read in (load_signer, lambda path: load_public([path])):
        with pytest.raises(InputError, match="Ed25519"):
            read(wrong)
    public_path(signer.path).chmod(0o600)
    with pytest.raises(InputError, match="no private"):
        load_signer(public_path(signer.path))


def test_the_private_key_stands_nowhere_in_the_ledger_and_is_not_printed(
    folder: Path, signer: Signer
) -> None:
    write_ticks(folder, signer, 3)
    secret = signer.path.read_text().splitlines()[1]
    raw = signer.private.private_bytes_raw()
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert secret.encode() not in data
            assert raw not in data
            assert raw.hex().encode() not in data
    assert "Ed25519" not in repr(signer)
    folder.mkdir(exist_ok=True)
    inside = make_key(folder / "key.pem")
    with pytest.raises(InputError, match="inside the ledger's folder"):
        LedgerWriter(folder, inside)
