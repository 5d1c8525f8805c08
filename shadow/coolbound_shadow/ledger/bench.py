"""How long an append takes that is on the disk before it returns."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, POINT_NAMES
from coolbound_shadow.ledger.keys import make_key
from coolbound_shadow.ledger.opening import open_ledger
from coolbound_shadow.ledger.records import Tick

APPENDS = 2000
"""Records that are appended one by one. [rows]"""

FIRST_UTC = 1_700_000_000
"""End of the first step. [s]"""

STEP_S = 300


def measure_append(
    appends: int = APPENDS, folder: Path | None = None
) -> dict[str, Any]:
    """Return how long single appends with full synchronisation took.

    Each is a tick as wide as a site with every point, in a commit of its own.

    Args:
        appends: How many. [rows]
        folder: Where the ledger is made, on the disk that is measured; None for the
            system's folder of temporary files.
    """
    chance = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        signer = make_key(Path(name) / "key.pem")
        took = []
        with open_ledger(Path(name) / "ledger", signer) as ledger:
            for step in range(appends):
                tick = wide_tick(step, chance)
                begin = time.perf_counter()
                ledger.append(tick)
                took.append(1e3 * (time.perf_counter() - begin))
    p50, p99 = np.quantile(took, [0.5, 0.99])
    return {
        "appends": appends,
        "synchronous": "full",
        "p50_ms": round(float(p50), 3),
        "p99_ms": round(float(p99), 3),
        "worst_ms": round(max(took), 3),
    }


def wide_tick(step: int, chance: np.random.Generator) -> Tick:
    """Return a tick as wide as a site with every point."""

    def numbers(names: tuple[str, ...]) -> dict[str, float | None]:
        return dict(zip(names, chance.normal(20.0, 5.0, len(names)), strict=True))

    return Tick(
        run="year",
        time_utc=FIRST_UTC + STEP_S * step,
        offset=3600,
        observed=numbers(POINT_NAMES),
        quality={},
        applied=numbers(CHANNEL_NAMES),
        proposed=numbers(CHANNEL_NAMES),
        certified=numbers(CHANNEL_NAMES),
        status="PROJECTED",
        rung="",
        reason="",
        active={"inlet_hall1": 0.31},
        policy_digest="ab" * 32,
        latency_s=0.004,
    )
