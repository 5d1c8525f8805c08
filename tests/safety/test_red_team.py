"""The opponents ask for what they are named for, and the searches find the worst."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import NORMAL, observed, places, task_params
from seen_plants import LOWER, SPAN, UPPER, model

from coolbound_envs.cooling import CoolingTask, advance
from coolbound_envs.spec import POINT_INDEX
from coolbound_envs.types import (
    Action,
    Controller,
    Observation,
    action_from_vector,
    action_to_vector,
)
from coolbound_safety.red_team.chance import Ends, OneChannel, Walk
from coolbound_safety.red_team.gradient import Climb, harm
from coolbound_safety.red_team.malice import (
    CORNERS,
    Alternate,
    ParkAndSpring,
    StarveOnRise,
)
from coolbound_safety.red_team.mimic import Inverted, Replayed
from coolbound_safety.red_team.opponents import opponents
from coolbound_safety.red_team.script import Scripted, plan_of
from coolbound_safety.red_team.search import Search, worst_plans
from coolbound_safety.shielded import ShieldedParams, ShieldedTask

LANES = 4
OFF, COLD = CORNERS["all off"], CORNERS["cold"]


def observation(**readings: float) -> Observation:
    one = jax.tree.map(lambda x: x[:1], observed(**readings))
    return jax.tree.map(lambda x: jnp.repeat(x, LANES, axis=0), one)


def proposals(
    controller: Controller, steps: int, seen: list[Observation] | None = None
) -> np.ndarray:
    """Return what a controller asks for, (steps, lanes, 10)."""
    state, rows = controller.init((LANES,)), []
    act = jax.jit(controller.act)
    for number in range(steps):
        now = observation() if seen is None else seen[number]
        action, state = act(jax.random.fold_in(jax.random.key(0), number), state, now)
        rows.append(np.asarray(action_to_vector(action)))
    return np.stack(rows)


@pytest.mark.parametrize("name", sorted(set(opponents()) - {"no number"}))
def test_every_opponent_asks_for_what_the_border_does_not_refuse(name: str) -> None:
    asked = proposals(opponents()[name], 5)
    assert asked.shape == (5, LANES, 10)
    assert np.all(asked >= LOWER - 1e-3 * SPAN)
    assert np.all(asked <= UPPER + 1e-3 * SPAN)


def test_one_opponent_sends_every_sort_of_no_number() -> None:
    asked = proposals(opponents()["no number"], 60)
    assert np.isnan(asked).any()
    assert np.isposinf(asked).any()
    assert np.isneginf(asked).any()
    assert (np.abs(asked[np.isfinite(asked)]) > 1e20).any()
    assert np.isfinite(asked).all(axis=-1).any(), "and now and then a proposal"


def test_a_walk_goes_by_small_steps_and_reaches_both_ends() -> None:
    unit = (proposals(Walk(0.1), 400) - LOWER) / SPAN
    assert np.abs(np.diff(unit, axis=0)).max() < 0.6
    assert unit.min() < 0.02
    assert unit.max() > 0.98


def test_ends_are_ends_and_slow_ones_stay_longer() -> None:
    rates = []
    for chance in (0.5, 0.04):
        unit = (proposals(Ends(chance), 200) - LOWER) / SPAN
        assert np.all(np.isclose(unit, 0.0, atol=1e-5) | np.isclose(unit, 1.0))
        rates.append(np.mean(np.abs(np.diff(unit, axis=0)) > 0.5))
    np.testing.assert_allclose(rates, (0.5, 0.04), rtol=0.15)


def test_one_channel_at_a_time_is_at_an_end_and_the_others_are_held() -> None:
    held = np.asarray(observation().applied)[0]
    asked = proposals(OneChannel(hold=3), 60)
    moved = np.abs(asked - held) > 1e-5
    assert moved.sum(axis=-1).max() == 1
    where = asked[moved]
    bounds = np.stack([LOWER, UPPER])[:, np.nonzero(moved)[-1]]
    assert np.all(np.isclose(where, bounds, atol=1e-5).any(axis=0))
    np.testing.assert_array_equal(asked[0], asked[2])
    assert len(np.unique(np.nonzero(moved)[-1])) >= 5


def test_alternating_proposals_change_when_their_time_is_over() -> None:
    asked = proposals(Alternate(OFF, COLD, hold=2), 6)[:, 0]
    expected = [OFF, OFF, COLD, COLD, OFF, OFF]
    np.testing.assert_allclose(asked, expected, atol=1e-5)


def hot(inlet: float) -> Observation:
    names = [name for name in POINT_INDEX if name.startswith("inlet_temp")]
    return observation(**dict.fromkeys(names, inlet))


def test_it_parks_the_inlets_at_the_limit_and_then_takes_all_cooling_away() -> None:
    seen = [hot(26.0)] * 4
    supply = float(seen[0].applied[0, 0])
    asked = proposals(ParkAndSpring(wait=2, spring=2), 4, seen)[:, 0]
    np.testing.assert_allclose(asked[:2, 0], min(supply + 1.0, 25.0), atol=1e-4)
    np.testing.assert_allclose(asked[2:], [OFF, OFF], atol=1e-5)


def test_fans_go_to_their_least_when_the_load_rises_and_come_back() -> None:
    load = {"it_power_hall1": 1500.0, "it_power_hall2": 1500.0}
    more = load | {"it_power_hall1": 1600.0}
    seen = [observation(**load), *[observation(**more)] * 4]
    fans = proposals(StarveOnRise(hold=2), 5, seen)[:, 0, 2]
    np.testing.assert_allclose(fans, [0.9, 0.3, 0.3, 0.9, 0.9], atol=1e-6)


@dataclasses.dataclass(frozen=True)
class Counter:
    """Asks for the number of the step as supply air."""

    def init(self, params: Any = ()) -> jax.Array:
        return jnp.zeros(params, jnp.float32)

    def act(
        self, key: jax.Array, state: jax.Array, observation: Observation
    ) -> tuple[Action, jax.Array]:
        del key
        vector = observation.applied.at[..., 0].set(16.0 + state)
        return action_from_vector(vector), state + 1.0


def test_the_inverted_controller_asks_for_the_opposite() -> None:
    asked = proposals(Inverted(Counter()), 3)[:, 0]
    np.testing.assert_allclose(asked[:, 0], [25.0, 24.0, 23.0], rtol=1e-6)
    held = np.asarray(observation().applied)[0]
    np.testing.assert_allclose(asked[0, 1:], (LOWER + UPPER - held)[1:], rtol=1e-5)


def test_the_replayed_controller_is_late_by_its_delay() -> None:
    asked = proposals(Replayed(Counter(), delay=3), 7)[:, 0, 0]
    np.testing.assert_allclose(asked, [16, 17, 18, 16, 17, 18, 19], rtol=1e-6)


def test_a_script_is_played_block_by_block() -> None:
    shares = np.asarray([0.0, 0.5, 1.0], np.float32)[:, None, None]
    blocks = jnp.asarray(shares * np.ones((1, LANES, 10), np.float32))
    state, controller, rows = plan_of(blocks), Scripted(hold=2), []
    for _ in range(8):
        action, state = controller.act(jax.random.key(0), state, observation())
        rows.append(float(action.chw_supply_setpoint[0]))
    np.testing.assert_allclose(rows, [7, 7, 12.5, 12.5, 18, 18, 18, 18], rtol=1e-6)


def test_a_search_finds_the_worst_plan_of_every_episode() -> None:
    """On a harm whose worst plan is known, another one for every episode."""
    search = Search(plans=64, episodes=3, blocks=2, generations=25)
    worst = jax.random.uniform(jax.random.key(5), (2, 3, 10), jnp.float32)
    worst = jnp.round(worst, 1)
    seen: list[float] = []

    def score(plans: jax.Array) -> jax.Array:
        away = plans.reshape(2, 64, 3, 10) - worst[:, None]
        harms = -jnp.sum(away**2, axis=(0, 3))
        seen.append(float(harms.max(axis=0).min()))
        return harms.reshape(-1)

    found, harms = worst_plans(jax.random.key(0), search, score)
    assert float(jnp.abs(found - worst).mean()) < 0.06
    np.testing.assert_allclose(
        harms, -jnp.sum((found - worst) ** 2, axis=(0, 2)), rtol=1e-4
    )
    assert seen == sorted(seen), "the worst found is never forgotten"


STEPS, HOLD = 6, 3
TASK = ShieldedTask(CoolingTask(settle_steps=6))


@functools.cache
def started() -> Any:
    params = task_params("phoenix")
    start = jax.jit(TASK.inner.start_at)
    _, state = start(jax.random.key(0), places(2, 1), params)
    return state, params


@pytest.mark.long
def test_the_gradient_is_that_of_the_plant() -> None:
    """Against central differences of the plant itself, in the two worst channels."""
    state, params = started()
    climb = Climb(TASK, HOLD, 1)
    normal = jnp.asarray(NORMAL, jnp.float32)
    applied = jnp.broadcast_to(normal, (STEPS, 2, 10))
    slope = np.asarray(jax.jit(climb.slope)(applied, state, params))
    assert slope.shape == (STEPS // HOLD, 2, 10)

    @jax.jit
    def harms(actions: jax.Array) -> jax.Array:
        def body(state: Any, vector: jax.Array) -> Any:
            action = action_from_vector(vector)
            moved = advance(jax.random.key(1), state, action, params)
            return moved[0], moved[1].mean.inlet_temp

        return harm(jax.lax.scan(body, state, actions)[1])

    for channel in (0, 1):
        move = np.zeros((STEPS, 2, 10), np.float32)
        move[:HOLD, :, channel] = 0.05 * SPAN[channel]
        rise = (harms(applied + move) - harms(applied - move)) / 0.1
        np.testing.assert_allclose(slope[0, :, channel], rise, rtol=0.05, atol=0.02)


@pytest.mark.long
def test_climbing_ends_hotter_than_it_began_and_keeps_the_worst() -> None:
    shielded = ShieldedParams(task=started()[1], safety=model())
    reset = jax.jit(TASK.reset_batch, static_argnums=2)
    _, state = reset(jax.random.key(0), shielded, (2,))
    begin = jnp.full((STEPS // HOLD, 2, 10), 0.3, jnp.float32)
    keys = jax.random.split(jax.random.key(3), STEPS)
    worst = jax.jit(Climb(TASK, HOLD, 3).worst)
    plan, course = worst(keys, begin, state, shielded)
    assert np.all(np.asarray(course).max(axis=0) > np.asarray(course)[0] + 0.05)
    assert float(plan[..., 0].mean()) > float(begin[..., 0].mean())
    _, again = worst(keys, plan, state, shielded)
    np.testing.assert_array_equal(again[0], course.max(axis=0))
