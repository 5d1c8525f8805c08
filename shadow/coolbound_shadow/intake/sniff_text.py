"""How an unknown text file is written: encoding, delimiter, header, number marks.

Everything is judged from the beginning, the middle and the end of the file, and every
guess says what it was judged from.
"""

import codecs
import csv
import dataclasses
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from coolbound_shadow.intake.file_types import NULL_TOKENS, TextForm
from coolbound_shadow.intake.guesses import Guess
from coolbound_shadow.intake.sniff_marks import NUMBER, is_number, sniff_marks
from coolbound_shadow.intake.sniff_time import is_time_like
from coolbound_shadow.intake.words import concepts, state_of, unit_of

HEAD, PART = 1 << 19, 1 << 16
"""Read from the beginning, and from the middle and the end. [bytes]"""


ROWS = 400
"""Rows that are looked at. [rows]"""


BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


LEGACY = ("cp1252", "gb18030", "shift_jis", "big5", "euc_kr", "cp1250", "cp1251")


DELIMITERS = (";", "\t", ",", "|")


HEADER_ROWS_MOST = 4


@dataclasses.dataclass(frozen=True)
class TextGuess:
    """How a text file seems to be written. Static.

    Attributes:
        form: The guess as a map has it.
        rows: Cells of the first rows, header included.
        header: Cells of the header rows.
        data: Cells of data rows from the beginning, the middle and the end.
        units: Unit text of each column from a row of units; empty for none.
        nulls: Tokens seen that mean an empty cell.
        guesses: Each part, with its evidence.
    """

    form: TextForm
    rows: tuple[tuple[str, ...], ...]
    header: tuple[tuple[str, ...], ...]
    data: tuple[tuple[str, ...], ...]
    units: tuple[str, ...]
    nulls: tuple[str, ...]
    guesses: dict[str, Guess]


def sniff_text(path: Path) -> TextGuess:
    """Return how a text file seems to be written."""
    parts = _parts(path)
    encoding = sniff_encoding(parts)
    texts = [_decode(part, encoding.value, i) for i, part in enumerate(parts)]
    lines = [_lines(text, is_cut=i > 0) for i, text in enumerate(texts)]
    delimiter = sniff_delimiter(lines[0])
    rows = _rows("\n".join(lines[0]), delimiter.value)
    rest = [r for part in lines[1:] for r in _rows("\n".join(part), delimiter.value)]
    first, header, width = find_header(rows)
    units, unit_row = _unit_row(header)
    data = [r for r in (*rows[first:], *rest) if len(r) == width]
    decimal, thousands = sniff_marks([cell for row in data for cell in row])
    skip = _lines_above(lines[0], rows, first - len(header), delimiter.value)
    form = TextForm(
        encoding=encoding.value,
        delimiter=delimiter.value,
        decimal=decimal.value,
        thousands=thousands.value,
        skip_rows=skip,
        header_rows=len(header),
        unit_row=unit_row,
    )
    odd = [r for r in (*rows[first:], *rest) if len(r) != width and any(r)]
    guesses = {
        "encoding": encoding,
        "delimiter": delimiter,
        "decimal": decimal,
        "thousands": thousands,
        "header": _header_guess(form, header, odd),
    }
    nulls = sorted({c.strip() for row in data for c in row} & set(NULL_TOKENS))
    return TextGuess(
        form, tuple(rows), tuple(header), tuple(data), units, tuple(nulls), guesses
    )


def _parts(path: Path) -> list[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        parts = [file.read(HEAD)]
        if size > HEAD + 2 * PART:
            file.seek((size // 2) & ~3)
            parts.append(file.read(PART))
        if size > HEAD:
            file.seek(max(HEAD, size - PART) & ~3)
            parts.append(file.read(PART))
    return parts


def sniff_encoding(parts: Sequence[bytes]) -> Guess[str]:
    """Return the encoding of a file, from some parts of its bytes."""
    head = parts[0]
    for mark, name in BOMS:
        if head.startswith(mark):
            return Guess(name, "the file begins with a byte order mark")
    even, odd = head[0:400:2].count(0), head[1:400:2].count(0)
    if even + odd > len(head[:400]) // 4:
        name = "utf-16-le" if odd > even else "utf-16-be"
        return Guess(name, "every other byte is zero, and there is no byte order mark")
    if all(_is_utf8(part) for part in parts):
        is_ascii = all(part.isascii() for part in parts)
        return Guess("utf-8", "plain ASCII" if is_ascii else "valid UTF-8 throughout")
    scores = {name: _plausible(head, name) for name in LEGACY}
    best = max(LEGACY, key=lambda name: scores[name])
    return Guess(
        best,
        f"not UTF-8; read as {best}, {scores[best]} known words or signs appear",
        f"is the file written in {best}? Look at signs such as \u00b0, \u00e4, \u00e9",
    )


def _is_utf8(part: bytes) -> bool:
    # A part may begin and end inside a sign.
    for start in range(4):
        try:
            codecs.getincrementaldecoder("utf-8")().decode(part[start:])
        except UnicodeDecodeError:
            continue
        return True
    return False


def _plausible(head: bytes, name: str) -> int:
    try:
        text = codecs.getincrementaldecoder(name)().decode(head[:20_000])
    except UnicodeDecodeError:
        return -1
    cells = re.split(r"[,;\t|\n\r\"]", text[:5_000])
    words = sum(len(concepts(cell)) for cell in cells[:200] if not cell.isascii())
    return words + sum(
        text[:5_000].count(sign) for sign in ("\u00b0C", "\u00b0F", "\u00b3/h")
    )


def _decode(part: bytes, encoding: str, place: int) -> str:
    name = encoding
    if place and encoding in ("utf-16", "utf-32"):
        name = f"{encoding}-le"
    return part.decode(name, errors="replace")


def _lines(text: str, is_cut: bool) -> list[str]:
    lines = text.lstrip("\ufeff").splitlines()
    lines = lines[1:] if is_cut else lines
    return lines[:ROWS] if not is_cut else lines[-ROWS:]


def _rows(text: str, delimiter: str) -> list[tuple[str, ...]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = []
    try:
        for row in reader:
            rows.append(tuple(cell.strip() for cell in row))
    except csv.Error:
        pass
    return rows


def sniff_delimiter(lines: Sequence[str]) -> Guess[str]:
    """Return what stands between cells: what cuts most rows alike, into clean cells."""
    scores = {}
    for mark in DELIMITERS:
        rows = [row for row in _rows("\n".join(lines), mark) if row]
        widths = Counter(len(row) for row in rows)
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        same = [row for row in rows if len(row) == width]
        cells = [cell for row in same[-100:] for cell in row]
        clean = sum(map(_is_clean, cells)) / max(len(cells), 1)
        scores[mark] = (count / max(len(rows), 1)) * clean if width > 1 else 0.0
    best = max(DELIMITERS, key=lambda mark: scores[mark])
    if scores[best] == 0.0:
        doubt = "is there one column only?"
        return Guess(",", "no mark cuts the rows into cells", doubt)
    name = {"\t": "tab"}.get(best, repr(best))
    return Guess(best, f"{name} cuts {100 * scores[best]:.0f} % of the rows alike")


def _is_clean(cell: str) -> bool:
    if not cell or is_time_like(cell) or NUMBER.match(cell):
        return True
    return len(cell) < 24 and not any(mark in cell for mark in ";,\t|")


def find_header(
    rows: Sequence[tuple[str, ...]],
) -> tuple[int, list[tuple[str, ...]], int]:
    """Return where the data begin, the header rows above, and the width of the data.

    A data row has the width of most rows and a time stamp or mostly numbers; header
    rows stand right above, have more than one cell and hardly any number.
    """
    widths = Counter(len(row) for row in rows if len(row) > 1)
    width = widths.most_common(1)[0][0] if widths else 1
    first = next((i for i, row in enumerate(rows) if _is_data(row, width)), len(rows))
    header: list[tuple[str, ...]] = []
    for row in reversed(rows[max(0, first - HEADER_ROWS_MOST) : first]):
        if not _is_header(row, width):
            break
        header.insert(0, row)
    return first, header, width


def _is_data(row: tuple[str, ...], width: int) -> bool:
    if len(row) != width:
        return False
    filled = [cell for cell in row if cell]
    numbers = sum(map(is_number, filled))
    has_time = any(is_time_like(cell) for cell in row)
    return has_time or (len(filled) > 0 and numbers > len(filled) / 2)


def _is_header(row: tuple[str, ...], width: int) -> bool:
    filled = [cell for cell in row if cell]
    if abs(len(row) - width) > 1 or len(filled) < max(2, width // 3):
        return False
    return not any(is_time_like(cell) for cell in row)


def _unit_row(header: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], int]:
    """Return the cells of a row of units, and which header row it is; 0 for none."""
    for i, row in enumerate(header, 1):
        filled = [cell for cell in row[1:] if cell]
        units = sum(unit_of(cell) is not None for cell in filled)
        if i > 1 and filled and units > len(filled) / 2:
            return row, i
    return (), 0


def _lines_above(
    lines: Sequence[str], rows: Sequence[tuple[str, ...]], above: int, delimiter: str
) -> int:
    """Return how many lines stand above a row; a quoted cell may span several."""
    if above <= 0:
        return 0
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
    for _ in range(min(above, len(rows))):
        next(reader, None)
    return reader.line_num


def _header_guess(
    form: TextForm, header: Sequence[tuple[str, ...]], odd: Sequence[tuple[str, ...]]
) -> Guess[int]:
    found = f"{len(header)} header row(s) below line {form.skip_rows}"
    if form.unit_row:
        found += f", the {form.unit_row}. of them with units"
    if odd:
        shown = form.delimiter.join(odd[-1])[:60]
        found += f"; {len(odd)} rows of another width, such as {shown!r}"
    doubt = "" if header else "the columns have no names: which is which?"
    return Guess(len(header), found, doubt)


def states_of(cells: Sequence[str]) -> dict[str, float] | None:
    """Return what the texts of a column stand for; None unless they are few states."""
    texts = sorted({c for c in cells if c})
    known = {text: state_of(text) for text in texts}
    if not texts or len(texts) > 6 or all(is_number(text) for text in texts):
        return None
    return (
        {t: s for t, s in known.items() if s is not None}
        if any(s is not None for s in known.values())
        else None
    )
