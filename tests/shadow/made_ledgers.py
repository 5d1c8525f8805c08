"""Small ledgers for the tests, a clock that obeys, and hands that tamper."""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coolbound_shadow.ledger.clock import WallClock
from coolbound_shadow.ledger.keys import Signer, make_key
from coolbound_shadow.ledger.records import Tick
from coolbound_shadow.ledger.writer import LedgerWriter
from coolbound_shadow.ledger.writing import Settings

START = datetime(2025, 6, 10, 10, tzinfo=UTC)


class SetClock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.time = START
        self.seconds = 0.0

    def go(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.seconds += seconds

    def jump(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def wall(self) -> WallClock:
        return WallClock(lambda: self.time, lambda: self.seconds)


def tick(step: int, run: str = "run") -> Tick:
    return Tick(
        run=run,
        time_utc=1_764_000_000 + 300 * step,
        offset=3600,
        observed={"it_power_hall1": 1000.5 + step, "wet_bulb": None},
        quality={"wet_bulb": 0},
        applied={"cw_pump_speed": 0.7},
        proposed={"cw_pump_speed": 0.6},
        certified={"cw_pump_speed": 0.65},
        status="PROJECTED",
        rung="",
        reason="",
        active={"inlet": 0.25},
        policy_digest="ab" * 32,
        latency_s=0.004,
    )


def write_ticks(
    folder: Path, signer: Signer | None, ticks: int, settings: Settings | None = None
) -> None:
    """Begin or go on with a ledger, one tick at a time."""
    with LedgerWriter(folder, signer, settings) as writer:
        done = writer.connection.execute("SELECT count(*) FROM ledger").fetchone()[0]
        for step in range(ticks):
            writer.append(tick(done + step))


def new_key(folder: Path) -> Signer:
    return make_key(folder / "key.pem")


@contextlib.contextmanager
def tampering(folder: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that may do anything, and put the guard rails back.

    Verification must not lean on a trigger that is missing: who drops them can
    make them again.
    """
    connection = sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)
    select = "SELECT type, name, sql FROM sqlite_master WHERE type <> 'table'"
    # Nobody pulls the plug on a test, and each has many of these.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    rails = [row for row in connection.execute(select) if row[2]]
    for kind, name, _ in rails:
        connection.execute(f"DROP {kind} {name}")
    yield connection
    for _, _, sql in rails:
        with contextlib.suppress(sqlite3.DatabaseError):
            connection.execute(sql)
    connection.execute("COMMIT")
    connection.close()


def rewrite_from(connection: sqlite3.Connection, first: int) -> None:
    """Chain all records again from one on, as one would who knows how."""
    select = "SELECT seq, prev, hash, body FROM ledger ORDER BY seq"
    rows = connection.execute(select).fetchall()
    connection.execute("DELETE FROM ledger WHERE seq >= ?", (first,))
    prev = bytes(32) if first == 1 else next(r[2] for r in rows if r[0] == first - 1)
    for seq, _, _, body in rows:
        if seq >= first:
            own = hashlib.sha256(prev + body.encode()).digest()
            connection.execute(
                "INSERT INTO ledger VALUES (?, ?, ?, ?)", (seq, prev, own, body)
            )
            prev = own


def change_body(connection: sqlite3.Connection, seq: int) -> None:
    """Let a record say something else, in good form."""
    select = "SELECT body FROM ledger WHERE seq = ?"
    data = json.loads(connection.execute(select, (seq,)).fetchone()[0])
    data["reason"] = "as agreed"
    body = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    connection.execute("UPDATE ledger SET body = ? WHERE seq = ?", (body, seq))
