"""Why a reading or a row cannot be used, each reason with its word and its quality.

Codes are places in the tuples below. A point map may add reasons of its own, those
that a vendor's status stands for; their codes follow the ones here.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from coolbound_envs.types import Quality


@dataclasses.dataclass(frozen=True)
class Reason:
    """One reason why a reading is not GOOD. Static.

    Attributes:
        name: Its word in every table and file.
        quality: What the reading is worth.
        meaning: One sentence for a reader.
    """

    name: str
    quality: Quality
    meaning: str


READING_REASONS = (
    Reason("", Quality.GOOD, "The reading passed every check."),
    Reason("missing", Quality.MISSING, "The cell is empty or a declared null token."),
    Reason("not_a_number", Quality.BAD, "The cell holds text that is no number."),
    Reason("nan", Quality.BAD, "The export wrote NaN or infinity."),
    Reason("sentinel", Quality.BAD, "A number that the map declares as a code."),
    Reason("zero_when_off", Quality.BAD, "The export writes this while off."),
    Reason("out_of_range", Quality.BAD, "Outside the range of the map."),
    Reason("stuck", Quality.BAD, "Unchanged for longer than the map allows."),
    Reason("step", Quality.UNCERTAIN, "Jumped further than `max_step`."),
    Reason("rate", Quality.UNCERTAIN, "Moved faster than `max_rate_per_min`."),
    Reason("counter_reset", Quality.UNCERTAIN, "The counter ran backwards here."),
    Reason("duplicate", Quality.BAD, "Same instant and value as a reading before."),
    Reason("conflict", Quality.BAD, "Same instant, another value: nobody knows."),
    Reason("ambiguous_time", Quality.BAD, "The local stamp means two instants."),
    Reason("clock_jump", Quality.BAD, "Stamped before readings that precede it."),
    Reason("not_valid_then", Quality.BAD, "Outside the point's validity interval."),
    Reason("unknown_status", Quality.UNCERTAIN, "A status that the map does not know."),
)
"""Reasons of readings; the first stands for none."""

READING_NAMES = tuple(reason.name for reason in READING_REASONS)

(
    GOOD,
    MISSING,
    NOT_A_NUMBER,
    NOT_FINITE,
    SENTINEL,
    ZERO_WHEN_OFF,
    OUT_OF_RANGE,
    STUCK,
    STEP,
    RATE,
    COUNTER_RESET,
    DUPLICATE,
    CONFLICT,
    AMBIGUOUS,
    CLOCK_JUMP,
    NOT_VALID,
    UNKNOWN_STATUS,
) = range(len(READING_REASONS))

ROW_MEANINGS = {
    "": "The row can be used.",
    "wrong_cell_count": "Another number of cells than the header has.",
    "empty_line": "The line is empty.",
    "repeated_header": "The header stands again in the middle of the data.",
    "no_time": "The time cell is empty.",
    "unreadable_time": "The time cell fits none of the formats.",
    "nonexistent_time": "The clock skipped this local hour.",
    "stamp_too_early": "Before `min_utc`; 1970 is a clock that was never set.",
    "stamp_in_future": "Later than the import by more than `max_future_s`.",
    "point_not_in_map": "The row's point is not in the map.",
    "zone_abbreviation": "The abbreviation in the stamp is not the zone's.",
}
"""Why a whole row is rejected, with one sentence each."""

ROW_NAMES = tuple(ROW_MEANINGS)

(
    ROW_GOOD,
    WRONG_CELLS,
    EMPTY_LINE,
    REPEATED_HEADER,
    NO_TIME,
    UNREADABLE,
    NONEXISTENT,
    TOO_EARLY,
    IN_FUTURE,
    NOT_IN_MAP,
    ABBREVIATION,
) = range(len(ROW_NAMES))


def quality_codes(reasons: Sequence[Reason]) -> np.ndarray:
    """Return the quality of each code, int8, shape (len(reasons),)."""
    return np.asarray([reason.quality for reason in reasons], dtype=np.int8)


def put(code: np.ndarray, mask: np.ndarray, reason: int) -> None:
    """Write a reason where none stands yet: the first one found is the one told."""
    code[mask & (code == GOOD)] = reason
