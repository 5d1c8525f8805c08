"""Which faults an episode gets: read from files, fixed, or drawn at their rates."""

import dataclasses
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_envs.fault_events import FaultSchedule, make_schedule
from coolbound_envs.fault_files import load_faults
from coolbound_envs.fault_kinds import KINDS, FaultEvent, FaultKind, kinds_table
from coolbound_envs.fault_schedule import (
    draw_faults,
    fixed_plan,
    no_fault_plan,
    random_plan,
    random_schedule,
)
from coolbound_envs.spec import OBSERVATION_SIZE, POINTS
from coolbound_envs.tables import InputError


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "drill.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_gives_the_events_that_it_says(tmp_path: Path) -> None:
    path = toml(
        tmp_path,
        """
        [[fault]]
        kind = "chiller_trip"
        target = "chiller2"
        start = "2 h"
        duration = "45 min"
        [[fault]]
        kind = "load_step"
        target = "hall1"
        start = "600 s"
        size = 0.2
        [[fault]]
        kind = "heat_wave"
        start = "1 day"
        duration = "2 day"
        size = "18 delta_degF"
        [[fault]]
        kind = "sensor_bias"
        target = "chw_flow"
        start = "0 s"
        duration = "1 h"
        size = "-2 kg/s"
        [[fault]]
        kind = "sensor_drift"
        target = "crah_valve_hall1"
        start = "0 s"
        size = "0.01 1/day"
        [[fault]]
        kind = "sensor_late"
        target = "outdoor_temp"
        start = "0 s"
        size = 2
        """,
    )
    found = load_faults(path)
    assert found[0] == FaultEvent(FaultKind.CHILLER_TRIP, "chiller2", 7200.0, 2700.0)
    assert found[1] == FaultEvent(FaultKind.LOAD_STEP, "hall1", 600.0, math.inf, 0.2)
    assert found[2].size == pytest.approx(10.0)
    assert found[3].size == -2.0
    assert found[4].size == pytest.approx(0.01)
    assert found[5].size == 2.0
    assert make_schedule(found).kind.shape == (6,)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('kind = "chiller_tripp"', ("chiller_tripp", "chiller_trip")),
        ('target = "chiller9"', ("chiller9",)),
        ('start = "2"', ("start", "'2'")),
        ('start = "2 kg"', ("kg", "'s'")),
        ('start = "-2 h"', ("start", "-2 h")),
        ('duration = "0 s"', ("duration 0",)),
        ("size = 0.5", ("size 0.5", "none")),
        ('begin = "2 h"', ("begin",)),
    ],
)
def test_a_wrong_file_is_refused_with_file_and_key(
    tmp_path: Path, line: str, words: tuple[str, ...]
) -> None:
    given_lines = {
        "kind": 'kind = "chiller_trip"',
        "target": 'target = "chiller1"',
        "start": 'start = "1 h"',
    }
    given_lines[line.partition(" ")[0]] = line
    path = toml(tmp_path, "[[fault]]\n" + "\n".join(given_lines.values()))
    with pytest.raises(InputError) as caught:
        load_faults(path)
    assert "drill.toml.fault[0]" in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_file_without_faults_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no fault"):
        load_faults(toml(tmp_path, ""))


LANES = 4096
EVERY_KIND = {kind: 0.5 for kind in KINDS}


def drawn(seed: int = 0) -> FaultSchedule:
    plan = random_plan(EVERY_KIND, 86400.0)
    schedule = random_schedule(jax.random.key(seed), (LANES,), plan)
    return jax.tree.map(np.asarray, schedule)


def test_random_faults_come_at_their_rates() -> None:
    kind = drawn().kind
    for each in KINDS:
        count = np.sum(kind == each) / LANES
        assert count == pytest.approx(0.5, abs=5.0 * math.sqrt(0.5 / LANES))
    # A Poisson process: the variance of a day's number is its mean.
    number = np.sum(kind != FaultKind.NONE, axis=0)
    assert np.var(number) == pytest.approx(0.5 * len(KINDS), rel=0.08)


def test_random_faults_are_ones_that_could_be_asked_for() -> None:
    schedule = drawn()
    picks = np.random.default_rng(0).choice(LANES, 200)
    for row in range(schedule.kind.shape[0]):
        for lane in picks:
            kind = FaultKind(int(schedule.kind[row, lane]))
            if kind == FaultKind.NONE:
                continue
            facts = KINDS[kind]
            event = FaultEvent(
                kind,
                int(schedule.target[row, lane]),
                float(schedule.start[row, lane]),
                float(schedule.duration[row, lane]),
                float(schedule.size[row, lane]) if facts.unit else None,
            )
            again = make_schedule([event])
            assert float(again.size[0]) == pytest.approx(schedule.size[row, lane])
            assert event.start_s % 300.0 == 0.0
            assert 0.0 <= event.start_s < 86400.0
            assert facts.lasting[0] <= event.duration_s <= facts.lasting[1]


def test_random_targets_cover_machines_halls_and_points_evenly() -> None:
    schedule = drawn()

    def targets(kind: FaultKind) -> np.ndarray:
        return np.asarray(schedule.target)[np.asarray(schedule.kind) == kind]

    for kind, count in (
        (FaultKind.CHILLER_TRIP, 3),
        (FaultKind.CRAH_LOSS, 2),
        (FaultKind.SENSOR_STUCK, OBSERVATION_SIZE),
    ):
        share = np.bincount(targets(kind), minlength=count) / len(targets(kind))
        np.testing.assert_allclose(share, 1.0 / count, atol=0.05)
    noisy = {i for i, point in enumerate(POINTS) if point.noise > 0.0}
    assert set(targets(FaultKind.SENSOR_BIAS)) == noisy
    assert set(targets(FaultKind.POWER_DIP)) == {-1}


def test_random_instrument_errors_have_both_signs_and_the_size_of_their_noise() -> None:
    schedule = drawn()
    is_bias = schedule.kind == FaultKind.SENSOR_BIAS
    noise = np.asarray([p.noise for p in POINTS])[schedule.target[is_bias]]
    in_noise = schedule.size[is_bias] / noise
    assert np.all(np.abs(in_noise) > 4.99)
    assert np.all(np.abs(in_noise) < 20.01)
    assert 0.4 < np.mean(in_noise > 0.0) < 0.6


def test_the_same_key_draws_the_same_faults_and_another_draws_others() -> None:
    first, again, other = drawn(1), drawn(1), drawn(2)
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.start, other.start)


def test_without_rates_nothing_breaks() -> None:
    plan = random_plan({FaultKind.POWER_DIP: 2.0}, 86400.0)
    silent = dataclasses.replace(plan, rates=jnp.zeros_like(plan.rates))
    kind = random_schedule(jax.random.key(0), (64,), silent).kind
    assert kind.shape[0] > 2
    np.testing.assert_array_equal(kind, FaultKind.NONE)
    assert no_fault_plan().slots == 0


def test_fixed_schedules_go_to_their_city_or_by_chance() -> None:
    trip = [FaultEvent(FaultKind.CHILLER_TRIP, "chiller1", 0.0, 300.0)]
    dips = [FaultEvent(FaultKind.POWER_DIP, "site", 0.0, 9.0)] * 2
    city = jnp.asarray([0, 1, 2, 1] * 64, jnp.int32)
    by_city = fixed_plan(trip, dips, by_city=True)
    kind = np.asarray(draw_faults(jax.random.key(0), city, (256,), by_city).kind)
    assert kind.shape == (2, 256)
    np.testing.assert_array_equal(kind[0, :4], [1, 9, 1, 9])
    np.testing.assert_array_equal(kind[1, :4], [0, 9, 0, 9])
    chance = np.asarray(
        draw_faults(jax.random.key(0), city, (256,), fixed_plan(trip, dips)).kind
    )
    assert 0.3 < np.mean(chance[0] == FaultKind.CHILLER_TRIP) < 0.7


def test_random_faults_come_on_top_of_fixed_ones() -> None:
    trip = [FaultEvent(FaultKind.CHILLER_TRIP, "chiller1", 0.0, 300.0)]
    plan = random_plan({FaultKind.POWER_DIP: 3.0}, 86400.0, fixed_plan(trip))
    city = jnp.zeros((512,), jnp.int32)
    kind = np.asarray(draw_faults(jax.random.key(0), city, (512,), plan).kind)
    np.testing.assert_array_equal(kind[0], FaultKind.CHILLER_TRIP)
    assert np.mean(np.sum(kind[1:] == FaultKind.POWER_DIP, axis=0)) == pytest.approx(
        3.0, abs=0.4
    )


@pytest.mark.parametrize(
    ("rates", "window", "words"),
    [
        ({FaultKind.POWER_DIP: -1.0}, 3600.0, "rate -1.0"),
        ({FaultKind.NONE: 1.0}, 3600.0, "kind"),
        ({FaultKind.POWER_DIP: 1.0}, 0.0, "window of 0 s"),
        ({FaultKind.POWER_DIP: 1.0}, 365 * 86400.0, "365.0 faults"),
    ],
)
def test_an_impossible_plan_is_refused(
    rates: dict[FaultKind, float], window: float, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        random_plan(rates, window)
    with pytest.raises(InputError, match="no list"):
        fixed_plan()


def test_the_table_for_readers_names_every_kind_with_its_unit() -> None:
    rows = kinds_table().splitlines()
    assert len(rows) == len(KINDS) + 2
    for kind in KINDS:
        assert any(f"`{kind.name.lower()}`" in row for row in rows)
    assert all(row.count("|") == 6 for row in rows)
