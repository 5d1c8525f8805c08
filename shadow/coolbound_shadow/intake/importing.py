"""From export files and a point map to a canonical log, with everything counted.

Files are cut into pieces on disk, then each point is put together, judged, written
and put on the regular clock by itself: memory holds one point and one block at a time.
"""

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.canonical import open_writer, readings_table, schema_of
from coolbound_shadow.intake.exports import open_exports
from coolbound_shadow.intake.findings import Finding, ranked
from coolbound_shadow.intake.gridding import CellRun, to_cells
from coolbound_shadow.intake.judge import judge, without_blanks
from coolbound_shadow.intake.map_types import IntakeMap
from coolbound_shadow.intake.order import in_time
from coolbound_shadow.intake.plausible import (
    cell_findings,
    impossible,
    require_units,
    unlisted_findings,
)
from coolbound_shadow.intake.readings import Rejected, Series
from coolbound_shadow.intake.reasons import GOOD, ROW_GOOD, ROW_MEANINGS, quality_codes
from coolbound_shadow.intake.regular import Fed, cells_writer, fed_points, write_cells
from coolbound_shadow.intake.series import Context, file_instants, gather
from coolbound_shadow.intake.shred import shred
from coolbound_shadow.intake.shredded import Shredded
from coolbound_shadow.intake.sources import (
    Source,
    Wanted,
    open_all,
    require_all,
    sources_of,
    unlisted_of,
    wanted_of,
)
from coolbound_shadow.intake.spill import Spill
from coolbound_shadow.intake.suspicions import clock_findings, suspicions
from coolbound_shadow.intake.tables import Sheet, in_order
from coolbound_shadow.intake.totals import (
    FileTotals,
    PointTotals,
    point_totals,
    reason_findings,
    row_findings,
)

Progress = Callable[[str, int, int], None]

CANONICAL, CELLS = "canonical.parquet", "cells.parquet"


@dataclasses.dataclass(frozen=True)
class Imported:
    """All that an import found. Static.

    Attributes:
        intake: The map.
        files: Counts by file.
        points: Counts by point.
        findings: What a reader must know, the gravest first.
        fed: Cells by the point of coolbound that they feed.
        unknown_tags: Names of tall files that the map lacks, with rows.
        ingest_s: When it was imported, UTC epoch. [s]
    """

    intake: IntakeMap
    files: tuple[FileTotals, ...]
    points: tuple[PointTotals, ...]
    findings: tuple[Finding, ...]
    fed: Fed
    unknown_tags: dict[str, int]
    ingest_s: int


@dataclasses.dataclass(frozen=True)
class _Judged:
    series: Series
    rejected: list[Rejected]
    totals: PointTotals
    cells: CellRun | None
    findings: list[Finding]


def import_logs(
    paths: Sequence[Path],
    intake: IntakeMap,
    folder: Path,
    now_s: int,
    progress: Progress | None = None,
) -> Imported:
    """Write the canonical log and its cells into a folder, and return the counts.

    Args:
        paths: Export files, or folders of them.
        intake: The point map.
        folder: Existing folder for `canonical.parquet` and `cells.parquet`.
        now_s: When the log is imported, UTC epoch. [s]
        progress: Told what is being done.

    Raises:
        InputError: A file, the map, or what the files say of time is wrong.
    """
    tell = progress or (lambda what, done, total: None)
    exports = open_exports(list(paths))
    with tempfile.TemporaryDirectory(dir=folder, prefix=".pieces-") as aside:
        sheets = open_all(exports, intake, Path(aside))
        sources = sources_of(intake)
        kinds = len(intake.files)
        wanted = [wanted_of(sheet, sources, kinds) for sheet in sheets]
        found = {w.source.key for each in wanted for w in each}
        require_all(sources, found, sheets, intake.where)
        with Spill(Path(aside) / "pieces") as spill:
            shredded = Shredded(spill)
            _cut(sheets, wanted, intake, shredded, tell)
            _require_rows(sheets, shredded)
            context = Context(intake, sheets, shredded, (), now_s)
            context = dataclasses.replace(context, instants=file_instants(context))
            return _judge_all(context, sources, wanted, folder, tell)


def _cut(
    sheets: Sequence[Sheet],
    wanted: Sequence[list[Wanted]],
    intake: IntakeMap,
    shredded: Shredded,
    tell: Progress,
) -> None:
    for number, (sheet, mine) in enumerate(zip(sheets, wanted, strict=True)):
        tell("files", number, len(sheets))
        shred(sheet, mine, intake.time, shredded, lambda rows: None)
    shredded.spill.flush()
    tell("files", len(sheets), len(sheets))


def _require_rows(sheets: Sequence[Sheet], shredded: Shredded) -> None:
    for sheet, counts in zip(sheets, shredded.counts, strict=True):
        if counts.read == 0:
            raise InputError(
                f"{sheet.name}: found a header and no row below it, expected data: the "
                "period is empty; export another, or leave the file out"
            )


def _judge_all(
    context: Context,
    sources: Sequence[Source],
    wanted: Sequence[list[Wanted]],
    folder: Path,
    tell: Progress,
) -> Imported:
    intake, sheets = context.intake, context.sheets
    schema = schema_of(intake, context.now_s)
    digests = [sheet.export.sha256 for sheet in sheets]
    by_point = [[s for s in sources if s.point is p] for p in intake.points]
    totals, findings, runs = [], [], []
    with (
        open_writer(folder / CANONICAL, schema) as writer,
        cells_writer(folder / CELLS) as cells,
    ):
        work = in_order(lambda mine: _judge_one(context, mine), by_point)
        for done, (point, each) in enumerate(zip(intake.points, work, strict=True)):
            tell("points", done, len(intake.points))
            table = readings_table(
                each.series,
                point,
                intake,
                digests,
                context.shredded.statuses.names,
                schema,
                context.now_s,
            )
            writer.write_table(table)
            write_cells(cells, point, each.cells, intake.resample.step_s)
            _count_rows(context, each)
            totals.append(each.totals)
            findings += each.findings
            if point.feeds:
                runs.append((point, each.cells))
        tell("points", len(totals), len(totals))
    files = _file_totals(context, wanted)
    require_units(totals, intake)
    fed = fed_points(runs)
    findings += reason_findings(totals, intake.reasons)
    findings += row_findings(files, ROW_MEANINGS)
    findings += _clocks(context)
    findings += cell_findings(totals)
    findings += unlisted_findings(files, context.shredded.unknown_tags)
    findings += impossible(fed, intake)
    return Imported(
        intake=intake,
        files=files,
        points=tuple(totals),
        findings=tuple(ranked(findings)),
        fed=fed,
        unknown_tags=dict(context.shredded.unknown_tags),
        ingest_s=context.now_s,
    )


def _judge_one(context: Context, sources: Sequence[Source]) -> _Judged:
    point, intake = sources[0].point, context.intake
    quality = quality_codes(intake.reasons)
    series, rejected = gather(context, sources)
    names = [sheet.name for sheet in context.sheets]
    series, blanks = without_blanks(series, point)
    series = in_time(series, intake.time.on_overlap, names, point.id)
    series = judge(series, point)
    cells = to_cells(series, point, intake, quality)
    tokens: Counter[str] = Counter()
    for source in sources:
        tokens.update(context.shredded.tokens.get(source.key, Counter()))
    totals = point_totals(series, point, intake.reasons, quality, cells, blanks, tokens)
    return _Judged(series, rejected, totals, cells, suspicions(series, point, quality))


def _count_rows(context: Context, judged: _Judged) -> None:
    """Tell each file which of its rows were rejected or flagged through this point."""
    series = judged.series
    for lost in judged.rejected:
        if context.sheets[lost.sheet].file.shape == "tall":
            context.shredded.counts[lost.sheet].reject_all(lost.reason, lost.row)
    is_flagged = series.code != GOOD
    for number in np.unique(series.sheet[is_flagged]):
        counts = context.shredded.counts[number]
        here = is_flagged & (series.sheet == number)
        if context.sheets[number].file.shape == "tall":
            counts.flagged += int(np.sum(here))
        elif context.shredded.clocks[number] is None:
            counts.flag_places(
                series.row[here] - _first_row(context, number), counts.read
            )
        else:
            counts.flag_places(series.place[here], counts.read)


def _first_row(context: Context, number: int) -> int:
    head = context.sheets[number].head
    return head.first_row if head is not None else 1


def _file_totals(
    context: Context, wanted: Sequence[list[Wanted]]
) -> tuple[FileTotals, ...]:
    found = []
    for number, sheet in enumerate(context.sheets):
        counts, known = context.shredded.counts[number], context.instants[number]
        clock = context.shredded.clocks[number]
        good = np.zeros(0, dtype=np.int64)
        if known is not None and clock is not None:
            unread = ~clock.stamps.is_read
            later = np.where(unread, ROW_GOOD, known.row_reason)
            counts.reject_all(later, clock.row)
            good = known.utc_ms[known.row_reason == ROW_GOOD]
        found.append(
            FileTotals(
                name=sheet.name,
                sha256=sheet.export.sha256,
                size=sheet.export.size,
                rows=counts.totals(),
                unlisted=unlisted_of(sheet, wanted[number]),
                first_ms=int(good.min()) if len(good) else 0,
                last_ms=int(good.max()) if len(good) else 0,
            )
        )
    return tuple(found)


def _clocks(context: Context) -> list[Finding]:
    """Return what the clocks of wide files did; a tall file has one for each point."""
    found = []
    for sheet, known in zip(context.sheets, context.instants, strict=True):
        if known is not None:
            utc = np.unique(known.utc_ms[known.row_reason == ROW_GOOD])
            found += clock_findings(utc, sheet.name)
    return found
