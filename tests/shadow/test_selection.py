"""A log that no comparison can be made of is refused in one sentence."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_logs import made_log

from coolbound_envs.site import Site
from coolbound_envs.spec import POINT_INDEX
from coolbound_envs.tables import InputError
from coolbound_shadow.log_types import Log
from coolbound_shadow.log_writer import write_log
from coolbound_shadow.run import Wanted, run_shadow
from coolbound_shadow.selection import (
    Period,
    first_rows,
    require_replayable,
    select_period,
)

DAYS = made_log(3 * 288)
"""Three local days from 2024-05-01 00:00 +02:00."""


@pytest.mark.parametrize(
    ("begin", "end", "first", "rows"),
    [
        ("2024-05-02", "", 288, 576),
        ("", "2024-05-01", 0, 288),
        ("2024-05-02", "2024-05-02", 288, 288),
        ("2024-05-02T06:00", "2024-05-02T07:00", 288 + 72, 12),
        ("2024-05-01T22:00:00+00:00", "", 288, 576),
    ],
)
def test_a_period_is_read_on_the_sites_clock_with_whole_days(
    begin: str, end: str, first: int, rows: int
) -> None:
    found = select_period(DAYS, Period(begin, end))
    assert found.rows == rows
    np.testing.assert_array_equal(found.time_utc, DAYS.time_utc[first : first + rows])
    np.testing.assert_array_equal(found.values, DAYS.values[first : first + rows])


def test_no_period_is_the_whole_log() -> None:
    assert select_period(DAYS, Period()) is DAYS


@pytest.mark.parametrize("text", ["yesterday", "2024-13-01", "01.05.2024"])
def test_a_period_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"expected a date as 2023-12-01"):
        select_period(DAYS, Period(begin=text))


def jumped(log: Log) -> Log:
    """Return a log whose clock was set a year ahead half way."""
    time = log.time_utc.copy()
    time[log.rows // 2 :] += 365 * 86400
    return dataclasses.replace(log, time_utc=time)


def swollen(log: Log) -> Log:
    """Return the log of a plant twice the size."""
    values = log.values.copy()
    values[:, POINT_INDEX["facility_power"]] = 9000.0
    return dataclasses.replace(log, values=values)


def foreign(log: Log) -> Log:
    """Return a log of which most readings are impossible at this site."""
    values = 1e3 * log.values + 1e5
    values[:, :5] = log.values[:, :5]
    return dataclasses.replace(log, values=values)


def plausible(log: Log, site: Site) -> Log:
    """Return the log with powers that the site can draw."""
    values = log.values.copy()
    design = float(site.plant.it.design_power) / 1e3
    powers = {"facility_power": design, "chiller_power": 100.0}
    powers |= {"it_power_hall1": 0.3 * design, "it_power_hall2": 0.3 * design}
    for name, power in powers.items():
        values[:, POINT_INDEX[name]] = power
    return dataclasses.replace(log, values=values)


BAD: dict[str, tuple[Callable[[Log], Log], Period, str]] = {
    "short": (lambda log: first_rows(log, 200), Period(), "found 16.7 h of log"),
    "part": (
        lambda log: log,
        Period("2024-05-02", "2024-05-02T12:00"),
        "found 12.0 h of log",
    ),
    "empty": (lambda log: log, Period("2030-01-01"), "the log reaches from 2024-05-01"),
    "jump": (jumped, Period(), "found a jump of 365 days after 2024-05-02"),
    "size": (swollen, Period(), "found facility_power up to 9,000 kW"),
    "site": (foreign, Period(), "points out of range .* another site's log"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_log_that_cannot_be_compared_is_refused_and_nothing_is_written(
    name: str, site: Site, start_rule: Any, tmp_path: Path
) -> None:
    change, period, said = BAD[name]
    (tmp_path / "log").mkdir()
    path, _ = write_log(change(plausible(DAYS, site)), tmp_path / "log")
    out = tmp_path / "out"
    wanted = Wanted(period=period)
    with pytest.raises(InputError, match=said) as refusal:
        run_shadow(site, path, None, out, wanted, controller=start_rule)
    assert str(refusal.value).count("\n") == 0
    assert not out.exists()
    assert sorted(x.name for x in tmp_path.iterdir()) == ["log"]


def test_a_sound_log_is_taken(site: Site) -> None:
    require_replayable(plausible(DAYS, site), site)
