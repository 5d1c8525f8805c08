"""The Carnot fraction of a chiller: its surface, and fitting it in shape.

    eta = e0 + e1 PLR + e2 PLR^2 + e3 lift + e4 lift^2 + e5 PLR lift, 0.2 to 0.85
    COP = eta (T_leaving + 273.15 - 1.5) / (lift + 3)

as `components.chiller_cop` evaluates it from a quarter load up; here in float64, for
fitting. eta is linear in its coefficients, and so are the two properties that a
machine must have wherever the plant may take it, or an optimiser finds the place
where it has not:

    COP falls with lift:    eta (1 - m (lift + 3)) - (lift + 3) d eta/d lift >= 0
    power rises with load:  (1 - s) eta - PLR d eta/d PLR                    >= 0

with m the least fall of COP per kelvin and s the least rise of power per rise of
load, both relative. So the fit is a least-squares problem with linear inequalities.
It is solved as a least-distance problem by non-negative least squares (Lawson and
Hanson, Solving Least Squares Problems, 1974, chapter 23). A place where eta is beyond
its clip is in shape by the clip, so only rows where it is not are imposed: those that
a first fit breaks, then those that the next breaks, until none is broken.

Below a quarter load the plant takes power on a line from the share a of its value at
a quarter, towards no load, to that value. COP then falls with lift as it does at a
quarter, and power rises with load because a is below 1.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from coolbound_envs.components import LOW_LOAD
from coolbound_envs.constants import KELVIN
from coolbound_envs.eir import Array

FRACTION_RANGE = (0.2, 0.85)
"""Clip of the Carnot fraction. [1]"""

PINCH = 1.5
"""Difference between water and refrigerant on each side. [K]"""

LOAD_RANGE = (LOW_LOAD, 1.05)
"""Part load over which the plant evaluates the surface. [1]"""

IDLE_POWER = 0.67
"""Power towards no load over that at a quarter load, where no record tells: the median
of the usable EIR records whose data begin at part load 0.12 or less. [1]"""

IDLE_POWER_MAX = 0.95
"""More would let power rise by less than `POWER_RISE_MIN` at a quarter load. [1]"""

IDLE_DATA_MAX = 0.22
"""Data that begin above this part load do not tell the power towards none. [1]"""

LIFT_MAX = 30.0
"""Highest lift of the surge line, at full load. [K]"""

COP_FALL_MIN = 0.002
"""Least relative fall of COP per kelvin of lift that a fit may have. [1/K]"""

POWER_RISE_MIN = 0.05
"""Least relative rise of power per relative rise of load. [1]"""

ROUNDS = 50
"""Most rounds of adding broken rows; 316 shipped records need 7 at most. [1]"""


@dataclasses.dataclass(frozen=True)
class Shape:
    """Extremes of a clipped surface over the plant's range from a quarter load. Static.

    Attributes:
        cop_slope: Steepest rise of ln COP with lift; negative if it falls. [1/K]
        power_slope: Least rise of ln power with ln load. [1]
        clipped_low: Share of the range where the lower clip holds. [1]
        clipped_high: Share of the range where the upper clip holds. [1]
    """

    cop_slope: float
    power_slope: float
    clipped_low: float
    clipped_high: float

    @property
    def is_sound(self) -> bool:
        """Whether COP falls with lift and power rises with load everywhere."""
        return self.cop_slope < 0.0 and self.power_slope > 0.0


def fraction_of(cop: Array, lift: Array, leaving_temp: Array) -> Array:
    """Return the Carnot fraction of a COP [1]; lift in [K], water in [degC]."""
    return cop * (lift + 2.0 * PINCH) / (leaving_temp + KELVIN - PINCH)


def terms(load: Array, lift: Array) -> Array:
    """Return the six terms of each point, (points, 6); load [1], lift [K]."""
    return np.stack([np.ones_like(load), load, load**2, lift, lift**2, load * lift], -1)


def fraction(
    efficiency: Sequence[float],
    load: Array,
    lift: Array,
    idle_power: float = IDLE_POWER,
) -> Array:
    """Return the Carnot fraction as the plant evaluates it [1].

    The surface within its clip and `LOAD_RANGE`; below that, power falls in a line
    towards the share `idle_power` a of that at a quarter load: with q = 4 load the
    fraction is that of a quarter times q / (a + (1 - a) q), held below q = 0.04.
    """
    held = np.clip(load, *LOAD_RANGE)
    surface = np.clip(terms(held, lift) @ np.asarray(efficiency), *FRACTION_RANGE)
    low = np.clip(load / LOW_LOAD, 0.04, 1.0)
    return surface * low / (idle_power + (1.0 - idle_power) * low)


def fit_idle_power(
    efficiency: Sequence[float], load: Array, lift: Array, wanted: Array
) -> float:
    """Return the idle power that follows a record below a quarter load [1].

    The least RMS of relative error over hundredths, 0 to `IDLE_POWER_MAX`; arguments
    as `fit_shaped`.
    """
    tried = np.linspace(0.0, IDLE_POWER_MAX, round(100 * IDLE_POWER_MAX) + 1)
    errors = [
        np.mean((fraction(efficiency, load, lift, a) / wanted - 1.0) ** 2)
        for a in tried
    ]
    return round(float(tried[int(np.argmin(errors))]), 2)


def fit_shaped(
    load: Array, lift: Array, wanted: Array, lift_floor: float
) -> tuple[Array, bool] | None:
    """Return coefficients and whether shape had to be imposed; None without success.

    Minimises the sum of (eta / eta_wanted - 1)^2: the relative error of COP, and of
    power to first order, so that a point at 20 K of lift weighs as one at 8 K.

    Args:
        load: Part load of each point. [1]
        lift: Of each point. [K]
        wanted: Carnot fraction of each point. [1]
        lift_floor: The plant holds the lift above this. [K]
    """
    matrix = terms(load, lift) / wanted[:, None]
    ones = np.ones_like(wanted)
    found = np.linalg.lstsq(matrix, ones, rcond=None)[0]
    grid = _operating_grid(lift_floor, 39, 45)
    rows = _shape_rows(*grid)
    is_imposed = np.zeros(len(rows), bool)
    for _ in range(ROUNDS):
        is_broken = (rows @ found < -1e-9) & np.tile(_is_free(found, *grid), 2)
        if not is_broken.any():
            return found, bool(is_imposed.any())
        is_imposed |= is_broken
        constrained = least_squares_above(matrix, ones, rows[is_imposed])
        if constrained is None:
            return None
        found = constrained
    return None


def shape_of(efficiency: Sequence[float], lift_floor: float) -> Shape:
    """Return the extremes of a surface, by differences on a grid twice as fine."""
    load = np.linspace(*LOAD_RANGE, 77)
    lift = np.linspace(lift_floor, LIFT_MAX, 89)
    eta = fraction(efficiency, *np.meshgrid(load, lift, indexing="ij"))
    bare = terms(*np.meshgrid(load, lift, indexing="ij")) @ np.asarray(efficiency)
    cop, power = np.log(eta / (lift + 2.0 * PINCH)), np.log(load[:, None] / eta)
    return Shape(
        cop_slope=float(np.max(np.diff(cop, axis=1) / np.diff(lift))),
        power_slope=float(np.min(np.diff(power, axis=0).T / np.diff(np.log(load)))),
        clipped_low=float(np.mean(bare < FRACTION_RANGE[0])),
        clipped_high=float(np.mean(bare > FRACTION_RANGE[1])),
    )


def _operating_grid(lift_floor: float, loads: int, lifts: int) -> tuple[Array, Array]:
    load, lift = np.meshgrid(
        np.linspace(*LOAD_RANGE, loads), np.linspace(lift_floor, LIFT_MAX, lifts)
    )
    return load.ravel(), lift.ravel()


def _is_free(efficiency: Array, load: Array, lift: Array) -> NDArray[np.bool_]:
    """Return where neither clip holds."""
    bare = terms(load, lift) @ efficiency
    return (bare > FRACTION_RANGE[0]) & (bare < FRACTION_RANGE[1])


def _shape_rows(load: Array, lift: Array) -> Array:
    """Return rows whose product with the coefficients must not be negative."""
    surface = terms(load, lift)
    zero, one = np.zeros_like(load), np.ones_like(load)
    by_lift = np.stack([zero, zero, zero, one, 2.0 * lift, load], -1)
    by_load = np.stack([zero, one, 2.0 * load, zero, zero, lift], -1)
    reach = (lift + 2.0 * PINCH)[:, None]
    falls = surface * (1.0 - COP_FALL_MIN * reach) - reach * by_lift
    rises = (1.0 - POWER_RISE_MIN) * surface - load[:, None] * by_load
    return np.concatenate([falls, rises])


def least_squares_above(matrix: Array, target: Array, rows: Array) -> Array | None:
    """Return the least-squares solution with rows @ solution >= 0; None without."""
    orthogonal, triangle = np.linalg.qr(matrix)
    projected = orthogonal.T @ target
    inverse = np.linalg.inv(triangle)
    turned = rows @ inverse
    # Least distance: |z| with turned z >= -turned projected, z = R x - Q^T b.
    dual = np.vstack([turned.T, -(turned @ projected)])
    unit = np.zeros(len(dual))
    unit[-1] = 1.0
    try:
        multipliers, residual = nnls(dual, unit, maxiter=100 * dual.shape[1])
    except RuntimeError:
        return None
    if residual < 1e-9:
        return None
    ray = dual @ multipliers - unit
    return inverse @ (projected - ray[:-1] / ray[-1])
