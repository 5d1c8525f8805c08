"""`coolbound log inspect|import`: a site's own exports, to a log to be shadowed."""

import tempfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coolbound.console import Answer, finite, progress_bar, table
from coolbound.grammar.common import UsageError
from coolbound_envs.site import EMBEDDED, load_site
from coolbound_shadow.intake.handover import DATA, LOG, PAGE, import_site
from coolbound_shadow.intake.inspecting import inspect_logs, inspection_data
from coolbound_shadow.intake.map_reader import check_declared_zone, read_map
from coolbound_shadow.intake.proposal import MAP, check_proposal, write_proposal
from coolbound_shadow.output import check_target

INSPECT_FOLDER, IMPORT_FOLDER = Path("runs/inspect"), Path("runs/log")

SHOWN = 12
"""Lines of each part that people are shown; all of them are in the files. [1]"""


def run(options: Namespace) -> Answer:
    """Inspect exports, or import them.

    Raises:
        UsageError: The options do not go together.
        InputError: A file, the map, the site or the folder cannot be used.
    """
    if options.what == "inspect":
        if options.map or options.dry_run:
            given = "--map" if options.map else "--dry-run"
            raise UsageError(
                f"log inspect: found {given}, expected it with import only"
            )
        return _inspect(options)
    if options.zone:
        raise UsageError(
            "log import: found --zone, expected it with inspect only; import takes the "
            "zone from the map"
        )
    if options.map is None:
        raise UsageError(
            "log import: found no --map, expected a point map; make one with "
            "`coolbound log inspect`"
        )
    return _import(options)


def _inspect(options: Namespace) -> Answer:
    out = options.out or INSPECT_FOLDER
    if options.zone:
        check_declared_zone(options.zone)
    check_proposal(out)
    with progress_bar() as progress:
        found = inspect_logs(options.files, options.zone, progress)
    data = finite(inspection_data(found))
    write_proposal(out, found.text, data)
    answer = {**data, "map": str(out / MAP)}
    return Answer(answer, "\n".join(_inspect_lines(answer)))


def _inspect_lines(data: Mapping[str, Any]) -> list[str]:
    lines = []
    for file in data["files"]:
        lines.append(f"{file['match']}: {file['shape']}, {len(file['files'])} file(s)")
        lines += [f"  {k}: {g['evidence']}" for k, g in file["guesses"].items()]
    fed = [p for p in data["points"] if p["feeds"]]
    rows = [
        (p["name"], p["feeds"], p["unit_in"], "unsure" if p["doubts"] else "likely")
        for p in fed
    ]
    lines += ["", f"{len(fed)} of {len(data['points'])} columns become points:"]
    lines += [table(("column", "becomes", "unit", ""), rows)] if rows else []
    for title, texts in (
        ("unsure", data["unsure"]),
        ("found", [f"{f['subject']} {f['text']}" for f in data["findings"]]),
    ):
        lines += ["", f"{title}:", *(f"  - {text}" for text in texts[:SHOWN])]
        if len(texts) > SHOWN:
            lines.append(f"  - and {len(texts) - SHOWN} more in the map")
        lines += ["  - nothing"] if not texts else []
    return [*lines, "", f"point map: {data['map']}"]


def _import(options: Namespace) -> Answer:
    site = None if options.site == EMBEDDED else load_site(options.site)
    intake = read_map(options.map)
    out = options.out or IMPORT_FOLDER
    if not options.dry_run:
        check_target(out, DATA)
    with progress_bar() as progress, tempfile.TemporaryDirectory() as aside:
        target = Path(aside) / "dry" if options.dry_run else out
        data = import_site(options.files, intake, target, site, progress)
    answer = finite(data) | {"dry_run": options.dry_run}
    if not options.dry_run:
        answer["files_written"] = [str(out / name) for name in (LOG, PAGE, DATA)]
    return Answer(answer, "\n".join(_import_lines(answer, out)))


def _import_lines(data: Mapping[str, Any], out: Path) -> list[str]:
    rows, log = data["rows"], data["log"]
    lines = [
        f"{data['period']['start']} to {data['period']['end']}",
        f"rows: {rows['read']:,} read = {rows['accepted']:,} accepted + "
        f"{rows['flagged']:,} flagged + {rows['rejected']:,} rejected",
        f"log: {log['rows']:,} rows of {log['step_s']} s, {log['missing_steps']:,} "
        f"steps without one, {len(log['observable'])} points and channels",
        "",
        table(
            ("point", "becomes", "readings", "usable", "every", "failed"),
            [_point_row(p) for p in data["points"][:SHOWN]],
        ),
    ]
    if len(data["points"]) > SHOWN:
        lines.append(f"and {len(data['points']) - SHOWN} more points")
    serious = [f for f in data["findings"] if f["severity"] != "note"]
    lines += ["", f"findings: {len(serious)} to look at, of {len(data['findings'])}"]
    lines += [f"  - {f['kind']}: {f['subject']} {f['text']}" for f in serious[:SHOWN]]
    if data["dry_run"]:
        return [*lines, "", "dry run: nothing was written"]
    return [*lines, "", f"report: {out / PAGE}", f"log: {out / LOG}"]


def _point_row(point: Mapping[str, Any]) -> tuple[str, ...]:
    qualities, count = point["qualities"], max(point["readings"], 1)
    usable = 100.0 * (qualities["GOOD"] + qualities["UNCERTAIN"]) / count
    failed = ", ".join(f"{k} {n:,}" for k, n in point["reasons"].items())
    return (
        point["id"],
        point["feeds"] or "-",
        f"{point['readings']:,}",
        f"{usable:.1f} %",
        f"{point['interval_s']:.0f} s",
        failed or "none",
    )
