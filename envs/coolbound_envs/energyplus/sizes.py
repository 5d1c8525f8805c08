"""Sizes of one site as plain numbers, for the model and for the engine's process.

Imports nothing heavy: the engine's process reads them from a file.
"""

import dataclasses

WATER_DENSITY = 998.2
"""EnergyPlus takes volume flows; at 20 degC. [kg/m3]"""

WATER_HEAT = 4186.0
"""[J/(kg K)]"""

AIR_DENSITY = 1.204
"""Of EnergyPlus' standard air at sea level, 20 degC. [kg/m3]"""


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What the model is built from. Static.

    Attributes:
        halls: Halls. [1]
        zones: Zones in each hall. [1]
        hall_share: Share of the IT power in each hall, tuple.
        zone_share: Share of a hall in each zone, tuple.
        zone_leak: Recirculation of each zone over the hall's, tuple.
        it_power: IT power of the site at full load and 20 degC inlet. [W]
        air_rise: Air temperature rise through servers at full load. [K]
        recirculation: Hot air that leaks into the cold aisle. [1]
        server_capacity: Heat capacity of servers per watt. [J/(K W)]
        air_capacity: Heat capacity of hall air per watt. [J/(K W)]
        structure_capacity: Heat capacity of structure per watt. [J/(K W)]
        structure_conductance: Air to structure, per watt. [1/K]
        crah_air_flow: CRAH air of all halls at full speed. [kg/s]
        crah_fan_power: CRAH fans of all halls at full speed. [W]
        crah_fan_exponent: Fan power over speed. [1]
        coil_conductance: Coils of all halls at design flows. [W/K]
        coil_water_flow: Water through all open valves at `open_pressure`. [kg/s]
        open_pressure: Differential pressure of the open coil branch. [Pa]
        pressure_most: Highest remote pressure that can be asked for. [Pa]
        chw_flow: Chilled-water flow at design. [kg/s]
        chw_pipe_pressure: Loss of pipes and evaporators at design flow. [Pa]
        chw_shutoff_pressure: Pump head at zero flow, full speed. [Pa]
        chw_pump_drop: Fall of that head from zero to design flow. [Pa]
        chw_pump_efficiency: Pump and drive together. [1]
        chw_mass: Water in the loop. [kg]
        chillers: Equal machines. [1]
        chiller_capacity: Of each. [W]
        evaporator_flow: Design chilled water of each. [kg/s]
        evaporator_flow_min: Lowest flow, share of design. [1]
        evaporator_flow_max: Highest flow, share of design. [1]
        chiller_load_min: The economizer leaves this share to a machine. [1]
        cw_flow: Condenser water at full pump speed. [kg/s]
        cw_static_pressure: Head that does not depend on flow. [Pa]
        cw_friction_pressure: Loss by friction at design flow. [Pa]
        cw_pump_efficiency: Pump and drive together. [1]
        cw_mass: Water in basin and pipes. [kg]
        tower_air_flow: Tower air at full fan speed. [kg/s]
        tower_fan_power: Tower fans at full speed. [W]
        tower_conductance: Merkel UA at design. [W/K]
        tower_design_wet_bulb: Wet bulb of the tower's design. [degC]
        tower_cells: Cells of the tower. [1]
        tower_cell_flow_min: A cell is shut off below this share of its water. [1]
        tower_drift: Water carried out as drops, share of circulation. [1]
        tower_concentration: Cycles of concentration that blowdown holds. [1]
        economizer_effectiveness: Plate exchanger at both design flows. [1]
        room_exchange_time: Time constant of the halls' air change. [s]
    """

    halls: int
    zones: int
    hall_share: tuple[float, ...]
    zone_share: tuple[float, ...]
    zone_leak: tuple[float, ...]
    it_power: float
    air_rise: float
    recirculation: float
    server_capacity: float
    air_capacity: float
    structure_capacity: float
    structure_conductance: float
    crah_air_flow: float
    crah_fan_power: float
    crah_fan_exponent: float
    coil_conductance: float
    coil_water_flow: float
    open_pressure: float
    pressure_most: float
    chw_flow: float
    chw_pipe_pressure: float
    chw_shutoff_pressure: float
    chw_pump_drop: float
    chw_pump_efficiency: float
    chw_mass: float
    chillers: int
    chiller_capacity: float
    evaporator_flow: float
    evaporator_flow_min: float
    evaporator_flow_max: float
    chiller_load_min: float
    cw_flow: float
    cw_static_pressure: float
    cw_friction_pressure: float
    cw_pump_efficiency: float
    cw_mass: float
    tower_air_flow: float
    tower_fan_power: float
    tower_conductance: float
    tower_design_wet_bulb: float
    tower_cells: float
    tower_cell_flow_min: float
    tower_drift: float
    tower_concentration: float
    economizer_effectiveness: float
    room_exchange_time: float

    def zone_power(self, hall: int, zone: int) -> float:
        """Return the IT power of a zone at full load, counted from 0 [W]."""
        return self.it_power * self.hall_share[hall] * self.zone_share[zone]

    def zone_volume(self, hall: int, zone: int) -> float:
        """Return the air volume that has the zone's heat capacity [m3]."""
        capacity = self.air_capacity * self.zone_power(hall, zone)
        return capacity / (AIR_DENSITY * 1006.0)

    @property
    def chw_flow_max(self) -> float:
        """Water that the pumps move through open valves at full speed [kg/s].

        H0 - (drop + pipe) (m/m_d)^2 = open_pressure (m/m_open)^2.
        """
        loss = (self.chw_pipe_pressure + self.chw_pump_drop) / self.chw_flow**2
        valves = self.open_pressure / self.coil_water_flow**2
        return (self.chw_shutoff_pressure / (loss + valves)) ** 0.5

    @property
    def coil_flow_most(self) -> float:
        """Water through one hall's open valves at the highest pressure [kg/s]."""
        share = (self.pressure_most / self.open_pressure) ** 0.5
        return self.coil_water_flow * share / self.halls

    @property
    def chw_pump_flow(self) -> float:
        """Flow that the model's pump is rated at: all coils at their most [kg/s]."""
        return self.coil_flow_most * self.halls

    def chw_flow_limit(self, pressure: float) -> float:
        """Return the water that open valves take at a remote pressure [kg/s]."""
        open_flow = self.coil_water_flow * (pressure / self.open_pressure) ** 0.5
        return min(open_flow, self.chw_flow_max)

    def remote_pressure(self, flow: float, setpoint: float) -> float:
        """Return the set-point, or what the pump curve leaves at that flow [Pa]."""
        loss = (self.chw_pipe_pressure + self.chw_pump_drop) / self.chw_flow**2
        return max(min(setpoint, self.chw_shutoff_pressure - loss * flow**2), 0.0)
