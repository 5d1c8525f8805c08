"""The fitted chillers against the records that they were fitted to."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from coolbound_envs import components
from coolbound_envs.chiller_records import find_record, shipped_records
from coolbound_envs.eir import evaluate
from coolbound_envs.fitted_chillers import FITTED
from coolbound_envs.params import ChillerParams

Array = NDArray[np.floating]

BOUND = 3.0
"""RMS error of COP in the range of the data. [%]"""

LOADS = (0.25, 1.0)
"""Part loads that are judged: what the economizer leaves a machine, and full. [1]"""

LIFTS = (8.0, 30.0)
"""Lifts that are judged: the plant's floor, and its surge line at full load. [K]"""

_POINTS = (9, 11, 16)


@dataclasses.dataclass(frozen=True)
class ChillerComparison:
    """One fitted machine against its record, inside the record's ranges. Static.

    Attributes:
        name: As a site file may give it.
        title: For people.
        leaving: Chilled water of each point, (points,). [degC]
        entering: Condenser water entering, (points,). [degC]
        load: Part load, (points,). [1]
        lift: Leaving condenser minus leaving chilled water, (points,). [K]
        record: COP of the record, (points,). [1]
        ours: COP of the plant's form, (points,). [1]
    """

    name: str
    title: str
    leaving: Array
    entering: Array
    load: Array
    lift: Array
    record: Array
    ours: Array

    @property
    def error(self) -> Array:
        """Relative error of COP; positive flatters the machine [%]."""
        return 100.0 * (self.ours / self.record - 1.0)

    @property
    def rms(self) -> float:
        """Root mean square of the error [%]."""
        return float(np.sqrt(np.mean(self.error**2)))

    @property
    def worst(self) -> float:
        """Largest error, without sign [%]."""
        return float(np.max(np.abs(self.error)))


def compare_chillers(chiller: ChillerParams) -> list[ChillerComparison]:
    """Return every fitted machine against its record.

    Args:
        chiller: Of the site; its floor of lift is the plant's.
    """
    return [compare_chiller(name, chiller) for name in FITTED]


def compare_chiller(name: str, chiller: ChillerParams) -> ChillerComparison:
    """Return one fitted machine against its record, where both answer."""
    fitted = FITTED[name]
    record = find_record(fitted.record, shipped_records())
    least, most = record.load_range
    axes = np.meshgrid(
        np.linspace(*record.leaving_range, _POINTS[0]),
        np.linspace(*record.condenser_range, _POINTS[1]),
        np.linspace(max(LOADS[0], least), min(LOADS[1], most), _POINTS[2]),
    )
    leaving, entering, load = (axis.ravel() for axis in axes)
    found = evaluate(record, leaving, entering, load)
    lift = found.condenser_leaving - leaving
    is_used = (lift >= LIFTS[0]) & (lift <= LIFTS[1])
    leaving, entering, load, lift, cop = (
        x[is_used] for x in (leaving, entering, load, lift, found.cop)
    )
    return ChillerComparison(
        name=name,
        title=fitted.title,
        leaving=leaving,
        entering=entering,
        load=load,
        lift=lift,
        record=cop,
        ours=plant_cop(fitted.efficiency, load, lift, leaving, chiller),
    )


def plant_cop(
    efficiency: tuple[float, ...],
    load: Array,
    lift: Array,
    leaving: Array,
    chiller: ChillerParams,
) -> Array:
    """Return the plant's COP of a machine with other coefficients [1]."""
    machine = dataclasses.replace(
        chiller, efficiency=tuple(jnp.asarray(e, jnp.float32) for e in efficiency)
    )
    part, held, water = (jnp.asarray(x, jnp.float32) for x in (load, lift, leaving))
    return np.asarray(components.chiller_cop(part, held, water, machine), np.float64)
