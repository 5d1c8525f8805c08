"""`coolbound evaluate`: several controllers over the same weather, load and noise."""

import shlex
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coolbound.choices import OPTIMUM
from coolbound.compose import chosen_site, limits_off, shielded_task
from coolbound.console import Answer, Progress, json_text, progress_bar
from coolbound.evaluation.blame import CAUSES, blame
from coolbound.evaluation.compare import compare
from coolbound.evaluation.contest import (
    SETTLE_STEPS,
    Contest,
    drawn_faults,
    drawn_plants,
    prepare,
)
from coolbound.evaluation.day_table import day_table
from coolbound.evaluation.entries import Entry, describe, entries
from coolbound.evaluation.headroom import headroom
from coolbound.evaluation.page import render
from coolbound.evaluation.shown import UNFILTERED
from coolbound.evaluation_table import evaluation_table
from coolbound.machine import machine_facts
from coolbound_controllers.evaluation import Contender, Trace
from coolbound_controllers.evaluation import run as play
from coolbound_controllers.evaluation_bound import Bound, bound
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_safety.guard import first_memory
from coolbound_safety.shielded import ShieldedState, ShieldedTask
from coolbound_shadow.output import check_target, output_folder

MARKER = "evaluation.json"
TABLE = "table.md"
PAGE = "report.html"
DAYS = "days.csv"


def run(options: Namespace) -> Answer:
    """Run every controller over every place and compare them.

    Raises:
        InputError: A name, a policy, a file or the folder cannot be used.
    """
    begun = time.perf_counter()
    check_target(options.out, MARKER)
    site = chosen_site(options.site)
    found = entries(_controllers(options), site)
    contest = prepare(
        site,
        options.weather,
        options.load,
        options.faults,
        options.days,
        options.start,
        options.vary,
        options.random_faults,
        options.seed,
    )
    contenders = list(_contenders(found, site, contest, options.filter_off))
    with progress_bar() as progress:
        traces = _play_all(contenders, options, contest, progress)
        best = _bound(options, contest, progress)
    compared = compare(traces, contest.names, _groups(found), _rules(found))
    data = {
        **_setting(options, site, contest),
        "policies": describe(found, site),
        **compared,
        "bound": best and headroom(best, contest.names, options.days, compared),
        **machine_facts(),
        "seconds": time.perf_counter() - begun,
    }
    text = evaluation_table(data)
    with output_folder(options.out, MARKER) as folder:
        for name, content in (
            (MARKER, json_text(data)),
            (TABLE, text),
            (PAGE, render(data, traces)),
            (DAYS, day_table(traces, contest.lanes)),
        ):
            (folder / name).write_text(content + "\n", encoding="utf-8")
    return Answer(data, f"{text}\n\n{options.out / PAGE}")


def _controllers(options: Namespace) -> list[str]:
    """Return those who decide: all but the optimum at rest."""
    names = [name for name in options.controllers if name != OPTIMUM]
    if not names:
        raise InputError(
            f"--controllers: found {OPTIMUM!r} alone, expected a controller beside the "
            "bound; name one, as g36"
        )
    return names


def _bound(options: Namespace, contest: Contest, progress: Progress) -> Bound | None:
    if OPTIMUM not in options.controllers:
        return None

    def show(done: int) -> None:
        progress(OPTIMUM, done, len(contest.names))

    return bound(contest.state, contest.task, options.days, progress=show)


def _setting(options: Namespace, site: Site, contest: Contest) -> dict[str, Any]:
    return {
        "schema": "coolbound.evaluate/1",
        "command": command(options),
        "site": site.name,
        "limits_off": limits_off(site),
        "weather": list(options.weather),
        "load": ", ".join(options.load),
        "loads": list(options.load),
        "fault_schedules": list(options.faults),
        "random_faults_a_day": options.random_faults,
        "vary": options.vary,
        "start": list(options.start),
        "days": options.days,
        "seed": options.seed,
        "places": list(contest.lanes),
        "plants": drawn_plants(contest),
        "faults": drawn_faults(contest),
    }


def command(options: Namespace) -> str:
    """Return the command line that does the same again, without its folder."""
    words = ["coolbound", "evaluate", "--controllers", *options.controllers]
    words += ["--weather", *options.weather, "--load", *options.load]
    words += ["--days", str(options.days)]
    if list(options.start) != [0]:
        words += ["--start", *map(str, options.start)]
    standard = {"vary": 0.0, "random_faults": 0.0, "seed": 0}
    for name, value in standard.items():
        given = getattr(options, name)
        if given != value:
            words += [f"--{name.replace('_', '-')}", f"{given:g}"]
    if list(options.faults) != ["none"]:
        words += ["--faults", *options.faults]
    if options.site != "reference":
        words += ["--site", options.site]
    return shlex.join(words + (["--filter-off"] if options.filter_off else []))


def _rules(found: Sequence[Entry]) -> list[str]:
    return [entry.named.name for entry in found if entry.policy is None]


def _groups(found: Sequence[Entry]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for entry in found:
        if entry.group:
            groups.setdefault(entry.group, []).append(entry.named.name)
    return groups


def _contenders(
    found: Sequence[Entry], site: Site, contest: Contest, filter_off: bool
) -> Iterator[Contender]:
    plain, task = CoolingTask(settle_steps=SETTLE_STEPS), contest.task
    guarded = shielded_task(site, task)
    shielded = ShieldedTask(plain)
    for one in (entry.named for entry in found):
        if one.is_shielded:
            yield Contender(one.name, one.controller, shielded, guarded, blame, CAUSES)
        if filter_off or not one.is_shielded:
            name = one.name + (UNFILTERED if one.is_shielded else "")
            yield Contender(name, one.controller, plain, task)


def _play_all(
    contenders: Sequence[Contender],
    options: Namespace,
    contest: Contest,
    progress: Progress,
) -> Mapping[str, Trace]:
    traces = {}
    for one in contenders:
        first: Any = contest.state
        if isinstance(one.environment, ShieldedTask):
            memory = first_memory((len(contest.names),))
            first = ShieldedState(contest.state, contest.observation, memory)

        def show(done: int, name: str = one.name) -> None:
            progress(name, done, options.days)

        traces[one.name] = play(
            one, contest.observation, first, options.seed, options.days, show
        )
    return traces
