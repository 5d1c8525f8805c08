"""The ring of transitions: what goes in comes out, the oldest goes first."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learner_tasks import drift_task
from sac_tasks import CAP, SMALL, filtered_task

from coolbound_controllers.distribution import log_prob, squash
from coolbound_controllers.sac_learner import init_learner
from coolbound_controllers.sac_replay import Transition, init_replay, insert, sample

LANES, CAPACITY = 3, 17


def numbered(first: int, steps: int) -> Transition:
    """A rollout whose rows carry the numbers first, first + 1, ..."""
    rows = jnp.arange(first, first + steps * LANES, dtype=jnp.float32)
    rows = rows.reshape(steps, LANES)
    return Transition(
        features=jnp.stack([rows, -rows], axis=-1),
        final_features=jnp.stack([rows + 0.5, rows], axis=-1),
        u=rows[..., None],
        executed=jnp.zeros((steps, LANES, 0), jnp.float32),
        signals=jnp.stack([rows, 2.0 * rows, 3.0 * rows], axis=-1),
        terminated=rows,
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([1, 2, 5]), min_size=1, max_size=12))
def test_ring_holds_the_newest_rows_and_all_of_them(lengths: list[int]) -> None:
    ring, told = init_replay(CAPACITY, numbered(0, 1)), []
    for steps in lengths:
        ring = insert(ring, numbered(len(told), steps))
        told += range(len(told), len(told) + steps * LANES)
    count = int(ring.count)
    assert count == min(len(told), CAPACITY)
    held = np.asarray(ring.rows.terminated)[:count]
    assert sorted(held) == told[-CAPACITY:]
    np.testing.assert_array_equal(ring.rows.signals[:count, 1], 2.0 * held)
    np.testing.assert_array_equal(ring.rows.final_features[:count, 0], held + 0.5)


def test_sampling_reaches_every_row_alike_and_never_an_empty_one() -> None:
    ring = insert(init_replay(CAPACITY, numbered(0, 1)), numbered(1, 4))
    drawn = np.asarray(sample(jax.random.key(0), ring, 24_000).terminated)
    rows, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_array_equal(rows, np.arange(1, 13))
    # 12 rows, 2,000 each: six standard deviations of a binomial
    assert np.abs(counts - 2000).max() < 6 * np.sqrt(2000)


def test_a_rollout_larger_than_the_ring_is_refused() -> None:
    with pytest.raises(ValueError, match="18 does not fit a ring of 17"):
        insert(init_replay(CAPACITY, numbered(0, 1)), numbered(0, 6))


def test_where_time_was_up_the_true_final_features_are_kept() -> None:
    """AC1: what the critics bootstrap from is never the next episode's start."""
    task, horizon = drift_task(horizon=4), 4
    settings = dataclasses.replace(SMALL, first_steps=12)
    rows = init_learner(jax.random.key(0), task, settings).replay.rows
    rows = jax.tree.map(lambda x: x[:96].reshape(12, 8, *x.shape[1:]), rows)
    clock, final = rows.features[..., 2], rows.final_features[..., 2]
    np.testing.assert_allclose(final, clock + 1.0 / horizon, atol=1e-6)
    is_over = np.asarray(final) > 0.99
    assert is_over.sum() == 3 * 8
    np.testing.assert_array_equal(clock[1:][is_over[:-1]], 0.0)
    kept = ~is_over[:-1]
    np.testing.assert_array_equal(
        np.asarray(rows.features)[1:][kept], np.asarray(rows.final_features)[:-1][kept]
    )


def test_ring_keeps_the_proposed_and_the_executed_action_apart() -> None:
    """AC6: behind a filter that caps the action, both are there, and differ."""
    ring = init_learner(jax.random.key(0), filtered_task(), SMALL).replay
    count = int(ring.count)
    proposed = np.asarray(squash(ring.rows.u[:count]))
    executed = np.asarray(ring.rows.executed[:count])
    assert proposed.max() > CAP + 0.1
    np.testing.assert_allclose(executed, np.minimum(proposed, CAP), rtol=1e-6)
    assert (executed < proposed).mean() > 0.1


def test_a_task_that_does_not_tell_stores_no_executed_action() -> None:
    """AC6: what is not known is absent, never a copy of the proposal."""
    ring = init_learner(jax.random.key(0), drift_task(limit=0.05), SMALL).replay
    assert ring.rows.executed.shape == (SMALL.capacity, 0)


def test_the_stored_action_gives_back_its_density_where_it_has_saturated() -> None:
    """AC5: the ring keeps u; from the action, 1 in float32, it could not be had."""
    rows = numbered(0, 1)
    rollout = Transition(
        **{**vars(rows), "u": jnp.full((1, LANES, 1), 11.7, jnp.float32)}
    )
    found = sample(
        jax.random.key(0), insert(init_replay(CAPACITY, rollout), rollout), 2
    )
    assert (np.asarray(squash(found.u)) == 1.0).all()
    ours = log_prob(found.u, jnp.full((2, 1), 11.0), jnp.full((1,), -1.0))
    u = np.float64(np.float32(11.7))
    slope = np.log(2.0) - 2.0 * u - 2.0 * np.logaddexp(0.0, -2.0 * u)
    expected = -0.5 * ((u - 11.0) * np.e) ** 2 - 0.5 * np.log(2 * np.pi) + 1.0 - slope
    np.testing.assert_allclose(ours, expected, atol=1e-3)
