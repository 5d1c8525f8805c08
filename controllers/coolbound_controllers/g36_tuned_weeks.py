"""Weeks of the training cities, on which the constants of `g36_tuned` are judged."""

import dataclasses
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.g36 import G36
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.limit_table import LIMITS, TOLERANCE
from coolbound_envs.load import load_trace
from coolbound_envs.scenario import Place, make_scenario
from coolbound_envs.sensors import SensorParams
from coolbound_envs.site import Site
from coolbound_envs.tasks import WORLD
from coolbound_envs.types import Observation
from coolbound_envs.weather import load_weather

DAY: Final = 288
"""Control intervals. [1]"""

SETTLE: Final = 24
"""Control intervals that the plant runs before: 2 h. [1]"""


@dataclasses.dataclass(frozen=True)
class SearchPlan:
    """What is searched on, and how long. Static.

    Attributes:
        weather: Years; the training cities.
        loads: Load traces, in turn.
        seasons: Weeks of each year, one in each equal part of it. [1]
        days: Length of each, in days. [1]
        population: Candidates of a generation. [1]
        generations: Of the first search, and of the second. [1]
        seed: Of weeks, candidates and noise. [1]
    """

    weather: tuple[str, ...] = WORLD
    loads: tuple[str, ...] = ("google2019", "azure2019")
    seasons: int = 4
    days: int = 7
    population: int = 32
    generations: tuple[int, int] = (30, 50)
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Weeks:
    """Where candidates are judged. Static.

    Attributes:
        first: First observation and state of every lane.
        keys: Of the instruments' noise, (weeks, steps). [1]
        params: The task.
    """

    first: tuple[Observation, Any]
    keys: jax.Array
    params: TaskParams


def guards() -> np.ndarray:
    """Return how far inside each limit is asked for, (21,) [each limit's unit].

    Where learning's costs begin, but no more than half a scale: what other weeks
    may bring.
    """
    return np.asarray([min(x.near, 0.5 * x.scale) - TOLERANCE for x in LIMITS])


def excess(worst: jax.Array) -> jax.Array:
    """Return how far h (..., 21) goes beyond each guard, in scales, (..., 21) [1]."""
    lead = (1,) * (worst.ndim - 1) + (-1,)
    guard = jnp.asarray(guards(), worst.dtype).reshape(lead)
    scale = jnp.asarray([x.scale for x in LIMITS], worst.dtype).reshape(lead)
    return jnp.maximum(jnp.nan_to_num(worst, nan=1e3) + guard, 0.0) / scale


def search_weeks(plan: SearchPlan) -> Place:
    """Return one place for each city and season, loads in turn."""
    generator = np.random.default_rng(plan.seed)
    rows, length = [], 365 // plan.seasons
    for city in range(len(plan.weather)):
        for season in range(plan.seasons):
            day = season * length + generator.integers(length - plan.days + 1)
            rows.append((city, (city + season) % len(plan.loads), day * 86400))
    city, trace, time = (jnp.asarray(x, jnp.int32) for x in zip(*rows, strict=True))
    return Place(city=city, trace=trace, time=time, load_offset=jnp.zeros_like(time))


def training_years(plan: SearchPlan, params: TaskParams) -> tuple[Weeks, Place]:
    """Return a year of every training city and load, and where it begins."""
    lanes = [(c, t) for c in range(len(plan.weather)) for t in range(len(plan.loads))]
    city, trace = (jnp.asarray(x, jnp.int32) for x in zip(*lanes, strict=True))
    zero = jnp.zeros_like(city)
    place = Place(city=city, trace=trace, time=zero, load_offset=zero)
    return start_weeks(plan, place, params, 365 // plan.days), place


def hardest_weeks(worst: jax.Array, years: Place, plan: SearchPlan) -> Place:
    """Return the week of each year that goes furthest beyond the guards.

    Args:
        worst: h of every week, (weeks, lanes, 21). [each limit's unit]
        years: Where the years begin.
        plan: Of the search.
    """
    week = jnp.argmax(jnp.sum(excess(worst), axis=-1), axis=0)
    # A day earlier, so that what happened in the first hours comes again.
    day = jnp.maximum(week * plan.days - 1, 0)
    return dataclasses.replace(years, time=(day * 86400).astype(jnp.int32))


def search_task(plan: SearchPlan, site: Site) -> TaskParams:
    """Return the plant with its instruments, in the weather of the plan.

    Raises:
        InputError: A name of weather or load is wrong.
    """
    years = [load_weather(name) for name in plan.weather]
    traces = [load_trace(name) for name in plan.loads]
    return TaskParams(
        plant=site.plant,
        limits=parse_limits(site.root, site.feeder_power),
        sensors=SensorParams(jnp.ones(()), jnp.full((), 1e-3)),
        scenario=make_scenario(years, traces),
        horizon=jnp.asarray(2**30, jnp.int32),
    )


def start_weeks(
    plan: SearchPlan, place: Place, params: TaskParams, count: int
) -> Weeks:
    """Return some weeks in a row, from each place on."""
    start_key, noise_key = jax.random.split(jax.random.key(plan.seed))
    first = jax.jit(CoolingTask(settle_steps=SETTLE).start_at)(start_key, place, params)
    return Weeks(first, jax.random.split(noise_key, (count, plan.days * DAY)), params)


def play(operator: G36, weeks: Weeks) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return what an operator does, week by week.

    Returns:
        Mean facility power (weeks, lanes) [W], worst h (weeks, lanes, 21) [each
        limit's unit], and intervals that broke a limit (weeks, lanes) [1].
    """
    task, lanes = CoolingTask(), weeks.first[0].time.shape

    def step(carry: Any, key: jax.Array) -> tuple[Any, None]:
        observation, state, memory, power, worst, count = carry
        action, memory = operator.act(key, memory, observation)
        observation, state, *_, info = task.step(key, state, action, weeks.params)
        power = power + info["summary"].mean.facility_power
        worst = jnp.maximum(worst, info["limits"])
        is_broken = jnp.any(info["limits"] > TOLERANCE, axis=-1)
        count = count + is_broken.astype(jnp.int32)
        return (observation, state, memory, power, worst, count), None

    def week(carry: Any, keys: jax.Array) -> tuple[Any, Any]:
        low = jnp.full((*lanes, len(LIMITS)), -jnp.inf)
        sums = jnp.zeros(lanes), low, jnp.zeros(lanes, jnp.int32)
        carry, _ = jax.lax.scan(step, (*carry, *sums), keys)
        return carry[:3], (carry[3] / keys.shape[0], carry[4], carry[5])

    carry = (*weeks.first, operator.init(lanes))
    return jax.lax.scan(week, carry, weeks.keys)[1]
