"""Fitting against logs whose constants are known."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from made_calibration_logs import EFFICIENCY, Truth, made_log, with_values

from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNEL_NAMES, POINT_INDEX
from coolbound_shadow.calibration.air_parts import CRAH_FAN
from coolbound_shadow.calibration.chiller_part import CHILLER
from coolbound_shadow.calibration.fitting import Found
from coolbound_shadow.calibration.free_run import run_freely
from coolbound_shadow.calibration.judging import judge
from coolbound_shadow.calibration.plant_fit import PlantFit, fit_plant
from coolbound_shadow.calibration.record import missing_channels
from coolbound_shadow.calibration.samples import rows_of
from coolbound_shadow.calibration.split import split_log
from coolbound_shadow.calibration.verdicts import verdicts
from coolbound_shadow.log_types import Log

OTHER = Truth(
    efficiency=tuple(0.92 * e for e in EFFICIENCY),
    cw_flow=240.0,
    cw_efficiency=0.65,
    chw_efficiency=0.75,
    fan=64e3,
    conductance=352e3,
)
"""Eight to ten percent away from the site file, either way."""


def fitted(site: Site, log: Log) -> PlantFit:
    return fit_plant(site, log, split_log(log))


def found(fit: PlantFit) -> dict[str, Found]:
    return {f.parameter.name: f for r in fit.results for f in r.fit.found}


def values(fit: PlantFit) -> np.ndarray:
    return np.concatenate([r.fit.values for r in fit.results])


@pytest.fixture(scope="module")
def other_log() -> Log:
    return made_log(OTHER)


@pytest.fixture(scope="module")
def other(site: Site, other_log: Log) -> PlantFit:
    return fitted(site, other_log)


TOLERANCES = {
    "condenser flow at full speed": (240.0 / 251.4, 0.01),
    "condenser pump power": (0.7125 / 0.65, 0.02),
    "chilled-water pump power": (0.684 / 0.75, 0.02),
    "tower fan power": (64.0 / 70.0, 0.01),
    "tower conductance": (1.1, 0.03),
    "chiller efficiency": (0.92, 0.01),
}
"""True factor on the site file, and how near a fit must come."""


@pytest.mark.parametrize("name", sorted(TOLERANCES))
def test_known_constants_are_recovered(other: PlantFit, name: str) -> None:
    truth, near = TOLERANCES[name]
    each = found(other)[name]
    assert each.is_identifiable, each.refused
    assert each.value == pytest.approx(truth, abs=near)


def test_the_fitted_plant_is_the_true_one(other: PlantFit) -> None:
    plant = other.plant
    assert float(plant.condenser.design_flow) == pytest.approx(240.0, rel=0.01)
    assert float(plant.condenser.conductance) == pytest.approx(352e3, rel=0.03)
    assert float(plant.chw.pump_efficiency) == pytest.approx(0.75, rel=0.02)
    head = plant.condenser.static_pressure + plant.condenser.friction_pressure
    assert float(head) == pytest.approx(200e3, rel=1e-4)


def test_held_out_weeks_are_met_far_better_than_before(other: PlantFit) -> None:
    parts = {r.part.name: r for r in other.results}
    for name in ("chiller", "cw_pump", "chw_pump", "tower_fan", "tower"):
        assert parts[name].after.passes(), name
        assert abs(parts[name].after.nmbe) < 2.0 < abs(parts[name].before.nmbe), name


def test_held_out_weeks_are_never_used(
    site: Site, other: PlantFit, other_log: Log
) -> None:
    held = split_log(other_log).is_held_out
    rng = np.random.default_rng(1)
    noise = rng.uniform(0.5, 1.5, size=other_log.values.shape)
    speeds = rng.uniform(0.5, 1.5, size=other_log.applied.shape)
    changed = dataclasses.replace(
        other_log,
        values=np.where(held[:, None], other_log.values * noise, other_log.values),
        applied=np.where(held[:, None], other_log.applied * speeds, other_log.applied),
    )
    again = fitted(site, changed)
    np.testing.assert_array_equal(values(again), values(other))
    one, two = (
        [f.standard_error for r in fit.results for f in r.fit.found]
        for fit in (again, other)
    )
    np.testing.assert_array_equal(one, two)


def test_what_never_moved_is_called_not_identifiable(site: Site) -> None:
    constant = found(fitted(site, made_log(OTHER, pump_swing=0.0)))
    share = constant["static share of condenser head"]
    assert "not identifiable from this log" in share.refused
    assert share.value == share.parameter.nominal
    scale = constant["condenser pump power"]
    assert scale.is_identifiable
    # The share is wrong by nothing here, so the scale is still the true one.
    assert scale.value == pytest.approx(0.7125 / 0.65, abs=0.02)
    # Two machines never fall to a quarter load.
    assert "not identifiable" in constant["idle power"].refused


def test_scrambled_power_supports_no_claim(site: Site, other_log: Log) -> None:
    rng = np.random.default_rng(2)
    index = POINT_INDEX["chiller_power"]
    wild = rng.uniform(0.0, 2.5, size=other_log.rows)
    mixed = with_values(
        other_log, "chiller_power", wild * np.median(other_log.values[:, index])
    )
    claims = claimed(site, mixed)
    assert not claims["relative_potential"].supported
    assert not claims["absolute_energy"].supported
    text = " ".join(claims["relative_potential"].because)
    assert "parts driven by readings: CV(RMSE)" in text


def claimed(site: Site, log: Log) -> dict:
    split = split_log(log)
    fit = fit_plant(site, log, split)
    run = run_freely(site, log)
    found = judge(fit, run, rows_of(site, log), split)
    return {each.claim: each for each in verdicts(fit, found, run, split)}


def test_a_model_that_cannot_be_run_supports_no_potential(
    site: Site, other_log: Log
) -> None:
    claims = claimed(site, other_log)
    assert not claims["relative_potential"].supported
    text = " ".join(claims["relative_potential"].because)
    assert "could not be run along the log: outdoor_temp" in text


def test_water_side_only_is_enough_and_the_rest_is_declared(other: PlantFit) -> None:
    missing = missing_channels(other)
    assert missing["return_air_temp_hall1"] == ["CRAH air flow", "Coils"]
    assert missing["it_power_hall2"] == ["Heat balance"]
    refused = {r.part.name for r in other.results if r.sample is None}
    assert refused == {"crah_fan", "coil_flow", "crah_air", "coils", "heat_gain"}
    for result in other.results:
        if result.sample is None:
            assert result.fit.refused.startswith("the log lacks ")


def test_condenser_flow_comes_from_the_heat_balance_where_no_meter_is(
    site: Site,
) -> None:
    log = made_log(OTHER, without=("cw_flow",))
    fit = fitted(site, log)
    each = found(fit)["condenser flow at full speed"]
    assert each.is_identifiable
    assert each.value == pytest.approx(240.0 / 251.4, abs=0.008)
    notes = [n for r in fit.results if r.sample for n in r.sample.notes]
    assert any("Condenser flow is not in the log" in note for note in notes)


def test_water_through_the_bypass_is_not_taken_for_the_chillers_load(
    site: Site, other_log: Log
) -> None:
    # Least flow of two machines is 70.2 kg/s; what is metered includes the bypass.
    flow = np.full(other_log.rows, 71.0)
    part = fit_plant(
        site,
        with_values(other_log, "chw_flow", flow),
        split_log(other_log),
        parts=[CHILLER],
    )
    each = found(part)["chiller efficiency"]
    assert each.is_identifiable
    assert each.value == pytest.approx(0.92, abs=0.01)
    blind = made_log(OTHER, without=("cw_flow",))
    part = fit_plant(
        site, with_values(blind, "chw_flow", flow), split_log(blind), parts=[CHILLER]
    )
    assert "0 steady training rows" in part.results[0].fit.refused
    sample = part.results[0].sample
    assert sample is not None
    assert "minimum-flow bypass may be open" in sample.left_out


def test_a_log_without_power_meters_fits_no_power(site: Site) -> None:
    without = ("chiller_power", "cw_pump_power", "chw_pump_power", "tower_fan_power")
    fit = fitted(site, made_log(OTHER, days=5, without=without))
    missing = missing_channels(fit)
    assert set(without) <= set(missing)
    assert float(fit.plant.condenser.fan_power) == pytest.approx(70e3)


def test_a_few_wild_readings_do_not_move_a_fit(
    site: Site, other: PlantFit, other_log: Log
) -> None:
    index = POINT_INDEX["cw_pump_power"]
    readings = other_log.values[:, index].copy()
    readings[100:140] *= 4.0
    spoilt = found(fitted(site, with_values(other_log, "cw_pump_power", readings)))
    name = "condenser pump power"
    assert spoilt[name].value == pytest.approx(found(other)[name].value, abs=0.005)


def test_an_efficiency_that_no_machine_has_is_not_taken(site: Site) -> None:
    """COP rises with lift in this log, so an optimiser would be led astray."""
    steep = (EFFICIENCY[0] - 0.027 * 18.0, *EFFICIENCY[1:3], EFFICIENCY[3] + 0.027)
    log = made_log(Truth(efficiency=(*steep, *EFFICIENCY[4:])))
    found_here = found(fit_plant(site, log, split_log(log), parts=[CHILLER]))
    slope = found_here["efficiency rise with lift"]
    assert slope.refused.startswith("not taken: with it COP would rise with lift")
    assert slope.value == 0.0


def test_slopes_turn_about_the_training_medians(site: Site) -> None:
    """The power there is the scale's alone, so that it can be known by itself."""
    plant = site.plant
    anchors = jnp.asarray([0.6, 14.0])
    inputs = {
        "heat": jnp.asarray([1e6]),
        "part_load": jnp.asarray([0.6]),
        "lift": jnp.asarray([14.0]),
        "leaving": jnp.asarray([9.0]),
    }

    def power(*values: float) -> float:
        changed = CHILLER.apply(plant, jnp.asarray(values), anchors)
        return float(CHILLER.predict(changed, jnp.asarray(values), inputs)[0])

    assert power(1.0, 0.2, -0.004, 0.4) == pytest.approx(power(1.0, 0.0, 0.0, 0.4))
    assert power(1.1, 0.2, 0.0, 0.4) == pytest.approx(power(1.0, 0.0, 0.0, 0.4) / 1.1)
    fan = CRAH_FAN.apply(plant, jnp.asarray([1.0, 2.2]), jnp.asarray([0.7])).crah
    at_anchor = float(fan.fan_power) * 0.7**2.2
    assert at_anchor == pytest.approx(float(plant.crah.fan_power) * 0.7**2.8)


def test_set_points_act_in_the_step_after_they_were_given(
    site: Site, other_log: Log
) -> None:
    rows = rows_of(site, other_log)
    index = CHANNEL_NAMES.index("tower_fan_speed")
    np.testing.assert_array_equal(rows.before[1:, index], other_log.applied[:-1, index])
    assert np.isnan(rows.before[0, index])
