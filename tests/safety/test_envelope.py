"""The envelope is affine, scaled, ramped, and silent where it cannot see."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import limits
from seen_plants import LOWER, SPAN, UPPER, applied_now, many, model, one, seen

from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.spec import POINT_INDEX, channel_array
from coolbound_envs.types import Observation
from coolbound_safety.envelope import ROW_NAMES, envelope_at, row_values
from coolbound_safety.estimate import Estimate, estimate
from coolbound_safety.margins import SafetyModel
from coolbound_safety.shielded import shield
from coolbound_safety.types import Envelope, find_faults

LANES = 512
RAMP = channel_array("ramp")


@jax.jit
def build(
    observation: Observation, proposed: jax.Array, safety: SafetyModel
) -> Envelope:
    return jax.vmap(lambda o, p: envelope_at(o, p, safety))(observation, proposed)


single = jax.jit(envelope_at, static_argnums=3)
predict = jax.jit(row_values)


@functools.cache
def family() -> tuple[Observation, np.ndarray, Envelope]:
    observation, proposed = many(LANES)
    found = build(observation, jnp.asarray(proposed), model())
    return observation, proposed, jax.tree.map(np.asarray, found)


def at(observation: Observation) -> Envelope:
    """Return the envelope of one observation, proposing what is applied."""
    found = single(observation, observation.applied, model())
    return jax.tree.map(np.asarray, found)


def is_empty(envelope: Envelope) -> np.ndarray:
    return np.all(np.asarray(envelope.G) == 0.0, axis=-1)


def test_rows_have_unit_norm_or_are_empty() -> None:
    *_, envelope = family()
    norm = np.linalg.norm(envelope.G, axis=-1)
    empty = is_empty(envelope)
    np.testing.assert_allclose(norm[~empty], 1.0, atol=1e-5)
    assert np.all(envelope.h[empty] == 1.0)
    assert np.all(envelope.scale[empty] == 1.0)
    # Every row is there for some lane, so the check above is about all of them.
    assert np.all(np.any(~empty, axis=0))


def test_no_envelope_has_a_fault_that_a_solver_would_refuse() -> None:
    _, proposed, envelope = family()
    unit = (proposed - LOWER) / SPAN
    for k in range(0, LANES, 16):
        lane = jax.tree.map(lambda x, k=k: x[k], envelope)
        assert find_faults(lane, unit[k]) == []


def test_bounds_are_in_range_and_in_order_and_hold_the_backup() -> None:
    *_, envelope = family()
    assert np.all(envelope.lower >= -1e-6)
    assert np.all(envelope.upper <= 1.0 + 1e-6)
    assert np.all(envelope.lower <= envelope.upper)
    assert np.all(envelope.backup >= envelope.lower - 1e-6)
    assert np.all(envelope.backup <= envelope.upper + 1e-6)


def test_the_previous_applied_action_satisfies_the_bounds() -> None:
    observation, _, envelope = family()
    held = (np.asarray(observation.applied) - LOWER) / SPAN
    settings = slice(0, 7)
    assert np.all(held[:, settings] >= envelope.lower[:, settings] - 1e-6)
    assert np.all(held[:, settings] <= envelope.upper[:, settings] + 1e-6)


def test_a_raised_flow_floor_outranks_the_pumps_ramp() -> None:
    slow = applied_now(seen(chillers_running=3.0), cw_pump_speed=0.5)
    found = at(slow)
    floor = (0.75 - LOWER[6]) / SPAN[6]
    np.testing.assert_allclose(found.lower[6], floor, atol=1e-3)
    assert found.upper[6] >= found.lower[6]


def test_the_tower_fan_is_off_or_at_least_at_its_lowest_speed() -> None:
    *_, envelope = family()
    low = LOWER[7] + SPAN[7] * envelope.lower[:, 7]
    high = LOWER[7] + SPAN[7] * envelope.upper[:, 7]
    is_off = high == 0.0
    assert np.all(low[is_off] == 0.0)
    assert np.all(low[~is_off] >= 0.2 - 1e-6)
    assert 0 < is_off.sum() < LANES


def differences(
    held: np.ndarray, channel: int, now: Estimate, step: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one-sided differences per unit of range, in order, and row sizes."""
    move = np.zeros(10, np.float32)
    move[channel] = step * SPAN[channel]
    values = [
        np.asarray(predict(jnp.asarray(held + side * move), now, model()), np.float64)
        for side in (-1, 0, 1)
    ]
    both = np.stack([values[1] - values[0], values[2] - values[1]]) / step
    return both.min(0), both.max(0), np.abs(values[1])


def test_derivative_rows_agree_with_finite_differences() -> None:
    observation, _, envelope = family()
    step = 5e-3
    now = estimate(observation)
    agreed = 0
    for k in range(24):
        held = np.asarray(observation.applied[k])
        inside = (held > LOWER + step * SPAN) & (held < UPPER - step * SPAN)
        used = ~is_empty(envelope)[k]
        mine = jax.tree.map(lambda x, k=k: x[k], now)
        for j in np.flatnonzero(inside[:8]):
            low, high, size = (x[used] for x in differences(held, int(j), mine, step))
            slope = (envelope.G[k, :, j] * envelope.scale[k])[used]
            # At a corner of the model the derivative lies between both sides.
            # Differences of float32 numbers of that size are good to 1e-7 / step.
            slack = 0.02 * np.maximum(np.abs(low), np.abs(high)) + 2e-3 + 6e-5 * size
            assert np.all((slope >= low - slack) & (slope <= high + slack))
            agreed += used.sum()
    assert agreed > 500


def test_rows_pass_through_the_prediction_at_the_applied_action() -> None:
    observation, _, envelope = family()
    now = estimate(observation)
    value = jax.jit(jax.vmap(lambda a, n: row_values(a, n, model())))(
        observation.applied, now
    )
    held = (np.asarray(observation.applied) - LOWER) / SPAN
    found = (np.einsum("kmn,kn->km", envelope.G, held) - envelope.h) * envelope.scale
    used = ~is_empty(envelope)
    size = np.maximum(np.abs(np.asarray(value)), envelope.scale)
    gap = np.abs(found - np.asarray(value)) / size
    assert np.max(gap[used]) < 1e-4


TOWER = {
    "ECWT_MIN", "ECWT_CWRT_MAX:entering", "ECWT_CWRT_MAX:leaving", "LIFT_MIN",
    "SURGE_LINE",
}  # fmt: skip
HALL1 = {"CA_T_MAX:hall1", "CA_T_MIN:hall1", "AIRFLOW_RATIO:hall1"}
NEEDS = {
    "inlet_temp_hall1_zone2": HALL1,
    "supply_air_temp_hall1": HALL1,
    "it_power_hall1": {"AIRFLOW_RATIO:hall1", "CHW_DP_MIN:hall1"},
    "crah_fan_power_hall2": set(),
    "room_dew_point_hall2": {"DEWPOINT_MARGIN"},
    "chw_supply_temp": {"CHW_DP_MIN:hall1", "CHW_DP_MIN:hall2"},
    "outdoor_wet_bulb": TOWER,
    "cw_supply_temp": TOWER,
    "chiller_power": TOWER,
    "chw_return_temp": set(),
    "outdoor_temp": set(),
}


@pytest.mark.parametrize("point", NEEDS)
def test_a_missing_reading_empties_only_the_rows_that_need_it(point: str) -> None:
    whole = at(seen())
    assert not np.any(is_empty(whole))
    found = at(seen(**{point: np.nan}))
    gone = {ROW_NAMES[i] for i in np.flatnonzero(is_empty(found))}
    assert gone == NEEDS[point]
    # Without the halls' power the towers' heat is that of the water.
    moved = TOWER if point in ("it_power_hall1", "crah_fan_power_hall2") else set()
    kept = [i for i, name in enumerate(ROW_NAMES) if name not in gone | moved]
    np.testing.assert_array_equal(found.G[kept], whole.G[kept])
    np.testing.assert_array_equal(found.h[kept], whole.h[kept])


def test_without_halls_and_water_flow_the_tower_rows_are_empty() -> None:
    found = at(seen(it_power_hall1=np.nan, chw_flow=np.nan))
    gone = {ROW_NAMES[i] for i in np.flatnonzero(is_empty(found))}
    assert gone >= TOWER


def test_no_missing_reading_makes_the_envelope_unusable() -> None:
    base = seen()
    for index in POINT_INDEX.values():
        value = np.array(base.value)
        value[index] = np.nan
        lane = at(dataclasses.replace(base, value=jnp.asarray(value)))
        assert find_faults(lane, np.full(10, 0.5)) == []


def test_one_lane_agrees_with_the_batch() -> None:
    observation, proposed, envelope = family()
    for k in (0, 100, 511):
        lane = single(one(observation, k), jnp.asarray(proposed[k]), model())
        for name in ("lower", "upper", "G", "h", "scale", "backup"):
            np.testing.assert_allclose(
                getattr(lane, name), getattr(envelope, name)[k], rtol=2e-4, atol=2e-4
            )


@pytest.mark.parametrize("name", sorted({n.partition(":")[0] for n in ROW_NAMES}))
def test_a_limit_that_is_switched_off_has_no_rows(name: str) -> None:
    is_on = jnp.asarray([n != name for n in LIMIT_NAMES], jnp.float32)
    numbers = dataclasses.replace(limits(), is_on=is_on)
    safety = dataclasses.replace(model(), limits=numbers)
    observation = seen()
    found = single(observation, observation.applied, safety)
    gone = {ROW_NAMES[i] for i in np.flatnonzero(is_empty(found))}
    assert gone == {n for n in ROW_NAMES if n.partition(":")[0] == name}


def test_a_longer_step_has_wider_ramps() -> None:
    observation = seen()
    usual = single(observation, observation.applied, model())
    twice = single(observation, observation.applied, model(), 2.0)
    wide = np.asarray(twice.upper - twice.lower)[:7]
    assert np.all(wide >= np.asarray(usual.upper - usual.lower)[:7] - 1e-6)
    assert np.any(wide > np.asarray(usual.upper - usual.lower)[:7] + 1e-3)


def test_chilled_water_may_fall_faster_only_when_the_inlets_are_clearly_hot() -> None:
    def fall(inlet: float) -> float:
        observation = applied_now(
            seen(inlet_temp_hall1_zone1=inlet), chw_supply_setpoint=12.0
        )
        return 12.0 - float(LOWER[4] + SPAN[4] * at(observation).lower[4])

    assert fall(26.2) == pytest.approx(0.5, abs=1e-4)
    assert fall(26.6) == pytest.approx(1.0, abs=1e-4)


def test_every_certified_action_keeps_its_ramps_exactly() -> None:
    observation, proposed, _ = family()
    certified, found, _ = jax.jit(shield)(observation, jnp.asarray(proposed), model())
    moved = np.asarray(certified, np.float64) - np.asarray(observation.applied)
    down = np.where(np.asarray(estimate(observation).inlet_max) > 26.5, 1.0, RAMP[4])
    rounding = 1e-6 * np.maximum(np.abs(UPPER), 1.0)
    for j in (0, 1, 2, 3, 5, 6):
        assert np.max(np.abs(moved[:, j])) <= RAMP[j] + rounding[j]
    assert np.max(moved[:, 4]) <= RAMP[4] + rounding[4]
    assert np.all(-moved[:, 4] <= down + rounding[4])
    # The fan steps freely between off and its lowest speed.
    fan, last = np.asarray(certified)[:, 7], np.asarray(observation.applied)[:, 7]
    is_step = np.maximum(fan, last) <= 0.2 + 1e-5
    assert np.all(is_step | (np.abs(moved[:, 7]) <= RAMP[7] + 1e-6))
    assert np.all(np.asarray(found.ok))
