"""What the plant is at one moment, what acts on it, and what flows in it.

Zone fields have leading axes (halls, zones), pipe and machine fields a leading
axis of cells or chillers; whatever follows is a batch.
"""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.faults import PlantFaults
from coolbound_envs.sequencer import SequencerState

PIPE_CELLS = 3
"""Well-mixed cells of each pipe: transport delay by tanks in series. [1]"""


@struct.dataclass
class Disturbance:
    """What acts on the plant for one control interval. Dynamic.

    Attributes:
        it_work: IT power at 20 degC inlet, per hall, leading axis. [W]
        dry_bulb: Outdoor air. [degC]
        wet_bulb: Outdoor air. [degC]
        dew_point: Outdoor air. [degC]
        pressure: Outdoor air. [Pa]
        faults: What is broken.
    """

    it_work: jax.Array
    dry_bulb: jax.Array
    wet_bulb: jax.Array
    dew_point: jax.Array
    pressure: jax.Array
    faults: PlantFaults


@struct.dataclass
class PlantState:
    """True state of the plant. Dynamic; no controller reads it.

    Attributes:
        server_temp: Servers, (halls, zones). [degC]
        hot_aisle_temp: Hot aisles, (halls, zones). [degC]
        structure_temp: Structure, (halls, zones). [degC]
        supply_air_temp: Air leaving the CRAHs, (halls,). [degC]
        return_air_temp: Air entering the CRAHs, (halls,). [degC]
        valve: Coil valves, (halls,). [1]
        valve_command: Output of the supply-air loop, (halls,). [1]
        loop_error: Last error of that loop, (halls,). [K]
        crah_speed: CRAH fans as they turn, (halls,). [1]
        chw_pump_ready: Chilled-water pumps after a loss of power: 1 is ready. [1]
        cw_speed: Condenser pumps as they turn. [1]
        tower_speed: Tower fans as they turn. [1]
        tower_cells: Tower cells in service. [1]
        latent_heat: From vapour that the coils condense. [W]
        pressure_setpoint: That the pumps hold; follows the one asked for. [Pa]
        supply_pipe_temp: Chilled water towards the halls, (cells,). [degC]
        return_pipe_temp: Chilled water from the halls, (cells,). [degC]
        buffer_temp: Buffer tank in the return. [degC]
        basin_temp: Tower basin, water entering the condensers. [degC]
        bypass: Tower bypass valve. [1]
        air_capacity: Air along saturation in the towers, c_pe. [J/(kg K)]
        chiller_power: All chillers. [W]
        lift: Condenser leaving minus evaporator leaving. [K]
        evaporator_flow: Water through each open evaporator. [kg/s]
        room_dew_point: Air of the halls. [degC]
        sequencer: What runs.
    """

    server_temp: jax.Array
    hot_aisle_temp: jax.Array
    structure_temp: jax.Array
    supply_air_temp: jax.Array
    return_air_temp: jax.Array
    valve: jax.Array
    valve_command: jax.Array
    loop_error: jax.Array
    crah_speed: jax.Array
    chw_pump_ready: jax.Array
    cw_speed: jax.Array
    tower_speed: jax.Array
    tower_cells: jax.Array
    latent_heat: jax.Array
    pressure_setpoint: jax.Array
    supply_pipe_temp: jax.Array
    return_pipe_temp: jax.Array
    buffer_temp: jax.Array
    basin_temp: jax.Array
    bypass: jax.Array
    air_capacity: jax.Array
    chiller_power: jax.Array
    lift: jax.Array
    evaporator_flow: jax.Array
    room_dew_point: jax.Array
    sequencer: SequencerState


@struct.dataclass
class Flows:
    """Flows, heats and powers of one integration step. Dynamic.

    Attributes:
        inlet_temp: Server inlets, (halls, zones). [degC]
        it_power: Servers with their fans, (halls,). [W]
        airflow_ratio: CRAH air over server air, (halls,). [1]
        crah_power: CRAH fans, (halls,). [W]
        coil_flow: Water through the coils. [kg/s]
        chw_flow: Water through the plant, bypass included. [kg/s]
        chw_pressure: Remote differential pressure. [Pa]
        chw_pump_power: Chilled-water pumps. [W]
        return_temp: Water entering the economizer. [degC]
        economizer_heat: Heat that the economizer moves. [W]
        chiller_heat: Heat that the evaporators take up. [W]
        chiller_power: All chillers. [W]
        part_load: Load of each running chiller. [1]
        lift: Condenser leaving minus evaporator leaving. [K]
        evaporator_flow: Water through each open evaporator. [kg/s]
        cw_flow: Condenser water. [kg/s]
        cw_entering_temp: Water entering the condensers. [degC]
        cw_leaving_temp: Water leaving the condensers. [degC]
        cw_pump_power: Condenser pumps. [W]
        tower_heat: Heat rejected. [W]
        tower_power: Tower fans. [W]
        evaporation: Water that the towers evaporate. [kg/s]
        latent_heat: From vapour that the coils condense. [W]
    """

    inlet_temp: jax.Array
    it_power: jax.Array
    airflow_ratio: jax.Array
    crah_power: jax.Array
    coil_flow: jax.Array
    chw_flow: jax.Array
    chw_pressure: jax.Array
    chw_pump_power: jax.Array
    return_temp: jax.Array
    economizer_heat: jax.Array
    chiller_heat: jax.Array
    chiller_power: jax.Array
    part_load: jax.Array
    lift: jax.Array
    evaporator_flow: jax.Array
    cw_flow: jax.Array
    cw_entering_temp: jax.Array
    cw_leaving_temp: jax.Array
    cw_pump_power: jax.Array
    tower_heat: jax.Array
    tower_power: jax.Array
    evaporation: jax.Array
    latent_heat: jax.Array

    @property
    def facility_power(self) -> jax.Array:
        """Everything that is metered [W]."""
        return jnp.sum(self.it_power, axis=0) + self.mechanical_power

    @property
    def mechanical_power(self) -> jax.Array:
        """Everything but the servers [W]."""
        return (
            jnp.sum(self.crah_power, axis=0)
            + self.chw_pump_power
            + self.chiller_power
            + self.cw_pump_power
            + self.tower_power
        )
