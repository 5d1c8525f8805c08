"""The condenser side of the plant at rest: one temperature balances its heat.

The dynamic plant's own equations (`plant_room`, `towers`) with every rate set to
zero. At the basin's temperature that is sought the towers take what economizer,
chillers and condenser pumps reject. Batch axes as in `steady_load`.
"""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.steady_load import SetPoints, WaterSide
from coolbound_envs import components
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.drives import pump_speed_floor
from coolbound_envs.params import CondenserParams, PlantParams
from coolbound_envs.psychrometrics import saturated_enthalpy
from coolbound_envs.state import Disturbance
from coolbound_envs.towers import FREE_CONVECTION
from coolbound_envs.types import Scalar

_BASIN_ROUNDS = 17
"""Bisections of the basin's temperature. [1]"""

_AIR_ROUNDS = 5
"""First refinements of the air's capacity; each shrinks the error threefold. [1]"""

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
class _Duty:
    """What does not depend on the basin's temperature. Dynamic.

    Attributes:
        needed: Heat to be taken down to the set-point. [W]
        entering: Chilled water entering the economizer. [degC]
        chw_rate: Heat capacity rate of the plant's chilled water. [W/K]
        through: Heat capacity rate through the evaporators. [W/K]
        kept: Heat that the economizer leaves to the machines. [W]
        capacity: Of the machines running. [W]
        cw_speed: Condenser pumps, the BAS's floor kept. [1]
        pump_power: Condenser pumps. [W]
        in_service: Tower cells in service over all cells. [1]
    """

    needed: jax.Array
    entering: jax.Array
    chw_rate: jax.Array
    through: jax.Array
    kept: jax.Array
    capacity: jax.Array
    cw_speed: jax.Array
    pump_power: jax.Array
    in_service: jax.Array


def _duty(plan: SetPoints, water: WaterSide, plant: PlantParams) -> _Duty:
    chiller, condenser, count = plant.chiller, plant.condenser, plan.chillers
    rate = water.flow * WATER_HEAT
    most = count * (chiller.evaporator_flow_max * chiller.evaporator_flow)
    speed = jnp.maximum(plan.cw_pump_speed, pump_speed_floor(count, plant))
    # All cells are open that get their least share of water.
    cells = jnp.floor(speed * condenser.cells / condenser.cell_flow_min + 1e-3)
    return _Duty(
        needed=water.load,
        entering=plan.chw_supply + water.load / rate,
        chw_rate=rate,
        through=jnp.maximum(jnp.minimum(water.flow, most), 1e-3) * WATER_HEAT,
        kept=count * (chiller.load_min * chiller.capacity),
        capacity=count * chiller.capacity,
        cw_speed=speed,
        pump_power=components.cw_pump_power(speed, condenser),
        in_service=jnp.clip(cells, 1.0, condenser.cells) / condenser.cells,
    )


def condenser_side(
    plan: SetPoints, water: WaterSide, disturbance: Disturbance, plant: PlantParams
) -> CondenserSide:
    """Return the basin temperature at which the towers take what is rejected.

    What they take less what is rejected rises with the basin's temperature, the
    bypass valve included: bisection between the wet bulb and 45 K above it.
    """
    duty = _duty(plan, water, plant)
    whole = plan.cw_pump_speed + plan.tower_fan_speed + water.load
    bulb = disturbance.wet_bulb + jnp.zeros_like(whole)
    power = 0.12 * duty.needed + jnp.zeros_like(bulb)
    air_capacity = jnp.full_like(bulb, 3500.0)
    for _ in range(_AIR_ROUNDS):
        air_capacity = _air_capacity(
            1.15 * duty.needed, air_capacity, duty, plan, disturbance, plant.condenser
        )

    def halve(_: int, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        low, high, power, air_capacity = carry
        middle = 0.5 * (low + high)
        found, air_capacity = _at_basin(
            middle, power, air_capacity, duty, plan, disturbance, plant
        )
        is_cold = found.imbalance > 0.0
        low, high = jnp.where(is_cold, middle, low), jnp.where(is_cold, high, middle)
        return low, high, found.chiller_power, air_capacity

    carry = bulb, bulb + _BASIN_SPAN, power, air_capacity
    low, high, power, air_capacity = jax.lax.fori_loop(0, _BASIN_ROUNDS, halve, carry)
    return _at_basin(
        0.5 * (low + high), power, air_capacity, duty, plan, disturbance, plant
    )[0]


def _at_basin(
    basin: Scalar,
    power: Scalar,
    air_capacity: Scalar,
    duty: _Duty,
    plan: SetPoints,
    disturbance: Disturbance,
    plant: PlantParams,
) -> tuple[CondenserSide, Scalar]:
    """Return the condenser side at a basin temperature, and the towers' c_pe.

    Args:
        basin: Tower water. [degC]
        power: Of the chillers, as last found; refined here. [W]
        air_capacity: Of air along saturation, as last found. [J/(kg K)]
        duty: What is to be cooled, and with what flows.
        plan: Set-points.
        disturbance: Weather and load.
        plant: Constants of the plant.
    """
    condenser, chiller = plant.condenser, plant.chiller
    flow = condenser.design_flow * duty.cw_speed
    rate = flow * WATER_HEAT
    most = plan.economizer * components.economizer_heat(
        duty.entering, basin, duty.chw_rate / WATER_HEAT, flow, condenser
    )
    free = jnp.minimum(most, jnp.maximum(duty.needed - duty.kept, 0.0))
    heat = jnp.minimum(duty.needed - free, duty.capacity)
    part_load = heat / jnp.maximum(duty.capacity, chiller.capacity)
    cold = duty.entering - free / duty.chw_rate - heat / duty.through
    entering = basin + (free + duty.pump_power) / rate
    for _ in range(2):
        lift = entering + (heat + power) / rate - cold
        power = heat / components.chiller_cop(part_load, lift, cold, chiller)
    leaving = entering + (heat + power) / rate
    lift = leaving - cold
    rejected = free + heat + power + duty.pump_power
    bypass = _bypass(basin, lift, plan, condenser)
    air_capacity = _air_capacity(
        rejected, air_capacity, duty, plan, disturbance, condenser
    )
    taken = components.tower_heat(
        leaving,
        duty.cw_speed * (1.0 - bypass),
        plan.tower_fan_speed,
        disturbance.wet_bulb,
        air_capacity,
        condenser,
        duty.in_service,
    )
    return CondenserSide(
        basin_temp=basin,
        entering_temp=entering,
        leaving_temp=leaving,
        lift=lift,
        part_load=part_load,
        shortage=1.0 - (most + duty.capacity) / duty.needed,
        free_heat=free,
        chiller_power=power,
        pump_power=duty.pump_power,
        tower_power=condenser.fan_power * duty.in_service * plan.tower_fan_speed**3,
        flow=flow,
        bypass=bypass,
        imbalance=(rejected - taken) / duty.needed,
    ), air_capacity


def _bypass(
    basin: Scalar, lift: Scalar, plan: SetPoints, condenser: CondenserParams
) -> Scalar:
    """Return the opening that the condenser-water controls come to rest at [1]."""
    is_running = plan.chillers > 0.5
    low = jnp.where(is_running, condenser.low_limit_cooling, condenser.low_limit_free)
    short_lift = jnp.where(is_running, condenser.lift_setpoint + 1.0 - lift, 0.0)
    return jnp.clip(jnp.maximum(low + 1.0 - basin, short_lift), 0.0, 1.0)


def _air_capacity(
    rejected: Scalar,
    last: Scalar,
    duty: _Duty,
    plan: SetPoints,
    disturbance: Disturbance,
    condenser: CondenserParams,
) -> Scalar:
    """Return c_pe of air that takes the heat rejected, halfway from the last one.

    As `towers.step_tower` has it [J/(kg K)].
    """
    bulb, pressure = disturbance.wet_bulb, disturbance.pressure
    air = duty.in_service * jnp.maximum(plan.tower_fan_speed, FREE_CONVECTION)
    rise = jnp.maximum(rejected / (condenser.air_flow * air * last), 0.5)
    warmed = saturated_enthalpy(bulb + rise, pressure)
    return 0.5 * (last + (warmed - saturated_enthalpy(bulb, pressure)) / rise)
