"""All parts, in the order in which they are fitted: later ones use earlier ones."""

from typing import Final

from coolbound_shadow.calibration.air_parts import CRAH_FAN, VALVES
from coolbound_shadow.calibration.chiller_part import CHILLER
from coolbound_shadow.calibration.coil_parts import COILS, CRAH_AIR, HEAT_GAIN
from coolbound_shadow.calibration.part_types import Part
from coolbound_shadow.calibration.pump_parts import CHW_PUMP, CONDENSER_FLOW, CW_PUMP
from coolbound_shadow.calibration.tower_parts import TOWER, TOWER_FAN

PARTS: Final[tuple[Part, ...]] = (
    CHILLER,
    CONDENSER_FLOW,
    CW_PUMP,
    CHW_PUMP,
    TOWER_FAN,
    TOWER,
    CRAH_FAN,
    VALVES,
    CRAH_AIR,
    COILS,
    HEAT_GAIN,
)
