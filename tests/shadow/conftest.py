"""A short simulated log and its shadow run, made once for all tests here."""

from pathlib import Path
from typing import Any

import pytest
from start_rule import StartRule

from coolbound_controllers.legacy import Legacy
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.features import feature_map
from coolbound_envs.load import load_trace
from coolbound_envs.site import Site, load_site
from coolbound_envs.weather import load_weather
from coolbound_shadow.log_types import Log
from coolbound_shadow.log_writer import write_log
from coolbound_shadow.run import run_shadow
from coolbound_shadow.simulate import simulate_log


@pytest.fixture(scope="session")
def site() -> Site:
    return load_site()


@pytest.fixture(scope="session")
def start_rule(site: Site) -> StartRule:
    return StartRule(feature_map(site))


@pytest.fixture(scope="session")
def two_days(site: Site) -> Log:
    """Return two days of the legacy operator in Frankfurt."""
    operator = Legacy(parse_operator(site))
    weather, load = load_weather("frankfurt-2021"), load_trace("google2019")
    return simulate_log(site, operator, weather, load, 90, 2, seed=0)


@pytest.fixture(scope="session")
def log_file(two_days: Log, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(two_days, tmp_path_factory.mktemp("log"))[0]


@pytest.fixture(scope="session")
def shadowed(
    site: Site,
    log_file: Path,
    start_rule: StartRule,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], Path]:
    """Return the summary and the folder of one shadow run."""
    out = tmp_path_factory.mktemp("shadow") / "run"
    return run_shadow(site, log_file, None, out, controller=start_rule), out
