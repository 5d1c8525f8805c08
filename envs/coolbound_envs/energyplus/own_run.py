"""A course under EnergyPlus' own controls: the load goes in, readings come out."""

import dataclasses
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from coolbound_envs.energyplus.bas import Bas
from coolbound_envs.energyplus.course import Course
from coolbound_envs.energyplus.engine import Engine
from coolbound_envs.energyplus.launch import launch
from coolbound_envs.energyplus.options import Options, check_length, check_options
from coolbound_envs.energyplus.orders import (
    commands_for,
    disturbance_of,
    surroundings_of,
)
from coolbound_envs.energyplus.own_setpoints import OwnControls
from coolbound_envs.energyplus.signals import Commands
from coolbound_envs.energyplus.site_sizes import sizes_of
from coolbound_envs.settling import initial_action
from coolbound_envs.site import Site


def own_run(
    site: Site, course: Course, own: OwnControls, options: Options | None = None
) -> Iterator[dict[str, float]]:
    """Yield the readings of every interval of a course, SI units.

    The plant settles as long as for a controller, under its own controls.

    Args:
        site: Its plant.
        course: Weather and load.
        own: Set-points.
        options: How the run is made; its instruments are not used.

    Raises:
        EnergyPlusError: EnergyPlus could not run.
        InputError: The extra is not installed, or the course is longer than a year.
    """
    options = Options() if options is None else options
    check_options(options)
    check_length(course.steps, options.settle_steps)
    orders = _orders(site, course)
    settling = [orders[0]] * options.settle_steps
    with tempfile.TemporaryDirectory(prefix="coolbound-energyplus-") as name:
        sizes = sizes_of(site.plant)
        engine = launch(Path(name), site, sizes, course, orders[0], options, own)
        # From a thread of its own: the pipe does not hold a week of commands.
        rest = [*settling[1:], *orders]
        sender = threading.Thread(target=_send_all, args=(engine, rest), daemon=True)
        try:
            sender.start()
            for _ in settling:
                engine.receive()
            for _ in orders:
                yield engine.receive()
            sender.join()
        finally:
            engine.stop()


def _send_all(engine: Engine, orders: list[Commands]) -> None:
    for commands in orders:
        engine.send(commands)


def _orders(site: Site, course: Course) -> list[Commands]:
    """Return the load and the make-up air of every interval; nothing else is read."""
    first, sizes = disturbance_of(course, 0), sizes_of(site.plant)
    around = surroundings_of(course, site.plant, sizes)
    action = initial_action(first, ())
    running = Bas(site.plant, first).decide(action, 20.0, 20.0)
    unread = commands_for(action, running, around[0], site.plant, sizes, {})
    return [
        dataclasses.replace(unread, loading=loading, makeup_humidity=moist)
        for loading, moist in around
    ]
