"""Chiller records refitted with a true error, judged, and put into a site."""

import dataclasses
import itertools
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from judged_chillers import fits_of, judgements
from made_plants import scalar, site
from raw_chillers import by_hand, cop_by_hand, corners, raw

from coolbound_envs import carnot_fraction, components
from coolbound_envs.chiller_fit import ChillerFit, FitError, assess, fit_chiller
from coolbound_envs.chiller_records import (
    EIR,
    REFORMULATED,
    ChillerRecord,
    find_record,
)
from coolbound_envs.chiller_report import site_section
from coolbound_envs.chiller_samples import AVAILABLE, RATED, sample
from coolbound_envs.fitted_chillers import FITTED, find_fitted
from coolbound_envs.site import load_site
from coolbound_envs.tables import InputError

# Plant reference 1.5: coefficients, R2 of the Carnot fraction, its RMSE over its mean.
PUBLISHED = {
    "trane-cvhf-2317": (0.978, 1.5),
    "trane-cvhe-1442": (0.981, 1.8),
    "york-yt-1881": (0.993, 1.4),
    "carrier-19xr-2391": (0.989, 1.9),
}


def test_the_fitted_surface_is_the_one_of_the_plant() -> None:
    load, lift = (
        a.ravel()
        for a in np.meshgrid(np.linspace(0.0, 1.3, 27), np.linspace(8.0, 34.0, 27))
    )
    chiller = site().plant.chiller
    for fitted in FITTED.values():
        machine = dataclasses.replace(
            chiller,
            efficiency=tuple(scalar(e) for e in fitted.efficiency),
            idle_power=scalar(fitted.idle_power),
        )
        cop = components.chiller_cop(
            jnp.asarray(load, jnp.float32),
            jnp.asarray(lift, jnp.float32),
            scalar(11.0)[None],
            machine,
        )
        wanted = carnot_fraction.fraction_of(
            np.asarray(cop, float), lift, 11.0 + 0.0 * lift
        )
        found = carnot_fraction.fraction(
            fitted.efficiency, load, lift, fitted.idle_power
        )
        np.testing.assert_allclose(found, wanted, rtol=2e-5)


def test_a_surface_of_the_form_is_found_again() -> None:
    generator = np.random.default_rng(7)
    load, lift = generator.uniform((0.25, 8.0), (1.05, 30.0), (300, 2)).T
    wanted = FITTED["trane-cvhf-2317"].efficiency
    found = carnot_fraction.fit_shaped(
        load, lift, carnot_fraction.terms(load, lift) @ np.array(wanted), 8.0
    )
    assert found is not None
    np.testing.assert_allclose(found[0], wanted, rtol=1e-8)
    assert not found[1]


def test_constrained_least_squares_agree_with_an_interior_point_solver() -> None:
    import cvxpy as cp

    generator = np.random.default_rng(11)
    for _ in range(5):
        matrix, rows = generator.normal(size=(40, 6)), generator.normal(size=(9, 6))
        target = generator.normal(size=40)
        found = carnot_fraction.least_squares_above(matrix, target, rows)
        x = cp.Variable(6)
        goal = cp.Minimize(cp.sum_squares(matrix @ x - target))
        cp.Problem(goal, [rows @ x >= 0]).solve(solver=cp.CLARABEL)
        assert found is not None
        assert np.min(rows @ found) > -1e-9
        np.testing.assert_allclose(found, np.asarray(x.value), atol=1e-5)


def test_shape_is_imposed_on_a_record_that_breaks_it_and_costs_little() -> None:
    record = find_record("ElectricEIRChiller_Trane_CVHF_2184kW_6_78COP_Vanes")
    points = sample(record)
    matrix = carnot_fraction.terms(points.load, points.lift) / points.fraction[:, None]
    free = np.linalg.lstsq(matrix, np.ones(len(matrix)), rcond=None)[0]
    fit = fit_chiller(record)
    assert not carnot_fraction.shape_of(tuple(free), 8.0).is_sound
    assert fit.is_shaped
    assert fit.shape.is_sound
    free_rms = 100.0 * np.sqrt(np.mean((matrix @ free - 1.0) ** 2))
    assert free_rms < fit.error.rms < free_rms + 0.3


def test_plain_fits_break_shape_on_a_third_of_the_records_and_shape_costs_little() -> (
    None
):
    prices, broken = [], 0
    for one in fits_of(EIR):
        if one.fit is None:
            continue
        points = sample(one.record)
        surface = carnot_fraction.terms(points.load, points.lift)
        matrix = surface / points.fraction[:, None]
        free = np.linalg.lstsq(matrix, np.ones(len(matrix)), rcond=None)[0]
        broken += not carnot_fraction.shape_of(tuple(free), 8.0).is_sound
        error = carnot_fraction.fraction(tuple(free), points.load, points.lift)
        rms = np.sqrt(np.mean((error / points.fraction - 1.0) ** 2))
        if one.fit.is_shaped:
            prices.append(one.fit.error.rms - 100.0 * rms)
    assert broken == 49
    assert np.median(prices) < 0.12


def test_points_of_a_fit_lie_inside_the_records_ranges() -> None:
    for one in judgements().values():
        if one.fit is None:
            continue
        r = raw(one.record.name)
        (x0, x1), (y0, y1), (p0, p1) = corners(r)
        fit, points = one.fit, sample(one.record)
        assert max(p0, 0.25) - 1e-9 <= points.load.min()
        assert points.load.max() <= min(p1, 1.05) + 1e-9
        assert 8.0 <= fit.lift_range[0] < fit.lift_range[1] <= 30.0
        if one.record.form == REFORMULATED:
            assert y0 - x1 - 1e-6 <= fit.lift_range[0]
            assert fit.lift_range[1] <= y1 - x0 + 1e-6


def errors_by_hand(
    fit: ChillerFit, r: dict[str, Any], loads: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Return the errors of COP on the sample's grid, available and rated."""
    errors, rated_errors = [], []
    x_ends, y_ends, _ = corners(r)
    grid = itertools.product(np.linspace(*x_ends, 9), np.linspace(*y_ends, 11), loads)
    for x, y, load in grid:
        heat, power, lift = by_hand(r, x, y, load)
        if not 8.0 <= lift <= 30.0:
            continue
        rated = heat / -r["QEva_flow_nominal"]
        wanted, form = heat / power, (fit.efficiency, fit.idle_power)
        errors.append(cop_by_hand(*form, load, lift, x) / wanted - 1)
        if rated <= 1.05:
            rated_errors.append(cop_by_hand(*form, rated, lift, x) / wanted - 1)
    return errors, rated_errors


def test_the_fit_error_is_that_of_an_evaluation_by_hand() -> None:
    name = "ElectricEIRChiller_York_YT_1881kW_6_77COP_VSD"
    fit, r = fit_chiller(find_record(name)), raw(name)
    above = errors_by_hand(fit, r, np.linspace(0.25, r["PLRMax"], 16))
    below = errors_by_hand(fit, r, np.linspace(r["PLRMin"], 0.25, 16))
    assert fit.low_load is not None
    pairs = (fit.error, above[0]), (fit.as_used, above[1]), (fit.low_load, below[0])
    for found, wanted in pairs:
        error = 100.0 * np.array(wanted)
        assert found.points == len(error)
        np.testing.assert_allclose(found.rms, np.sqrt(np.mean(error**2)), rtol=1e-6)
        np.testing.assert_allclose(found.worst, np.max(np.abs(error)), rtol=1e-6)
        np.testing.assert_allclose(found.bias, np.mean(error), atol=1e-6)


@pytest.mark.parametrize("name", FITTED)
def test_the_published_method_gives_the_published_coefficients(name: str) -> None:
    r = raw(FITTED[name].record)
    x_ends, y_ends, _ = corners(r)
    rows, wanted = [], []
    for x in np.linspace(*x_ends, 5):
        for y in np.linspace(*y_ends, 6):
            for load in np.linspace(0.25, 1.0, 6):
                heat, power, lift = by_hand(r, x, y, load)
                if lift >= 4.0:
                    rows.append([1.0, load, load**2, lift, lift**2, load * lift])
                    wanted.append(heat / power * (lift + 3.0) / (x + 273.15 - 1.5))
    eta = np.array(wanted)
    found = np.linalg.lstsq(np.array(rows), eta, rcond=None)[0]
    np.testing.assert_allclose(found, FITTED[name].efficiency, atol=5.1e-6)
    rest = np.array(rows) @ found - eta
    r2, rmse = PUBLISHED[name]
    np.testing.assert_allclose(
        1.0 - np.sum(rest**2) / np.sum((eta - eta.mean()) ** 2), r2, atol=6e-4
    )
    np.testing.assert_allclose(
        100.0 * np.sqrt(np.mean(rest**2)) / eta.mean(), rmse, atol=0.051
    )


@pytest.mark.parametrize("name", FITTED)
def test_fitted_machines_follow_their_own_records_within_3_percent(name: str) -> None:
    fitted = FITTED[name]
    record = find_record(fitted.record)
    found = assess(record, fitted.efficiency)
    assert found.error.rms < 3.0
    assert found.error.worst < 5.0
    assert found.shape.is_sound
    assert found.shape.clipped_low == found.shape.clipped_high == 0.0
    assert (fitted.capacity, fitted.cop) == (record.capacity, record.cop)
    assert fitted.evaporator_flow == record.evaporator_flow
    assert fitted.condenser_flow == record.condenser_flow
    np.testing.assert_allclose(
        (fitted.error_rms, fitted.error_worst),
        (found.error.rms, found.error.worst),
        atol=0.0051,
    )


@pytest.mark.parametrize("name", FITTED)
def test_our_refit_is_no_worse_than_the_published_and_nearly_equal(name: str) -> None:
    fitted = FITTED[name]
    ours, points = (
        fit_chiller(find_record(fitted.record)),
        sample(find_record(fitted.record)),
    )
    assert ours.error.rms < fitted.error_rms
    assert not ours.is_shaped
    ratio = carnot_fraction.fraction(ours.efficiency, points.load, points.lift)
    ratio /= carnot_fraction.fraction(fitted.efficiency, points.load, points.lift)
    assert np.sqrt(np.mean((ratio - 1.0) ** 2)) < 0.0075
    assert np.max(np.abs(ratio - 1.0)) < 0.03


def colder_half_error(record: ChillerRecord) -> FitError:
    """Return the error at the warmest leaving water of a fit to the colder half."""
    low, high = record.leaving_range
    colder = dataclasses.replace(record, leaving_range=(low, (low + high) / 2.0))
    warmest = dataclasses.replace(record, leaving_range=(high - 1e-3, high))
    return assess(warmest, fit_chiller(colder).efficiency).error


@pytest.mark.parametrize("name", FITTED)
def test_a_fit_to_the_colder_half_predicts_the_warmest_water(name: str) -> None:
    found = colder_half_error(find_record(FITTED[name].record))
    assert found.rms < 2.5
    assert abs(found.bias) < 2.0


def test_usable_fits_to_the_colder_half_predict_the_warmest_water() -> None:
    usable = [one.record for one in fits_of(EIR) if not one.refusals]
    errors = [colder_half_error(record) for record in usable]
    assert len(errors) == 140
    assert np.median([error.rms for error in errors]) < 2.7
    assert np.percentile([error.rms for error in errors], 90.0) < 7.3
    assert 0.0 < np.median([error.bias for error in errors]) < 0.9


def test_a_machine_is_found_by_name_and_a_wrong_name_is_refused() -> None:
    assert find_fitted("york-yt-1881", "site.toml") is FITTED["york-yt-1881"]
    with pytest.raises(InputError, match=r"site\.toml: found 'york-yt-1880'.*1881'\?"):
        find_fitted("york-yt-1880", "site.toml")


def test_fitting_rated_part_load_serves_a_plant_of_constant_capacity() -> None:
    record = find_record("ElectricEIRChiller_York_YK_4396kW_6_63COP_Vanes")
    available, rated = fit_chiller(record, AVAILABLE), fit_chiller(record, RATED)
    assert available.capacity_range[1] - available.capacity_range[0] > 0.5
    assert rated.error == rated.as_used
    assert rated.as_used.rms < 0.6 * available.as_used.rms
    assert available.error.rms < rated.error.rms


@pytest.mark.parametrize("name", ["trane_cvhf_2317", "carrier_19xr_2391kW_6_44"])
def test_the_site_section_is_one_that_a_site_accepts(name: str, tmp_path: Path) -> None:
    fit = fit_chiller(find_record(name))
    reference = load_site()
    section = site_section(fit, reference.root.data["equipment"]["chiller"])
    text = reference.path.read_text(encoding="utf-8")
    before, rest = text.split("[equipment.chiller]")
    after = rest[rest.index("\n[") :]
    path = tmp_path / "mine.toml"
    path.write_text(before + section + after, encoding="utf-8")
    chiller = load_site(path).plant.chiller
    np.testing.assert_allclose(chiller.efficiency, fit.efficiency, rtol=1e-6)
    np.testing.assert_allclose(chiller.idle_power, fit.idle_power, rtol=1e-6)
    np.testing.assert_allclose(chiller.capacity, fit.record.capacity, rtol=1e-6)
    np.testing.assert_allclose(chiller.evaporator_flow, fit.record.evaporator_flow)
    np.testing.assert_allclose(chiller.condenser_flow, fit.record.condenser_flow)
    kept = reference.plant.chiller
    assert float(chiller.start_time) == float(kept.start_time)
    assert tomllib.loads(section)["equipment"]["chiller"]["count"] == 3
