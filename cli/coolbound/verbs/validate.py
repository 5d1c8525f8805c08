"""`coolbound validate`: what `docs/validation.md` says, measured and written."""

import dataclasses
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coolbound.console import Answer, progress_bar
from coolbound.machine import machine_facts
from coolbound.pages import write_page
from coolbound.validation import figures, golden
from coolbound.validation.evidence import QUICK, WHOLE, Evidence, gather, more_cities
from coolbound.validation.findings import findings
from coolbound.validation.page import render
from coolbound.validation.verdicts import Finding
from coolbound_envs.site import EMBEDDED, Site, load_site
from coolbound_envs.tables import InputError

PAGE = "validation.md"
FOLDER = "figures"


def run(options: Namespace) -> Answer:
    """Measure and write the page with its figures, or the golden files.

    Raises:
        InputError: The site, a weather file or a folder cannot be used.
    """
    site = load_site(options.site)
    if options.bless is not None:
        return _bless(site, options.bless)
    begun = time.perf_counter()
    _require_folder(options.out)
    plan = QUICK if options.quick else WHOLE
    if options.shared_weather is not None:
        more = more_cities(options.shared_weather)
        plan = dataclasses.replace(plan, cities=(*plan.cities, *more))
    with progress_bar() as progress:
        evidence = gather(site, plan, progress)
    facts = machine_facts() | {"seconds": time.perf_counter() - begun}
    command = _command(options)
    page = render(evidence, facts, command)
    files = _write(options.out, page, drawn_figures(evidence))
    rows = findings(evidence)
    return Answer(
        _data(site, evidence, rows, facts, command, files), _text(rows, files)
    )


def _bless(site: Site, folder: Path) -> Answer:
    with progress_bar() as progress:
        paths = golden.bless(site, folder, progress)
    files = [str(path) for path in paths]
    data = {"schema": "coolbound.bless/1", "site": site.name, "files": files}
    return Answer(data, "blessed: " + ", ".join(files))


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
    words = ["coolbound", "validate", "--out", str(options.out)]
    if options.quick:
        words.append("--quick")
    if options.shared_weather is not None:
        words += ["--shared-weather", str(options.shared_weather)]
    if options.site != EMBEDDED:
        words += ["--site", str(options.site)]
    return " ".join(words)


def drawn_figures(evidence: Evidence) -> dict[str, bytes]:
    """Return the figures by name; that of EnergyPlus only where it ran."""
    shown = [c for c in evidence.headroom if c.city in ("phoenix", "chicago")]
    drawn = {
        "tower": figures.tower_figure(evidence.towers),
        "chillers": figures.chiller_figure(evidence.chillers),
        "dynamics": figures.dynamics_figure(evidence.warming, evidence.steps),
        "years": figures.years_figure(evidence.years),
        "headroom": figures.headroom_figure(shown),
    }
    if evidence.engines.rows:
        drawn["energyplus"] = figures.engines_figure(evidence.engines)
    return drawn


def _write(out: Path, page: str, drawn: Mapping[str, bytes]) -> list[str]:
    pictures = {out / FOLDER / f"{name}.svg": x for name, x in drawn.items()}
    return write_page(out / PAGE, page, pictures)


def _data(
    site: Site,
    evidence: Evidence,
    rows: list[Finding],
    facts: Mapping[str, Any],
    command: str,
    files: list[str],
) -> dict[str, Any]:
    plan = dataclasses.asdict(evidence.plan)
    return {
        "schema": "coolbound.validate/1",
        "site": site.name,
        "command": command,
        "plan": plan | {"weeks": [list(week) for week in evidence.plan.weeks]},
        "findings": [dataclasses.asdict(row) for row in rows],
        "years": [dataclasses.asdict(year) for year in evidence.years],
        "headroom": [dataclasses.asdict(city) for city in evidence.headroom],
        "convergence": dataclasses.asdict(evidence.convergence),
        "energyplus": [dataclasses.asdict(row) for row in evidence.engines.rows],
        "files": files,
        **facts,
    }


def _text(rows: list[Finding], files: list[str]) -> str:
    lines = [f"{row.verdict.strip('*'):10}  {row.what}: {row.measured}" for row in rows]
    return "\n".join([*lines, "", files[-1]])
