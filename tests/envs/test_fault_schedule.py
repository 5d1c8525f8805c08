"""Schedules of faults: what acts, when, on what, and what is refused."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coolbound_envs.fault_effects import ActiveFaults, faults_at
from coolbound_envs.fault_events import empty_schedule, make_schedule
from coolbound_envs.fault_kinds import AIM_NAMES, KINDS, Aim, FaultEvent, FaultKind
from coolbound_envs.spec import OBSERVATION_SIZE
from coolbound_envs.tables import InputError

SLOTS = 6
INTERVALS = 48
BEGINS = 300.0 * np.arange(-2, INTERVALS)
HOUR = 3600.0

ask = jax.jit(faults_at)


def over_time(events: list[FaultEvent]) -> ActiveFaults:
    """Return what is out of order in every interval, time axis last."""
    schedule = make_schedule(events, SLOTS)
    wide = jax.tree.map(
        lambda x: jnp.broadcast_to(x[:, None], (SLOTS, len(BEGINS))), schedule
    )
    return jax.tree.map(np.asarray, ask(wide, jnp.asarray(BEGINS, jnp.float32)))


# The referee: slow and plain, straight from what the documents say.
def ramped(time: float, event: FaultEvent, ramp: float) -> float:
    """Return the share of its size that a ramped fault has at one moment."""
    up = min(max((time - event.start_s) / ramp, 0.0), 1.0)
    end = event.start_s + event.duration_s
    down = 0.0 if math.isinf(end) else min(max((time - end) / ramp, 0.0), 1.0)
    return up - down


def mean_level(begin: float, event: FaultEvent, ramp: float) -> float:
    """Return its mean over an interval, by a thousand midpoints."""
    times = [begin + 0.3 * (i + 0.5) for i in range(1000)]
    return sum(ramped(t, event, ramp) for t in times) / 1000.0


def touches(begin: float, event: FaultEvent) -> bool:
    return event.start_s < begin + 300.0 and begin < event.start_s + event.duration_s


def size_of(event: FaultEvent) -> float:
    usual = KINDS[event.kind].usual
    return float(usual if event.size is None else event.size)  # pyright: ignore


def referee(events: list[FaultEvent], begin: float) -> dict[str, Any]:
    chillers, crah, valves = [0.0] * 3, [0.0] * 2, [0.0] * 2
    pumps = {FaultKind.CHW_PUMP_LOSS: 0.0, FaultKind.CW_PUMP_LOSS: 0.0}
    cells, dip, warm, loads = 0.0, 0.0, 0.0, [1.0, 1.0]
    bias, stuck = [0.0] * OBSERVATION_SIZE, [0.0] * OBSERVATION_SIZE
    drop, late = [0.0] * OBSERVATION_SIZE, [0.0] * OBSERVATION_SIZE
    for event in events:
        kind, size, on = event.kind, size_of(event), touches(begin, event)
        names = AIM_NAMES[KINDS[kind].aim]
        code = names[event.target] if isinstance(event.target, str) else event.target
        if kind == FaultKind.LOAD_STEP:
            for hall in range(2):
                if code in (-1, hall):
                    loads[hall] += size * mean_level(begin, event, 300.0)
        elif kind == FaultKind.HEAT_WAVE:
            warm += size * mean_level(begin, event, 6 * HOUR)
        elif kind == FaultKind.POWER_DIP:
            first = math.floor(event.start_s / 300.0) * 300.0
            if begin >= first:
                left = first + event.duration_s - begin
                dip = max(dip, min(max(left, 0.0), 300.0))
        elif not on:
            continue
        elif kind == FaultKind.CHILLER_TRIP:
            chillers[code] = 1.0
        elif kind == FaultKind.CRAH_LOSS:
            crah[code] = min(crah[code] + size, 1.0)
        elif kind == FaultKind.STUCK_VALVE:
            valves[code] = 1.0
        elif kind in pumps:
            pumps[kind] = min(pumps[kind] + size, 1.0)
        elif kind == FaultKind.TOWER_CELL_LOSS:
            cells = min(cells + size, 1.0)
        elif kind == FaultKind.SENSOR_BIAS:
            bias[code] += size
        elif kind == FaultKind.SENSOR_DRIFT:
            bias[code] += size * max(begin + 300.0 - event.start_s, 0.0) / 86400.0
        elif kind == FaultKind.SENSOR_STUCK:
            stuck[code] = 1.0
        elif kind == FaultKind.SENSOR_DROPOUT:
            drop[code] = max(drop[code], size)
        elif kind == FaultKind.SENSOR_LATE:
            late[code] = max(late[code], size)
    return {
        "plant.chiller_tripped": chillers,
        "plant.crah_lost": crah,
        "plant.valve_stuck": valves,
        "plant.chw_pump_lost": pumps[FaultKind.CHW_PUMP_LOSS],
        "plant.cw_pump_lost": pumps[FaultKind.CW_PUMP_LOSS],
        "plant.tower_cell_lost": cells,
        "plant.power_lost": dip,
        "sensors.bias": bias,
        "sensors.stuck": stuck,
        "sensors.dropout": drop,
        "sensors.delay": late,
        "load_factor": [max(load, 0.0) for load in loads],
        "dry_bulb_offset": warm,
    }


FIELDS = tuple(referee([], 0.0))


def field(active: ActiveFaults, name: str) -> np.ndarray:
    found: Any = active
    for part in name.split("."):
        found = getattr(found, part)
    return found


def sizes(kind: FaultKind) -> st.SearchStrategy[float | None]:
    facts = KINDS[kind]
    if not facts.unit:
        return st.none()
    if kind == FaultKind.SENSOR_LATE:
        return st.sampled_from([1.0, 2.0, 3.0])
    return st.floats(max(facts.lower, -20.0), min(facts.upper, 20.0))


@st.composite
def event_stories(draw: st.DrawFn) -> FaultEvent:
    kind = draw(st.sampled_from(list(KINDS)))
    names = list(AIM_NAMES[KINDS[kind].aim])
    # Whole seconds, so that float32 and float64 agree on who touches what.
    start = draw(
        st.one_of(st.integers(0, 15000), st.integers(0, 45).map(lambda k: 300 * k))
    )
    duration = draw(st.one_of(st.integers(1, 9000), st.just(math.inf)))
    size = draw(sizes(kind))
    target = draw(st.sampled_from(names[:3]))
    return FaultEvent(kind, target, float(start), float(duration), size)


@settings(max_examples=60, deadline=None)
@given(st.lists(event_stories(), max_size=SLOTS))
def test_every_schedule_acts_as_a_plain_reading_of_it_says(
    events: list[FaultEvent],
) -> None:
    found = over_time(events)
    for column in range(0, len(BEGINS), 5):
        wanted = referee(events, float(BEGINS[column]))
        for name in FIELDS:
            got = field(found, name)[..., column]
            np.testing.assert_allclose(
                got, wanted[name], rtol=2e-4, atol=3e-3, err_msg=name
            )


ACTS_ON = {
    FaultKind.CHILLER_TRIP: "plant.chiller_tripped",
    FaultKind.CRAH_LOSS: "plant.crah_lost",
    FaultKind.CHW_PUMP_LOSS: "plant.chw_pump_lost",
    FaultKind.CW_PUMP_LOSS: "plant.cw_pump_lost",
    FaultKind.TOWER_CELL_LOSS: "plant.tower_cell_lost",
    FaultKind.STUCK_VALVE: "plant.valve_stuck",
    FaultKind.LOAD_STEP: "load_factor",
    FaultKind.HEAT_WAVE: "dry_bulb_offset",
    FaultKind.POWER_DIP: "plant.power_lost",
    FaultKind.SENSOR_BIAS: "sensors.bias",
    FaultKind.SENSOR_DRIFT: "sensors.bias",
    FaultKind.SENSOR_STUCK: "sensors.stuck",
    FaultKind.SENSOR_DROPOUT: "sensors.dropout",
    FaultKind.SENSOR_LATE: "sensors.delay",
}
START, DURATION = 3000.0, 3600.0


def one_of(kind: FaultKind) -> FaultEvent:
    target = next(iter(AIM_NAMES[KINDS[kind].aim]))
    size = 2.0 if KINDS[kind].usual is None else None
    return FaultEvent(kind, target, START, DURATION, size)


def test_every_kind_has_its_place() -> None:
    assert set(ACTS_ON) == set(KINDS) == set(FaultKind) - {FaultKind.NONE}
    assert [int(kind) for kind in KINDS] == list(range(1, len(KINDS) + 1))


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_fault_acts_on_one_thing_upwards_and_only_in_its_time(
    kind: FaultKind,
) -> None:
    found, still = over_time([one_of(kind)]), over_time([])
    ramp = KINDS[kind].ramp
    is_time = (BEGINS + 300.0 > START) & (START + DURATION + ramp > BEGINS)
    for name in FIELDS:
        change = field(found, name) - field(still, name)
        if name == ACTS_ON[kind]:
            assert np.all(change >= 0.0)
            # One chiller, one hall, one point; the whole site where it is that.
            rows = change.reshape(-1, len(BEGINS))
            struck = np.max(rows, axis=1) > 0.0
            whole = KINDS[kind].aim in (Aim.HALL_OR_SITE,)
            assert np.sum(struck) == (2 if whole else 1)
            assert np.all(rows[struck][:, is_time] > 0.0)
            np.testing.assert_array_equal(rows[:, ~is_time], 0.0)
        else:
            np.testing.assert_array_equal(change, 0.0, err_msg=name)


def test_a_load_step_is_reached_in_five_minutes_and_held() -> None:
    event = FaultEvent(FaultKind.LOAD_STEP, "hall2", 600.0, 1200.0, 0.3)
    factor = over_time([event]).load_factor
    begin = list(BEGINS)
    at = [float(factor[1, begin.index(s)]) for s in (300, 600, 900, 1500, 1800, 2100)]
    # The mean of a straight rise is half of it; it falls as it rose.
    np.testing.assert_allclose(at, [1.0, 1.15, 1.3, 1.3, 1.15, 1.0], rtol=1e-6)
    np.testing.assert_array_equal(factor[0], 1.0)


def test_a_dip_loses_exactly_its_seconds_from_an_intervals_beginning() -> None:
    event = FaultEvent(FaultKind.POWER_DIP, "site", 730.0, 420.0)
    lost = over_time([event]).plant.power_lost
    begin = list(BEGINS)
    assert float(lost[begin.index(600.0)]) == 300.0
    assert float(lost[begin.index(900.0)]) == 120.0
    assert float(np.sum(lost)) == 420.0


def test_a_heat_wave_holds_its_size_for_years_without_rounding_away() -> None:
    schedule = make_schedule([FaultEvent(FaultKind.HEAT_WAVE, "site", 0.0, size=8.0)])
    for years in (1, 2, 3):
        seconds = jnp.asarray(years * 365 * 86400.0, jnp.float32)
        assert float(ask(schedule, seconds).dry_bulb_offset) == 8.0


def test_nothing_acts_before_the_episode_or_in_an_empty_schedule() -> None:
    everything = [one_of(kind) for kind in KINDS]
    early = [dataclasses.replace(e, start_s=0.0) for e in everything]
    schedule = make_schedule(early)
    none = ask(empty_schedule(), jnp.asarray(-300.0, jnp.float32))
    for other in (
        ask(schedule, jnp.asarray(-300.0, jnp.float32)),
        ask(empty_schedule(4), jnp.asarray(600.0, jnp.float32)),
        ask(empty_schedule(), jnp.asarray(600.0, jnp.float32)),
    ):
        for a, b in zip(jax.tree.leaves(none), jax.tree.leaves(other), strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(none.load_factor, 1.0)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves((none.plant, none.sensors)))


def test_a_schedule_for_one_lane_and_for_many_mean_the_same() -> None:
    events = [one_of(kind) for kind in (FaultKind.CRAH_LOSS, FaultKind.SENSOR_LATE)]
    one = ask(make_schedule(events, SLOTS), jnp.asarray(3300.0, jnp.float32))
    column = int(np.flatnonzero(BEGINS == 3300.0)[0])
    many = jax.tree.map(lambda x: x[..., column], over_time(events))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(many), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (FaultEvent(FaultKind.CHILLER_TRIP, "chiller4"), ("chiller4", "chiller3")),
        (FaultEvent(FaultKind.CHILLER_TRIP, 3), ("3", "chiller1, chiller2, chiller3")),
        (FaultEvent(FaultKind.CHILLER_TRIP, "hall1"), ("hall1",)),
        (FaultEvent(FaultKind.CRAH_LOSS, "hall3"), ("hall3", "hall1, hall2")),
        (FaultEvent(FaultKind.SENSOR_STUCK, "chw_temp"), ("chw_temp", "chw_")),
        (FaultEvent(FaultKind.SENSOR_BIAS, "chw_flow"), ("no size", "chw_flow")),
        (FaultEvent(FaultKind.CRAH_LOSS, "hall1", size=1.2), ("1.2", "0 to 1")),
        (FaultEvent(FaultKind.CRAH_LOSS, "hall1", size=math.nan), ("nan",)),
        (FaultEvent(FaultKind.SENSOR_LATE, "chw_flow", size=1.5), ("1.5",)),
        (FaultEvent(FaultKind.SENSOR_LATE, "chw_flow", size=4.0), ("4", "1 to 3")),
        (FaultEvent(FaultKind.POWER_DIP, size=3.0), ("size 3", "none")),
        (FaultEvent(FaultKind.POWER_DIP, start_s=-1.0), ("start -1",)),
        (FaultEvent(FaultKind.POWER_DIP, start_s=math.nan), ("start nan",)),
        (FaultEvent(FaultKind.POWER_DIP, duration_s=0.0), ("duration 0",)),
        (FaultEvent(FaultKind.POWER_DIP, duration_s=math.nan), ("duration nan",)),
        (FaultEvent(FaultKind.NONE), ("kind",)),
    ],
)
def test_an_impossible_fault_is_refused_with_the_culprit(
    event: FaultEvent, words: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as caught:
        make_schedule([FaultEvent(FaultKind.POWER_DIP, duration_s=9.0), event])
    text = str(caught.value)
    assert text.startswith("fault 2")
    assert all(word in text for word in words), text


def test_more_events_than_rows_are_refused() -> None:
    with pytest.raises(InputError, match="found 2 events, expected 1"):
        make_schedule([FaultEvent(FaultKind.POWER_DIP)] * 2, 1)
