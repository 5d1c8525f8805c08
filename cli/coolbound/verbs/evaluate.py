"""`coolbound evaluate`: several controllers over the same weather, load and noise."""

import dataclasses
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound.choices import BASELINE
from coolbound.compose import (
    Named,
    chosen_site,
    limits_off,
    named_controller,
    plant_task,
    shielded_task,
)
from coolbound.console import Answer, Progress, json_text, progress_bar
from coolbound.evaluation_table import evaluation_table
from coolbound_controllers.evaluation import Contender, Trace, figures
from coolbound_controllers.evaluation import run as play
from coolbound_controllers.policy import LearnedPolicy
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.scenario import Place
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_safety.guard import first_memory
from coolbound_safety.shielded import ShieldedState, ShieldedTask
from coolbound_shadow.output import check_target, output_folder
from coolbound_shadow.statistics import paired_difference

MARKER = "evaluation.json"
TABLE = "table.md"
STEPS_PER_DAY = 288
SETTLE_STEPS = 24
"""Steps that the plant runs before the comparison begins: two hours. [1]"""

UNFILTERED = " (filter off)"


def run(options: Namespace) -> Answer:
    """Run every controller over every weather year and compare them.

    Raises:
        InputError: A name, a policy, a file or the folder cannot be used.
    """
    begun = time.perf_counter()
    check_target(options.out, MARKER)
    site = chosen_site(options.site)
    named = _controllers(options.controllers, site)
    task = plant_task(site, options.weather, [options.load])
    contenders = list(_contenders(named, site, task, options.filter_off))
    with progress_bar() as progress:
        traces = _play_all(contenders, options, task, progress)
    data = {
        "schema": "coolbound.evaluate/1",
        "site": site.name,
        "limits_off": limits_off(site),
        "weather": list(options.weather),
        "load": options.load,
        "days": options.days,
        "seed": options.seed,
        "policies": _policies(named, site),
        **compare(traces, options.weather),
        "seconds": time.perf_counter() - begun,
    }
    text = evaluation_table(data)
    with output_folder(options.out, MARKER) as folder:
        (folder / MARKER).write_text(json_text(data) + "\n", encoding="utf-8")
        (folder / TABLE).write_text(text + "\n", encoding="utf-8")
    return Answer(data, f"{text}\n\n{options.out / TABLE}")


def compare(traces: Mapping[str, Trace], weather: Sequence[str]) -> dict[str, Any]:
    """Return figures and paired differences, over all places and by place.

    Args:
        traces: What each controller did, by its name.
        weather: Name of each place.
    """
    baseline = BASELINE if BASELINE in traces else next(iter(traces))
    cities = {
        name: _figures({k: _at(t, i) for k, t in traces.items()}, baseline)
        for i, name in enumerate(weather)
    }
    return {"baseline": baseline, **_figures(traces, baseline), "cities": cities}


def _figures(traces: Mapping[str, Trace], baseline: str) -> dict[str, Any]:
    return {
        "controllers": {name: figures(trace) for name, trace in traces.items()},
        "paired": {
            name: _paired(traces[baseline], trace)
            for name, trace in traces.items()
            if name != baseline
        },
    }


def _paired(baseline: Trace, other: Trace) -> dict[str, Any]:
    """Return how much less total energy than the baseline, by paired days."""
    before, after = (t.facility.sum(axis=1) / 1e3 for t in (baseline, other))
    step = int(CONTROL_INTERVAL)
    time_utc = step * np.arange(1, len(before) + 1)
    found = paired_difference(before, after, time_utc, 0 * time_utc, step)
    return dataclasses.asdict(found)


def _at(trace: Trace, place: int) -> Trace:
    """Return the trace of one place."""
    fields = {
        field.name: getattr(trace, field.name)[:, place : place + 1]
        for field in dataclasses.fields(trace)
    }
    return Trace(**fields)


def _controllers(names: Sequence[str], site: Site) -> list[Named]:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise InputError(
            f"--controllers: found {twice[0]!r} twice, expected each "
            "once; leave one out"
        )
    return [named_controller(name, site) for name in names]


def _contenders(
    named: Sequence[Named], site: Site, task: TaskParams, filter_off: bool
) -> Iterator[Contender]:
    plain = CoolingTask(settle_steps=SETTLE_STEPS)
    guarded = shielded_task(site, task)
    for one in named:
        if one.is_shielded:
            shielded = ShieldedTask(plain)
            yield Contender(one.name, one.controller, shielded, guarded)
        if filter_off or not one.is_shielded:
            name = one.name + (UNFILTERED if one.is_shielded else "")
            yield Contender(name, one.controller, plain, task)


def _play_all(
    contenders: Sequence[Contender],
    options: Namespace,
    task: TaskParams,
    progress: Progress,
) -> dict[str, Trace]:
    count, steps = len(options.weather), options.days * STEPS_PER_DAY
    zero = jnp.zeros((count,), jnp.int32)
    place = Place(
        city=jnp.arange(count, dtype=jnp.int32), trace=zero, time=zero, load_offset=zero
    )
    start = jax.jit(CoolingTask(settle_steps=SETTLE_STEPS).start_at)
    observation, state = start(jax.random.key(options.seed), place, task)
    traces = {}
    for one in contenders:
        first: Any = state
        if isinstance(one.environment, ShieldedTask):
            first = ShieldedState(state, observation, first_memory((count,)))

        def show(done: int, name: str = one.name) -> None:
            progress(name, done // STEPS_PER_DAY, options.days)

        traces[one.name] = play(one, observation, first, options.seed, steps, show)
    return traces


def _policies(named: Sequence[Named], site: Site) -> dict[str, Any]:
    return {
        one.name: {
            "name": one.controller.name,
            "digest": one.controller.digest,
            "is_of_this_site": one.controller.manifest["site_digest"] == site.digest,
        }
        for one in named
        if isinstance(one.controller, LearnedPolicy)
    }
