"""`coolbound calibrate`: site and log in, a calibrated site and its evidence out."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coolbound_envs.site import Site, load_site
from coolbound_envs.tables import InputError
from coolbound_shadow.calibration.free_run import FreeRun, run_freely
from coolbound_shadow.calibration.judging import Judgement, judge
from coolbound_shadow.calibration.page import render_page
from coolbound_shadow.calibration.plant_fit import PlantFit, fit_plant
from coolbound_shadow.calibration.record import (
    DATA,
    PAGE,
    SITE,
    calibration_data,
)
from coolbound_shadow.calibration.samples import rows_of
from coolbound_shadow.calibration.site_copy import changed_values, copy_site
from coolbound_shadow.calibration.split import Split, split_log
from coolbound_shadow.calibration.verdicts import POTENTIAL, Verdict, verdicts
from coolbound_shadow.controller_calls import Progress
from coolbound_shadow.log_types import Log
from coolbound_shadow.output import check_target, output_folder, write_json
from coolbound_shadow.refusal_limits import RefusalLimits, published
from coolbound_shadow.selection import load_log


@dataclasses.dataclass(frozen=True)
class Calibration:
    """All that a calibration found, before it is written. Static.

    Attributes:
        site: The plant as its file says.
        log: What it was fitted to.
        split: Which rows trained and which judged.
        fit: The parts.
        run: The fitted plant along the log.
        judgement: Figures of the held-out weeks.
        claims: What it may be used for.
        changed: New values by `section.key`.
    """

    site: Site
    log: Log
    split: Split
    fit: PlantFit
    run: FreeRun
    judgement: Judgement
    claims: tuple[Verdict, ...]
    changed: Mapping[str, str]


def run_calibration(
    site: Site,
    log_path: Path | None,
    out: Path,
    progress: Progress | None = None,
    limits: RefusalLimits | None = None,
) -> dict[str, Any]:
    """Calibrate a site, write the results, and return what `calibration.json` holds.

    Args:
        site: The plant; its point map reads the log where it has one.
        log_path: The operator's log; none for the one that ships with the package.
        out: Folder for `calibrated_site.toml`, `calibration.html` and
            `calibration.json`.
        progress: Told what is being done.
        limits: What a twin must keep; None for the published limits.

    Raises:
        InputError: The site, the log or the output folder is wrong.
    """
    check_target(out, DATA)
    limits = limits or published()
    found = calibrate(site, load_log(site, log_path), progress, limits)
    text = copy_site(
        site.path.read_text(encoding="utf-8"),
        dict(found.changed),
        str(site.path),
        head(found),
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    data = calibration_data(
        site,
        found.log,
        found.split,
        found.fit,
        found.run,
        found.judgement,
        found.claims,
        found.changed,
        digest,
        limits,
    )
    with output_folder(out, DATA) as folder:
        (folder / SITE).write_bytes(text.encode())
        _require_readable(folder / SITE)
        page = render_page(data, found.fit, found.judgement, found.split, found.log)
        (folder / PAGE).write_text(page, encoding="utf-8")
        write_json(data, folder / DATA)
    return data


def calibrate(
    site: Site,
    log: Log,
    progress: Progress | None = None,
    limits: RefusalLimits | None = None,
) -> Calibration:
    """Return a site's plant fitted to its log, and what that is good for.

    Raises:
        InputError: The log is too short to be split.
    """
    split = split_log(log)
    fit = fit_plant(site, log, split, progress)
    fitted = dataclasses.replace(site, plant=fit.plant)
    run = run_freely(fitted, log, progress=progress)
    judgement = judge(fit, run, rows_of(fitted, log), split)
    return Calibration(
        site=site,
        log=log,
        split=split,
        fit=fit,
        run=run,
        judgement=judgement,
        claims=verdicts(fit, judgement, run, split, limits),
        changed=changed_values(site.plant, fit.plant),
    )


def head(found: Calibration) -> str:
    """Return the comment that a calibrated site begins with."""
    claim = next(each for each in found.claims if each.claim == POTENTIAL)
    word = "supports" if claim.supported else "does NOT support"
    logs = ", ".join(source.name for source in found.log.sources) or "a log"
    return (
        f"# Calibrated from {logs} by `coolbound calibrate`; {DATA} beside this file\n"
        f"# has the evidence. It {word} a modelled potential: {claim.because[0]}.\n"
    )


def _require_readable(path: Path) -> None:
    """Refuse fitted values that make no plant."""
    try:
        load_site(path)
    except InputError as error:
        raise InputError(
            f"{path.name}: the fitted values make no plant ({error}); check units and "
            "sizes in the site file"
        ) from error
