"""From instruments to the few quantities that the envelope needs."""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.spec import HALLS, ZONES
from coolbound_envs.types import Observation


@struct.dataclass
class Estimate:
    """What the envelope knows of the plant, one lane. Dynamic.

    A quantity without a usable reading is NaN, and every limit that needs it
    is then not observable.

    Attributes:
        it_power: Servers, per hall, shape (halls,). [kW]
        rise_max: Hottest inlet over supply air, per hall, (halls,). [K]
        rise_min: Coldest inlet over supply air, per hall, (halls,). [K]
        inlet_max: Hottest inlet of the site. [degC]
        room_dew_point: Dampest hall. [degC]
        chw_supply: Chilled water. [degC]
        chw_return: Chilled water. [degC]
        chw_excess: Chilled water above its set-point. [K]
        cw_supply: Tower water. [degC]
        wet_bulb: Outdoor air. [degC]
        chillers: Running and starting machines. [1]
        running: Running machines. [1]
        economizer: 1 while the economizer runs. [1]
        chiller_power: All machines. [kW]
        heat: What halls, fans and pumps give off; where the halls are not
            metered, what the chilled water carries. [kW]
    """

    it_power: jax.Array
    rise_max: jax.Array
    rise_min: jax.Array
    inlet_max: jax.Array
    room_dew_point: jax.Array
    chw_supply: jax.Array
    chw_return: jax.Array
    chw_excess: jax.Array
    cw_supply: jax.Array
    wet_bulb: jax.Array
    chillers: jax.Array
    running: jax.Array
    economizer: jax.Array
    chiller_power: jax.Array
    heat: jax.Array


def estimate(observation: Observation) -> Estimate:
    """Return the estimate of one observation, leading batch axes kept.

    Thin: the present readings, without a filter over time.
    """
    read, halls = observation.read, observation.read_halls
    supply_air = halls("supply_air_temp")
    inlets = jnp.stack(
        [
            jnp.stack(
                [read(f"inlet_temp_hall{h + 1}_zone{z + 1}") for z in range(ZONES)],
                axis=-1,
            )
            for h in range(HALLS)
        ],
        axis=-2,
    )
    it_power = halls("it_power")
    fans = jnp.sum(halls("crah_fan_power"), axis=-1)
    chw_supply, chw_return = read("chw_supply_temp"), read("chw_return_temp")
    given_off = jnp.sum(it_power, axis=-1) + fans + read("chw_pump_power")
    carried = read("chw_flow") * (WATER_HEAT / 1e3) * (chw_return - chw_supply)
    return Estimate(
        it_power=it_power,
        rise_max=jnp.max(inlets, axis=-1) - supply_air,
        rise_min=jnp.min(inlets, axis=-1) - supply_air,
        inlet_max=jnp.max(inlets, axis=(-2, -1)),
        room_dew_point=jnp.max(halls("room_dew_point"), axis=-1),
        chw_supply=chw_supply,
        chw_return=chw_return,
        chw_excess=jnp.maximum(chw_supply - observation.applied[..., 4], 0.0),
        cw_supply=read("cw_supply_temp"),
        wet_bulb=read("outdoor_wet_bulb"),
        chillers=read("chillers_running") + read("chillers_starting"),
        running=read("chillers_running"),
        economizer=read("economizer_running"),
        chiller_power=read("chiller_power"),
        heat=jnp.where(jnp.isfinite(given_off), given_off, carried),
    )
