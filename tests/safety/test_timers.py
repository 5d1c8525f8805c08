"""The layer's own clock, against one kept in plain Python that is slow and obvious."""

import dataclasses
import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seen_plants import model, situation

from coolbound_safety.timers import first_timers, permissions, watch

STEP = 300
NAN = float("nan")
LENGTH = 40
HOLD, WINDOW, MODE, STROKE = 900, 3600, 1200, 300
"""SHORT_CYCLE_MODE of the reference site and one stroke of a valve. [s]"""


@functools.cache
def program() -> Any:
    """Return what is permitted at every step of a sequence of counts."""

    limits = model().limits

    def run(counts: jax.Array, ramp_scale: jax.Array) -> Any:
        def body(timers: Any, seen: jax.Array) -> Any:
            now = dataclasses.replace(
                situation(), chillers=seen[0], running=seen[0], economizer=seen[1]
            )
            timers = watch(timers, now, ramp_scale)
            found = permissions(timers, limits)
            return timers, jnp.stack([found.start, found.stop, found.switch])

        return jax.lax.scan(body, first_timers(), counts)[1]

    return jax.jit(run)


def permitted(counts: list[tuple[float, float]], ramp_scale: float = 1.0) -> np.ndarray:
    padded = counts + [counts[-1]] * (LENGTH - len(counts))
    found = program()(jnp.asarray(padded, jnp.float32), jnp.float32(ramp_scale))
    return np.asarray(found)[: len(counts)]


def by_hand(counts: list[tuple[float, float]], step: int = STEP) -> list[list[bool]]:
    """Return the same from a list of events, each at the beginning of its step."""
    stages, starts, switches = [], [], []
    last: list[float | None] = [None, None]
    told = []
    for k, (machines, economizer) in enumerate(counts):
        clock, began = k * step, (k - 1) * step
        if not np.isnan(machines):
            if last[0] is not None and machines != last[0]:
                stages.append(began)
                if machines > last[0]:
                    starts.append(began)
            last[0] = machines
        if not np.isnan(economizer):
            if last[1] is not None and economizer != last[1]:
                switches.append(began)
            last[1] = economizer

        def since(events: list[int], back: int, clock: int = clock) -> float:
            return clock - events[-back] if len(events) >= back else np.inf

        free = min(since(stages, 1), since(switches, 1)) >= STROKE
        rested = since(stages, 1) >= HOLD
        start = free and rested and since(starts, 2) >= WINDOW
        switch = free and since(switches, 1) >= MODE
        told.append([start, free and rested, switch])
    return told


COUNT = st.sampled_from([0.0, 1.0, 2.0, 3.0, NAN])
OPEN = st.sampled_from([0.0, 1.0, NAN])
LONGER = st.lists(
    st.tuples(COUNT, OPEN, st.integers(1, 6)), min_size=1, max_size=LENGTH
).map(lambda runs: [(m, e) for m, e, held in runs for _ in range(held)][:LENGTH])


@given(counts=LONGER)
@settings(max_examples=300, deadline=None)
def test_permissions_are_those_of_a_clock_in_plain_python(
    counts: list[tuple[float, float]],
) -> None:
    np.testing.assert_array_equal(permitted(counts), by_hand(counts))


def last_seen(readings: list[float]) -> list[float]:
    """Return the readings with gaps filled by the last one; nothing before a first."""
    filled: list[float] = []
    for reading in readings:
        is_gap = bool(np.isnan(reading))
        if not is_gap or filled:
            filled.append(filled[-1] if is_gap else reading)
    return filled


@given(counts=LONGER)
@settings(max_examples=100, deadline=None)
def test_no_permitted_change_comes_before_its_time(
    counts: list[tuple[float, float]],
) -> None:
    """From the rule itself: look back over what was seen, gaps of sight included."""
    allowed = permitted(counts)
    for k, (start, stop, switch) in enumerate(allowed):
        machines = last_seen([m for m, _ in counts[: k + 1]])
        modes = last_seen([e for _, e in counts[: k + 1]])
        if start or stop:
            assert len(set(machines[-(HOLD // STEP) :])) <= 1
        if switch:
            assert len(set(modes[-(MODE // STEP) :])) <= 1
        if start:
            recent = machines[-(WINDOW // STEP) :]
            rises = sum(b > a for a, b in itertools.pairwise(recent))
            assert rises <= 1


def test_a_plant_that_was_never_seen_to_change_may_be_changed() -> None:
    assert np.all(permitted([(2.0, 0.0)] * 3))
    assert np.all(permitted([(NAN, NAN)] * 3))


@pytest.mark.parametrize("scale", [0.2, 1.0, 2.0])
def test_steps_of_another_length_are_counted_in_seconds(scale: float) -> None:
    counts = [(1.0, 0.0)] * 2 + [(2.0, 0.0)] * 30
    found = permitted(counts, scale)
    np.testing.assert_array_equal(found, by_hand(counts, int(STEP * scale)))


def test_the_second_start_within_the_hour_is_the_last() -> None:
    counts = [(0.0, 0.0)] + [(1.0, 0.0)] * 4 + [(2.0, 0.0)] * 15
    start, stop, _ = permitted(counts).T
    # Rested 900 s after the second start; the first start is an hour ago at 3600 s.
    assert stop[7]
    assert not start[7]
    assert np.flatnonzero(start[5:])[0] + 5 == WINDOW // STEP
