"""The regular clock: each cell against a plain count of its seconds."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coolbound_envs.types import Quality
from coolbound_shadow.intake.gridding import HOLD, CellRun, to_cells
from coolbound_shadow.intake.judge import judge, usual_interval_ms
from coolbound_shadow.intake.map_types import (
    IntakeMap,
    MapPoint,
    ResampleMap,
    Tap,
    TimeMap,
    sort_of,
)
from coolbound_shadow.intake.readings import Series
from coolbound_shadow.intake.reasons import (
    COUNTER_RESET,
    GOOD,
    OUT_OF_RANGE,
    RATE,
    READING_REASONS,
    STEP,
    STUCK,
    quality_codes,
)

QUALITY = quality_codes(READING_REASONS)


def series(time_s: Any, values: Any, code: Any = None) -> Series:
    time = np.asarray(time_s, dtype=np.int64) * 1000
    number = np.asarray(values, dtype=np.float64)
    codes = (
        np.zeros(len(time), np.uint8) if code is None else np.asarray(code, np.uint8)
    )
    zeros = np.zeros(len(time), np.int64)
    return Series(
        utc_ms=time,
        raw=number,
        values=number,
        code=codes,
        is_override=zeros.astype(bool),
        status=zeros.astype(np.int16),
        sheet=zeros.astype(np.int16),
        row=zeros,
        place=zeros,
    )


def intake(step_s: int = 60, stamp_at: str = "end") -> IntakeMap:
    time = TimeMap(stamps="utc", stamp_at=stamp_at)
    return IntakeMap("m", "s", "UTC", time, (), (), ResampleMap(step_s=step_s))


def point(**fields: Any) -> MapPoint:
    return MapPoint("p", (Tap(tag="p"),), unit="degC", **fields)


def cells(read: Series, made: MapPoint, step_s: int = 60, **more: str) -> CellRun:
    found = to_cells(read, made, intake(step_s, **more), QUALITY)
    assert found is not None
    return found


def seconds_of(read: Series, hold_s: float) -> dict[int, float]:
    """Return for each second which usable polled reading stands for it."""
    shown: dict[int, float] = {}
    time = read.utc_ms // 1000
    for i, at in enumerate(time):
        before = time[i - 1] if i else at - hold_s / HOLD
        for second in range(int(max(before, at - hold_s)), int(at)):
            if QUALITY[read.code[i]] >= Quality.UNCERTAIN:
                shown[second] = float(read.values[i])
    return shown


STEPS = st.lists(st.integers(1, 50), min_size=4, max_size=40)


@settings(deadline=None, max_examples=80)
@given(STEPS, st.integers(0, 2**31), st.sampled_from([20, 60, 100]))
def test_a_polled_mean_is_the_mean_over_the_seconds_it_stands_for(
    steps: list[int], seed: int, step_s: int
) -> None:
    rng = np.random.default_rng(seed)
    time = 1_700_000_000 + np.cumsum(steps)
    code = np.where(rng.random(len(time)) < 0.2, OUT_OF_RANGE, GOOD)
    read = series(time, rng.normal(size=len(time)), code)
    # Whole seconds, so that the plain count below is exact.
    made = point(interval_s=20.0, min_coverage=0.5)
    found = cells(read, made, step_s)
    shown = seconds_of(read, HOLD * 20.0)
    for i in range(len(found.values)):
        end = (found.first + i) * step_s
        inside = [shown[s] for s in range(end - step_s, end) if s in shown]
        assert found.coverage[i] == pytest.approx(len(inside) / step_s, abs=1e-9)
        if len(inside) >= 0.5 * step_s and inside:
            assert found.values[i] == pytest.approx(np.mean(inside), abs=1e-9)
            assert found.quality[i] >= Quality.UNCERTAIN
        else:
            assert found.quality[i] <= Quality.BAD


@settings(deadline=None, max_examples=60)
@given(STEPS, st.integers(0, 2**31), st.integers(5, 200))
def test_the_last_report_counts_until_it_is_stale(
    steps: list[int], seed: int, age: int
) -> None:
    rng = np.random.default_rng(seed)
    time = 1_700_000_000 + np.cumsum(steps)
    read = series(time, rng.normal(size=len(time)))
    found = cells(read, point(sampling="cov", resample="last", max_age_s=float(age)))
    for i, value in enumerate(found.values):
        end = (found.first + i) * 60
        known = np.flatnonzero(time <= end)
        if len(known) and end - time[known[-1]] <= age:
            assert value == read.values[known[-1]]
            assert found.quality[i] == Quality.GOOD
        else:
            assert np.isnan(value)
            assert found.quality[i] == Quality.MISSING


def test_a_setpoint_is_never_averaged() -> None:
    read = series([0, 20, 40, 60], [7.0, 7.0, 9.0, 9.0])
    assert sort_of("act", "analogue") == "setpoint"
    found = cells(read, point(role="act", resample="last"))
    assert set(found.values[np.isfinite(found.values)]) <= {7.0, 9.0}


def test_counter_increments_are_summed_and_a_reset_is_left_out() -> None:
    time = np.arange(0, 601, 60)
    counted = np.asarray([0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9], dtype=float)
    made = point(kind="counter", resample="delta", max_age_s=600.0)
    read = judge(series(time, counted), made)
    assert read.code.tolist() == [0] * 6 + [COUNTER_RESET] + [0] * 4
    found = cells(read, made)
    by_end = {60 * (found.first + i): x for i, x in enumerate(found.values.tolist())}
    assert [by_end[t] for t in (60, 120, 300)] == [2.0, 2.0, 2.0]
    assert np.isnan(by_end[360])
    assert by_end[600] == 2.0


@pytest.mark.parametrize(
    ("stamp_at", "shift"), [("end", 0), ("start", 60), ("instant", 30)]
)
def test_an_interval_mean_counts_for_its_own_interval(
    stamp_at: str, shift: int
) -> None:
    time = 600 + np.arange(10) * 60
    made = point(sampling="interval_mean", interval_s=60.0, min_coverage=0.1)
    found = cells(series(time, np.arange(10.0)), made, 60, stamp_at=stamp_at)
    ends = (found.first + np.arange(len(found.values))) * 60
    value = float(found.values[np.flatnonzero(ends == 660 + shift // 60 * 60)[0]])
    assert value == {0: 1.0, 60: 1.0, 30: 0.5}[shift]


def test_a_cell_of_failed_readings_is_bad_and_shows_them() -> None:
    read = series(
        [20, 40, 60, 80, 100, 120],
        [1.0] * 3 + [99.0] * 3,
        [0, 0, 0] + [OUT_OF_RANGE] * 3,
    )
    found = cells(read, point())
    assert found.quality.tolist() == [Quality.GOOD, Quality.BAD]
    assert found.values.tolist() == [1.0, 99.0]


def test_a_gap_leaves_its_cells_empty() -> None:
    time = [*range(0, 300, 20), *range(900, 1200, 20)]
    found = cells(series(time, np.ones(len(time))), point())
    empty = found.quality == Quality.MISSING
    assert np.sum(empty & (found.coverage == 0.0)) == 9
    # The first and last cells on either side of the gap are covered in part only.
    assert found.thin == np.sum(empty) - 9 == 4
    assert np.all(np.isnan(found.values[empty]))


@pytest.mark.parametrize(("stamp_at", "first"), [("end", 7200), ("start", 10_800)])
def test_hourly_means_fill_every_cell_of_their_hours(stamp_at: str, first: int) -> None:
    time = 7200 + 3600 * np.arange(4)
    made = point(sampling="interval_mean", interval_s=3600.0)
    found = cells(series(time, np.arange(4.0)), made, 600, stamp_at=stamp_at)
    ends = (found.first + np.arange(len(found.values))) * 600
    assert (ends[0], ends[-1]) == (first - 3000, first + 3 * 3600)
    np.testing.assert_allclose(found.values, np.repeat(np.arange(4.0), 6))


def judged(values: Any, step_s: int = 60, **fields: Any) -> list[int]:
    read = series(np.arange(len(values)) * step_s, values)
    return judge(read, point(**fields)).code.tolist()


def test_stuck_is_told_from_the_moment_it_has_lasted_too_long() -> None:
    code = judged([1.0, 2.0, *[3.0] * 8, 4.0], stuck_s=300.0)
    assert code == [0] * 7 + [STUCK] * 3 + [0]


def test_a_machine_at_rest_is_not_stuck_at_zero() -> None:
    read = series(np.arange(20) * 60, np.zeros(20))
    resting = dataclasses.replace(point(stuck_s=300.0), unit="kW")
    assert not np.any(judge(read, resting).code)
    assert np.any(judge(read, point(stuck_s=300.0)).code == STUCK)


def test_jumps_are_told_by_size_and_by_speed_but_not_across_gaps() -> None:
    assert judged([1, 1, 9, 1, 1], max_step=5.0) == [0, 0, STEP, STEP, 0]
    assert judged([1, 1, 9, 9, 9], max_rate=5.0) == [0, 0, RATE, 0, 0]
    read = series([0, 60, 120, 9000], [1.0, 1.0, 1.0, 9.0])
    assert not np.any(judge(read, point(max_step=5.0)).code)


def test_the_usual_interval_is_the_median_of_the_steps() -> None:
    read = series([0, 60, 120, 500, 560], np.ones(5))
    assert usual_interval_ms(read) == 60_000.0
    assert usual_interval_ms(series([5], [1.0])) == 0.0
