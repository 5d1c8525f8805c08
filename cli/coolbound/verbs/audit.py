"""`coolbound audit`: the environment's own quality gate."""

import importlib.metadata
import io
import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from coolbound.choices import (
    BASELINE,
    OPERATORS,
    REFERENCE_POLICY,
    TRAINING_LOADS,
    TRAINING_WEATHER,
)
from coolbound.compose import (
    chosen_site,
    named_controller,
    plant_task,
    policy_folder,
    shielded_task,
)
from coolbound.console import Answer, json_text, progress_bar
from coolbound_controllers.policy_folder import MANIFEST
from coolbound_envs.audit.page import number, render_page
from coolbound_envs.audit.records import (
    QUICK,
    Audit,
    BatchedEnvironment,
    Check,
    LoggedRun,
    Sizes,
    Subject,
)
from coolbound_envs.audit.run import TITLES, run_audit
from coolbound_envs.audit.subjects import calm_and_rough
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.site import EMBEDDED, Site
from coolbound_envs.spec import POINT_NAMES, action_digest
from coolbound_envs.tables import InputError
from coolbound_safety.shielded import ShieldedTask
from coolbound_shadow.output import check_target, output_folder
from coolbound_shadow.selection import load_log
from coolbound_shadow.twin_inputs import Refusal, twin_inputs

MARKER = "audit.json"
PAGE = "audit.html"
RULED = (BASELINE, *(name for name in OPERATORS if name != BASELINE))
"""The operators, the better one first: degenerate policies imitate that."""

WORDS = {True: "passed", False: "FAILED", None: "not run"}


def run(options: Namespace) -> Answer:
    """Audit the environment of a site and write `audit.json` and `audit.html`.

    Raises:
        InputError: Site, log or folder cannot be used.
    """
    check_target(options.out, MARKER)
    site = chosen_site(options.site)
    sizes = QUICK if options.quick else Sizes()
    subject = _subject(site, sizes, options.log, options.shielded)
    with progress_bar() as progress:
        audit = run_audit(subject, sizes, options.seed, progress)
    data = _data(audit, site, options)
    whole = data | {
        "checks": [_row(check, with_details=True) for check in audit.checks]
    }
    page = render_page(audit, _provenance(site, options))
    with output_folder(options.out, MARKER) as folder:
        (folder / MARKER).write_text(json_text(whole) + "\n", encoding="utf-8")
        (folder / PAGE).write_text(page, encoding="utf-8")
    text = f"{_table(audit)}\npage: {options.out / PAGE}"
    return Answer(data, text, exit_code=0 if audit.passed else 1)


def _subject(site: Site, sizes: Sizes, log: Path | None, is_shielded: bool) -> Subject:
    """Return the environment of a site with all that it is compared with."""
    task = plant_task(site, TRAINING_WEATHER, TRAINING_LOADS)
    params: Any
    rough: Any
    params, rough = calm_and_rough(task, sizes.episode_steps)
    environment: BatchedEnvironment = CoolingTask()
    name = f"site {site.name}"
    if is_shielded:
        environment, name = (
            ShieldedTask(CoolingTask()),
            f"{name}, behind the safety layer",
        )
        params, rough = shielded_task(site, params), shielded_task(site, rough)
    logged, no_log = _logged(site, log)
    return Subject(
        name=name,
        environment=environment,
        params=params,
        rough=rough,
        references={name: named_controller(name, site).controller for name in RULED},
        log=logged,
        no_log=no_log,
        digests=_digests(),
        changes_actions=is_shielded,
    )


def _digests() -> dict[str, str]:
    """Return the action digests that shipped artefacts carry."""
    manifest = policy_folder(REFERENCE_POLICY) / MANIFEST
    found = json.loads(manifest.read_text(encoding="utf-8"))
    return {f"policy {REFERENCE_POLICY}": found["spec_digest"]}


def _logged(site: Site, path: Path | None) -> tuple[LoggedRun | None, str]:
    """Return what a log says and drives, or why there is none."""
    if path is None and site.name != EMBEDDED:
        return None, f"no log of site {site.name} was given, --log names one"
    if path is not None and not path.is_file():
        raise InputError(
            f"{path}: no such file, expected an operator's log; check --log"
        )
    log = load_log(site, path)
    name = path.name if path is not None else "the embedded log"
    try:
        inputs = twin_inputs(site, log)
    except Refusal as reason:
        return None, f"{name} cannot drive the plant: {reason}"
    if inputs.actions is None:
        return None, f"{name} does not hold all set-points"
    readings = log.usable()
    points = np.full((len(POINT_NAMES), inputs.steps), np.nan)
    points[:, inputs.last_step] = readings[1:].T
    by_name = dict(zip(POINT_NAMES, points, strict=True))
    return LoggedRun(name, by_name, inputs.actions, inputs.scenario, inputs.place), ""


def _data(audit: Audit, site: Site, options: Namespace) -> dict[str, Any]:
    return {
        "schema": "coolbound.audit/1",
        "site": site.name,
        "shielded": options.shielded,
        "quick": options.quick,
        "seed": options.seed,
        "passed": audit.passed,
        "checks": [_row(check, with_details=False) for check in audit.checks],
        "seconds": audit.seconds,
    }


def _row(check: Check, with_details: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": check.name,
        "passed": check.passed,
        "figure": check.figure,
        "bound": check.bound,
        "unit": check.unit,
        "sentence": check.sentence,
    }
    return row | {"details": dict(check.details)} if with_details else row


def _provenance(site: Site, options: Namespace) -> Mapping[str, str]:
    names = ("coolbound", "jax", "jaxlib", "numpy")
    versions = (f"{name} {importlib.metadata.version(name)}" for name in names)
    return {
        "Versions": ", ".join(versions),
        "Site": f"{site.name}, sha256 {site.digest}",
        "Action table": f"sha256 {action_digest()}",
        "Weather and load": ", ".join((*TRAINING_WEATHER, *TRAINING_LOADS)),
        "Run": "quick" if options.quick else "whole",
        "Seed": str(options.seed),
    }


def _table(audit: Audit) -> str:
    """Return the checks as a table for the terminal, coloured where one looks."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Audit of {audit.subject}", title_justify="left")
    table.add_column("check", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("at most", justify="right", no_wrap=True)
    table.add_column("what was found", ratio=1)
    for check in audit.checks:
        colour = {True: "green", False: "bold red", None: "dim"}[check.passed]
        unit = "" if check.unit == "1" else f" {check.unit}"
        table.add_row(
            TITLES[check.name],
            f"[{colour}]{WORDS[check.passed]}[/]",
            number(check.figure),
            f"{number(check.bound)}{unit}",
            check.sentence.replace("[", "\\["),
        )
    file = io.StringIO()
    is_seen = sys.stdout.isatty()
    console = Console(file=file, force_terminal=is_seen, width=None if is_seen else 140)
    console.print(table)
    verdict = "passed" if audit.passed else "FAILED"
    return f"{file.getvalue()}\naudit {verdict} in {audit.seconds:.0f} s"
