"""The computer's clock, watched: a step of it becomes a record of its own."""

import dataclasses
import time
from collections.abc import Callable
from datetime import UTC, datetime

from coolbound_shadow.ledger.body import instant
from coolbound_shadow.ledger.upkeep import ClockNote

STEP_S = 1.0
"""A smaller difference is drift that the system steers away. [s]"""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclasses.dataclass(frozen=True)
class WallClock:
    """Two clocks of one computer. Static.

    Attributes:
        now: Tells the time; it can be set, and jump.
        steady: Tells seconds since some moment; it only runs forwards.
    """

    now: Callable[[], datetime] = _now
    steady: Callable[[], float] = time.monotonic


@dataclasses.dataclass(frozen=True)
class Reading:
    """Both clocks at one moment. Static.

    Attributes:
        now: The time.
        steady: Seconds since some moment. [s]
    """

    now: datetime
    steady: float


def read(clock: WallClock) -> Reading:
    """Return both clocks now."""
    return Reading(clock.now(), clock.steady())


def clock_note(
    found: Reading, before: Reading | None, recorded: str
) -> ClockNote | None:
    """Return a note where the clock was set since the last record, else None.

    Args:
        found: Both clocks now.
        before: Both clocks at this writer's last record, None for its first.
        recorded: When any writer's last record was written; empty for none.
    """
    step, than = 0.0, "the last record"
    if before is not None:
        step = (found.now - before.now).total_seconds()
        step -= found.steady - before.steady
        than = "a clock that cannot be set"
    if abs(step) <= STEP_S and recorded:
        step = min(0.0, (found.now - instant(recorded)).total_seconds())
        than = "the last record"
    if abs(step) <= STEP_S:
        return None
    way = "forwards" if step > 0 else "backwards"
    text = f"the clock moved {way} by {abs(step):.3f} s against {than}"
    return ClockNote("this host", round(step, 6), text)
