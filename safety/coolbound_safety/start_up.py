"""What the filter does once, before its first decision: compile, and prove itself."""

import gc
from typing import Final

import numpy as np

from coolbound_envs.spec import ACTION_SIZE
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.types import Envelope, SolverFailureError, to_unit64

KNOWN_TOLERANCE: Final = 1e-6
"""A known answer may be missed by this. [1]"""


def warm_up(safety_filter: SafetyFilter, rows: int) -> None:
    """Compile both solvers for so many rows, and check two known answers.

    Args:
        safety_filter: Keeps what was compiled.
        rows: Rows of the envelopes to come, at least 2. [1]

    Raises:
        ValueError: There are fewer than two rows.
        SolverFailureError: A known answer was missed, or was not certified.
    """
    if rows < 2:
        raise ValueError(f"warm_up: found {rows} row(s), expected at least 2")
    for floor, slack in ((0.1, 0.0), (0.4, 0.15)):
        found = safety_filter.decide_unit(*_known(rows, floor))
        answer = np.where(np.arange(ACTION_SIZE) == 0, 0.25, 0.5)
        excess = np.where(np.arange(rows) == 1, slack, 0.0)
        missed = max(
            float(np.max(np.abs(to_unit64(found.action) - answer))),
            float(np.max(np.abs(found.certificate.slack - excess))),
        )
        if not (found.certificate.is_certified and missed <= KNOWN_TOLERANCE):
            raise SolverFailureError(
                f"start-up: a known answer is missed by {missed:.3g} "
                f"({found.rung}: {found.reason or 'no reason given'})"
            )


def settle_memory() -> None:
    """Take all that stands now out of garbage collection, for the process's life.

    Compilation leaves some millions of objects that live on; a full collection walks
    all of them, and took 363 ms within one decision.
    """
    gc.collect()
    gc.freeze()


def _known(rows: int, floor: float) -> tuple[Envelope, np.ndarray]:
    """Return a problem whose answer is 0.25 in channel 0 and 0.5 in all others.

    Channel 0 may not exceed 0.25 (priority 1) nor fall below the floor (priority 2),
    which gives way where it is higher.
    """
    matrix, h = np.zeros((rows, ACTION_SIZE)), np.ones(rows)
    matrix[0, 0], h[0] = 1.0, 0.25
    matrix[1, 0], h[1] = -1.0, -floor
    low = np.zeros(ACTION_SIZE)
    envelope = Envelope(
        lower=low,
        upper=low + 0.5,
        G=matrix,
        h=h,
        price=np.where(np.arange(rows) == 0, 1e3, 1e2),
        scale=np.ones(rows),
        priority=np.where(np.arange(rows) == 0, 1, 2),
        held=low,
        backup=low,
        names=tuple(f"known{i}" for i in range(rows)),
    )
    return envelope, np.full(ACTION_SIZE, 0.75)
