"""Figures, seeds and intervals from numbers that are known beforehand."""

import dataclasses

import numpy as np
import pytest
from made_traces import CAUSES, made_account, made_trace, with_broken
from scipy import stats

from coolbound_controllers.evaluation_bins import bin_table
from coolbound_controllers.evaluation_bootstrap import block_bootstrap
from coolbound_controllers.evaluation_figures import figures
from coolbound_controllers.evaluation_seeds import seed_figures, spread
from coolbound_envs.spec import CHANNEL_NAMES


def quiet(days: int = 2, **changes: object) -> dict:
    trace = made_trace(days=days)
    account = made_account(days, 2, **changes)
    return figures(dataclasses.replace(trace, days=account))


def test_energies_and_ratios_follow_their_definitions() -> None:
    found = quiet()
    hours = 2 * 2 * 24
    assert found["total_energy_kwh"] == pytest.approx(1100.0 * hours)
    assert found["cooling_energy_kwh"] == pytest.approx(100.0 * hours)
    assert found["cooling_energy_21_kwh"] == pytest.approx(110.0 * hours)
    assert found["energy_kwh"]["extra_it"] == pytest.approx(10.0 * hours)
    assert found["energy_kwh"]["chiller"] == pytest.approx(50.0 * hours)
    assert found["above_work_kw"] == pytest.approx(120.0)
    assert found["mlc"] == pytest.approx(0.1)
    assert found["mlc_21"] == pytest.approx(110.0 / 990.0)
    assert found["pue"] == pytest.approx(1.1)
    assert found["wue"] == pytest.approx(1.0)
    assert found["peak_power_kw"] == pytest.approx(1200.0)
    assert found["reward"] == pytest.approx(-1.0)
    assert found["steps"] == 4 * 288


def test_colder_inlets_than_21_degc_count_in_favour() -> None:
    found = quiet(reference=np.full((2, 2), 1.01e6))
    assert found["cooling_energy_21_kwh"] < found["cooling_energy_kwh"]


def test_warmth_and_travel_are_means_of_a_place_and_day() -> None:
    warm, travel = np.zeros((2, 2, 2)), np.zeros((2, 2, 10))
    warm[0, 0] = (4.0, 1.0)
    travel[1, 1, 4] = 8.0
    found = quiet(warm=warm, travel=travel)
    assert found["degree_minutes_above"] == {"25": 60.0, "27": 15.0}
    assert found["actuator_travel"][CHANNEL_NAMES[4]] == 2.0
    assert sum(found["actuator_travel"].values()) == 2.0


def test_interventions_are_counted_by_limit_and_by_kind() -> None:
    found = figures(made_trace(days=3, is_guarded=True))
    told = found["interventions"]
    assert told["count"] == 6 * 29
    assert told["by_limit"] == {"CA_T_MAX": 120, "CHWS_SLEW": 54}
    assert told["by_kind"] == {"limit": 120, "ramp": 54, "fallback": 0}
    assert found["intervention_rate"] == pytest.approx(29.0 / 288.0)
    assert list(told["by_limit"]) == ["CA_T_MAX", "CHWS_SLEW"], "most frequent first"
    assert len(CAUSES) == 3


def test_a_broken_limit_is_counted_with_the_worst_of_it() -> None:
    found = figures(with_broken(made_trace(), "CA_T_MAX", 5))
    assert found["violations"]["CA_T_MAX"]["after"] == 5
    assert found["violations"]["CA_T_MAX"]["worst"] == 0.75
    assert found["violations"]["LIFT_MIN"]["after"] == 0
    assert found["violation_steps"] == 5


def test_a_bin_says_how_much_less_it_used_and_empty_ones_are_absent() -> None:
    less, base = made_trace(cooling=0.9), made_trace(cooling=1.0)
    table = bin_table(less.bins, base.bins)
    assert len(table) == 2
    first = table[0]
    assert first["wet_bulb_c"] == [10.0, 15.0]
    assert first["load"] == [0.6, 0.7]
    assert first["hours"] == pytest.approx(200.0 * 28 * 2 / 12.0)
    assert first["percent"] == pytest.approx(100.0 * 10.0 / 110.0)


def test_a_spread_is_students_t_over_all_values() -> None:
    values = [3.0, 4.5, 4.0, 2.5, 6.0]
    found = spread(values)
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert found["low"] == pytest.approx(low)
    assert found["high"] == pytest.approx(high)
    assert (found["mean"], found["worst"]) == (4.0, 6.0)
    assert spread(values, more_is_better=True)["worst"] == 2.5
    assert found["all"] == values


def test_one_seed_has_no_interval_and_a_nan_no_mean() -> None:
    assert spread([2.0])["low"] is None
    assert spread([2.0])["mean"] == 2.0
    broken = spread([1.0, float("nan"), 2.0])
    assert (broken["mean"], broken["worst"], broken["low"]) == (None, None, None)


def test_seeds_report_mean_worst_and_who_kept_each_limit() -> None:
    runs = [figures(made_trace(cooling=0.9 + 0.01 * i, seed=i)) for i in range(4)]
    runs[3] = figures(with_broken(made_trace(seed=3), "CA_T_MAX", 7))
    runs[2]["costs"]["thermal"] = 0.05
    pairs = [{"percent": x, "percent_21": 10.0 * x} for x in (1.0, 2.0, 3.0, 2.0)]
    found = seed_figures(runs, pairs, 0.02)
    assert found["costs"]["thermal"]["share_within"] == 0.75
    assert found["costs"]["thermal"]["limit"] == 0.02
    assert found["costs"]["hydronic"]["share_within"] == 1.0
    assert found["limits"]["CA_T_MAX"]["share_within"] == 0.75
    assert found["limits"]["CA_T_MAX"]["after"]["worst"] == 7
    assert found["share_without_violation"] == 0.75
    assert found["percent_21"]["worst"] == 10.0, "the least is the worst"
    energies = [run["cooling_energy_21_kwh"] for run in runs]
    assert found["cooling_energy_21_kwh"]["all"] == energies
    assert found["cooling_energy_21_kwh"]["worst"] == max(energies)


def test_the_bootstrap_of_a_constant_share_is_that_share() -> None:
    weather = np.random.default_rng(1).uniform(50.0, 150.0, (40, 3))
    low, high = block_bootstrap(weather, 0.9 * weather) or (0.0, 0.0)
    assert low == pytest.approx(10.0)
    assert high == pytest.approx(10.0)


def test_the_bootstrap_refuses_what_is_too_short_or_used_nothing() -> None:
    assert block_bootstrap(np.ones((3, 1)), np.ones((3, 1))) is None
    assert block_bootstrap(np.zeros((30, 1)), np.zeros((30, 1))) is None


def test_the_bootstrap_covers_the_truth_of_days_that_depend_on_each_other() -> None:
    generator = np.random.default_rng(2)
    hits = 0
    for trial in range(60):
        noise = generator.standard_normal(140)
        for day in range(1, 140):
            noise[day] += 0.5 * noise[day - 1]
        base = np.full((140, 1), 100.0)
        found = block_bootstrap(base, base - 10.0 - noise[:, None], seed=trial)
        assert found is not None
        hits += found[0] <= 10.0 <= found[1]
    assert hits >= 0.8 * 60, "a 95 % interval of 20 blocks covers 80 % at least"
