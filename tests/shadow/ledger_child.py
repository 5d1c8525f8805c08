"""A process that writes ticks until it is killed, and says what was acknowledged.

Arguments: the ledger, the private key, its own run, and when the test began: from
then on a day of its clock passes in a second, so that days close and are sealed.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from made_ledgers import tick

from coolbound_shadow.ledger.clock import WallClock
from coolbound_shadow.ledger.keys import load_signer
from coolbound_shadow.ledger.opening import open_ledger
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.seal import seal_closed_days
from coolbound_shadow.ledger.writing import DuplicateTick, Settings

START = datetime(2025, 1, 1, tzinfo=UTC)
SPEED = 86400.0
"""How fast the clock goes. [1]"""

SHARED = "both"
"""A run that both writers write, so that they meet."""


def main(folder: Path, key: Path, run: str, begin: float) -> None:
    def passed() -> float:
        return SPEED * (time.time() - begin)

    clock = WallClock(lambda: START + timedelta(seconds=passed()), passed)
    chosen = Settings(sign_every=20, batch=5, clock=clock)
    opened = time.perf_counter()
    with open_ledger(folder, load_signer(key), chosen) as writer:
        say("open", time.perf_counter() - opened)
        own, both = next_step(folder, run), next_step(folder, SHARED)
        while True:
            receipt = writer.append(tick(own, run))
            say("ack", receipt.seq, receipt.hash)
            receipt = writer.append_many(tick(own + i, run) for i in range(1, 8))
            assert receipt is not None
            say("ack", receipt.seq, receipt.hash)
            own += 8
            try:
                receipt = writer.append(tick(both, SHARED))
                say("ack", receipt.seq, receipt.hash)
            except DuplicateTick:
                say("met", both)
            both += 1
            if own % 5 == 0:
                seal_closed_days(writer)


def next_step(folder: Path, run: str) -> int:
    with LedgerReader(folder) as reader:
        last = reader.last_tick(run)
    if last is None:
        return 0
    first = datetime.fromisoformat(tick(0).content()["time"])
    return int((datetime.fromisoformat(last) - first).total_seconds()) // 300 + 1


def say(*words: object) -> None:
    print(*words, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
