"""Strict reading of CSV files: known columns, every cell a number in range.

What is wrong is said once, with the file, the line, the column, what was found
and what was expected. Lines are counted as an editor does: the header is line 1.
"""

import csv
import gzip
import io
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
    rows = list(csv.reader(io.StringIO(read_text(path), newline="")))
    while rows and not any(rows[-1]):
        rows.pop()
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
    path: Path,
    column: str,
    cells: list[str],
    lower: float,
    upper: float,
    unit: str,
    first_line: int = 2,
) -> np.ndarray:
    """Return a column as numbers within [lower, upper], float64, shape (n,).

    Args:
        path: The file, for messages.
        column: The column's name, for messages.
        cells: Its cells.
        lower: Least value. [the column's unit]
        upper: Greatest value. [the column's unit]
        unit: Of all values, as printed.
        first_line: Line of the file on which the first cell stands.

    Raises:
        InputError: A cell is empty, no number, not finite or out of range.
    """
    values = to_numbers(cells)
    wrong = np.flatnonzero(~((values >= lower) & (values <= upper)))
    if wrong.size:
        raise InputError(
            f"{cell_place(path, column, int(wrong[0]), first_line)}: found "
            f"{cells[wrong[0]]!r}, expected {lower:g} to {upper:g} {unit}; "
            "correct that cell or convert its unit"
        )
    return values


def to_numbers(cells: list[str]) -> np.ndarray:
    """Return cells as numbers, float64, shape (n,); NaN where one is none."""
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            values[row] = float(cell)
        except ValueError:
            values[row] = np.nan
    return values


def cell_place(path: Path, column: str, row: int, first_line: int = 2) -> str:
    """Return how a message names a cell; row 0 stands on the first line."""
    return f"{path}: line {row + first_line}, column {column!r}"


def read_text(path: Path, fallback: str = "utf-8") -> str:
    """Return a text file in UTF-8, plain or gzipped, line ends as they are.

    Args:
        path: The file.
        fallback: Encoding to read it in where it is not UTF-8.

    Raises:
        InputError: The file cannot be read or decoded.
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode(fallback)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected a text "
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
