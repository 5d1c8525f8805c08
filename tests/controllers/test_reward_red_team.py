"""Ways to score well and run the plant badly: each is tried, and each loses.

The list with its reasons: docs/reward-red-team.md. Everyone acts at the same time in
the same weather, load and noise; a trick is what an honest controller asks for, bent.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import site, task_params

from coolbound_controllers.cooling_task import (
    COST_LIMIT,
    COST_UNIT,
    INTERVENTION_PRICE,
)
from coolbound_controllers.g36 import G36
from coolbound_controllers.operator_settings import parse_operator
from coolbound_controllers.start_rule import StartRule
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.features import feature_map
from coolbound_envs.limit_table import GROUPS
from coolbound_envs.scenario import Place
from coolbound_envs.types import action_from_vector, action_to_vector
from coolbound_safety.guard import first_memory
from coolbound_safety.margins import safety_model
from coolbound_safety.shielded import ShieldedParams, ShieldedState, ShieldedTask

Bend = Callable[[jax.Array, jax.Array], jax.Array]
"""From honest actions (lanes, 10) and the step's number to a trick's."""

STEPS = 192
"""Length of an episode: 16 hours. [1]"""

CITIES = ("phoenix", "chicago")
DAYS = (190, 20)
"""Summer in the desert, winter by the lake. [1]"""

TASK = CoolingTask(settle_steps=12)
THERMAL = GROUPS.index("thermal")
AIRFLOW = GROUPS.index("airflow")


def thin_air(share: float, hot: bool = False) -> Bend:
    def bend(honest: jax.Array, step: jax.Array) -> jax.Array:
        fans = jnp.maximum(0.3, share * honest[:, 2:4])
        warm = jnp.where(hot, 25.0, honest[:, 0:2])
        return honest.at[:, 2:4].set(fans).at[:, 0:2].set(warm)

    return bend


def stopped(honest: jax.Array) -> jax.Array:
    """Return chillers, towers and most of the pumps off."""
    for channel, value in ((4, 18.0), (6, 0.4), (7, 0.0), (8, 0.0), (9, 0.0)):
        honest = honest.at[:, channel].set(value)
    return honest


def dump(last: int) -> Bend:
    return lambda honest, step: jnp.where(step >= STEPS - last, stopped(honest), honest)


def cycle(every: int) -> Bend:
    def bend(honest: jax.Array, step: jax.Array) -> jax.Array:
        is_up = (step // every) % 2 == 0
        return honest.at[:, 8].set(jnp.where(is_up, 3.0, 1.0))

    return bend


def no_servers(honest: jax.Array, step: jax.Array) -> jax.Array:
    return stopped(honest).at[:, 0:2].set(25.0).at[:, 2:4].set(0.3)


DUMPS = (1, 2, 3, 4)
TRICKS: dict[str, Bend] = {
    "honest": lambda honest, step: honest,
    "hot servers": thin_air(0.8, hot=True),
    "a little less air": thin_air(0.9),
    "much less air": thin_air(0.8),
    **{f"dump {last}": dump(last) for last in DUMPS},
    "cycle": cycle(3),
    "no servers": no_servers,
}


def corner(*values: float) -> Bend:
    row = np.asarray(values, np.float32)
    return lambda honest, step: jnp.broadcast_to(jnp.asarray(row), honest.shape)


def warm_edge(honest: jax.Array, step: jax.Array) -> jax.Array:
    return honest.at[:, 0:2].set(25.0).at[:, 4].set(18.0)


PARKED: dict[str, Bend] = {
    "honest": lambda honest, step: honest,
    "all off": corner(25, 25, 0.3, 0.3, 18, 34.5, 0.4, 0, 0, 0),
    "all warm": corner(25, 25, 1, 1, 18, 34.5, 0.4, 0.2, 1, 0),
    "all cold": corner(16, 16, 1, 1, 7, 120, 1, 1, 3, 1),
    "the warm edge": warm_edge,
}


def bent(tricks: dict[str, Bend], honest: jax.Array, step: jax.Array) -> jax.Array:
    """Return every trick's actions, each on its own block of lanes."""
    lanes = len(CITIES)
    blocks = [
        bend(honest[i * lanes : (i + 1) * lanes], step)
        for i, bend in enumerate(tricks.values())
    ]
    return jnp.concatenate(blocks)


def where(count: int) -> Place:
    """Return the same places for each of so many tricks, trick first."""
    lanes = count * len(CITIES)
    return Place(
        city=jnp.tile(jnp.arange(len(CITIES), dtype=jnp.int32), count),
        trace=jnp.zeros(lanes, jnp.int32),
        time=jnp.tile(jnp.asarray(DAYS, jnp.int32) * 86400, count),
        load_offset=jnp.zeros(lanes, jnp.int32),
    )


def kept(info: dict[str, Any], reward: jax.Array, ended: jax.Array) -> dict[str, Any]:
    mean = info["summary"].mean
    return {
        "reward": reward,
        "charge": info["heat_charge"],
        "costs": info["costs"],
        "facility": mean.facility_power,
        "it": jnp.sum(mean.it_power, axis=0),
        "running": info["summary"].running,
        "ended": ended,
        "correction": info.get("correction", jnp.zeros_like(reward)),
    }


def scanned(environment: Any, policy: Any, tricks: dict[str, Bend], params: Any) -> Any:
    """Return a function of observation, state and key that runs the episode."""

    def play(observation: Any, state: Any, key: jax.Array) -> Any:
        def body(carry: Any, number: jax.Array) -> Any:
            seen, state, memory = carry
            step_key = jax.random.fold_in(key, number)
            action, memory = policy.act(step_key, memory, seen)
            asked = bent(tricks, action_to_vector(action), number)
            seen, state, reward, ended, _, info = environment.step(
                step_key, state, action_from_vector(asked), params
            )
            return (seen, state, memory), kept(info, reward, ended)

        memory = policy.init(observation.time.shape)
        steps = jnp.arange(STEPS)
        return jax.lax.scan(body, (observation, state, memory), steps)[1]

    return play


def by_trick(tricks: dict[str, Bend], found: Any) -> dict[str, dict[str, np.ndarray]]:
    """Return the records of each trick until its end, (steps, cities, ...)."""
    arrays: dict[str, Any] = {k: np.asarray(x, np.float64) for k, x in found.items()}
    alive = np.cumprod(1.0 - arrays["ended"], axis=0)
    arrays["alive"] = np.concatenate([np.ones_like(alive[:1]), alive[:-1]])
    lanes = len(CITIES)
    return {
        name: {k: x[:, i * lanes : (i + 1) * lanes] for k, x in arrays.items()}
        for i, name in enumerate(tricks)
    }


@functools.cache
def episodes() -> dict[str, dict[str, np.ndarray]]:
    """Return what every trick comes to on the bare plant."""
    params = task_params(*CITIES, horizon=STEPS)
    play = scanned(TASK, G36(parse_operator(site())), TRICKS, params)

    @jax.jit
    def run(key: jax.Array) -> Any:
        seen, state = TASK.start_at(key, where(len(TRICKS)), params)
        return play(seen, state, key)

    return by_trick(TRICKS, run(jax.random.key(0)))


@functools.cache
def shielded() -> dict[str, dict[str, np.ndarray]]:
    """Return what parking on the projection comes to."""
    task = task_params(*CITIES, horizon=STEPS)
    params = ShieldedParams(task=task, safety=safety_model(site(), task.limits))
    rule = StartRule(feature_map(site()))
    play = scanned(ShieldedTask(TASK), rule, PARKED, params)

    @jax.jit
    def run(key: jax.Array) -> Any:
        seen, task_state = TASK.start_at(key, where(len(PARKED)), params.task)
        memory = first_memory((len(PARKED) * len(CITIES),))
        return play(seen, ShieldedState(task_state, seen, memory), key)

    return by_trick(PARKED, run(jax.random.key(0)))


def total(run: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return the sum of a record until the episode's end, (cities, ...)."""
    values = run[name]
    alive = run["alive"].reshape(*run["alive"].shape, *[1] * (values.ndim - 2))
    return np.sum(alive * values, axis=0)


def costs(run: dict[str, np.ndarray]) -> np.ndarray:
    """Return the mean costs of a step, (cities, groups)."""
    return total(run, "costs") / run["alive"].sum(0)[:, None]


def pue(run: dict[str, np.ndarray]) -> np.ndarray:
    return total(run, "facility") / total(run, "it")


def test_the_honest_one_keeps_its_costs_and_its_machines() -> None:
    honest = episodes()["honest"]
    assert np.all(costs(honest) < COST_LIMIT)
    assert np.all(np.diff(honest["running"], axis=0).clip(0.0).sum(0) <= 4)
    assert np.all(honest["ended"] == 0.0)


def test_a_better_pue_by_hot_servers_earns_less() -> None:
    honest, trick = (episodes()[name] for name in ("honest", "hot servers"))
    assert np.all(pue(trick) < pue(honest) - 0.01), "the trick works on the PUE"
    assert np.all(total(trick, "it") > total(honest, "it"))
    assert np.all(total(trick, "reward") < 1.05 * total(honest, "reward"))
    assert np.all(costs(trick)[:, THERMAL] > 100.0 * COST_LIMIT)


def test_much_less_air_earns_less_and_breaks_the_thermal_cost() -> None:
    honest, trick = (episodes()[name] for name in ("honest", "much less air"))
    assert np.all(total(trick, "reward") < total(honest, "reward"))
    assert np.all(costs(trick)[:, THERMAL] > 100.0 * COST_LIMIT)


def test_a_little_less_air_pays_in_power_and_a_small_multiplier_undoes_it() -> None:
    honest, trick = (episodes()[name] for name in ("honest", "a little less air"))
    gain = (total(trick, "reward") - total(honest, "reward")) / STEPS
    assert np.all(gain > 0.0), "fans are dear: reward alone would be fooled"
    excess = (costs(trick)[:, AIRFLOW] - COST_LIMIT) / COST_UNIT
    assert np.all(excess > 0.0)
    assert np.all(gain / excess < 1.0), "a multiplier below one takes it all"


@pytest.mark.parametrize("last", DUMPS)
def test_heat_left_behind_at_the_end_is_charged(last: int) -> None:
    honest, trick = (episodes()[name] for name in ("honest", f"dump {last}"))
    assert np.all(total(trick, "reward") < total(honest, "reward"))
    assert np.all(total(trick, "charge") > total(honest, "charge"))


def test_without_the_charge_dumping_heat_would_pay() -> None:
    def uncharged(name: str) -> np.ndarray:
        return total(episodes()[name], "reward") + total(episodes()[name], "charge")

    best = np.max([uncharged(f"dump {last}") for last in DUMPS], axis=0)
    assert np.any(best > uncharged("honest"))


def test_cycling_machines_earns_less_and_the_sequencer_bounds_it() -> None:
    honest, trick = (episodes()[name] for name in ("honest", "cycle"))
    starts = np.diff(trick["running"], axis=0).clip(0.0).sum(0)
    assert np.all(starts > 5 * np.diff(honest["running"], axis=0).clip(0.0).sum(0))
    assert np.all(starts <= 2.0 * STEPS / 12.0), "two starts an hour at most"
    assert np.all(total(trick, "reward") < 1.02 * total(honest, "reward"))


def test_servers_that_switch_themselves_off_never_pay() -> None:
    honest, trick = (episodes()[name] for name in ("honest", "no servers"))
    assert np.all(trick["ended"].max(0) == 1.0)
    steps = trick["alive"].sum(0)
    for city in range(len(CITIES)):
        before = slice(0, int(steps[city]) - 1)
        assert trick["reward"][before, city].sum() > (
            honest["reward"][before, city].sum()
        ), "until they trip it looks well"
    # A week of the honest one costs less than one trip.
    week = total(honest, "reward") * (7 * 288 / STEPS)
    assert np.all(total(trick, "reward") < week)


def trained_on(run: dict[str, np.ndarray]) -> np.ndarray:
    """Return the reward that a learner sees, (cities,)."""
    price = INTERVENTION_PRICE * total(run, "correction")
    return total(run, "reward") + total(run, "charge") - price


@pytest.mark.parametrize("name", [name for name in PARKED if name != "honest"])
def test_parking_on_the_projection_earns_less(name: str) -> None:
    honest, trick = (shielded()[each] for each in ("honest", name))
    assert np.all(trained_on(trick) < 1.02 * trained_on(honest))
    assert np.all(trick["ended"] == 0.0), "the layer keeps the plant, all the same"


@pytest.mark.parametrize("name", ["all off", "all warm", "the warm edge"])
def test_parking_at_the_warm_limit_earns_less_even_unpriced(name: str) -> None:
    """The layer keeps the limit; warm servers and what it asks for cost more."""
    honest, trick = (shielded()[each] for each in ("honest", name))
    assert np.all(total(trick, "reward") < total(honest, "reward"))
    assert np.all(costs(honest)[:, THERMAL] < COST_LIMIT)


def test_every_trick_is_on_the_list() -> None:
    page = Path(__file__).parents[2] / "docs" / "reward-red-team.md"
    text = page.read_text(encoding="utf-8")
    tests = [n for n in globals() if n.startswith("test_") and n not in OWN]
    for name in tests:
        assert f"::{name}`" in text, name


OWN = (
    "test_the_honest_one_keeps_its_costs_and_its_machines",
    "test_every_trick_is_on_the_list",
)
"""Tests that are no trick."""
