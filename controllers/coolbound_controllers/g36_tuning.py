"""Constants of `g36`'s sequences that the guideline leaves to whoever commissions them.

The defaults make plain `g36`. `g36_tuned` has others, searched on the training cities.
"""

import dataclasses
from typing import Final


@dataclasses.dataclass(frozen=True)
class PumpReset:
    """Condenser-pump speed by load and lift. Static.

    speed = base + per_load * share + per_lift * (lift - LIFTmin), with share the
    chilled-water load over the capacity of all machines.

    Attributes:
        base: At no load and the least lift. [1]
        per_load: Rise to a load of all machines. [1]
        per_lift: Rise per kelvin of lift above the least. [1/K]
        free: In free cooling. [1]
    """

    base: float
    per_load: float
    per_lift: float
    free: float


@dataclasses.dataclass(frozen=True)
class G36Tuning:
    """Constants of the sequences. Static.

    Attributes:
        free_approach: Chilled water that free cooling is predicted to bring, above
            the wet bulb. [K]
        precool_water: Chilled water this far below its warmest set-point before the
            chillers stop. [K]
        precool_air: Supply air this far below its set-point meanwhile. [K]
        valve_first: Opening at which the first CRAH of a hall asks for pressure. The
            limit is 0.95; a step of the load opens the valve by some 0.06 before
            pressure has answered. [1]
        stage_least: Least staging part-load ratio. [1]
        pump: Reset of the condenser pumps; none leaves them fixed per stage.
    """

    free_approach: float = 10.0
    precool_water: float = 2.1
    precool_air: float = 0.5
    valve_first: float = 0.85
    stage_least: float = 0.45
    pump: PumpReset | None = None


GUIDELINE: Final = G36Tuning()
"""Constants of plain `g36`."""
