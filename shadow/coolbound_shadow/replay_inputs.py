"""A log's rows as the observations that a policy and the safety layer are shown.

A reading that is missing or failed a check is held from the row before while it
is younger than `HOLD_S`, as a live system would hold it, and counted; after that
it is missing. A set-point in force is that of the row before.
"""

import dataclasses
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.types import Observation, Quality
from coolbound_shadow.local_time import seconds_of_year
from coolbound_shadow.log_types import Log

HOLD_S = 600
"""A reading is held this long. [s]"""

CHUNK = 2048
"""Rows of one compiled call; the last call is padded. [1]"""


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What was known at each row of a log. Static.

    Attributes:
        value: Readings, held where they may be, NaN where unknown, float32,
            shape (T, P). [each point's unit]
        quality: `Quality` of each, int32, shape (T, P).
        age: Time since each was taken, float32, shape (T, P). [s]
        previous: Set-points in force before the row, float64, NaN where the log
            has none, shape (T, 10). [each channel's unit]
        time: Seconds since the year began, local standard time, (T,). [s]
        is_held: True where a reading is an older one, shape (T, P).
        is_own: True where the row's own set-points stand for those before,
            because the row before is missing, shape (T,).
    """

    value: np.ndarray
    quality: np.ndarray
    age: np.ndarray
    previous: np.ndarray
    time: np.ndarray
    is_held: np.ndarray
    is_own: np.ndarray

    @property
    def rows(self) -> int:
        """Number of rows [1]."""
        return len(self.time)


def replay_inputs(log: Log, zone: str) -> Inputs:
    """Return what was known at each row of a log.

    Args:
        log: The operator's log.
        zone: IANA name of the site's time zone.
    """
    readings = log.usable()
    value, age = _held(readings, log.time_utc)
    is_held = np.isfinite(value) & ~np.isfinite(readings)
    quality = np.where(np.isfinite(readings), log.quality, Quality.MISSING)
    quality = np.where(is_held, Quality.UNCERTAIN, quality)
    previous, is_own = _previous(log)
    return Inputs(
        value=value.astype(np.float32),
        quality=quality.astype(np.int32),
        age=age.astype(np.float32),
        previous=previous,
        time=seconds_of_year(log.time_utc, ZoneInfo(zone)).astype(np.float32),
        is_held=is_held,
        is_own=is_own,
    )


def _last_known(values: np.ndarray) -> np.ndarray:
    """Return the row of the last finite value at or before each row, -1 for none."""
    rows = np.arange(len(values))[:, None]
    return np.maximum.accumulate(np.where(np.isfinite(values), rows, -1), axis=0)


def _take(values: np.ndarray, last: np.ndarray) -> np.ndarray:
    found = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last >= 0, found, np.nan)


def _held(readings: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    last = _last_known(readings)
    age = np.where(last >= 0, time[:, None] - time[np.maximum(last, 0)], 0)
    return np.where(age <= HOLD_S, _take(readings, last), np.nan), age


def _previous(log: Log) -> tuple[np.ndarray, np.ndarray]:
    before = np.concatenate([log.applied[:1], log.applied[:-1]])
    is_own = np.ones(log.rows, dtype=bool)
    is_own[1:] = np.diff(log.time_utc) > 1.5 * log.step_s
    before = np.where(is_own[:, None], log.applied, before)
    # A set-point stands until another is given: an empty cell takes it over.
    stands = _take(log.applied, _last_known(log.applied))
    return np.where(np.isfinite(before), before, stands), is_own


def chunks(rows: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the rows of each call, padded with the last, and how many count."""
    for begin in range(0, rows, CHUNK):
        count = min(CHUNK, rows - begin)
        yield np.minimum(np.arange(begin, begin + CHUNK), rows - 1), count


def blocks(rows: int) -> Iterator[slice]:
    """Yield the rows that are decided together: those of one compiled call."""
    for begin in range(0, rows, CHUNK):
        yield slice(begin, min(begin + CHUNK, rows))


def rows_of_inputs(inputs: Inputs, rows: slice) -> Inputs:
    """Return what was known at some rows."""
    return Inputs(
        **{f.name: getattr(inputs, f.name)[rows] for f in dataclasses.fields(inputs)}
    )


def observation_of(inputs: Inputs, rows: np.ndarray) -> Observation:
    """Return the observation of some rows, row axis first."""
    return Observation(
        value=jnp.asarray(inputs.value[rows]),
        quality=jnp.asarray(inputs.quality[rows]),
        age=jnp.asarray(inputs.age[rows]),
        applied=jnp.asarray(inputs.previous[rows], jnp.float32),
        time=jnp.asarray(inputs.time[rows]),
    )


def lane(observation: Observation, row: int) -> Observation:
    """Return one row of an observation as a batch of one."""
    return jax.tree.map(lambda x: x[row : row + 1], observation)


def no_actions(rows: int) -> np.ndarray:
    """Return as many unknown actions, shape (rows, 10)."""
    return np.full((rows, ACTION_SIZE), np.nan)
