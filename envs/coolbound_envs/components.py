"""Steady component equations: pure functions, any shape, elementwise.

Sources in brackets are those of the plant reference: [LBL] Modelica Buildings
Library, [EPL] EnergyPlus Engineering Reference.
"""

import jax
import jax.numpy as jnp

from coolbound_envs.constants import AIR_HEAT, KELVIN, WATER_DENSITY, WATER_HEAT
from coolbound_envs.params import (
    ChillerParams,
    ChwParams,
    CondenserParams,
    CrahParams,
    ItParams,
)
from coolbound_envs.psychrometrics import saturated_enthalpy
from coolbound_envs.types import Scalar

LOW_LOAD = 0.25
"""The Carnot fraction's fit answers down to this part load. [1]"""


def counterflow_effectiveness(
    conductance: Scalar, capacity_small: Scalar, capacity_large: Scalar
) -> Scalar:
    """Return the effectiveness of a counterflow exchanger [1].

    eps = (1 - e) / (1 - Z e), e = exp(-NTU (1 - Z)), Z = C_min/C_max, and
    NTU / (1 + NTU) in the limit Z -> 1. Kays and London, Compact Heat
    Exchangers. Capacity rates in [W/K].
    """
    ratio = jnp.minimum(capacity_small / capacity_large, 0.999)
    units = conductance / capacity_small
    decay = jnp.exp(-units * (1.0 - ratio))
    return (1.0 - decay) / (1.0 - ratio * decay)


def server_airflow_factor(inlet_temp: Scalar, it: ItParams) -> Scalar:
    """Return server airflow over that below the knee of the fan curve [1]."""
    return 1.0 + it.fan_slope * jnp.maximum(inlet_temp - it.fan_knee_temp, 0.0)


def server_power(work: Scalar, inlet_temp: Scalar, it: ItParams) -> Scalar:
    """Return server power, fans and leakage included [W].

    P = P_work ((1 - s)(1 + k (T - 20)) + s g^3): work is the power at 20 degC
    with the share s in fans. Calibrated to 0.35 to 0.5 %/K over 23 to 30 degC
    (Coroama 2025). Servers throttle from 40 degC and are off at 50.
    """
    left = jnp.clip((50.0 - inlet_temp) / 10.0, 0.0, 1.0)
    leakage = 1.0 + it.leakage * (inlet_temp - 20.0)
    fans = it.fan_share * server_airflow_factor(inlet_temp, it) ** 3
    return work * left * ((1.0 - it.fan_share) * leakage + fans)


def coil_conductance(air_share: Scalar, water_share: Scalar) -> Scalar:
    """Return the coil's conductance at part flow, per design conductance [1].

    1/UA = (0.5 (V/V_d)^-0.7 + 0.5 (m/m_d)^-0.8) / UA_d, plant reference 1.3.
    """
    air = jnp.exp(-0.7 * jnp.log(jnp.maximum(air_share, 0.05)))
    water = jnp.exp(-0.8 * jnp.log(jnp.maximum(water_share, 0.02)))
    return 2.0 / (air + water)


def coil_heat(
    return_temp: Scalar,
    water_temp: Scalar,
    air_share: Scalar,
    water_share: Scalar,
    halls: int,
    crah: CrahParams,
    design_water_flow: Scalar,
) -> Scalar:
    """Return the heat that one hall's coils move from air to water [W].

    Q = eps C_min (T_return - T_water), counterflow. Shares are flows over the
    hall's design flows.
    """
    air = jnp.maximum(air_share, 0.01) * crah.air_flow * (AIR_HEAT / halls)
    water = jnp.maximum(water_share, 1e-3) * design_water_flow * (WATER_HEAT / halls)
    conductance = coil_conductance(air_share, water_share) * crah.conductance
    small, large = jnp.minimum(air, water), jnp.maximum(air, water)
    effectiveness = counterflow_effectiveness(conductance / halls, small, large)
    return effectiveness * small * (return_temp - water_temp)


def remote_pressure(
    setpoint: Scalar,
    opening: Scalar,
    crah: CrahParams,
    chw: ChwParams,
    in_service: Scalar | float = 1.0,
    ready: Scalar | float = 1.0,
) -> Scalar:
    """Return the remote differential pressure that the pumps reach [Pa].

    The set-point, or what is left of the pump curve at the highest speed:
    dp (1 + (k + a/s^2) g) = n^2 H0 with m^2 = g dp through valves of that
    opening, a share s of equal parallel pumps in service and n the speed that
    they can reach (affinity laws).

    Args:
        setpoint: Asked for. [Pa]
        opening: Flow through the coils' valves over that when all are open. [1]
        crah: Coils and their valves.
        chw: The loop and its pumps.
        in_service: Share of the pumps in service. [1]
        ready: Highest speed they can reach, as after a loss of power. [1]
    """
    flow_square = (opening * crah.water_flow) ** 2 / crah.open_pressure
    share = jnp.maximum(in_service, 1e-3)
    fall = chw.pipe_pressure + chw.pump_drop / share**2
    resistance = fall / chw.design_flow**2
    limit = chw.shutoff_pressure * ready**2 / (1.0 + resistance * flow_square)
    return jnp.minimum(setpoint, limit)


def chw_pump_power(flow: Scalar, pressure: Scalar, chw: ChwParams) -> Scalar:
    """Return chilled-water pump power [W]: flow times head over efficiency."""
    head = pressure + chw.pipe_pressure * (flow / chw.design_flow) ** 2
    return flow / WATER_DENSITY * head / chw.pump_efficiency


def cw_pump_power(speed: Scalar, condenser: CondenserParams) -> Scalar:
    """Return condenser pump power at a share of full speed [W]."""
    head = condenser.static_pressure + condenser.friction_pressure * speed**2
    flow = condenser.design_flow * speed
    return flow / WATER_DENSITY * head / condenser.pump_efficiency


def cw_speed_limit(in_service: Scalar, condenser: CondenserParams) -> Scalar:
    """Return the flow, over design, that the condenser pumps left can give [1].

    At full speed H0 - a (m/s)^2 = static + friction m^2, with H0 such that all
    pumps give the design flow and s the share in service.
    """
    share = jnp.maximum(in_service, 1e-3)
    whole = condenser.friction_pressure + condenser.pump_drop
    left = condenser.friction_pressure + condenser.pump_drop / share**2
    return jnp.sqrt(whole / left)


def chiller_cop(
    part_load: Scalar, lift: Scalar, leaving_temp: Scalar, chiller: ChillerParams
) -> Scalar:
    """Return the coefficient of performance by the Carnot fraction [1].

    eta = e0 + e1 PLR + e2 PLR^2 + e3 lift + e4 lift^2 + e5 PLR lift, within
    0.2 to 0.85; COP = eta (T_leaving + 273.15 - 1.5) / (lift + 3). Fitted to
    [LBL] records; below the floor the head-pressure control holds the lift.
    Below a quarter of its load, where the form flatters, power falls in a line
    towards a share a of that at a quarter: COP = COP(1/4) q / (a + (1 - a) q),
    q = 4 PLR, held below q = 0.04 (docs/chillers.md has the errors).
    """
    e0, e1, e2, e3, e4, e5 = chiller.efficiency
    load = jnp.clip(part_load, LOW_LOAD, 1.05)
    low = jnp.clip(part_load / LOW_LOAD, 0.04, 1.0)
    idle = chiller.idle_power
    derated = low / (idle + (1.0 - idle) * low)
    held = jnp.maximum(lift, chiller.lift_floor)
    fraction = e0 + load * (e1 + e2 * load + e5 * held) + held * (e3 + e4 * held)
    fraction = jnp.clip(fraction, 0.2, 0.85)
    return derated * fraction * (leaving_temp + KELVIN - 1.5) / (held + 3.0)


def air_capacity_effective(
    wet_bulb_out: Scalar, wet_bulb: Scalar, pressure: Scalar
) -> Scalar:
    """Return c_pe, the heat capacity of air along saturation [J/(kg K)].

    c_pe = (h_sat(T_out) - h_sat(T_wb)) / (T_out - T_wb), [LBL] Merkel.
    """
    rise = jnp.maximum(wet_bulb_out - wet_bulb, 0.5)
    enthalpy_in = saturated_enthalpy(wet_bulb, pressure)
    return (saturated_enthalpy(wet_bulb + rise, pressure) - enthalpy_in) / rise


def tower_heat(
    water_temp: Scalar,
    water_share: Scalar,
    fan_speed: Scalar,
    wet_bulb: Scalar,
    air_capacity: Scalar,
    condenser: CondenserParams,
    in_service: Scalar | float = 1.0,
) -> Scalar:
    """Return the heat that the towers reject [W].

    Merkel with Scheier's corrections [LBL]: UA = UA0 f_wb f_air f_wat c_pe/c_a,
    Q = eps C_min (T_water,in - T_wb), for the cells in service, which share the
    water equally. With the fans off free convection moves 12.5 % of the air
    [EPL]; below 0.2 the correction falls in proportion.

    Args:
        water_temp: Entering. [degC]
        water_share: Water over the design flow of all cells. [1]
        fan_speed: Of the cells in service. [1]
        wet_bulb: Outdoor air. [degC]
        air_capacity: Air along saturation, c_pe. [J/(kg K)]
        condenser: The towers.
        in_service: Cells in service over all cells. [1]
    """
    air_share = jnp.maximum(fan_speed, 0.125)
    air_in_range = jnp.maximum(air_share, 0.2)
    water_in_range = jnp.clip(water_share / in_service, 0.3, 1.0)
    factor_bulb = 1.0 + 0.0081 * (condenser.design_wet_bulb - wet_bulb)
    factor_air = (1.3 - 0.3 * air_in_range) * air_share
    factor_water = 0.1082 + water_in_range * (1.667 - 0.7713 * water_in_range)
    factor = factor_bulb * factor_air * factor_water
    conductance = condenser.conductance * factor * (air_capacity / AIR_HEAT)
    conductance = conductance * in_service
    air = condenser.air_flow * in_service * air_share * air_capacity
    water = condenser.design_flow * jnp.maximum(water_share, 0.01) * WATER_HEAT
    small, large = jnp.minimum(air, water), jnp.maximum(air, water)
    effectiveness = counterflow_effectiveness(conductance, small, large)
    return effectiveness * small * jnp.maximum(water_temp - wet_bulb, 0.0)


def economizer_heat(
    chw_temp: Scalar,
    cw_temp: Scalar,
    chw_flow: Scalar,
    cw_flow: Scalar,
    condenser: CondenserParams,
) -> Scalar:
    """Return the most heat that the plate exchanger can move [W]."""
    small = jnp.minimum(chw_flow, cw_flow) * WATER_HEAT
    drive = jnp.maximum(chw_temp - cw_temp, 0.0)
    return condenser.economizer_effectiveness * small * drive


def ramp_towards(value: jax.Array, target: jax.Array, step: Scalar) -> jax.Array:
    """Return the value moved towards its target by at most `step`."""
    return value + jnp.clip(target - value, -step, step)
