"""Constants of one plant. Dynamic: a leaf of shape (B,) is a fleet of plants."""

from flax import struct

from coolbound_envs.types import Scalar


@struct.dataclass
class ItParams:
    """IT load, servers and hall air. Dynamic.

    Sources: plant-and-constraints 1.1 and 1.2 (Coroama 2025, Khankari 2011).

    Attributes:
        design_power: IT power of the site at full load, 20 degC inlet. [W]
        idle_share: Power at zero utilisation, share of design. [1]
        leakage: Rise of server power per degree of inlet above 20 degC. [1/K]
        fan_share: Server fans, share of server power at normal airflow. [1]
        fan_knee_temp: Inlet at which server fans begin to speed up. [degC]
        fan_slope: Rise of server airflow per degree above the knee. [1/K]
        air_rise: Air temperature rise through servers at full load. [K]
        flow_base: Server airflow at zero load, share of that at full load. [1]
        recirculation: Leakage of hot air into the cold aisle. [1]
        server_capacity: Heat capacity of servers per watt of design. [J/(K W)]
        air_capacity: Heat capacity of hall air per watt of design. [J/(K W)]
        structure_capacity: Heat capacity of structure per watt. [J/(K W)]
        structure_conductance: Hot aisle to structure, per watt. [1/K]
    """

    design_power: Scalar
    idle_share: Scalar
    leakage: Scalar
    fan_share: Scalar
    fan_knee_temp: Scalar
    fan_slope: Scalar
    air_rise: Scalar
    flow_base: Scalar
    recirculation: Scalar
    server_capacity: Scalar
    air_capacity: Scalar
    structure_capacity: Scalar
    structure_conductance: Scalar


@struct.dataclass
class CrahParams:
    """CRAH fans and coils of all halls together. Dynamic.

    Attributes:
        air_flow: Air at full fan speed. [kg/s]
        fan_power: Fan power at full speed. [W]
        fan_exponent: Fan power over speed. [1]
        conductance: Coil at design air and water flow. [W/K]
        water_flow: Water through open valves at `open_pressure`. [kg/s]
        open_pressure: Differential pressure of the open coil branch. [Pa]
        valve_time: Lag of valve and coil. [s]
        loop_gain: Proportional gain of the supply-air loop. [1/K]
        loop_time: Integral time of the supply-air loop. [s]
    """

    air_flow: Scalar
    fan_power: Scalar
    fan_exponent: Scalar
    conductance: Scalar
    water_flow: Scalar
    open_pressure: Scalar
    valve_time: Scalar
    loop_gain: Scalar
    loop_time: Scalar


@struct.dataclass
class ChwParams:
    """Chilled-water loop. Dynamic.

    Attributes:
        design_flow: Flow at design. [kg/s]
        pipe_pressure: Loss of pipes, evaporators, exchanger at design flow. [Pa]
        shutoff_pressure: Pump head at zero flow, full speed. [Pa]
        pump_drop: Fall of pump head from zero to design flow. [Pa]
        pump_efficiency: Pump and drive together. [1]
        pipe_mass: Water in the pipes, each way. [kg]
        buffer_mass: Water in the buffer tank. [kg]
    """

    design_flow: Scalar
    pipe_pressure: Scalar
    shutoff_pressure: Scalar
    pump_drop: Scalar
    pump_efficiency: Scalar
    pipe_mass: Scalar
    buffer_mass: Scalar


@struct.dataclass
class ChillerParams:
    """One of the equal chillers. Dynamic.

    Attributes:
        capacity: Cooling capacity. [W]
        efficiency: Coefficients e0 to e5 of the Carnot fraction, tuple of six.
        idle_power: Towards no load, share of the power at a quarter load. [1]
        lift_floor: Head-pressure control keeps the lift above this. [K]
        evaporator_flow: Design chilled-water flow. [kg/s]
        evaporator_flow_min: Lowest flow, share of design. [1]
        evaporator_flow_max: Highest flow, share of design. [1]
        condenser_flow: Design condenser-water flow. [kg/s]
        condenser_flow_min: The BAS keeps this share of it. [1]
        ramp: Growth of available capacity after a start. [1/s]
        start_time: From start command to first cooling. [s]
        load_min: The economizer leaves this share of load to a machine. [1]
        flow_trip: Below this share of design flow, either side, it trips. [1]
        freeze_trip: Below this evaporator leaving water it trips. [degC]
        condensing_trip: Above this condenser leaving water it trips. [degC]
    """

    capacity: Scalar
    efficiency: tuple[Scalar, ...]
    idle_power: Scalar
    lift_floor: Scalar
    evaporator_flow: Scalar
    evaporator_flow_min: Scalar
    evaporator_flow_max: Scalar
    condenser_flow: Scalar
    condenser_flow_min: Scalar
    ramp: Scalar
    start_time: Scalar
    load_min: Scalar
    flow_trip: Scalar
    freeze_trip: Scalar
    condensing_trip: Scalar


@struct.dataclass
class CondenserParams:
    """Condenser loop, towers and economizer. Dynamic.

    Attributes:
        design_flow: Flow at full pump speed. [kg/s]
        static_pressure: Head that does not depend on flow. [Pa]
        friction_pressure: Loss by friction at design flow. [Pa]
        pump_drop: Fall of pump head from zero to design flow. [Pa]
        pump_efficiency: Pump and drive together. [1]
        basin_mass: Water in basin and pipes. [kg]
        air_flow: Tower air at full fan speed. [kg/s]
        fan_power: Tower fans at full speed. [W]
        conductance: Merkel UA at design. [W/K]
        design_wet_bulb: Wet bulb of the tower's design. [degC]
        cells: Tower cells. [1]
        cell_flow_min: A cell is shut off below this share of its water. [1]
        drift: Water carried out as drops, share of circulation. [1]
        concentration: Cycles of concentration that blowdown holds. [1]
        economizer_effectiveness: Plate exchanger. [1]
        low_limit_cooling: Basin low limit while a chiller runs. [degC]
        low_limit_free: Basin low limit without a chiller. [degC]
        lift_setpoint: Below this the tower bypass opens. [K]
    """

    design_flow: Scalar
    static_pressure: Scalar
    friction_pressure: Scalar
    pump_drop: Scalar
    pump_efficiency: Scalar
    basin_mass: Scalar
    air_flow: Scalar
    fan_power: Scalar
    conductance: Scalar
    design_wet_bulb: Scalar
    cells: Scalar
    cell_flow_min: Scalar
    drift: Scalar
    concentration: Scalar
    economizer_effectiveness: Scalar
    low_limit_cooling: Scalar
    low_limit_free: Scalar
    lift_setpoint: Scalar


@struct.dataclass
class SequencerParams:
    """Timers of the plant's own sequencer. Dynamic.

    Attributes:
        on_min: Shortest run of a machine. [s]
        off_min: Shortest rest of a machine. [s]
        stage_hold: Shortest time between two stage changes. [s]
        economizer_hold: Shortest time between two economizer changes. [s]
        mode_gap: Shortest time between any two changes. [s]
        start_window: No more than two starts of the plant in this time. [s]
        valve_stroke: Full travel of an isolation valve. [s]
        trip_reset: A tripped machine is locked out this long. [s]
        drive_travel: Full travel of the drive of a fan or pump. [s]
    """

    on_min: Scalar
    off_min: Scalar
    stage_hold: Scalar
    economizer_hold: Scalar
    mode_gap: Scalar
    start_window: Scalar
    valve_stroke: Scalar
    trip_reset: Scalar
    drive_travel: Scalar


@struct.dataclass
class RoomParams:
    """Humidity of the halls. Dynamic.

    Attributes:
        dew_point_max: Make-up air is dried to this dew point. [degC]
        dew_point_min: Make-up air is humidified to this dew point. [degC]
        exchange_time: Time constant of the air change. [s]
    """

    dew_point_max: Scalar
    dew_point_min: Scalar
    exchange_time: Scalar


@struct.dataclass
class PlantParams:
    """Constants of the whole plant. Dynamic."""

    it: ItParams
    crah: CrahParams
    chw: ChwParams
    chiller: ChillerParams
    condenser: CondenserParams
    sequencer: SequencerParams
    room: RoomParams
