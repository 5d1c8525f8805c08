"""Unknown files put together: those written alike are one kind."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.exports import Export
from coolbound_shadow.intake.file_types import FileMap
from coolbound_shadow.intake.shredded import join_time
from coolbound_shadow.intake.sketch import Sketch
from coolbound_shadow.intake.sniff_time import choose
from coolbound_shadow.intake.tables import open_sheet, read_batches

STAMPS_MOST = 1_000_000
"""Different stamps that a format is chosen from. [1]"""


@dataclasses.dataclass(frozen=True)
class Kind:
    """Files that are written alike. Static.

    Attributes:
        sketches: Their sketches.
        file: Their `[[file]]` table.
    """

    sketches: tuple[Sketch, ...]
    file: FileMap


def settle_time(found: Sketch, folder: Path) -> Sketch:
    """Return a sketch whose time format was chosen from every stamp, if it is open."""
    if found.time is None or len(found.file.formats) < 2:
        return found
    sheet = open_sheet(found.export, found.file, folder)
    places = [sheet.place(ref, "the stamps") for ref in found.file.time]
    texts: dict[str, None] = {}
    for job in read_batches(sheet, places):
        batch = job()
        column = join_time([batch.columns[p] for p in places])
        texts |= dict.fromkeys(t for t in column.to_pylist() if t)
        if len(texts) > STAMPS_MOST:
            break
    time = choose(found.file.formats, list(texts), found.time.columns, found.names)
    file = dataclasses.replace(found.file, formats=time.formats, order=time.order)
    guesses = {**found.guesses, "time": time.guess}
    return dataclasses.replace(found, time=time, file=file, guesses=guesses)


def group(sketches: Sequence[Sketch], exports: Sequence[Export]) -> list[Kind]:
    """Return the kinds of files, each with a pattern that fits no other file.

    Raises:
        InputError: Files of one kind share no such pattern.
    """
    groups: dict[object, list[Sketch]] = {}
    for each in sketches:
        file = each.file
        alike = (each.names, file.shape, file.text, file.time, file.formats, file.order)
        groups.setdefault(alike, []).append(each)
    names: set[str] = set()
    kinds = []
    for group in groups.values():
        file = group[0].file
        others = [
            e.name for e in exports if e.name not in {s.export.name for s in group}
        ]
        match = _match([s.export.name for s in group], others)
        name = file.name
        while name in names:
            name += "_2"
        names.add(name)
        nulls = tuple(dict.fromkeys(n for s in group for n in s.file.null_tokens))
        merged = dataclasses.replace(file, name=name, match=match, null_tokens=nulls)
        kinds.append(Kind(tuple(group), merged))
    return kinds


def _match(names: Sequence[str], others: Sequence[str]) -> str:
    """Return a pattern for files of one kind that fits no other file."""
    if len(set(names)) == 1:
        return re.sub(r"([\[\]?*])", r"[\1]", names[0])
    start = _shared(names)
    end = _shared([n[len(start) :][::-1] for n in names])[::-1]
    pattern = re.compile(f"{re.escape(start)}.*{re.escape(end)}$")
    clean = not re.search(r"[\[\]?*]", start + end)
    if clean and not any(pattern.match(other) for other in others):
        return f"{start}*{end}"
    raise InputError(
        f"{names[0]} and {len(names) - 1} more files are alike but share no pattern "
        "that leaves the others out, expected names such as 'plant_2024-01.csv'; "
        "inspect each kind of file by itself"
    )


def _shared(texts: Sequence[str]) -> str:
    """Return the beginning that all texts have."""
    low, high = min(texts), max(texts)
    same = (
        i for i, pair in enumerate(zip(low, high, strict=False)) if len({*pair}) > 1
    )
    return low[: next(same, min(len(low), len(high)))]
