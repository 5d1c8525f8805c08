"""The whole guard: whatever is proposed and read, what leaves it is inside."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from seen_plants import LOWER, UPPER, many, model, observed

from coolbound_envs.spec import POINT_NAMES, channel_array
from coolbound_envs.types import Observation
from coolbound_safety.coordinates import spans, to_coordinates
from coolbound_safety.guard import (
    HOLD_AGE,
    NEUTRAL_AGE,
    Guarded,
    Memory,
    first_memory,
    guard,
    least_cost,
)
from coolbound_safety.rows import ROW_NAMES

LANES = 64
RAMP = channel_array("ramp")
ask = jax.jit(guard)


def asked(
    seen: Observation, proposed: Any, memory: Memory | None = None, rounds: int = 1
) -> tuple[Guarded, Memory]:
    """Return the decision after the same was seen and proposed some times."""
    count = seen.time.shape[0]
    start = first_memory((count,)) if memory is None else memory
    told = jnp.asarray(proposed, jnp.float32)
    found, after = ask(start, seen, told, model())
    for _ in range(rounds - 1):
        found, after = ask(after, seen, told, model())
    return jax.tree.map(np.asarray, found), after


@functools.cache
def family() -> tuple[Observation, np.ndarray, Guarded]:
    seen, proposed = many(LANES)
    return seen, proposed, asked(seen, proposed, rounds=3)[0]


HOSTILE = {
    "anything": None,
    "huge": 1e30,
    "hugely negative": -1e30,
    "all at the top": UPPER,
    "all at the bottom": LOWER,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_is_proposed_the_answer_is_in_its_box_and_bounds(kind: str) -> None:
    seen, proposed, _ = family()
    given = proposed if HOSTILE[kind] is None else np.broadcast_to(
        np.asarray(HOSTILE[kind], np.float32), proposed.shape
    )  # fmt: skip
    found, _ = asked(seen, given, rounds=2)
    check_inside(found, seen)


def check_inside(found: Guarded, seen: Observation) -> None:
    """Bounds hold to the last bit in coordinates, boxes and ramps in float32."""
    assert np.all(np.isfinite(found.action))
    # The coordinates themselves were clipped: to the bit.
    assert np.all(found.check.u >= found.envelope.lower)
    assert np.all(found.check.u <= found.envelope.upper)
    assert np.all(found.action >= LOWER.astype(np.float32))
    assert np.all(found.action <= UPPER.astype(np.float32))
    fan = found.action[:, 7]
    assert np.all((fan == 0.0) | (fan >= 0.2 - 1e-6))
    moved = found.action - np.asarray(seen.applied)
    for channel in (0, 1, 2, 3, 5):
        rounding = 2e-7 * UPPER[channel]
        assert np.all(np.abs(moved[:, channel]) <= RAMP[channel] + rounding)
    np.testing.assert_allclose(found.action[:, 8], found.machines, atol=1e-6)


def test_no_lane_needs_the_backup_and_the_check_moves_few() -> None:
    found = family()[2]
    assert np.all(found.projection.ok)
    assert np.mean(found.check.share == 1.0) > 0.5


def test_the_cheapest_bound_chooses_an_admissible_number_of_machines() -> None:
    found = family()[2]
    staging, options = found.options.staging, found.options
    price = jax.vmap(jax.vmap(least_cost, in_axes=(0, None)))
    cost = np.asarray(price(options.envelopes, options.asked)) + staging.penalty
    best = np.argmin(cost, axis=1)
    lanes = np.arange(LANES)
    np.testing.assert_array_equal(found.machines, staging.machines[lanes, best])
    admissible = staging.admissible[lanes, best]
    assert np.all(admissible == np.any(staging.admissible, axis=1))


def test_a_lane_does_not_depend_on_its_neighbours() -> None:
    seen, proposed, whole = family()
    order = np.random.default_rng(0).permutation(LANES)
    shuffled = jax.tree.map(lambda x: x[order], seen)
    found, _ = asked(shuffled, proposed[order], rounds=3)
    np.testing.assert_array_equal(found.action, whole.action[order])


@pytest.mark.long
@pytest.mark.parametrize("size", [1, 7, 256])
def test_the_size_of_the_batch_changes_nothing_that_matters(size: int) -> None:
    """In shares of the range; a tie between candidates would change machines."""
    seen, proposed, whole = family()
    lanes = np.arange(size) % LANES
    some = jax.tree.map(lambda x: x[lanes], seen)
    found, _ = asked(some, proposed[lanes], rounds=3)
    gap = np.abs(found.action - whole.action[lanes]) / (UPPER - LOWER)
    assert gap.max() <= 1e-4


def with_readings(
    seen: Observation, age: float = 0.0, **readings: float
) -> Observation:
    value, ages = np.array(seen.value), np.array(seen.age)
    for stem, reading in readings.items():
        for k, name in enumerate(POINT_NAMES):
            if name.startswith(stem):
                value[:, k] = reading
                ages[:, k] = age
    return dataclasses.replace(seen, value=jnp.asarray(value), age=jnp.asarray(ages))


def test_an_emergency_asks_for_all_cooling_and_says_so() -> None:
    seen, proposed, calm = family()
    hot = with_readings(seen, inlet_temp=26.9)
    found, _ = asked(hot, proposed, rounds=3)
    assert np.all(found.options.is_emergency)
    np.testing.assert_array_equal(
        calm.options.is_emergency, calm.options.estimate.emergency > 0.5
    )
    # Random readings of supply air and inlets often disagree: a fault as any other.
    assert 0.0 < np.mean(calm.options.is_emergency) < 0.8
    inside = np.asarray(to_coordinates(jnp.asarray(UPPER, jnp.float32)))[None, :]
    for channel in (2, 3, 5):
        np.testing.assert_allclose(
            found.options.asked[:, channel], inside[:, channel].repeat(LANES), rtol=1e-6
        )
    # Air no colder than 19, and no warmer than it was, whatever was proposed.
    air = found.options.asked[:, :2] * spans()[:2] + LOWER[:2]
    assert air.min() >= 19.0 - 1e-4
    assert np.all(air <= np.maximum(np.asarray(hot.applied)[:, :2], 19.0) + 1e-4)
    fan = found.action[:, 2:4] - np.asarray(hot.applied)[:, 2:4]
    room = np.minimum(1.0 - np.asarray(hot.applied)[:, 2:4], 0.1)
    # Not all: a coil at its end makes warmer air of more air, and its row says so.
    assert np.mean(fan >= room - 1e-3) > 0.6


def agreeing(seen: Observation) -> Observation:
    """Return plants whose set-points and fans are what the instruments show."""
    value, applied = np.asarray(seen.value), np.array(seen.applied)
    for channel, name in ((0, "supply_air_temp_hall1"), (1, "supply_air_temp_hall2"),
                          (4, "chw_supply_temp")):  # fmt: skip
        applied[:, channel] = value[:, POINT_NAMES.index(name)]
    applied[:, 2:4] = np.asarray(observed().applied)[0, 2:4]
    return dataclasses.replace(seen, applied=jnp.asarray(applied))


@functools.cache
def darkness() -> list[tuple[float, Guarded, Observation]]:
    """Return decisions while inlets and loads are missing, with the age of the last."""
    seen, proposed, _ = family()
    seen = agreeing(seen)
    _, memory = asked(seen, proposed, rounds=2)
    gone = with_readings(
        seen, inlet_temp=np.nan, it_power=np.nan, facility_power=np.nan
    )
    record = []
    for k in range(6):
        found, memory = asked(gone, proposed, memory)
        gone = dataclasses.replace(gone, applied=jnp.asarray(found.action))
        record.append((300.0 * (k + 1), found, gone))
    return record


def is_used(found: Guarded) -> np.ndarray:
    """Return the lanes without an alarm and without a valve that does not answer."""
    is_stuck = np.any(found.options.estimate.stuck_open > 0.5, axis=-1)
    return ~found.options.is_emergency & ~is_stuck


def test_without_inlets_the_action_is_held_and_then_made_safe() -> None:
    """Margins widen with age; from 10 min the proposal is not used; then it cools."""
    proposed = family()[1]
    inside = np.asarray(to_coordinates(jnp.asarray(proposed)))
    for age, found, _ in darkness():
        np.testing.assert_allclose(found.options.estimate.stale, age)
        emergency = ~is_used(found)
        np.testing.assert_array_equal(found.options.is_blind, age > HOLD_AGE)
        told = found.options.asked[~emergency]
        if age <= HOLD_AGE:
            np.testing.assert_allclose(told, inside[~emergency], atol=1e-6)
        elif age <= NEUTRAL_AGE:
            held = found.envelope.held[~emergency]
            np.testing.assert_allclose(told, held, atol=1e-6)
        else:
            fans = told[:, 2:4] * spans()[2:4] + LOWER[2:4]
            np.testing.assert_allclose(fans, 1.0, atol=1e-6)
            air = told[:, :2] * spans()[:2] + LOWER[:2]
            np.testing.assert_allclose(air, 22.0, atol=1e-4)


def test_fans_run_up_while_nobody_sees_the_halls() -> None:
    before = np.asarray(darkness()[2][2].applied)[:, 2:4]
    after = darkness()[5][1].action[:, 2:4]
    # Not in every lane: more air over a coil that is at its end is warmer air.
    assert np.mean(after >= np.minimum(before + 0.3, 1.0) - 1e-3) > 0.6
    assert np.mean(after < before - 1e-3) < 0.1


AGES = (300.0, 600.0, 900.0, 1200.0)
AGING = ("CA_T_MAX:hall1", "CA_T_MIN:hall2")


@pytest.mark.parametrize("name", AGING)
def test_headroom_falls_with_the_age_of_what_was_seen(name: str) -> None:
    """By 0.25 K of inlet for every 5 min."""
    row = ROW_NAMES.index(name)
    spread = [
        found.options.estimate.inlet_spread[:, 0]
        for age, found, _ in darkness()
        if age in AGES
    ]
    expected = 0.25 * np.asarray(AGES) / 300.0
    np.testing.assert_allclose(np.asarray(spread)[:, 0], expected)
    sides = []
    for age, found, _ in darkness():
        if age in AGES[:2]:
            envelope = found.envelope
            sides.append((envelope.h * envelope.scale)[:, row])
    first, second = sides
    used = np.any(darkness()[0][1].envelope.G[:, row] != 0.0, axis=-1)
    for _, found, _ in darkness()[:2]:
        used &= is_used(found)
    # The rows touch at the proposal both times, but where its bounds moved on.
    fallen = (first - second)[used]
    assert used.sum() >= 10
    assert np.mean(np.abs(fallen - 0.25) < 1e-3) > 0.4
    others = fallen[np.abs(fallen - 0.25) >= 1e-3]
    assert not np.any(np.abs(np.diff(np.sort(others))) < 1e-6), "no other value twice"


def test_an_absurd_reading_breaks_neither_this_decision_nor_the_next() -> None:
    """1e30 with a good flag: no instrument says so, but a broken link might."""
    seen, proposed, whole = family()
    value = np.array(seen.value)
    for lane in range(LANES):
        value[lane, lane % len(POINT_NAMES)] = 1e30
    absurd = dataclasses.replace(seen, value=jnp.asarray(value))
    found, memory = asked(absurd, proposed, rounds=2)
    check_inside(found, seen)
    after, _ = asked(seen, proposed, memory, rounds=3)
    check_inside(after, seen)
    assert np.all(np.isfinite(after.options.estimate.inlet_max))
    assert np.all(after.projection.ok)
    assert np.mean(np.abs(after.action - whole.action).max(axis=1) < 5.0) > 0.5


def test_no_missing_reading_breaks_the_decision() -> None:
    seen, proposed, _ = family()
    value = np.array(seen.value)
    for lane in range(LANES):
        value[lane, lane % len(POINT_NAMES)] = np.nan
    value[40:50] = np.nan
    found, _ = asked(dataclasses.replace(seen, value=jnp.asarray(value)), proposed)
    check_inside(found, seen)
