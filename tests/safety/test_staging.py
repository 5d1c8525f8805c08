"""Which numbers of machines are candidates, and what a change has to be worth."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seen_plants import situation

from coolbound_envs.spec import CHILLERS
from coolbound_safety.interlocks import Masks
from coolbound_safety.staging import FORBIDDEN, HYSTERESIS, Staging, stage
from coolbound_safety.timers import Permissions

NAN = float("nan")


@functools.cache
def program() -> Any:
    return jax.jit(stage)


def staged(
    count: float,
    fewest: float,
    most: float,
    start: bool = True,
    stop: bool = True,
    requested: float = 2.0,
    carry: float = 1.0,
) -> Staging:
    zero, one = jnp.zeros(()), jnp.ones(())
    masks = Masks(
        chillers_min=jnp.float32(fewest),
        chillers_max=jnp.float32(most),
        chillers_carry=jnp.float32(carry),
        economizer_min=zero,
        economizer_max=one,
        fan_min=zero,
        fan_max=one,
    )
    permitted = Permissions(jnp.asarray(start), jnp.asarray(stop), jnp.asarray(True))
    now = situation(chillers=count)
    found = program()(now, jnp.float32(requested), masks, permitted)
    return jax.tree.map(np.asarray, found)


CASES = st.tuples(
    st.sampled_from([0.0, 1.0, 2.0, 3.0]),
    st.sampled_from([0.0, 1.0, 2.0, 3.0]),
    st.sampled_from([0.0, 1.0, 2.0, 3.0]),
    st.booleans(),
    st.booleans(),
)


@given(case=CASES)
@settings(max_examples=300, deadline=None)
def test_candidates_are_whole_numbers_of_machines_next_to_those_that_run(
    case: tuple[float, float, float, bool, bool],
) -> None:
    count, fewest, most, start, stop = case
    found = staged(count, fewest, max(fewest, most), start, stop)
    assert np.all(found.machines == np.round(found.machines))
    assert np.all((found.machines >= 0) & (found.machines <= CHILLERS))
    below, same, above = found.machines
    assert same == count
    # Free cooling stops all of them; a load that needs more asks for all at once, and
    # too many machines are first brought down to what the load serves.
    is_free = fewest == 0.0 and count <= max(fewest, most)
    assert below in ({0.0} if is_free else {max(count - 1.0, 0.0), most, fewest})
    assert above in {min(count + 1.0, CHILLERS), fewest}


@given(case=CASES)
@example(case=(3.0, 0.0, 1.0, False, False))
@example(case=(2.0, 0.0, 1.0, False, False))
@settings(max_examples=300, deadline=None)
def test_there_is_always_a_number_that_may_be_asked_for_and_no_mask_is_broken(
    case: tuple[float, float, float, bool, bool],
) -> None:
    count, fewest, most, start, stop = case
    most = max(fewest, most)
    found = staged(count, fewest, most, start, stop)
    assert np.any(found.admissible)
    for machines in found.machines[found.admissible]:
        assert fewest <= machines <= most
        required = np.clip(count, fewest, most)
        if machines not in (required, 2.0):
            assert start if machines > count else stop


@given(case=CASES)
@settings(max_examples=100, deadline=None)
def test_what_is_not_admissible_costs_more_than_any_projection(
    case: tuple[float, float, float, bool, bool],
) -> None:
    count, fewest, most, start, stop = case
    found = staged(count, fewest, max(fewest, most), start, stop)
    np.testing.assert_array_equal(found.penalty == FORBIDDEN, ~found.admissible)
    assert set(np.unique(found.penalty)) <= {0.0, np.float32(HYSTERESIS), FORBIDDEN}


def test_a_request_that_stands_is_no_change() -> None:
    found = staged(2.0, 1.0, 3.0, start=False, stop=False, requested=3.0)
    np.testing.assert_array_equal(found.admissible, [False, True, True])
    other = staged(2.0, 1.0, 3.0, start=False, stop=False, requested=2.0)
    np.testing.assert_array_equal(other.admissible, [False, True, False])


def test_out_of_free_cooling_come_all_machines_that_the_load_needs() -> None:
    found = staged(0.0, 0.0, 3.0, requested=0.0, carry=2.0)
    np.testing.assert_array_equal(found.machines, [0.0, 0.0, 2.0])
    most = staged(0.0, 0.0, 1.0, requested=0.0, carry=2.0)
    np.testing.assert_array_equal(most.machines, [0.0, 0.0, 1.0])


@pytest.mark.parametrize("start", [True, False])
def test_a_machine_that_tripped_is_replaced_whatever_the_timers_say(
    start: bool,
) -> None:
    found = staged(1.0, 2.0, 3.0, start=start, stop=False)
    two = np.flatnonzero(found.machines == 2.0)
    assert np.all(found.admissible[two])
    assert np.all(found.penalty[two] == 0.0)
    assert not found.admissible[found.machines == 1.0].any()


def test_two_that_tripped_are_both_replaced() -> None:
    found = staged(1.0, 3.0, 3.0, start=False, stop=False)
    assert found.machines[found.admissible].tolist() == [3.0]


def test_free_cooling_is_the_candidate_below_any_number() -> None:
    for count in (1.0, 2.0, 3.0):
        found = staged(count, 0.0, 3.0)
        assert found.machines[0] == 0.0
        assert found.admissible[0]


def test_free_cooling_waits_for_the_machines_least_run() -> None:
    assert not staged(2.0, 0.0, 3.0, stop=False).admissible[0]


def test_unknown_counts_leave_what_was_asked_for() -> None:
    found = staged(NAN, 2.0, 2.0, requested=2.0)
    assert found.machines[found.admissible].tolist() == [2.0]


def cost(found: Staging, asked: float) -> np.ndarray:
    """Return the projection's distance in the channel of machines, and the rest.

    One coordinate is the whole range of three machines.
    """
    moved = (np.asarray(found.machines) - asked) / CHILLERS
    return 0.5 * moved**2 + np.asarray(found.penalty)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [(2.0, 2.0), (2.3, 2.0), (2.67, 2.0), (2.69, 3.0), (3.0, 3.0),
     (1.7, 2.0), (1.33, 2.0), (1.31, 1.0), (0.0, 1.0)],
)  # fmt: skip
def test_a_fraction_of_a_machine_changes_nothing_below_two_thirds(
    asked: float, chosen: float
) -> None:
    found = staged(2.0, 1.0, 3.0)
    assert found.machines[np.argmin(cost(found, asked))] == chosen


@given(case=CASES, asked=st.floats(0.0, 3.0))
@settings(max_examples=100, deadline=None)
def test_the_cheapest_is_admissible_whatever_is_asked(
    case: tuple[float, float, float, bool, bool], asked: float
) -> None:
    count, fewest, most, start, stop = case
    found = staged(count, fewest, max(fewest, most), start, stop)
    if np.any(found.admissible):
        assert found.admissible[np.argmin(cost(found, asked))]
