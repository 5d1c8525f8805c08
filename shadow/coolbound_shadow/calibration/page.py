"""The calibration page: the answer first, then the evidence, one offline file."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from coolbound_shadow.calibration.bins import LOAD_EDGES, WET_BULB_EDGES, Cell
from coolbound_shadow.calibration.fitting import SILENT
from coolbound_shadow.calibration.judging import Judgement
from coolbound_shadow.calibration.metrics import Metrics, hourly
from coolbound_shadow.calibration.pictures import scatter, split_strip
from coolbound_shadow.calibration.plant_fit import PartResult, PlantFit
from coolbound_shadow.calibration.split import Split
from coolbound_shadow.log_types import Log

NONE = "\N{EN DASH}"


def render_page(
    data: Mapping[str, Any],
    fit: PlantFit,
    judgement: Judgement,
    split: Split,
    log: Log,
) -> str:
    """Return the page.

    Args:
        data: What `calibration.json` holds.
        fit: The parts, for their hours.
        judgement: Hours of the cooling power.
        split: Which rows judge.
        log: For its step.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("coolbound_shadow.calibration"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters |= {
        "figure": figure,
        "signed": signed,
        "count": count,
        "error": error,
    }
    template = environment.get_template("calibration.html.j2")
    parameters = [p for part in data["parts"] for p in part["parameters"]]
    return template.render(
        **data,
        identified=sum(p["identifiable"] for p in parameters),
        parameters=len(parameters),
        strip=split_strip(split.training, split.held_out),
        residuals=_residuals(judgement),
        part_pictures=_part_pictures(fit.results, split, log),
        grid=_grid(judgement.cells, data["bounds"]["nmbe"]),
        wet_bulbs=[_wet_bulb(j) for j in _columns(judgement.cells)],
    )


def figure(value: float | None, digits: int = 1) -> str:
    """Return a number for people, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:,.{digits}f}"


def signed(value: float | None, digits: int = 1) -> str:
    """Return a number with its sign, a dash where there is none."""
    return NONE if value is None else f"{value:+.{digits}f}"


def count(value: float | None) -> str:
    """Return a number to four significant digits, a dash where there is none."""
    return NONE if value is None else f"{value:.4g}"


def error(value: float | None, tolerance: float) -> str:
    """Return an error to two significant digits, a dash where it says nothing."""
    is_told = value is not None and value <= SILENT * tolerance
    return f"{value:.2g}" if is_told else NONE


def _residuals(judgement: Judgement) -> list[Markup]:
    hours = judgement.hours
    off = hours.modelled - hours.measured
    pictures = [
        scatter(
            "Error of the cooling power in held-out hours, over load",
            "chilled-water heat, % of IT design",
            "modelled minus measured, kW",
            100.0 * hours.load,
            off,
        ),
        scatter(
            "Error of the cooling power in held-out hours, over wet bulb",
            "wet bulb, degC",
            "modelled minus measured, kW",
            hours.wet_bulb,
            off,
        ),
    ]
    return [each for each in pictures if each]


def _part_pictures(
    results: Sequence[PartResult], split: Split, log: Log
) -> list[Markup]:
    found = []
    for result in results:
        usable = np.isfinite(result.modelled) & split.is_held_out
        series = (np.nan_to_num(each) for each in (result.measured, result.modelled))
        measured, modelled = hourly(split.hour, usable, log.step_s, *series).series
        title, unit = result.part.title, result.part.unit
        found.append(
            scatter(
                f"{title}: modelled over measured, held-out hours",
                f"{title}: {result.part.meter}, measured, {unit}",
                f"modelled, {unit}",
                measured,
                modelled,
                170,
                True,
            )
        )
    return [each for each in found if each]


def _columns(cells: Sequence[Cell]) -> list[int]:
    return sorted({cell.wet_bulb for cell in cells})


def _wet_bulb(column: int) -> str:
    low, high = WET_BULB_EDGES[column : column + 2]
    return f"{low:g} to {high:g}"


def _grid(cells: Sequence[Cell], most: float) -> list[dict[str, Any]]:
    """Return rows of the load by wet-bulb table, those without any hour left out."""
    rows = []
    for i in sorted({cell.load for cell in cells}):
        low, high = 100.0 * LOAD_EDGES[i : i + 2]
        row = {cell.wet_bulb: cell.metrics for cell in cells if cell.load == i}
        texts = [_cell(row.get(j), most) for j in _columns(cells)]
        rows.append({"load": f"{low:.0f} to {high:.0f}", "cells": texts})
    return rows


def _cell(metrics: Metrics | None, most: float) -> dict[str, str]:
    if metrics is None:
        return {"text": "", "tone": ""}
    if not math.isfinite(metrics.nmbe):
        return {"text": f"({metrics.hours} h)", "tone": "quiet"}
    is_bad = abs(metrics.nmbe) > most
    mark = "\N{BLACK UP-POINTING TRIANGLE} " if is_bad else ""
    text = f"{mark}{metrics.nmbe:+.1f} ({metrics.hours} h)"
    return {"text": text, "tone": "limit" if is_bad else ""}
