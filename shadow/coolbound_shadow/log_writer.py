"""A log on disk as `coolbound simulate` writes it: Parquet and CSV, same columns.

`time` is local ISO 8601 text with its offset; every other header ends in its
unit, as `chw_supply_temp [degC]` and `applied.cw_pump_speed [1]`. A missing
reading is an empty cell. A `quality.<point>` column stands only where a reading
that has a value is not GOOD.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from coolbound_envs.spec import CHANNELS, POINTS
from coolbound_envs.types import Quality
from coolbound_shadow.log_types import Log, local_text

DECIMALS = 4
"""Finer than any instrument of the spec, in every unit. [1]"""


def write_log(log: Log, folder: Path) -> tuple[Path, Path]:
    """Write `log.parquet` and `log.csv` into an existing folder.

    Returns:
        The two paths, Parquet first.
    """
    table = log_table(log)
    parquet, csv = folder / "log.parquet", folder / "log.csv"
    pq.write_table(table, parquet, compression="zstd")
    options = pacsv.WriteOptions(quoting_style="needed")
    pacsv.write_csv(table, csv, options)
    return parquet, csv


def log_table(log: Log) -> pa.Table:
    """Return a log as the table that is written."""
    pairs = zip(log.time_utc, log.offset, strict=True)
    columns: dict[str, pa.Array] = {"time": pa.array(local_text(*p) for p in pairs)}
    for i, point in enumerate(POINTS):
        if point.name in log.observable:
            columns[f"{point.name} [{point.unit}]"] = _cells(log.values[:, i])
    for i, channel in enumerate(CHANNELS):
        if channel.name in log.observable:
            columns[f"applied.{channel.name} [{channel.unit}]"] = _cells(
                log.applied[:, i]
            )
    for i, point in enumerate(POINTS):
        doubtful = np.isfinite(log.values[:, i]) & (log.quality[:, i] != Quality.GOOD)
        if point.name in log.observable and np.any(doubtful):
            columns[f"quality.{point.name}"] = pa.array(log.quality[:, i])
    return pa.table(columns)


def _cells(values: np.ndarray) -> pa.Array:
    return pa.array(np.round(values, DECIMALS), mask=~np.isfinite(values))
