"""`coolbound bench train`: our learner alone, and at equal steps beside the peers.

Everybody is measured in a process of its own, without programs compiled earlier.
"""

import dataclasses
import json
import os
import subprocess
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

import coolbound
from coolbound.bench_contest import Contest, contest_params, contest_settings
from coolbound.choices import TRAINING_LOADS, TRAINING_WEATHER, UNSEEN_WEATHER
from coolbound.compose import plant_task, shielded_task
from coolbound.grammar.common import nearest
from coolbound_controllers.cooling_task import learning_task
from coolbound_controllers.task import Task
from coolbound_envs.bench_scale import in_fresh_process
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.features import feature_map
from coolbound_envs.site import load_site
from coolbound_envs.tables import InputError
from coolbound_safety.shielded import ShieldedParams, ShieldedTask

OURS: Final = "ppo-lagrangian"

SEEDS: Final = 3
"""Runs of everybody. [1]"""

JUDGED_EPISODES: Final = 64
"""Held-out days on which policies are judged, side by side. [1]"""

JUDGED_SEED: Final = 20_000
"""Of the held-out days: no run has it. [1]"""


@dataclasses.dataclass(frozen=True)
class Peer:
    """A learner of somebody else. Static.

    Attributes:
        environment: Folder of its virtual environment under `.peers`.
        script: Its script in `benchmarks/peers`.
        lanes: Plants side by side; None for as many as ours. [1]
        words: What else the script is told.
    """

    environment: str
    script: str
    lanes: int | None = None
    words: tuple[str, ...] = ()


PEERS: Final[Mapping[str, Peer]] = {
    "sb3_ppo": Peer("sb3", "train_sb3.py"),
    "sb3_ppo_one_lane": Peer("sb3", "train_sb3.py", 1),
    "omnisafe_ppolag": Peer("omnisafe", "train_omnisafe.py", None, ("PPOLag",)),
    "omnisafe_ppolag_one_lane": Peer("omnisafe", "train_omnisafe.py", 1, ("PPOLag",)),
    "omnisafe_cpo": Peer("omnisafe", "train_omnisafe.py", None, ("CPO",)),
}
"""Peers by the name that figures have."""


def measure(options: Namespace) -> dict[str, Any]:
    """Return our speed, and with `--against peers` everybody's speed and learning.

    Raises:
        InputError: A name is wrong, or a peer's environment is missing.
    """
    from coolbound_controllers.bench import UPDATES

    contest, names = _asked(options)
    if options.against:
        require_peers(names)
    given = (options.site, options.seed, options.size or UPDATES)
    found = in_fresh_process(speed_here, *given)
    return found | (hold(contest, names) if options.against else {})


def _asked(options: Namespace) -> tuple[Contest, list[str]]:
    """Return the contest and the peers' names that a command line asks for.

    Raises:
        InputError: The steps are less than a day of all lanes, or a name is wrong.
    """
    names = options.peers or list(PEERS)
    for name in names:
        if name not in PEERS:
            raise InputError(
                f"bench train: found peer {name!r}, expected {', '.join(PEERS)}; did "
                f"you mean {nearest(name, list(PEERS))!r}?"
            )
    seeds = tuple(range(options.seed, options.seed + (options.seeds or SEEDS)))
    contest = Contest(site=options.site, seeds=seeds)
    day = contest.lanes * contest.day_steps
    steps = contest.steps if options.steps is None else options.steps
    if steps < day:
        raise InputError(
            f"bench train: found --steps {steps}, expected {day} at least, a day of "
            f"{contest.lanes} plants; raise them"
        )
    return dataclasses.replace(contest, steps=steps // day * day), names


def require_peers(names: Sequence[str], root: Path | None = None) -> None:
    """Refuse to go on without the environments of some peers.

    Args:
        names: Of the peers.
        root: The checkout that holds them, this one if None.

    Raises:
        InputError: One is missing.
    """
    root = root or checkout()
    for name in sorted({PEERS[name].environment for name in names}):
        python = root / ".peers" / name / "bin" / "python"
        if not python.exists():
            raise InputError(
                f"bench train --against peers: found no {python}, expected the virtual "
                f"environment of {name}; make it with `make train-peers` in a checkout"
            )


def checkout() -> Path:
    """Return the folder that holds `benchmarks`, where coolbound runs from one."""
    return Path(coolbound.__file__).resolve().parents[2]


def speed_here(site: str, seed: int, updates: int) -> dict[str, Any]:
    """Return the figures of our learner with its defaults. Runs in its own process."""
    from coolbound_controllers.bench import measure_training
    from coolbound_controllers.hyperparameters import Hyperparameters

    _forget_programs()
    found = load_site(site)
    params = shielded_task(found, plant_task(found, TRAINING_WEATHER, TRAINING_LOADS))
    return measure_training(_task(site, params), Hyperparameters(seed=seed), updates)


def learn_here(contest: Contest) -> dict[str, Any]:
    """Return our learner's runs and `policies`. Runs in its own process."""
    from coolbound_controllers.bench_contest import measure_learning

    _forget_programs()
    task = _task(contest.site, contest_params(contest))
    settings = [contest_settings(contest, seed) for seed in contest.seeds]
    found, policies = measure_learning(task, settings)
    return found | {"policies": policies}


def hold(contest: Contest, names: list[str]) -> dict[str, Any]:
    """Return what everybody reached: `contest`, `ours` and `peers`."""
    from coolbound_controllers.bench_contest import judge, speed, untrained

    found = in_fresh_process(learn_here, contest)
    policies = found["policies"]
    runs: dict[str, tuple[dict[str, Any], list[Any]]] = {OURS: (speed(found), policies)}
    for name in names:
        theirs, learned = run_peer(name, contest)
        runs[name] = (speed(theirs), learned)
    held_out = dataclasses.replace(contest, weather=UNSEEN_WEATHER)
    task = _task(contest.site, contest_params(held_out))
    setting = (JUDGED_EPISODES, contest.day_steps, JUDGED_SEED)
    rows: dict[str, dict[str, Any]] = {
        name: fast | {"final": judge(task, learned, *setting)}
        for name, (fast, learned) in runs.items()
    }
    ours = rows.pop(OURS)
    for row in rows.values():
        row["ratio"] = ours["steps_per_cpu_second"] / row["steps_per_cpu_second"]
    return {
        "contest": dataclasses.asdict(contest) | {"held_out": UNSEEN_WEATHER},
        "untrained": judge(task, [untrained(policies[0])], *setting),
        "ours": ours,
        "peers": rows,
    }


def run_peer(name: str, contest: Contest) -> tuple[dict[str, Any], list[Any]]:
    """Return one peer's runs, from its own environment and process.

    Raises:
        InputError: It failed; what it last said is told.
    """
    peer = PEERS[name]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        given = folder / "contest.json"
        given.write_text(json.dumps(dataclasses.asdict(contest)), encoding="utf-8")
        words = [str(given), text, name, str(peer.lanes or contest.lanes), *peer.words]
        done = subprocess.run(
            _command(peer, words), env=_environment(), capture_output=True, text=True
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise InputError(
                f"peer {name}: found exit code {done.returncode} and {last!r}, "
                "expected a trained policy; make its environment anew with "
                "`make train-peers`"
            )
        found = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        policies = [dict(np.load(folder / f"{name}-{s}.npz")) for s in contest.seeds]
    return found, policies


def _command(peer: Peer, words: list[str]) -> list[str]:
    root = checkout()
    python = root / ".peers" / peer.environment / "bin" / "python"
    return [str(python), str(root / "benchmarks" / "peers" / peer.script), *words]


def _environment() -> dict[str, str]:
    """Return variables with our packages on the path and no programs kept."""
    layers = ("cli", "shadow", "controllers", "safety", "envs")
    paths = os.pathsep.join(str(checkout() / layer) for layer in layers)
    return os.environ | {
        "PYTHONPATH": paths,
        "JAX_ENABLE_COMPILATION_CACHE": "false",
        "JAX_PLATFORMS": "cpu",
    }


def _forget_programs() -> None:
    import jax

    jax.config.update("jax_enable_compilation_cache", False)


def _task(site: str, params: ShieldedParams) -> Task:
    features = feature_map(load_site(site))
    return learning_task(ShieldedTask(CoolingTask()), params, features)
