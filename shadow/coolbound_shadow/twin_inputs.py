"""Weather, load and set-points of a log, as tables that drive the model.

The model steps 300 s at a time from the log's first row on. What acted during a
step is told by the readings at its end. Weather is brought to the model's hourly
grid by means over the hour around each node; load is the IT work that explains
the measured power at the measured inlets, or, on a plant that does not meter its
halls, the heat that the chilled water carried. Gaps are bridged for the model's
sake only: energy is compared at the rows that the log has.
"""

import dataclasses
from zoneinfo import ZoneInfo

import jax.numpy as jnp
import numpy as np

from coolbound_envs import components, psychrometrics
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.halls import ZONE_SHARE
from coolbound_envs.scenario import Place, Scenario
from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNEL_NAMES, HALLS, POINT_INDEX, ZONES
from coolbound_shadow.closed_loop import one_place
from coolbound_shadow.local_time import seconds_of_year
from coolbound_shadow.log_types import Log

STEP_S = 300
HOUR_S = 3600
BLOCK_DAYS = 32
"""Tables are padded to whole blocks, so that logs of a month share one compilation.
[d]"""

COVERAGE = 0.9
"""Rows that a quantity must be known in, of all. [1]"""

USUAL_INLET = 22.5
"""Server inlet where none is measured. [degC]"""

WORK_LEAST = 0.02
WORK_MOST = 1.2
"""IT work that the model is driven with, share of design. [1]"""

PSYCHROMETER = 6.62e-4
"""Vapour pressure e = e_s(T_wb) - A p (T - T_wb), A of a ventilated pair. [1/K]"""


class Refusal(Exception):
    """Why a log cannot drive the model, one clause."""


@dataclasses.dataclass(frozen=True)
class TwinInputs:
    """All that drives the model along a log. Static.

    Attributes:
        scenario: Weather and load.
        place: Where it begins.
        clock: Local standard time of that, since the year began. [s]
        steps: Model steps from the first row to the last. [1]
        last_step: Model step that ends at each row but the first, (T - 1,). [1]
        per_row: Model steps in a step of the log. [1]
        actions: Set-points for each model step, None where the log lacks some,
            float32, shape (steps, 10). [each channel's unit]
        notes: What had to be assumed, one sentence each.
    """

    scenario: Scenario
    place: Place
    clock: int
    steps: int
    last_step: np.ndarray
    per_row: int
    actions: np.ndarray | None
    notes: tuple[str, ...]


def twin_inputs(site: Site, log: Log) -> TwinInputs:
    """Return what drives the model along a log.

    Raises:
        Refusal: The log has no weather, no load, or no step that fits.
    """
    if log.step_s % STEP_S:
        raise Refusal(
            f"the log's step of {log.step_s} s is no multiple of the model's {STEP_S} s"
        )
    since = log.time_utc - log.time_utc[0]
    steps = int(since[-1]) // STEP_S
    if steps < 1:
        raise Refusal("the log has a single row")
    readings = log.usable()
    zone = ZoneInfo(site.zone)
    clock = int(seconds_of_year(log.time_utc[:1], zone)[0])
    work, note = _work(site, readings)
    scenario = _scenario(log, readings, site, work, steps, clock)
    actions = _actions(log, steps)
    return TwinInputs(
        scenario=scenario,
        place=one_place(clock, -clock),
        clock=clock,
        steps=steps,
        last_step=since[1:] // STEP_S - 1,
        per_row=log.step_s // STEP_S,
        actions=actions,
        notes=(note,) if note else (),
    )


def _column(readings: np.ndarray, name: str) -> np.ndarray:
    return readings[:, POINT_INDEX[name]]


def _is_covered(values: np.ndarray) -> bool:
    return float(np.mean(np.isfinite(values))) >= COVERAGE


def _need(readings: np.ndarray, name: str) -> np.ndarray:
    values = _column(readings, name)
    if not _is_covered(values):
        share = 100.0 * float(np.mean(np.isfinite(values)))
        raise Refusal(
            f"{name} is known in {share:.0f} % of the rows, "
            f"{100.0 * COVERAGE:.0f} % needed to drive the model"
        )
    return values


def _work(site: Site, readings: np.ndarray) -> tuple[np.ndarray, str]:
    """Return IT work at 20 degC inlet of the whole site, (T,) [W], and a note."""
    halls = [_column(readings, f"it_power_hall{h + 1}") for h in range(HALLS)]
    if any(np.any(np.isfinite(power)) for power in halls):
        parts = [_hall_work(site, readings, h) for h in range(HALLS)]
        return np.sum(parts, axis=0), ""
    flow = _need(readings, "chw_flow")
    rise = _need(readings, "chw_return_temp") - _need(readings, "chw_supply_temp")
    heat = flow * WATER_HEAT * np.maximum(rise, 0.0)
    factor = _power_factor(np.asarray([USUAL_INLET]), site)[0]
    return heat / factor, (
        "IT power is not in the log: the model's load is all the heat that the "
        "chilled water carried."
    )


def _hall_work(site: Site, readings: np.ndarray, hall: int) -> np.ndarray:
    power = _need(readings, f"it_power_hall{hall + 1}") * 1e3
    names = [f"inlet_temp_hall{hall + 1}_zone{z + 1}" for z in range(ZONES)]
    inlets = np.stack([_column(readings, name) for name in names], axis=1)
    inlets = np.where(np.isfinite(inlets), inlets, USUAL_INLET)
    return power / (_power_factor(inlets, site) @ np.asarray(ZONE_SHARE))


def _power_factor(inlet: np.ndarray, site: Site) -> np.ndarray:
    """Return server power at an inlet over that at 20 degC [1]."""
    temp = jnp.asarray(inlet, jnp.float32)
    factor = components.server_power(jnp.ones_like(temp), temp, site.plant.it)
    return np.maximum(np.asarray(factor, dtype=np.float64), 0.1)


def _scenario(
    log: Log,
    readings: np.ndarray,
    site: Site,
    work: np.ndarray,
    steps: int,
    clock: int,
) -> Scenario:
    days = BLOCK_DAYS * -(-(steps * STEP_S + 2 * HOUR_S) // (BLOCK_DAYS * 86400))
    dry = _need(readings, "outdoor_temp")
    wet = _need(readings, "outdoor_wet_bulb")
    # A reading at the end of a step tells of the step.
    seconds = log.time_utc - log.time_utc[0] + clock - log.step_s
    hours = days * 24
    dry_table = _hourly(seconds, dry, clock, hours)
    wet_table = np.minimum(_hourly(seconds, wet, clock, hours), dry_table)
    pressure = np.full(hours, psychrometrics.STANDARD_PRESSURE)
    rows = (dry_table, wet_table, _dew_point(dry_table, wet_table, pressure), pressure)
    tables = [jnp.asarray(row[None], jnp.float32) for row in rows]
    utilisation = _utilisation(site, _per_step(log, work, steps), days * 288)
    return Scenario(
        dry_bulb=tables[0],
        wet_bulb=tables[1],
        dew_point=tables[2],
        pressure=tables[3],
        hours=jnp.asarray([hours], jnp.int32),
        utilisation=jnp.asarray(utilisation[None], jnp.float32),
        steps=jnp.asarray([days * 288], jnp.int32),
    )


def _hourly(
    seconds: np.ndarray, values: np.ndarray, clock: int, hours: int
) -> np.ndarray:
    """Return a cyclic hourly table: a node is the mean of the hour around it."""
    known = np.isfinite(values)
    first = clock // HOUR_S
    node = np.round(seconds[known] / HOUR_S).astype(np.int64) - first
    node = np.clip(node, 0, hours - 1)
    count = np.bincount(node, minlength=hours)
    total = np.bincount(node, values[known], minlength=hours)
    filled = np.flatnonzero(count)
    means = np.interp(np.arange(hours), filled, total[filled] / count[filled])
    return np.roll(means, first % hours)


def _dew_point(dry: np.ndarray, wet: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Return the dew point of dry and wet bulb [degC]."""
    saturated = np.asarray(psychrometrics.saturation_pressure(_single(wet)))
    vapour = saturated - PSYCHROMETER * pressure * (dry - wet)
    most = np.asarray(psychrometrics.saturation_pressure(_single(dry)))
    humidity = np.clip(vapour / most, 0.01, 1.0)
    return np.asarray(psychrometrics.dew_point(_single(dry), _single(humidity)))


def _single(values: np.ndarray) -> jnp.ndarray:
    return jnp.asarray(values, jnp.float32)


def _per_step(log: Log, values: np.ndarray, steps: int) -> np.ndarray:
    """Return a quantity for each model step: that of the next row that knows it."""
    known = np.flatnonzero(np.isfinite(values))
    ends = log.time_utc[0] + STEP_S * np.arange(1, steps + 1)
    place = np.searchsorted(log.time_utc[known], ends)
    return values[known[np.minimum(place, len(known) - 1)]]


def _utilisation(site: Site, work: np.ndarray, length: int) -> np.ndarray:
    it = site.plant.it
    design, idle = float(it.design_power), float(it.idle_share)
    share = np.clip(work / design, WORK_LEAST, WORK_MOST)
    found = (share - idle) / (1.0 - idle)
    return np.pad(found, (0, length - len(found)), mode="edge")


def _actions(log: Log, steps: int) -> np.ndarray | None:
    """Return the set-points in force in each model step, or None."""
    if any(name not in log.observable for name in CHANNEL_NAMES):
        return None
    starts = log.time_utc[0] + STEP_S * np.arange(steps)
    row = np.searchsorted(log.time_utc, starts, side="right") - 1
    stands = log.applied.copy()
    for channel in stands.T:
        known = np.flatnonzero(np.isfinite(channel))
        rows = np.arange(len(channel))
        last = np.maximum(np.searchsorted(known, rows, side="right") - 1, 0)
        channel[:] = channel[known[last]]
    return stands[row].astype(np.float32)
