"""Two writers, killed again and again: what was acknowledged is there, once."""

import dataclasses
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_ledgers import new_key, tick

from coolbound_shadow.ledger.keys import load_public, load_signer, public_path
from coolbound_shadow.ledger.opening import open_ledger
from coolbound_shadow.ledger.verify import verify

CHILD = Path(__file__).parent / "ledger_child.py"
LIVES_S = 0.4
"""A writer is killed at a random moment up to this after its first record. [s]"""


@dataclasses.dataclass
class Told:
    """What the writers said before they died."""

    records: dict[int, str] = dataclasses.field(default_factory=dict)
    openings: list[float] = dataclasses.field(default_factory=list)
    met: int = 0

    def hear(self, text: str) -> None:
        # A line that the kill cut short was not said.
        for line in text[: text.rfind("\n") + 1].splitlines():
            word, *rest = line.split()
            if word == "ack":
                self.records[int(rest[0])] = rest[1]
            elif word == "open":
                self.openings.append(float(rest[0]))
            else:
                self.met += 1


def rounds(folder: Path, times: int, seed: int) -> Told:
    """Start two writers, kill both at random moments, and so on."""
    chance = random.Random(seed)
    key = new_key(folder.parent).path
    begin = time.time()
    told = Told()
    for turn in range(times):
        writers = [start(folder, key, f"run{i}", begin) for i in range(2)]
        try:
            # One is at work for sure; the other may still be opening, or waiting.
            output = writers[turn % 2].stdout
            first = output.readline() if output else ""
            for writer in chance.sample(writers, 2):
                time.sleep(chance.uniform(0.0, LIVES_S))
                writer.send_signal(signal.SIGKILL)
        finally:
            heard = [bury(writer) for writer in writers]
        told.hear(first)
        for text in heard:
            told.hear(text)
    return told


def start(folder: Path, key: Path, run: str, begin: float) -> subprocess.Popen[str]:
    words = [sys.executable, CHILD, folder, key, run, begin]
    return subprocess.Popen(
        [str(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bury(writer: subprocess.Popen[str]) -> str:
    """Return what a killed writer had said."""
    writer.kill()
    out, err = writer.communicate()
    assert err == ""
    assert writer.returncode == -signal.SIGKILL
    return out


def check(folder: Path, told: Told) -> None:
    key = folder.parent / "key.pem"
    public = load_public([public_path(key)])
    assert verify(folder, public, max_unsigned=100).findings == ()
    opened = time.perf_counter()
    open_ledger(folder, load_signer(key)).close()
    told.openings.append(time.perf_counter() - opened)
    verdict = verify(folder, public, max_unsigned=0)
    assert verdict.findings == ()
    assert verdict.seals >= 2
    assert not list((folder / "seals").glob(".*"))
    check_rows(folder, told)


def check_rows(folder: Path, told: Told) -> None:
    connection = sqlite3.connect(folder / "ledger.sqlite")
    rows = connection.execute("SELECT seq, hex(hash), body FROM ledger").fetchall()
    connection.close()
    stored = {seq: own.lower() for seq, own, _ in rows}
    assert {seq: stored.get(seq) for seq in told.records} == told.records
    data = [json.loads(body) for _, _, body in rows]
    ticks = [(each["run"], each["time"]) for each in data if each["kind"] == "tick"]
    assert len(ticks) == len(set(ticks))
    assert {run for run, _ in ticks} == {"run0", "run1", "both"}
    for run in ("run0", "run1", "both"):
        # Each went on where it had stopped: no gap and no step back.
        times = [moment for name, moment in ticks if name == run]
        assert times == [tick(step).content()["time"] for step in range(len(times))]


def test_five_rounds_of_kill_lose_nothing(tmp_path: Path) -> None:
    told = rounds(tmp_path / "ledger", 5, seed=1)
    assert len(told.records) > 5
    check(tmp_path / "ledger", told)


@pytest.mark.long
def test_a_hundred_rounds_of_kill_lose_nothing(tmp_path: Path) -> None:
    told = rounds(tmp_path / "ledger", 100, seed=2)
    assert len(told.records) > 100
    check(tmp_path / "ledger", told)
    print(f"{len(told.records)} acknowledgements, {told.met} meetings, openings:")
    print(f"slowest {max(told.openings):.2f} s of {len(told.openings)}")
