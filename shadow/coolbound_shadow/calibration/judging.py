"""Meters and temperatures in the held-out weeks: part by part, and in a free run."""

import dataclasses

import numpy as np

from coolbound_envs.spec import HALLS, POINT_INDEX, ZONES
from coolbound_shadow.calibration.bins import Cell, binned
from coolbound_shadow.calibration.free_run import FreeRun
from coolbound_shadow.calibration.metrics import HOURS_LEAST, Metrics, compare, hourly
from coolbound_shadow.calibration.plant_fit import PlantFit
from coolbound_shadow.calibration.pump_parts import chw_heat
from coolbound_shadow.calibration.samples import MissingError, Rows
from coolbound_shadow.calibration.split import Split

COOLING_METERS = (
    "chiller_power",
    "chw_pump_power",
    "cw_pump_power",
    "tower_fan_power",
)
"""Meters of the chilled-water plant; CRAH fans join where they are metered."""

CRAH_METERS = tuple(f"crah_fan_power_hall{h + 1}" for h in range(HALLS))

INLETS = tuple(
    f"inlet_temp_hall{h + 1}_zone{z + 1}" for h in range(HALLS) for z in range(ZONES)
)

TEMPERATURES = {
    "condenser water": ("cw_supply_temp",),
    "chilled water": ("chw_supply_temp",),
    "rack inlets": INLETS,
}
"""What limits of temperature rest on; of several points the hottest counts."""

NEAR = 0.95
"""Share of held-out hours that a temperature's error is given for. [1]"""


@dataclasses.dataclass(frozen=True)
class TempError:
    """How far a temperature of the free run is from the measured one. Static.

    Attributes:
        hours: Hours compared; 0 where it could not be. [1]
        bias: Mean of modelled minus measured. [K]
        within: 95 % of the hours are at most this far off. [K]
        refused: Why there is no figure; empty where there is one.
    """

    hours: int = 0
    bias: float = float("nan")
    within: float = float("nan")
    refused: str = ""


@dataclasses.dataclass(frozen=True)
class Hours:
    """Held-out hours of the cooling power, as drawn and binned. Static.

    Attributes:
        measured: Cooling power, (H,). [kW]
        modelled: Cooling power, (H,). [kW]
        load: Heat of the chilled water over the IT design, (H,), NaN if unknown. [1]
        wet_bulb: Outdoor, (H,), NaN if unknown. [degC]
    """

    measured: np.ndarray
    modelled: np.ndarray
    load: np.ndarray
    wet_bulb: np.ndarray


@dataclasses.dataclass(frozen=True)
class Judgement:
    """All figures of the held-out weeks. Static.

    Attributes:
        meters: What the cooling power is the sum of.
        driven: Cooling power with every part driven by measured inputs.
        free: Cooling power of the free run.
        free_meters: Each meter in the free run.
        temperatures: Each kind of temperature in the free run.
        hours: Of the free run where there is one, else driven.
        cells: The same by load and wet bulb.
    """

    meters: tuple[str, ...]
    driven: Metrics
    free: Metrics
    free_meters: dict[str, Metrics]
    temperatures: dict[str, TempError]
    hours: Hours
    cells: tuple[Cell, ...]


def judge(fit: PlantFit, run: FreeRun, rows: Rows, split: Split) -> Judgement:
    """Return all figures of the held-out weeks.

    Args:
        fit: The fitted parts.
        run: The free run of the fitted plant.
        rows: The log.
        split: Which rows judge.
    """
    driven = _driven(fit, rows, split)
    meters = tuple(
        name for name in (*COOLING_METERS, *CRAH_METERS) if rows.maybe(name) is not None
    )
    free, free_hours = Metrics(), None
    if not run.refused and meters:
        measured, modelled = (
            np.sum([each[name] for name in meters], axis=0)
            for each in (_readings(rows, meters), run.modelled)
        )
        free, free_hours = _compared(measured, modelled, rows, split)
    hours = free_hours or driven[1]
    return Judgement(
        meters=meters,
        driven=driven[0],
        free=free,
        free_meters=_free_meters(meters, run, rows, split),
        temperatures=_temperatures(run, rows, split),
        hours=hours,
        cells=binned(hours.load, hours.wet_bulb, hours.measured, hours.modelled),
    )


def _readings(rows: Rows, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {name: rows.readings[:, POINT_INDEX[name]] for name in names}


def _driven(fit: PlantFit, rows: Rows, split: Split) -> tuple[Metrics, Hours]:
    """Return the sum of all metered powers, each part driven by what was measured."""
    powers = [r for r in fit.results if r.part.is_power and r.sample is not None]
    if not powers:
        nothing = np.zeros(0)
        return Metrics(), Hours(nothing, nothing, nothing, nothing)
    measured = np.sum([r.measured for r in powers], axis=0)
    modelled = np.sum([r.modelled for r in powers], axis=0)
    return _compared(measured, modelled, rows, split)


def _compared(
    measured: np.ndarray, modelled: np.ndarray, rows: Rows, split: Split
) -> tuple[Metrics, Hours]:
    usable = np.isfinite(measured) & np.isfinite(modelled) & split.is_held_out
    load, wet_bulb = _load(rows), rows.maybe("outdoor_wet_bulb")
    unknown = np.full(len(measured), np.nan)
    found = hourly(
        split.hour,
        usable,
        rows.log.step_s,
        measured,
        modelled,
        load,
        unknown if wet_bulb is None else wet_bulb,
    )
    hours = Hours(*found.series)
    return compare(hours.measured, hours.modelled), hours


def _load(rows: Rows) -> np.ndarray:
    try:
        return chw_heat(rows) / float(rows.site.plant.it.design_power)
    except MissingError:
        return np.full(rows.log.rows, np.nan)


def _free_meters(
    meters: tuple[str, ...], run: FreeRun, rows: Rows, split: Split
) -> dict[str, Metrics]:
    if run.refused:
        return {}
    readings = _readings(rows, meters)
    return {
        name: _compared(readings[name], run.modelled[name], rows, split)[0]
        for name in meters
    }


def _temperatures(run: FreeRun, rows: Rows, split: Split) -> dict[str, TempError]:
    return {
        word: _temperature(names, run, rows, split)
        for word, names in TEMPERATURES.items()
    }


def _temperature(
    names: tuple[str, ...], run: FreeRun, rows: Rows, split: Split
) -> TempError:
    if run.refused:
        return TempError(refused=f"the model was not run: {run.refused}")
    there = [name for name in names if rows.maybe(name) is not None]
    if not there:
        return TempError(refused=f"the log has no {names[0]}")
    readings = _readings(rows, tuple(there))
    measured = np.max([readings[name] for name in there], axis=0)
    modelled = np.max([run.modelled[name] for name in there], axis=0)
    usable = np.isfinite(measured) & np.isfinite(modelled) & split.is_held_out
    found = hourly(split.hour, usable, rows.log.step_s, measured, modelled)
    error = found.series[1] - found.series[0]
    if len(error) < HOURS_LEAST:
        return TempError(refused=f"{len(error)} held-out hours, {HOURS_LEAST} needed")
    within = float(np.quantile(np.abs(error), NEAR))
    return TempError(len(error), float(np.mean(error)), within)
