"""Scores count each episode to its end, and nothing after it."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_controllers.episodes import score_task
from coolbound_envs.limit_table import GROUPS

ENDS = (2, 5, 9, 9)  # steps that each lane of the toy lives
DIVERGES = (False, True, False, False)


class Toy:
    """Lane i lives ENDS[i] steps, rewards i + 1, and then shouts."""

    def reset_batch(self, key: Any, params: Any, shape: tuple[int]) -> Any:
        return jnp.zeros(shape), jnp.zeros((), jnp.int32)

    def step(self, key: Any, state: Any, action: Any, params: Any) -> Any:
        state = state + 1
        ends = jnp.asarray(ENDS)
        over = state > ends
        diverged = jnp.asarray(DIVERGES) & (state == ends)
        lane = jnp.arange(4.0)
        reward = jnp.where(over | diverged, jnp.nan, lane + 1.0)
        zero = jnp.zeros(4)
        info = {
            "diverged": diverged,
            "work": zero,
            "limits": jnp.where(state[None] % 2 == 0, 1.0, -1.0) * jnp.ones((4, 21)),
            "costs": jnp.where(over[:, None], jnp.nan, 0.5)
            * jnp.ones((4, len(GROUPS))),
            "summary": SimpleNamespace(
                mean=SimpleNamespace(facility_power=zero + 2000.0),
                inlet_temp_max=20.0 + lane,
            ),
        }
        tripped = (lane == 0.0) & (state == 2)
        truncated = jnp.full(4, state >= 9)
        return zero, state, reward, tripped | diverged, truncated, info


class Nobody:
    def init(self, shape: Any) -> Any:
        return jnp.zeros(shape)

    def act(self, key: Any, memory: Any, observation: Any) -> Any:
        return observation, memory


@pytest.fixture(scope="module")
def found() -> Any:
    with jax.numpy_rank_promotion("allow"):
        return score_task(Nobody(), Toy(), None, 4, 12, 0)  # type: ignore[arg-type]


def test_rewards_count_until_the_end_and_not_after(found: Any) -> None:
    # Lanes give 2 x 1, 4 x 2 (the fifth diverged), 9 x 3, 9 x 4 over 24 steps.
    assert found.reward == pytest.approx((2 + 8 + 27 + 36) / 24)
    assert found.episodes == 4


def test_a_trip_and_a_divergence_are_told_apart(found: Any) -> None:
    assert found.tripped == pytest.approx(0.25)
    assert found.diverged == pytest.approx(0.25)


def test_costs_violations_and_powers_are_means_of_the_steps_that_count(
    found: Any,
) -> None:
    assert found.costs == pytest.approx(dict.fromkeys(GROUPS, 0.5))
    assert found.above_work_kw == pytest.approx(2.0)
    even = 1 + 2 + 4 + 4  # steps of even number, by lane
    assert found.violations == pytest.approx(1000 * 21 * even / 24)
    assert found.hottest_c == pytest.approx(23.0)
    assert np.isfinite(found.reward_spread)
