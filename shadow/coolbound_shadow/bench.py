"""How long a shadow run takes, of a week or of years, and how much memory."""

import dataclasses
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from coolbound_controllers.legacy import Legacy
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.load import load_trace
from coolbound_envs.site import load_site
from coolbound_envs.tables import InputError
from coolbound_envs.types import Controller
from coolbound_envs.weather import load_weather
from coolbound_shadow.clock import offsets_of_utc
from coolbound_shadow.ledger.bench import measure_append
from coolbound_shadow.local_time import DAY_S
from coolbound_shadow.log_types import Log
from coolbound_shadow.log_writer import write_log
from coolbound_shadow.run import run_shadow
from coolbound_shadow.simulate import simulate_log

START_DAY = 90
WEATHER = "frankfurt-2021"
LOAD = "google2019"
SIMULATED_DAYS = 365
"""A longer log is this much again and again, dated on. [d]"""

PACKAGES = ("coolbound", "jax", "jaxlib", "numpy", "cvxpy", "clarabel", "pyarrow")


def measure_shadow(
    days: int = 30, controller: Controller | None = None
) -> dict[str, Any]:
    """Return the cost of a shadow run, from reading the log to the last file.

    The same run is made twice: the second is measured, what the first took
    longer is compilation. The log is simulated beforehand.

    Args:
        days: Length of the log; 30 days are 8,640 decisions, 365 are 105,120. [1]
        controller: Shadowed in place of the policy that ships with the package.

    Raises:
        InputError: Fewer than one day is asked for.
    """
    if days < 1:
        raise InputError(f"bench shadow: found {days} days, expected at least 1")
    site = load_site()
    times: list[float] = []
    summary: Any = {}
    with tempfile.TemporaryDirectory() as folder:
        path = _simulated(days, Path(folder))
        for name in ("first", "second"):
            begin = time.perf_counter()
            out = Path(folder) / name
            summary = run_shadow(site, path, None, out, controller=controller)
            times.append(time.perf_counter() - begin)
        pages = [(Path(folder) / name / "report.html") for name in ("first", "second")]
        report_mb = pages[-1].stat().st_size / 1e6
        is_same = pages[0].read_bytes() == pages[1].read_bytes()
    return {
        "decisions": summary["decisions"],
        "seconds": round(times[1], 3),
        "compile_s": round(max(times[0] - times[1], 0.0), 3),
        "peak_mb": round(_peak_mb(), 1),
        "days": days,
        "report_mb": round(report_mb, 3),
        "is_report_same": is_same,
        "control_time_sample": summary["control_time_sample"],
        "parts": summary["model"]["parts"],
        "machine": _machine(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def measure_sizes(sizes: Sequence[int]) -> dict[str, Any]:
    """Return the cost of logs of several lengths, and of appending to a ledger.

    Each length has a process of its own, so that its peak of memory is its own.
    Beside the time of a decision stands that of a decision more than the shortest
    log has: what a run costs once, such as the sample that is decided again, is not
    in it, so that it shows whether time grows with length alone.

    Args:
        sizes: Lengths of the logs. [d]

    Raises:
        InputError: Fewer than one day is asked for.
    """
    found = [_apart(days) for days in sorted(sizes)]
    least = found[0]
    for each in found:
        added = each["decisions"] - least["decisions"]
        more = each["seconds"] - least["seconds"]
        each["ms_per_decision"] = round(1e3 * each["seconds"] / each["decisions"], 4)
        each["ms_per_added_decision"] = round(1e3 * more / added, 4) if added else None
    kept = ("days", "decisions", "seconds", "compile_s", "ms_per_decision")
    kept += ("ms_per_added_decision", "peak_mb", "report_mb", "is_report_same", "parts")
    return {
        "sizes": [{name: each[name] for name in kept} for each in found],
        "ledger": measure_append(),
        "machine": least["machine"],
        "versions": least["versions"],
    }


def _apart(days: int) -> dict[str, Any]:
    """Return the cost of one length, measured in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure_shadow, days).result()


def _simulated(days: int, folder: Path) -> Path:
    """Return a simulated log, made by another process: its memory is not ours."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_simulate, days, folder).result()


def _simulate(days: int, folder: Path) -> Path:
    site = load_site()
    operator = Legacy(parse_operator(site))
    weather, load = load_weather(WEATHER), load_trace(LOAD)
    once = min(days, SIMULATED_DAYS)
    log = simulate_log(site, operator, weather, load, START_DAY, once, 0)
    return write_log(dated_on(log, days), folder)[0]


def dated_on(log: Log, days: int) -> Log:
    """Return a log of so many days: itself again and again, dated on.

    Args:
        log: A log of whole days, `SIMULATED_DAYS` where more are asked for.
        days: Length of the log that is wanted. [d]
    """
    again = -(-days // SIMULATED_DAYS)
    later = np.repeat(np.arange(again), log.rows) * SIMULATED_DAYS * DAY_S
    time_utc = np.tile(log.time_utc, again) + later
    kept = time_utc < log.time_utc[0] + days * DAY_S
    time_utc = time_utc[kept]
    return dataclasses.replace(
        log,
        time_utc=time_utc,
        offset=offsets_of_utc(time_utc, ZoneInfo(log.zone)),
        values=np.tile(log.values, (again, 1))[kept],
        quality=np.tile(log.quality, (again, 1))[kept],
        applied=np.tile(log.applied, (again, 1))[kept],
        rows_read=len(time_utc),
    )


def _peak_mb() -> float:
    """Return the most memory that the process has held [MB]."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kilobytes, macOS bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _machine() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
    }
