"""Starts an engine on a site and a course: writes its files, then the process."""

from pathlib import Path

from coolbound_envs.energyplus.course import Course, hours_of
from coolbound_envs.energyplus.engine import (
    ERROR_FILE,
    MODEL_FILE,
    WEATHER_FILE,
    Engine,
)
from coolbound_envs.energyplus.model import build_model, write_model
from coolbound_envs.energyplus.options import Options
from coolbound_envs.energyplus.own_controls import with_own_controls
from coolbound_envs.energyplus.own_setpoints import OwnControls
from coolbound_envs.energyplus.signals import Commands
from coolbound_envs.energyplus.sizes import Sizes
from coolbound_envs.energyplus.weather_file import write_epw
from coolbound_envs.site import Site


def launch(
    folder: Path,
    site: Site,
    sizes: Sizes,
    course: Course,
    first: Commands,
    options: Options,
    own: OwnControls | None = None,
) -> Engine:
    """Return an engine that has begun to run.

    Args:
        folder: Of the run's files; it exists.
        site: The site.
        sizes: Its sizes as plain numbers.
        course: Weather, which stands still while the plant settles.
        first: Held during the warm-up and the first interval.
        options: How the run is made.
        own: Controls of EnergyPlus' own; by default the commands are followed.
    """
    # What an earlier run left in a named folder would be taken for this one's.
    (folder / ERROR_FILE).unlink(missing_ok=True)
    columns = (course.dry_bulb, course.dew_point, course.pressure)
    hours = [hours_of(column, options.settle_steps) for column in columns]
    write_epw(folder / WEATHER_FILE, *hours)
    model = build_model(
        site.plant, sizes, len(hours[0]) // 24, options.timesteps, options.iterations
    )
    if own is not None:
        model = with_own_controls(model, sizes, own)
    write_model(model, folder / MODEL_FILE)
    return Engine(
        folder, sizes, options.timesteps, first, options.limit, own is not None
    )
