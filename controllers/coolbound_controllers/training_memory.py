"""What memory a run will need, said before it starts, and which batch would fit.

What a process needs whatever it trains, what a lane needs while it is stepped, and what
a row of experience needs while it is learned from. On the cooling task behind the
safety layer, on a CPU, compilation included, it lies above what was measured: at 512
lanes of 32 steps 3.0 GB for 2.9, at 8,192 lanes of 16 steps 3.6 GB for 3.1.
"""

import dataclasses
from pathlib import Path
from typing import Any, Final

from coolbound_controllers.algorithm import Settings
from coolbound_controllers.task import Task
from coolbound_envs.tables import InputError

PROCESS: Final = 2.95e9
"""Interpreter, libraries, tables, compiled programs and their making. [B]"""

LANE: Final = 30e3
"""One lane: its state, twice, and what one step of it works with. [B]"""

COPIES: Final = 4.0
"""Rollout, its normalised inputs, the flat batch, a minibatch with its slopes. [1]"""

NUMBER: Final = 4
"""A number in single precision. [B]"""

SPARE: Final = 0.9
"""Share of the free memory that a run may need. [1]"""

CGROUP: Final = Path("/sys/fs/cgroup")
MEMINFO: Final = Path("/proc/meminfo")


def predicted_bytes(task: Task, settings: Settings) -> float:
    """Return the memory that a run will need at most [B]."""
    row = 2 * task.feature_size + 3 * task.action_size + 4 * (1 + task.cost_count) + 8
    rows = COPIES * settings.steps_per_update + settings.rows_kept
    return PROCESS + LANE * settings.envs + NUMBER * row * rows


def free_bytes(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> float | None:
    """Return the memory that this process may still take, None where unknown [B]."""
    found = [_free_of_machine(meminfo), _free_of_group(cgroup)]
    known = [free for free in found if free is not None]
    return min(known) if known else None


def _free_of_machine(meminfo: Path) -> float | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
        words = next(x for x in lines if x.startswith("MemAvailable:")).split()
    except (OSError, StopIteration):
        return None
    return 1024.0 * float(words[1])


def _free_of_group(cgroup: Path) -> float | None:
    try:
        most = (cgroup / "memory.max").read_text(encoding="ascii").strip()
        used = (cgroup / "memory.current").read_text(encoding="ascii")
    except OSError:
        return None
    return None if most == "max" else float(most) - float(used)


def require_memory(task: Task, settings: Settings, free: float | None) -> None:
    """Refuse a run that will not fit, and say which number of lanes does.

    Args:
        task: What is to be learned.
        settings: How.
        free: Memory that may be taken; None where that is not known. [B]

    Raises:
        InputError: It will not fit.
    """
    needed = predicted_bytes(task, settings)
    if free is None or needed <= SPARE * free:
        return
    lanes = fitting_lanes(task, settings, SPARE * free)
    what = f"envs={lanes} fits" if lanes else "not even one lane fits here"
    raise InputError(
        f"hyper-parameter envs: found {settings.envs}, for which a run needs about "
        f"{needed / 1e9:.1f} GB, expected {SPARE * free / 1e9:.1f} GB at most with "
        f"{free / 1e9:.1f} GB free; {what}"
    )


def fitting_lanes(task: Task, settings: Settings, most: float) -> int:
    """Return the most lanes, to a thousandth, that fit into some memory [B]; else 0."""
    less = max(1, settings.envs // 1024)
    for lanes in range(settings.envs - less, 0, -less):
        smaller = _with_lanes(settings, lanes)
        if smaller is not None and predicted_bytes(task, smaller) <= most:
            return lanes
    return 0


def _with_lanes(settings: Any, lanes: int) -> Any:
    """Return the settings with other lanes, None where they do not go together."""
    try:
        return dataclasses.replace(settings, envs=lanes)
    except InputError:
        return None
