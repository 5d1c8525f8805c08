"""A log as an operator's building automation system would have written it.

The plant runs in closed loop under a rule-based operator. A row holds what the
instruments said at its time, and the set-points that the operator gave on
seeing it. `add_habits` then does to the log what real ones suffer, and no more:

* temperatures among the set-points are written to 0.5 K and speeds to 5 %,
  though the plant was given the exact ones: a replay of the log is off by at
  most half of that, without a bias;
* in one row of a hundred the set-points are those of the row before: they were
  written one step late, the plant had them in time;
* one reading of a thousand is missing, and two rows of a thousand are.

The clock of the weather file, local standard time, is taken as the standard
time of the site's zone.
"""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs import sensors
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams
from coolbound_envs.fault_kinds import FaultEvent
from coolbound_envs.fault_schedule import fixed_plan
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.load import Load
from coolbound_envs.scenario import Scenario, disturbance_at, make_scenario
from coolbound_envs.settling import initial_action
from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS, POINT_NAMES
from coolbound_envs.tables import InputError
from coolbound_envs.types import Controller, Quality, action_to_vector
from coolbound_envs.weather import YEAR_HOURS, Weather
from coolbound_shadow.clock import offsets_of_utc
from coolbound_shadow.closed_loop import one_place, roll_out, start_plant
from coolbound_shadow.controller_calls import Progress, plain_view
from coolbound_shadow.local_time import DAY_S, midnight, standard_offset
from coolbound_shadow.log_types import Log
from coolbound_shadow.points import check_zone

STEP_S = int(CONTROL_INTERVAL)
LATE_SHARE = 0.01
LOST_CELLS = 0.001
LOST_ROWS = 0.002
WRITTEN_TO = {"degC": 0.5, "1": 0.05}
"""Steps in which set-points are written; others are written as they are."""


def task_params(site: Site, scenario: Scenario) -> TaskParams:
    """Return the task of a site: noisy instruments, none that drops out.

    Raises:
        InputError: A limit in the site file is wrong.
    """
    return TaskParams(
        plant=site.plant,
        limits=parse_limits(site.root, site.feeder_power),
        sensors=sensors.SensorParams(
            noise=jnp.asarray(1.0, jnp.float32), dropout=jnp.asarray(0.0, jnp.float32)
        ),
        scenario=scenario,
        horizon=jnp.asarray(2**30, jnp.int32),
    )


def simulate_log(
    site: Site,
    operator: Controller,
    weather: Weather,
    load: Load,
    start_day: int,
    days: int,
    seed: int,
    progress: Progress | None = None,
    faults: Sequence[FaultEvent] = (),
) -> Log:
    """Return a log of whole local days.

    Args:
        site: The plant and its time zone.
        operator: `Legacy` or `G36` with the site's settings.
        weather: A whole year; its own year dates the log.
        load: IT load; it repeats where it is shorter.
        start_day: First day, in days after 1 January. [1]
        days: Length of the log. [1]
        seed: Of the instruments and of the log's habits.
        progress: Told after every simulated day.
        faults: What breaks, counted from the log's first instant.

    Raises:
        InputError: The weather is no whole year, the days are impossible, or a
            fault strikes what does not exist.
    """
    first_utc, place_s = first_instant(site, weather, start_day, days)
    params = task_params(site, make_scenario([weather], [load]))
    if faults:
        params = dataclasses.replace(params, faults=fixed_plan(faults))
    place = one_place(place_s, 0)
    applied = action_to_vector(
        initial_action(disturbance_at(place, params.scenario, params.plant.it), (1,))
    )
    start = start_plant(jax.random.key(seed), place, applied, params)
    rows = days * DAY_S // STEP_S
    # The answer to the last reading is the set-point of one step more.
    found = roll_out(
        CoolingTask(),
        operator,
        params,
        start,
        rows + 1,
        seed,
        plain_view(),
        progress,
    )
    time_utc = first_utc + STEP_S * np.arange(1, rows + 1)
    plain = plain_log(site, time_utc, found.values[:rows], found.applied[1 : rows + 1])
    return add_habits(plain, seed)


def first_instant(
    site: Site, weather: Weather, start_day: int, days: int
) -> tuple[int, int]:
    """Return the first midnight: UTC epoch [s], and place in the year [s]."""
    if weather.hours not in YEAR_HOURS:
        raise InputError(
            f"weather {weather.name}: found {weather.hours} hours, expected a whole "
            "year; give a complete file"
        )
    if not (0 <= start_day < 366 and 1 <= days <= 366):
        raise InputError(
            f"simulate: found start day {start_day} and {days} days, expected 0 to "
            "365 and 1 to 366; correct --start or --days"
        )
    zone = check_zone(site.zone, str(site.path))
    year = datetime.fromisoformat(weather.start).year
    first_utc = midnight(year, start_day, zone)
    year_start = int(np.datetime64(f"{year}-01-01", "s").astype(np.int64))
    place_s = first_utc + standard_offset(first_utc, zone) - year_start
    return first_utc, place_s % (weather.hours * 3600)


def plain_log(
    site: Site, time_utc: np.ndarray, values: np.ndarray, applied: np.ndarray
) -> Log:
    """Return a log without habits: every reading arrived, every word was kept.

    Args:
        site: Gives the time zone.
        time_utc: Epoch of each row, (rows,). [s]
        values: Readings, (rows, P). [each point's unit]
        applied: Set-points, (rows, 10). [each channel's unit]
    """
    rows = len(time_utc)
    return Log(
        time_utc=time_utc,
        offset=offsets_of_utc(time_utc, ZoneInfo(site.zone)),
        step_s=STEP_S,
        values=np.round(values.astype(np.float64), 4),
        quality=np.full(values.shape, Quality.GOOD, dtype=np.int8),
        applied=np.round(applied.astype(np.float64), 4),
        observable=(*POINT_NAMES, *CHANNEL_NAMES),
        rows_read=rows,
        rejected={},
        flagged={},
        sources=(),
        zone=site.zone,
    )


def add_habits(log: Log, seed: int) -> Log:
    """Return the log with rounded and late set-points and with losses.

    Args:
        log: As the plant was, complete.
        seed: Of what is late and what is lost.
    """
    rng = np.random.default_rng(seed)
    applied = _as_written(log.applied)
    late = rng.random(log.rows) < LATE_SHARE
    late[0] = False
    before = np.concatenate([applied[:1], applied[:-1]])
    applied = np.where(late[:, None], before, applied)
    lost = rng.random(log.values.shape) < LOST_CELLS
    kept = rng.random(log.rows) >= LOST_ROWS
    kept[[0, -1]] = True
    quality = np.where(lost, np.int8(Quality.MISSING), log.quality)
    return dataclasses.replace(
        log,
        time_utc=log.time_utc[kept],
        offset=log.offset[kept],
        values=np.where(lost, np.nan, log.values)[kept],
        quality=quality[kept],
        applied=applied[kept],
        rows_read=int(np.sum(kept)),
    )


def _as_written(applied: np.ndarray) -> np.ndarray:
    """Return set-points in the steps in which they are written."""
    written = applied.copy()
    for i, channel in enumerate(CHANNELS):
        if channel.unit in WRITTEN_TO and not channel.is_request:
            step = WRITTEN_TO[channel.unit]
            written[:, i] = np.round(step * np.round(applied[:, i] / step), 4)
    return written
