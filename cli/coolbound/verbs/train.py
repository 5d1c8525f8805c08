"""`coolbound train`: a policy, its folder, and one page about how it came to be."""

import contextlib
import dataclasses
import shlex
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coolbound.choices import TRAINING_LOADS, TRAINING_WEATHER
from coolbound.compose import chosen_site, limits_off
from coolbound.console import Answer
from coolbound.training_board import board
from coolbound.training_folder import facts_of, open_folder, rows_of
from coolbound.training_page import render
from coolbound.training_task import as_asked, shielded_learning_task
from coolbound.training_view import training_view
from coolbound_controllers.algorithms import ALGORITHMS
from coolbound_controllers.atomic import write_atomic
from coolbound_controllers.policy_folder import save_policy
from coolbound_controllers.settings import override, settings_texts
from coolbound_controllers.task import Task
from coolbound_controllers.training import CHECKPOINT, TrainedPolicy, describe, train
from coolbound_controllers.training_memory import free_bytes, require_memory
from coolbound_controllers.unmet import unmet
from coolbound_envs.accounts import REWARD_POWER
from coolbound_envs.features import FEATURE_NAMES
from coolbound_envs.site import Site

PICTURE = "training.svg"
PAGE = "training.html"
POLICY = "policy"


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of the learner. Static.

    Attributes:
        out: Its folder.
        name: What reports call the policy.
        settings: Hyper-parameters, of one algorithm.
        command: What trains the same policy again.
        board: Folder of TensorBoard's event files; none without.
        is_resumed: True where it goes on from a checkpoint.
    """

    out: Path
    name: str
    settings: Any
    command: str
    board: Path | None
    is_resumed: bool


def run(options: Namespace) -> Answer:
    """Train, write the policy's folder and the page, for every seed.

    Raises:
        InputError: A name, a setting or the folder cannot be used.
        TrainingError: A number became infinite or NaN.
    """
    options = _with_settings(options)
    jobs = _jobs(options)
    site = chosen_site(options.site)
    task = shielded_learning_task(site, options.weather, options.load)
    task = as_asked(task, options, site, jobs[0].settings)
    require_memory(task, jobs[0].settings, free_bytes())
    answers = [_train_one(job, task, site, facts_of(options, site)) for job in jobs]
    code = 2 if any(data["unmet"] for data, _ in answers) else 0
    if options.seeds is None:
        return Answer(*answers[0], exit_code=code)
    text = "\n\n".join([*(text for _, text in answers), _compare_them(options)])
    data = {"schema": "coolbound.train/1", "seeds": [data for data, _ in answers]}
    return Answer(data, text, exit_code=code)


def _with_settings(options: Namespace) -> Namespace:
    """Return the options with the file's settings before those of the command line."""
    if options.settings is None:
        return options
    base = ALGORITHMS[options.algorithm].settings()
    texts = [*settings_texts(options.settings, base), *options.set]
    return Namespace(**{**vars(options), "set": texts})


def _jobs(options: Namespace) -> list[Job]:
    """Return one run for each seed.

    Raises:
        InputError: A setting is wrong.
    """
    settings = override(options.set, ALGORITHMS[options.algorithm].settings())
    name = options.name or options.out.absolute().name
    if options.seeds is None:
        again, seen = command(options), options.tensorboard
        return [Job(options.out, name, settings, again, seen, options.resume)]
    jobs = []
    for seed in range(settings.seed, settings.seed + options.seeds):
        out = options.out / f"seed-{seed}"
        own = {
            "set": [*options.set, f"seed={seed}"],
            "name": f"{name}-seed-{seed}",
        }
        again = command(Namespace(**{**vars(options), **own}))
        seeded = override(own["set"], ALGORITHMS[options.algorithm].settings())
        # Of several seeds the last ones may not have begun.
        is_resumed = options.resume and (out / CHECKPOINT).exists()
        seen = options.tensorboard and options.tensorboard / out.name
        jobs.append(Job(out, own["name"], seeded, again, seen, is_resumed))
    return jobs


def _train_one(
    job: Job, task: Task, site: Site, facts: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    first = open_folder(job.out, facts, job.is_resumed)
    limits = dict(zip(task.cost_names, task.cost_limits, strict=True))
    begun = time.perf_counter()
    with (
        _hint_at_resume(job.out),
        board(job.board) as write,
        training_view(limits, first) as show,
    ):

        def tell(row: Mapping[str, float]) -> None:
            show(row)
            write(row)

        trained = train(task, job.settings, job.out, job.is_resumed, tell)
    manifest = describe(trained, job.name, site.digest, job.command)
    manifest["limits_off"] = limits_off(site)
    folder = job.out / POLICY
    digest = save_policy(folder, trained.weights, manifest, FEATURE_NAMES)
    rows = rows_of(job.out)
    data = {
        "schema": "coolbound.train/1",
        "policy": {"name": job.name, "digest": digest, "folder": str(folder)},
        "site": site.name,
        "limits_off": limits_off(site),
        "command": job.command,
        "cost_limits": limits,
        "unmet": unmet(rows, limits, getattr(job.settings, "integrator_max", 0.0)),
        "final": trained.metrics,
        "seconds": time.perf_counter() - begun,
    }
    _write_pages(job.out, rows, manifest, data)
    return data, _text(data, trained)


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
    if options.frames != 1:
        words += ["--frames", str(options.frames)]
    if options.shaping:
        words += ["--shaping", f"{options.shaping:g}"]
    if options.name:
        words += ["--name", options.name]
    return shlex.join(words)


def _write_pages(
    out: Path,
    rows: Sequence[Mapping[str, float]],
    manifest: Mapping[str, Any],
    data: Mapping[str, Any],
) -> None:
    from coolbound_controllers.figures import training_page

    picture = training_page(rows, data["cost_limits"])
    write_atomic(out / PICTURE, picture)
    write_atomic(out / PAGE, render(rows, manifest, data, picture).encode())


def _compare_them(options: Namespace) -> str:
    """Return the command that judges all seeds together."""
    given = f"{options.algorithm}={options.out}/seed-*"
    words = ["coolbound", "evaluate", "--controllers", "g36", "start", given]
    return f"compare them: {shlex.join(words)}"


def _text(data: Mapping[str, Any], trained: TrainedPolicy) -> str:
    last, policy = trained.metrics, data["policy"]
    power = last["power"] * REWARD_POWER / 1e3
    costs = ", ".join(
        f"{name} {last[f'cost_{name}']:.4f} of {limit:g}"
        for name, limit in data["cost_limits"].items()
    )
    return "\n".join(
        [
            f"policy {policy['name']} ({policy['digest'][:12]}) in {policy['folder']}",
            f"{last['steps']:,.0f} steps in {data['seconds']:.0f} s, while exploring:",
            f"  power above IT work {power:.1f} kW, interventions in "
            f"{100.0 * last['intervention']:.1f} % of steps",
            f"  costs: {costs}",
            *_unmet_lines(data["unmet"]),
            f"again: {data['command']}",
        ]
    )


def _unmet_lines(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    return [
        f"  {name} cannot be met: found a mean cost of {each['least_cost']:.4f} at "
        f"least in the last {each['updates']:.0f} updates with its multiplier at "
        f"{each['multiplier']:.2f}, its cap, expected {each['limit']:g} at most; "
        "relax the limit or train longer"
        for name, each in found.items()
    ]
