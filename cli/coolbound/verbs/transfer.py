"""`coolbound evaluate --engine energyplus`: the same controllers on that plant."""

import dataclasses
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coolbound.choices import BASELINE, OPTIMUM
from coolbound.compose import Named, chosen_site, limits_off
from coolbound.console import Answer, Progress, json_text, progress_bar
from coolbound.evaluation.contest import NO_FAULTS
from coolbound.evaluation.day_table import day_table
from coolbound.evaluation.entries import Entry, describe, entries
from coolbound.evaluation.shown import UNFILTERED
from coolbound.machine import machine_facts
from coolbound.transfer.account import trace_of
from coolbound.transfer.comparison import OWN, compare
from coolbound.transfer.lanes import Lanes, lanes_of
from coolbound.transfer.page import render
from coolbound.transfer.runs import OPTIONS, controller_run, own_runs
from coolbound.transfer.tables import headline
from coolbound.verbs.evaluate import DAYS, MARKER, TABLE, command
from coolbound_controllers.atomic import write_atomic
from coolbound_controllers.evaluation import Trace
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.energyplus.options import check_length, check_options
from coolbound_envs.energyplus.own_setpoints import OwnControls, own_controls_of
from coolbound_envs.energyplus.site_sizes import sizes_of
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_safety.margins import safety_model
from coolbound_shadow.output import check_target, output_folder


def run(options: Namespace) -> Answer:
    """Run everyone on EnergyPlus behind the safety layer, and EnergyPlus by itself.

    Raises:
        EnergyPlusError: EnergyPlus could not run.
        InputError: EnergyPlus is not installed, or a name, a file, an option or the
            folder cannot be used.
    """
    begun = time.perf_counter()
    _refuse(options)
    check_options(OPTIONS)
    check_target(options.out, MARKER)
    site = chosen_site(options.site)
    found = entries(options.controllers, site)
    lanes = lanes_of(site, options.weather, options.load, options.start, options.days)
    check_length(lanes.courses[0].steps, OPTIONS.settle_steps)
    own = _own_controls(site)
    with progress_bar() as progress:
        traces = _traces(found, options, site, lanes, own, progress)
    bases = [name for name in (OWN, BASELINE) if name in traces]
    data = {
        **_setting(options, site, lanes, own),
        "policies": describe(found, site),
        **compare(traces, lanes.rows(), bases),
        **machine_facts(),
        "seconds": time.perf_counter() - begun,
    }
    return _answer(options, data, traces, lanes)


def _answer(
    options: Namespace,
    data: Mapping[str, Any],
    traces: Mapping[str, Trace],
    lanes: Lanes,
) -> Answer:
    page = render(data)
    with output_folder(options.out, MARKER) as folder:
        for name, content in (
            (MARKER, json_text(data) + "\n"),
            (TABLE, page),
            (DAYS, day_table(traces, lanes.lanes) + "\n"),
        ):
            (folder / name).write_text(content, encoding="utf-8")
    if options.page is not None:
        write_atomic(options.page, page.encode())
    where = options.page or options.out / TABLE
    return Answer(data, f"{headline(data)}\n\n{where}")


def _refuse(options: Namespace) -> None:
    """Refuse what only our own plant has."""
    if OPTIMUM in options.controllers:
        raise InputError(
            f"--controllers: found {OPTIMUM!r} for EnergyPlus, expected controllers; "
            "the bound is of our own plant, leave it out"
        )
    given = {
        "faults": list(options.faults) != [NO_FAULTS],
        "random-faults": options.random_faults > 0.0,
        "vary": options.vary > 0.0,
    }
    for name in (name for name, is_given in given.items() if is_given):
        raise InputError(
            f"--{name}: found it beside --engine energyplus, expected none; EnergyPlus "
            "has no such parts, leave it out or evaluate on our own plant"
        )
    page: Path | None = options.page
    if page is not None and (page.is_dir() or not page.parent.is_dir()):
        raise InputError(
            f"--page: found {str(page)!r}, expected a file in a folder that stands; "
            "choose another"
        )


def _own_controls(site: Site) -> OwnControls:
    """Return EnergyPlus' own controls with the operators' room and chilled water."""
    settings = parse_operator(site)
    return own_controls_of(
        site.plant,
        sizes_of(site.plant),
        supply_air=settings.supply_air_reset,
        chw_supply=settings.chw_supply,
    )


def _traces(
    found: Sequence[Entry],
    options: Namespace,
    site: Site,
    lanes: Lanes,
    own: OwnControls,
    progress: Progress,
) -> dict[str, Trace]:
    limits = parse_limits(site.root, site.feeder_power)
    model = safety_model(site, limits)

    def show(name: str, done: int) -> None:
        progress(name, done, lanes.days)

    watched = own_runs(site, lanes, own, lambda done: show(OWN, done))
    traces = {OWN: trace_of(watched, lanes, site, limits)}
    for named, is_guarded in _contenders(found, options.filter_off):
        name = named.name + ("" if is_guarded else UNFILTERED)
        watched = controller_run(
            named,
            is_guarded,
            site,
            lanes,
            model,
            options.seed,
            lambda done, name=name: show(name, done),
        )
        traces[name] = trace_of(watched, lanes, site, limits)
    return traces


def _contenders(found: Sequence[Entry], filter_off: bool) -> list[tuple[Named, bool]]:
    """Return everyone behind the safety layer, and without it where that is asked."""
    ways = (True, False) if filter_off else (True,)
    return [(entry.named, is_guarded) for entry in found for is_guarded in ways]


def _setting(
    options: Namespace, site: Site, lanes: Lanes, own: OwnControls
) -> dict[str, Any]:
    return {
        "schema": "coolbound.evaluate-energyplus/1",
        "command": transfer_command(options),
        "site": site.name,
        "limits_off": limits_off(site),
        "weather": list(options.weather),
        "loads": list(options.load),
        "start": list(options.start),
        "days": options.days,
        "seed": options.seed,
        "places": list(lanes.lanes),
        "own_controls": dataclasses.asdict(own),
    }


def transfer_command(options: Namespace) -> str:
    """Return the command line that does the same again, without its folder."""
    plain = command(options).replace(" evaluate", " evaluate --engine energyplus", 1)
    return plain if options.page is None else f"{plain} --page {options.page}"
