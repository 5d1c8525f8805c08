"""Figures of Guideline 14 and the split of a log, against closed forms."""

import dataclasses
import math

import numpy as np
import pytest
from made_calibration_logs import made_log

from coolbound_envs.tables import InputError
from coolbound_shadow.calibration.bins import binned, worst_share
from coolbound_shadow.calibration.metrics import compare, hourly
from coolbound_shadow.calibration.split import split_log


def test_a_model_a_tenth_low_has_the_closed_form_figures() -> None:
    found = compare(np.full(48, 100.0), np.full(48, 90.0))
    # n = 48, p = 1: 480 / (47 * 100) and sqrt(4800 / 47) / 100.
    assert found.nmbe == pytest.approx(48000.0 / 4700.0)
    assert found.cv_rmse == pytest.approx(math.sqrt(4800.0 / 47.0))
    assert not found.passes()
    assert compare(np.full(48, 100.0), np.full(48, 91.0)).passes()


def test_errors_that_cancel_leave_no_bias_but_a_spread() -> None:
    error = np.tile([20.0, -20.0], 30)
    found = compare(100.0 + error, np.full(60, 100.0))
    assert found.nmbe == pytest.approx(0.0, abs=1e-12)
    assert found.cv_rmse == pytest.approx(20.0 * math.sqrt(60.0 / 59.0))
    wild = compare(100.0 + 2.0 * error, np.full(60, 100.0))
    assert (wild.cv_rmse > 30.0, wild.passes()) == (True, False)


def test_too_few_hours_give_no_figure_and_pass_nothing() -> None:
    found = compare(np.ones(23), np.ones(23))
    assert (found.hours, found.passes()) == (23, False)
    assert math.isnan(found.cv_rmse)
    assert not compare(np.zeros(48), np.zeros(48)).passes()


def test_an_hour_is_the_mean_of_its_usable_rows_and_needs_half_of_them() -> None:
    hour = np.repeat([7, 8], 12)
    usable = np.ones(24, bool)
    usable[[0, 1]] = False
    usable[12:19] = False
    found = hourly(hour, usable, 300, np.arange(24.0))
    np.testing.assert_array_equal(found.hour, [7])
    np.testing.assert_allclose(found.series[0], [np.mean(np.arange(2.0, 12.0))])


def test_cells_hold_each_hour_once_and_count_those_that_are_off() -> None:
    load = np.repeat([0.1, 0.5], 48)
    wet_bulb = np.full(96, 12.0)
    measured = np.full(96, 100.0)
    modelled = np.where(load < 0.3, 100.0, 80.0)
    cells = binned(load, wet_bulb, measured, modelled)
    assert [cell.metrics.hours for cell in cells] == [48, 48]
    assert worst_share(cells, 10.0) == pytest.approx(0.5)
    assert math.isnan(worst_share((), 10.0))


def test_whole_weeks_alternate_between_training_and_judging() -> None:
    split = split_log(made_log(days=29))
    assert split.unit == "weeks"
    assert split.held_out == (
        ("2024-05-08", "2024-05-14"),
        ("2024-05-22", "2024-05-28"),
    )
    assert not np.any(split.is_training & split.is_held_out)
    assert np.all(split.is_training | split.is_held_out)
    assert int(np.sum(split.is_held_out)) == 14 * 288


def test_a_log_of_less_than_two_weeks_is_split_by_days() -> None:
    split = split_log(made_log(days=8))
    assert split.unit == "days"
    assert int(np.sum(split.is_held_out)) == 4 * 288
    assert int(np.sum(split.is_training)) == 4 * 288


def test_a_log_of_three_days_is_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match="found 3 whole days, expected at least 4"):
        split_log(made_log(days=3))


def test_only_the_clock_decides_the_split() -> None:
    log = made_log(days=15)
    other = dataclasses.replace(log, values=np.full_like(log.values, np.nan))
    first, second = split_log(log), split_log(other)
    np.testing.assert_array_equal(first.is_training, second.is_training)
    np.testing.assert_array_equal(first.is_held_out, second.is_held_out)
