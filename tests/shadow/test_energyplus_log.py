"""An operator's day on EnergyPlus becomes a log as any other."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyenergyplus", reason="the extra coolbound[energyplus]")

from coolbound.choices import ENGINES
from coolbound.energyplus_choice import log_maker
from coolbound_controllers.legacy import Legacy
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.fault_kinds import FaultEvent, FaultKind
from coolbound_envs.load import load_trace
from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNEL_NAMES, POINT_INDEX
from coolbound_envs.tables import InputError
from coolbound_envs.types import Quality
from coolbound_envs.weather import load_weather
from coolbound_shadow.energyplus_log import simulate_energyplus_log
from coolbound_shadow.ingest import read_log
from coolbound_shadow.log_types import Log
from coolbound_shadow.log_writer import write_log
from coolbound_shadow.simulate import simulate_log


@pytest.fixture(scope="module")
def day(site: Site) -> Log:
    operator = Legacy(parse_operator(site))
    weather, load = load_weather("phoenix"), load_trace("google2019")
    return simulate_energyplus_log(site, operator, weather, load, 181, 1, seed=0)


def test_the_operators_setpoints_are_in_it(day: Log) -> None:
    settings = {"chw_supply_setpoint": 10.0, "chw_pressure_setpoint": 96.0}
    for name, expected in settings.items():
        written = day.applied[-100:, CHANNEL_NAMES.index(name)]
        np.testing.assert_allclose(written, expected, atol=1e-3)
    supply = day.values[-100:, POINT_INDEX["chw_supply_temp"]]
    assert np.nanmean(supply) == pytest.approx(10.0, abs=0.1)


def test_derived_points_are_uncertain_and_all_others_good(day: Log) -> None:
    arrived = np.isfinite(day.values)
    for name, index in POINT_INDEX.items():
        is_derived = name.startswith(("crah_valve", "chw_pressure"))
        expected = Quality.UNCERTAIN if is_derived else Quality.GOOD
        assert set(day.quality[arrived[:, index], index]) == {expected}, name


def test_it_is_read_back_from_disk_as_it_was(day: Log, tmp_path: Path) -> None:
    parquet, _ = write_log(day, tmp_path)
    read = read_log(parquet)
    np.testing.assert_array_equal(read.time_utc, day.time_utc)
    np.testing.assert_allclose(read.values, day.values, atol=1e-4)
    np.testing.assert_array_equal(read.quality, day.quality)
    assert read.rejected == {}


def test_faults_are_refused(site: Site) -> None:
    operator = Legacy(parse_operator(site))
    weather, load = load_weather("phoenix"), load_trace("google2019")
    fault = FaultEvent(FaultKind.CHILLER_TRIP, 0, 0.0, 600.0, 1.0)
    with pytest.raises(InputError, match="found 1 faults for EnergyPlus"):
        simulate_energyplus_log(
            site, operator, weather, load, 181, 1, seed=0, faults=[fault]
        )


def test_the_command_line_knows_both_engines() -> None:
    makers = [log_maker(engine) for engine in ENGINES]
    assert makers == [simulate_log, simulate_energyplus_log]
