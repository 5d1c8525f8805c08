"""A simulated plant with other constants than its site file, calibrated whole."""

import dataclasses

import pytest

from coolbound_controllers.g36 import G36
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.load import load_trace
from coolbound_envs.site import Site
from coolbound_envs.weather import load_weather
from coolbound_shadow.calibration.run import Calibration, calibrate
from coolbound_shadow.log_types import Log
from coolbound_shadow.simulate import simulate_log

FACTORS = {
    "condenser flow at full speed": (0.95, 0.01),
    "condenser pump power": (1.08, 0.02),
    "chilled-water pump power": (1.09, 0.03),
    "tower fan power": (1.08, 0.02),
    "tower conductance": (0.90, 0.04),
    "CRAH fan power": (1.09, 0.04),
    "coil conductance": (0.91, 0.03),
    "chiller efficiency": (0.93, 0.02),
}
"""True factor on the site file, and how near a calibration must come."""


def true_site(site: Site) -> Site:
    """Return the site with equipment five to ten percent away from its file."""
    plant = site.plant
    factor = {name: value for name, (value, _) in FACTORS.items()}
    condenser = dataclasses.replace(
        plant.condenser,
        design_flow=plant.condenser.design_flow * 0.95,
        pump_efficiency=plant.condenser.pump_efficiency / 1.08,
        fan_power=plant.condenser.fan_power * factor["tower fan power"],
        conductance=plant.condenser.conductance * factor["tower conductance"],
    )
    crah = dataclasses.replace(
        plant.crah,
        fan_power=plant.crah.fan_power * factor["CRAH fan power"],
        conductance=plant.crah.conductance * factor["coil conductance"],
    )
    chiller = dataclasses.replace(
        plant.chiller, efficiency=tuple(0.93 * e for e in plant.chiller.efficiency)
    )
    chw = dataclasses.replace(
        plant.chw, pump_efficiency=plant.chw.pump_efficiency / 1.09
    )
    other = dataclasses.replace(
        plant, condenser=condenser, crah=crah, chiller=chiller, chw=chw
    )
    return dataclasses.replace(site, plant=other)


@pytest.fixture(scope="module")
def log(site: Site) -> Log:
    operator = G36(parse_operator(site))
    weather, load = load_weather("frankfurt-2021"), load_trace("google2019")
    return simulate_log(true_site(site), operator, weather, load, 150, 15, seed=0)


@pytest.fixture(scope="module")
def found(site: Site, log: Log) -> Calibration:
    return calibrate(site, log)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(FACTORS))
def test_the_plants_constants_are_recovered(found: Calibration, name: str) -> None:
    each = {f.parameter.name: f for r in found.fit.results for f in r.fit.found}[name]
    truth, near = FACTORS[name]
    assert each.is_identifiable, each.refused
    assert each.value == pytest.approx(truth, abs=near)


@pytest.mark.long
def test_the_calibrated_twin_supports_a_potential(found: Calibration) -> None:
    claims = {claim.claim: claim for claim in found.claims}
    assert claims["relative_potential"].supported, claims["relative_potential"].because
    assert claims["absolute_energy"].supported
    assert claims["limits_rack_inlets"].supported
    assert found.judgement.free.cv_rmse < 5.0


@pytest.mark.long
def test_another_plants_log_supports_none(site: Site, log: Log) -> None:
    """No fit makes machines of a fifth of the size draw this power."""
    half = dataclasses.replace(
        site.plant.chiller, capacity=site.plant.chiller.capacity * 0.2
    )
    other = dataclasses.replace(site.plant, chiller=half)
    found = calibrate(dataclasses.replace(site, plant=other), log)
    claims = {claim.claim: claim for claim in found.claims}
    assert not claims["relative_potential"].supported
