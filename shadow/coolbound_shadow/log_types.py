"""The log as the shadow run sees it: one row per control step, nothing repaired."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone

import numpy as np

from coolbound_envs.types import Quality


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """One file that a log was read from. Static.

    Attributes:
        name: File name, without its folder.
        sha256: Digest of the file's bytes, hexadecimal.
        rows: Data rows found in it. [1]
    """

    name: str
    sha256: str
    rows: int


@dataclasses.dataclass(frozen=True)
class Episode:
    """Consecutive readings of one point that failed the same check. Static.

    Attributes:
        point: The point's name.
        reason: The check that failed.
        start: First reading concerned, UTC epoch. [s]
        end: Last reading concerned, UTC epoch. [s]
        readings: Readings concerned. [1]
    """

    point: str
    reason: str
    start: int
    end: int
    readings: int


@dataclasses.dataclass(frozen=True)
class Log:
    """An operator's log on a regular clock, with gaps left as gaps. Static.

    Readings stand in the order of `coolbound_envs.spec.POINTS`, set-points in
    the order of `CHANNELS`. A reading that is missing is NaN. A reading that
    failed a check keeps the value it was logged with and has quality BAD:
    compute with `usable()`, show `values`.

    Attributes:
        time_utc: End of each control step, UTC epoch, int64, shape (T,). [s]
        offset: Local time minus UTC, int64, shape (T,). [s]
        step_s: Nominal time between rows. [s]
        values: Readings, float64, shape (T, P). [each point's unit]
        quality: `Quality` of each reading, int8, shape (T, P).
        applied: The operator's set-points, float64, shape (T, 10), NaN where
            the log has none. [each channel's unit]
        observable: Names of the points and channels that the log holds.
        rows_read: Data rows in all files. [1]
        rejected: Rows left out, by reason.
        flagged: Readings that failed a check, by point and reason.
        sources: The files, with digests.
        episodes: Runs of failed readings, longest first.
        unlisted: Columns that the point map does not name.
        zone: IANA name of the site's time zone, or "offset in file".
    """

    time_utc: np.ndarray
    offset: np.ndarray
    step_s: int
    values: np.ndarray
    quality: np.ndarray
    applied: np.ndarray
    observable: tuple[str, ...]
    rows_read: int
    rejected: Mapping[str, int]
    flagged: Mapping[str, Mapping[str, int]]
    sources: tuple[SourceFile, ...]
    episodes: tuple[Episode, ...] = ()
    unlisted: tuple[str, ...] = ()
    zone: str = "UTC"

    @property
    def rows(self) -> int:
        """Control steps in the log [1]."""
        return len(self.time_utc)

    @property
    def missing_steps(self) -> int:
        """Control steps between the first and the last that have no row [1]."""
        span = int(self.time_utc[-1] - self.time_utc[0])
        return span // self.step_s + 1 - self.rows

    def usable(self) -> np.ndarray:
        """Return the readings, NaN where quality is BAD or MISSING, shape (T, P)."""
        return np.where(self.quality >= Quality.UNCERTAIN, self.values, np.nan)


def local_text(time_utc: int, offset: int) -> str:
    """Return an instant as local ISO 8601 text with its offset from UTC."""
    zone = timezone(timedelta(seconds=int(offset)))
    return datetime.fromtimestamp(int(time_utc), zone).isoformat()


def utc_text(time_utc: int) -> str:
    """Return an instant as ISO 8601 text in UTC, ending in Z."""
    text = datetime.fromtimestamp(int(time_utc), UTC).isoformat()
    return text.replace("+00:00", "Z")


@dataclasses.dataclass(frozen=True)
class LogFacts:
    """What a reader must know of a log, as text and counts. Static.

    Attributes:
        rows: Rows replayed. [1]
        start: End of the first step, local ISO 8601 text with offset.
        end: End of the last step, likewise.
        start_utc: The same instant in UTC.
        end_utc: The same instant in UTC.
        step_s: Nominal time between rows. [s]
        rows_read: Data rows in all files. [1]
        missing_steps: Steps between first and last without a row. [1]
        rejected: Rows left out, by reason.
        flagged: Readings that failed a check, by point and reason.
        sources: Name, sha256 and rows of each file.
        episodes: Longest runs of failed readings, times as local text.
        observable: Names of the points and channels that the log holds.
        unlisted: Columns that the point map does not name.
        zone: IANA name of the site's time zone, or "offset in file".
    """

    rows: int
    start: str
    end: str
    start_utc: str
    end_utc: str
    step_s: int
    rows_read: int
    missing_steps: int
    rejected: Mapping[str, int]
    flagged: Mapping[str, Mapping[str, int]]
    sources: Sequence[Mapping[str, object]]
    episodes: Sequence[Mapping[str, object]]
    observable: Sequence[str]
    unlisted: Sequence[str]
    zone: str


EPISODES_SHOWN = 20
"""Further episodes are in the counts only. [1]"""


def log_facts(log: Log) -> LogFacts:
    """Return the facts of a log, ready for JSON."""
    return LogFacts(
        rows=log.rows,
        start=local_text(log.time_utc[0], log.offset[0]),
        end=local_text(log.time_utc[-1], log.offset[-1]),
        start_utc=utc_text(log.time_utc[0]),
        end_utc=utc_text(log.time_utc[-1]),
        step_s=log.step_s,
        rows_read=log.rows_read,
        missing_steps=log.missing_steps,
        rejected=dict(log.rejected),
        flagged={name: dict(reasons) for name, reasons in log.flagged.items()},
        sources=[dataclasses.asdict(source) for source in log.sources],
        episodes=[_episode_facts(each, log) for each in log.episodes[:EPISODES_SHOWN]],
        observable=list(log.observable),
        unlisted=list(log.unlisted),
        zone=log.zone,
    )


def _episode_facts(episode: Episode, log: Log) -> dict[str, object]:
    return {
        "point": episode.point,
        "reason": episode.reason,
        "start": local_text(episode.start, _offset_at(log, episode.start)),
        "end": local_text(episode.end, _offset_at(log, episode.end)),
        "readings": episode.readings,
    }


def _offset_at(log: Log, time_utc: int) -> int:
    row = int(np.searchsorted(log.time_utc, time_utc))
    return int(log.offset[min(row, log.rows - 1)])
