"""The readings of one point, and rows that have no instant."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Series:
    """The readings of one point. Static.

    Attributes:
        utc_ms: UTC epoch, int64, shape (n,). [ms]
        raw: Numbers as the export has them, float64, shape (n,). [per raw unit]
        values: In the point's unit, float64, shape (n,). [the point's unit]
        code: Place of the reason, 0 for none, uint8, shape (n,). [1]
        is_override: Whether a person or the BAS held the point, shape (n,). [1]
        status: Number of the status text, int16, shape (n,). [1]
        sheet: Place of the file, int16, shape (n,). [1]
        row: Row number in the file, int64, shape (n,). [1]
        place: Place in the file's clock, -1 for none, int64, shape (n,). [1]
    """

    utc_ms: np.ndarray
    raw: np.ndarray
    values: np.ndarray
    code: np.ndarray
    is_override: np.ndarray
    status: np.ndarray
    sheet: np.ndarray
    row: np.ndarray
    place: np.ndarray

    def take(self, order: np.ndarray) -> "Series":
        """Return some of the readings, in some order."""
        fields = dataclasses.fields(self)
        return Series(**{f.name: getattr(self, f.name)[order] for f in fields})

    def only(self, mask: np.ndarray) -> "Series":
        """Return the readings that a mask keeps; all of them without a copy."""
        return self if np.all(mask) else self.take(np.flatnonzero(mask))


@dataclasses.dataclass(frozen=True)
class Rejected:
    """Readings of a tall file that have no instant. Static.

    Attributes:
        sheet: Place of the file. [1]
        reason: Places in `ROW_NAMES`, shape (n,). [1]
        row: Row numbers, shape (n,). [1]
    """

    sheet: int
    reason: np.ndarray
    row: np.ndarray
