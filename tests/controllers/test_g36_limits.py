"""`g36` obeys all 21 limits: the hardest weeks, and in the long form all year.

The worst moments of a year are the changes between chillers and free cooling, which
cold and mild climates bring by the hundred, and hot, humid weeks at full load.
"""

import dataclasses
import functools
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import observed, site, task_params

from coolbound_controllers.g36 import G36
from coolbound_controllers.g36_load import learn_steps, no_steps, possible_rise
from coolbound_controllers.operator_settings import OperatorSettings, parse_operator
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams
from coolbound_envs.limit_table import IDLE, LIMIT_NAMES, LIMITS, TOLERANCE
from coolbound_envs.load import load_trace
from coolbound_envs.scenario import Place, make_scenario
from coolbound_envs.types import Observation, action_to_vector
from coolbound_envs.weather import load_weather, weather_names

DECISION = Path(__file__).parents[2] / "docs/decisions/0008-three-conflicts.md"
LOADS = ("google2019", "azure2019")
DROPOUT = 1e-3
DAY = 288
WATER, PRESSURE = 4, 5
"""Channels of the action. [1]"""

WEEKS = {
    "frankfurt-2021": 314,
    "tokyo-2021": 313,
    "chicago": 59,
    "dallas": 200,
    "singapore-2021": 91,
}
"""First day of each city's week: that of the year's worst valve (CHW_DP_MIN), inlet,
lift, surge line, and a hot, humid one."""

COLD = 3
"""Weeks of changes between chillers and free cooling, the first of them. [1]"""


@functools.cache
def settings() -> OperatorSettings:
    return parse_operator(site())


def params_of(cities: tuple[str, ...], loads: tuple[str, ...]) -> TaskParams:
    params = task_params(*cities, dropout=DROPOUT)
    scenario = make_scenario(
        [load_weather(city) for city in cities], [load_trace(load) for load in loads]
    )
    return dataclasses.replace(params, scenario=scenario)


def place_of(city: list[int], trace: list[int], day: list[int]) -> Place:
    return Place(
        city=jnp.asarray(city, jnp.int32),
        trace=jnp.asarray(trace, jnp.int32),
        time=jnp.asarray(day, jnp.int32) * 86400,
        load_offset=jnp.zeros(len(city), jnp.int32),
    )


def worst_of(operator: G36, place: Place, params: TaskParams, days: int) -> Any:
    """Return the worst h of every lane (lanes, 21), and a record of the run."""
    task = CoolingTask(settle_steps=24)

    @jax.jit
    def run(key: jax.Array) -> Any:
        seen, state = task.start_at(key, place, params)

        def body(carry: Any, key: jax.Array) -> Any:
            seen, state, memory, worst = carry
            action, memory = operator.act(key, memory, seen)
            after, state, _, _, _, info = task.step(key, state, action, params)
            worst = jnp.maximum(worst, info["limits"])
            running = jnp.sum(state.plant.sequencer.commanded, axis=0)
            return (after, state, memory, worst), running

        lanes = place.time.shape[0]
        worst = jnp.full((lanes, len(LIMIT_NAMES)), -jnp.inf)
        carry = (seen, state, operator.init((lanes,)), worst)
        carry, running = jax.lax.scan(body, carry, jax.random.split(key, days * DAY))
        return carry[-1], running

    with jax.numpy_rank_promotion("allow"):
        return jax.tree.map(np.asarray, run(jax.random.key(0)))


@functools.cache
def weeks() -> tuple[np.ndarray, np.ndarray]:
    lanes = list(range(len(WEEKS)))
    place = place_of(lanes, [0] * len(lanes), list(WEEKS.values()))
    params = params_of(tuple(WEEKS), ("google2019",))
    return worst_of(G36(settings()), place, params, 7)


@pytest.mark.parametrize("limit", LIMIT_NAMES)
def test_g36_keeps_every_limit_through_the_hardest_weeks(limit: str) -> None:
    worst = weeks()[0][:, LIMIT_NAMES.index(limit)]
    assert np.all(worst <= TOLERANCE), dict(zip(WEEKS, worst, strict=True))


def test_every_limit_has_something_to_watch_in_the_hardest_weeks() -> None:
    assert np.all(weeks()[0].max(axis=0) > IDLE)


def test_the_hardest_weeks_hold_changes_of_mode_and_weeks_of_chillers() -> None:
    is_free = weeks()[1] < 0.5
    changes = np.sum(is_free[1:] != is_free[:-1], axis=0)
    assert np.all(changes[:COLD] >= 2)
    assert np.sum(changes[:COLD]) >= 10
    assert not np.any(is_free[:, COLD:])


@functools.cache
def years() -> np.ndarray:
    """Return the worst h of every load, city and limit, (loads, cities, 21)."""
    cities = weather_names()
    lanes = [(c, t) for t in range(len(LOADS)) for c in range(len(cities))]
    city, trace = map(list, zip(*lanes, strict=True))
    place = place_of(city, trace, [0] * len(lanes))
    worst, _ = worst_of(G36(settings()), place, params_of(cities, LOADS), 365)
    return worst.reshape(len(LOADS), len(cities), len(LIMIT_NAMES))


@pytest.mark.long
@pytest.mark.parametrize("limit", LIMIT_NAMES)
def test_g36_keeps_every_limit_all_year_in_every_shipped_city(limit: str) -> None:
    assert years()[..., LIMIT_NAMES.index(limit)].max() <= TOLERANCE


def table_of(worst: np.ndarray) -> dict[str, list[float]]:
    """Return each limit's worst h by load, over the cities."""
    return {
        name: [float(f"{h:.3f}") for h in worst[..., i].max(axis=1)]
        for i, name in enumerate(LIMIT_NAMES)
    }


def written_table() -> dict[str, list[float]]:
    rows = re.findall(
        r"^\| ([A-Z0-9_]+) \| (\S+) \| (\S+) \|", DECISION.read_text("utf-8"), re.M
    )
    return {name: [float(h) for h in cells] for name, *cells in rows}


@pytest.mark.long
def test_the_decision_states_the_worst_of_the_years() -> None:
    measured, written = table_of(years()), written_table()
    assert list(written) == list(LIMIT_NAMES)
    for limit in LIMITS:
        # Rounding by another processor takes another course within noise.
        np.testing.assert_allclose(
            written[limit.name],
            measured[limit.name],
            atol=0.5 * limit.scale,
            err_msg=f"measured: {measured}",
        )


@functools.cache
def decide() -> Any:
    return jax.jit(G36(settings()).act)


def warm(**readings: float) -> Observation:
    """Return readings with the chilled water at its warmest set-point."""
    seen = observed(**readings)
    water = settings().chw_supply_max
    return dataclasses.replace(seen, applied=seen.applied.at[:, WATER].set(water))


def pressure_asked(seen: Observation, steps: int) -> np.ndarray:
    """Return the pressure asked for after some decisions on one reading [kPa]."""
    memory = G36(settings()).init((4,))
    asked = []
    for _ in range(steps):
        action, memory = decide()(jax.random.key(0), memory, seen)
        asked.append(action_to_vector(action)[:, PRESSURE])
    return np.asarray(asked[-1])


def test_valves_ask_for_pressure_before_the_limit_and_give_it_back() -> None:
    low, asking, wide = (
        pressure_asked(warm(crah_valve_hall1=v, crah_valve_hall2=0.5), 1)
        for v in (0.80, 0.88, 0.89)
    )
    in_force = np.asarray(warm().applied[:, PRESSURE])
    assert np.all(low < in_force - 1.0)
    assert np.all(asking > low + 1.0)
    assert np.all(wide > in_force + 5.0)


def test_pressure_is_not_given_back_while_the_water_is_still_cold() -> None:
    shut = {"crah_valve_hall1": 0.6, "crah_valve_hall2": 0.6}
    cold = observed(**shut)
    assert np.all(np.asarray(cold.applied[:, WATER]) < 13.0)
    in_force = np.asarray(cold.applied[:, PRESSURE])
    np.testing.assert_allclose(pressure_asked(cold, 1), in_force, atol=1e-3)
    assert np.all(pressure_asked(warm(**shut), 1) < in_force - 1.0)


def test_the_reset_does_not_wind_up_while_another_holds_the_pressure() -> None:
    seen = warm(crah_valve_hall1=0.6, crah_valve_hall2=0.6)
    once, long = pressure_asked(seen, 1), pressure_asked(seen, 40)
    np.testing.assert_allclose(long, once, atol=1e-3)


def test_a_step_of_the_load_is_remembered_and_capped_by_what_a_hall_draws() -> None:
    steps = no_steps((4,), settings())
    steps = learn_steps(steps, observed(it_power_hall1=1200.0, it_power_hall2=1200.0))
    np.testing.assert_allclose(steps.rise, settings().load_rise, rtol=1e-3)
    steps = learn_steps(steps, observed(it_power_hall1=1560.0, it_power_hall2=1200.0))
    np.testing.assert_allclose(steps.rise, 0.3, atol=1e-5)
    room = np.asarray(possible_rise(steps, settings()))
    np.testing.assert_allclose(room[:, 1], 0.3, atol=1e-5)
    steps = learn_steps(steps, observed(it_power_hall1=2100.0, it_power_hall2=1200.0))
    assert np.all(np.asarray(possible_rise(steps, settings()))[:, 0] < 0.05)


def test_fans_run_faster_after_the_load_has_shown_a_large_step() -> None:
    calm = observed(it_power_hall1=1400.0, it_power_hall2=1400.0)
    low = observed(it_power_hall1=1000.0, it_power_hall2=1000.0)

    def speed(first: Observation) -> np.ndarray:
        memory = G36(settings()).init((4,))
        _, memory = decide()(jax.random.key(0), memory, first)
        action, _ = decide()(jax.random.key(0), memory, calm)
        return np.asarray(action.crah_fan_speed)

    assert np.all(speed(low) > speed(calm) + 0.02)
