"""The load side of the plant at rest: halls, CRAHs, coils, chilled-water pumps.

The dynamic plant's own equations (`halls`, `coils`, `plant_room`) with every
rate set to zero. Batch axes come last; set-points and disturbances have the
same number of them and broadcast.
"""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs import components
from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.halls import ZONE_LEAK, lead, server_flow, zone_work
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.params import ChwParams, PlantParams
from coolbound_envs.spec import CHANNELS, HALLS
from coolbound_envs.state import Disturbance
from coolbound_envs.types import Scalar

_HALL_ROUNDS = 6
"""Each shrinks the error of the hot aisles about twentyfold. [1]"""

_COIL_ROUNDS = 18
"""Bisections of the coils' water. [1]"""

_SHARE_MOST = 1.6
"""Upper end of that bracket, share of the open coils' design flow. [1]"""

_VALVE_MARGIN = 0.01
"""The pumps' pressure is set this far inside the widest valve allowed. [1]"""


@struct.dataclass
class SetPoints:
    """What is decided, for both halls alike. Dynamic.

    Attributes:
        supply_air: Air leaving the CRAHs. [degC]
        airflow_ratio: CRAH air over server air, as far as fans can give it. [1]
        chw_supply: Chilled water leaving the plant. [degC]
        cw_pump_speed: Condenser pumps; the BAS keeps its floor under it. [1]
        tower_fan_speed: Of the cells in service. [1]
        chillers: Machines running. [1]
        economizer: 1 where the economizer is open. [1]
        pressure: Remote pressure that is held at least; 0 leaves the least. [Pa]
    """

    supply_air: jax.Array
    airflow_ratio: jax.Array
    chw_supply: jax.Array
    cw_pump_speed: jax.Array
    tower_fan_speed: jax.Array
    chillers: jax.Array
    economizer: jax.Array
    pressure: jax.Array


@struct.dataclass
class AirSide:
    """Halls and CRAHs at rest. Dynamic.

    Attributes:
        inlet_temp: Server inlets, (halls, zones). [degC]
        it_power: Servers with their fans, (halls,). [W]
        fan_speed: CRAH fans, (halls,). [1]
        ratio: CRAH air over server air, (halls,). [1]
        fan_power: CRAH fans, (halls,). [W]
        return_temp: Air entering the CRAHs, (halls,). [degC]
    """

    inlet_temp: jax.Array
    it_power: jax.Array
    fan_speed: jax.Array
    ratio: jax.Array
    fan_power: jax.Array
    return_temp: jax.Array


@struct.dataclass
class WaterSide:
    """Coils and chilled-water loop at rest. Dynamic.

    Attributes:
        pressure: Remote, at least what lets the widest valve regulate. [Pa]
        valve: Widest coil valve at that pressure. [1]
        shortfall: Pressure missing for the widest valve allowed. [Pa]
        flow: Water through the plant, bypass included. [kg/s]
        pump_power: Chilled-water pumps. [W]
        load: Heat that economizer and chillers have to take. [W]
    """

    pressure: jax.Array
    valve: jax.Array
    shortfall: jax.Array
    flow: jax.Array
    pump_power: jax.Array
    load: jax.Array


def air_side(plan: SetPoints, disturbance: Disturbance, plant: PlantParams) -> AirSide:
    """Return halls at rest: T_hot = T_in + P / (m c), as `halls.hall_response`."""
    it, crah = plant.it, plant.crah
    work = zone_work(disturbance.it_work)
    supply = plan.supply_air[None, None]
    leak = lead(ZONE_LEAK, work, 1) * it.recirculation

    def servers(hot: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        flow = server_flow(work, supply + it.recirculation * (hot - supply), it)
        inlet = supply + leak * (hot - supply)
        return flow, inlet, components.server_power(work, inlet, it)

    def warm(_: int, hot: jax.Array) -> jax.Array:
        flow, inlet, power = servers(hot)
        return inlet + power / (flow * AIR_HEAT)

    first = supply + it.air_rise + jnp.zeros_like(work)
    flow, inlet, power = servers(jax.lax.fori_loop(0, _HALL_ROUNDS, warm, first))
    drawn, heat = jnp.sum(flow, axis=1), jnp.sum(power, axis=1)
    whole, channel = crah.air_flow / HALLS, CHANNELS[2]
    wanted = plan.airflow_ratio[None] * drawn / whole
    speed = jnp.clip(wanted, channel.lower, channel.upper)
    air = speed * whole
    return AirSide(
        inlet_temp=inlet,
        it_power=heat,
        fan_speed=speed,
        ratio=air / drawn,
        fan_power=crah.fan_power / HALLS * speed**crah.fan_exponent,
        return_temp=plan.supply_air[None] + heat / (air * AIR_HEAT),
    )


def water_side(
    plan: SetPoints, air: AirSide, plant: PlantParams, limits: LimitValues
) -> WaterSide:
    """Return coils that take what halls and fans give off, and their pumps."""
    crah, chw, chiller = plant.crah, plant.chw, plant.chiller
    share = _water_share(plan.chw_supply[None], air, plant)
    widest = jnp.max(share, axis=0)
    allowed = limits.valve_max - _VALVE_MARGIN
    least = crah.open_pressure * (widest / allowed**2) ** 2
    channel = CHANNELS[5]
    lowest = jnp.maximum(limits.pressure_min, channel.lower) * 1e3
    coil_flow = jnp.mean(share, axis=0) * crah.water_flow
    wanted = jnp.clip(jnp.maximum(least, plan.pressure), lowest, channel.upper * 1e3)
    pressure = jnp.minimum(wanted, _most_pressure(coil_flow, chw))
    bypassed = plan.chillers * chiller.evaporator_flow_min * chiller.evaporator_flow
    flow = jnp.maximum(coil_flow, bypassed)
    power = components.chw_pump_power(flow, pressure, chw)
    given_off = jnp.sum(air.it_power + air.fan_power, axis=0)
    return WaterSide(
        pressure=pressure,
        valve=jnp.sqrt(widest / jnp.sqrt(pressure / crah.open_pressure)),
        shortfall=crah.open_pressure * (widest / limits.valve_max**2) ** 2 - pressure,
        flow=flow,
        pump_power=power,
        load=given_off + power,
    )


def _most_pressure(flow: Scalar, chw: ChwParams) -> Scalar:
    """Return what is left of the pump curve at full speed and a coil flow [Pa].

    H0 - (pipes + fall of head)(m/m_d)^2: the curve of `components.remote_pressure`,
    for a flow instead of an opening.
    """
    fall = chw.pipe_pressure + chw.pump_drop
    left = chw.shutoff_pressure - fall * (flow / chw.design_flow) ** 2
    return jnp.maximum(left, 1.0)


def _water_share(supplied: Scalar, air: AirSide, plant: PlantParams) -> jax.Array:
    """Return the coils' water flow over design, (halls,), by bisection [1].

    Below and above, the ends of the bracket stand for what no flow achieves.
    """
    crah = plant.crah
    wanted = air.it_power + air.fan_power

    def heat(share: jax.Array) -> jax.Array:
        return components.coil_heat(
            air.return_temp,
            supplied,
            air.fan_speed,
            share,
            HALLS,
            crah,
            crah.water_flow,
        )

    def halve(_: int, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        is_short = heat(middle) < wanted
        return jnp.where(is_short, middle, low), jnp.where(is_short, high, middle)

    zero = jnp.zeros_like(wanted + supplied)
    ends = (zero + 0.01, zero + _SHARE_MOST)
    low, high = jax.lax.fori_loop(0, _COIL_ROUNDS, halve, ends)
    return 0.5 * (low + high)
