"""Ledgers with ticks, overrides and reviews, for the tests of the override report."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coolbound_envs.spec import CHANNELS, POINT_NAMES
from coolbound_shadow.ledger.keys import Signer
from coolbound_shadow.ledger.records import Override, Record, Refusal, Review, Tick
from coolbound_shadow.ledger.writer import LedgerWriter

START = 1_764_000_000
"""24 November 2025, 16:00 UTC. [s]"""

STEP = 300
OFFSET = 3600
MIDDLE = {c.name: 0.5 * (c.lower + c.upper) for c in CHANNELS}


def step_end(step: int) -> int:
    return START + STEP * (step + 1)


def tick(step: int, kind: str = "", limit: str = "", run: str = "run") -> Tick:
    """Return a tick at which the safety layer kept the chilled water 1 K warmer."""
    observed = dict.fromkeys(POINT_NAMES, 10.0) | {
        name: 24.0 + 0.01 * step for name in POINT_NAMES if "inlet_temp" in name
    }
    shift = 1.0 if kind else 0.0
    given = MIDDLE | {"chw_supply_setpoint": MIDDLE["chw_supply_setpoint"] + shift}
    return Tick(
        run=run,
        time_utc=step_end(step),
        offset=OFFSET,
        observed=observed,
        quality={},
        applied=MIDDLE | {"chw_supply_setpoint": 9.0},
        proposed=MIDDLE,
        certified=given,
        status={"": "PASSED", "fallback": "FALLBACK"}.get(kind, "PROJECTED"),
        rung="hold" if kind == "fallback" else "",
        reason="the policy timed out" if kind == "fallback" else "",
        active={limit: 0.5 - 0.01 * step} if limit else {},
        policy_digest="ab" * 32,
        extra={"limit": limit, "kind": kind},
    )


def bad_reading(made: Tick, point: str) -> Tick:
    return dataclasses.replace(made, quality={point: 1})


def day(kinds: dict[int, str], steps: int = 288) -> list[Tick]:
    """Return a day of ticks, of which some have an intervention."""
    return [
        tick(i, kinds.get(i, ""), "CHWS_BOX" if kinds.get(i) == "limit" else "")
        for i in range(steps)
    ]


def override(
    event: str = "o1", state: str = "started", step: int = 2, **fields: Any
) -> Override:
    """Return a record of an override of the tower fans."""
    given: dict[str, Any] = {
        "point": "tower_fan_speed",
        "value": 0.9,
        "before": 0.5,
        "wanted": 0.6,
        "priority": "8",
        "person": "R. Vega",
        "reason_code": "MAINT",
        "text": "gearbox noise",
        "expiry_utc": START + 86400,
    }
    return Override(
        event=event,
        state=state,
        time_utc=START + STEP * step,
        offset=OFFSET,
        **(given | fields),
    )


BUSY: list[Record] = [
    *day({3: "limit", 4: "limit", 9: "ramp", 40: "fallback", 60: "limit"}),
    override(),
    override(state="ended", step=30),
    override("bare", step=50, person=None, reason_code=None, text=None, wanted=None),
    override("endless", step=70, point="cw_pump_speed", expiry_utc=None),
    override(
        "expired",
        step=71,
        point="chiller_demand",
        expiry_utc=START + 100 * STEP,
        text=None,
    ),
    Refusal("coolbound", "modelled potential", "too few days"),
    Review("engineer", "accept", "o1", (1,), "gearbox <ordered>"),
]
"""A day with one of each."""


def write(
    folder: Path, records: Sequence[Record], signer: Signer | None = None
) -> Path:
    """Begin a ledger, or go on with one."""
    with LedgerWriter(folder, signer) as writer:
        writer.append_many(list(records))
    return folder
