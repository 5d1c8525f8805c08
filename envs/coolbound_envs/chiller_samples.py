"""A chiller record on a grid of points inside its own ranges, and nowhere else.

9 leaving and 11 condenser temperatures, 16 part loads; of these the points with a lift
from the plant's floor to 30 K are kept.

Of a reformulated record only points are kept whose entering water lies between its
range of leaving water less the rise at full load: the record's box of leaving water
and part load holds, at low load, entering water far hotter than any that was rated.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from coolbound_envs import carnot_fraction
from coolbound_envs.carnot_fraction import LIFT_MAX, LOAD_RANGE
from coolbound_envs.chiller_records import EIR, ChillerRecord
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.eir import Array, Performance, evaluate
from coolbound_envs.tables import InputError

AVAILABLE = "available"
"""Part load is heat over what the machine could do at these temperatures."""

RATED = "rated"
"""Part load is heat over rated capacity."""

GRID = (9, 11, 16)
"""Leaving temperatures, condenser temperatures, part loads. [1]"""

LOAD_FLOOR = LOAD_RANGE[0]
"""Least part load of a fitted surface: what the plant's economizer leaves a machine,
and where the fits of the plant reference begin. [1]"""

LIFT_FLOOR = 8.0
"""Least lift where no site says another. [K]"""


@dataclasses.dataclass(frozen=True)
class Samples:
    """Points of a record inside its ranges and the plant's lifts. Static.

    Attributes:
        load: Heat over available capacity. [1]
        load_rated: Heat over rated capacity. [1]
        lift: Leaving condenser minus leaving chilled water. [K]
        cop: Coefficient of performance. [1]
        fraction: Carnot fraction, not clipped. [1]
        capacity: Available over rated capacity. [1]
    """

    load: Array
    load_rated: Array
    lift: Array
    cop: Array
    fraction: Array
    capacity: Array

    def where(self, keep: NDArray[np.bool_]) -> "Samples":
        """Return the points that are marked."""
        fields = dataclasses.fields(self)
        return Samples(**{f.name: getattr(self, f.name)[keep] for f in fields})

    def sound(self) -> "Samples":
        """Return the points where the record gives a power."""
        return self.where(np.isfinite(self.cop))

    def joined(self, other: "Samples") -> "Samples":
        """Return these points and those of another."""
        fields = dataclasses.fields(self)
        pairs = {
            f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields
        }
        return Samples(**{name: np.concatenate(pair) for name, pair in pairs.items()})

    def of(self, part_load: str) -> Array:
        """Return the part load on one of the two bases [1]."""
        return self.load if part_load == AVAILABLE else self.load_rated


def sample(
    record: ChillerRecord,
    load_floor: float = LOAD_FLOOR,
    lift_floor: float = LIFT_FLOOR,
    load_top: float = LOAD_RANGE[1],
) -> Samples:
    """Return the record on a regular grid inside its ranges and the plant's lifts.

    Where the record gives no power, COP and Carnot fraction are NaN.

    Args:
        record: Of a water-cooled machine.
        load_floor: Least part load, if the record's is not more. [1]
        lift_floor: Least lift. [K]
        load_top: Highest part load, if the record's is not less. [1]

    Raises:
        InputError: The machine is air-cooled.
    """
    if not record.is_water_cooled:
        raise InputError(
            f"{record.name}: found an air-cooled machine, expected a water-cooled one: "
            "the model needs leaving condenser water; choose another record"
        )
    least, most = record.load_range
    low, high = max(load_floor, least), min(load_top, most)
    axes = (
        np.linspace(*record.leaving_range, GRID[0]),
        np.linspace(*record.condenser_range, GRID[1]),
        np.linspace(low, high, GRID[2]) if low < high else np.empty(0),
    )
    leaving, condenser, load = (a.ravel() for a in np.meshgrid(*axes))
    found = evaluate(record, leaving, condenser, load)
    lift = found.condenser_leaving - leaving
    samples = Samples(
        load=load,
        load_rated=found.heat / record.capacity,
        lift=lift,
        cop=found.cop,
        fraction=carnot_fraction.fraction_of(found.cop, lift, leaving),
        capacity=found.capacity / record.capacity,
    )
    is_outside = (lift < lift_floor) | (lift > LIFT_MAX)
    return samples.where(~is_outside & _has_rated_water(record, found))


def _has_rated_water(record: ChillerRecord, found: Performance) -> NDArray[np.bool_]:
    """Return where the entering water is within what the data were made from."""
    entering = found.condenser_entering
    if record.form == EIR:
        return np.ones_like(entering, bool)
    heat = record.capacity * (1.0 + record.motor_share / record.cop)
    rise = heat / (record.condenser_flow * WATER_HEAT)
    low, high = record.condenser_range
    # Neither is true of NaN: a point without power must not go unseen.
    return ~((entering < low - rise) | (entering > high - rise))
