"""Shaping by a potential pays earlier, and moves no optimal policy."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_plants import observed, site

from coolbound_controllers.shaping import (
    shaped,
    shaping_term,
    stored_heat_potential,
)
from coolbound_controllers.task import Step, Task
from coolbound_envs.accounts import heat_charge
from coolbound_envs.features import feature_map
from coolbound_envs.spec import POINT_INDEX, ZONES

STATES, ACTIONS = 7, 3


def optimal(
    reward: np.ndarray, moves: np.ndarray, ends: np.ndarray, discount: float
) -> np.ndarray:
    """Return optimal action values (S, A) of a finite problem, by iteration.

    Args:
        reward: Of state, action and next state, (S, A, S).
        moves: Probabilities, (S, A, S).
        ends: 1 where the next state is a trip, (S,).
        discount: Per step.
    """
    values = np.zeros((STATES, ACTIONS))
    for _ in range(400):
        after = (1.0 - ends) * values.max(axis=1)
        values = np.einsum("sat,sat->sa", moves, reward + discount * after)
    return values


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), discount=st.floats(0.0, 0.93))
def test_the_optimal_policy_does_not_move(seed: int, discount: float) -> None:
    """Ng, Harada and Russell 1999: Q' = Q - phi, so every ranking of actions stays."""
    generator = np.random.default_rng(seed)
    moves = generator.dirichlet(np.ones(STATES), (STATES, ACTIONS))
    reward = generator.normal(size=(STATES, ACTIONS, STATES))
    ends = (generator.random(STATES) < 0.3).astype(float)
    potential = 10.0 * generator.normal(size=STATES)
    known: Any = potential
    ended: Any = np.broadcast_to(ends[None, None, :], reward.shape)
    before, after = known[:, None, None], known[None, None, :]
    term = np.asarray(shaping_term(before, after, ended, discount))
    plain = optimal(reward, moves, ends, discount)
    found = optimal(reward + term, moves, ends, discount)
    np.testing.assert_allclose(found, plain - potential[:, None], atol=1e-6)
    np.testing.assert_array_equal(found.argmax(axis=1), plain.argmax(axis=1))


LANES = 3


def sliding() -> Task:
    """A task whose only feature falls by one; lane 0 trips, lane 1 runs out of time."""

    def reset(key: Any, count: int) -> tuple[jax.Array, jax.Array]:
        return jnp.full((count, 1), 5.0), jnp.full((count,), 5.0)

    def step(key: Any, state: jax.Array, action: jax.Array) -> Step:
        flat, after = jnp.zeros(LANES), state - 1.0
        ended = jnp.asarray([1.0, 1.0, 0.0])
        fresh = jnp.where(ended > 0.5, 5.0, after)
        return Step(
            features=fresh[:, None],
            final_features=after[:, None],
            reward=flat + 2.0,
            costs=jnp.zeros((LANES, 1)),
            terminated=ended * jnp.asarray([1.0, 0.0, 0.0]),
            truncated=ended * jnp.asarray([0.0, 1.0, 0.0]),
            state=fresh,
            info={},
        )

    return Task(reset, step, 1, ("none",), (1.0,), (1.0,), 1, (0.5,))


def test_each_step_is_paid_the_change_of_its_own_potential() -> None:
    """Out of time counts as going on; after a trip there is no potential."""
    task = shaped(sliding(), lambda features: 3.0 * features[:, 0], 0.9)
    _, state = task.reset_batch(jax.random.key(0), LANES)
    step = task.step_batch(jax.random.key(0), state, jnp.zeros((LANES, 1)))
    through = 2.0 + 0.9 * 12.0 - 15.0
    np.testing.assert_allclose(step.reward, [2.0 - 15.0, through, through], rtol=1e-6)
    step = task.step_batch(jax.random.key(0), step.state, jnp.zeros((LANES, 1)))
    going = 2.0 + 0.9 * 9.0 - 12.0
    np.testing.assert_allclose(step.reward, [2.0 - 15.0, through, going], rtol=1e-6)


def test_stored_heat_is_priced_as_at_the_horizon() -> None:
    """A kelvin more in water and halls, against the environment's own charge."""
    plant, seen = site().plant, observed()
    potential = stored_heat_potential(site(), 1.0)
    names = ["chw_supply_temp", "chw_return_temp"]
    names += [f"inlet_temp_hall{h}_zone{z + 1}" for h in (1, 2) for z in range(ZONES)]
    warmer = seen.value
    for name in names:
        warmer = warmer.at[:, POINT_INDEX[name]].add(1.0)
    features = feature_map(site())
    cold = potential(features(seen))
    warm = potential(features(dataclasses.replace(seen, value=warmer)))
    water = float(plant.chw.pipe_mass + plant.chw.buffer_mass) * 4186.0
    halls = float(
        (plant.it.server_capacity + plant.it.air_capacity) * plant.it.design_power
    )
    is_last = jnp.asarray(True)
    charge = heat_charge(jnp.asarray(water + halls), jnp.asarray(0.0), is_last)
    np.testing.assert_allclose(cold - warm, float(charge), rtol=2e-3)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_weight_is_a_share_of_the_price(weight: float) -> None:
    features = feature_map(site())(observed())
    whole = stored_heat_potential(site(), 1.0)(features)
    found = stored_heat_potential(site(), weight)(features)
    np.testing.assert_allclose(found, weight * whole, rtol=1e-6)
