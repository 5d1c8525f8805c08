"""Below a quarter load: one number more, fitted, judged, and sound in shape."""

import dataclasses

import numpy as np
import pytest
from judged_chillers import fits_of, judgements
from made_plants import site
from raw_chillers import by_hand, cop_by_hand, corners, raw

from coolbound_envs import carnot_fraction
from coolbound_envs.carnot_fraction import IDLE_POWER, IDLE_POWER_MAX
from coolbound_envs.chiller_fit import assess, fit_chiller
from coolbound_envs.chiller_records import EIR, find_record
from coolbound_envs.chiller_report import report_text, site_section
from coolbound_envs.chiller_samples import RATED, sample
from coolbound_envs.chiller_verdict import FLAGGED, REFUSED
from coolbound_envs.fitted_chillers import FITTED
from coolbound_envs.site import load_site


@pytest.mark.parametrize("name", FITTED)
def test_fitted_machines_follow_their_records_below_a_quarter_load(name: str) -> None:
    fitted = FITTED[name]
    record = find_record(fitted.record)
    found = assess(record, fitted.efficiency, idle_power=fitted.idle_power).low_load
    assert found is not None
    assert found.rms < 1.5
    assert found.worst < 5.0
    assert abs(found.bias) < 1.0
    assert assess(record, fitted.efficiency).idle_power == fitted.idle_power


def test_the_fitted_machines_error_below_a_quarter_load_is_found_by_hand() -> None:
    for fitted in FITTED.values():
        r = raw(fitted.record)
        x_ends, y_ends, (least, _) = corners(r)
        squares = []
        for x in np.linspace(*x_ends, 7):
            for y in np.linspace(*y_ends, 7):
                for load in np.linspace(least, 0.24, 5):
                    heat, power, lift = by_hand(r, x, y, load)
                    if 8.0 <= lift <= 30.0:
                        form = fitted.efficiency, fitted.idle_power
                        found = cop_by_hand(*form, load, lift, x)
                        squares.append((found * power / heat - 1.0) ** 2)
        assert len(squares) > 100
        assert 100.0 * np.sqrt(np.mean(squares)) < 1.6


def test_the_reference_site_has_the_idle_power_of_the_machine_that_it_names() -> None:
    chiller = site().plant.chiller
    fitted = FITTED[load_site().root.data["equipment"]["chiller"]["efficiency"]]
    np.testing.assert_allclose(chiller.efficiency, fitted.efficiency, rtol=1e-6)
    np.testing.assert_allclose(chiller.idle_power, fitted.idle_power, rtol=1e-6)


@pytest.mark.parametrize("idle", [0.0, 0.37, IDLE_POWER_MAX])
def test_the_idle_power_of_a_line_of_power_is_found_again(idle: float) -> None:
    generator = np.random.default_rng(13)
    load, lift = generator.uniform((0.05, 8.0), (0.25, 30.0), (200, 2)).T
    e = FITTED["york-yt-1881"].efficiency
    cop = [cop_by_hand(e, idle, p, dt, 7.0) for p, dt in zip(load, lift, strict=True)]
    wanted = carnot_fraction.fraction_of(np.array(cop), lift, 7.0 + 0.0 * lift)
    assert carnot_fraction.fit_idle_power(e, load, lift, wanted) == idle


def test_no_idle_power_near_the_fitted_one_follows_the_record_better() -> None:
    record = find_record("trane_cvhe_1442")
    fit = fit_chiller(record)
    assert fit.low_load is not None
    for step in (-0.02, 0.02):
        other = assess(record, fit.efficiency, idle_power=fit.idle_power + step)
        assert other.low_load is not None
        assert other.low_load.rms > fit.low_load.rms


def test_cop_falls_with_lift_and_power_rises_with_load_on_every_fit() -> None:
    load, lift = np.linspace(0.05, 1.05, 201), np.linspace(8.0, 30.0, 111)
    grid = np.meshgrid(load, lift, indexing="ij")
    for one in judgements().values():
        if one.fit is None:
            continue
        eta = carnot_fraction.fraction(one.fit.efficiency, *grid, one.fit.idle_power)
        assert np.all(np.diff(eta / (lift + 3.0), axis=1) < 0.0), one.record.name
        assert np.all(np.diff(load[:, None] / eta, axis=0) > 0.0), one.record.name


def test_the_form_is_continuous_where_the_line_of_power_begins() -> None:
    lift = np.linspace(8.0, 30.0, 23)
    for fitted in FITTED.values():
        form = fitted.efficiency, fitted.idle_power
        below, above = (
            carnot_fraction.fraction(form[0], load + 0.0 * lift, lift, form[1])
            for load in (0.25 - 1e-7, 0.25 + 1e-7)
        )
        np.testing.assert_allclose(below, above, rtol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "ElectricEIRChiller_Trane_CVHE_1484kW_9_96COP_VSD",
        "ElectricEIRChiller_York_YK_4396kW_6_63COP_Vanes",
    ],
)
def test_data_that_hardly_go_below_a_quarter_load_set_no_idle_power(name: str) -> None:
    one = judgements()[name]
    assert one.fit is not None
    assert one.record.load_range[0] > 0.22
    assert (one.fit.idle_power, one.fit.idle_data_from) == (IDLE_POWER, None)
    assert f"idle_power {IDLE_POWER:.2f} is assumed" in report_text(one)
    section = site_section(one.fit, load_site().root.data["equipment"]["chiller"])
    assert f"idle_power {IDLE_POWER:.2f} is assumed" in section


def test_the_assumed_idle_power_is_the_median_of_records_that_tell() -> None:
    fits = [one.fit for one in fits_of(EIR) if one.fit and not one.refusals]
    told = [fit for fit in fits if fit.idle_data_from and fit.idle_data_from <= 0.12]
    known = [fit.idle_power for fit in told]
    assert len(known) > 40
    np.testing.assert_allclose(np.median(known), IDLE_POWER, atol=0.005)


def test_a_record_that_the_line_cannot_follow_is_not_called_good() -> None:
    far = [
        one
        for one in judgements().values()
        if one.fit and one.fit.low_load and one.fit.low_load.rms > 5.0
    ]
    assert len(far) > 30
    for one in far:
        kinds = [reason.kind for reason in one.remarks]
        assert one.verdict in (FLAGGED, REFUSED)
        assert "RMS error above 5 % below part load 0.25" in kinds
    worst = judgements()["ElectricEIRChiller_York_YT_563kW_10_61COP_Vanes"]
    assert worst.verdict == FLAGGED
    assert worst.fit is not None
    assert worst.fit.idle_power == IDLE_POWER_MAX


def test_a_record_without_power_below_a_quarter_load_only_is_refused() -> None:
    one = judgements()["ReformEIRChiller_York_YS_672kW_7_90COP_Valve"]
    assert np.isfinite(sample(one.record).cop).all()
    assert one.verdict == REFUSED
    assert "no power" in " ".join(reason.kind for reason in one.refusals)


def test_most_usable_eir_records_are_followed_below_a_quarter_load() -> None:
    usable = [one.fit for one in fits_of(EIR) if one.fit and not one.refusals]
    low = [fit.low_load for fit in usable if fit.low_load]
    assert (len(low), len(usable)) == (117, 140)
    assert np.median([error.rms for error in low]) < 2.5
    assert np.percentile([error.rms for error in low], 90.0) < 4.3
    assert abs(np.median([error.bias for error in low])) < 0.8


def test_a_fit_over_rated_load_takes_its_surface_from_a_quarter_of_rated() -> None:
    record = find_record("trane_cvhe_1442")
    r = raw(record.name)
    x_ends, y_ends, (_, most) = corners(r)
    rows = []
    for x in np.linspace(*x_ends, 9):
        for y in np.linspace(*y_ends, 11):
            for load in np.linspace(0.25, min(most, 1.05), 16):
                heat, power, lift = by_hand(r, x, y, load)
                rated = heat / -r["QEva_flow_nominal"]
                if 8.0 <= lift <= 30.0 and 0.25 <= rated <= 1.05:
                    eta = heat / power * (lift + 3.0) / (x + 273.15 - 1.5)
                    row = [1.0, rated, rated**2, lift, lift**2, rated * lift]
                    rows.append(np.array(row) / eta)
    wanted = np.linalg.lstsq(np.array(rows), np.ones(len(rows)), rcond=None)[0]
    fit = fit_chiller(record, RATED)
    assert not fit.is_shaped
    assert fit.error.points > len(rows)
    np.testing.assert_allclose(fit.efficiency, wanted, rtol=1e-4)


def test_the_surface_does_not_depend_on_data_below_a_quarter_load() -> None:
    record = find_record("york_yt_1881")
    shorter = dataclasses.replace(record, load_range=(0.25, record.load_range[1]))
    assert fit_chiller(shorter).efficiency == fit_chiller(record).efficiency
    assert fit_chiller(shorter).low_load is None
