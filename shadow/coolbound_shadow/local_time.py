"""Between instants, the site's wall clock, and its standard time all year."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

DAY_S = 86400
"""A day. [s]"""


def standard_offset(time_utc: int, zone: ZoneInfo) -> int:
    """Return the zone's standard time minus UTC at an instant [s]."""
    stamp = datetime.fromtimestamp(int(time_utc), zone)
    summer = stamp.dst() or timedelta()
    offset = stamp.utcoffset() or timedelta()
    return int((offset - summer).total_seconds())


def seconds_of_year(time_utc: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """Return seconds since the year began in local standard time, int64, (T,).

    Args:
        time_utc: UTC epoch, shape (T,). [s]
        zone: The site's time zone.
    """
    wall = time_utc + standard_offset(int(time_utc[0]), zone)
    stamps = wall.astype("datetime64[s]")
    year = stamps.astype("datetime64[Y]").astype("datetime64[s]")
    return (stamps - year).astype(np.int64)


def midnight(year: int, day: int, zone: ZoneInfo) -> int:
    """Return the local midnight that begins a day, UTC epoch [s].

    Args:
        year: Calendar year. [1]
        day: Days after 1 January. [1]
        zone: The site's time zone.
    """
    date = datetime(year, 1, 1) + timedelta(days=day)
    return int(date.replace(tzinfo=zone).astimezone(UTC).timestamp())
