"""Where the plant comes to rest under constant set-points, weather and load.

No ramps, timers, trips or lags; faults are not looked at. Batch axes come last;
set-points and disturbances have the same number of them and broadcast, so that a
grid of set-points costs no more than its parts.
"""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.steady_condenser import CondenserSide, condenser_side
from coolbound_controllers.steady_load import (
    AirSide,
    SetPoints,
    WaterSide,
    air_side,
    water_side,
)
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.params import PlantParams
from coolbound_envs.state import Disturbance


@struct.dataclass
class SteadyState:
    """The plant at rest. Dynamic."""

    air: AirSide
    water: WaterSide
    condenser: CondenserSide

    @property
    def mechanical_power(self) -> jax.Array:
        """Everything but the servers [W]."""
        return (
            jnp.sum(self.air.fan_power, axis=0)
            + self.water.pump_power
            + self.condenser.chiller_power
            + self.condenser.pump_power
            + self.condenser.tower_power
        )

    @property
    def facility_power(self) -> jax.Array:
        """Everything that is metered [W]."""
        return jnp.sum(self.air.it_power, axis=0) + self.mechanical_power


def steady_state(
    plan: SetPoints,
    disturbance: Disturbance,
    plant: PlantParams,
    limits: LimitValues,
) -> SteadyState:
    """Return the plant at rest, pumps at the least pressure that regulates.

    Args:
        plan: Set-points; fields broadcast against the disturbance's.
        disturbance: Constant weather and load; faults are not looked at.
        plant: Constants of the plant.
        limits: Give the least pressure and the widest valve.
    """
    air = air_side(plan, disturbance, plant)
    water = water_side(plan, air, plant, limits)
    return SteadyState(
        air=air,
        water=water,
        condenser=condenser_side(plan, water, disturbance, plant),
    )
