"""Which rows train the model, and which only judge it.

Whole weeks alternate: the first trains, the second is held out, and so on, so that
both see every season of the log. A log of less than two whole weeks is split by days,
which says less, since a day resembles its neighbours; the result says so. Only the
clock decides, never a reading.
"""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from coolbound_envs.tables import InputError
from coolbound_shadow.log_types import Log

DAY_S = 86400

DAY_COVERAGE = 0.9
"""A day with fewer of its rows is not whole. [1]"""

WEEK_DAYS = 6
"""Whole days that make a week whole, of seven. [1]"""

DAYS_LEAST = 4
"""Whole days below which nothing is fitted: two to train, two to judge. [1]"""


@dataclasses.dataclass(frozen=True)
class Split:
    """Rows that train and rows that judge. Static.

    Attributes:
        unit: "weeks" or "days".
        is_training: True where a row may be fitted to, (T,).
        is_held_out: True where a row only judges, (T,).
        training: First and last local day of each part that trains.
        held_out: First and last local day of each part that judges.
        day: Local day of each row, (T,). [1]
        hour: Local hour of each row, (T,). [1]
    """

    unit: str
    is_training: np.ndarray
    is_held_out: np.ndarray
    training: tuple[tuple[str, str], ...]
    held_out: tuple[tuple[str, str], ...]
    day: np.ndarray
    hour: np.ndarray


def split_log(log: Log) -> Split:
    """Return the split of a log.

    Raises:
        InputError: The log has fewer whole days than can be split.
    """
    # A reading at the end of a step tells of the step.
    local = log.time_utc + log.offset - log.step_s
    day = local // DAY_S
    days, count = np.unique(day, return_counts=True)
    whole = days[count >= DAY_COVERAGE * DAY_S / log.step_s]
    if len(whole) < DAYS_LEAST:
        name = log.sources[0].name if log.sources else "the log"
        raise InputError(
            f"{name}: found {len(whole)} whole days, expected at least {DAYS_LEAST} to "
            "fit on some and judge on others; give a longer log, best of four weeks"
        )
    week = (days - whole[0]) // 7
    full = [
        w
        for w in np.unique(week)
        if np.sum(week[np.isin(days, whole)] == w) >= WEEK_DAYS
    ]
    if len(full) >= 2:
        held = np.isin((day - whole[0]) // 7, full[1::2])
        return _split("weeks", ~held, held, day, local)
    held = np.isin(day, whole[1::2])
    return _split("days", np.isin(day, whole[::2]), held, day, local)


def _split(
    unit: str,
    training: np.ndarray,
    held: np.ndarray,
    day: np.ndarray,
    local: np.ndarray,
) -> Split:
    return Split(
        unit=unit,
        is_training=training,
        is_held_out=held,
        training=_spans(day[training]),
        held_out=_spans(day[held]),
        day=day,
        hour=local // 3600,
    )


def _spans(day: np.ndarray) -> tuple[tuple[str, str], ...]:
    """Return runs of consecutive days as first and last date."""
    days = np.unique(day)
    runs: Sequence[np.ndarray] = np.split(days, np.flatnonzero(np.diff(days) > 1) + 1)
    return tuple((_date(run[0]), _date(run[-1])) for run in runs)


def _date(day: np.int64) -> str:
    return datetime.fromtimestamp(int(day) * DAY_S, UTC).date().isoformat()
