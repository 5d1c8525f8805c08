"""An operator's export, read through the site's point map into a `Log`.

Every row ends in the log or is counted under the reason that kept it out; every
reading ends GOOD or is counted under the check that it failed. The source files
are hashed and never changed.
"""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np

from coolbound_envs.spec import (
    ACTION_SIZE,
    CHANNEL_NAMES,
    OBSERVATION_SIZE,
    POINT_INDEX,
    POINT_NAMES,
)
from coolbound_envs.tables import InputError
from coolbound_envs.types import Quality
from coolbound_shadow.checks import (
    HELD_REASON,
    Readings,
    Series,
    cell_of,
    check,
    count_reasons,
    episodes,
    to_clock,
)
from coolbound_shadow.clock import Clock, read_clock
from coolbound_shadow.log_types import Episode, Log, SourceFile
from coolbound_shadow.point_types import FileSpec, PointMap, PointSpec
from coolbound_shadow.points import own_point_map
from coolbound_shadow.reading import RawTable, raw_numbers, read_raw


@dataclasses.dataclass(frozen=True)
class Feed:
    """One file with its clock. Static.

    Attributes:
        spec: How it is written.
        table: Its columns.
        clock: When each row was taken, and why some cannot be used.
        kept: Indices of the rows that can be used.
    """

    spec: FileSpec
    table: RawTable
    clock: Clock
    kept: np.ndarray

    @property
    def utc(self) -> np.ndarray:
        """Instants of the usable rows, int64 [s]."""
        return self.clock.utc[self.kept]


@dataclasses.dataclass(frozen=True)
class Grid:
    """The regular clock of a log. Static.

    Attributes:
        cells: Ends of its steps, UTC epoch, int64, shape (T,). [s]
        offset: Local time minus UTC, int64, shape (T,). [s]
        step_s: Length of a step. [s]
        phase: Offset of the steps from whole multiples of their length. [s]
    """

    cells: np.ndarray
    offset: np.ndarray
    step_s: int
    phase: int


@dataclasses.dataclass(frozen=True)
class Column:
    """One mapped point, checked and on the log's clock. Static.

    Attributes:
        spec: Where it came from.
        series: Values and qualities.
        flagged: Readings that failed, by reason.
        episodes: Runs of failed readings.
    """

    spec: PointSpec
    series: Series
    flagged: dict[str, int]
    episodes: list[Episode]


def read_log(path: Path, points: PointMap | None = None) -> Log:
    """Read an operator's log.

    Args:
        path: The first file of the point map, or the folder that holds all of
            them; other files are looked for beside it.
        points: The site's point map; none for a log that coolbound wrote.

    Raises:
        InputError: A file, a column, a unit or a time stamp is wrong.
    """
    if points is None:
        table = read_raw(path)
        points = own_point_map(list(table.columns), path.name, path.name)
        feeds = [_feed(points.files[0], table, points)]
    else:
        paths = _locate(path, points)
        pairs = zip(points.files, paths, strict=True)
        feeds = [_feed(spec, read_raw(p, spec), points) for spec, p in pairs]
    grid = _grid(feeds[0], points.step_s)
    columns = [_column(spec, feeds, grid) for spec in points.points]
    return _assemble(feeds, grid, columns, points)


def _locate(path: Path, points: PointMap) -> list[Path]:
    folder = path if path.is_dir() else path.parent
    first = [] if path.is_dir() else [path]
    return first + [_match(folder, spec) for spec in points.files[len(first) :]]


def _match(folder: Path, spec: FileSpec) -> Path:
    found = sorted(folder.glob(spec.match))
    if len(found) != 1:
        names = ", ".join(each.name for each in found) or "none"
        raise InputError(
            f"{folder}: found {len(found)} files for {spec.match!r} ({names}), "
            f"expected one for file {spec.name!r}; correct `match` or the folder"
        )
    return found[0]


def _feed(spec: FileSpec, table: RawTable, points: PointMap) -> Feed:
    clock = read_clock(table, spec, points)
    kept = np.flatnonzero(clock.reason == "")
    if len(kept) < 2:
        raise InputError(
            f"{table.name}: found {len(kept)} usable rows of {len(clock.utc)}, "
            "expected at least two; correct the time stamps or the zone"
        )
    return Feed(spec, table, clock, kept)


def _grid(feed: Feed, step_s: int) -> Grid:
    utc = feed.utc
    usual = round(float(np.median(np.diff(utc))))
    phase = 0 if step_s else int(utc[0]) % usual
    step_s = step_s or usual
    if usual > 1.5 * step_s:
        raise InputError(
            f"{feed.table.name}: found rows {usual} s apart, expected at most the step "
            f"of {step_s} s; set `step` in [points] to {usual} s"
        )
    cell = cell_of(utc, step_s, phase)
    last = np.append(np.flatnonzero(np.diff(cell)), len(cell) - 1)
    offset = feed.clock.offset[feed.kept]
    return Grid(cell[last], offset[last], step_s, phase)


def _column(spec: PointSpec, feeds: list[Feed], grid: Grid) -> Column:
    feed = next(each for each in feeds if each.spec.name == spec.file)
    readings = check(_readings(spec, feed), spec)
    series = _on(grid, readings, spec.resample, feed.spec.max_age)
    if spec.quality_column:
        series = _lower(series, _declared(spec, feed, grid))
    flagged = count_reasons(readings)
    if series.held:
        flagged[HELD_REASON] = series.held
    return Column(spec, series, flagged, episodes(readings, spec.name))


def _on(grid: Grid, readings: Readings, resample: str, max_age: float) -> Series:
    return to_clock(readings, grid.cells, grid.step_s, grid.phase, resample, max_age)


def _readings(spec: PointSpec, feed: Feed) -> Readings:
    parts = [raw_numbers(feed.table, c, feed.spec, spec) for c in spec.columns]
    raw = np.sum([values for values, _ in parts], axis=0)
    if spec.combine == "mean":
        raw = raw / len(parts)
    code = np.max([code for _, code in parts], axis=0)
    values = spec.gain * raw + spec.bias
    return Readings(feed.utc, values[feed.kept], code[feed.kept])


def _declared(spec: PointSpec, feed: Feed, grid: Grid) -> np.ndarray:
    column = PointSpec(spec.name, spec.file, (spec.quality_column,))
    readings = _readings(column, feed)
    return _on(grid, readings, "last", 0.0).values


def _lower(series: Series, declared: np.ndarray) -> Series:
    known = np.where(np.isfinite(declared), declared, Quality.GOOD)
    quality = np.minimum(series.quality, known).astype(np.int8)
    return dataclasses.replace(series, quality=quality)


def _assemble(
    feeds: list[Feed], grid: Grid, columns: list[Column], points: PointMap
) -> Log:
    steps = len(grid.cells)
    values = np.full((steps, OBSERVATION_SIZE), np.nan)
    quality = np.full((steps, OBSERVATION_SIZE), Quality.MISSING, dtype=np.int8)
    applied = np.full((steps, ACTION_SIZE), np.nan)
    for column in columns:
        series, name = column.series, column.spec.name
        if column.spec.role == "action":
            usable = series.quality >= Quality.UNCERTAIN
            applied[:, CHANNEL_NAMES.index(name)] = np.where(
                usable, series.values, np.nan
            )
        elif column.spec.role != "watch":
            values[:, POINT_INDEX[name]] = series.values
            quality[:, POINT_INDEX[name]] = series.quality
    empty = ~np.any(quality >= Quality.UNCERTAIN, axis=1)
    rejected = _rejected(feeds)
    if np.any(empty):
        rejected["no usable reading"] = int(np.sum(empty))
    if np.all(empty):
        raise InputError(
            f"{feeds[0].table.name}: found no usable reading in {steps} rows, expected "
            "some; correct `unit_in`, `range` and `bad_values` of the points"
        )
    kept = ~empty
    return Log(
        time_utc=grid.cells[kept],
        offset=grid.offset[kept],
        step_s=grid.step_s,
        values=values[kept],
        quality=quality[kept],
        applied=applied[kept],
        observable=_observable(columns),
        rows_read=sum(len(f.clock.utc) + f.table.malformed for f in feeds),
        rejected=rejected,
        flagged={c.spec.name: c.flagged for c in columns if c.flagged},
        sources=tuple(_source(feed) for feed in feeds),
        episodes=_ranked(columns),
        unlisted=_unlisted(feeds, points),
        zone="offset in file" if feeds[0].spec.stamps == "offset" else points.zone,
    )


def _rejected(feeds: list[Feed]) -> dict[str, int]:
    reasons = Counter(str(r) for feed in feeds for r in feed.clock.reason if r)
    malformed = sum(feed.table.malformed for feed in feeds)
    if malformed:
        reasons["wrong number of cells"] = malformed
    return dict(sorted(reasons.items()))


def _observable(columns: list[Column]) -> tuple[str, ...]:
    usable = {
        c.spec.name
        for c in columns
        if c.spec.role != "watch" and np.any(c.series.quality >= Quality.UNCERTAIN)
    }
    return tuple(name for name in (*POINT_NAMES, *CHANNEL_NAMES) if name in usable)


def _ranked(columns: list[Column]) -> tuple[Episode, ...]:
    found = [each for column in columns for each in column.episodes]
    return tuple(sorted(found, key=lambda e: (e.start - e.end, e.start, e.point)))


def _source(feed: Feed) -> SourceFile:
    rows = len(feed.clock.utc) + feed.table.malformed
    return SourceFile(feed.table.name, feed.table.sha256, rows)


def _unlisted(feeds: list[Feed], points: PointMap) -> tuple[str, ...]:
    listed = {name for point in points.points for name in point.columns}
    listed |= {point.quality_column for point in points.points}
    listed |= {feed.spec.time_column for feed in feeds}
    return tuple(n for feed in feeds for n in feed.table.columns if n not in listed)
