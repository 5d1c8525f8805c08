"""Decision records: one row per control step.

`decisions.parquet` holds nothing that differs between two runs on the same log,
policy and seed: no latency, no clock of the machine. The same decisions give the
same bytes.
"""

import dataclasses
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from coolbound_envs.spec import (
    CHANNEL_NAMES,
    CHANNELS,
    POINT_NAMES,
    POINTS,
    channel_array,
)
from coolbound_envs.tables import InputError
from coolbound_shadow.log_types import local_text

SCHEMA = "coolbound.decisions/1"

KINDS = ("ramp", "limit", "fallback")
"""Why the safety layer stepped in, least serious first."""

DEAD_BAND_SHARE = 1e-9
"""Rounding of a difference that equals the dead band, of the range. [1]"""


@dataclasses.dataclass(frozen=True)
class Decisions:
    """All decision records of one run, by column. Static.

    Attributes:
        time_utc: End of each control step, UTC epoch, shape (T,). [s]
        offset: Local time minus UTC, shape (T,). [s]
        observed: Readings, shape (T, P). [each point's unit]
        quality: `Quality` of each reading, int8, shape (T, P).
        applied: The operator's action, shape (T, 10). [each channel's unit]
        proposed: The controller's action, shape (T, 10). [each channel's unit]
        certified: The safety layer's action, shape (T, 10). [each channel's unit]
        status: `FilterStatus` by name, T texts.
        rung: Step of the fallback ladder, T texts, empty for none.
        reason: Why a fallback was taken, T texts, empty for none.
        active: Active limits of each step, as "name=margin; ...", T texts.
        limit: The limit that bound most, T texts, empty for none.
        kind: One of `KINDS`, or empty where nothing was changed, T texts.
        margins: Margin of the certified action by limit, each of shape (T,).
            [each limit's unit]
        extra: Further columns by name, each of shape (T,).
        policy_digest: Digest of the policy that proposed.
    """

    time_utc: np.ndarray
    offset: np.ndarray
    observed: np.ndarray
    quality: np.ndarray
    applied: np.ndarray
    proposed: np.ndarray
    certified: np.ndarray
    status: Sequence[str]
    rung: Sequence[str]
    reason: Sequence[str]
    active: Sequence[str]
    limit: Sequence[str]
    kind: Sequence[str]
    margins: Mapping[str, np.ndarray]
    extra: Mapping[str, np.ndarray]
    policy_digest: str

    @property
    def rows(self) -> int:
        """Number of decisions [1]."""
        return len(self.time_utc)


def beyond_dead_band(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return where two actions differ beyond the dead band, bool, shape (T, 10).

    A channel that is NaN in either is not compared and does not differ.
    """
    span = channel_array("upper") - channel_array("lower")
    band = channel_array("dead_band") + DEAD_BAND_SHARE * span
    return np.abs(first - second) > band[None, :]


def intervention_mask(decisions: Decisions) -> np.ndarray:
    """Return where the safety layer changed the action, bool, shape (T,).

    A fallback counts even where its action happens to equal the proposed one.
    """
    changed = np.any(beyond_dead_band(decisions.certified, decisions.proposed), axis=1)
    return changed | (np.asarray(decisions.status) == "FALLBACK")


def decision_table(decisions: Decisions) -> pa.Table:
    """Return the decisions as the table that is written."""
    steps = zip(decisions.time_utc, decisions.offset, strict=True)
    digest = pa.array([decisions.policy_digest]).take(
        pa.array(np.zeros(decisions.rows, dtype=np.int64))
    )
    columns: dict[str, pa.Array] = {
        "time_utc": pa.array(decisions.time_utc, pa.timestamp("s", tz="UTC")),
        "time_local": pa.array(local_text(*step) for step in steps),
        "utc_offset": pa.array(decisions.offset, pa.int32()),
    }
    for i, name in enumerate(POINT_NAMES):
        columns[f"observed_{name}"] = _numbers(decisions.observed[:, i])
        columns[f"quality_{name}"] = pa.array(decisions.quality[:, i], pa.int8())
    for label in ("applied", "proposed", "certified"):
        for i, name in enumerate(CHANNEL_NAMES):
            columns[f"{label}_{name}"] = _numbers(getattr(decisions, label)[:, i])
    for label in ("status", "rung", "reason", "active", "limit", "kind"):
        columns[label] = pa.array(list(getattr(decisions, label)), pa.string())
    for name, margin in decisions.margins.items():
        columns[f"margin_{name}"] = _numbers(margin)
    for name, column in decisions.extra.items():
        columns[f"extra_{name}"] = _extra(column)
    columns["policy_digest"] = digest
    return pa.table(columns).replace_schema_metadata(_metadata())


def _numbers(values: np.ndarray) -> pa.Array:
    values = np.ascontiguousarray(values, dtype=np.float64)
    return pa.array(values, mask=np.isnan(values))


def _extra(column: np.ndarray) -> pa.Array:
    column = np.asarray(column)
    return _numbers(column) if column.dtype.kind == "f" else pa.array(column.tolist())


def _metadata() -> dict[str, str]:
    units = {f"unit.{item.name}": item.unit for item in (*POINTS, *CHANNELS)}
    return {"schema": SCHEMA, **units}


def decision_bytes(decisions: Decisions) -> bytes:
    """Return the Parquet file of the decisions; same decisions, same bytes."""
    buffer = io.BytesIO()
    pq.write_table(
        decision_table(decisions),
        buffer,
        compression="zstd",
        row_group_size=65536,
        use_dictionary=True,
        write_statistics=True,
    )
    return buffer.getvalue()


def write_decisions(decisions: Decisions, path: Path) -> str:
    """Write `decisions.parquet` and return its SHA-256, hexadecimal."""
    data = decision_bytes(decisions)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def read_decisions(path: Path) -> Decisions:
    """Read `decisions.parquet` back.

    Raises:
        InputError: The file is absent or was not written by a shadow run.
    """
    try:
        table = pq.read_table(io.BytesIO(path.read_bytes()))
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected the "
            "decisions of a shadow run; give that run's folder"
        ) from error
    found = (table.schema.metadata or {}).get(b"schema", b"none").decode()
    if found != SCHEMA:
        raise InputError(
            f"{path}: found schema {found!r}, expected {SCHEMA!r}; run "
            "`coolbound shadow` again"
        )
    return _from_table(table)


def _from_table(table: pa.Table) -> Decisions:
    def stack(prefix: str, names: Sequence[str]) -> np.ndarray:
        return np.stack([_array(table, f"{prefix}_{n}") for n in names], axis=1)

    def named(prefix: str) -> dict[str, np.ndarray]:
        names = [n for n in table.column_names if n.startswith(prefix)]
        return {n.removeprefix(prefix): _array(table, n) for n in names}

    texts = ("status", "rung", "reason", "active", "limit", "kind")
    return Decisions(
        time_utc=_array(table.set_column(0, "t", _seconds(table)), "t"),
        offset=_array(table, "utc_offset").astype(np.int64),
        observed=stack("observed", POINT_NAMES),
        quality=stack("quality", POINT_NAMES).astype(np.int8),
        applied=stack("applied", CHANNEL_NAMES),
        proposed=stack("proposed", CHANNEL_NAMES),
        certified=stack("certified", CHANNEL_NAMES),
        margins=named("margin_"),
        extra=named("extra_"),
        policy_digest=str(table.column("policy_digest")[0].as_py()),
        **{name: tuple(table.column(name).to_pylist()) for name in texts},
    )


def _seconds(table: pa.Table) -> pa.ChunkedArray:
    # Parquet has no seconds and hands milliseconds back.
    return table.column("time_utc").cast(pa.timestamp("s", tz="UTC")).cast(pa.int64())


def _array(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table.column(name).to_numpy())
