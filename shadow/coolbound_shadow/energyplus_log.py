"""A log that an operator would have left on a plant simulated by EnergyPlus.

Rows and habits are those of `coolbound_shadow.simulate`, so that `coolbound shadow
--log` reads either: the engine is not ours, the log is. Points that EnergyPlus has
no quantity for are in it with quality UNCERTAIN (`docs/energyplus.md`).
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from coolbound_envs.energyplus.closed_loop import Record, closed_loop
from coolbound_envs.energyplus.course import DAY_STEPS, course_of
from coolbound_envs.energyplus.observation import Instruments
from coolbound_envs.energyplus.options import Options
from coolbound_envs.energyplus.plant import EnergyPlusPlant
from coolbound_envs.fault_kinds import FaultEvent
from coolbound_envs.load import Load
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_envs.types import Controller
from coolbound_envs.weather import Weather
from coolbound_shadow.controller_calls import Progress
from coolbound_shadow.log_types import Log
from coolbound_shadow.simulate import STEP_S, add_habits, first_instant, plain_log

WHAT = "simulate on EnergyPlus"
"""How progress calls it."""


def simulate_energyplus_log(
    site: Site,
    operator: Controller,
    weather: Weather,
    load: Load,
    start_day: int,
    days: int,
    seed: int,
    progress: Progress | None = None,
    faults: Sequence[FaultEvent] = (),
    options: Options | None = None,
) -> Log:
    """Return a log of whole local days on EnergyPlus.

    Args:
        site: The plant and its time zone.
        operator: `Legacy` or `G36` with the site's settings.
        weather: A whole year; its own year dates the log.
        load: IT load; it repeats where it is shorter.
        start_day: First day, in days after 1 January. [1]
        days: Length of the log, up to 362. [1]
        seed: Of the instruments and of the log's habits.
        progress: Told after every simulated day.
        faults: None; they are of our plant, and EnergyPlus has no such parts.
        options: Of the EnergyPlus run; by default with noisy instruments.

    Raises:
        EnergyPlusError: EnergyPlus could not run.
        InputError: The extra is not installed, the weather is no whole year, the
            days are impossible, there are faults, or servers became too hot to run.
    """
    if faults:
        raise InputError(
            f"simulate: found {len(faults)} faults for EnergyPlus, expected none; "
            "leave --faults out or simulate on our own plant"
        )
    first_utc, place_s = first_instant(site, weather, start_day, days)
    rows = days * DAY_STEPS
    # The answer to the last reading is the set-point of one step more.
    course = course_of(site.plant.it, weather, load, place_s, rows + 1)
    chosen = Options(instruments=Instruments(1.0)) if options is None else options
    with EnergyPlusPlant(site, chosen) as plant:
        told = _told(closed_loop(operator, plant, course, seed), days, progress)
        seen = [record.observation for record in told]
    if len(seen) <= rows:
        raise InputError(
            f"simulate: found servers too hot to run after {len(seen)} steps, expected "
            f"{rows}; choose another operator, load or weather"
        )
    values = np.stack([np.asarray(each.value) for each in seen[:rows]])
    applied = np.stack([np.asarray(each.applied) for each in seen[1:]])
    quality = np.stack([np.asarray(each.quality, np.int8) for each in seen[:rows]])
    time_utc = first_utc + STEP_S * np.arange(1, rows + 1)
    plain = plain_log(site, time_utc, values, applied)
    return add_habits(dataclasses.replace(plain, quality=quality), seed)


def _told(
    records: Iterator[Record], days: int, progress: Progress | None
) -> Iterator[Record]:
    """Pass records on and tell each day that is done."""
    for count, record in enumerate(records, start=1):
        if progress is not None and count % DAY_STEPS == 0:
            progress(WHAT, count // DAY_STEPS, days)
        yield record
