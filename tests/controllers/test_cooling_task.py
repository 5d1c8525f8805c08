"""What a learner is told of the plant: what was executed, and what correction costs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_controllers.cooling_task import (
    CURRICULUM_STEPS,
    INTERVENTION_CHARGE,
    INTERVENTION_PRICE,
    LaneState,
    learning_task,
)
from coolbound_controllers.networks import init_actor
from coolbound_controllers.normaliser import init_normaliser
from coolbound_controllers.on_policy import summarise
from coolbound_controllers.rollout import World, collect
from coolbound_controllers.task import EXECUTED, Task
from coolbound_envs.limit_table import GROUPS
from coolbound_envs.spec import ACTION_SIZE, channel_array
from coolbound_envs.types import Action, action_to_vector, from_unit

LANES = 3
MOST = 0.4
"""What the filter of these tests lets through, as a share of the range. [1]"""


class Filtered:
    """A plant that never changes, behind a filter that caps every channel."""

    def __init__(self, tells: bool) -> None:
        self.tells = tells

    def reset_batch(self, key: Any, params: Any, shape: tuple[int]) -> Any:
        return jnp.zeros((*shape, 3)), jnp.zeros(shape)

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Any:
        most = from_unit(jnp.full((1, ACTION_SIZE), MOST))
        certified = jnp.minimum(action_to_vector(action), most)
        flat = jnp.zeros(LANES)
        info = {
            "costs": jnp.zeros((LANES, len(GROUPS))),
            "heat_charge": flat,
            "correction": flat + 0.25,
            "intervention": flat + 1.0,
        }
        if self.tells:
            info["certified"] = certified
        seen = jnp.zeros((LANES, 3))
        return seen, state, flat - 2.0, flat > 0.0, flat > 0.0, info

    def select(self, ended: Any, fresh: Any, kept: Any) -> Any:
        return jnp.where(ended, fresh, kept)


def lanes(steps: int = 0) -> LaneState:
    return LaneState(world=jnp.zeros(LANES), steps=jnp.asarray(steps, jnp.int32))


def made(tells: bool = True) -> Task:
    features: Any = lambda seen: seen  # noqa: E731
    return learning_task(Filtered(tells), None, features)


@pytest.mark.parametrize(("tells", "most"), [(True, MOST), (False, 1.0)])
def test_the_executed_action_is_what_the_filter_let_through(
    tells: bool, most: float
) -> None:
    asked = jnp.linspace(0.0, 1.0, LANES * ACTION_SIZE).reshape(LANES, -1)
    step = made(tells).step_batch(jax.random.key(0), lanes(), asked)
    wanted = np.minimum(np.asarray(asked), most)
    np.testing.assert_allclose(step.info[EXECUTED], wanted, atol=1e-5)
    assert channel_array("upper").shape == (ACTION_SIZE,)


def test_every_unit_of_correction_is_charged_for() -> None:
    """AC24: the penalty that keeps a policy off the projection, and one for each."""
    asked = jnp.zeros((LANES, ACTION_SIZE))
    step = made().step_batch(jax.random.key(0), lanes(), asked)
    charge = 0.25 * INTERVENTION_PRICE + INTERVENTION_CHARGE
    np.testing.assert_allclose(step.reward, -2.0 - charge, rtol=1e-6)
    np.testing.assert_allclose(step.info["power"], 2.0)


def test_a_rollout_keeps_both_actions_and_reports_neither() -> None:
    """AC6: proposed and executed apart; a mean of actions says nothing."""
    task = made()
    actor = init_actor(jax.random.key(1), 3, (4,), ACTION_SIZE, 0.0)
    features, state = jnp.zeros((LANES, 3)), lanes()
    wide = jnp.zeros((LANES, ACTION_SIZE)) + features[:, :1]
    world = World(jnp.concatenate([features, wide], axis=-1)[:, :3], state)
    _, rollout = collect(
        jax.random.key(2),
        _with_bias(task),
        actor,
        init_normaliser(3),
        world,
        5,
    )
    proposed = jax.nn.sigmoid(2.0 * rollout.u)
    executed = rollout.info[EXECUTED]
    assert executed.shape == (5, LANES, ACTION_SIZE)
    np.testing.assert_allclose(executed, np.minimum(proposed, MOST), atol=1e-4)
    assert np.max(proposed) > MOST + 0.1
    found = summarise(rollout, rollout.signals, task)
    assert EXECUTED not in found
    assert float(found["intervention"]) == 1.0


class Ending(Filtered):
    """Lanes that end with every step, and begin with what they were told."""

    def reset_batch(self, key: Any, params: Any, shape: tuple[int]) -> Any:
        return jnp.zeros((*shape, 3)), jnp.full(shape, params)

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Any:
        seen, state, reward, ended, _, info = super().step(key, state, action, params)
        return seen, state, reward, ended, ~ended, info


@pytest.mark.parametrize("steps", [0, CURRICULUM_STEPS // 4, 3 * CURRICULUM_STEPS])
def test_fresh_episodes_are_as_hard_as_training_is_far(steps: int) -> None:
    features: Any = lambda seen: seen  # noqa: E731
    task = learning_task(
        Ending(tells=False), 8.0, features, lambda most, progress: most * progress
    )
    first = task.reset_batch(jax.random.key(0), LANES)[1]
    np.testing.assert_array_equal(first.world, 0.0)
    asked = jnp.zeros((LANES, ACTION_SIZE))
    step = jax.jit(task.step_batch)(jax.random.key(0), lanes(steps), asked)
    wanted = 8.0 * min(steps / CURRICULUM_STEPS, 1.0)
    np.testing.assert_allclose(step.state.world, wanted, rtol=1e-6)
    assert int(step.state.steps) == steps + 1


def _with_bias(task: Task) -> Task:
    import dataclasses

    return dataclasses.replace(task, feature_size=3, bias=(0.5,) * ACTION_SIZE)
