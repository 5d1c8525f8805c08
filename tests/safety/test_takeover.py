"""Handing over moves no set-point faster than its rate, and is not done lightly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coolbound_envs.spec import CHANNELS, channel_array
from coolbound_safety.takeover import (
    PATIENCE,
    RETURN_AFTER,
    Mode,
    Takeover,
    Worth,
    advance,
    move_towards,
)

LOWER, UPPER = channel_array("lower"), channel_array("upper")
RAMP = channel_array("ramp")
FAN = 7
NORMAL = np.array([22.0, 22.0, 0.85, 0.85, 12.0, 80.0, 0.8, 0.6, 2.0, 0.0])

anything = st.one_of(
    st.floats(-50.0, 200.0), st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 0.2])
)
targets = st.lists(anything, min_size=10, max_size=10).map(np.asarray)
shares = st.lists(st.floats(0.0, 1.0), min_size=10, max_size=10).map(np.asarray)


def allowed(before: np.ndarray, after: np.ndarray) -> bool:
    """Say whether the actuators' limits let one action follow another."""
    moved = np.abs(after - before) <= RAMP + 1e-9
    is_switch = {before[FAN], after[FAN]} == {0.0, 0.2}
    moved[FAN] |= is_switch
    is_fan = after[FAN] == 0.0 or 0.2 - 1e-9 <= after[FAN] <= 1.0
    inside = np.all((after >= LOWER - 1e-9) & (after <= UPPER + 1e-9))
    return bool(np.all(moved) and is_fan and inside)


@settings(max_examples=200, deadline=None)
@given(shares, st.lists(st.tuples(targets, st.sampled_from(Worth)), max_size=30))
def test_no_set_point_jumps_over_any_takeover_and_hand_back(
    first: np.ndarray, story: list[tuple[np.ndarray, Worth]]
) -> None:
    in_force = LOWER + first * (UPPER - LOWER)
    in_force[FAN] = 0.0 if in_force[FAN] < 0.2 else in_force[FAN]
    state, rule = Takeover(), NORMAL
    for wanted, worth in story:
        state = advance(state, worth)
        target = rule if state.mode == Mode.NEUTRAL else wanted
        moved = move_towards(target, in_force)
        assert allowed(in_force, moved)
        in_force = moved


def test_a_rule_held_in_place_is_reached_and_kept() -> None:
    action = UPPER.copy()
    for _ in range(20):
        action = move_towards(NORMAL, action)
    np.testing.assert_allclose(action, NORMAL)


@pytest.mark.parametrize("fan", [0.0, 1.0])
def test_tower_fans_pass_between_off_and_any_speed(fan: float) -> None:
    speeds = [1.0 - fan]
    action, target = NORMAL.copy(), NORMAL.copy()
    action[FAN], target[FAN] = 1.0 - fan, fan
    for _ in range(10):
        action = move_towards(target, action)
        speeds.append(float(action[FAN]))
    assert speeds[-1] == fan
    assert all(speed == 0.0 or speed >= 0.2 - 1e-9 for speed in speeds)


def test_from_outside_its_range_a_channel_moves_inward_only() -> None:
    outside = NORMAL.copy()
    outside[4] = 20.0
    moved = move_towards(np.full(10, 25.0), outside)
    assert moved[4] == 20.0 - CHANNELS[4].ramp


def test_without_a_value_in_force_the_target_is_taken_within_its_range() -> None:
    unknown = np.full(10, np.nan)
    assert np.array_equal(move_towards(NORMAL, unknown), NORMAL)
    nowhere = move_towards(unknown, unknown)
    assert np.all((nowhere > LOWER) & (nowhere < UPPER))


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected \\(10,\\)"):
        move_towards(np.zeros(9), NORMAL)
    with pytest.raises(ValueError, match="action in force"):
        move_towards(NORMAL, np.zeros((1, 10)))


def run(state: Takeover, *worths: Worth) -> Takeover:
    for worth in worths:
        state = advance(state, worth)
    return state


def test_one_bad_decision_is_bridged_and_a_second_hands_over() -> None:
    state = run(Takeover(), *[Worth.BAD] * (PATIENCE - 1))
    assert state.mode == Mode.AGENT
    assert run(state, Worth.GOOD, Worth.BAD).mode == Mode.AGENT
    assert run(state, Worth.BAD).mode == Mode.NEUTRAL


def test_old_data_hand_over_at_once() -> None:
    assert advance(Takeover(), Worth.GOOD, is_urgent=True).mode == Mode.NEUTRAL


def test_only_good_decisions_in_a_row_hand_back() -> None:
    neutral = Takeover(mode=Mode.NEUTRAL)
    almost = run(neutral, *[Worth.GOOD] * (RETURN_AFTER - 1))
    assert almost.mode == Mode.NEUTRAL
    assert run(almost, Worth.GOOD).mode == Mode.AGENT
    for interruption in (Worth.FAIR, Worth.BAD):
        broken = run(almost, interruption, *[Worth.GOOD] * (RETURN_AFTER - 1))
        assert broken.mode == Mode.NEUTRAL
    assert run(neutral, *[Worth.FAIR] * 100).mode == Mode.NEUTRAL
