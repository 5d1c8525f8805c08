"""The folder of a training run: what it was started with, and what it may hold."""

import csv
import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coolbound_controllers.atomic import write_atomic
from coolbound_controllers.training import CHECKPOINT, METRICS
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError

RUN = "run.json"
"""What a run was started with, beyond its hyper-parameters."""


def facts_of(options: Namespace, site: Site) -> dict[str, Any]:
    """Return what a resumed run must share with the first, beyond its settings."""
    return {
        "algorithm": options.algorithm,
        "site_digest": site.digest,
        "weather": list(options.weather),
        "load": list(options.load),
        "frames": options.frames,
        "shaping": options.shaping,
    }


def open_folder(out: Path, facts: Mapping[str, Any], resume: bool) -> int:
    """Check and mark the run's folder; return the updates it already holds.

    Raises:
        InputError: It holds something else, or the run of another task.
    """
    if resume:
        _require_same_task(out, facts)
        return int(rows_of(out)[-1]["update"]) if (out / METRICS).exists() else 0
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


def rows_of(out: Path) -> list[dict[str, float]]:
    """Return the lines of a run's `metrics.csv`, oldest first."""
    with (out / METRICS).open(encoding="utf-8", newline="") as file:
        return [
            {name: float(value) for name, value in row.items()}
            for row in csv.DictReader(file)
        ]
