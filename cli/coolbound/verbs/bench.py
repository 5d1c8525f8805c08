"""`coolbound bench plant|projection|train|shadow`: what the benchmarks page quotes."""

import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Any

from coolbound.choices import (
    BASELINE,
    ENGINES,
    PEERS,
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

YEAR_DAYS = 365
"""With --year. [1]"""

DECISIONS = 1000
"""Decisions at control time that `bench projection` takes by default. [1]"""


def run(options: Namespace) -> Answer:
    """Measure one part and return its figures.

    Raises:
        InputError: The site is missing or wrong, or what to measure against is not
            this measurement's or not installed.
    """
    site = load_site(options.site)
    facts = machine_facts()
    begun = time.perf_counter()
    _check_against(options.what, options.against)
    found = MEASURES[options.what](site, options)
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


def _check_against(what: str, against: str | None) -> None:
    """Refuse an engine or peers that the measurement does not know.

    Raises:
        InputError: It does not.
    """
    known = AGAINST.get(what)
    if against in (None, known):
        return
    homes = [f"bench {name}" for name, other in AGAINST.items() if other == against]
    raise InputError(
        f"bench {what}: found --against {against}, expected it with "
        f"{' or '.join(homes)}; leave it out"
    )


def _plant(site: Site, options: Namespace) -> dict[str, Any]:
    """Return speed by batch; without a bound on size also how the plant scales."""
    from coolbound_envs.bench import BATCHES, measure_plant, with_drill
    from coolbound_envs.bench_scale import (
        in_fresh_process,
        measure_devices,
        measure_memory,
        measure_year,
    )

    params = with_drill(plant_task(site, TRAINING_WEATHER, TRAINING_LOADS))
    size, seed = options.size, options.seed
    batches = [batch for batch in BATCHES if size is None or batch <= size]
    found = measure_plant(params, batches, seed)
    if size is None:
        cities = with_drill(plant_task(site, YEAR_CITIES, TRAINING_LOADS))
        found |= {
            "year": measure_year(cities, seed),
            "two_devices": in_fresh_process(measure_devices, params, devices=2),
            "fleet": in_fresh_process(measure_memory, params),
        }
    return found | (_energyplus(site, found) if options.against else {})


def _energyplus(site: Site, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return EnergyPlus' speed on the same site and how far ours is ahead.

    Raises:
        InputError: It is not installed.
    """
    from coolbound_envs.energyplus.speed import measure_energyplus

    theirs = measure_energyplus(site=site)
    ratio = found["steps_per_cpu_second"] / theirs["steps_per_cpu_second"]
    return {"energyplus": theirs, "ratio_energyplus": ratio}


def _projection(site: Site, options: Namespace) -> dict[str, Any]:
    """Return both projections' figures, with `--against peers` theirs as well.

    Raises:
        InputError: A peer is not installed.
    """
    from coolbound_safety.bench import complete, measure_projection
    from coolbound_safety.layer import SafetyLayer
    from coolbound_safety.peers import measure_peers, require_peers
    from coolbound_safety.recording import Recorder

    if options.against:
        require_peers()
    params = shielded_task(site, plant_task(site, TRAINING_WEATHER, TRAINING_LOADS))
    recorder = Recorder(params, named_controller(START_RULE, site).controller)
    recorded = recorder.envelopes(options.size or ENVELOPES, seed=options.seed)
    decisions = options.decisions or DECISIONS
    course = recorder.course(decisions, seed=options.seed)
    layer = SafetyLayer(params.safety, named_controller(BASELINE, site).controller)
    found = measure_projection(*recorded, decisions, complete(layer, *course))
    return found | (measure_peers(*recorded) if options.against else {})


def _train(site: Site, options: Namespace) -> dict[str, Any]:
    """Return our learner's speed, with `--against peers` everybody's.

    Raises:
        InputError: A peer's environment is missing, or a peer failed.
    """
    from coolbound.bench_train import measure

    return measure(options)


def _shadow(site: Site, options: Namespace) -> dict[str, Any]:
    from coolbound_shadow.bench import measure_shadow, measure_sizes

    if options.sizes:
        return measure_sizes(options.sizes)
    days = YEAR_DAYS if options.year else SHADOW_DAYS
    return measure_shadow(options.size or days)


AGAINST: dict[str, str] = {
    "plant": ENGINES[1],
    "projection": PEERS,
    "train": PEERS,
}
"""What each measurement can be held against."""

MEASURES: dict[str, Callable[[Site, Namespace], dict[str, Any]]] = {
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
