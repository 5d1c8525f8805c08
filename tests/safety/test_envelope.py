"""The envelope is affine, scaled, ramped, and silent where it cannot see."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import limits
from seen_plants import (
    LOWER,
    UPPER,
    many,
    model,
    situation,
)

from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.spec import POINTS, channel_array
from coolbound_envs.types import Observation, Quality
from coolbound_safety.coordinates import from_coordinates, spans, to_coordinates
from coolbound_safety.envelope import SOFT, action_bounds, relinearised
from coolbound_safety.estimate import Estimate
from coolbound_safety.guard import first_memory, prepare
from coolbound_safety.headings import (
    answering,
    backup_action,
    emergency_heading,
    neutral_heading,
)
from coolbound_safety.interlocks import Masks
from coolbound_safety.rows import IS_RECOVERY, ROW_NAMES, row_values
from coolbound_safety.types import Envelope, find_faults

LANES = 256
RAMP = channel_array("ramp")
HELD = (22.0, 22.0, 0.85, 0.85, 12.0, 80.0, 0.8, 0.6, 2.0, 0.0)


@functools.cache
def program() -> Any:
    """Return options of a batch after three like observations; ramps may be longer."""

    def run(seen: Observation, proposed: Any, safety: Any, ramp_scale: Any) -> Any:
        memory = first_memory()

        def body(memory: Any, _: None) -> Any:
            options, memory = prepare(memory, seen, proposed, safety, ramp_scale)
            return memory, options

        options = jax.lax.scan(body, memory, None, length=3)[1]
        return jax.tree.map(lambda x: x[-1], options)

    return jax.jit(jax.vmap(run, in_axes=(0, 0, None, None)))


def options_of(
    seen: Observation, proposed: Any, safety: Any = None, scale: float = 1.0
) -> Any:
    found = program()(
        seen, jnp.asarray(proposed), safety or model(), jnp.float32(scale)
    )
    return jax.tree.map(np.asarray, found)


@functools.cache
def family() -> tuple[Observation, np.ndarray, Any]:
    observation, proposed = many(LANES)
    return observation, proposed, options_of(observation, proposed)


def is_empty(envelope: Envelope) -> np.ndarray:
    return np.all(np.asarray(envelope.G) == 0.0, axis=-1)


def test_rows_have_unit_norm_or_are_empty() -> None:
    envelope = family()[2].envelopes
    norm = np.linalg.norm(envelope.G, axis=-1)
    empty = is_empty(envelope)
    np.testing.assert_allclose(norm[~empty], 1.0, atol=1e-5)
    assert np.all(envelope.scale[empty] == 1.0)
    # Every row is there for some lane, so the check above is about all of them.
    assert np.all(np.any(~empty, axis=(0, 1)))
    # A row of foresight that nothing can move says nothing; of a limit, its excess.
    foresees = np.broadcast_to(np.asarray(IS_RECOVERY), empty.shape)
    assert np.all(envelope.h[empty & foresees] == 1.0)
    assert np.all((envelope.h[empty] == 1.0) | (envelope.h[empty] < 0.0))


def test_no_envelope_has_a_fault_that_a_solver_would_refuse() -> None:
    found = family()[2]
    for k in range(0, LANES, 16):
        for candidate in range(3):
            lane = jax.tree.map(lambda x, k=k, c=candidate: x[k, c], found.envelopes)
            assert find_faults(lane, found.asked[k]) == []


def test_bounds_are_in_range_and_in_order_and_hold_the_backup() -> None:
    envelope = family()[2].envelopes
    top = np.asarray(to_coordinates(jnp.asarray(UPPER, jnp.float32)))
    assert np.all(envelope.lower >= -1e-6)
    assert np.all(envelope.upper <= top + 1e-6)
    assert np.all(envelope.lower <= envelope.upper)
    settings = slice(0, 7)
    assert np.all(envelope.backup[..., settings] >= envelope.lower[..., settings])
    assert np.all(envelope.backup[..., settings] <= envelope.upper[..., settings])


def test_each_candidate_locks_its_own_number_of_machines() -> None:
    found = family()[2]
    wanted = found.staging.machines / spans()[8]
    for side in ("lower", "upper", "backup"):
        np.testing.assert_allclose(
            getattr(found.envelopes, side)[..., 8], wanted, atol=1e-6
        )


def test_the_previous_applied_action_satisfies_the_bounds() -> None:
    observation, _, found = family()
    held = np.asarray(to_coordinates(observation.applied))[:, None, :]
    settings = slice(0, 6)
    low, high = found.envelopes.lower, found.envelopes.upper
    assert np.all(held[..., settings] >= low[..., settings] - 1e-6)
    assert np.all(held[..., settings] <= high[..., settings] + 1e-6)
    # The pumps' own floor may have risen above them: a later test.
    assert np.all(held[..., 6] <= high[..., 6] + 1e-6)


def test_the_tower_fan_is_off_or_at_least_at_its_lowest_speed() -> None:
    envelope = family()[2].envelopes
    low, high = envelope.lower[..., 7], envelope.upper[..., 7]
    is_off = high == 0.0
    assert np.all(low[is_off] == 0.0)
    assert np.all(low[~is_off] >= 0.2 - 1e-6)
    assert 0 < is_off.sum() < is_off.size


ALL_MASKS = Masks(*(jnp.float32(x) for x in (0.0, 3.0, 2.0, 0.0, 1.0, 0.2, 1.0)))
bounds = jax.jit(action_bounds)


def sides(scale: float = 1.0, held: Any = HELD, **changes: Any) -> Any:
    now = situation(**changes)
    found = bounds(
        now, jnp.asarray(held, jnp.float32), ALL_MASKS, model(), jnp.float32(scale)
    )
    return np.asarray(found, np.float64)


def with_channel(channel: int, value: float) -> np.ndarray:
    held = np.array(HELD)
    held[channel] = value
    return held


def test_ramps_are_folded_into_the_bounds() -> None:
    low, high = sides()
    for channel in (0, 1, 2, 3, 4, 5, 6):
        expected = HELD[channel] - RAMP[channel], HELD[channel] + RAMP[channel]
        least = np.clip(expected, LOWER[channel], UPPER[channel])
        np.testing.assert_allclose((low[channel], high[channel]), least, rtol=1e-6)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_longer_step_has_wider_ramps(scale: float) -> None:
    low, high = sides(scale)
    assert high[0] - low[0] == pytest.approx(2.0 * scale * RAMP[0])


@pytest.mark.parametrize(
    ("inlet", "fall"), [(20.0, 0.5), (26.4, 0.5), (26.6, 1.0), (30.0, 1.0)]
)
def test_chilled_water_may_fall_faster_only_when_the_inlets_are_clearly_hot(
    inlet: float, fall: float
) -> None:
    low, high = sides(inlet_max=inlet)
    assert HELD[4] - low[4] == pytest.approx(fall, abs=1e-5)
    assert high[4] - HELD[4] == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(("machines", "floor"), [(1.0, 0.4), (2.0, 0.5), (3.0, 0.75)])
def test_a_raised_flow_floor_outranks_the_pumps_ramp(
    machines: float, floor: float
) -> None:
    low, high = sides(held=with_channel(6, 0.4), chillers=machines)
    assert low[6] == pytest.approx(floor, abs=2e-3)
    assert high[6] >= low[6]


def test_the_pressure_floor_is_reached_by_ramps() -> None:
    raised = dataclasses.replace(model().limits, pressure_min=jnp.float32(60.0))
    safety = dataclasses.replace(model(), limits=raised)
    for held, floor in ((40.0, 55.0), (50.0, 60.0), (90.0, 75.0)):
        before = jnp.asarray(with_channel(5, held), jnp.float32)
        low, high = bounds(situation(), before, ALL_MASKS, safety, jnp.float32(1.0))
        assert float(low[5]) == pytest.approx(floor)
        assert float(high[5]) == pytest.approx(held + 15.0)
        off = jnp.asarray([n != "CHW_DP_MIN" for n in LIMIT_NAMES], jnp.float32)
        without = dataclasses.replace(
            safety, limits=dataclasses.replace(raised, is_on=off)
        )
        free, _ = bounds(situation(), before, ALL_MASKS, without, jnp.float32(1.0))
        assert float(free[5]) == pytest.approx(max(held - 15.0, 34.5))


def test_a_previous_action_outside_its_range_is_taken_at_the_range() -> None:
    low, high = sides(held=with_channel(0, 40.0))
    assert (low[0], high[0]) == (24.0, 25.0)


def test_rows_touch_the_prediction_where_they_were_taken() -> None:
    """At the proposal, clipped to its bounds: h - G u is the headroom there."""
    found = family()[2]
    envelope = jax.tree.map(lambda x: x[:, 1], found.envelopes)
    touch = np.clip(found.asked, envelope.lower, envelope.upper)
    touch[:, 8] = found.asked[:, 8].clip(0, None)
    action = np.array(from_coordinates(jnp.asarray(touch)))
    value = jax.jit(jax.vmap(lambda a, n, c: row_values(a, n, model(), c)))(
        jnp.asarray(action), found.estimate, found.staging.machines[:, 1]
    )
    value = np.asarray(value)
    excess = np.einsum("kmn,kn->km", envelope.G, touch) - envelope.h
    used = ~is_empty(envelope)
    size = np.maximum(np.abs(value), 1.0)
    gap = np.abs(excess * envelope.scale - value) / size
    assert np.max(gap[used]) < 2e-3


def test_scale_restores_the_limits_own_unit() -> None:
    """One degree of supply air is one kelvin of the dew point's and inlets' rows."""
    found = family()[2]
    envelope = jax.tree.map(lambda x: x[:, 1], found.envelopes)
    row = ROW_NAMES.index("DEWPOINT_MARGIN")
    slope = envelope.G[:, row, 4] * envelope.scale[:, row] / spans()[4]
    np.testing.assert_allclose(slope[~is_empty(envelope)[:, row]], -1.0, rtol=1e-3)


@pytest.mark.parametrize("name", sorted({n.partition(":")[0] for n in ROW_NAMES}))
def test_a_limit_that_is_switched_off_has_no_rows(name: str) -> None:
    observation, proposed, usual = family()
    is_on = jnp.asarray([n != name for n in LIMIT_NAMES], jnp.float32)
    numbers = dataclasses.replace(limits(), is_on=is_on)
    safety = dataclasses.replace(model(), limits=numbers)
    found = options_of(observation, proposed, safety).envelopes
    mine = np.array([n.partition(":")[0] == name for n in ROW_NAMES])
    assert np.all(is_empty(found)[..., mine])
    assert np.all(found.h[..., mine] == 1.0)
    assert np.any(~is_empty(usual.envelopes)[..., mine])
    np.testing.assert_array_equal(
        found.G[..., ~mine, :], usual.envelopes.G[..., ~mine, :]
    )


def test_a_longer_step_widens_the_bounds_that_are_built() -> None:
    observation, proposed, usual = family()
    twice = options_of(observation, proposed, scale=2.0).envelopes
    wide = (twice.upper - twice.lower)[..., :6]
    narrow = (usual.envelopes.upper - usual.envelopes.lower)[..., :6]
    assert np.all(wide >= narrow - 1e-6)
    assert np.mean(wide > narrow + 1e-3) > 0.9


@functools.cache
def holes() -> tuple[Observation, Any]:
    """Return observations with random readings missing, bad, old or infinite."""
    observation, proposed = many(LANES, seed=2)
    generator = np.random.default_rng(3)
    value = np.array(observation.value)
    share = generator.uniform(0.0, 1.0, (LANES, 1))
    gone = generator.random(value.shape) < share
    value[gone] = generator.choice([np.nan, np.inf, -np.inf], gone.sum())
    quality = np.array(observation.quality)
    quality[gone & (generator.random(value.shape) < 0.5)] = int(Quality.BAD)
    age = np.where(generator.random(value.shape) < 0.1, 1e4, 0.0).astype(np.float32)
    value[: len(POINTS)] = np.array(observation.value)[: len(POINTS)]
    value[np.arange(len(POINTS)), np.arange(len(POINTS))] = np.nan
    spoiled = dataclasses.replace(
        observation,
        value=jnp.asarray(value),
        quality=jnp.asarray(quality),
        age=jnp.asarray(age),
    )
    return spoiled, options_of(spoiled, proposed)


def test_no_pattern_of_missing_readings_makes_the_envelope_unusable() -> None:
    found = holes()[1]
    for k in range(LANES):
        lane = jax.tree.map(lambda x, k=k: x[k, 1], found.envelopes)
        assert find_faults(lane, found.asked[k]) == []


def test_without_any_reading_there_is_no_row_but_all_bounds() -> None:
    observation, proposed, _ = family()
    value = jnp.full_like(observation.value, jnp.nan)
    dark = dataclasses.replace(observation, value=value)
    found = options_of(dark, proposed).envelopes
    assert np.all(is_empty(found))
    assert np.all(found.h == 1.0)
    held = np.asarray(to_coordinates(observation.applied))[:, None, :6]
    width = np.maximum(found.upper[..., :6] - held, held - found.lower[..., :6])
    assert np.all(width <= RAMP[:6] / spans()[:6] + 1e-5)


def test_the_backup_moves_towards_cooling_by_one_ramp() -> None:
    now, held = situation(), jnp.asarray(HELD, jnp.float32)
    found = np.asarray(jax.jit(backup_action)(held, now, model()))
    np.testing.assert_allclose(found[:2], HELD[:2])
    np.testing.assert_allclose(found[2:4] - HELD[2], RAMP[2], rtol=1e-5)
    np.testing.assert_allclose(found[5] - HELD[5], RAMP[5], rtol=1e-5)
    np.testing.assert_allclose(found[8:], HELD[8:])


heading = {
    "neutral": jax.jit(neutral_heading),
    "emergency": jax.jit(emergency_heading),
    "backup": jax.jit(backup_action),
}


@pytest.mark.parametrize("kind", heading)
def test_no_heading_brings_water_below_the_dew_point(kind: str) -> None:
    damp = situation(room_dew_point=12.0, dew_point_spread=1.0)
    found = heading[kind](jnp.asarray(HELD, jnp.float32), damp, model())
    margin = float(model().margins.dew_point + model().limits.dew_point_margin)
    assert float(found[4]) >= 13.0 + margin - 1e-4


def test_an_emergency_heads_for_all_cooling_there_is() -> None:
    now = situation(cw_supply=25.0)
    found = np.asarray(
        heading["emergency"](jnp.asarray(HELD, jnp.float32), now, model())
    )
    assert found[4] == pytest.approx(
        5.5 + float(model().margins.dew_point + model().limits.dew_point_margin)
    )
    np.testing.assert_allclose(found[[2, 3, 5, 6, 7]], [1, 1, 120, 1, 1])
    assert found[8] == HELD[8], "no machine is started where water is not short"


def test_an_emergency_starts_a_machine_for_want_of_water() -> None:
    held = jnp.asarray(HELD, jnp.float32)
    for now in (situation(chw_excess=1.0), situation(running=1.0)):
        assert heading["emergency"](held, now, model())[8] == 3.0


def test_a_stuck_valve_gets_a_set_point_below_its_air() -> None:
    now = situation(stuck_open=(1.0, 0.0), supply_air=(21.0, 21.0))
    asked = jnp.asarray(HELD, jnp.float32).at[:2].set(23.0)
    found = np.asarray(answering(asked, now))
    np.testing.assert_allclose(found[:2], [20.5, 23.0])
    np.testing.assert_array_equal(found[2:], np.asarray(asked)[2:])


def test_rows_taken_again_keep_all_but_rows_and_their_sides() -> None:
    found = family()[2]
    pick = jax.tree.map(lambda x: jnp.asarray(x[5, 1]), found.envelopes)
    now: Estimate = jax.tree.map(lambda x: jnp.asarray(x[5]), found.estimate)
    again = jax.jit(relinearised)(
        pick, jnp.asarray(found.asked[5]), now, model(), jnp.float32(2.0)
    )
    for name in ("lower", "upper", "price", "priority", "held", "backup"):
        np.testing.assert_array_equal(getattr(again, name), getattr(pick, name))
    assert find_faults(jax.tree.map(np.asarray, again), np.full(10, 0.5)) == []


def test_foresight_has_the_soft_priority() -> None:
    envelope = family()[2].envelopes
    soft = np.asarray(envelope.priority)[0, 0][np.asarray(IS_RECOVERY)]
    assert np.all(soft == SOFT)
