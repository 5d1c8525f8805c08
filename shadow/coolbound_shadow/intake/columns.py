"""Every column of unknown files read whole, as an import would, to see its numbers."""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.cells import NOT_FINITE_TEXT
from coolbound_shadow.intake.file_types import ColumnRef, FileMap
from coolbound_shadow.intake.findings import Finding
from coolbound_shadow.intake.guess_units import Column
from coolbound_shadow.intake.kinds import Kind
from coolbound_shadow.intake.map_types import IntakeMap, MapPoint, Tap, TimeMap
from coolbound_shadow.intake.order import check_order, in_time
from coolbound_shadow.intake.profiles import Profile, profile
from coolbound_shadow.intake.reasons import READING_REASONS, ROW_GOOD, quality_codes
from coolbound_shadow.intake.series import Context, file_instants, gather
from coolbound_shadow.intake.shred import shred
from coolbound_shadow.intake.shredded import Shredded
from coolbound_shadow.intake.sketch import Sketch
from coolbound_shadow.intake.sources import Source, sources_of, wanted_of
from coolbound_shadow.intake.spill import Spill
from coolbound_shadow.intake.suspicions import clock_findings, suspicions
from coolbound_shadow.intake.tables import in_order, open_sheet, read_batches
from coolbound_shadow.intake.units import unit_in_name
from coolbound_shadow.intake.words import unit_of
from coolbound_shadow.intake.zones import Place

Progress = Callable[[str, int, int], None]


FAR_FUTURE = 10**12


TAGS_MOST = 2000
"""A tall file with more names than that is asked to be cut. [1]"""


SUFFIX = re.compile(r"^[+-]?[\d.,]+\s*(\D{1,12})$")


def _draft(kinds: Sequence[Kind], tags: Sequence[Sequence[str]]) -> IntakeMap:
    """Return a map of every column as plain numbers, its stamps as they stand."""
    points = []
    for number, kind in enumerate(kinds):
        for name, tap in _taps(kind, tags[number]):
            tap = dataclasses.replace(tap, file=kind.file.name)
            unit = _unit(kind.sketches[0], tap)
            points.append(MapPoint(id=f"{number}:{name}", taps=(tap,), unit=unit))
    time = TimeMap(
        stamps="utc",
        on_backwards="sort",
        on_overlap="flag",
        min_utc=-(10**10),
        max_future_s=FAR_FUTURE,
    )
    # Where the day is open any reading of it does: no instant is told from here.
    files = tuple(
        dataclasses.replace(k.file, stamps=_plain(k.file), formats=k.file.formats[:1])
        for k in kinds
    )
    return IntakeMap("inspection", "", "UTC", time, files, tuple(points))


def _plain(file: FileMap) -> str:
    return "utc" if file.stamps == "local" else file.stamps


def _taps(kind: Kind, tags: Sequence[str]) -> list[tuple[str, Tap]]:
    first = kind.sketches[0]
    if kind.file.shape == "tall":
        return [(tag, Tap(tag=tag)) for tag in tags]
    if kind.file.shape == "per_point":
        stems = [Path(s.export.name).stem for s in kind.sketches]
        return [(stem, Tap(tag=stem)) for stem in stems]
    return [(str(v), _column_tap(first, v)) for v in first.values]


def _column_tap(found: Sketch, place: int) -> Tap:
    time = found.times.get(place)
    return Tap(
        column=ColumnRef(position=place),
        time=ColumnRef(position=time) if time is not None else None,
        suffix=_suffix(found.cells[place]),
    )


def _unit(found: Sketch, tap: Tap) -> str:
    """Return the unit that checks take a column to have: a temperature if unknown."""
    if tap.column is None:
        return unit_in_name(tap.tag)[0] or "degC"
    place = tap.column.position
    row = unit_of(found.units[place]) if place < len(found.units) else None
    return row or unit_in_name(found.names[place])[0] or "degC"


def _suffix(cells: Sequence[str]) -> str:
    """Return the unit that stands behind every number of a column; empty for none."""
    filled = [c for c in cells if c and not NOT_FINITE_TEXT.match(c)]
    ends = Counter(m.group(1).strip() for c in filled if (m := SUFFIX.match(c)))
    if not ends:
        return ""
    suffix, count = ends.most_common(1)[0]
    is_usual = count > 0.8 * len(filled) and suffix != ""
    return suffix if is_usual and unit_of(suffix) else ""


def _tags(kind: Kind, folder: Path) -> list[str]:
    """Return every name in the tall files of a kind."""
    if kind.file.shape != "tall" or kind.file.tag is None:
        return []
    tags: dict[str, None] = {}
    for each in kind.sketches:
        sheet = open_sheet(each.export, each.file, folder)
        place = sheet.place(kind.file.tag, "the point names")
        for job in read_batches(sheet, [place]):
            column = job().columns[place].cast("string").drop_null().unique()
            tags |= dict.fromkeys(t.strip() for t in column.to_pylist())
            if len(tags) > TAGS_MOST:
                raise InputError(
                    f"{each.export.name}: found more than {TAGS_MOST} names in column "
                    f"{kind.file.tag.shown}, expected those of one plant; export fewer "
                    "points"
                )
    return [tag for tag in tags if tag and tag != kind.file.tag.name]


def read_columns(
    kinds: Sequence[Kind], folder: Path, tell: Progress
) -> tuple[list[Column], list[Finding], list[str]]:
    """Return every column, what the clocks did, and what an import would refuse.

    Args:
        kinds: The kinds of files.
        folder: For copies and pieces.
        tell: Told what is being done.
    """
    tags = [_tags(kind, folder) for kind in kinds]
    draft = _draft(kinds, tags)
    by_name = {f.name: f for f in draft.files}
    pairs = [(k, s, by_name[k.file.name]) for k in kinds for s in k.sketches]
    sheets = [open_sheet(s.export, _for_sheet(f, s), folder) for _, s, f in pairs]
    sources = sources_of(draft)
    with Spill(folder / "pieces") as spill:
        shredded = Shredded(spill)
        for done, sheet in enumerate(sheets):
            tell("reading", done, len(sheets))
            wanted = wanted_of(sheet, sources, len(draft.files))
            shred(sheet, wanted, draft.time, shredded, lambda rows: None)
        spill.flush()
        context = Context(draft, sheets, shredded, (), 0)
        context = dataclasses.replace(context, instants=file_instants(context))
        findings, refusals = _clocks(context)
        found = list(in_order(lambda s: _profiled(context, s), sources))
    columns = [
        _column(kinds, source, seen, suspects)
        for source, (seen, suspects) in zip(sources, found, strict=True)
    ]
    return columns, findings, refusals


def _for_sheet(file: FileMap, found: Sketch) -> FileMap:
    return dataclasses.replace(file, header_sha256=found.file.header_sha256)


def _profiled(context: Context, source: Source) -> tuple[Profile, list[Finding]]:
    if not context.shredded.spill.pieces(source.key):
        raise InputError(
            f"{source.point.id}: found no reading, expected some; the file is empty "
            "below its header: export a longer period"
        )
    series, _ = gather(context, [source])
    names = [sheet.name for sheet in context.sheets]
    series = in_time(series, "flag", names, source.point.id)
    tokens = context.shredded.tokens.get(source.key, Counter())
    seen = profile(series, tokens)
    if seen.is_binary or seen.is_rising:
        return seen, []
    return seen, suspicions(series, source.point, quality_codes(READING_REASONS))


def _clocks(context: Context) -> tuple[list[Finding], list[str]]:
    """Return what the files' clocks did, and what an import would refuse."""
    findings, refusals = [], []
    for sheet, clock, known in zip(
        context.sheets, context.shredded.clocks, context.instants, strict=True
    ):
        if clock is None or known is None:
            continue
        good = known.row_reason == ROW_GOOD
        step = -1 if sheet.file.order == "newest_first" else 1
        order = np.arange(len(clock.row))[::step]
        try:
            check_order(
                known.take(order),
                clock.stamps.wall_ms[order],
                "refuse",
                Place(sheet.name, clock.row[order]),
            )
        except InputError as error:
            refusals.append(str(error))
        findings += clock_findings(np.unique(known.utc_ms[good]), sheet.name)
    return findings, refusals


def _column(
    kinds: Sequence[Kind], source: Source, seen: Profile, suspects: list[Finding]
) -> Column:
    number, _, name = source.point.id.partition(":")
    kind = kinds[int(number)]
    first, place = kind.sketches[0], source.tap.column
    unit = ""
    ref, time, status = ColumnRef(), None, None
    if place is not None:
        name = first.names[place.position]
        ref = _ref(first.names, place.position)
        unit = first.units[place.position] if place.position < len(first.units) else ""
        time = _ref(first.names, source.tap.time.position) if source.tap.time else None
        own = first.statuses.get(place.position)
        status = _ref(first.names, own) if own is not None else None
    named = [dataclasses.replace(f, subject=name) for f in suspects]
    return Column(
        name,
        unit,
        int(number),
        source.tap.suffix,
        seen,
        tuple(named),
        ref,
        time,
        status,
    )


def _ref(names: Sequence[str], place: int) -> ColumnRef:
    is_plain = names.count(names[place]) == 1 and not names[place].startswith("column ")
    return ColumnRef(name=names[place]) if is_plain else ColumnRef(position=place)
