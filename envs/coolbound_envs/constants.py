"""Physical constants, in SI units."""

from typing import Final

WATER_HEAT: Final = 4186.0
"""Specific heat of liquid water, within 0.3 % from 5 to 40 degC. [J/(kg K)]"""

WATER_DENSITY: Final = 998.0
"""Liquid water, within 0.4 % from 5 to 35 degC. [kg/m3]"""

AIR_HEAT: Final = 1006.0
"""Specific heat of dry air at constant pressure, 0 to 40 degC. [J/(kg K)]"""

KELVIN: Final = 273.15
"""0 degC on the absolute scale. [K]"""

EVAPORATION_HEAT: Final = 2.43e6
"""Heat of evaporation of water near 30 degC. [J/kg]"""

CONDENSATION_HEAT: Final = 2.48e6
"""Heat of condensation of water near 10 degC. [J/kg]"""
