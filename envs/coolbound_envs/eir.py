"""The EIR forms of EnergyPlus, as an oracle inside a record's own ranges only.

With x the leaving chilled water and y the condenser water, entering (EIR form) or
leaving (reformulated form), both in degC:

    CAPFT = a1 + a2 x + a3 x^2 + a4 y + a5 y^2 + a6 x y
    Q_available = Q_rated CAPFT
    P = Q_available / COP_rated EIRFT EIRFPLR CR
    y_leaving = y_entering + (Q + motor_share P) / (m c_w)

EIRFT has the form of CAPFT. EIRFPLR is a quadratic in part load, or, reformulated,
a cubic in y and part load together. CR = PLR / PLR_min below the least part load,
where the machine cycles. Source: EnergyPlus Engineering Reference, electric chiller
models based on condenser entering and leaving temperature; Modelica Buildings
Library, `Buildings.Fluid.Chillers.ElectricEIR` and `ElectricReformulatedEIR`.

Outside their ranges the polynomials go wrong without a sign of it: over 6.7 to 18
degC leaving and 14 to 32 degC condenser water 28 of the 159 EIR records give an
energy factor below 0.05, a capacity factor below 0.1, or negative ones. So every
input is clamped to the record's range first, and the result says where. Some
reformulated records are negative inside their own ranges; there the result is NaN.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coolbound_envs.chiller_records import EIR, ChillerRecord
from coolbound_envs.constants import WATER_HEAT

Array = NDArray[np.floating]

ENERGY_FACTOR_MIN = 0.05
"""EIRFT at or below this is no machine's. [1]"""

CAPACITY_FACTOR_MIN = 0.1
"""CAPFT at or below this is no machine's. [1]"""


@dataclasses.dataclass(frozen=True)
class Performance:
    """What a record says of one or many points. Static.

    Attributes:
        capacity: Heat that the machine can take up. [W]
        heat: Heat that it takes up at the part load. [W]
        power: Compressor power. [W]
        condenser_entering: Entering condenser water. [degC]
        condenser_leaving: Leaving condenser water. [degC]
        is_clamped: True where an input was outside the record's ranges.
    """

    capacity: Array
    heat: Array
    power: Array
    condenser_entering: Array
    condenser_leaving: Array
    is_clamped: NDArray[np.bool_]

    @property
    def cop(self) -> Array:
        """Coefficient of performance, heat over power; NaN without load [1]."""
        with np.errstate(invalid="ignore"):
            return self.heat / self.power


def evaluate(
    record: ChillerRecord,
    leaving_temp: ArrayLike,
    condenser_temp: ArrayLike,
    part_load: ArrayLike,
) -> Performance:
    """Return capacity, heat and power of a record, inputs clamped to its ranges.

    Args:
        record: The machine; inputs broadcast against each other.
        leaving_temp: Leaving chilled water. [degC]
        condenser_temp: Condenser water, entering or leaving as the form has it.
            [degC]
        part_load: Heat over available capacity. Below the record's least the
            machine cycles. [1]
    """
    given = np.broadcast_arrays(
        *(np.asarray(a, np.float64) for a in (leaving_temp, condenser_temp, part_load))
    )
    lowest, highest = record.load_range
    x = np.clip(given[0], *record.leaving_range)
    y = np.clip(given[1], *record.condenser_range)
    load = np.clip(given[2], 0.0, highest)
    inside = (x == given[0]) & (y == given[1]) & (load == given[2])
    factors = _factors(record, x, y, np.clip(load, record.load_unloaded, highest))
    capacity = record.capacity * factors[0]
    heat = capacity * load
    cycling = np.minimum(load / lowest, 1.0)
    power = capacity / record.cop * factors[1] * factors[2] * cycling
    rise = (heat + record.motor_share * power) / (record.condenser_flow * WATER_HEAT)
    entering, leaving = (y, y + rise) if record.form == EIR else (y - rise, y)
    return Performance(capacity, heat, power, entering, leaving, ~inside)


def rating_factors(record: ChillerRecord) -> tuple[float, float]:
    """Return CAPFT and EIRFT at the record's own rating; both should be 1."""
    x, y = np.asarray(record.leaving_rated), np.asarray(record.condenser_rated)
    return (
        float(_biquadratic(record.capacity_curve, x, y)),
        float(_biquadratic(record.energy_curve, x, y)),
    )


def _factors(
    record: ChillerRecord, x: Array, y: Array, load: Array
) -> tuple[Array, Array, Array]:
    """Return CAPFT, EIRFT and EIRFPLR; NaN where they are no machine's."""
    capacity = _biquadratic(record.capacity_curve, x, y)
    energy = _biquadratic(record.energy_curve, x, y)
    if record.form == EIR:
        c1, c2, c3 = record.load_curve
        part = c1 + c2 * load + c3 * load**2
    else:
        part = _bicubic(record.load_curve, y, load)
    is_sound = (
        (capacity > CAPACITY_FACTOR_MIN) & (energy > ENERGY_FACTOR_MIN) & (part > 0.0)
    )
    nan = np.where(is_sound, 1.0, np.nan)
    return capacity * nan, energy * nan, part * nan


def _biquadratic(curve: Sequence[float], x: Array, y: Array) -> Array:
    a1, a2, a3, a4, a5, a6 = curve
    return a1 + a2 * x + a3 * x**2 + a4 * y + a5 * y**2 + a6 * x * y


def _bicubic(curve: Sequence[float], u: Array, v: Array) -> Array:
    a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 = curve
    square = a1 + a2 * u + a3 * u**2 + a4 * v + a5 * v**2 + a6 * u * v
    return square + a7 * u**3 + a8 * v**3 + a9 * u**2 * v + a10 * u * v**2
