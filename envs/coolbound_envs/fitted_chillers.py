"""Four fitted machines, by the name that a site file may give as `efficiency`.

Their coefficients are those of the plant reference, 1.5: least squares of the Carnot
fraction, unweighted, over the machine's own EIR record on a grid of 5 leaving and 6
entering temperatures and part loads of 0.25 to 1 in 6 steps, lift of 4 K or more.
Their errors are of COP against that record, measured by `chiller_fit.assess` at part
loads from 0.25 up and lifts of 8 to 30 K. Below a quarter load each has one number
more, `idle_power`, fitted to its record as `chiller_fit` does; a site file that names
the machine gives it under the key of that name.
"""

import dataclasses
import difflib

from coolbound_envs.tables import InputError

SOURCE = "Modelica Buildings Library, ElectricEIR.mo (EnergyPlus data set)"


@dataclasses.dataclass(frozen=True)
class FittedChiller:
    """One machine in the form that the plant uses. Static.

    Attributes:
        title: Name for people.
        record: Name of the EIR record that it was fitted to.
        efficiency: Coefficients e0 to e5 of the Carnot fraction.
        idle_power: Power towards no load over that at a quarter load. [1]
        capacity: Rated cooling capacity. [W]
        cop: Rated coefficient of performance. [1]
        evaporator_flow: Rated chilled-water flow. [kg/s]
        condenser_flow: Rated condenser-water flow. [kg/s]
        error_rms: Of COP against the record. [%]
        error_worst: Of COP against the record, at one point. [%]
        source: Where the record comes from.
    """

    title: str
    record: str
    efficiency: tuple[float, ...]
    idle_power: float
    capacity: float
    cop: float
    evaporator_flow: float
    condenser_flow: float
    error_rms: float
    error_worst: float
    source: str = SOURCE


FITTED = {
    "trane-cvhf-2317": FittedChiller(
        title="Trane CVHF 2317 kW, COP 6.33, variable speed",
        record="ElectricEIRChiller_Trane_CVHF_2317kW_6_33COP_VSD",
        efficiency=(0.16426, 0.69328, -0.42972, 0.02897, -0.00062, -0.00047),
        idle_power=0.4,
        capacity=2317.4e3,
        cop=6.33,
        evaporator_flow=90.85,
        condenser_flow=113.56,
        error_rms=1.45,
        error_worst=3.94,
    ),
    "trane-cvhe-1442": FittedChiller(
        title="Trane CVHE 1442 kW, COP 6.61, variable speed",
        record="ElectricEIRChiller_Trane_CVHE_1442kW_6_61COP_VSD",
        efficiency=(0.08785, 0.53841, -0.42805, 0.03578, -0.00056, -0.00224),
        idle_power=0.42,
        capacity=1441.8e3,
        cop=6.61,
        evaporator_flow=50.47,
        condenser_flow=50.47,
        error_rms=1.73,
        error_worst=4.73,
    ),
    "york-yt-1881": FittedChiller(
        title="York YT 1881 kW, COP 6.77, variable speed",
        record="ElectricEIRChiller_York_YT_1881kW_6_77COP_VSD",
        efficiency=(0.14418, 0.29704, -0.22964, 0.02997, -0.00033, -0.00479),
        idle_power=0.26,
        capacity=1881.4e3,
        cop=6.77,
        evaporator_flow=75.71,
        condenser_flow=94.64,
        error_rms=1.26,
        error_worst=3.54,
    ),
    "carrier-19xr-2391": FittedChiller(
        title="Carrier 19XR 2391 kW, COP 6.44, variable speed",
        record="ElectricEIRChiller_Carrier_19XR_2391kW_6_44COP_VSD",
        efficiency=(0.05741, 0.39131, -0.35431, 0.03715, -0.00052, -0.00274),
        idle_power=0.51,
        capacity=2391.3e3,
        cop=6.44,
        evaporator_flow=68.58,
        condenser_flow=84.6,
        error_rms=1.78,
        error_worst=4.63,
    ),
}
"""The fitted machines by name."""


def find_fitted(name: str, where: str) -> FittedChiller:
    """Return a fitted machine by name.

    Args:
        name: As a key of `FITTED`.
        where: File and key that name it, for the message.

    Raises:
        InputError: There is no machine of that name.
    """
    if name in FITTED:
        return FITTED[name]
    near = difflib.get_close_matches(name, FITTED, n=1, cutoff=0.0)[0]
    raise InputError(
        f"{where}: found {name!r}, expected one of {', '.join(FITTED)}; did you mean "
        f"{near!r}?"
    )
