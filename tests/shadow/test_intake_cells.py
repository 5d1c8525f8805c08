"""Cells and blocks of text: every number as written, every other text counted."""

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coolbound_envs.tables import InputError
from coolbound_shadow.intake import text_blocks
from coolbound_shadow.intake.cells import CellForm, read_cells
from coolbound_shadow.intake.file_types import ColumnRef, FileMap, TextForm
from coolbound_shadow.intake.reasons import GOOD, MISSING, NOT_A_NUMBER, NOT_FINITE
from coolbound_shadow.intake.text_blocks import read_head, text_jobs

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 4))


def read(*texts: str | None, **form: object) -> tuple[list[float], list[int]]:
    cells = read_cells(pa.array(texts, pa.string()), CellForm(**form))  # pyright: ignore
    return cells.values.tolist(), cells.code.tolist()


@settings(deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_numbers_are_read_as_they_were_written(numbers: list[float]) -> None:
    for decimal, thousands in (
        (".", ""),
        (",", ""),
        (".", ","),
        (",", "."),
        (".", "'"),
    ):
        texts = [f"{x:,.4f}" if thousands else f"{x:.4f}" for x in numbers]
        marks = str.maketrans({",": thousands, ".": decimal})
        written = [t.translate(marks) for t in texts]
        values, code = read(*written, decimal=decimal, thousands=thousands)
        assert code == [GOOD] * len(numbers)
        np.testing.assert_allclose(values, numbers, rtol=1e-12, atol=1e-9)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_a_text_is_a_number_only_if_python_says_so(text: str) -> None:
    [value], [code] = read(text)
    try:
        wanted = float(text.strip().replace("\u2212", "-"))
    except ValueError:
        assert code in (NOT_A_NUMBER, NOT_FINITE, MISSING)
        return
    if code == GOOD:
        assert value == wanted
    else:
        # Python reads more: underscores, digits of other scripts.
        assert not np.isfinite(wanted) or "_" in text or not text.isascii()


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1.234", {"decimal": ","}),
        ("1,234", {}),
        ("1.234,5", {"decimal": ","}),
        ("12,34,567", {"thousands": ","}),
        ("1,23", {"thousands": ","}),
        ("12.5 kW", {}),
        ("12.5 kW", {"suffix": "°C"}),
        ("0x1F", {}),
        ("1 2", {}),
    ],
)
def test_a_mark_or_a_unit_that_nobody_declared_makes_no_number(
    text: str, form: dict[str, str]
) -> None:
    cells = read_cells(pa.array([text, "1"]), CellForm(**form))  # pyright: ignore
    assert cells.code.tolist() == [NOT_A_NUMBER, GOOD]
    assert cells.tokens == {text: 1}


def test_null_tokens_are_missing_and_nan_is_told_apart() -> None:
    _, code = read("", None, "n/a", "nan", "-inf", "bad", nulls=("", "n/a"))
    assert code == [MISSING, MISSING, MISSING, NOT_FINITE, NOT_FINITE, NOT_A_NUMBER]


def test_states_and_suffixes_are_read_as_declared() -> None:
    states = (("on", 1.0), ("Aus", 0.0))
    values, code = read("On", "aus", "0.5", "maybe", states=states)
    assert values[:3] == [1.0, 0.0, 0.5]
    assert code == [GOOD, GOOD, GOOD, NOT_A_NUMBER]
    values, code = read("7.5 °C", "8°C", suffix="°C")
    assert (values, code) == ([7.5, 8.0], [GOOD, GOOD])


def test_typed_columns_are_numbers_or_nothing() -> None:
    for array, wanted in (
        (pa.array([1, None], pa.int32()), [1.0, np.nan]),
        (pa.array([True, False]), [1.0, 0.0]),
        (pa.array([1.5, float("nan")]), [1.5, np.nan]),
        (pa.array(["2.5", "3"]).dictionary_encode(), [2.5, 3.0]),
        (pa.array(["2.5", "3"], pa.large_string()), [2.5, 3.0]),
    ):
        np.testing.assert_array_equal(read_cells(array, CellForm()).values, wanted)
    strange = read_cells(pa.array([{"a": 1}]), CellForm())
    assert strange.code.tolist() == [NOT_A_NUMBER]


def cut(path: Path, form: TextForm, width: int) -> list[tuple[int, list[str | None]]]:
    """Return every row with its number, by way of small blocks."""
    file = FileMap(
        "f", "*", text=form, null_tokens=("",), time=(ColumnRef(position=0),)
    )
    head = read_head(path, form, path.name)
    rows = []
    for job in text_jobs(path, file, head, range(width), path.name):
        batch = job.cut()
        columns = [batch.columns[i].to_pylist() for i in range(width)]
        rows += list(zip(batch.row.tolist(), zip(*columns, strict=True), strict=True))
    return [(row, list(cells)) for row, cells in rows]


CELL = st.text(st.sampled_from('ab"\n,;. é€'), max_size=5)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=40), st.integers(8, 64))
def test_blocks_of_any_size_cut_the_rows_that_the_csv_module_cuts(
    rows: list[tuple[str, str]], block: int
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(
        [("h", "i"), *rows]
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_blocks, "BLOCK", block)
        patch.setattr(text_blocks, "QUOTED_MOST", 10_000)
        path = Path(folder) / "a.csv"
        path.write_text(out.getvalue(), encoding="utf-8", newline="")
        found = [cells for _, cells in cut(path, TextForm(), 2)]
    assert [[c or "" for c in row] for row in found] == [list(row) for row in rows]


def test_row_numbers_are_those_of_an_editor(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title\n\nt,v\n1,a\n2,b,c\n3,d\n\n4,e\n")
    found = cut(path, TextForm(skip_rows=2), 2)
    assert [(row, cells[0]) for row, cells in found if cells[0]] == [
        (4, "1"),
        (6, "3"),
        (8, "4"),
    ]


def test_a_file_shorter_than_its_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title\n")
    with pytest.raises(InputError, match="found no row below line 3"):
        read_head(path, TextForm(skip_rows=3), "a.csv")
