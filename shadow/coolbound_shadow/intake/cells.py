"""Cells to numbers, a column at a time: a number, a known state, or a reason.

Almost every column of almost every block is plain numbers, and one cast reads it.
Where the cast fails the cells are looked at one kind after the other: what is
declared is read, everything else is counted with the text that stood there.
"""

import dataclasses
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from coolbound_shadow.intake.reasons import GOOD, MISSING, NOT_A_NUMBER, NOT_FINITE

TOKENS_KEPT = 8
"""Different texts that are kept for the report. [1]"""

NOT_FINITE_TEXT = re.compile(r"^[+-]?(nan|inf|infinity|1\.#\w+|#nan)$", re.I)


@dataclasses.dataclass(frozen=True)
class CellForm:
    """How the numbers of a column are written. Static.

    Attributes:
        decimal: Decimal mark.
        thousands: Mark between groups of three digits; empty for none.
        suffix: Text after every number; empty for none.
        states: Texts and the numbers they stand for.
        nulls: Texts that mean an empty cell.
    """

    decimal: str = "."
    thousands: str = ""
    suffix: str = ""
    states: tuple[tuple[str, float], ...] = ()
    nulls: tuple[str, ...] = ("",)


@dataclasses.dataclass(frozen=True)
class Cells:
    """A column as numbers. Static.

    Attributes:
        values: NaN where there is none, float64, shape (n,). [per raw unit]
        code: Place of the reason, 0 for none, uint8, shape (n,). [1]
        tokens: Texts that are no numbers, with their counts.
    """

    values: np.ndarray
    code: np.ndarray
    tokens: Counter[str]


def read_cells(column: pa.Array, form: CellForm) -> Cells:
    """Return a column of cells as numbers and reasons."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        return _typed(column)
    is_plain = not (form.suffix or form.states)
    values = _cast(column, form) if is_plain else None
    if values is None:
        return _texts(column, form)
    return _finish(values, np.asarray(column.is_null()))


def _cast(column: pa.Array, form: CellForm) -> np.ndarray | None:
    if form.decimal != ".":
        # A point that is no decimal mark must not be read as one.
        point = pc.MatchSubstringOptions(".")
        found = pc.call_function("match_substring", [column], point)
        if pc.call_function("any", [found]).as_py():
            return None
        mark = pc.ReplaceSubstringOptions(form.decimal, ".")
        column = pc.call_function("replace_substring", [column], mark)
    try:
        return np.array(column.cast(pa.float64()).fill_null(np.nan))
    except pa.ArrowInvalid:
        return None


def _finish(values: np.ndarray, is_null: np.ndarray) -> Cells:
    code = np.where(np.isfinite(values), GOOD, NOT_FINITE).astype(np.uint8)
    code[is_null] = MISSING
    return Cells(np.where(code == GOOD, values, np.nan), code, Counter())


def _typed(column: pa.Array) -> Cells:
    """Return numbers of a typed column; of a type without numbers, none."""
    try:
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        values = np.array(column.cast(pa.float64(), safe=False).fill_null(np.nan))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        code = np.where(np.asarray(column.is_null()), MISSING, NOT_A_NUMBER)
        tokens = Counter({f"a cell of type {column.type}": int((code > MISSING).sum())})
        return Cells(np.full(len(column), np.nan), code.astype(np.uint8), tokens)
    return _finish(values, np.asarray(column.is_null()))


def _texts(column: pa.Array, form: CellForm) -> Cells:
    """Read each different text of a block once."""
    coded = pc.call_function("utf8_trim_whitespace", [column.fill_null("")])
    coded = coded.dictionary_encode()
    place = np.asarray(coded.indices)
    texts = coded.dictionary
    values, code = _unique(texts, form)
    is_null = np.isin(np.asarray(texts.to_pylist(), dtype=object), ("", *form.nulls))
    code[is_null & (code != GOOD)] = MISSING
    counts = np.bincount(place, minlength=len(texts))
    wrong = np.flatnonzero(code == NOT_A_NUMBER)
    shown = wrong[np.argsort(-counts[wrong], kind="stable")][:TOKENS_KEPT]
    tokens = Counter({texts[int(i)].as_py()[:40]: int(counts[i]) for i in shown})
    return Cells(values[place], code[place], tokens)


def _unique(texts: pa.Array, form: CellForm) -> tuple[np.ndarray, np.ndarray]:
    numbers = _plain_numbers(texts, form)
    values = np.array(numbers.cast(pa.float64()).fill_null(np.nan))
    code = np.where(np.asarray(numbers.is_valid()), GOOD, NOT_A_NUMBER)
    code = code.astype(np.uint8)
    unread = np.flatnonzero(code != GOOD)
    states = {text.casefold(): number for text, number in form.states}
    for i in unread if len(unread) else ():
        text = texts[int(i)].as_py()
        state = states.get(text.casefold())
        if state is not None:
            values[i], code[i] = state, GOOD
        elif NOT_FINITE_TEXT.match(text):
            code[i] = NOT_FINITE
    return values, code


def _plain_numbers(texts: pa.Array, form: CellForm) -> pa.Array:
    """Return the texts that are numbers, written as a cast reads them; else null."""
    call = pc.call_function
    if form.suffix:
        ending = rf"\s*{re.escape(form.suffix)}$"
        texts = call(
            "replace_substring_regex", [texts], pc.ReplaceSubstringOptions(ending, "")
        )
    minus = pc.ReplaceSubstringOptions("\u2212", "-")
    texts = call("replace_substring", [texts], minus)
    fits = pc.MatchSubstringOptions(number_pattern(form.decimal, form.thousands))
    is_number = call("match_substring_regex", [texts], fits)
    texts = call("if_else", [is_number, texts, pa.scalar(None, pa.string())])
    for old, new in ((form.thousands, ""), (form.decimal, ".")):
        if old and old != new:
            options = pc.ReplaceSubstringOptions(old, new)
            texts = call("replace_substring", [texts], options)
    return texts


def number_pattern(decimal: str, thousands: str) -> str:
    """Return what a number looks like; groups of three where a mark is declared."""
    mark, whole = re.escape(decimal), r"\d+"
    if thousands:
        whole = rf"(?:\d+|\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+)"
    return rf"^[+-]?(?:{whole}(?:{mark}\d*)?|{mark}\d+)(?:[eE][+-]?\d+)?$"
