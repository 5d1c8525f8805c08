"""Which source of which point stands in which column of which file."""

import dataclasses
import fnmatch
from collections.abc import Sequence
from pathlib import Path

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.exports import EXCEL, Export
from coolbound_shadow.intake.map_types import IntakeMap, MapPoint, Tap
from coolbound_shadow.intake.tables import Sheet, open_sheet


@dataclasses.dataclass(frozen=True)
class Source:
    """One tap of one point. Static.

    Attributes:
        key: Its place among all sources. [1]
        point: The point.
        tap: Where its readings come from.
    """

    key: int
    point: MapPoint
    tap: Tap


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One source in one file, by columns. Static.

    Attributes:
        source: The source.
        value: Place of the column of readings. [1]
        status: Place of the status column; -1 for none. [1]
        time: Places of the stamp's columns.
        tag: The point's name in a tall file; empty in another.
    """

    source: Source
    value: int
    status: int
    time: tuple[int, ...]
    tag: str = ""


def sources_of(intake: IntakeMap) -> tuple[Source, ...]:
    """Return every source of a map, numbered."""
    taps = [(point, tap) for point in intake.points for tap in point.taps]
    return tuple(Source(key, *each) for key, each in enumerate(taps))


def open_all(exports: Sequence[Export], intake: IntakeMap, folder: Path) -> list[Sheet]:
    """Return the exports as tables, each by the `[[file]]` that it matches.

    Raises:
        InputError: A file matches no table of the map, or several.
    """
    sheets = []
    for export in exports:
        maps = [f for f in intake.files if fnmatch.fnmatchcase(export.name, f.match)]
        is_one = len(maps) == 1
        is_book = export.form == EXCEL and len({f.text.sheet for f in maps}) == len(
            maps
        )
        if not maps or not (is_one or is_book):
            found = ", ".join(repr(f.match) for f in maps or intake.files)
            raise InputError(
                f"{export.name}: found {len(maps)} [[file]] tables that match it (of "
                f"{found}), expected one; correct `match` in {intake.where}"
            )
        sheets += [open_sheet(export, file, folder) for file in maps]
    return sheets


def wanted_of(sheet: Sheet, sources: Sequence[Source], kinds: int) -> list[Wanted]:
    """Return the sources that a file holds.

    Args:
        sheet: The file.
        sources: Every source of the map.
        kinds: Kinds of files in the map; with several, a column by place belongs to
            the one it names. [1]

    Raises:
        InputError: A column of the map is there twice, or none is there at all.
    """
    file = sheet.file
    mine = [s for s in sources if s.tap.file in ("", file.name)]
    if file.shape in ("wide", "interleaved"):
        found = [w for s in mine if (w := _column(sheet, s, kinds)) is not None]
    else:
        found = [w for s in mine if (w := _tagged(sheet, s)) is not None]
    if not found:
        raise InputError(
            f"{sheet.name}: found none of the map's points among its "
            f"{len(sheet.names)} columns, expected some; this looks like another "
            "site's log: leave it out, or map it with `coolbound log inspect`"
        )
    return found


def _column(sheet: Sheet, source: Source, kinds: int) -> Wanted | None:
    column = source.tap.column
    if column is None:
        return None
    if column.position < 0 and column.name not in sheet.names:
        return None
    if column.position >= 0 and kinds > 1 and not source.tap.file:
        return None
    name = repr(source.point.id)
    status = source.tap.status
    time = (source.tap.time,) if source.tap.time else sheet.file.time
    return Wanted(
        source,
        sheet.place(column, name),
        sheet.place(status, name) if status else -1,
        tuple(sheet.place(ref, "the time stamps") for ref in time),
    )


def _tagged(sheet: Sheet, source: Source) -> Wanted | None:
    file, tag = sheet.file, source.tap.tag
    if not tag or file.value is None:
        return None
    stem = Path(sheet.export.name).stem
    if file.shape == "per_point" and not fnmatch.fnmatchcase(stem, tag):
        return None
    return Wanted(
        source,
        sheet.place(file.value, "the readings"),
        sheet.place(file.status, "the status") if file.status else -1,
        tuple(sheet.place(ref, "the time stamps") for ref in file.time),
        tag if file.shape == "tall" else "",
    )


def require_all(
    sources: Sequence[Source], found: set[int], sheets: Sequence[Sheet], where: str
) -> None:
    """Refuse a map of which a source is in no file.

    Raises:
        InputError: A column or tag is nowhere.
    """
    absent = [source for source in sources if source.key not in found]
    if not absent:
        return
    first = absent[0]
    shown = first.tap.column.shown if first.tap.column else repr(first.tap.tag)
    files = ", ".join(sheet.name for sheet in sheets[:4])
    raise InputError(
        f"{files}: found no source {shown} of point {first.point.id!r} "
        f"({len(absent)} of {len(sources)} sources are absent), expected every point "
        f"of {where}; correct its `source`, remove the point, or check whether this is "
        "another site's log"
    )


def unlisted_of(sheet: Sheet, wanted: Sequence[Wanted]) -> tuple[str, ...]:
    """Return the columns of a file that the map does not use."""
    used = {place for w in wanted for place in (w.value, w.status, *w.time)}
    file = sheet.file
    if file.tag is not None:
        used.add(sheet.place(file.tag, "the point names"))
    return tuple(name for i, name in enumerate(sheet.names) if i not in used)
