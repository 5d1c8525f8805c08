"""What a log says of one part of the plant, row by row.

A row is *known* where the part can be computed from it, and *steady* where it also
stood still long enough to be fitted to. What is left out is counted by reason, and
what had to be assumed is said. A log that lacks a channel lacks the part.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNEL_NAMES, POINT_INDEX
from coolbound_shadow.log_types import Log

SHARE_LEAST = 0.02
"""A channel known in fewer of the rows counts as missing. [1]"""


class MissingError(Exception):
    """Channels that a part of the plant cannot be fitted without."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Name what is missing."""
        super().__init__(", ".join(names))
        self.names = names


@dataclasses.dataclass(frozen=True)
class Sample:
    """What a log says of one part. Static.

    Attributes:
        inputs: What the part's model takes, (T,) each, SI units.
        measured: What the meter read, (T,). [the meter's unit]
        known: True where all of it can be used, (T,).
        steady: True where it may also be fitted to, (T,).
        left_out: Rows not known or not steady, by reason.
        notes: What had to be assumed, one sentence each.
    """

    inputs: Mapping[str, np.ndarray]
    measured: np.ndarray
    known: np.ndarray
    steady: np.ndarray
    left_out: Mapping[str, int]
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Rows:
    """A log with its site, as the parts read it. Static.

    Attributes:
        site: The plant; its constants as fitted so far.
        log: The operator's log.
        readings: Usable readings, (T, P). [each point's unit]
        before: Set-points in force while a row was measured: those of the row
            before, (T, 10). [each channel's unit]
        follows: True where the row before is the step before, (T,).
    """

    site: Site
    log: Log
    readings: np.ndarray
    before: np.ndarray
    follows: np.ndarray

    def maybe(self, name: str) -> np.ndarray | None:
        """Return a point's readings or a channel's set-points, None if missing."""
        if name in CHANNEL_NAMES:
            values = self.before[:, CHANNEL_NAMES.index(name)]
        else:
            values = self.readings[:, POINT_INDEX[name]]
        is_there = np.mean(np.isfinite(values)) >= SHARE_LEAST
        return values if is_there else None

    def need(self, *names: str) -> tuple[np.ndarray, ...]:
        """Return several of them.

        Raises:
            MissingError: The log lacks at least one.
        """
        found = [self.maybe(name) for name in names]
        lacking = tuple(n for n, v in zip(names, found, strict=True) if v is None)
        if lacking:
            raise MissingError(lacking)
        return tuple(values for values in found if values is not None)

    def calm(self, values: np.ndarray, most: float | np.ndarray) -> np.ndarray:
        """Return where a series moved by no more than that since the step before.

        What is asked of a row may depend on that row only: a mean over the log would
        bring held-out rows into the fit.
        """
        moved = np.abs(np.diff(values, prepend=values[:1]))
        return self.follows & (moved <= most)


def rows_of(site: Site, log: Log) -> Rows:
    """Return a log as the parts read it."""
    follows = np.diff(log.time_utc, prepend=log.time_utc[0]) == log.step_s
    before = np.concatenate([log.applied[:1], log.applied[:-1]])
    return Rows(
        site=site,
        log=log,
        readings=log.usable(),
        before=np.where(follows[:, None], before, np.nan),
        follows=follows,
    )


class Sieve:
    """Leaves rows out one reason at a time, and counts them."""

    def __init__(self, rows: int) -> None:
        """Begin with all rows."""
        self.kept = np.ones(rows, bool)
        self.left_out: dict[str, int] = {}

    def keep(self, reason: str, wanted: np.ndarray) -> None:
        """Keep the wanted rows; the others are left out for that reason."""
        lost = int(np.sum(self.kept & ~wanted))
        if lost:
            self.left_out[reason] = lost
        self.kept &= wanted


def make_sample(
    inputs: Mapping[str, np.ndarray],
    measured: np.ndarray,
    known: Mapping[str, np.ndarray],
    steady: np.ndarray,
    notes: tuple[str, ...] = (),
) -> Sample:
    """Return a sample.

    Args:
        inputs: What the part's model takes, (T,) each.
        measured: What the meter read, (T,).
        known: Where a row can be used, by the reason why it could not.
        steady: Where it stood still.
        notes: What had to be assumed.
    """
    sieve = Sieve(len(measured))
    finite = np.isfinite(measured)
    for values in inputs.values():
        finite = finite & np.isfinite(values)
    sieve.keep("a reading is missing or bad", finite)
    for reason, wanted in known.items():
        sieve.keep(reason, wanted)
    usable = sieve.kept.copy()
    sieve.keep("moving (judged, not fitted to)", steady)
    return Sample(inputs, measured, usable, sieve.kept, sieve.left_out, notes)
