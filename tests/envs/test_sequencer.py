"""The sequencer keeps every timer, whatever is asked of it, and then obeys."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_plants import disturbance, fresh, scalar, site

from coolbound_envs.sequencer import (
    SequencerState,
    advance,
    stage_chillers,
    switch_economizer,
)

STEPS = 60
STEP_S = 300.0
LONG_AGO = -1.0e5


@jax.jit
def run(
    state: SequencerState, demands: jax.Array, wishes: jax.Array, basin: jax.Array
) -> SequencerState:
    """Return the state after each interval, time axis first."""
    plant = site().plant

    def body(
        state: SequencerState, asked: tuple[jax.Array, jax.Array, jax.Array]
    ) -> tuple[SequencerState, SequencerState]:
        demand, wish, temp = asked
        state = stage_chillers(state, demand, plant.sequencer)
        state = switch_economizer(state, wish, scalar(8.0), plant.sequencer)
        for _ in range(10):
            state = advance(
                state, temp, scalar(12.8), 30.0, plant.chiller, plant.sequencer
            )
        return state, state

    return jax.lax.scan(body, state, (demands, wishes, basin))[1]


@dataclasses.dataclass
class Referee:
    """The timers of the plant reference, in plain Python: when did what change."""

    on: list[bool] = dataclasses.field(default_factory=lambda: [True, True, False])
    changed: list[float] = dataclasses.field(default_factory=lambda: [LONG_AGO] * 3)
    starts: list[float] = dataclasses.field(default_factory=lambda: [LONG_AGO] * 2)
    staged: float = LONG_AGO
    is_open: bool = False
    switched: float = LONG_AGO

    def decide(self, now: float, demand: float, wish: float) -> tuple[int, bool]:
        self._stage(now, demand)
        free = now - max(self.staged, self.switched) >= 300.0
        if free and now - self.switched >= 1200.0:
            wanted = True if wish > 0.6 else False if wish < 0.4 else self.is_open
            if wanted != self.is_open:
                self.is_open, self.switched = wanted, now
        return sum(self.on), self.is_open

    def _stage(self, now: float, demand: float) -> None:
        if now - self.staged < 900.0 or now - self.switched < 300.0:
            return
        count = sum(self.on)
        aged = [k for k in range(3) if now - self.changed[k] >= 900.0]
        is_wide = self.is_open and now - self.switched >= 300.0
        runs = [k for k in range(3) if self.on[k]]
        if demand < 0.4 and is_wide and runs and set(runs) <= set(aged):
            self._change(runs, now)
        elif demand > count + 0.6 and now - self.starts[-2] >= 3600.0:
            self._change(self._oldest(aged, False), now)
        elif demand < count - 0.6:
            self._change(self._oldest(aged, True), now)

    def _oldest(self, aged: list[int], is_on: bool) -> list[int]:
        able = [k for k in aged if self.on[k] is is_on]
        return sorted(able, key=lambda k: (max(self.changed[k], LONG_AGO), k))[:1]

    def _change(self, machines: list[int], now: float) -> None:
        for k in machines:
            self.on[k] = not self.on[k]
            self.changed[k] = now
            if self.on[k]:
                self.starts.append(now)
        if machines:
            self.staged = now


def first_state() -> SequencerState:
    return fresh(disturbance()).sequencer


def record(demands: list[float], wishes: list[float], **given: Any) -> SequencerState:
    basin = given.get("basin", [20.0] * len(demands))
    arrays = (jnp.asarray(x, jnp.float32) for x in (demands, wishes, basin))
    return jax.tree.map(np.asarray, run(first_state(), *arrays))


def asked(high: int) -> st.SearchStrategy[list[float]]:
    """Return requests that dwell, clear of the thresholds at 0.4 and 0.6."""
    value = st.integers(0, 10 * high - 1).map(lambda tenth: tenth / 10.0 + 0.05)
    run_of = st.tuples(value, st.integers(1, 10))
    return st.lists(run_of, min_size=4, max_size=16).map(
        lambda runs: ([v for v, n in runs for _ in range(n)] * STEPS)[:STEPS]
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(asked(3), asked(1))
def test_sequencer_agrees_with_a_plain_referee(
    demands: list[float], wishes: list[float]
) -> None:
    found = record(demands, wishes)
    referee = Referee()
    for k in range(STEPS):
        count, is_open = referee.decide(k * STEP_S, demands[k], wishes[k])
        assert found.commanded[k].sum() == count, f"interval {k}"
        assert bool(found.economizer[k]) == is_open, f"interval {k}"


@settings(max_examples=40, deadline=None, derandomize=True)
@given(asked(3), asked(1))
def test_no_request_makes_a_timer_break(
    demands: list[float], wishes: list[float]
) -> None:
    found = record(demands, wishes)
    machines = np.concatenate(
        [np.asarray(first_state().commanded)[None], found.commanded]
    )
    change = np.diff(machines, axis=0)
    valve = np.diff(np.concatenate([[0.0], found.economizer]))
    when = np.flatnonzero(np.any(change != 0.0, axis=1)) * STEP_S
    assert np.all(np.diff(when) >= 900.0)
    for k in range(3):
        assert np.all(np.diff(np.flatnonzero(change[:, k])) * STEP_S >= 900.0)
    starts = np.flatnonzero(np.any(change > 0.0, axis=1)) * STEP_S
    assert np.all(starts[2:] - starts[:-2] >= 3600.0)
    switches = np.flatnonzero(valve) * STEP_S
    assert np.all(np.diff(switches) >= 1200.0)
    assert not set(when) & set(switches)
    # One machine at a time, but for the step into free cooling: all together.
    several = np.abs(change).sum(axis=1) > 1.0
    assert np.all(machines[1:][several] == 0.0)


def test_free_cooling_stops_all_machines_at_once() -> None:
    found = record([2.0] * 2 + [0.0] * 10, [1.0] * 12)
    counts = found.commanded.sum(axis=1)
    assert list(counts[:2]) == [2.0, 2.0]
    assert 1.0 not in counts
    assert counts[-1] == 0.0


def test_without_the_economizer_machines_stop_one_by_one() -> None:
    counts = record([0.0] * 12, [0.0] * 12).commanded.sum(axis=1)
    assert list(counts[:5]) == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_a_start_waits_for_warm_condenser_water() -> None:
    cold = record([3.0] * 8, [0.0] * 8, basin=[9.0] * 5 + [13.0] * 3)
    assert np.all(cold.ramp[:5, 2] == 0.0)
    assert cold.ramp[5, 2] > 0.0
    assert np.all(cold.ramp[:, :2] == 1.0)


def test_a_started_machine_takes_its_time_to_full_capacity() -> None:
    found = record([3.0] * 4, [0.0] * 4)
    plant = site().plant
    cooling = 2 * STEP_S - float(plant.chiller.start_time)
    np.testing.assert_allclose(found.valve[0, 2], 1.0)
    assert found.ramp[0, 2] < float(plant.chiller.ramp) * STEP_S
    assert found.ramp[1, 2] >= min(1.0, float(plant.chiller.ramp) * cooling) - 1e-6


def test_the_machine_that_rested_longest_starts_first() -> None:
    found = record([1.0] * 4 + [3.0] * 20, [0.0] * 24)
    first = np.argmax(found.commanded.sum(axis=1) == 1.0)
    stopped = int(np.flatnonzero(found.commanded[first, :2] == 0.0)[0])
    later = np.argmax(found.commanded.sum(axis=1) == 2.0)
    assert found.commanded[later, 2] == 1.0
    assert found.commanded[later, stopped] == 0.0
