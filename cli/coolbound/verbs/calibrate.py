"""`coolbound calibrate`: fit a site's plant to its log; say what that is good for."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coolbound.console import Answer, finite, progress_bar, table
from coolbound_envs.site import load_site
from coolbound_shadow.calibration.record import PAGE, SITE
from coolbound_shadow.calibration.run import run_calibration
from coolbound_shadow.refusal_limits import read_limits


def run(options: Namespace) -> Answer:
    """Calibrate a site and answer with its verdicts.

    Raises:
        InputError: The site, the log, the limits or the folder cannot be used.
    """
    limits = read_limits(options.refusals)
    with progress_bar() as progress:
        data = run_calibration(
            load_site(options.site), options.log, options.out, progress, limits
        )
    return Answer(finite(data), "\n".join(_lines(data, options.out)))


def _lines(data: Mapping[str, Any], out: Path) -> list[str]:
    split = data["split"]
    lines = [
        f"{data['log']['start']} to {data['log']['end']}, split by {split['unit']}",
        "",
        table(
            ("part, held out", "hours", "CV(RMSE) %", "NMBE %", "identified"),
            [_part(part) for part in data["parts"]],
        ),
        "",
    ]
    for claim in data["claims"].values():
        word = "supported" if claim["supported"] else "not supported"
        lines.append(f"{claim['title']}: {word}: {'; '.join(claim['because'])}")
    lines += [f"note: {note}" for note in data["limits_notes"]]
    lines += [f"missing: {name}" for name in data["missing"]]
    return [*lines, "", f"page: {out / PAGE}", f"site: {out / SITE}"]


def _part(part: Mapping[str, Any]) -> tuple[str, ...]:
    metrics, found = part["held_out"]["after"], part["parameters"]
    known = sum(each["identifiable"] for each in found)
    figures = (metrics[name] for name in ("cv_rmse", "nmbe"))
    return (
        part["title"],
        f"{metrics['hours']:,}",
        *("-" if value is None else f"{value:.1f}" for value in figures),
        f"{known} of {len(found)}",
    )
