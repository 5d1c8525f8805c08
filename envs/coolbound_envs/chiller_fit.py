"""Refitting a chiller record into the form that the plant uses.

The Carnot fraction is fitted to part loads from a quarter (or the record's least, if
that is more) to the record's highest (at most 1.05). Below a quarter, where a
quadratic in part load cannot follow a machine's no-load power, one more number is
fitted: the power towards no load, over that at a quarter.

Part load is heat over available capacity, Q / (Q_rated CAPFT), as in EIR curves, or,
on the basis `RATED`, heat over rated capacity, as a plant of constant capacity sees
it. `as_used` is always the error in such a plant.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from coolbound_envs import carnot_fraction
from coolbound_envs.carnot_fraction import LIFT_MAX, LOAD_RANGE, Shape
from coolbound_envs.chiller_records import ChillerRecord
from coolbound_envs.chiller_samples import (
    AVAILABLE,
    LIFT_FLOOR,
    LOAD_FLOOR,
    RATED,
    Samples,
    sample,
)
from coolbound_envs.eir import Array
from coolbound_envs.tables import InputError

DIGITS = 6
"""Significant digits of the coefficients. [1]"""

POINTS_MIN = 100
"""Fewer points are no basis for six coefficients. [1]"""

RESPONSE_LOAD = 0.5
"""The record's response to lift is taken from this part load up. [1]"""


@dataclasses.dataclass(frozen=True)
class FitError:
    """Relative error of the fitted COP against the record. Static.

    Attributes:
        points: How many were compared. [1]
        rms: Root mean square. [%]
        worst: Largest, without sign. [%]
        percentile_95: Of the error without sign. [%]
        bias: Mean; positive flatters the machine. [%]
        r2: Share of the Carnot fraction's variance that is explained. [1]
    """

    points: int
    rms: float
    worst: float
    percentile_95: float
    bias: float
    r2: float


@dataclasses.dataclass(frozen=True)
class ChillerFit:
    """One record in the plant's form, and how well. Static.

    Attributes:
        record: What was fitted.
        part_load: `AVAILABLE` or `RATED`.
        efficiency: Coefficients e0 to e5, rounded.
        idle_power: Power towards no load over that at a quarter load. [1]
        idle_data_from: Least part load it was fitted to; None where it was not. [1]
        is_shaped: Whether shape had to be imposed.
        lost: Points where the record gives no power inside its own ranges. [1]
        error: Inside the domain, in the fit's own part load.
        as_used: Inside the domain, where part load is heat over rated capacity.
        low_load: Below the domain's part load; None where the record has none.
        load_range: Part loads of the domain, low and high.
        lift_range: Lifts of the domain, low and high, in K.
        fraction_max: Highest Carnot fraction of the record, below it too. [1]
        capacity_range: Available over rated capacity in the domain, low and high.
        lift_response: Mean fall of ln COP with lift in the record. [1/K]
        shape: Of the surface from a quarter load.
    """

    record: ChillerRecord
    part_load: str
    efficiency: tuple[float, ...]
    idle_power: float
    idle_data_from: float | None
    is_shaped: bool
    lost: int
    error: FitError
    as_used: FitError
    low_load: FitError | None
    load_range: tuple[float, float]
    lift_range: tuple[float, float]
    fraction_max: float
    capacity_range: tuple[float, float]
    lift_response: float
    shape: Shape


def fit_chiller(
    record: ChillerRecord, part_load: str = AVAILABLE, lift_floor: float = LIFT_FLOOR
) -> ChillerFit:
    """Return a record refitted into the plant's form, with its errors.

    Args:
        record: Of a water-cooled machine.
        part_load: `AVAILABLE` or `RATED`.
        lift_floor: The plant holds the lift above this. [K]

    Raises:
        InputError: The machine is air-cooled, or has too few points in the plant's
            range, or no surface of sound shape was found.
    """
    samples = sample(record, LOAD_FLOOR, lift_floor)
    fitted = samples.sound()
    load = fitted.of(part_load)
    fitted = fitted.where((load >= LOAD_RANGE[0]) & (load <= LOAD_RANGE[1]))
    _require_points(record, fitted, lift_floor)
    found = carnot_fraction.fit_shaped(
        fitted.of(part_load), fitted.lift, fitted.fraction, lift_floor
    )
    if found is None:
        raise InputError(
            f"{record.name}: found no surface whose COP falls with lift, expected one; "
            "choose another record"
        )
    efficiency = tuple(float(f"{e:.{DIGITS}g}") for e in found[0])
    described = _described(record, part_load, efficiency, None, samples, lift_floor)
    return dataclasses.replace(described, is_shaped=found[1])


def assess(
    record: ChillerRecord,
    efficiency: Sequence[float],
    part_load: str = AVAILABLE,
    lift_floor: float = LIFT_FLOOR,
    idle_power: float | None = None,
) -> ChillerFit:
    """Return how well given coefficients follow a record.

    Args:
        record: Of a water-cooled machine.
        efficiency: Coefficients e0 to e5.
        part_load: `AVAILABLE` or `RATED`.
        lift_floor: The plant holds the lift above this. [K]
        idle_power: Fitted to the record if not given. [1]

    Raises:
        InputError: The machine is air-cooled, or has too few points.
    """
    samples = sample(record, LOAD_FLOOR, lift_floor)
    _require_points(record, samples.sound(), lift_floor)
    given = tuple(efficiency)
    return _described(record, part_load, given, idle_power, samples, lift_floor)


def _require_points(record: ChillerRecord, domain: Samples, lift_floor: float) -> None:
    if len(domain.load) < POINTS_MIN:
        raise InputError(
            f"{record.name}: found {len(domain.load)} points with a lift of "
            f"{lift_floor:g} to {LIFT_MAX:g} K, expected at least {POINTS_MIN}; choose "
            "another record"
        )


def _described(
    record: ChillerRecord,
    part_load: str,
    efficiency: tuple[float, ...],
    idle_power: float | None,
    samples: Samples,
    lift_floor: float,
) -> ChillerFit:
    lower = sample(record, 0.0, lift_floor, LOAD_FLOOR)
    domain, below = samples.sound(), lower.sound()
    points = domain.joined(below)
    idle, idle_from = idle_power, None
    if idle is None:
        idle, idle_from = _idle_power(efficiency, points, part_load)
    has_low = len(below.load) > 0
    return ChillerFit(
        record=record,
        part_load=part_load,
        efficiency=efficiency,
        idle_power=idle,
        idle_data_from=idle_from,
        is_shaped=False,
        lost=len(samples.load) + len(lower.load) - len(points.load),
        error=_error(efficiency, idle, domain, part_load),
        as_used=_error(efficiency, idle, domain, RATED),
        low_load=_error(efficiency, idle, below, part_load) if has_low else None,
        load_range=_span(domain.load),
        lift_range=_span(domain.lift),
        fraction_max=float(np.max(points.fraction)),
        capacity_range=_span(domain.capacity),
        lift_response=_lift_response(domain),
        shape=carnot_fraction.shape_of(efficiency, lift_floor),
    )


def _idle_power(
    efficiency: Sequence[float], points: Samples, part_load: str
) -> tuple[float, float | None]:
    """Return idle power and the least part load of its data; None where it has none."""
    low = points.where(points.of(part_load) < LOAD_RANGE[0])
    load = low.of(part_load)
    least = float(np.min(load, initial=LOAD_RANGE[0]))
    if least > carnot_fraction.IDLE_DATA_MAX:
        return carnot_fraction.IDLE_POWER, None
    found = carnot_fraction.fit_idle_power(efficiency, load, low.lift, low.fraction)
    return found, least


def _error(
    efficiency: Sequence[float], idle_power: float, samples: Samples, part_load: str
) -> FitError:
    """Return the error where the plant can ask for the part load."""
    asked = samples.where(samples.of(part_load) <= LOAD_RANGE[1])
    load = asked.of(part_load)
    found = carnot_fraction.fraction(efficiency, load, asked.lift, idle_power)
    error = 100.0 * (found / asked.fraction - 1.0)
    spread = np.sum((asked.fraction - np.mean(asked.fraction)) ** 2)
    return FitError(
        points=len(error),
        rms=float(np.sqrt(np.mean(error**2))),
        worst=float(np.max(np.abs(error))),
        percentile_95=float(np.percentile(np.abs(error), 95.0)),
        bias=float(np.mean(error)),
        r2=float(1.0 - np.sum((found - asked.fraction) ** 2) / spread),
    )


def _span(values: Array) -> tuple[float, float]:
    return float(np.min(values)), float(np.max(values))


def _lift_response(domain: Samples) -> float:
    """Return the mean fall of ln COP with lift, at fixed part loads [1/K]."""
    slopes = []
    for load in np.unique(domain.load[domain.load >= RESPONSE_LOAD]):
        at = domain.load == load
        spread = domain.lift[at] - np.mean(domain.lift[at])
        slopes.append(np.sum(spread * np.log(domain.cop[at])) / np.sum(spread**2))
    return -float(np.mean(slopes))
