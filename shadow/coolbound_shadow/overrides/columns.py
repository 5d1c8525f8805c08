"""The ticks of a period as columns: a year of 5 min takes about 100 MB.

Ticks are read run by run along the ledger's own index of run and time, so that the
order in which they were written, and what lies outside the period, cost nothing.
"""

import dataclasses
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, POINT_INDEX, POINT_NAMES
from coolbound_envs.types import Quality
from coolbound_shadow.ledger.body import second_text
from coolbound_shadow.ledger.database import open_reading
from coolbound_shadow.records import beyond_dead_band

CHUNK = 2000
"""Ticks of one read. [rows]"""

DEFAULT_STEP_S = 300
"""Length of a step where a single tick does not show it. [s]"""

FIRST, LAST = "0000", "9999"
"""Before and after every time as it is written."""

IS_TICK = "json_extract(body, '$.kind') = 'tick'"
RUN, TIME = "json_extract(body, '$.run')", "json_extract(body, '$.time')"
NEXT_RUN = (
    f"SELECT {RUN} FROM ledger INDEXED BY one_tick WHERE {IS_TICK} AND {RUN} > ? "
    f"ORDER BY {RUN} LIMIT 1"
)
TICKS = (
    f"SELECT seq, body FROM ledger WHERE {IS_TICK} AND {RUN} = ? AND {TIME} > ? "
    f"AND {TIME} <= ? ORDER BY {TIME} LIMIT ?"
)
# One end at a time: the index then answers at once, however long the run.
ENDS = tuple(
    f"SELECT {end}({TIME}) FROM ledger "
    f"WHERE {IS_TICK} AND {RUN} = ? AND {TIME} BETWEEN ? AND ?"
    for end in ("min", "max")
)


@dataclasses.dataclass(frozen=True)
class Ticks:
    """The ticks of one run, in order of time. Static.

    Attributes:
        run: Name of the run.
        step_s: Nominal length of a step. [s]
        seq: Place of each record, int64, shape (T,). [1]
        time_utc: End of each step, UTC epoch, int64, shape (T,). [s]
        offset: Local time minus UTC, int64, shape (T,). [s]
        asked: Proposed action, NaN for none, shape (T, 10). [each channel's unit]
        given: Certified action, NaN for none, shape (T, 10). [each channel's unit]
        operator: Applied action, NaN for none, shape (T, 10). [each channel's unit]
        observed: Readings, NaN for none, shape (T, P). [each point's unit]
        quality: `Quality` of each reading, int8, shape (T, P).
        changed: True where given differs from asked beyond the dead band, shape
            (T, 10).
        is_intervention: True where the safety layer stepped in, shape (T,).
        kind: Why the safety layer stepped in, a kind, empty for not, shape (T,).
        limit: Why it did, the limit that bound most, empty for none, shape (T,).
        margins: Margins of the active limits, for the interventions, by row.
        reasons: Why a fallback was taken, by row.
        digests: Ticks of each policy, by its digest, in order of time.
        strange: Names of points and channels that the spec does not hold.
    """

    run: str
    step_s: int
    seq: np.ndarray
    time_utc: np.ndarray
    offset: np.ndarray
    asked: np.ndarray
    given: np.ndarray
    operator: np.ndarray
    observed: np.ndarray
    quality: np.ndarray
    changed: np.ndarray
    is_intervention: np.ndarray
    kind: np.ndarray
    limit: np.ndarray
    margins: Mapping[int, Mapping[str, float]]
    reasons: Mapping[int, str]
    digests: Mapping[str, int]
    strange: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Number of ticks [1]."""
        return len(self.time_utc)


@dataclasses.dataclass
class _Columns:
    """Columns that grow chunk by chunk.

    Attributes:
        chunks: Arrays by column, one for each chunk.
        margins: As in `Ticks`.
        reasons: As in `Ticks`.
        digests: As in `Ticks`.
        strange: As in `Ticks`.
        rows: Ticks so far. [rows]
    """

    chunks: dict[str, list[np.ndarray]] = dataclasses.field(default_factory=dict)
    margins: dict[int, dict[str, float]] = dataclasses.field(default_factory=dict)
    reasons: dict[int, str] = dataclasses.field(default_factory=dict)
    digests: dict[str, int] = dataclasses.field(default_factory=dict)
    strange: set[str] = dataclasses.field(default_factory=set)
    rows: int = 0

    def add(self, name: str, values: np.ndarray) -> None:
        """Add a chunk of one column."""
        self.chunks.setdefault(name, []).append(values)

    def whole(self, name: str) -> np.ndarray:
        """Return one column."""
        return np.concatenate(self.chunks[name])


def run_names(folder: Path) -> list[str]:
    """Return the names of all runs in a ledger."""
    found: list[str] = []
    with closing(open_reading(folder)) as connection:
        name = ""
        while row := connection.execute(NEXT_RUN, (name,)).fetchone():
            name = row[0]
            found.append(name)
    return found


def run_extent(
    folder: Path, run: str, start: int | None, end: int | None
) -> tuple[int, int] | None:
    """Return the times of a run's first and last tick within a period [s]."""
    low = FIRST if start is None else second_text(start)
    high = LAST if end is None else second_text(end)
    with closing(open_reading(folder)) as connection:
        first, last = (
            connection.execute(end, (run, low, high)).fetchone()[0] for end in ENDS
        )
    return None if first is None else (epoch(first), epoch(last))


def read_ticks(folder: Path, run: str, start: int, end: int) -> Ticks | None:
    """Return a run's ticks from `start` to `end`, or None where there are none.

    Args:
        folder: The ledger's folder.
        run: Name of the run.
        start: Earliest end of a step, UTC epoch. [s]
        end: Latest end of a step, UTC epoch. [s]
    """
    found = _Columns()
    with closing(open_reading(folder)) as connection:
        for rows in _chunks(connection, run, second_text(start - 1), second_text(end)):
            _add_chunk(found, rows)
    return _ticks(run, found) if found.rows else None


def _chunks(
    connection: sqlite3.Connection, run: str, after: str, last: str
) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    while rows := connection.execute(TICKS, (run, after, last, CHUNK)).fetchall():
        bodies = [(seq, json.loads(body)) for seq, body in rows]
        yield bodies
        after = bodies[-1][1]["time"]


def _add_chunk(found: _Columns, rows: list[tuple[int, dict[str, Any]]]) -> None:
    bodies = [body for _, body in rows]
    found.add("seq", np.array([seq for seq, _ in rows], dtype=np.int64))
    found.add("time", np.array([epoch(b["time"]) for b in bodies], dtype=np.int64))
    found.add(
        "offset", np.array([local_offset(b["local"]) for b in bodies], dtype=np.int64)
    )
    for column in ("proposed", "certified", "applied"):
        found.add(column, _matrix(bodies, column, CHANNEL_NAMES))
    found.add("observed", _matrix(bodies, "observed", POINT_NAMES))
    found.add("quality", _quality(bodies))
    _add_kinds(found, bodies)
    for body in bodies:
        digest = body["policy_digest"]
        found.digests[digest] = found.digests.get(digest, 0) + 1
    found.strange |= bodies[0]["observed"].keys() - set(POINT_NAMES)
    found.strange |= bodies[0]["certified"].keys() - set(CHANNEL_NAMES)
    found.rows += len(rows)


def _add_kinds(found: _Columns, bodies: list[dict[str, Any]]) -> None:
    given, asked = found.chunks["certified"][-1], found.chunks["proposed"][-1]
    changed = beyond_dead_band(given, asked)
    is_fallback = np.array([body["status"] == "FALLBACK" for body in bodies])
    stepped_in = np.any(changed, axis=1) | is_fallback
    kinds, limits = [], []
    for i, body in enumerate(bodies):
        extra = body["extra"] if stepped_in[i] else {}
        kinds.append(extra.get("kind") or _kind(body) if stepped_in[i] else "")
        limits.append(extra.get("limit") or _tightest(body) if stepped_in[i] else "")
        if stepped_in[i]:
            found.margins[found.rows + i] = body["active"]
        if body["reason"]:
            found.reasons[found.rows + i] = body["reason"]
    found.add("changed", changed)
    found.add("is_intervention", stepped_in)
    found.add("kind", np.array(kinds, dtype=object))
    found.add("limit", np.array(limits, dtype=object))


def _kind(body: Mapping[str, Any]) -> str:
    """Return the kind of an intervention whose tick does not say it."""
    if body["status"] == "FALLBACK":
        return "fallback"
    return "limit" if body["active"] else "ramp"


def _tightest(body: Mapping[str, Any]) -> str:
    known = {name: m for name, m in body["active"].items() if m is not None}
    return min(known, key=lambda name: (known[name], name)) if known else ""


def _matrix(
    bodies: list[dict[str, Any]], column: str, names: tuple[str, ...]
) -> np.ndarray:
    rows = [list(map(body[column].get, names)) for body in bodies]
    return np.array(rows, dtype=np.float64)


def _quality(bodies: list[dict[str, Any]]) -> np.ndarray:
    found = np.full((len(bodies), len(POINT_NAMES)), Quality.GOOD, dtype=np.int8)
    for i, body in enumerate(bodies):
        for name, code in body["quality"].items():
            if name in POINT_INDEX:
                found[i, POINT_INDEX[name]] = code
    return found


def _ticks(run: str, found: _Columns) -> Ticks:
    time_utc = found.whole("time")
    return Ticks(
        run=run,
        step_s=nominal_step(time_utc),
        seq=found.whole("seq"),
        time_utc=time_utc,
        offset=found.whole("offset"),
        asked=found.whole("proposed"),
        given=found.whole("certified"),
        operator=found.whole("applied"),
        observed=found.whole("observed"),
        quality=found.whole("quality"),
        changed=found.whole("changed"),
        is_intervention=found.whole("is_intervention"),
        kind=found.whole("kind"),
        limit=found.whole("limit"),
        margins=found.margins,
        reasons=found.reasons,
        digests=found.digests,
        strange=tuple(sorted(found.strange)),
    )


def nominal_step(time_utc: np.ndarray) -> int:
    """Return the most frequent distance of two steps [s]."""
    if len(time_utc) < 2:
        return DEFAULT_STEP_S
    lengths, counts = np.unique(np.diff(time_utc), return_counts=True)
    return int(lengths[np.argmax(counts)])


def epoch(text: str) -> int:
    """Return the UTC epoch of a time as a record writes it [s]."""
    return int(datetime.fromisoformat(text).timestamp())


def local_offset(local: str) -> int:
    """Return local time minus UTC of a local time as a record writes it [s]."""
    offset = datetime.fromisoformat(local).utcoffset()
    return int(offset.total_seconds()) if offset else 0
