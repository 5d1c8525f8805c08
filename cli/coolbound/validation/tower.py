"""The tower against YorkCalc, by bands of wet bulb."""

import dataclasses
import json
from importlib import resources

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from coolbound_envs import components
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.params import CondenserParams
from coolbound_envs.psychrometrics import STANDARD_PRESSURE

Array = NDArray[np.floating]

BANDS = ((15.0, 26.0), (10.0, 15.0), (0.0, 10.0), (-10.0, 0.0))
"""Wet bulbs of each band; the first is judged. [degC]"""

BOUND = 0.5
"""Largest difference of approach in the judged band. [K]"""

RANGES = (3.0, 7.0)
"""Cooling ranges compared, as the plant has them. [K]"""

AIR_SHARES = (0.6, 1.0)
WATER_SHARES = (0.75, 1.0)
"""Airflow and water shares compared: YorkCalc holds from 0.75 of the water. [1]"""

_ROUNDS = 30


@dataclasses.dataclass(frozen=True)
class TowerBand:
    """Ours against YorkCalc in one band of wet bulb. Static.

    Attributes:
        low: Coldest wet bulb. [degC]
        high: Warmest wet bulb. [degC]
        wet_bulb: Of each point, (points,). [degC]
        york: Approach by YorkCalc, (points,). [K]
        ours: Approach by the plant, (points,). [K]
    """

    low: float
    high: float
    wet_bulb: Array
    york: Array
    ours: Array

    @property
    def worst(self) -> float:
        """Largest difference, without sign [K]."""
        return float(np.max(np.abs(self.ours - self.york)))

    @property
    def rms(self) -> float:
        """Root mean square of the difference [K]."""
        return float(np.sqrt(np.mean((self.ours - self.york) ** 2)))


def york_coefficients() -> Array:
    """Return YorkCalc's coefficients: water over air, range, wet bulb; (3, 3, 3)."""
    data = resources.files("coolbound_envs") / "data" / "equipment"
    text = (data / "cooling_tower_coefficients.json").read_text(encoding="utf-8")
    return np.asarray(json.loads(text)["york_calc"]["c"]).reshape(3, 3, 3)


def york_approach(bulb: Array, rise: Array, ratio: Array) -> Array:
    """Return YorkCalc's approach [K].

    Sum of c wet_bulb^i range^j (L/G)^k with i fastest; Modelica Buildings Library,
    `yorkCalc.mo`.

    Args:
        bulb: Wet bulb. [degC]
        rise: Entering less leaving water. [K]
        ratio: Water share over airflow share. [1]
    """
    powers = np.arange(3)
    return np.einsum(
        "kji,ni,nj,nk->n",
        york_coefficients(),
        bulb[:, None] ** powers,
        rise[:, None] ** powers,
        ratio[:, None] ** powers,
    )


def plant_approach(
    bulb: Array, rise: Array, air: Array, water: Array, condenser: CondenserParams
) -> Array:
    """Return the approach at which the plant's tower rejects the heat of a range [K].

    The tower's heat is proportional to entering water less wet bulb, so one
    evaluation at 1 K gives the difference that the range needs.
    """
    single = [jnp.asarray(x, jnp.float32) for x in (bulb, rise, air, water)]
    wet_bulb, drop, air_share, water_share = single
    heat = drop * water_share * (condenser.design_flow * WATER_HEAT)
    capacity = jnp.full_like(wet_bulb, 3500.0)
    pressure = jnp.full_like(wet_bulb, STANDARD_PRESSURE)
    for _ in range(_ROUNDS):
        out = wet_bulb + heat / (condenser.air_flow * air_share * capacity)
        found = components.air_capacity_effective(out, wet_bulb, pressure)
        capacity = 0.5 * (capacity + found)
    per_degree = components.tower_heat(
        wet_bulb + 1.0, water_share, air_share, wet_bulb, capacity, condenser
    )
    return np.asarray(heat / per_degree, np.float64) - rise


def compare_towers(condenser: CondenserParams) -> list[TowerBand]:
    """Return ours against YorkCalc in every band."""
    return [_band(low, high, condenser) for low, high in BANDS]


def _band(low: float, high: float, condenser: CondenserParams) -> TowerBand:
    axes = np.meshgrid(
        np.linspace(low, high, 6),
        np.linspace(*RANGES, 5),
        np.linspace(*AIR_SHARES, 5),
        np.linspace(*WATER_SHARES, 3),
    )
    bulb, rise, air, water = (axis.ravel() for axis in axes)
    return TowerBand(
        low=low,
        high=high,
        wet_bulb=bulb,
        york=york_approach(bulb, rise, water / air),
        ours=plant_approach(bulb, rise, air, water, condenser),
    )
