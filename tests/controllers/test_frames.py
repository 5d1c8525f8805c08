"""Several frames: what the learner is shown is what the deployed policy sees."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_controllers.frames import with_frames
from coolbound_controllers.networks import init_actor
from coolbound_controllers.normaliser import init_normaliser
from coolbound_controllers.policy import LearnedPolicy, PolicyWeights, propose
from coolbound_controllers.policy_folder import load_policy, save_policy
from coolbound_controllers.task import Step, Task
from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.tables import InputError
from coolbound_envs.types import action_to_vector, to_unit

LANES, SIZE = 3, 12
ENDS = 4


def counter(key: Any, count: int) -> tuple[jax.Array, jax.Array]:
    """Begin a task whose features are the step of the episode, and its lane."""
    steps = jnp.zeros((count,), jnp.int32)
    return shown(steps), steps


def shown(steps: jax.Array) -> jax.Array:
    lane = jnp.arange(steps.shape[0], dtype=jnp.float32)
    count = steps[:, None].astype(jnp.float32)
    start = jnp.broadcast_to(0.1 * count + 0.01, (*steps.shape, ACTION_SIZE))
    return jnp.concatenate([count, lane[:, None], start], axis=-1)


def count_on(key: Any, steps: jax.Array, action: jax.Array) -> Step:
    """Lane 0 ends by a trip after ENDS steps, lane 1 by time; lane 2 goes on."""
    later = steps + 1
    lane = jnp.arange(LANES)
    tripped, timed = (later >= ENDS) & (lane == 0), (later >= ENDS) & (lane == 1)
    after = jnp.where(tripped | timed, 0, later)
    flat = jnp.zeros(LANES)
    return Step(
        features=shown(after),
        final_features=shown(later),
        reward=flat,
        costs=jnp.zeros((LANES, 1)),
        terminated=tripped.astype(jnp.float32),
        truncated=timed.astype(jnp.float32),
        state=after,
        info={},
    )


def task() -> Task:
    return Task(counter, count_on, SIZE, ("none",), (1.0,), (1.0,), ACTION_SIZE)


def played(frames: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features (T + 1, n, k F) and final features (T, n, k F)."""
    framed = with_frames(task(), frames)
    features, state = framed.reset_batch(jax.random.key(0), LANES)
    seen, finals = [features], []
    for _ in range(steps):
        step = framed.step_batch(jax.random.key(1), state, features[:, :ACTION_SIZE])
        features, state = step.features, step.state
        seen.append(features)
        finals.append(step.final_features)
    return np.stack(seen), np.stack(finals)


def test_one_frame_is_the_task_itself() -> None:
    plain = task()
    assert with_frames(plain, 1) is plain
    assert with_frames(plain, 3).feature_size == 3 * SIZE
    with pytest.raises(ValueError, match="at least"):
        with_frames(plain, 0)


def test_frames_are_the_last_steps_oldest_first() -> None:
    seen, finals = played(3, 2 * ENDS)
    steps = seen.reshape(*seen.shape[:2], 3, SIZE)[..., 0]
    np.testing.assert_array_equal(steps[0], 0.0)
    np.testing.assert_array_equal(steps[2, 2], [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(steps[6, 2], [4.0, 5.0, 6.0])
    assert np.all(seen.reshape(*seen.shape[:2], 3, SIZE)[:, 1, :, 1] == 1.0)
    np.testing.assert_array_equal(finals.reshape(8, LANES, 3, SIZE)[5, 2, :, 0],
                                  [4.0, 5.0, 6.0])  # fmt: skip


@pytest.mark.parametrize("lane", [0, 1])
def test_no_frame_crosses_the_end_of_an_episode(lane: int) -> None:
    """The value of the final state is asked with its own past, not the next one's."""
    seen, finals = played(3, ENDS + 1)
    steps = seen.reshape(*seen.shape[:2], 3, SIZE)[..., 0]
    final = finals.reshape(*finals.shape[:2], 3, SIZE)[..., 0]
    np.testing.assert_array_equal(final[ENDS - 1, lane], [2.0, 3.0, 4.0])
    np.testing.assert_array_equal(steps[ENDS, lane], 0.0)
    np.testing.assert_array_equal(steps[ENDS + 1, lane], [0.0, 0.0, 1.0])


def weights(frames: int) -> PolicyWeights:
    actor = init_actor(jax.random.key(4), frames * SIZE, (8,), ACTION_SIZE, -1.0)
    return PolicyWeights(
        network=jax.tree.map(lambda x: 20.0 * x, actor.network),
        log_std=actor.log_std,
        bias=jnp.zeros((0,), jnp.float32),
        normaliser=init_normaliser(frames * SIZE),
    )


def deployed(frames: int) -> LearnedPolicy:
    features: Any = lambda seen: seen  # noqa: E731
    return LearnedPolicy(weights(frames), features, "toy", "", "{}", SIZE)


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_the_deployed_policy_proposes_what_the_learner_would(frames: int) -> None:
    policy, framed = deployed(frames), with_frames(task(), frames)
    features, state = framed.reset_batch(jax.random.key(0), LANES)
    memory = policy.init((LANES,))
    single: Any = shown(jnp.zeros(LANES, jnp.int32))
    for _ in range(3):
        action, memory = policy.act(jax.random.key(2), memory, single)
        wanted = propose(policy.weights, features)
        found = to_unit(action_to_vector(action))
        np.testing.assert_allclose(found, wanted, atol=2e-5)
        step = framed.step_batch(jax.random.key(1), state, wanted)
        features, state = step.features, step.state
        single = features[:, -SIZE:]


def test_a_reading_that_is_none_is_not_remembered() -> None:
    policy, seen = deployed(2), shown(jnp.ones(LANES, jnp.int32))
    memory = policy.init((LANES,))
    _, memory = policy.act(jax.random.key(0), memory, seen)  # pyright: ignore[reportArgumentType]
    lost: Any = seen.at[:, 0].set(jnp.nan)
    action, memory = policy.act(jax.random.key(0), memory, lost)
    assert not np.any(np.isfinite(action_to_vector(action)[0]))
    action, _ = policy.act(jax.random.key(0), memory, seen)  # pyright: ignore[reportArgumentType]
    assert np.all(np.isfinite(action_to_vector(action)))


def test_a_policy_of_frames_comes_back_from_its_folder(tmp_path: Path) -> None:
    names = [f"feature {i}" for i in range(SIZE)]
    manifest: dict[str, Any] = dict.fromkeys(
        ("name", "algorithm", "site_digest", "command", "seed", "revision",
         "metrics", "hyperparameters", "versions"), "x")  # fmt: skip
    features: Any = lambda seen: seen  # noqa: E731
    save_policy(tmp_path, weights(3), manifest, names)
    found = load_policy(tmp_path, features, names)
    memory: Any = found.init((2,))
    assert memory.frames.shape == (2, 3 * SIZE)
    assert found.present_normaliser.mean.shape == (SIZE,)
    save_policy(tmp_path, weights(3), manifest, names[:5])
    with pytest.raises(InputError, match="make no actor"):
        load_policy(tmp_path, features, names[:5])


def test_memory_is_a_task_of_its_own() -> None:
    """A learner sees the frames as features: nothing else of the task changes."""
    framed = with_frames(task(), 2)
    same = {f.name for f in dataclasses.fields(Task)} - {
        "reset_batch",
        "step_batch",
        "feature_size",
    }
    assert all(getattr(framed, name) == getattr(task(), name) for name in same)
