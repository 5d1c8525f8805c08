"""What an import leaves behind, whole or not at all, and how a shadow run takes it up.

canonical.parquet   every reading
cells.parquet       every point on the regular clock
log.parquet         what feeds coolbound, as `coolbound shadow --log` reads it
ingestion.html      for people
ingestion.json      for programs
map.toml            the map that was applied
"""

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_shadow.ingest import read_log
from coolbound_shadow.intake.findings import Finding, ranked
from coolbound_shadow.intake.importing import Imported, Progress, import_logs
from coolbound_shadow.intake.ingestion_page import render_page
from coolbound_shadow.intake.map_types import IntakeMap
from coolbound_shadow.intake.plausible import require_site
from coolbound_shadow.intake.regular import regular_log
from coolbound_shadow.intake.totals import FailedRun, file_data, point_data
from coolbound_shadow.log_types import Episode, Log, SourceFile, local_text, utc_text
from coolbound_shadow.log_writer import log_table
from coolbound_shadow.output import check_target, output_folder, write_json

LOG, DATA, PAGE, MAP = "log.parquet", "ingestion.json", "ingestion.html", "map.toml"

SCHEMA = "coolbound.ingestion/1"

EPISODES_TAKEN = 200
"""Runs of failed readings that a shadow run is told of. [1]"""


def import_site(
    paths: Sequence[Path],
    intake: IntakeMap,
    out: Path,
    site: Site | None = None,
    progress: Progress | None = None,
    now_s: int | None = None,
) -> dict[str, Any]:
    """Import a site's exports into a folder and return what `ingestion.json` holds.

    Args:
        paths: Export files, or folders of them.
        intake: The point map.
        out: Folder for the results.
        site: Refuse a log that cannot be this site's; none to take any.
        progress: Told what is being done.
        now_s: When the log is imported, UTC epoch; none for now. [s]

    Raises:
        InputError: A file, the map, the site or the folder is wrong.
    """
    check_target(out, DATA)
    now_s = int(time.time()) if now_s is None else now_s
    with output_folder(out, DATA) as folder:
        found = import_logs(paths, intake, folder, now_s, progress)
        log = _log(found)
        findings = [*found.findings, *(require_site(log, site, intake) if site else [])]
        data = import_data(found, log, ranked(findings))
        pq.write_table(log_table(log), folder / LOG, compression="zstd")
        (folder / MAP).write_text(intake.text, encoding="utf-8")
        (folder / PAGE).write_text(render_page(found, log, ranked(findings)), "utf-8")
        write_json(data, folder / DATA)
    return data


def _log(found: Imported) -> Log:
    rejected: Counter[str] = Counter()
    for file in found.files:
        rejected.update(file.rows.reasons)
    return regular_log(
        fed=found.fed,
        intake=found.intake,
        rows_read=sum(file.rows.read for file in found.files),
        rejected=dict(sorted(rejected.items())),
        flagged={p.point.id: dict(p.reasons) for p in found.points if p.reasons},
        sources=tuple(
            SourceFile(file.name, file.sha256, file.rows.read) for file in found.files
        ),
        episodes=_episodes(found),
        unlisted=tuple(name for file in found.files for name in file.unlisted),
    )


def _episodes(found: Imported) -> tuple[Episode, ...]:
    runs: list[FailedRun] = [run for point in found.points for run in point.runs]
    runs.sort(key=lambda r: (r.start_ms - r.end_ms, r.start_ms, r.point))
    return tuple(
        Episode(r.point, r.reason, r.start_ms // 1000, r.end_ms // 1000, r.readings)
        for r in runs[:EPISODES_TAKEN]
    )


def import_data(
    found: Imported, log: Log, findings: Sequence[Finding]
) -> dict[str, Any]:
    """Return what an import found, ready for JSON."""
    rows = [file.rows for file in found.files]
    return {
        "schema": SCHEMA,
        "site": found.intake.site,
        "map_sha256": found.intake.sha256,
        "ingested_utc": utc_text(found.ingest_s),
        "zone": found.intake.report_zone,
        "period": {
            "start": local_text(log.time_utc[0], log.offset[0]),
            "end": local_text(log.time_utc[-1], log.offset[-1]),
            "start_utc": utc_text(log.time_utc[0]),
            "end_utc": utc_text(log.time_utc[-1]),
        },
        "rows": {
            "read": sum(r.read for r in rows),
            "accepted": sum(r.accepted for r in rows),
            "flagged": sum(r.flagged for r in rows),
            "rejected": sum(r.rejected for r in rows),
        },
        "readings": _qualities(found),
        "log": {
            "rows": log.rows,
            "step_s": log.step_s,
            "missing_steps": log.missing_steps,
            "observable": list(log.observable),
        },
        "rejected": dict(log.rejected),
        "flagged": {name: dict(reasons) for name, reasons in log.flagged.items()},
        "files": [file_data(file) for file in found.files],
        "points": [_finite(point_data(point)) for point in found.points],
        "findings": [_finding_data(each) for each in findings],
        "episodes": [_episode_data(each) for each in log.episodes],
        "unlisted": list(log.unlisted),
    }


def _qualities(found: Imported) -> dict[str, int]:
    total: Counter[str] = Counter()
    for point in found.points:
        total.update(point.qualities)
    return {"total": sum(total.values()), **{k.lower(): n for k, n in total.items()}}


def _finite(data: Mapping[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and v != v else v for k, v in data.items()}


def _finding_data(finding: Finding) -> dict[str, Any]:
    has_time = finding.start_ms != 0
    return {
        "kind": finding.kind,
        "severity": finding.severity,
        "subject": finding.subject,
        "text": finding.text,
        "advice": finding.advice,
        "count": finding.count,
        "start_utc": utc_text(finding.start_ms // 1000) if has_time else None,
        "end_utc": utc_text(finding.end_ms // 1000) if has_time else None,
    }


def _episode_data(episode: Episode) -> dict[str, Any]:
    return {
        "point": episode.point,
        "reason": episode.reason,
        "start": episode.start,
        "end": episode.end,
        "readings": episode.readings,
    }


def is_imported(path: Path) -> bool:
    """Return whether a path is the folder of an import, or its `log.parquet`."""
    folder = path if path.is_dir() else path.parent
    return (folder / DATA).is_file() and (path.is_dir() or path.name == LOG)


def read_imported(path: Path) -> Log:
    """Return the log of an import, with all that was counted on the way.

    Args:
        path: The folder of an import, or its `log.parquet`.

    Raises:
        InputError: The folder is no import, or was changed since.
    """
    folder = path if path.is_dir() else path.parent
    try:
        data = json.loads((folder / DATA).read_text(encoding="utf-8"))
        log = read_log(folder / LOG)
        return _restored(log, data)
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{folder}: found no whole import ({error.__class__.__name__}), expected "
            f"{LOG} and {DATA}; import the log again with `coolbound log import`"
        ) from error


def _restored(log: Log, data: Mapping[str, Any]) -> Log:
    sources = tuple(
        SourceFile(f["name"], f["sha256"], f["rows_read"]) for f in data["files"]
    )
    return dataclasses.replace(
        log,
        rows_read=data["rows"]["read"],
        rejected=data["rejected"],
        flagged=data["flagged"],
        sources=sources,
        episodes=tuple(Episode(**each) for each in data["episodes"]),
        unlisted=tuple(data["unlisted"]),
        zone=data["zone"],
    )
