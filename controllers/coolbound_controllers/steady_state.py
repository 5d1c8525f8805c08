"""Where the plant comes to rest under constant set-points, weather and load.

The load side (`steady_load`) gives the heat; here one temperature, that of the
tower basin, balances the heat that is rejected with the heat that the towers
take. No ramps, timers, trips or lags. Batch axes come last; set-points and
disturbances have the same number of them and broadcast, so that a grid of
set-points costs no more than its parts.
"""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.steady_load import (
    AirSide,
    SetPoints,
    WaterSide,
    air_side,
    water_side,
)
from coolbound_envs import components
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.drives import pump_speed_floor
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.params import CondenserParams, PlantParams
from coolbound_envs.psychrometrics import saturated_enthalpy
from coolbound_envs.state import Disturbance
from coolbound_envs.towers import FREE_CONVECTION
from coolbound_envs.types import Scalar

_BASIN_ROUNDS = 17
"""Bisections of the basin's temperature. [1]"""

_BASIN_SPAN = 45.0
"""Bracket above the wet bulb; nothing that is allowed lies beyond it. [K]"""


@struct.dataclass
class CondenserSide:
    """Chillers, economizer, condenser loop and towers at rest. Dynamic.

    Attributes:
        basin_temp: Tower water entering economizer and condensers. [degC]
        entering_temp: Water entering the condensers. [degC]
        leaving_temp: Water leaving the condensers. [degC]
        lift: Condenser leaving minus evaporator leaving. [K]
        part_load: Load of each running chiller. [1]
        shortage: Load less all that could be taken, over the load. [1]
        free_heat: Heat that the economizer moves. [W]
        chiller_power: All chillers. [W]
        pump_power: Condenser pumps. [W]
        tower_power: Tower fans. [W]
        flow: Condenser water. [kg/s]
        bypass: Tower bypass valve. [1]
        imbalance: Heat rejected less heat taken, over the load. [1]
    """

    basin_temp: jax.Array
    entering_temp: jax.Array
    leaving_temp: jax.Array
    lift: jax.Array
    part_load: jax.Array
    shortage: jax.Array
    free_heat: jax.Array
    chiller_power: jax.Array
    pump_power: jax.Array
    tower_power: jax.Array
    flow: jax.Array
    bypass: jax.Array
    imbalance: jax.Array


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


@struct.dataclass
class _Evaporators:
    """What the condenser side needs to know of the chilled water. Dynamic.

    Attributes:
        needed: Heat to be taken down to the set-point. [W]
        entering: Chilled water entering the economizer. [degC]
        rate: Heat capacity rate of the plant's chilled water. [W/K]
        through: Heat capacity rate through the evaporators. [W/K]
        kept: Heat that the economizer leaves to the machines. [W]
    """

    needed: jax.Array
    entering: jax.Array
    rate: jax.Array
    through: jax.Array
    kept: jax.Array


def _evaporators(plan: SetPoints, water: WaterSide, plant: PlantParams) -> _Evaporators:
    chiller, count = plant.chiller, plan.chillers
    rate = water.flow * WATER_HEAT
    most = count * (chiller.evaporator_flow_max * chiller.evaporator_flow)
    return _Evaporators(
        needed=water.load,
        entering=plan.chw_supply + water.load / rate,
        rate=rate,
        through=jnp.maximum(jnp.minimum(water.flow, most), 1e-3) * WATER_HEAT,
        kept=count * (chiller.load_min * chiller.capacity),
    )


def condenser_side(
    plan: SetPoints, water: WaterSide, disturbance: Disturbance, plant: PlantParams
) -> CondenserSide:
    """Return the basin temperature at which the towers take what is rejected.

    What they take less what is rejected rises with the basin's temperature, the
    bypass valve included: bisection between the wet bulb and 45 K above it.
    """
    evaporators = _evaporators(plan, water, plant)
    whole = plan.cw_pump_speed + plan.tower_fan_speed + water.load
    zero = jnp.zeros_like(whole + disturbance.wet_bulb)
    power = zero + 0.12 * water.load
    air_capacity = zero + 3500.0
    for _ in range(5):
        air_capacity = _towers(
            zero,
            zero + 1.0,
            zero,
            1.15 * water.load,
            air_capacity,
            plan,
            disturbance,
            plant.condenser,
        )[2]

    def halve(_: int, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        low, high, power, air_capacity = carry
        middle = 0.5 * (low + high)
        found, air_capacity = _at_basin(
            middle, power, air_capacity, evaporators, plan, disturbance, plant
        )
        is_cold = found.imbalance > 0.0
        low, high = jnp.where(is_cold, middle, low), jnp.where(is_cold, high, middle)
        return low, high, found.chiller_power, air_capacity

    ends = zero + disturbance.wet_bulb, zero + disturbance.wet_bulb + _BASIN_SPAN
    carry = (*ends, power, air_capacity)
    low, high, power, air_capacity = jax.lax.fori_loop(0, _BASIN_ROUNDS, halve, carry)
    return _at_basin(
        0.5 * (low + high), power, air_capacity, evaporators, plan, disturbance, plant
    )[0]


def _at_basin(
    basin: Scalar,
    power: Scalar,
    air_capacity: Scalar,
    evaporators: _Evaporators,
    plan: SetPoints,
    disturbance: Disturbance,
    plant: PlantParams,
) -> tuple[CondenserSide, Scalar]:
    """Return the condenser side at a basin temperature, and the towers' c_pe.

    Args:
        basin: Tower water. [degC]
        power: Of the chillers, as last found; refined here. [W]
        air_capacity: Of air along saturation, as last found. [J/(kg K)]
        evaporators: What is to be cooled.
        plan: Set-points.
        disturbance: Weather and load.
        plant: Constants of the plant.
    """
    condenser, chiller = plant.condenser, plant.chiller
    speed = jnp.maximum(plan.cw_pump_speed, pump_speed_floor(plan.chillers, plant))
    rate = condenser.design_flow * speed * WATER_HEAT
    pump_power = components.cw_pump_power(speed, condenser)
    most = _free_heat(basin, rate, evaporators, plan, condenser)
    free = jnp.minimum(most, jnp.maximum(evaporators.needed - evaporators.kept, 0.0))
    capacity = plan.chillers * chiller.capacity
    heat = jnp.minimum(evaporators.needed - free, capacity)
    part_load = heat / jnp.maximum(capacity, chiller.capacity)
    cooled = evaporators.entering - free / evaporators.rate
    cold = cooled - heat / evaporators.through
    entering = basin + (free + pump_power) / rate
    for _ in range(2):
        lift = entering + (heat + power) / rate - cold
        power = heat / components.chiller_cop(part_load, lift, cold, chiller)
    leaving = entering + (heat + power) / rate
    lift = leaving - cold
    rejected = free + heat + power + pump_power
    bypass = _bypass(basin, lift, plan, condenser)
    taken, tower_power, air_capacity = _towers(
        leaving, speed, bypass, rejected, air_capacity, plan, disturbance, condenser
    )
    return CondenserSide(
        basin_temp=basin,
        entering_temp=entering,
        leaving_temp=leaving,
        lift=lift,
        part_load=part_load,
        shortage=1.0 - (most + capacity) / evaporators.needed,
        free_heat=free,
        chiller_power=power,
        pump_power=pump_power,
        tower_power=tower_power,
        flow=condenser.design_flow * speed,
        bypass=bypass,
        imbalance=(rejected - taken) / evaporators.needed,
    ), air_capacity


def _free_heat(
    basin: Scalar,
    rate: Scalar,
    evaporators: _Evaporators,
    plan: SetPoints,
    condenser: CondenserParams,
) -> Scalar:
    """Return the most heat that the economizer could move [W]."""
    return plan.economizer * components.economizer_heat(
        evaporators.entering,
        basin,
        evaporators.rate / WATER_HEAT,
        rate / WATER_HEAT,
        condenser,
    )


def _bypass(
    basin: Scalar, lift: Scalar, plan: SetPoints, condenser: CondenserParams
) -> Scalar:
    """Return the opening that the condenser-water controls come to rest at [1]."""
    is_running = plan.chillers > 0.5
    low = jnp.where(is_running, condenser.low_limit_cooling, condenser.low_limit_free)
    short_lift = jnp.where(is_running, condenser.lift_setpoint + 1.0 - lift, 0.0)
    return jnp.clip(jnp.maximum(low + 1.0 - basin, short_lift), 0.0, 1.0)


def _towers(
    entering: Scalar,
    share: Scalar,
    bypass: Scalar,
    rejected: Scalar,
    air_capacity: Scalar,
    plan: SetPoints,
    disturbance: Disturbance,
    condenser: CondenserParams,
) -> tuple[Scalar, Scalar, Scalar]:
    """Return heat taken [W], fan power [W] and c_pe [J/(kg K)] of the towers.

    All cells are in service that get their least share of water.
    """
    most = jnp.floor(share * condenser.cells / condenser.cell_flow_min + 1e-3)
    in_service = jnp.clip(most, 1.0, condenser.cells) / condenser.cells
    fan, bulb = plan.tower_fan_speed, disturbance.wet_bulb
    air = condenser.air_flow * in_service * jnp.maximum(fan, FREE_CONVECTION)
    rise = jnp.maximum(rejected / (air * air_capacity), 0.5)
    gained = saturated_enthalpy(bulb + rise, disturbance.pressure) - saturated_enthalpy(
        bulb, disturbance.pressure
    )
    air_capacity = 0.5 * (air_capacity + gained / rise)
    taken = components.tower_heat(
        entering,
        share * (1.0 - bypass),
        fan,
        bulb,
        air_capacity,
        condenser,
        in_service,
    )
    return taken, condenser.fan_power * in_service * fan**3, air_capacity
