"""What the envelope knows of the plant at one control step."""

import jax
from flax import struct


@struct.dataclass
class Estimate:
    """The plant as the instruments and their memory show it, one lane. Dynamic.

    A quantity that was never read is NaN, and every limit that needs it is then
    not observable. One that was read and is missing now keeps its last value, and
    its spread grows.

    Attributes:
        it_power: Servers, per hall, shape (halls,). [kW]
        rise_max: Hottest inlet over supply air, per hall, (halls,). [K]
        rise: Middle inlet over supply air, per hall, (halls,). [K]
        rise_min: Coldest inlet over supply air, per hall, (halls,). [K]
        supply_air: Air leaving the CRAHs, (halls,). [degC]
        supply_excess: Supply air above its set-point, lasting, (halls,). [K]
        inlet_max: Hottest inlet of the site. [degC]
        inlet_before: Middle inlet of 10 min ago, (halls,). [degC]
        room_dew_point: Dampest hall. [degC]
        chw_supply: Chilled water. [degC]
        chw_return: Chilled water. [degC]
        chw_excess: Chilled water above its set-point, lasting. [K]
        cw_supply: Tower water. [degC]
        cw_before: Tower water one step earlier. [degC]
        wet_bulb: Outdoor air. [degC]
        chillers: Running and starting machines. [1]
        running: Running machines. [1]
        economizer: 1 while the economizer runs. [1]
        chiller_power: All machines. [kW]
        mechanical_power: All but the servers. [kW]
        heat: What halls, fans and pumps give off; where the halls are not
            metered, what the chilled water carries. [kW]
        carried: What the chilled water carries now, transients included. [kW]
        coil_factor: Heat that the coils move over what the model says, (halls,). [1]
        air_factor: CRAH air over what the model says, at most 1, (halls,). [1]
        basin_offset: Tower water above what the model says. [K]
        rise_factor: Condenser rise over what the model says. [1]
        power_offset: Mechanical power above what the model says. [kW]
        inlet_spread: What missing inlets may hide, (halls,). [K]
        load_spread: What missing power meters may hide, (halls,). [1]
        load_growth: Rise of the load within an interval, as seen of late, (halls,). [1]
        dew_point_spread: What missing dew points may hide. [K]
        tower_spread: What missing tower instruments may hide. [K]
        stale: Age of the oldest of inlets and loads once seen. [s]
        stuck_open: 1 where a valve is stuck too far open, (halls,). [1]
        emergency: 1 where all cooling is asked for. [1]
    """

    it_power: jax.Array
    rise_max: jax.Array
    rise: jax.Array
    rise_min: jax.Array
    supply_air: jax.Array
    supply_excess: jax.Array
    inlet_max: jax.Array
    inlet_before: jax.Array
    room_dew_point: jax.Array
    chw_supply: jax.Array
    chw_return: jax.Array
    chw_excess: jax.Array
    cw_supply: jax.Array
    cw_before: jax.Array
    wet_bulb: jax.Array
    chillers: jax.Array
    running: jax.Array
    economizer: jax.Array
    chiller_power: jax.Array
    mechanical_power: jax.Array
    heat: jax.Array
    carried: jax.Array
    coil_factor: jax.Array
    air_factor: jax.Array
    basin_offset: jax.Array
    rise_factor: jax.Array
    power_offset: jax.Array
    inlet_spread: jax.Array
    load_spread: jax.Array
    load_growth: jax.Array
    dew_point_spread: jax.Array
    tower_spread: jax.Array
    stale: jax.Array
    stuck_open: jax.Array
    emergency: jax.Array
