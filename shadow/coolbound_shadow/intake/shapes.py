"""What the columns of an unknown table are for, and which shape that makes."""

import dataclasses
from collections.abc import Sequence

from coolbound_shadow.intake.file_types import NULL_TOKENS, TextForm
from coolbound_shadow.intake.guesses import Guess
from coolbound_shadow.intake.sniff_marks import is_number
from coolbound_shadow.intake.sniff_text import states_of
from coolbound_shadow.intake.sniff_time import formats_for
from coolbound_shadow.intake.statuses import STATUS_WORDS, is_status_text
from coolbound_shadow.intake.words import plain

NUMERIC_SHARE = 0.6
"""A column of readings has numbers in so many of its filled cells. [1]"""


TAGS_LEAST, TAG_REPEATS = 2, 2.0

TALL_READINGS = 2
"""A tall file has a column of readings, and perhaps one of codes. [1]"""


VALUE_WORDS = (
    "value",
    "values",
    "val",
    "wert",
    "messwert",
    "valeur",
    "valor",
    "valore",
    "reading",
    "waarde",
    "data value",
    "present value",
    "avg",
    "average",
    "mean",
    "值",
    "値",
)


TAG_WORDS = (
    "tag",
    "point",
    "name",
    "item",
    "point name",
    "tag name",
    "object",
    "sensor",
    "id",
    "variable",
    "channel",
    "series",
    "datenpunkt",
    "punkt",
    "nom",
    "nombre",
    "测点",
    "点名",
)


@dataclasses.dataclass(frozen=True)
class Sample:
    """The first, middle and last cells of an unknown table. Static.

    Attributes:
        names: Names of its columns.
        units: Text of a row of units; empty for none.
        cells: Cells of every column.
        form: How its cells seem to be written.
        nulls: Tokens seen that mean an empty cell.
        guesses: What was guessed so far, with its evidence.
        above: Text of the lines above the data.
        typed_time: Places of columns that have a time type.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    form: TextForm
    nulls: tuple[str, ...]
    guesses: dict[str, Guess]
    above: tuple[str, ...]
    typed_time: tuple[int, ...] = ()


def kind_of(cells: Sequence[str], name: str) -> str:
    """Return what a column holds: "number", "state", "status", "text" or "empty"."""
    filled = [c for c in cells if c and c not in NULL_TOKENS]
    if not filled:
        return "empty"
    is_named = plain(name).split()[-1:] in ([word] for word in STATUS_WORDS)
    if is_named and all(map(is_status_text, set(filled))):
        return "status"
    if sum(map(is_number, filled)) >= NUMERIC_SHARE * len(filled):
        return "number"
    if sum(map(is_status_text, filled)) >= NUMERIC_SHARE * len(filled):
        return "status"
    if states_of(filled) is not None:
        return "state"
    return "text"


@dataclasses.dataclass(frozen=True)
class Parts:
    """What the columns of a table are for. Static.

    Attributes:
        values: Places of the columns of readings.
        tag: Place of the column of names; -1 for none. [1]
        status: Place of the status column; -1 for none. [1]
        times: Place of the time column of each column of readings, if it has one.
    """

    values: tuple[int, ...]
    tag: int = -1
    status: int = -1
    times: dict[int, int] = dataclasses.field(default_factory=dict)


def shape_of(
    sample: Sample, kinds: Sequence[str], used: set[int], name: str
) -> tuple[Guess[str], Parts]:
    """Return the shape of a table and what its columns are for.

    Args:
        sample: Its cells.
        kinds: What each column holds.
        used: Places of the columns of the stamp.
        name: File name, for messages.
    """
    values = [
        i for i, k in enumerate(kinds) if k in ("number", "state") and i not in used
    ]
    status = next((i for i, k in enumerate(kinds) if k == "status"), -1)
    tag = _tag_column(sample, kinds, used)
    if tag >= 0:
        # States and numbers share the column of readings of a tall file.
        value = _value_column(sample, kinds, used, tag)
        count = len(set(sample.cells[tag]))
        evidence = f"column {sample.names[tag]!r} names {count} points again and again"
        return Guess("tall", evidence), Parts((value,), tag, status)
    times = _own_times(sample, used, values)
    if len(set(times.values())) > 1:
        evidence = f"{len(set(times.values()))} columns hold time stamps"
        kept = tuple(v for v in values if v in times)
        return Guess("interleaved", evidence), Parts(kept, -1, -1, times)
    generic = [i for i in values if plain(sample.names[i]) in VALUE_WORDS]
    others = [i for i in values if i not in generic]
    if len(generic) == 1 and not others:
        evidence = f"one column of readings, named {sample.names[generic[0]]!r}"
        return Guess("per_point", evidence), Parts(tuple(generic), -1, status)
    evidence = f"one time column and {len(values)} columns of readings"
    doubt = "" if values else f"{name}: which columns are readings?"
    return Guess("wide", evidence, doubt), Parts(tuple(values))


def _tag_column(sample: Sample, kinds: Sequence[str], used: set[int]) -> int:
    """Return the column that names the point of each row; -1 for none.

    A column of few words is one only if its header says so, or if stamps come again
    for other words beside one column of readings: a wide file may have a column of
    modes or remarks.
    """
    texts = [i for i, kind in enumerate(kinds) if kind == "text" and i not in used]
    full = [i for i in texts if all(sample.cells[i])]
    named = [i for i in full if plain(sample.names[i]) in TAG_WORDS]
    if named:
        return named[0]
    readings = sum(kind in ("number", "state") for kind in kinds) - len(used)
    stamps = list(zip(*(sample.cells[i] for i in sorted(used)), strict=True))
    is_again = len(set(stamps)) <= len(stamps) / TAG_REPEATS
    if readings > TALL_READINGS or not is_again:
        return -1
    return next((i for i in full if _is_again(sample.cells[i])), -1)


def _is_again(cells: Sequence[str]) -> bool:
    distinct = len(set(cells))
    return distinct >= TAGS_LEAST and len(cells) >= TAG_REPEATS * distinct


def _value_column(
    sample: Sample, kinds: Sequence[str], used: set[int], tag: int
) -> int:
    rest = [i for i in range(len(kinds)) if i not in used and i != tag]
    named = [i for i in rest if plain(sample.names[i]) in VALUE_WORDS]
    numbers = [i for i in rest if kinds[i] in ("number", "state")]
    return (named or numbers or rest or [tag])[0]


def _own_times(sample: Sample, used: set[int], values: Sequence[int]) -> dict[int, int]:
    """Return the time column that stands left of each column of readings."""
    times = [
        i
        for i, cells in enumerate(sample.cells)
        if (i in used or i not in values) and formats_for(cells[:50])
    ]
    if len(times) < 2:
        return {}
    return {v: max(t for t in times if t < v) for v in values if v > times[0]}


def status_columns(
    sample: Sample, kinds: Sequence[str], values: Sequence[int]
) -> dict[int, int]:
    """Return the status column of each column of readings, by name or by place."""
    found = {}
    for i, kind in enumerate(kinds):
        if kind != "status":
            continue
        base = plain(sample.names[i])
        for word in STATUS_WORDS:
            base = base.removesuffix(f" {word}")
        owner = next((v for v in values if plain(sample.names[v]) == base), -1)
        if owner < 0 and i - 1 in values:
            owner = i - 1
        if owner >= 0:
            found[owner] = i
    return found
