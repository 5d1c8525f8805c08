"""Outdoor air as an EPW file: what EnergyPlus reads, and no more than it needs.

EnergyPlus, Auxiliary Programs, "EPW Data Dictionary": eight header lines and rows
of year, month, day, hour 1 to 24, minute, flags, dry bulb, dew point, humidity,
pressure and what the sun and the sky do. The halls have no walls to the outside,
so sun and sky are left dark. A row is the state at the hour's end, and EnergyPlus
goes linearly from row to row.
"""

import datetime
from pathlib import Path

import numpy as np

from coolbound_envs.psychrometrics import humidity_as_psychrolib, saturation_pressure

FIRST_DAY = datetime.date(2017, 1, 1)
"""A common year, whatever year the weather is of: only its length matters."""

FLAGS = "?9?9?9?9E0?9?9?9?9?9?9?9?9?9?9?9?9?9?9?9*9*9?9?9?9"
HEADER = (
    "LOCATION,coolbound,-,-,generated,999999,1.0,0.0,0.0,0.0",
    "DESIGN CONDITIONS,0",
    "TYPICAL/EXTREME PERIODS,0",
    "GROUND TEMPERATURES,0",
    "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0",
    "COMMENTS 1,Outdoor air of one coolbound run; dates are labels",
    "COMMENTS 2,-",
)
TAIL = "0,0,300,0,0,0,0,0,0,0,0,2.0,5,5,20.0,77777,9,999999999,100,0.1,0,88,0.2,0,0"
"""Night, a light wind, no rain: nothing of it reaches the model."""


def write_epw(
    path: Path, dry_bulb: np.ndarray, dew_point: np.ndarray, pressure: np.ndarray
) -> None:
    """Write hours 1, 2, ... of a run that begins at hour 0.

    Args:
        path: Of the file.
        dry_bulb: At the end of each hour, whole days, shape (24 n,). [degC]
        dew_point: Over water, likewise. [degC]
        pressure: Likewise. [Pa]

    Raises:
        ValueError: The hours are no whole days.
    """
    hours = len(dry_bulb)
    if hours % 24 or not hours:
        raise ValueError(f"{hours} hours are no whole days")
    last = FIRST_DAY + datetime.timedelta(days=hours // 24 - 1)
    period = f"DATA PERIODS,1,1,Data,Sunday,1/1,{last.month}/{last.day}"
    dry, dew = np.float32(dry_bulb), np.float32(dew_point)
    share = saturation_pressure(dew) / saturation_pressure(dry)
    # EnergyPlus takes a share of ASHRAE's saturation, over ice below 0 degC.
    percent = 100.0 * np.asarray(humidity_as_psychrolib(dry, share))
    rows = [
        _row(hour, dry_bulb[hour], dew_point[hour], percent[hour], pressure[hour])
        for hour in range(hours)
    ]
    path.write_text("\n".join((*HEADER, period, *rows)) + "\n", encoding="ascii")


def _row(hour: int, dry: float, dew: float, percent: float, pressure: float) -> str:
    day = FIRST_DAY + datetime.timedelta(days=hour // 24)
    date = f"{day.year},{day.month},{day.day},{hour % 24 + 1},60"
    air = f"{dry:.3f},{min(dew, dry):.3f},{min(percent, 100.0):.3f},{pressure:.0f}"
    return f"{date},{FLAGS},{air},{TAIL}"
