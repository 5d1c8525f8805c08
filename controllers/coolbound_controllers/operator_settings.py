"""What both rule-based operators know about their site: `[operator]`."""

import dataclasses

import jax
import jax.numpy as jnp

from coolbound_envs.constants import AIR_HEAT, WATER_HEAT
from coolbound_envs.site import Site
from coolbound_envs.spec import HALLS, channel_array
from coolbound_envs.tables import Table
from coolbound_envs.types import Action, action_from_vector


@dataclasses.dataclass(frozen=True)
class OperatorSettings:
    """Set-points and sizes of the rule-based operators. Static.

    Attributes:
        supply_air: `legacy`: supply-air set-point. [degC]
        supply_air_reset: `g36`: supply-air set-point. [degC]
        chw_supply: `legacy`: chilled-water set-point, never reset. [degC]
        chw_pressure: `legacy`: remote pressure, never reset. [kPa]
        tower_water: `legacy`: tower water set-point. [degC]
        fan_speed: `legacy`: CRAH fans, never changed. [1]
        airflow_ratio: `g36`: CRAH air over server air. [1]
        load_rise: `g36`: rise of a hall's IT power in 300 s that it is ready for
            before it has seen any; it learns larger ones. [1]
        chw_supply_min: `g36`: coldest chilled water. [degC]
        chw_supply_max: `g36`: warmest chilled water. [degC]
        lift_min: `g36`: least design lift. [K]
        lift_slope: `g36`: A of the condenser-water reset. [K]
        lift_offset: `g36`: B of the condenser-water reset. [K]
        cw_return_design: `g36`: design condenser return. [degC]
        it_power_design: Of the site. [W]
        chiller_capacity: Of one machine. [W]
        server_flow: Server air at design load below the fan knee. [kg/s]
        flow_base: Share of that air at zero load. [1]
        air_flow: CRAH air at full speed. [kg/s]
    """

    supply_air: float
    supply_air_reset: float
    chw_supply: float
    chw_pressure: float
    tower_water: float
    fan_speed: float
    airflow_ratio: float
    load_rise: float
    chw_supply_min: float
    chw_supply_max: float
    lift_min: float
    lift_slope: float
    lift_offset: float
    cw_return_design: float
    it_power_design: float
    chiller_capacity: float
    server_flow: float
    flow_base: float
    air_flow: float


def parse_operator(site: Site) -> OperatorSettings:
    """Read `[operator]`; what a site leaves out keeps the reference value.

    Raises:
        InputError: A key is unknown, has another unit or is out of range.
    """
    root = site.root
    table = root.table("operator") if root.has("operator") else Table({}, root.where)
    it = site.plant.it
    design = float(it.design_power)
    settings = OperatorSettings(
        supply_air=table.quantity("supply_air", "degC", 16.0, 25.0, 22.0),
        supply_air_reset=table.quantity("supply_air_reset", "degC", 16.0, 25.0, 24.0),
        chw_supply=table.quantity("chw_supply", "degC", 7.0, 18.0, 10.0),
        chw_pressure=table.quantity("chw_pressure", "kPa", 34.5, 120.0, 96.0),
        tower_water=table.quantity("tower_water", "degC", 13.0, 30.0, 24.0),
        fan_speed=table.number("fan_speed", 0.3, 1.0, 0.9),
        airflow_ratio=table.number("airflow_ratio", 1.0, 1.6, 1.1),
        load_rise=table.number("load_rise", 0.0, 0.5, 0.13),
        chw_supply_min=table.quantity("chw_supply_min", "degC", 7.0, 12.0, 8.0),
        chw_supply_max=table.quantity("chw_supply_max", "degC", 12.0, 18.0, 15.6),
        lift_min=table.quantity("lift_min", "delta_degC", 8.0, 15.0, 10.0),
        lift_slope=table.quantity("lift_slope", "delta_degC", 0.0, 40.0, 18.0),
        lift_offset=table.quantity("lift_offset", "delta_degC", -10.0, 20.0, 4.0),
        cw_return_design=table.quantity("cw_return_design", "degC", 28.0, 38.0, 35.0),
        it_power_design=design,
        chiller_capacity=float(site.plant.chiller.capacity),
        server_flow=design / (AIR_HEAT * float(it.air_rise)),
        flow_base=float(it.flow_base),
        air_flow=float(site.plant.crah.air_flow),
    )
    table.finish()
    return settings


def keep_ramps(wanted: jax.Array, applied: jax.Array) -> jax.Array:
    """Return wanted set-points (..., 10), moved no faster than each ramp.

    A tower fan that starts or stops steps between 0 and its lowest speed.
    """
    ramp = jnp.asarray(channel_array("ramp"), wanted.dtype)
    lower = jnp.asarray(channel_array("lower"), wanted.dtype)
    upper = jnp.asarray(channel_array("upper"), wanted.dtype)
    shape = (1,) * (wanted.ndim - 1) + (-1,)
    ramp, lower, upper = (x.reshape(shape) for x in (ramp, lower, upper))
    moved = jnp.clip(wanted, applied - ramp, applied + ramp)
    moved = jnp.clip(moved, lower, upper)
    fan, last = moved[..., 7], applied[..., 7]
    wants_off = wanted[..., 7] < 0.1
    fan = jnp.where(wants_off & (last <= 0.2 + 1e-4), 0.0, jnp.maximum(fan, 0.2))
    return moved.at[..., 7].set(fan)


def as_action(
    supply_air: jax.Array,
    fan_speed: jax.Array,
    rest: tuple[jax.Array, ...],
    applied: jax.Array,
) -> Action:
    """Return the ramped action of some wanted set-points.

    Args:
        supply_air: Wanted, (..., halls). [degC]
        fan_speed: Wanted, (..., halls). [1]
        rest: The six plant channels in their order, each (...).
        applied: Set-points in force, (..., 10). [each channel's unit]
    """
    shape = applied.shape[:-1]
    tail = jnp.stack([jnp.broadcast_to(x, shape) for x in rest], axis=-1)
    halls = (*shape, HALLS)
    wanted = jnp.concatenate(
        [jnp.broadcast_to(supply_air, halls), jnp.broadcast_to(fan_speed, halls), tail],
        axis=-1,
    )
    return action_from_vector(keep_ramps(wanted, applied))


def full(value: float, like: jax.Array) -> jax.Array:
    """Return a constant of the shape and dtype of another array."""
    return jnp.full_like(like, value)


def cooling_load(observation_flow: jax.Array, rise: jax.Array) -> jax.Array:
    """Return the load from chilled-water flow [kg/s] and rise [K], in [W]."""
    return observation_flow * WATER_HEAT * jnp.maximum(rise, 0.0)
