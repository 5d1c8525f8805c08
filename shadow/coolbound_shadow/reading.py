"""Bytes of a CSV or Parquet export to columns; no cell is repaired here."""

import csv
import dataclasses
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from coolbound_envs.tables import InputError
from coolbound_shadow.point_types import FileSpec, PointSpec

NUMBER = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"

REASONS = ("", "missing", "no number", "dropout value", "out of range", "stuck", "held")
"""Why a reading is not GOOD; a code is the place in this tuple."""

MISSING, NO_NUMBER, DROPOUT, OUT_OF_RANGE, STUCK, HELD = range(1, 7)


@dataclasses.dataclass(frozen=True)
class RawTable:
    """One file as it came. Static.

    Attributes:
        name: File name.
        sha256: Digest of its bytes.
        columns: Cells by header; text where the file is text.
        line: Line or row number of each row, as an editor counts, shape (n,).
        malformed: Rows that had another number of cells. [1]
    """

    name: str
    sha256: str
    columns: Mapping[str, pa.Array]
    line: np.ndarray
    malformed: int = 0


def read_raw(path: Path, spec: FileSpec | None = None) -> RawTable:
    """Return the columns of one file.

    Args:
        path: The file; its suffix says Parquet, anything else is read as text.
        spec: How it is written; none for a log of coolbound's own.

    Raises:
        InputError: The file is absent, empty, no table, or names a column twice.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected a log as "
            "CSV or Parquet; check the path"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    spec = spec or FileSpec("log", path.name, "time")
    is_parquet = path.suffix == ".parquet"
    try:
        found, line, malformed = _parquet(data) if is_parquet else _csv(data, spec)
    except (pa.ArrowException, UnicodeDecodeError, LookupError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path.name}: cannot be read as a table ({reason}), expected CSV or "
            "Parquet with one header row; correct the file or its [[points.file]]"
        ) from error
    _check_table(found, path.name)
    columns = {n: _plain(found.column(n)) for n in found.column_names}
    return RawTable(path.name, digest, columns, line, malformed)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """Return one array; text of whatever encoding becomes plain strings."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else None
    kind = kind or column.type
    is_text = pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if is_text or pa.types.is_dictionary(column.type):
        column = column.cast(pa.string() if is_text else kind)
    return pa.concat_arrays(column.chunks)


def _check_table(table: pa.Table, name: str) -> None:
    names = table.column_names
    twice = [each for each in names if names.count(each) > 1]
    if twice:
        raise InputError(
            f"{name}: found column {twice[0]!r} {names.count(twice[0])} times, "
            "expected every header once; rename one in the export"
        )
    if table.num_rows == 0:
        raise InputError(
            f"{name}: found no data row, expected at least one; export a longer period"
        )


def _parquet(data: bytes) -> tuple[pa.Table, np.ndarray, int]:
    table = pq.read_table(io.BytesIO(data))
    return table, np.arange(1, table.num_rows + 1), 0


def _csv(data: bytes, spec: FileSpec) -> tuple[pa.Table, np.ndarray, int]:
    text = data.decode(spec.encoding).removeprefix("\ufeff").encode()
    bad: list[int] = []

    def skip(row: pacsv.InvalidRow) -> str:
        bad.append(row.number or 0)
        return "skip"

    header = _header(text, spec.delimiter)
    table = pacsv.read_csv(
        io.BytesIO(text),
        read_options=pacsv.ReadOptions(use_threads=False),
        parse_options=pacsv.ParseOptions(
            delimiter=spec.delimiter, invalid_row_handler=skip
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={name: pa.string() for name in header},
            strings_can_be_null=False,
        ),
    )
    lines = np.arange(2, table.num_rows + len(bad) + 2)
    return table, lines[~np.isin(lines, bad)], len(bad)


def _header(text: bytes, delimiter: str) -> list[str]:
    lines = io.StringIO(text.decode(), newline="")
    return next(csv.reader(lines, delimiter=delimiter), [])


def raw_numbers(
    table: RawTable, header: str, file: FileSpec, point: PointSpec
) -> tuple[np.ndarray, np.ndarray]:
    """Return a column's numbers and reason codes, both of shape (n,).

    Raises:
        InputError: The column is not in the file, or holds no number at all.
    """
    if header not in table.columns:
        raise InputError(
            f"{table.name}: found no column {header!r} (wanted by {point.name!r}), "
            f"expected it among {', '.join(table.columns)}; correct `columns`"
        )
    column = table.columns[header]
    if pa.types.is_string(column.type):
        values, code = _from_text(column, file, dict(point.states))
    else:
        values, code = _from_typed(column, table.name, header)
    if np.all(code == NO_NUMBER):
        raise InputError(
            f"{table.name}, column {header!r}: found {column[0].as_py()!r} and no "
            "number at all, expected numbers; correct `columns`, `decimal` or `states`"
        )
    code[(code == 0) & np.isin(values, point.bad_values)] = DROPOUT
    return values, code


def _from_text(
    column: pa.Array, file: FileSpec, states: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    call = pc.call_function
    text = call("utf8_trim_whitespace", [pc.fill_null(column, "")])
    nulls = pc.SetLookupOptions(pa.array(file.null_tokens, pa.string()))
    missing = np.asarray(call("is_in", [text], nulls))
    if file.decimal == ",":
        point = pc.ReplaceSubstringOptions(",", ".")
        text = call("replace_substring", [text], point)
    is_number = call("match_substring_regex", [text], pc.MatchSubstringOptions(NUMBER))
    numbers = call("if_else", [is_number, text, pa.scalar(None, pa.string())])
    values = np.array(pc.fill_null(pc.cast(numbers, pa.float64()), np.nan))
    known = np.array(is_number)
    for state, number in states.items():
        here = np.asarray(call("equal", [text, pa.scalar(state)]))
        values[here], known[here] = number, True
    code = np.where(known, 0, NO_NUMBER).astype(np.int8)
    code[missing] = MISSING
    return values, code


def _from_typed(
    column: pa.Array, name: str, header: str
) -> tuple[np.ndarray, np.ndarray]:
    try:
        numbers = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
        values = np.array(pc.fill_null(numbers.cast(pa.float64()), np.nan))
    except pa.ArrowException as error:
        raise InputError(
            f"{name}, column {header!r}: found type {column.type}, expected numbers; "
            "correct `columns`"
        ) from error
    code = np.where(np.isfinite(values), 0, NO_NUMBER).astype(np.int8)
    code[np.asarray(column.is_null())] = MISSING
    return values, code
