"""What became of each row of a file: accepted, flagged or rejected, and why."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import final

import numpy as np

from coolbound_shadow.intake.reasons import ROW_GOOD, ROW_NAMES

EXAMPLES = 5
"""Rows that are shown for each reason. [1]"""


@dataclasses.dataclass(frozen=True)
class RowTotals:
    """What became of the rows of one file. Static.

    Attributes:
        read: Rows below the header. [1]
        accepted: Rows of which every mapped reading is GOOD. [1]
        flagged: Rows that were used, with a reading that is not GOOD. [1]
        rejected: Rows that could not be used. [1]
        reasons: Rejected rows by reason.
        examples: Row number and text of the first ones, by reason.
    """

    read: int
    accepted: int
    flagged: int
    rejected: int
    reasons: Mapping[str, int]
    examples: Mapping[str, tuple[tuple[int, str], ...]]


@final
class RowCounts:
    """Counts the rows of one file while it is read and judged."""

    def __init__(self) -> None:
        """Begin with no row."""
        self.read = 0
        self.flagged = 0
        self._reasons: Counter[int] = Counter()
        self._examples: dict[int, list[tuple[int, str]]] = {}
        self._is_flagged = np.zeros(0, dtype=bool)

    def reject(self, reason: int, row: int, text: str = "", count: int = 1) -> None:
        """Count rejected rows, and show one of them."""
        self._reasons[reason] += count
        shown = self._examples.setdefault(reason, [])
        if len(shown) < EXAMPLES:
            shown.append((row, text))

    def reject_all(self, reason: np.ndarray, row: np.ndarray, text: str = "") -> None:
        """Count the rows that have a reason, and show the first ones of each.

        Args:
            reason: Places in `ROW_NAMES`, shape (n,). [1]
            row: Row numbers, shape (n,). [1]
            text: What stands beside the examples.
        """
        for code in np.unique(reason[reason != ROW_GOOD]):
            rows = row[reason == code]
            shown = rows[: EXAMPLES - len(self._examples.get(int(code), []))]
            for one in shown:
                self.reject(int(code), int(one), text)
            self._reasons[int(code)] += len(rows) - len(shown)

    def flag_places(self, places: np.ndarray, size: int) -> None:
        """Mark rows of a wide file; a row counts once however many readings fail."""
        if len(self._is_flagged) != size:
            self._is_flagged = np.zeros(size, dtype=bool)
        self._is_flagged[places] = True

    def totals(self) -> RowTotals:
        """Return what became of the rows; the three counts make up those read."""
        rejected = sum(self._reasons.values())
        flagged = self.flagged + int(self._is_flagged.sum())
        return RowTotals(
            read=self.read,
            accepted=self.read - flagged - rejected,
            flagged=flagged,
            rejected=rejected,
            reasons={ROW_NAMES[c]: n for c, n in sorted(self._reasons.items())},
            examples={
                ROW_NAMES[c]: tuple(e) for c, e in sorted(self._examples.items())
            },
        )
