"""What appending and verifying cost: measured and printed, never judged.

pytest -m long -s tests/shadow/test_ledger_speed.py
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from made_ledgers import SetClock, new_key

from coolbound_shadow.ledger.bench import measure_append, wide_tick
from coolbound_shadow.ledger.opening import open_ledger
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.ledger.writing import Settings

SINGLE = 3000
YEAR = 105_120
"""Control steps of 5 min in a year. [1]"""


@pytest.mark.long
def test_a_year_of_decisions_is_appended_resumed_sealed_and_verified(
    tmp_path: Path,
) -> None:
    chance = np.random.default_rng(0)
    folder, signer = tmp_path / "ledger", new_key(tmp_path)
    singles = []
    print()
    with open_ledger(folder, signer) as writer:
        for step in range(SINGLE):
            tick = wide_tick(step, chance)
            begin = time.perf_counter()
            writer.append(tick)
            singles.append(time.perf_counter() - begin)
        ticks = [wide_tick(step, chance) for step in range(SINGLE, SINGLE + YEAR)]
        measure("append_many", lambda: writer.append_many(ticks))
    p50, p99 = np.quantile(singles, [0.5, 0.99]) * 1e3
    print(f"append: p50 {p50:.2f} ms, p99 {p99:.2f} ms, worst {max(singles) * 1e3:.0f}")
    measure("resume", lambda: open_ledger(folder, signer).close())
    measure("verify", lambda: require_sound(folder))
    clock = SetClock()
    clock.time = datetime.now(UTC) + timedelta(days=1)
    tomorrow = Settings(clock=clock.wall())
    measure("seal", lambda: open_ledger(folder, signer, tomorrow).close())
    measure("verify with the seal", lambda: require_sound(folder))
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


def test_the_bench_of_appends_says_how_long_they_took(tmp_path: Path) -> None:
    found = measure_append(20, tmp_path)
    assert found["appends"] == 20
    assert found["synchronous"] == "full"
    assert 0.0 < found["p50_ms"] <= found["p99_ms"] <= found["worst_ms"]
    assert list(tmp_path.iterdir()) == []


def measure(what: str, act: Callable[[], object]) -> None:
    begin, work = time.perf_counter(), time.process_time()
    act()
    wall, work = time.perf_counter() - begin, time.process_time() - work
    print(f"{what}: {wall:.2f} s, {work:.2f} CPU s for {SINGLE + YEAR:,} records")


def require_sound(folder: Path) -> None:
    assert verify(folder).findings == ()
