"""What one unknown export seems to be: its shape, and what each column is for."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from coolbound_shadow.intake.exports import EXCEL, PARQUET, Export, as_text, sheet_names
from coolbound_shadow.intake.file_types import NULL_TOKENS, ColumnRef, FileMap, TextForm
from coolbound_shadow.intake.guesses import Guess
from coolbound_shadow.intake.shapes import (
    Sample,
    kind_of,
    shape_of,
    status_columns,
)
from coolbound_shadow.intake.sniff_text import sniff_text
from coolbound_shadow.intake.sniff_time import (
    TimeGuess,
    find_time,
    zone_words,
)
from coolbound_shadow.intake.tables import header_digest
from coolbound_shadow.intake.words import plain

PARQUET_SAMPLE = 2000
"""Rows of a Parquet file that are looked at. [rows]"""


@dataclasses.dataclass(frozen=True)
class Sketch:
    """What one export seems to be. Static.

    Attributes:
        export: The file.
        file: The guess as a map has it.
        names: Names of its columns.
        units: Text of a row of units; empty for none.
        values: Places of the columns of readings.
        statuses: Place of the status column that belongs to each of them, by place.
        times: Place of the time column of each, in an interleaved file.
        cells: Sampled cells of every column.
        time: What the stamps seem to be; None where none were found.
        guesses: What was guessed, with its evidence.
        zones: What the file says about a zone, quoted.
    """

    export: Export
    file: FileMap
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: tuple[int, ...]
    statuses: dict[int, int]
    times: dict[int, int]
    cells: tuple[tuple[str, ...], ...]
    time: TimeGuess | None
    guesses: dict[str, Guess]
    zones: tuple[str, ...]


def sketch(export: Export, folder: Path) -> list[Sketch]:
    """Return what an export seems to be: one sketch, or one for each Excel sheet.

    Args:
        export: The file.
        folder: For copies as UTF-8.
    """
    if export.form == PARQUET:
        return [_sketch(export, _parquet_sample(export), folder)]
    if export.form != EXCEL:
        return [_sketch(export, _text_sample(export.path, ""), folder)]
    found = []
    for sheet in sheet_names(export):
        path = as_text(export, "utf-8", sheet, folder)
        if path.stat().st_size > 20:
            found.append(_sketch(export, _text_sample(path, sheet), folder))
    return [s for s in found if s.time is not None] or found[:1]


def _text_sample(path: Path, sheet: str) -> Sample:
    guess = sniff_text(path)
    form = dataclasses.replace(guess.form, sheet=sheet)
    rows = (*guess.data[:50], *guess.header)
    width = max((len(row) for row in rows), default=0)
    padded = [(*row, *[""] * (width - len(row))) for row in guess.data]
    cells = tuple(zip(*padded, strict=True)) if padded else ((),) * width
    names = _names(guess.header, form, len(cells) or width)
    above = [" ".join(row) for row in guess.rows[: form.skip_rows + form.header_rows]]
    return Sample(
        names, guess.units, cells, form, guess.nulls, guess.guesses, tuple(above)
    )


def _names(
    header: Sequence[tuple[str, ...]], form: TextForm, width: int
) -> tuple[str, ...]:
    named = [row for i, row in enumerate(header, 1) if i != form.unit_row]
    joined = (
        " | ".join(row[i] for row in named if i < len(row) and row[i])
        for i in range(width)
    )
    return tuple(name or f"column {i}" for i, name in enumerate(joined))


def _parquet_sample(export: Export) -> Sample:
    file = pq.ParquetFile(export.path)
    groups = sorted({0, file.num_row_groups // 2, file.num_row_groups - 1})
    tables = [file.read_row_group(g).slice(0, PARQUET_SAMPLE) for g in groups if g >= 0]
    table = pa.concat_tables(tables) if tables else file.schema_arrow.empty_table()
    cells = tuple(
        tuple("" if v is None else str(v) for v in column.to_pylist())
        for column in table.columns
    )
    typed = [
        i
        for i, field in enumerate(table.schema)
        if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type)
    ]
    guess = {"format": Guess("parquet", "columns have types of their own")}
    names = tuple(table.column_names)
    return Sample(names, (), cells, TextForm(), (), guess, (), tuple(typed))


def _sketch(export: Export, sample: Sample, folder: Path) -> Sketch:
    time = _typed_time(sample) or find_time(sample.cells, sample.names)
    pairs = zip(sample.cells, sample.names, strict=True)
    kinds = [kind_of(cells, name) for cells, name in pairs]
    used = set(time.columns) if time else set()
    shape, parts = shape_of(sample, kinds, used, export.name)
    statuses = status_columns(sample, kinds, parts.values)
    nulls = tuple(dict.fromkeys((*NULL_TOKENS[:1], *sample.nulls)))
    twice = len(set(sample.names)) < len(sample.names)
    file = FileMap(
        name=_file_name(export, sample.form.sheet),
        match=export.name,
        shape=shape.value,
        text=sample.form,
        time=tuple(_ref(sample.names, p) for p in time.columns)
        if time
        else (ColumnRef(position=0),),
        tag=_ref(sample.names, parts.tag) if parts.tag >= 0 else None,
        value=_ref(sample.names, parts.values[0])
        if shape.value in ("tall", "per_point") and parts.values
        else None,
        status=_ref(sample.names, parts.status) if parts.status >= 0 else None,
        null_tokens=nulls,
        formats=time.formats if time else ("iso",),
        stamps=time.stamps if time else "local",
        order=time.order if time else "oldest_first",
        header_sha256=header_digest(sample.names) if twice else "",
        on_duplicate_header="by_position" if twice else "refuse",
    )
    guesses = {**sample.guesses, "shape": shape}
    if time:
        guesses["time"] = time.guess
    return Sketch(
        export,
        file,
        sample.names,
        sample.units,
        parts.values,
        statuses,
        parts.times,
        sample.cells,
        time,
        guesses,
        tuple(zone_words([*sample.above, *sample.names])),
    )


def _file_name(export: Export, sheet: str) -> str:
    stem = re.sub(r"[^\w]+", "_", Path(export.name).stem).strip("_").lower() or "file"
    return f"{stem}_{plain(sheet).replace(' ', '_')}" if sheet else stem


def _ref(names: Sequence[str], place: int) -> ColumnRef:
    name = names[place]
    if names.count(name) > 1 or re.fullmatch(r"column \d+", name):
        return ColumnRef(position=place)
    return ColumnRef(name=name)


def _typed_time(sample: Sample) -> TimeGuess | None:
    if not sample.typed_time:
        return None
    place = sample.typed_time[0]
    has_zone = any("+" in c[10:] or c.endswith("Z") for c in sample.cells[place][:5])
    guess = Guess("iso", f"column {sample.names[place]!r} has a time type")
    return TimeGuess(
        (place,), ("iso",), "utc" if has_zone else "local", "oldest_first", guess
    )


def seen_statuses(sketch: Sketch) -> Counter[str]:
    """Return the status texts that were sampled, with counts."""
    places = set(sketch.statuses.values())
    if sketch.file.status is not None:
        name = sketch.file.status.name
        places |= {i for i, n in enumerate(sketch.names) if n == name}
        places |= {sketch.file.status.position} - {-1}
    return Counter(c for place in places for c in sketch.cells[place] if c)
