"""Intervals cover the truth on series that are far from independent."""

import numpy as np
import pytest

from coolbound_shadow.statistics import (
    DAY_S,
    Interval,
    effective_number,
    paired_difference,
    refuse_against_null,
    replay_error,
)

HOUR_S = 3600


def ar1(rng: np.random.Generator, count: int, hours: int, tau: float) -> np.ndarray:
    """Return hourly AR(1) series of unit variance, shape (count, hours)."""
    a = np.exp(-1.0 / tau)
    series = np.empty((count, hours))
    series[:, 0] = rng.normal(size=count)
    for i in range(1, hours):
        noise = rng.normal(size=count)
        series[:, i] = a * series[:, i - 1] + np.sqrt(1.0 - a * a) * noise
    return series


def compare(difference: np.ndarray, baseline: float = 100.0) -> Interval:
    """Compare a constant baseline with itself less the difference."""
    time = HOUR_S * np.arange(1, len(difference) + 1)
    flat = np.full(len(difference), baseline)
    return paired_difference(
        flat, flat - difference, time, np.zeros(len(time), dtype=np.int64), HOUR_S
    )


@pytest.mark.parametrize(("tau", "days"), [(10.0, 14), (10.0, 30), (50.0, 90)])
def test_the_interval_covers_the_truth_as_often_as_it_says(
    tau: float, days: int
) -> None:
    """Hourly differences of mean 5 and deviation 10 percent of the baseline."""
    rng = np.random.default_rng(0)
    series = 5.0 + 10.0 * ar1(rng, 200, 24 * days, tau)
    found = [each for each in map(compare, series) if not each.refused]
    covered = np.mean([each.low <= 5.0 <= each.high for each in found])
    # 95 % less three standard errors of 200 trials.
    assert covered >= 0.95 - 3.0 * np.sqrt(0.95 * 0.05 / 200)
    assert len(found) >= 150


def test_an_interval_of_independent_hours_would_be_far_too_narrow() -> None:
    rng = np.random.default_rng(1)
    series = 5.0 + 10.0 * ar1(rng, 1, 24 * 90, 50.0)[0]
    naive = 1.96 * np.std(series) / np.sqrt(len(series))
    found = compare(series)
    assert found.high - found.low > 3.0 * 2.0 * naive


def test_a_constant_share_is_found_exactly() -> None:
    time = HOUR_S * np.arange(1, 24 * 20 + 1)
    baseline = 100.0 + 30.0 * np.sin(2 * np.pi * time / DAY_S) + time / DAY_S
    offset = np.zeros(len(time), dtype=np.int64)
    found = paired_difference(baseline, 0.9 * baseline, time, offset, HOUR_S)
    np.testing.assert_allclose([found.percent, found.low, found.high], 10.0)


def test_a_step_without_either_series_counts_in_neither() -> None:
    rng = np.random.default_rng(2)
    difference = 5.0 + rng.normal(size=24 * 10)
    holes = difference.copy()
    holes[30] = np.nan
    kept = np.delete(difference, 30)
    assert compare(holes).days == 10
    assert compare(holes).percent == pytest.approx(np.mean(kept), abs=0.01)


def test_days_are_local_days_and_incomplete_ones_are_left_out() -> None:
    rng = np.random.default_rng(3)
    time = HOUR_S * np.arange(1, 24 * 10 + 1)
    power = 100.0 + rng.normal(size=len(time))
    offset = np.full(len(time), 6 * HOUR_S)
    found = paired_difference(power, 0.9 * power, time, offset, HOUR_S)
    assert (found.days, found.days_left_out) == (9, 2)


def test_too_few_days_give_a_reason_and_no_number() -> None:
    found = compare(np.ones(24 * 5))
    assert "5 whole days" in found.refused
    assert np.isnan(found.percent)


def test_days_that_are_nearly_one_sample_give_a_reason_and_no_number() -> None:
    drift = np.repeat(np.linspace(0.0, 10.0, 14), 24)
    found = compare(drift)
    assert "independent" in found.refused
    assert np.isnan(found.percent)


def test_independent_samples_are_worth_nearly_all_of_them() -> None:
    rng = np.random.default_rng(4)
    worth = [effective_number(rng.normal(size=100)) for _ in range(100)]
    assert 75.0 < np.mean(worth) <= 100.0


def test_correlated_samples_are_worth_what_theory_says() -> None:
    rng = np.random.default_rng(5)
    series = ar1(rng, 50, 5000, 10.0)
    worth = np.median([effective_number(each) for each in series])
    r = np.exp(-0.1)
    assert worth == pytest.approx(5000 * (1 - r) / (1 + r), rel=0.1)


@pytest.mark.parametrize(
    ("null_percent", "is_refused"), [(0.9, False), (-0.9, False), (1.1, True)]
)
def test_a_model_that_misses_the_operator_may_claim_nothing(
    null_percent: float, is_refused: bool
) -> None:
    potential = Interval(5.0, 4.0, 6.0)
    null = Interval(null_percent, null_percent - 0.1, null_percent + 0.1)
    found = refuse_against_null(potential, null)
    assert bool(found.refused) is is_refused
    assert np.isnan(found.percent) == is_refused


def test_without_a_null_test_nothing_is_claimed() -> None:
    found = refuse_against_null(Interval(5.0, 4.0, 6.0), Interval(refused="no meter"))
    assert found.refused == "no null test (no meter)"


def test_the_log_replayed_as_its_own_policy_differs_by_exactly_nothing() -> None:
    applied = np.array([[1.0, np.nan], [2.0, np.nan]])
    assert replay_error(applied, applied.copy()) == 0.0
    assert replay_error(applied, np.roll(applied, 1, axis=0)) == 1.0
    assert replay_error(applied, np.nan_to_num(applied)) == np.inf
