"""A long log cut into parts that the model runs side by side.

A log of up to eight weeks is one part. A longer one is cut into parts of four weeks
each. But the first, a part begins two days before it counts, on the operator's
set-points of that time, with the policy or operator itself in charge: by then the
plant has long forgotten how it began (the slowest store of a hall, its structure,
has a time constant of hours). Within a part nothing is ever set back to the log.
"""

import dataclasses
from collections.abc import Mapping
from typing import Final

import numpy as np

DAY_STEPS: Final = 288
"""Steps of a day. [1]"""

PART_STEPS: Final = 28 * DAY_STEPS
"""Counted steps of a part. [1]"""

WARM_UP_STEPS: Final = 2 * DAY_STEPS
"""Steps before those, not counted. [1]"""

WHOLE_STEPS: Final = 56 * DAY_STEPS
"""A log of up to so many steps is one part. [1]"""


@dataclasses.dataclass(frozen=True)
class Parts:
    """Where each part begins and which of its steps count. Static.

    Attributes:
        begins: Model step at which each part begins, int64, shape (B,). [1]
        skips: Steps of each that do not count, int64, shape (B,). [1]
        counts: Steps of each that count, int64, shape (B,). [1]
        length: Steps that every part runs. [1]
    """

    begins: np.ndarray
    skips: np.ndarray
    counts: np.ndarray
    length: int

    @property
    def number(self) -> int:
        """How many parts there are [1]."""
        return len(self.begins)


def cut_parts(steps: int) -> Parts:
    """Return the parts of a log.

    Args:
        steps: Model steps of the whole log. [1]
    """
    if steps <= WHOLE_STEPS:
        zero = np.zeros(1, dtype=np.int64)
        return Parts(zero, zero, np.asarray([steps]), steps)
    number, length = -(-steps // PART_STEPS), PART_STEPS + WARM_UP_STEPS
    first = PART_STEPS * np.arange(number)
    begins = np.clip(first - WARM_UP_STEPS, 0, steps - length)
    counts = np.minimum(PART_STEPS, steps - first)
    return Parts(begins, first - begins, counts, length)


def stitch(rows: Mapping[str, np.ndarray], parts: Parts) -> dict[str, np.ndarray]:
    """Return the counted steps of all parts, one after the other.

    Args:
        rows: Arrays of shape (length, B, ...).
        parts: How the log was cut.
    """
    ends = parts.skips + parts.counts

    def one(array: np.ndarray) -> np.ndarray:
        pairs = enumerate(zip(parts.skips, ends, strict=True))
        return np.concatenate([array[begin:end, lane] for lane, (begin, end) in pairs])

    return {name: one(array) for name, array in rows.items()}
