"""The run around the learner: progress, metrics file, checkpoints, resume.

A run folder holds `checkpoint.safetensors`, the complete state at some update,
and `metrics.csv`, one line per update. A run that is interrupted keeps its
last checkpoint; a resumed run drops the lines after it and goes on to the same
numbers, bit for bit, that an unbroken run gives.
"""

import csv
import dataclasses
import io
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import jax
import numpy as np

from coolbound_controllers.algorithm import Learner, Settings
from coolbound_controllers.algorithms import algorithm_of
from coolbound_controllers.atomic import write_atomic
from coolbound_controllers.checkpoint import load_note, load_tree, save_tree
from coolbound_controllers.policy import PolicyWeights
from coolbound_controllers.provenance import git_revision, versions
from coolbound_controllers.task import Task
from coolbound_envs.tables import InputError

CHECKPOINT: Final = "checkpoint.safetensors"
METRICS: Final = "metrics.csv"

Row = dict[str, float]
Progress = Callable[[Row], None]


class TrainingError(RuntimeError):
    """Training cannot go on; its text says at which update, and what to do."""


@dataclasses.dataclass(frozen=True)
class TrainedPolicy:
    """What a finished run leaves. Static.

    Attributes:
        weights: All numbers that a decision needs.
        hyper: The settings of the run.
        metrics: The last update's line of `metrics.csv`.
    """

    weights: PolicyWeights
    hyper: Settings
    metrics: Row


def train(
    task: Task,
    hyper: Settings,
    out: Path,
    resume: bool = False,
    progress: Progress | None = None,
) -> TrainedPolicy:
    """Train a policy and return it; `out` holds checkpoint and metrics.

    Args:
        task: What to learn.
        hyper: How; a resumed run may only change `total_steps`.
        out: The run's folder, made where it is absent.
        resume: Go on from the checkpoint in `out`.
        progress: Called with each update's line of metrics.

    Raises:
        InputError: `out` holds a run and `resume` is off, or the other way
            round, or its checkpoint belongs to other settings.
        TrainingError: A number became infinite or NaN.
    """
    learner, row = _resume(task, hyper, out) if resume else _start(task, hyper, out)
    algorithm = algorithm_of(hyper)
    # Seeds share one program: the seed is in the learner.
    update = algorithm.make_update(task, _unseeded(hyper))
    done = int(learner.updates)
    for number in range(done + 1, hyper.updates + 1):
        started = time.perf_counter()
        learner, found = update(learner)
        found = jax.device_get(found)
        seconds = time.perf_counter() - started
        row = _row(number, found, seconds, task, hyper)
        _refuse_divergence(out, learner, hyper, number, bool(found["is_finite"]))
        _append(out / METRICS, row)
        if number % hyper.checkpoint_every == 0 or number == hyper.updates:
            _save(out / CHECKPOINT, learner, hyper)
        if progress is not None:
            progress(row)
    return TrainedPolicy(
        weights=algorithm.deploy(learner, task), hyper=hyper, metrics=row
    )


def describe(
    trained: TrainedPolicy, name: str, site_digest: str, command: str
) -> dict[str, Any]:
    """Return the manifest of a trained policy, for `save_policy`.

    Args:
        trained: The finished run.
        name: What reports call the policy.
        site_digest: SHA-256 of the site that it was trained on.
        command: The exact command that trains it again.
    """
    finite = {k: v for k, v in trained.metrics.items() if math.isfinite(v)}
    return {
        "name": name,
        "algorithm": algorithm_of(trained.hyper).name,
        "site_digest": site_digest,
        "command": command,
        "seed": trained.hyper.seed,
        "revision": git_revision(),
        "versions": versions(),
        "metrics": finite,
        "hyperparameters": dataclasses.asdict(cast(Any, trained.hyper)),
    }


def _start(task: Task, hyper: Settings, out: Path) -> tuple[Learner, Row]:
    if (out / CHECKPOINT).exists():
        raise InputError(
            f"{out}: found the checkpoint of a run, expected a new folder; resume it "
            "or choose another"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / METRICS).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.__class__.__name__}), expected a folder "
            "for the run; choose another"
        ) from error
    return _first_learner(task, hyper), {}


def _first_learner(task: Task, hyper: Settings) -> Learner:
    return algorithm_of(hyper).init(jax.random.key(hyper.seed), task, hyper)


def _unseeded(hyper: Any) -> Any:
    return dataclasses.replace(hyper, seed=0)


def _resume(task: Task, hyper: Settings, out: Path) -> tuple[Learner, Row]:
    path = out / CHECKPOINT
    _refuse_other_settings(path, hyper)
    learner = load_tree(path, jax.eval_shape(lambda: _first_learner(task, hyper)))
    return learner, _cut(out / METRICS, int(learner.updates))


def _refuse_other_settings(path: Path, hyper: Settings) -> None:
    before = json.loads(load_note(path))
    for name, now in _settings(hyper).items():
        if name != "total_steps" and before.get(name) != now:
            raise InputError(
                f"{path}: found a run with {name} = {before.get(name)!r}, expected "
                f"{now!r}; resume with the first settings or start a new run"
            )


def _settings(hyper: Settings) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(cast(Any, hyper))))


def _save(path: Path, learner: Learner, hyper: Settings) -> None:
    save_tree(path, learner, json.dumps(_settings(hyper), sort_keys=True))


def _refuse_divergence(
    out: Path, learner: Learner, hyper: Settings, number: int, is_finite: bool
) -> None:
    if is_finite:
        return
    path = out / f"diverged-{number}.safetensors"
    _save(path, learner, hyper)
    raise TrainingError(
        f"update {number}: found a number that is infinite or NaN, expected finite "
        f"weights and metrics; the state is in {path}, the last good one in "
        f"{out / CHECKPOINT} if any; lower the learning rates or check the task"
    )


def _row(
    number: int,
    found: dict[str, Any],
    seconds: float,
    task: Task,
    hyper: Settings,
) -> Row:
    steps = hyper.steps_per_update
    row: Row = {
        "update": number,
        "updates": hyper.updates,
        "steps": number * steps,
        "steps_per_second": steps / seconds,
    }
    for name, value in found.items():
        if name != "is_finite":
            row |= _columns(name, np.asarray(value), task)
    return row


def _columns(name: str, value: np.ndarray, task: Task) -> Row:
    if value.ndim == 0:
        return {name: float(value)}
    names = task.cost_names if len(value) == task.cost_count else _signals(task)
    singular = {"costs": "cost", "multipliers": "multiplier"}.get(name, name)
    return {f"{singular}_{k}": float(v) for k, v in zip(names, value, strict=True)}


def _signals(task: Task) -> tuple[str, ...]:
    return ("reward", *task.cost_names)


def _append(path: Path, row: Row) -> None:
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def _cut(path: Path, updates: int) -> Row:
    """Drop the lines after the checkpoint and return the last one kept."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [row for row in rows if int(row["update"]) <= updates]
    if not kept:
        path.unlink()
        return {}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(kept[0]))
    writer.writeheader()
    writer.writerows(kept)
    write_atomic(path, text.getvalue().encode())
    return {name: float(value) for name, value in kept[-1].items()}
