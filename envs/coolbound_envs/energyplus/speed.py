"""Measures how fast EnergyPlus runs the same site, per second of its own CPU time.

The engine has a process to itself, so its CPU time holds EnergyPlus, the callbacks
that move its actuators and read its outputs, and nothing else. The callbacks' time is
taken off: the figure is EnergyPlus' own, as fast as it can be. All commands are sent
ahead, so that the engine never waits, as our plant never does when it is measured.
Start-up, the reading of the model and the warm-up days are counted apart.
"""

import dataclasses
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from coolbound_envs.energyplus.bas import Bas
from coolbound_envs.energyplus.course import DAY_STEPS, STEP, Course, course_of
from coolbound_envs.energyplus.engine import Engine
from coolbound_envs.energyplus.launch import launch
from coolbound_envs.energyplus.options import Options, check_length, check_options
from coolbound_envs.energyplus.orders import (
    commands_for,
    disturbance_of,
    surroundings_of,
)
from coolbound_envs.energyplus.signals import Commands
from coolbound_envs.energyplus.site_sizes import sizes_of
from coolbound_envs.energyplus.sizes import Sizes
from coolbound_envs.load import load_trace
from coolbound_envs.settling import initial_action
from coolbound_envs.site import Site, load_site
from coolbound_envs.weather import load_weather

WEATHER: Final = "phoenix"
LOAD: Final = "google2019"
START: Final = 90 * 86400
"""Spring: machines at part load, no free cooling. [s]"""

SKIPPED: Final = 12
"""First intervals, which are not counted. [1]"""

WANDER: Final = {
    "supply_air": (20.0, 24.0),
    "crah_speed": (0.7, 1.0),
    "chw_setpoint": (8.0, 12.0),
    "chw_pressure": (6e4, 1e5),
    "tower_speed": (0.4, 1.0),
}
"""Ends between which set-points wander. [SI units]"""


def measure_energyplus(
    site: Site | None = None, days: float = 7.0, timesteps: int = 12, seed: int = 0
) -> dict[str, Any]:
    """Return how many control steps of 300 s EnergyPlus makes in a CPU-second.

    Set-points wander within their ranges, weather and load are those of a spring
    week in Phoenix.

    Args:
        site: Its plant; the embedded one by default.
        days: Length of the measured run.
        timesteps: Zone timesteps in an hour: 12 is the coarsest that keeps our
            interval, 60 the finest that EnergyPlus has, still twice ours.
        seed: Of the set-points.

    Returns:
        `steps_per_cpu_second`, that of EnergyPlus alone, `_with_callbacks` and
        `_with_start`; `callback_share` of the CPU time; `start_cpu_s`, `steps`,
        `control_interval_s`, `zone_timesteps_per_hour`, `plant_iterations`.

    Raises:
        EnergyPlusError: EnergyPlus could not run.
        InputError: The extra is not installed.
    """
    options = Options(timesteps=timesteps, settle_steps=1)
    check_options(options)
    site = load_site() if site is None else site
    steps = round(days * DAY_STEPS) + SKIPPED
    check_length(steps, options.settle_steps)
    weather, load = load_weather(WEATHER), load_trace(LOAD)
    course = course_of(site.plant.it, weather, load, START, steps)
    cpu, callbacks = _clock(site, course, options, seed)
    counted, own = steps - SKIPPED, callbacks[-1] - callbacks[SKIPPED - 1]
    whole = cpu[-1] - cpu[SKIPPED - 1]
    return {
        "steps_per_cpu_second": counted / (whole - own),
        "steps_per_cpu_second_with_callbacks": counted / whole,
        "steps_per_cpu_second_with_start": steps / cpu[-1],
        "callback_share": own / whole,
        "start_cpu_s": cpu[0],
        "steps": counted,
        "control_interval_s": STEP,
        "zone_timesteps_per_hour": timesteps,
        "plant_iterations": options.iterations,
    }


def _clock(
    site: Site, course: Course, options: Options, seed: int
) -> tuple[list[float], list[float]]:
    """Return the process's CPU time, and that of callbacks, at intervals' ends [s]."""
    sizes = sizes_of(site.plant)
    orders = list(_orders(site, sizes, course, seed))
    with tempfile.TemporaryDirectory(prefix="coolbound-energyplus-") as name:
        engine = launch(Path(name), site, sizes, course, orders[0], options)
        try:
            # From a thread of its own: the pipe does not hold a week of commands.
            sender = threading.Thread(target=_send_all, args=(engine, orders[1:]))
            sender.start()
            rows = [engine.receive() for _ in orders]
            sender.join()
        finally:
            engine.stop()
    return [row["cpu_s"] for row in rows], [row["callback_s"] for row in rows]


def _send_all(engine: Engine, orders: list[Commands]) -> None:
    for commands in orders:
        engine.send(commands)


def _orders(site: Site, sizes: Sizes, course: Course, seed: int) -> Iterator[Commands]:
    """Yield the commands of every interval: two machines, wandering set-points."""
    rng = np.random.default_rng(seed)
    first = disturbance_of(course, 0)
    action = initial_action(first, ())
    running = Bas(site.plant, first).decide(action, 20.0, 20.0)
    around = surroundings_of(course, site.plant, sizes)
    base = commands_for(action, running, around[0], site.plant, sizes, {})
    places = rng.random((course.steps, len(WANDER)))
    # Neighbours differ by a few percent of the range, as under a controller.
    window = np.ones(12) / 12.0
    smooth = np.stack(
        [np.convolve(column, window, "same") for column in places.T], axis=1
    )
    for step in range(course.steps):
        moved: dict[str, Any] = {
            name: low + smooth[step, i] * (high - low)
            for i, (name, (low, high)) in enumerate(WANDER.items())
        }
        for name in ("supply_air", "crah_speed"):
            moved[name] = (float(moved[name]),) * sizes.halls
        yield dataclasses.replace(base, loading=around[step][0], **moved)
