"""`g36_tuned`: `g36` with searched constants keeps the limits, and says where from."""

import dataclasses
import functools
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import limits, observed, places, site

from coolbound_controllers.g36 import G36
from coolbound_controllers.g36_plant import PUMP_LEAST, pump_speed, read_plant
from coolbound_controllers.g36_tuned import (
    CONSTANTS,
    SHIPPED,
    g36_tuned,
    read_constants,
    with_constants,
)
from coolbound_controllers.g36_tuned_search import (
    BACK_OFF,
    TRIES,
    Found,
    backed_off,
    constants_text,
    search,
)
from coolbound_controllers.g36_tuned_weeks import (
    SearchPlan,
    excess,
    guards,
    hardest_weeks,
    play,
    search_weeks,
    start_weeks,
)
from coolbound_controllers.g36_tuning import GUIDELINE, PumpReset
from coolbound_controllers.operator_settings import OperatorSettings, parse_operator
from coolbound_envs.episode import TaskParams
from coolbound_envs.limit_table import IDLE, LIMIT_NAMES, TOLERANCE
from coolbound_envs.load import load_trace
from coolbound_envs.scenario import Place, make_scenario
from coolbound_envs.sensors import SensorParams
from coolbound_envs.tables import InputError
from coolbound_envs.tasks import WORLD
from coolbound_envs.weather import load_weather, weather_names

DATA = Path(str(resources.files("coolbound_controllers") / "data"))
LOADS = ("google2019", "azure2019")
WEEKS = {"frankfurt-2021": 314, "tokyo-2021": 313, "chicago": 59, "singapore-2021": 91}
"""First day of each city's hard week: changes to free cooling and back, and humid."""


@functools.cache
def settings() -> OperatorSettings:
    return parse_operator(site())


@functools.cache
def shipped() -> Mapping[str, float]:
    return read_constants(DATA / SHIPPED)


def provenance() -> dict[str, Any]:
    return tomllib.loads((DATA / SHIPPED).read_text("utf-8"))["provenance"]


def test_shipped_constants_are_from_the_training_cities_and_broke_nothing() -> None:
    found = provenance()
    assert tuple(found["weather"]) == WORLD
    assert not set(found["weather"]) & {"singapore-2021", "frankfurt-2021"}
    assert found["command"] == "python -m coolbound_controllers.g36_tuned_search"
    assert found["violations"] == 0
    assert found["power_over_g36"] < 0.99
    plan = SearchPlan()
    assert (found["seed"], tuple(found["generations"])) == (plan.seed, plan.generations)


def test_the_shipped_constants_are_what_the_operator_runs_with() -> None:
    operator, values = g36_tuned(settings()), shipped()
    assert operator.settings.supply_air_reset == values["supply_air_reset"]
    assert operator.tuning.stage_least == values["stage_least"]
    assert operator.tuning.pump is not None
    assert operator.tuning.pump.per_load == values["pump_per_load"]
    assert operator.settings.chiller_capacity == settings().chiller_capacity
    assert len(values) == len(CONSTANTS)


def test_the_room_may_be_as_warm_as_the_policy_may_make_it() -> None:
    air = next(one for one in CONSTANTS if one.name == "supply_air_reset")
    assert air.upper == 25.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"pump_free = .*", "pump_freee = 0.6", r"pump_free.*missing"),
        (r"valve_first = .*", "valve_first = 0.99", r"valve_first.*0\.8 to 0\.93"),
        (r'"([\d.]+) degC"', r'"\1 kPa"', r"supply_air_reset.*unit 'kPa'"),
        (r"(pump_free = .*)", r"\1\nfan = 1.0", r"unknown key 'fan'"),
    ],
)
def test_a_wrong_file_of_constants_is_refused_by_name(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (DATA / SHIPPED).read_text("utf-8")
    path = tmp_path / "constants.toml"
    path.write_text(re.sub(old, new, text, count=1), "utf-8")
    with pytest.raises(InputError, match=message):
        read_constants(path)


def test_what_is_found_is_what_is_read_again(tmp_path: Path) -> None:
    values = {one.name: 0.25 * one.lower + 0.75 * one.upper for one in CONSTANTS}
    path = tmp_path / "found.toml"
    path.write_text(constants_text(Found(values, 0.98, 3), SearchPlan()), "utf-8")
    read = read_constants(path)
    for name, value in values.items():
        np.testing.assert_allclose(read[name], value, rtol=1e-4)


def test_pump_speed_is_reset_by_load_and_lift_as_written() -> None:
    reset = PumpReset(base=0.3, per_load=0.8, per_lift=0.01, free=0.9)
    seen = observed()
    plant = read_plant(seen, seen.applied[:, 4])
    share = np.asarray(plant.load) / (3.0 * settings().chiller_capacity)
    lift = np.asarray(plant.lift) - settings().lift_min
    by_hand = np.clip(0.3 + 0.8 * share + 0.01 * lift, PUMP_LEAST, 1.0)
    mechanical = jnp.zeros(4, bool)
    found = pump_speed(reset, plant, mechanical, settings())
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)
    assert np.all(by_hand > PUMP_LEAST)
    assert np.all(np.asarray(pump_speed(reset, plant, ~mechanical, settings())) == 0.9)


def test_without_a_reset_pumps_stand_as_the_guideline_has_them() -> None:
    assert GUIDELINE.pump is None
    assert G36(settings()) == G36(settings(), GUIDELINE)
    seen = observed()
    act = jax.jit(G36(settings()).act)
    action, _ = act(jax.random.key(0), G36(settings()).init((4,)), seen)
    # Two machines: full speed, at the pumps' ramp.
    speed = np.minimum(np.asarray(seen.applied)[:, 6] + 0.1, 1.0)
    np.testing.assert_allclose(action.cw_pump_speed, speed, rtol=1e-6)


def test_a_guest_judges_machines_by_warmer_water_that_another_sets() -> None:
    """A controller holds 17.5 degC; the third machine is not called for that."""
    seen = observed(chw_supply_temp=17.5)
    applied = seen.applied.at[:, 4].set(17.5)
    seen = dataclasses.replace(seen, applied=applied)

    def demand(is_guest: bool) -> np.ndarray:
        operator = G36(settings(), is_guest=is_guest)
        memory = operator.init((4,))
        act = jax.jit(operator.act)
        asked = jnp.zeros(4)
        for _ in range(8):
            action, memory = act(jax.random.key(0), memory, seen)
            asked = action.chiller_demand
        return np.asarray(asked)

    assert np.all(demand(False) == 3.0)
    assert np.all(demand(True) < 2.5)


def lanes_of(cities: tuple[str, ...], loads: tuple[str, ...]) -> TaskParams:
    return TaskParams(
        plant=site().plant,
        limits=limits(),
        sensors=SensorParams(jnp.ones(()), jnp.full((), 1e-3)),
        scenario=make_scenario(
            [load_weather(c) for c in cities], [load_trace(t) for t in loads]
        ),
        horizon=jnp.asarray(2**30, jnp.int32),
    )


def run_of(operator: G36, place: Place, params: TaskParams, days: int) -> Any:
    """Return mean power (lanes,) and worst h (lanes, 21), by the search's own play."""
    plan = SearchPlan(days=days)

    @jax.jit
    def run() -> Any:
        power, worst, broken = play(operator, start_weeks(plan, place, params, 1))
        return power[0], worst[0], broken[0]

    with jax.numpy_rank_promotion("allow"):
        return jax.tree.map(np.asarray, run())


@functools.cache
def hard_days() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = len(WEEKS)
    day = jnp.asarray(list(WEEKS.values()), jnp.int32)
    zero = jnp.zeros(count, jnp.int32)
    place = Place(jnp.arange(count, dtype=jnp.int32), zero, day * 86400, zero)
    return run_of(g36_tuned(settings()), place, lanes_of(tuple(WEEKS), LOADS[:1]), 4)


@pytest.mark.parametrize("limit", LIMIT_NAMES)
def test_g36_tuned_keeps_every_limit_through_hard_days(limit: str) -> None:
    worst = hard_days()[1][:, LIMIT_NAMES.index(limit)]
    assert np.all(worst <= TOLERANCE), dict(zip(WEEKS, worst, strict=True))


def test_play_counts_what_the_limits_say() -> None:
    _, worst, broken = hard_days()
    assert np.array_equal(broken > 0, (worst > TOLERANCE).any(axis=1))


@functools.cache
def years(is_tuned: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return power and worst h of every load and city, (loads, cities, ...)."""
    cities = weather_names()
    lanes = [(c, t) for t in range(len(LOADS)) for c in range(len(cities))]
    city, trace = (jnp.asarray(x, jnp.int32) for x in zip(*lanes, strict=True))
    place = Place(city, trace, jnp.zeros_like(city), jnp.zeros_like(city))
    operator = g36_tuned(settings()) if is_tuned else G36(settings())
    power, worst, _ = run_of(operator, place, lanes_of(cities, LOADS), 365)
    shape = len(LOADS), len(cities)
    return power.reshape(shape), worst.reshape(*shape, len(LIMIT_NAMES))


@pytest.mark.long
@pytest.mark.parametrize("limit", LIMIT_NAMES)
def test_g36_tuned_keeps_every_limit_all_year_in_every_shipped_city(limit: str) -> None:
    assert years(True)[1][..., LIMIT_NAMES.index(limit)].max() <= TOLERANCE


@pytest.mark.long
def test_g36_tuned_uses_less_than_g36_in_every_shipped_city() -> None:
    assert np.all(years(True)[0] < years(False)[0])


def test_weeks_lie_in_their_seasons_and_are_drawn_the_same_again() -> None:
    plan = SearchPlan()
    place = jax.tree.map(np.asarray, search_weeks(plan))
    day = place.time.reshape(len(plan.weather), plan.seasons) / 86400
    season = np.arange(plan.seasons) * (365 // plan.seasons)
    assert np.all((day >= season) & (day + plan.days <= season + 92))
    assert set(place.trace) == {0, 1}
    assert np.array_equal(place.time, np.asarray(search_weeks(plan).time))


def test_excess_is_counted_from_the_guard_in_scales() -> None:
    h = np.full((2, len(LIMIT_NAMES)), IDLE, np.float32)
    inlet, fan = LIMIT_NAMES.index("CA_T_MAX"), LIMIT_NAMES.index("CRAH_FAN")
    h[0, inlet], h[1, inlet] = -0.2, -0.6
    h[0, fan] = 0.0
    found = np.asarray(excess(jnp.asarray(h)))
    # Half a kelvin inside, of a scale of one; an exact limit may stand at zero.
    np.testing.assert_allclose(found[0, inlet], 0.3, atol=2e-3)
    assert found[1, inlet] == 0.0
    assert found[0, fan] == 0.0
    assert np.all(guards() >= -TOLERANCE)


def test_a_diverged_candidate_is_the_worst_of_all() -> None:
    assert float(excess(jnp.full((21,), jnp.nan)).sum()) > 1e3


def test_the_hardest_week_of_each_year_is_searched_again() -> None:
    plan = SearchPlan()
    worst = np.full((52, 3, len(LIMIT_NAMES)), IDLE, np.float32)
    for lane, week in enumerate((10, 0, 51)):
        worst[week, lane, LIMIT_NAMES.index("CHW_DP_MIN")] = 4.0
    years = places(3)
    found = np.asarray(hardest_weeks(jnp.asarray(worst), years, plan).time) / 86400
    assert found.tolist() == [69.0, 0.0, 356.0]


def judge_of(cure: float) -> Any:
    """Return a judge who breaks limits until free cooling is cautious enough."""

    def judge(values: Mapping[str, float]) -> tuple[jax.Array, jax.Array, jax.Array]:
        is_broken = values["free_approach"] < cure
        count = jnp.asarray([[int(is_broken)]])
        return jnp.full((1, 1), 2.0), jnp.zeros((1, 1, 21)), count

    return judge


def test_an_answer_is_backed_off_until_nothing_breaks_and_once_more() -> None:
    found = backed_off({"free_approach": 5.0}, judge_of(6.2), 4.0)
    assert found.values["free_approach"] == 6.5 + BACK_OFF
    assert (found.power, found.broken) == (0.5, 0)


def test_an_answer_that_nothing_cures_is_given_up_and_says_so() -> None:
    found = backed_off({"free_approach": 5.0}, judge_of(99.0), 4.0)
    assert found.values["free_approach"] == 5.0 + TRIES * BACK_OFF
    assert found.broken == 1


def test_constants_can_be_traced_for_a_whole_generation_at_once() -> None:
    """The search hands arrays where the file hands numbers: the same action."""
    seen, values = observed(), dict(shipped())
    operator = g36_tuned(settings())
    fixed, _ = jax.jit(operator.act)(jax.random.key(0), operator.init((4,)), seen)

    @jax.jit
    def traced(values: dict[str, jax.Array]) -> Any:
        one = with_constants(settings(), values)
        return one.act(jax.random.key(0), one.init((4,)), seen)[0]

    found = traced({k: jnp.float32(x) for k, x in values.items()})
    for ours, theirs in zip(
        jax.tree.leaves(found), jax.tree.leaves(fixed), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.long
def test_a_small_search_finds_constants_that_use_less() -> None:
    plan = SearchPlan(
        weather=("chicago",), seasons=2, days=2, population=6, generations=(3, 3)
    )
    found = search(plan, site())
    assert found.power < 0.995
    assert set(found.values) == {one.name for one in CONSTANTS}
