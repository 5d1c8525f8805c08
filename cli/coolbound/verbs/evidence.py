"""`coolbound evidence`: what `docs/safety-evidence.md` says, measured and written."""

import dataclasses
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coolbound.console import Answer, progress_bar
from coolbound.evidence import figures
from coolbound.evidence.findings import counts, findings
from coolbound.evidence.gather import Contest, Evidence, gather
from coolbound.evidence.page import render
from coolbound.evidence.plans import QUICK, WHOLE
from coolbound.evidence.rescuers import rescuers
from coolbound.machine import machine_facts
from coolbound.pages import write_page
from coolbound.validation.verdicts import Finding
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.site import EMBEDDED, Site, load_site
from coolbound_envs.tables import InputError

PAGE = "safety-evidence.md"
FOLDER = "figures"


def run(options: Namespace) -> Answer:
    """Measure and write the page with its figures.

    Raises:
        InputError: The site or a folder cannot be used.
    """
    site = load_site(options.site)
    begun = time.perf_counter()
    _require_folder(options.out)
    plan = QUICK if options.quick else WHOLE
    with progress_bar() as progress:
        evidence = gather(site, plan, options.seed, progress)
    facts = machine_facts() | {"seconds": time.perf_counter() - begun}
    command = _command(options)
    page = render(evidence, tuple(rescuers(site)), facts, command)
    files = _write(options.out, page, drawn_figures(evidence))
    rows = findings(evidence)
    return Answer(
        _data(site, evidence, rows, facts, command, files), _text(rows, files)
    )


def _require_folder(out: Path) -> None:
    """Refuse a target that cannot take the page, before anything is measured."""
    if out.exists() and not out.is_dir():
        raise InputError(
            f"{out}: found a file, expected a folder for the page; choose another --out"
        )
    try:
        (out / FOLDER).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.__class__.__name__}), expected a folder "
            "that may be created; choose another --out"
        ) from error


def _command(options: Namespace) -> str:
    words = ["coolbound", "evidence", "--out", str(options.out)]
    if options.quick:
        words.append("--quick")
    if options.seed:
        words += ["--seed", str(options.seed)]
    if options.site != EMBEDDED:
        words += ["--site", str(options.site)]
    return " ".join(words)


def drawn_figures(evidence: Evidence) -> dict[str, bytes]:
    """Return the figures by name; that of the margins only where they were tried."""
    drawn = {
        "inlets": figures.inlets_figure(evidence),
        "causes": figures.causes_figure(evidence),
    }
    if evidence.coverage:
        drawn["margins"] = figures.margins_figure(evidence)
    return drawn


def _write(out: Path, page: str, drawn: Mapping[str, bytes]) -> list[str]:
    pictures = {out / FOLDER / f"safety-{name}.svg": x for name, x in drawn.items()}
    return write_page(out / PAGE, page, pictures)


def _data(
    site: Site,
    evidence: Evidence,
    rows: list[Finding],
    facts: Mapping[str, Any],
    command: str,
    files: list[str],
) -> dict[str, Any]:
    return {
        "schema": "coolbound.evidence/1",
        "site": site.name,
        "command": command,
        "plan": dataclasses.asdict(evidence.plan),
        "findings": [dataclasses.asdict(row) for row in rows],
        "counts": dataclasses.asdict(counts(evidence)),
        "filtered": _contest(evidence.filtered),
        "bare": _contest(evidence.bare),
        "violations": [
            dataclasses.asdict(v) | {"verdict": v.verdict} for v in evidence.violations
        ],
        "projection": evidence.projection,
        "files": files,
        **facts,
    }


def _contest(contest: Contest) -> dict[str, Any]:
    tally = contest.tally
    return {
        name: {
            "steps": float(tally.steps[i].sum()),
            "trips": float(tally.trips[i]),
            "interventions": float(tally.interventions[i]),
            "violations": {
                limit: float(tally.violations[i, k].sum())
                for k, limit in enumerate(LIMIT_NAMES)
            },
            "worst": dict(zip(LIMIT_NAMES, tally.worst[i].tolist(), strict=True)),
        }
        for i, name in enumerate(contest.names)
    }


def _text(rows: list[Finding], files: list[str]) -> str:
    lines = [f"{row.verdict.strip('*'):10}  {row.what}: {row.measured}" for row in rows]
    return "\n".join([*lines, "", files[-1]])
