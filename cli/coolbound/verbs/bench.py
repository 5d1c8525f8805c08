"""`coolbound bench plant|projection|train|shadow`: what the benchmarks page quotes."""

import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Any

from coolbound.choices import (
    START_RULE,
    TRAINING_LOADS,
    TRAINING_WEATHER,
    YEAR_CITIES,
)
from coolbound.compose import named_controller, plant_task, shielded_task
from coolbound.console import Answer
from coolbound.machine import machine_facts
from coolbound_envs.site import Site, load_site
from coolbound_envs.tables import InputError

ENVELOPES = 8192
"""Envelopes that `bench projection` records. [1]"""

SHADOW_DAYS = 30
"""Days of log that `bench shadow` replays. [1]"""

DECISIONS = 1000
"""Decisions at control time that `bench projection` measures. [1]"""


def run(options: Namespace) -> Answer:
    """Measure one part and return its figures.

    Raises:
        InputError: The site is missing or wrong.
    """
    site = load_site(options.site)
    facts = machine_facts()
    begun = time.perf_counter()
    found = MEASURES[options.what](site, options.size, options.seed)
    if options.against is not None:
        found = found | _against_energyplus(site, options.what, found)
    seconds = time.perf_counter() - begun
    data = {
        "schema": "coolbound.bench/1",
        "bench": options.what,
        "site": site.name,
        **found,
        "total_s": seconds,
        **facts,
    }
    return Answer(data, "\n".join(_lines(data)))


def _plant(site: Site, size: int | None, seed: int) -> dict[str, Any]:
    """Return speed by batch; without a bound on size also how the plant scales."""
    from coolbound_envs.bench import BATCHES, measure_plant, with_drill
    from coolbound_envs.bench_scale import (
        in_fresh_process,
        measure_devices,
        measure_memory,
        measure_year,
    )

    params = with_drill(plant_task(site, TRAINING_WEATHER, TRAINING_LOADS))
    batches = [batch for batch in BATCHES if size is None or batch <= size]
    found = measure_plant(params, batches, seed)
    if size is not None:
        return found
    cities = with_drill(plant_task(site, YEAR_CITIES, TRAINING_LOADS))
    return found | {
        "year": measure_year(cities, seed),
        "two_devices": in_fresh_process(measure_devices, params, devices=2),
        "fleet": in_fresh_process(measure_memory, params),
    }


def _against_energyplus(
    site: Site, what: str, found: Mapping[str, Any]
) -> dict[str, Any]:
    """Return EnergyPlus' speed on the same site and how far ours is ahead.

    Raises:
        InputError: It is not installed, or the measurement is not the plant's.
    """
    if what != "plant":
        raise InputError(
            f"bench {what}: found --against energyplus, expected it with bench plant; "
            "leave it out"
        )
    from coolbound_envs.energyplus.speed import measure_energyplus

    theirs = measure_energyplus(site=site)
    ratio = found["steps_per_cpu_second"] / theirs["steps_per_cpu_second"]
    return {"energyplus": theirs, "ratio_energyplus": ratio}


def _projection(site: Site, size: int | None, seed: int) -> dict[str, Any]:
    from coolbound_safety.bench import measure_projection
    from coolbound_safety.recording import record_envelopes

    params = shielded_task(site, plant_task(site, TRAINING_WEATHER, TRAINING_LOADS))
    controller = named_controller(START_RULE, site).controller
    recorded = record_envelopes(params, controller, size or ENVELOPES, seed=seed)
    return measure_projection(*recorded, DECISIONS)


def _train(site: Site, size: int | None, seed: int) -> dict[str, Any]:
    from coolbound.verbs.train import shielded_learning_task
    from coolbound_controllers.bench import UPDATES, measure_training
    from coolbound_controllers.hyperparameters import Hyperparameters

    task = shielded_learning_task(site, TRAINING_WEATHER, TRAINING_LOADS)
    return measure_training(task, Hyperparameters(seed=seed), size or UPDATES)


def _shadow(site: Site, size: int | None, seed: int) -> dict[str, Any]:
    from coolbound_shadow.bench import measure_shadow

    return measure_shadow(size or SHADOW_DAYS)


MEASURES: dict[str, Callable[[Site, int | None, int], dict[str, Any]]] = {
    "plant": _plant,
    "projection": _projection,
    "train": _train,
    "shadow": _shadow,
}


def _lines(data: Mapping[str, Any], indent: str = "") -> list[str]:
    """Return the figures as indented text, one per line."""
    lines = []
    for name, value in data.items():
        entries = value if isinstance(value, list) else [value]
        if isinstance(value, Mapping) or isinstance(entries[0], Mapping):
            lines.append(f"{indent}{name}")
            for entry in entries:
                lines.extend(_lines(entry, indent + "  "))
        else:
            lines.append(f"{indent}{name}: {', '.join(map(_figure, entries))}")
    return lines


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return str(value)
