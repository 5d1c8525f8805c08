"""Every reading, one row each, in one Parquet file: the log that evidence rests on.

Columns: `ts_utc, point_id, value, quality, reason, override, source_status,
ingest_ts, source_sha256, row_no`. A value that failed a check stands there as it was
logged, converted; a cell without a number is null. Points follow one another, each in
order of time. What a point is, is in the file's metadata.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from coolbound_envs.types import Quality
from coolbound_shadow.intake.map_types import IntakeMap, MapPoint
from coolbound_shadow.intake.readings import Series
from coolbound_shadow.intake.reasons import quality_codes

INSTANT = pa.timestamp("ms", "UTC")

TEXTS = ("point_id", "quality", "reason", "source_status", "source_sha256")

SCHEMA_NAME = "coolbound.readings/1"


def schema_of(intake: IntakeMap, ingest_s: int) -> pa.Schema:
    """Return the schema, with what each point is as metadata."""
    text = pa.dictionary(pa.int32(), pa.string())
    points = [_point_data(point) for point in intake.points]
    metadata = {
        "schema": SCHEMA_NAME,
        "site": intake.site,
        "map_sha256": intake.sha256,
        "ingested": str(ingest_s),
        "points": json.dumps(points, ensure_ascii=False),
    }
    return pa.schema(
        [
            ("ts_utc", INSTANT),
            ("point_id", text),
            ("value", pa.float64()),
            ("quality", text),
            ("reason", text),
            ("override", pa.bool_()),
            ("source_status", text),
            ("ingest_ts", INSTANT),
            ("source_sha256", text),
            ("row_no", pa.int64()),
        ],
        metadata=metadata,
    )


def _point_data(point: MapPoint) -> dict[str, Any]:
    names = ("id", "role", "kind", "unit", "sampling", "feeds", "brick", "haystack")
    return {name: getattr(point, name) for name in names}


def open_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Return a writer whose encodings fit what the columns hold."""
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[*TEXTS, "ingest_ts"],  # pyright: ignore[reportArgumentType]
        column_encoding={
            "ts_utc": "DELTA_BINARY_PACKED",
            "row_no": "DELTA_BINARY_PACKED",
        },
    )


def readings_table(
    series: Series,
    point: MapPoint,
    intake: IntakeMap,
    sha256: Sequence[str],
    statuses: Sequence[str],
    schema: pa.Schema,
    ingest_s: int,
) -> pa.Table:
    """Return a point's readings as rows of the canonical log.

    Args:
        series: Judged readings in order of time.
        point: The point.
        intake: The map.
        sha256: Digest of each file.
        statuses: Status texts by number.
        schema: Of the whole file.
        ingest_s: When the log is imported, UTC epoch. [s]
    """
    count = len(series.utc_ms)
    quality = quality_codes(intake.reasons)[series.code]
    zeros = np.zeros(count, dtype=np.int32)
    columns = [
        pa.array(series.utc_ms).cast(INSTANT),
        _coded(zeros, (point.id,)),
        pa.array(series.values, mask=~np.isfinite(series.values)),
        _coded(quality, [q.name for q in Quality]),
        _coded(series.code, [reason.name for reason in intake.reasons]),
        pa.array(series.is_override),
        _coded(series.status, statuses),
        pa.array(np.full(count, 1000 * ingest_s, dtype=np.int64)).cast(INSTANT),
        _coded(series.sheet, sha256),
        pa.array(series.row),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _coded(numbers: np.ndarray, texts: Sequence[str]) -> pa.Array:
    names = pa.array(list(texts), pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), names)
