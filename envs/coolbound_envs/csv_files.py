"""Strict reading of CSV files: known columns, every cell a number in range.

What is wrong is said once, with the file, the line, the column, what was found
and what was expected. Lines are counted as an editor does: the header is line 1.
"""

import csv
import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coolbound_envs.tables import InputError

Columns = dict[str, list[str]]


def read_columns(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> Columns:
    """Return the cells of each column of a CSV file, plain or gzipped.

    Raises:
        InputError: The file cannot be read, has no rows, lacks a column, has an
            unknown one, or a row is too short or too long.
    """
    rows = list(csv.reader(_read_text(path).splitlines()))
    if len(rows) < 2:
        raise InputError(
            f"{path}: found {len(rows)} lines, expected a header and rows; "
            "give a CSV file with data"
        )
    header, body = rows[0], rows[1:]
    _check_header(path, header, required, optional)
    for line, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise InputError(
                f"{path}: line {line}: found {len(row)} cells, expected "
                f"{len(header)}, as in the header; correct that line"
            )
    return dict(zip(header, map(list, zip(*body, strict=True)), strict=True))


def read_numbers(
    path: Path, column: str, cells: list[str], lower: float, upper: float, unit: str
) -> np.ndarray:
    """Return a column as numbers within [lower, upper], float64, shape (n,).

    Raises:
        InputError: A cell is empty, no number, not finite or out of range.
    """
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            values[row] = float(cell)
        except ValueError:
            values[row] = np.nan
    wrong = np.flatnonzero(~((values >= lower) & (values <= upper)))
    if wrong.size:
        raise InputError(
            f"{cell_place(path, column, int(wrong[0]))}: found "
            f"{cells[wrong[0]]!r}, expected {lower:g} to {upper:g} {unit}; "
            "correct that cell or convert its unit"
        )
    return values


def cell_place(path: Path, column: str, row: int) -> str:
    """Return how a message names a cell; row 0 stands on line 2."""
    return f"{path}: line {row + 2}, column {column!r}"


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected a CSV "
            "file in UTF-8, gzipped if it ends in .gz; check the path"
        ) from error


def _check_header(
    path: Path, header: list[str], required: Sequence[str], optional: Sequence[str]
) -> None:
    expected = f"{', '.join(required)}" + (
        f" and optionally {', '.join(optional)}" if optional else ""
    )
    absent = [name for name in required if name not in header]
    strange = [name for name in header if name not in (*required, *optional)]
    twice = [name for name in header if header.count(name) > 1]
    for names, wrong in (
        (absent, "no column"),
        (strange, "unknown column"),
        (twice, "twice the column"),
    ):
        if names:
            raise InputError(
                f"{path}: line 1: found {wrong} {names[0]!r}, expected {expected}; "
                "correct the header"
            )
