"""What `calibration.json` holds, and how a shadow run asks it.

It stands beside `calibrated_site.toml` and names its digest: a record of another file
says nothing.
"""

import importlib.metadata
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from coolbound_envs.site import Site
from coolbound_shadow.calibration.bins import LOAD_EDGES, WET_BULB_EDGES
from coolbound_shadow.calibration.fitting import Found
from coolbound_shadow.calibration.free_run import FreeRun
from coolbound_shadow.calibration.judging import Judgement, TempError
from coolbound_shadow.calibration.metrics import Metrics
from coolbound_shadow.calibration.plant_fit import PartResult, PlantFit
from coolbound_shadow.calibration.split import Split
from coolbound_shadow.calibration.verdicts import POTENTIAL, Verdict, least_claim
from coolbound_shadow.log_types import Log, log_facts
from coolbound_shadow.refusal_limits import RefusalLimits

SCHEMA = "coolbound.calibration/1"
DATA, PAGE, SITE = "calibration.json", "calibration.html", "calibrated_site.toml"

SOURCE = (
    "ASHRAE Guideline 14-2014, calibrated simulation, hourly data, p = 1; read in "
    "secondary sources that quote it"
)


def refusal_beside(site: Site, percent: float = math.inf) -> str:
    """Return why a site's calibration does not support a potential; empty if it does.

    A site without a record of its own beside it was never calibrated, and is not
    refused here.

    Args:
        site: As a shadow run reads it.
        percent: The potential that would be told. [percent]
    """
    path = site.path.parent / DATA
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["calibrated_site"]["sha256"] != site.digest:
            return ""
        claim = data["claims"][POTENTIAL]
        least = float(data["least_potential_percent"] or 0.0)
        because = str(claim["because"][0])
        is_supported = claim["supported"] is True
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, IndexError):
        return ""
    if not is_supported:
        return f"the site's calibration supports no potential: {because}"
    if abs(percent) < least:
        return f"the site's calibration supports potentials of at least {least:.1f} %"
    return ""


def notes_beside(site: Site) -> tuple[str, ...]:
    """Return what a reader must know of the site's calibration; empty for nothing."""
    try:
        data = json.loads((site.path.parent / DATA).read_text(encoding="utf-8"))
        if data["calibrated_site"]["sha256"] != site.digest:
            return ()
        return tuple(f"Calibration: {note}" for note in data.get("limits_notes", ()))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError):
        return ()


def calibration_data(
    site: Site,
    log: Log,
    split: Split,
    fit: PlantFit,
    run: FreeRun,
    judgement: Judgement,
    claims: tuple[Verdict, ...],
    changed: Mapping[str, str],
    copy_digest: str,
    limits: RefusalLimits,
) -> dict[str, Any]:
    """Return all that was found, ready for JSON."""
    facts = log_facts(log)
    return {
        "schema": SCHEMA,
        "coolbound": importlib.metadata.version("coolbound"),
        "site": {"name": site.name, "title": site.title, "sha256": site.digest},
        "calibrated_site": {"file": SITE, "sha256": copy_digest},
        "log": {
            "start": facts.start,
            "end": facts.end,
            "rows": log.rows,
            "step_s": log.step_s,
            "missing_steps": log.missing_steps,
            "sources": list(facts.sources),
        },
        "split": {
            "unit": split.unit,
            "training": [list(span) for span in split.training],
            "held_out": [list(span) for span in split.held_out],
        },
        "bounds": {"cv_rmse": limits.cv_rmse, "nmbe": limits.nmbe, "source": SOURCE},
        "refusal_limits": limits.as_data(),
        "limits_notes": list(limits.notes()),
        "claims": {each.claim: _claim(each) for each in claims},
        "least_potential_percent": _number(least_claim(judgement, limits)),
        "changed": dict(changed),
        "parts": [_part(result, limits) for result in fit.results],
        "missing": missing_channels(fit),
        "cooling_power": _cooling_power(judgement, limits),
        "temperatures": {k: _temp(e) for k, e in judgement.temperatures.items()},
        "free_run": {
            "operator": run.operator,
            "refused": run.refused,
            "notes": list(run.notes),
        },
    }


def _cooling_power(judgement: Judgement, limits: RefusalLimits) -> dict[str, Any]:
    return {
        "meters": list(judgement.meters),
        "driven": _metrics(judgement.driven, limits),
        "free": _metrics(judgement.free, limits),
        "free_meters": {
            k: _metrics(m, limits) for k, m in judgement.free_meters.items()
        },
        "cells": [
            {
                "load": [float(e) for e in LOAD_EDGES[c.load : c.load + 2]],
                "wet_bulb": [
                    float(e) for e in WET_BULB_EDGES[c.wet_bulb : c.wet_bulb + 2]
                ],
                **_metrics(c.metrics, limits),
            }
            for c in judgement.cells
        ],
    }


def missing_channels(fit: PlantFit) -> dict[str, list[str]]:
    """Return the parts that each channel missing from the log costs."""
    found: dict[str, list[str]] = {}
    for result in fit.results:
        for name in result.missing:
            found.setdefault(name, []).append(result.part.title)
    return dict(sorted(found.items()))


def _claim(verdict: Verdict) -> dict[str, Any]:
    return {
        "title": verdict.title,
        "supported": verdict.supported,
        "because": list(verdict.because),
        "but": list(verdict.but),
    }


def _part(result: PartResult, limits: RefusalLimits) -> dict[str, Any]:
    fit, sample = result.fit, result.sample
    return {
        "name": result.part.name,
        "title": result.part.title,
        "meter": result.part.meter,
        "unit": result.part.unit,
        "refused": fit.refused,
        "missing": list(result.missing),
        "rows": fit.rows,
        "days": fit.days,
        "left_out": dict(sample.left_out) if sample else {},
        "notes": list(sample.notes) if sample else [],
        "parameters": [_found(each) for each in fit.found],
        "correlation": [[_number(x) for x in row] for row in fit.correlation],
        "condition": _number(fit.condition),
        "held_out": {
            "coverage": _number(result.coverage),
            "before": _metrics(result.before, limits),
            "after": _metrics(result.after, limits),
        },
        "training": _metrics(result.training, limits),
    }


def _found(each: Found) -> dict[str, Any]:
    parameter = each.parameter
    return {
        "name": parameter.name,
        "unit": parameter.unit,
        "keys": list(parameter.keys),
        "nominal": parameter.nominal,
        "value": each.value,
        "standard_error": _number(each.standard_error),
        "half_width_95": _number(each.half_width),
        "tolerance": parameter.tolerance,
        "identifiable": each.is_identifiable,
        "refused": each.refused,
    }


def _metrics(metrics: Metrics, limits: RefusalLimits) -> dict[str, Any]:
    return {
        "hours": metrics.hours,
        "mean": _number(metrics.mean),
        "cv_rmse": _number(metrics.cv_rmse),
        "nmbe": _number(metrics.nmbe),
        "passes": metrics.passes(limits),
    }


def _temp(error: TempError) -> dict[str, Any]:
    return {
        "hours": error.hours,
        "bias": _number(error.bias),
        "within_95": _number(error.within),
        "refused": error.refused,
    }


def _number(value: float | np.floating) -> float | None:
    return float(value) if math.isfinite(value) else None
