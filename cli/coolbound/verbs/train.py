"""`coolbound train`: a policy, its folder, and one page about how it came to be."""

import contextlib
import csv
import json
import shlex
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coolbound.choices import TRAINING_LOADS, TRAINING_WEATHER
from coolbound.compose import chosen_site, limits_off, plant_task, shielded_task
from coolbound.console import Answer
from coolbound.training_view import training_view
from coolbound_controllers.algorithms import ALGORITHMS
from coolbound_controllers.atomic import write_atomic
from coolbound_controllers.cooling_task import learning_task
from coolbound_controllers.policy import save_policy
from coolbound_controllers.settings import override
from coolbound_controllers.task import Task
from coolbound_controllers.training import (
    CHECKPOINT,
    METRICS,
    TrainedPolicy,
    describe,
    train,
)
from coolbound_envs.accounts import REWARD_POWER
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.features import FEATURE_NAMES, feature_map
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_safety.shielded import ShieldedTask

RUN = "run.json"
"""What a run was started with, beyond its hyper-parameters."""

PAGE = "training.svg"
POLICY = "policy"


def run(options: Namespace) -> Answer:
    """Train, write the policy's folder and the page.

    Raises:
        InputError: A name, a setting or the folder cannot be used.
        TrainingError: A number became infinite or NaN.
    """
    hyper = override(options.set, ALGORITHMS[options.algorithm].settings())
    site = chosen_site(options.site)
    task = shielded_learning_task(site, options.weather, options.load)
    facts = _facts(options, site)
    first = _open_folder(options.out, facts, options.resume)
    limits = dict(zip(task.cost_names, task.cost_limits, strict=True))
    begun = time.perf_counter()
    with _hint_at_resume(options.out), training_view(limits, first) as show:
        trained = train(task, hyper, options.out, options.resume, show)
    name = options.name or options.out.absolute().name
    manifest = describe(trained, name, site.digest, command(options))
    manifest["limits_off"] = limits_off(site)
    folder = options.out / POLICY
    digest = save_policy(folder, trained.weights, manifest, FEATURE_NAMES)
    _write_page(options.out, limits)
    seconds = time.perf_counter() - begun
    data = {
        "schema": "coolbound.train/1",
        "policy": {"name": name, "digest": digest, "folder": str(folder)},
        "site": site.name,
        "limits_off": limits_off(site),
        "command": manifest["command"],
        "cost_limits": limits,
        "final": trained.metrics,
        "seconds": seconds,
    }
    return Answer(data, _text(data, trained))


@contextlib.contextmanager
def _hint_at_resume(out: Path) -> Iterator[None]:
    """On Ctrl-C say how to go on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if not (out / CHECKPOINT).exists():
            raise
        word = f"stopped; the last checkpoint is in {out}, go on with --resume"
        raise KeyboardInterrupt(word) from stop


def shielded_learning_task(
    site: Site, weather: Sequence[str], loads: Sequence[str]
) -> Task:
    """Return the task that policies are trained on: the plant behind the filter.

    Raises:
        InputError: A name, a file or the site's limits are wrong.
    """
    params = shielded_task(site, plant_task(site, weather, loads))
    return learning_task(ShieldedTask(CoolingTask()), params, feature_map(site))


def command(options: Namespace) -> str:
    """Return the command that trains the same policy again, into any folder."""
    words = ["coolbound", "train", options.algorithm]
    if options.site != "reference":
        words += ["--site", options.site]
    if options.set:
        words += ["--set", *options.set]
    if tuple(options.weather) != TRAINING_WEATHER:
        words += ["--weather", *options.weather]
    if tuple(options.load) != TRAINING_LOADS:
        words += ["--load", *options.load]
    if options.name:
        words += ["--name", options.name]
    return shlex.join(words)


def _facts(options: Namespace, site: Site) -> dict[str, Any]:
    return {
        "algorithm": options.algorithm,
        "site_digest": site.digest,
        "weather": list(options.weather),
        "load": list(options.load),
    }


def _open_folder(out: Path, facts: Mapping[str, Any], resume: bool) -> int:
    """Check and mark the run's folder; return the updates it already holds.

    Raises:
        InputError: It holds something else, or the run of another task.
    """
    if resume:
        _require_same_task(out, facts)
        return int(_rows(out)[-1]["update"]) if (out / METRICS).exists() else 0
    _require_free(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomic(out / RUN, json.dumps(facts, indent=1).encode())
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.__class__.__name__}), expected a folder "
            "for the run; choose another --out"
        ) from error
    return 0


def _require_free(out: Path) -> None:
    if (out / CHECKPOINT).exists():
        raise InputError(
            f"{out}: found the checkpoint of a run, expected a new folder; add "
            "--resume or choose another --out"
        )
    if out.is_dir() and not (out / RUN).exists() and any(out.iterdir()):
        raise InputError(
            f"{out}: found a folder with other files, expected a new or empty one; "
            "choose another --out"
        )


def _require_same_task(out: Path, facts: Mapping[str, Any]) -> None:
    path = out / RUN
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected the folder "
            "of a run to resume; check --out or start without --resume"
        ) from error
    for name, now in facts.items():
        if before.get(name) != now:
            raise InputError(
                f"{path}: found a run with {name} = {before.get(name)!r}, expected "
                f"{now!r}; resume with the first settings or start a new run"
            )


def _rows(out: Path) -> list[dict[str, float]]:
    with (out / METRICS).open(encoding="utf-8", newline="") as file:
        return [
            {name: float(value) for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


def _write_page(out: Path, limits: Mapping[str, float]) -> None:
    from coolbound_controllers.figures import training_page

    write_atomic(out / PAGE, training_page(_rows(out), limits))


def _text(data: Mapping[str, Any], trained: TrainedPolicy) -> str:
    last, policy = trained.metrics, data["policy"]
    power = last["power"] * REWARD_POWER / 1e3
    costs = ", ".join(
        f"{name} {last[f'cost_{name}']:.4f} of {limit:g}"
        for name, limit in data["cost_limits"].items()
    )
    return (
        f"policy {policy['name']} ({policy['digest'][:12]}) in {policy['folder']}\n"
        f"{last['steps']:,.0f} steps in {data['seconds']:.0f} s, while exploring:\n"
        f"  power above IT work {power:.1f} kW, interventions in "
        f"{100.0 * last['intervention']:.1f} % of steps\n"
        f"  costs: {costs}\n"
        f"again: {data['command']}"
    )
