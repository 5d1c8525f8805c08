"""Points on the regular clock become the log that a shadow run reads.

Points that feed the same point of coolbound are summed or averaged; a sum has a value
only where all its parts have one. Nothing is filled: a cell without a reading stays
empty.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from coolbound_envs.spec import (
    ACTION_SIZE,
    CHANNEL_NAMES,
    OBSERVATION_SIZE,
    POINT_INDEX,
    POINT_NAMES,
)
from coolbound_envs.tables import InputError, convert
from coolbound_envs.types import Quality
from coolbound_shadow.clock import offsets_of_utc
from coolbound_shadow.intake.gridding import CellRun
from coolbound_shadow.intake.map_points import SPEC_UNITS
from coolbound_shadow.intake.map_types import IntakeMap, MapPoint
from coolbound_shadow.intake.units import conversion, quantity_of
from coolbound_shadow.log_types import Episode, Log, SourceFile

DAY_S = 86_400

Fed = Mapping[str, Sequence[tuple[MapPoint, CellRun]]]


def fed_points(runs: Sequence[tuple[MapPoint, CellRun | None]]) -> Fed:
    """Return the cells by the point or channel of coolbound that they feed."""
    fed: dict[str, list[tuple[MapPoint, CellRun]]] = {}
    for point, run in runs:
        if point.feeds and run is not None:
            fed.setdefault(point.feeds, []).append((point, run))
    return fed


def regular_log(
    fed: Fed,
    intake: IntakeMap,
    rows_read: int,
    rejected: Mapping[str, int],
    flagged: Mapping[str, Mapping[str, int]],
    sources: tuple[SourceFile, ...],
    episodes: tuple[Episode, ...],
    unlisted: tuple[str, ...],
) -> Log:
    """Return the log on the regular clock.

    Args:
        fed: Cells by what they feed.
        intake: The map.
        rows_read: Rows of all files. [1]
        rejected: Rejected rows by reason.
        flagged: Readings that failed a check, by point and reason.
        sources: The files.
        episodes: Runs of failed readings.
        unlisted: Columns that the map does not use.

    Raises:
        InputError: No point feeds coolbound, nothing usable is left, or it is less
            than a day.
    """
    if not fed and any(point.feeds for point in intake.points):
        raise _empty(intake)
    if not fed:
        raise InputError(
            f"{intake.where}: found no point with `feeds`, expected at least one; "
            "say which points of coolbound the site's points become"
        )
    step = intake.resample.step_s
    first = min(run.first for runs in fed.values() for _, run in runs)
    last = max(r.first + len(r.values) for runs in fed.values() for _, r in runs)
    size = last - first
    values = np.full((size, OBSERVATION_SIZE), np.nan)
    quality = np.full((size, OBSERVATION_SIZE), Quality.MISSING, dtype=np.int8)
    applied = np.full((size, ACTION_SIZE), np.nan)
    for name, runs in fed.items():
        column, worth = _combined(name, runs, first, size, intake)
        if name in CHANNEL_NAMES:
            usable = worth >= Quality.UNCERTAIN
            applied[:, CHANNEL_NAMES.index(name)] = np.where(usable, column, np.nan)
        else:
            values[:, POINT_INDEX[name]] = column
            quality[:, POINT_INDEX[name]] = worth
    # A shadow run judges nothing from set-points alone, and leaves such rows out.
    kept = np.any(quality >= Quality.UNCERTAIN, axis=1)
    cells = (first + np.arange(size, dtype=np.int64)) * step
    _require_a_day(cells[kept], step, intake)
    time = cells[kept]
    return Log(
        time_utc=time,
        offset=offsets_of_utc(time, ZoneInfo(intake.report_zone)),
        step_s=step,
        values=values[kept],
        quality=quality[kept],
        applied=applied[kept],
        observable=_observable(quality[kept], applied[kept]),
        rows_read=rows_read,
        rejected=rejected,
        flagged=flagged,
        sources=sources,
        episodes=episodes,
        unlisted=unlisted,
        zone=intake.report_zone,
    )


def _empty(intake: IntakeMap) -> InputError:
    return InputError(
        f"{intake.where}: found no usable reading in any file, expected some: the "
        "period is empty; export another, or correct units, ranges and null tokens"
    )


def _require_a_day(time: np.ndarray, step: int, intake: IntakeMap) -> None:
    if len(time) == 0:
        raise _empty(intake)
    span = int(time[-1] - time[0]) + step
    if span < DAY_S or len(time) * step < DAY_S:
        hours = min(span, len(time) * step) / 3600.0
        raise InputError(
            f"{intake.where}: found {hours:.1f} h of usable log, expected a day at "
            "least; export a longer period"
        )


def _observable(quality: np.ndarray, applied: np.ndarray) -> tuple[str, ...]:
    seen = np.any(quality >= Quality.UNCERTAIN, axis=0)
    given = np.any(np.isfinite(applied), axis=0)
    points = [n for n, is_seen in zip(POINT_NAMES, seen, strict=True) if is_seen]
    channels = [n for n, is_seen in zip(CHANNEL_NAMES, given, strict=True) if is_seen]
    return (*points, *channels)


def _combined(
    name: str,
    runs: Sequence[tuple[MapPoint, CellRun]],
    first: int,
    size: int,
    intake: IntakeMap,
) -> tuple[np.ndarray, np.ndarray]:
    """Return values and qualities of one point of coolbound on all cells."""
    values = np.full((len(runs), size), np.nan)
    worth = np.full((len(runs), size), Quality.MISSING, dtype=np.int8)
    for i, (point, run) in enumerate(runs):
        here = slice(run.first - first, run.first - first + len(run.values))
        values[i, here] = in_spec_unit(run.values, point, name, intake)
        worth[i, here] = run.quality
    if len(runs) == 1:
        return values[0], worth[0]
    if runs[0][0].combine == "sum":
        return np.sum(values, axis=0), np.min(worth, axis=0)
    return _mean(values, worth)


def _mean(values: np.ndarray, worth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    usable = (worth >= Quality.UNCERTAIN) & np.isfinite(values)
    count = np.sum(usable, axis=0)
    total = np.sum(np.where(usable, values, 0.0), axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), values[0])
    least = np.min(worth, axis=0)
    partly = np.where(least >= Quality.UNCERTAIN, least, Quality.UNCERTAIN)
    return mean, np.where(count > 0, partly, np.max(worth, axis=0)).astype(np.int8)


def in_spec_unit(
    values: np.ndarray, point: MapPoint, name: str, intake: IntakeMap
) -> np.ndarray:
    """Return a point's cells in the unit of what it feeds.

    The energy that a counter has counted in a cell becomes the mean power there.
    """
    unit = SPEC_UNITS[name]
    if quantity_of(point.unit) == "energy" and quantity_of(unit) == "power":
        hours = intake.resample.step_s / 3600.0
        return values / hours * convert(1.0, f"{point.unit}/h", unit, point.id)
    density = intake.resample.water_density
    gain, bias = conversion(point.unit, unit, point.quantity, density, point.id)
    return gain * values + bias


CELLS_SCHEMA = pa.schema(
    [
        ("ts_utc", pa.timestamp("ms", "UTC")),
        ("point_id", pa.dictionary(pa.int32(), pa.string())),
        ("value", pa.float64()),
        ("quality", pa.dictionary(pa.int32(), pa.string())),
        ("coverage", pa.float64()),
        ("samples", pa.int32()),
    ]
)


def cells_writer(path: Path) -> pq.ParquetWriter:
    """Return the writer of the regular clock's cells."""
    texts = ["point_id", "quality"]
    return pq.ParquetWriter(
        path,
        CELLS_SCHEMA,
        compression="zstd",
        compression_level=1,
        use_dictionary=[*texts, "coverage", "samples"],  # pyright: ignore[reportArgumentType]
        column_encoding={"ts_utc": "DELTA_BINARY_PACKED"},
    )


def write_cells(
    writer: pq.ParquetWriter, point: MapPoint, run: CellRun | None, step_s: int
) -> None:
    """Write every cell of a point: end, value, worst quality, coverage, count."""
    if run is not None:
        writer.write_table(_cells_table(point, run, step_s))


def _cells_table(point: MapPoint, run: CellRun, step_s: int) -> pa.Table:
    size = len(run.values)
    ends = 1000 * step_s * (run.first + np.arange(size, dtype=np.int64))
    names = pa.array([q.name for q in Quality], pa.string())
    columns = [
        pa.array(ends).cast(pa.timestamp("ms", "UTC")),
        pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(size, np.int32)), pa.array([point.id])
        ),
        pa.array(run.values, mask=~np.isfinite(run.values)),
        pa.DictionaryArray.from_arrays(pa.array(run.quality.astype(np.int32)), names),
        pa.array(run.coverage),
        pa.array(run.samples),
    ]
    return pa.Table.from_arrays(columns, schema=CELLS_SCHEMA)
