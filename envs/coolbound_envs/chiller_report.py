"""A refitted chiller as table row, data, text, and as a piece of a site file."""

import csv
import dataclasses
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from coolbound_envs.chiller_fit import ChillerFit, FitError
from coolbound_envs.chiller_records import EIR, ChillerRecord
from coolbound_envs.chiller_samples import LOAD_FLOOR
from coolbound_envs.chiller_verdict import (
    ERROR_GOOD,
    FLAGGED,
    GOOD,
    REFUSED,
    Judgement,
    Reason,
)

SIDES = {True: "entering", False: "leaving"}
"""Which condenser water a record's curves are in, by whether its form is EIR."""


def record_data(record: ChillerRecord) -> dict[str, Any]:
    """Return what a list of records shows of one."""
    return {
        "name": record.name,
        "title": record.title,
        "form": record.form,
        "is_water_cooled": record.is_water_cooled,
        "drive": record.drive,
        "is_variable_speed": record.drive == "VSD",
        "capacity_w": record.capacity,
        "cop": record.cop,
        "evaporator_flow_kg_s": record.evaporator_flow,
        "condenser_flow_kg_s": record.condenser_flow,
        "leaving_range_c": list(record.leaving_range),
        "condenser_range_c": list(record.condenser_range),
        "condenser_side": SIDES[record.form == EIR],
        "load_range": list(record.load_range),
    }


def judgement_data(judgement: Judgement) -> dict[str, Any]:
    """Return everything known of a refitted record, for `--json`."""
    fit = judgement.fit
    return {
        **record_data(judgement.record),
        "verdict": judgement.verdict,
        "refusals": [reason.text for reason in judgement.refusals],
        "remarks": [reason.text for reason in judgement.remarks],
        "fit": None if fit is None else _fit_data(fit),
    }


def _fit_data(fit: ChillerFit) -> dict[str, Any]:
    data = dataclasses.asdict(fit)
    del data["record"]
    return data


def table_row(judgement: Judgement) -> dict[str, Any]:
    """Return one row of the table of all records; a figure without a fit is empty."""
    record, fit = judgement.record, judgement.fit
    row = {
        "name": record.name,
        "form": record.form,
        "drive": record.drive,
        "capacity_kw": round(record.capacity / 1e3, 1),
        "cop": record.cop,
        "verdict": judgement.verdict,
        "reasons": "; ".join(_reasons(judgement)),
    }
    return row | (_figures(fit) if fit else dict.fromkeys(FIGURES, ""))


FIGURES = (
    "points", "rms_pct", "worst_pct", "p95_pct", "bias_pct", "r2", "as_used_rms_pct",
    "low_load_rms_pct", "idle_power", "idle_data_from", "lift_low_k", "lift_high_k",
    "load_low", "load_high", "capft_low", "capft_high", "lift_response_pct_k",
    "fraction_max", "is_shaped", "clipped_low", "clipped_high", "e0", "e1", "e2", "e3",
    "e4", "e5",
)  # fmt: skip
"""Columns of the table that need a fit."""


def _figures(fit: ChillerFit) -> dict[str, Any]:
    error, low_load = fit.error, fit.low_load
    numbers = (
        error.points, error.rms, error.worst, error.percentile_95, error.bias, error.r2,
        fit.as_used.rms, low_load.rms if low_load else "", fit.idle_power,
        fit.idle_data_from or "", *fit.lift_range, *fit.load_range,
        *fit.capacity_range, 100.0 * fit.lift_response, fit.fraction_max, 
        int(fit.is_shaped), fit.shape.clipped_low, fit.shape.clipped_high,
    )  # fmt: skip
    shown = [round(n, 4) if isinstance(n, float) else n for n in numbers]
    return dict(zip(FIGURES, [*shown, *fit.efficiency], strict=True))


def table_text(judgements: Sequence[Judgement]) -> str:
    """Return the table of all records as CSV."""
    rows = [table_row(judgement) for judgement in judgements]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def summary(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """Return counts by form: verdicts, fits within 3 % RMS, and reasons of refusal."""
    forms = dict.fromkeys(judgement.record.form for judgement in judgements)
    return {
        form: _counts([one for one in judgements if one.record.form == form])
        for form in forms
    }


def _counts(judgements: Sequence[Judgement]) -> dict[str, Any]:
    fits = [one.fit for one in judgements if one.fit is not None]
    verdicts = [one.verdict for one in judgements]
    return {
        "records": len(judgements),
        "fitted": len(fits),
        "rms_within_3_pct": sum(fit.error.rms <= ERROR_GOOD for fit in fits),
        "as_used_rms_within_3_pct": sum(fit.as_used.rms <= ERROR_GOOD for fit in fits),
        **{verdict: verdicts.count(verdict) for verdict in (GOOD, FLAGGED, REFUSED)},
        "refusals": _kinds([one.refusals for one in judgements]),
        "remarks": _kinds([one.remarks for one in judgements if not one.refusals]),
    }


def _kinds(reasons: Sequence[Sequence[Reason]]) -> dict[str, int]:
    counted = Counter(reason.kind for some in reasons for reason in some)
    return dict(counted.most_common())


def _reasons(judgement: Judgement) -> list[str]:
    return [reason.text for reason in judgement.refusals + judgement.remarks]


def site_section(fit: ChillerFit, chiller: Mapping[str, Any]) -> str:
    """Return `[equipment.chiller]` of a site file with the fitted machine in it.

    Args:
        fit: Gives capacity, efficiency, idle power and design flows.
        chiller: That section of the site; keeps all other keys, as their count,
            flow limits and start-up depend on the site and not on the record.
    """
    record, low, high = fit.record, *fit.capacity_range
    fitted = {
        "capacity": f"{record.capacity / 1e3:.7g} kW",
        "efficiency": list(fit.efficiency),
        "idle_power": fit.idle_power,
        "evaporator_flow": f"{record.evaporator_flow:g} kg/s",
        "condenser_flow": f"{record.condenser_flow:g} kg/s",
    }
    head = [
        f"# {record.title}, part load over {fit.part_load} capacity.",
        f"# COP within {fit.error.rms:.2f} % RMS, {fit.error.worst:.1f} % at worst; "
        f"{fit.as_used.rms:.2f} % RMS at constant",
        f"# capacity, where the record has {low:.2f} to {high:.2f} of its rating.",
        f"# {_low_load_text(fit)}.",
        "[equipment.chiller]",
    ]
    merged = dict(chiller) | fitted
    return "\n".join(head + [f"{key} = {_toml(merged[key])}" for key in merged]) + "\n"


def _toml(value: Any) -> str:
    """Return a number, a text or a list of numbers as TOML writes it."""
    return json.dumps(value, ensure_ascii=False)


def report_text(judgement: Judgement) -> str:
    """Return what a person wants to know of a refitted record."""
    record, fit = judgement.record, judgement.fit
    lines = [f"{record.title} ({record.name})", f"verdict: {judgement.verdict}"]
    lines += [f"  {text}" for text in _reasons(judgement)]
    if fit is not None:
        lines += _report_lines(fit)
    return "\n".join(lines)


def _report_lines(fit: ChillerFit) -> list[str]:
    record, side = fit.record, SIDES[fit.record.form == EIR]
    below = f": {_error_text(fit.low_load)}" if fit.low_load else ""
    return [
        f"COP against the record: {_error_text(fit.error)}",
        f"the same at constant capacity: {_error_text(fit.as_used)}",
        f"{_low_load_text(fit)}{below}",
        f"domain: leaving {_span(record.leaving_range, '.1f')} degC, {side} condenser "
        f"{_span(record.condenser_range, '.1f')} degC, part load "
        f"{_span(fit.load_range, '.2f')}, lift {_span(fit.lift_range, '.1f')} K",
        f"available over rated capacity: {_span(fit.capacity_range, '.2f')}",
        f"COP falls with lift by {100.0 * fit.lift_response:.1f} %/K in the record; "
        f"shape {'had to be imposed' if fit.is_shaped else 'sound as fitted'}, clipped "
        f"over {100.0 * (fit.shape.clipped_low + fit.shape.clipped_high):.0f} % of the "
        "operating range",
        f"efficiency = {list(fit.efficiency)}, idle_power = {fit.idle_power:.2f}",
    ]  # fmt: skip


def _low_load_text(fit: ChillerFit) -> str:
    """Return what the idle power rests on."""
    text = f"Below part load {LOAD_FLOOR:.2f} idle_power {fit.idle_power:.2f} is"
    if fit.idle_data_from is None:
        return f"{text} assumed, as the record does not tell"
    return f"{text} fitted, to data from {fit.idle_data_from:.2f} up"


def _error_text(error: FitError) -> str:
    return (
        f"RMS {error.rms:.2f} %, 95 % within {error.percentile_95:.1f} %, worst "
        f"{error.worst:.1f} %, bias {error.bias:+.2f} %, R2 {error.r2:.3f}, "
        f"{error.points} points"
    )


def _span(ends: tuple[float, float], form: str) -> str:
    return f"{ends[0]:{form}} to {ends[1]:{form}}"
