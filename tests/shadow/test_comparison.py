"""Figures that set policy and operator side by side, against plain counting."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_comparison import made_comparison, met, novel, twin, year
from made_logs import made_decisions, made_log, made_report

from coolbound_controllers.normaliser import Normaliser
from coolbound_controllers.policy import LearnedPolicy, PolicyWeights
from coolbound_envs.load import Load
from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS, POINT_INDEX
from coolbound_envs.types import Observation
from coolbound_envs.weather import Weather
from coolbound_shadow.agreement import agreement_by, agreements
from coolbound_shadow.conditions import (
    LOAD_EDGES,
    WET_BULB_EDGES,
    bins,
    conditions,
    load_names,
    wet_bulb_names,
)
from coolbound_shadow.controller_calls import plain_view
from coolbound_shadow.coverage import Year, coverage, grid, year_of
from coolbound_shadow.divergence import FAR, divergence
from coolbound_shadow.novelty import NOVELTY_LIMIT, is_novel, novelty
from coolbound_shadow.potential import binned, judged, without_doubtful
from coolbound_shadow.replay import Replay
from coolbound_shadow.replay_inputs import replay_inputs
from coolbound_shadow.report import render_report
from coolbound_shadow.shift_plan import USUAL, parse_plan
from coolbound_shadow.statistics import Interval

LOG = made_log(30 * 288)
DECISIONS = made_decisions(LOG)


def test_agreement_in_a_group_is_what_counting_gives() -> None:
    place = USUAL.places(met(LOG).minute)
    found = agreement_by(DECISIONS, USUAL.titles(), place)
    assert int(np.sum(found.steps)) == LOG.rows
    for g in range(3):
        rows = place == g
        gap = DECISIONS.certified[rows] - DECISIONS.applied[rows]
        band = np.asarray([channel.dead_band for channel in CHANNELS])
        np.testing.assert_allclose(found.difference[g], np.mean(gap, axis=0))
        within = np.mean(np.abs(gap) <= band * (1 + 1e-6) + 1e-6, axis=0)
        np.testing.assert_allclose(found.within[g], within, atol=2e-3)


def test_shifts_change_at_six_fourteen_and_twenty_two() -> None:
    names = [USUAL.names[g] for g in USUAL.places(60 * np.arange(24))]
    assert names == ["night"] * 6 + ["early"] * 8 + ["late"] * 8 + ["night"] * 2


def test_agreement_by_shift_has_the_hours_of_the_site() -> None:
    halves = parse_plan("day 06:30, night 19:00")
    found = agreements(DECISIONS, met(LOG), halves)["shift"]
    assert found.groups == ("day 06:30 to 19:00", "night 19:00 to 06:30")
    days = LOG.rows // 288
    np.testing.assert_array_equal(found.steps, [150 * days, 138 * days])


def test_an_unknown_circumstance_is_in_no_group() -> None:
    circumstances = met(LOG)
    circumstances.load[:100] = np.nan
    found = agreements(DECISIONS, circumstances, USUAL)["load"]
    assert int(np.sum(found.steps)) == LOG.rows - 100
    np.testing.assert_array_equal(
        bins(np.array([np.nan, 0.3, 0.29]), LOAD_EDGES), [-1, 1, 0]
    )
    assert len(load_names()) == len(LOAD_EDGES) + 1
    assert wet_bulb_names()[0] == "below \u22125 degC"


def test_load_is_what_the_halls_draw_or_what_the_water_carries(site: Site) -> None:
    design = float(site.plant.it.design_power) / 1e3
    values, quality = LOG.values.copy(), LOG.quality.copy()
    halls = [POINT_INDEX["it_power_hall1"], POINT_INDEX["it_power_hall2"]]
    values[:, halls] = 0.25 * design
    log = dataclasses.replace(LOG, values=values)
    np.testing.assert_allclose(conditions(log, site).load, 0.5)
    quality[:, halls] = 0
    bare = conditions(dataclasses.replace(log, quality=quality), site)
    assert "chilled water" in bare.load_basis


def learned(mean: np.ndarray, variance: np.ndarray) -> LearnedPolicy:
    """Return a policy of which only the statistics matter."""

    def features(observation: Observation) -> jax.Array:
        return observation.value[:, : len(mean)]

    normaliser = Normaliser(
        jnp.float32(1e6),
        jnp.asarray(mean, jnp.float32),
        jnp.asarray(variance, jnp.float32),
    )
    none = jnp.zeros((0,), jnp.float32)
    weights: Any = PolicyWeights(None, none, none, normaliser)  # pyright: ignore[reportArgumentType]
    return LearnedPolicy(
        weights, features, "test", "0" * 64, "{}", weights.normaliser.mean.size
    )


def test_the_score_is_one_on_the_training_data_whatever_its_correlation() -> None:
    rng = np.random.default_rng(2)
    steps = 2000
    for rank in (1, 3, 12):
        mixed = rng.normal(size=(steps, rank)) @ rng.normal(size=(rank, 12))
        log = made_log(steps)
        values = log.values.copy()
        values[:, :12] = mixed
        inputs = replay_inputs(dataclasses.replace(log, values=values), "Europe/Berlin")
        policy = learned(np.mean(mixed, axis=0), np.var(mixed, axis=0))
        score, cut = novelty(policy, plain_view(), inputs)
        assert np.mean(score**2) == pytest.approx(1.0, rel=0.01)
        # The limit's promise: at most 1 % of Gaussian training data, whatever the rank.
        assert np.mean(score > NOVELTY_LIMIT) <= 0.01 + 3 * np.sqrt(0.01 / steps)
        assert np.mean(is_novel(score, cut)) <= 0.02


def test_what_is_far_from_training_is_novel_and_what_is_unknown_is_not() -> None:
    log = made_log(60)
    values, quality = log.values.copy(), log.quality.copy()
    values[:, :12] = 0.0
    values[10:20, :12] = 4.0
    values[30:40, 0] = np.nan
    quality[30:40, 0] = 0
    log = dataclasses.replace(log, values=values, quality=quality)
    inputs = replay_inputs(log, "Europe/Berlin")
    score, cut = novelty(learned(np.zeros(12), np.ones(12)), plain_view(), inputs)
    assert np.flatnonzero(is_novel(score, cut)).tolist() == list(range(10, 20))
    # A reading is held for two rows; after that nothing is known.
    assert np.all(np.isnan(score[32:40]))


def test_a_rule_has_no_score() -> None:
    inputs = replay_inputs(made_log(20), "Europe/Berlin")
    rule: Any = object()
    assert np.all(np.isnan(novelty(rule, plain_view(), inputs)[0]))


def test_an_alert_needs_both_distance_and_unfamiliar_ground() -> None:
    applied = np.zeros((20, 10)) + 0.5
    proposed = applied.copy()
    fan = CHANNEL_NAMES.index("tower_fan_speed")
    proposed[5:10, fan] += FAR * 1.2
    score = np.ones(20)
    score[8:15] = 3.0
    score[9] = 4.0
    base = made_decisions(made_log(20))
    decisions = dataclasses.replace(base, applied=applied, proposed=proposed)
    found = divergence(novel(decisions, score))
    assert (found.novel, found.far, found.both) == (7, 5, 2)
    (alert,) = found.alerts
    assert (alert.row, alert.steps, alert.channel) == (8, 2, "tower_fan_speed")
    assert alert.score == 4.0
    assert alert.difference == pytest.approx(FAR * 1.2)


def test_a_machine_more_is_no_divergence() -> None:
    base = made_decisions(made_log(20))
    proposed = base.applied.copy()
    proposed[:, CHANNEL_NAMES.index("chiller_demand")] += 2.0
    decisions = novel(dataclasses.replace(base, proposed=proposed), np.full(20, 9.0))
    assert divergence(decisions).both == 0


def test_each_bin_has_its_own_numbers_and_empty_bins_have_none() -> None:
    circumstances = met(LOG)
    model = twin(LOG)
    cells = binned(LOG, model, circumstances)
    assert sum(cell.hours for cell in cells) == pytest.approx(LOG.rows / 12.0)
    assert model.powers is not None
    for cell in cells:
        here = bins(circumstances.load, LOAD_EDGES) == load_names().index(cell.load)
        at = wet_bulb_names().index(cell.wet_bulb)
        here &= bins(circumstances.wet_bulb, WET_BULB_EDGES) == at
        assert cell.operator == pytest.approx(np.mean(model.powers[0, here]))
        assert cell.null_test == pytest.approx(100 * 0.002 / 1.002)
        if not cell.potential.refused:
            assert cell.potential.percent == pytest.approx(5.0)
    assert any(not cell.potential.refused for cell in cells)
    assert len(cells) < len(load_names()) * len(wet_bulb_names())


def test_doubtful_steps_are_left_out_and_counted() -> None:
    model = twin(LOG)
    assert model.powers is not None
    powers = model.powers.copy()
    powers[1, :1000] *= 2.0
    model = dataclasses.replace(
        model, powers=powers, charge_percent=0.5, novel=np.arange(LOG.rows) < 1000
    )
    found = without_doubtful(LOG, model, DECISIONS)
    assert found.steps == 1000
    assert found.potential.percent == pytest.approx(4.5, abs=1e-6)


def replayed(decisions: Any) -> Replay:
    short = replay_inputs(made_log(2), "Europe/Berlin")
    return Replay(decisions, (), short, np.zeros(2))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_too_much_unfamiliar_ground_refuses_the_potential(share: float) -> None:
    rows = np.arange(LOG.rows) < share * LOG.rows
    model = dataclasses.replace(twin(LOG), novel=rows)
    found = judged(model, LOG, replayed(DECISIONS))
    assert bool(found.potential.refused) is (share > 0.2)
    if share > 0.2:
        assert "in 50 % of the steps" in found.potential.refused
        assert np.isnan(found.potential.percent)


def test_a_policy_that_mostly_failed_has_no_potential() -> None:
    proposed = DECISIONS.proposed.copy()
    proposed[: LOG.rows // 2] = np.nan
    decisions = novel(
        dataclasses.replace(DECISIONS, proposed=proposed), np.ones(LOG.rows)
    )
    found = judged(twin(LOG), LOG, replayed(decisions))
    assert "proposal in 50 % of the steps" in found.potential.refused


def test_a_log_of_which_few_days_are_whole_has_no_potential() -> None:
    few = dataclasses.replace(twin(LOG), potential=Interval(5.0, 4.0, 6.0, days=8))
    score = np.ones(LOG.rows)
    found = judged(few, LOG, replayed(novel(DECISIONS, score)))
    assert "27 % of the log's days are whole" in found.potential.refused


def test_coverage_counts_bins_of_the_year_and_days() -> None:
    circumstances = met(LOG)
    found = coverage(LOG, circumstances, None)
    assert found.days == 30
    assert found.share is None
    assert found.missing() == ["a year of weather and load to tell the operating range"]
    seen = Year("itself", found.seen)
    whole = coverage(LOG, circumstances, seen)
    assert whole.missing() == []
    shorter = dataclasses.replace(whole, days=20)
    assert shorter.missing() == ["8 more days of log"]
    elsewhere = coverage(LOG, circumstances, year(10))
    assert elsewhere.share == 0.0
    assert elsewhere.missing() == ["9 more bins of load and wet bulb"]


def test_the_grid_holds_every_known_hour_once() -> None:
    load = np.array([0.1, 0.95, 0.55, np.nan])
    wet_bulb = np.array([-8.0, 30.0, 12.0, 5.0])
    found = grid(load, wet_bulb, 0.5)
    assert found[0, 0] == found[-1, -1] == found[3, 4] == 0.5
    assert np.sum(found) == 1.5


def test_a_year_is_weather_by_the_hour_and_load_by_five_minutes(site: Site) -> None:
    hours = 8760
    flat = jnp.full((hours,), 12.0, jnp.float32)
    weather = Weather(
        flat, flat, flat, flat, "w", "2021-01-01T00:00+01:00", 3600.0, hours
    )
    load = Load(jnp.asarray([1.0, 0.5], jnp.float32), "l")
    found = year_of(weather, load, site)
    assert np.sum(found.hours) == pytest.approx(hours)
    idle = float(site.plant.it.idle_share)
    half = int(np.searchsorted(LOAD_EDGES, idle + (1 - idle) * 0.5, side="right"))
    assert found.hours[-1, 4] == found.hours[half, 4] == pytest.approx(hours / 2)


def test_the_report_shows_bins_alerts_and_what_is_missing() -> None:
    score = np.ones(LOG.rows)
    score[100:140] = 5.0
    proposed = DECISIONS.proposed.copy()
    proposed[100:110, 7] = DECISIONS.applied[100:110, 7] + 0.5
    decisions = novel(dataclasses.replace(DECISIONS, proposed=proposed), score)
    found = made_comparison(LOG, decisions)
    off = Interval(0.2, 0.1, 0.3, days=30)
    data = made_report(
        LOG,
        decisions,
        comparison=found,
        null_test=off,
        placebo=Interval(0.01, 0.0, 0.1),
    )
    page = render_report(data)
    first = page.split('<section class="page">')[0]
    assert "0 lies outside" in first
    assert "1/21 of the potential" in first
    assert "30 of 28 days, 0 of 10 bins" in first
    assert "it also asked for something far from the operator" in first
    assert "9 more bins of load and wet bulb" in page
    assert "By outdoor wet bulb" in page
    assert len(page.encode()) < 2_000_000
    refused = made_report(
        LOG, decisions, comparison=found, potential=Interval(refused="no reason")
    )
    assert "No numbers, since the whole has none." in render_report(refused)
