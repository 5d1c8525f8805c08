"""A simulated log has the habits of a real one, and no others."""

import numpy as np
import pytest

from coolbound_controllers.legacy import Legacy
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.load import load_trace
from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNEL_NAMES, POINT_INDEX
from coolbound_envs.tables import InputError
from coolbound_envs.types import Quality
from coolbound_envs.weather import load_weather
from coolbound_shadow.log_types import Log, local_text
from coolbound_shadow.simulate import add_habits, simulate_log


def test_days_begin_at_local_midnight_of_the_weather_files_year(two_days: Log) -> None:
    first = local_text(two_days.time_utc[0], two_days.offset[0])
    last = local_text(two_days.time_utc[-1], two_days.offset[-1])
    assert (first, last) == ("2021-04-01T00:05:00+02:00", "2021-04-03T00:00:00+02:00")


def test_set_points_are_written_in_the_steps_that_people_write(two_days: Log) -> None:
    for name, step in (("supply_air_setpoint_hall1", 0.5), ("tower_fan_speed", 0.05)):
        written = two_days.applied[:, CHANNEL_NAMES.index(name)] / step
        np.testing.assert_allclose(written, np.round(written), atol=1e-9)


def test_losses_are_few_and_are_marked_missing(two_days: Log) -> None:
    assert 0 < two_days.missing_steps < 10
    lost = ~np.isfinite(two_days.values)
    assert 0 < np.mean(lost) < 0.01
    np.testing.assert_array_equal(two_days.quality == Quality.MISSING, lost)


def test_habits_follow_the_seed(two_days: Log) -> None:
    again, other = add_habits(two_days, 1), add_habits(two_days, 2)
    np.testing.assert_array_equal(add_habits(two_days, 1).values, again.values)
    assert not np.array_equal(np.isnan(again.values), np.isnan(other.values))


def test_weather_and_load_can_be_read_off_the_log(two_days: Log) -> None:
    weather = load_weather("frankfurt-2021")
    # 1 April 01:00 summer time is hour 90 * 24 of the year in standard time.
    row = int(np.searchsorted(two_days.time_utc, two_days.time_utc[0] + 3600))
    read = two_days.values[row, POINT_INDEX["outdoor_temp"]]
    assert abs(read - float(weather.dry_bulb[90 * 24])) < 1.0
    power = two_days.values[:, POINT_INDEX["it_power_hall1"]]
    assert 1000.0 < np.nanmin(power) < np.nanmax(power) < 2300.0


def test_an_impossible_day_is_refused(site: Site) -> None:
    operator = Legacy(parse_operator(site))
    weather, load = load_weather("frankfurt-2021"), load_trace("google2019")
    with pytest.raises(InputError, match="found start day 400"):
        simulate_log(site, operator, weather, load, 400, 2, seed=0)
