"""The reference plant, made to run: shared by the tests of several layers."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs import sensors
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams
from coolbound_envs.fault_effects import ActiveFaults, faults_at
from coolbound_envs.fault_events import empty_schedule
from coolbound_envs.fault_kinds import FaultEvent
from coolbound_envs.fault_schedule import FaultPlan, fixed_plan, no_fault_plan
from coolbound_envs.faults import no_faults
from coolbound_envs.interval import Summary, run_interval
from coolbound_envs.limit_numbers import LimitValues, parse_limits
from coolbound_envs.load import load_trace
from coolbound_envs.scenario import HALL_LOAD, Place, make_scenario
from coolbound_envs.settling import initial_state
from coolbound_envs.site import Site, load_site
from coolbound_envs.spec import POINT_INDEX
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Action, Observation, action_from_vector
from coolbound_envs.variation import VariationSpread
from coolbound_envs.weather import load_weather

# supply air, CRAH fans, chilled water, pressure, pump, tower fan, machines, economizer
NORMAL = (22.0, 22.0, 0.85, 0.85, 12.0, 80.0, 0.8, 0.6, 2.0, 0.0)


CITIES = ("phoenix", "chicago")
TASK = CoolingTask()

# Compiled once for each batch size of the whole test run.
start = jax.jit(TASK.start_at)
step = jax.jit(TASK.step)


@functools.cache
def site() -> Site:
    return load_site()


@functools.cache
def limits() -> LimitValues:
    return parse_limits(site().root, site().feeder_power)


def scalar(value: float) -> jax.Array:
    return jnp.asarray(value, jnp.float32)


def task_params(
    *cities: str,
    noise: float = 1.0,
    dropout: float = 0.0,
    horizon: int = 10**8,
    faults: FaultPlan | None = None,
    variation: VariationSpread | None = None,
) -> TaskParams:
    weathers = [load_weather(city) for city in cities]
    return TaskParams(
        plant=site().plant,
        limits=limits(),
        sensors=sensors.SensorParams(noise=scalar(noise), dropout=scalar(dropout)),
        scenario=make_scenario(weathers, [load_trace("google2019")]),
        horizon=jnp.asarray(horizon, jnp.int32),
        faults=no_fault_plan() if faults is None else faults,
        variation=VariationSpread() if variation is None else variation,
    )


def drill(*events: FaultEvent) -> FaultPlan:
    """Return the plan that gives every episode these faults."""
    return fixed_plan(events)


def all_well(*shape: int) -> ActiveFaults:
    """Return nothing out of order, for a batch of that shape."""
    return faults_at(empty_schedule(0, shape), jnp.zeros(shape, jnp.float32))


def places(count: int, cities: int = 1, day: int = 0, spread: int = 5400) -> Place:
    """Return one place per lane, in turn over the cities, some minutes apart."""
    lane = np.arange(count)
    offset = (lane * spread) // 300 * 300 + day * 86400
    return Place(
        city=jnp.asarray(lane % cities, jnp.int32),
        trace=jnp.zeros(count, jnp.int32),
        time=jnp.asarray(offset, jnp.int32),
        load_offset=jnp.zeros(count, jnp.int32),
    )


def disturbance(
    load: float = 0.75, wet_bulb: float = 18.0, dew_point: float = 4.0
) -> Disturbance:
    """Return constant weather and load; load as a share of design IT power."""
    work = float(site().plant.it.design_power) * load
    return Disturbance(
        it_work=jnp.asarray([share * work for share in HALL_LOAD], jnp.float32),
        dry_bulb=scalar(wet_bulb + 6.0),
        wet_bulb=scalar(wet_bulb),
        dew_point=scalar(dew_point),
        pressure=scalar(101325.0),
        faults=no_faults(),
    )


def action(**changes: float) -> Action:
    """Return the normal action with some channels changed, by short name."""
    names = ("air1", "air2", "fan1", "fan2", "chw", "dp", "pump", "tower", "n", "eco")
    values = dict(zip(names, NORMAL, strict=True)) | changes
    return action_from_vector(jnp.asarray([values[n] for n in names], jnp.float32))


def fresh(acting: Disturbance) -> PlantState:
    return initial_state(acting, site().plant, ())


@functools.cache
def _runner(substeps: int) -> Callable[..., Any]:
    def body(
        state: PlantState, given: tuple[Action, Disturbance]
    ) -> tuple[PlantState, tuple[PlantState, Summary]]:
        after, summary = run_interval(state, *given, site().plant, substeps)
        return after, (after, summary)

    return jax.jit(lambda state, given: jax.lax.scan(body, state, given))


def run_plant(
    state: PlantState, actions: list[Action], acting: list[Disturbance], substeps: int
) -> tuple[PlantState, PlantState, Summary]:
    """Return the last state, all states and all summaries, time axis last."""
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *actions)
    weather = jax.tree.map(lambda *x: jnp.stack(x), *acting)
    last, record = _runner(substeps)(state, (stacked, weather))
    states, summaries = jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), record)
    return last, states, summaries


@functools.cache
def _holder(intervals: int) -> Callable[..., Any]:
    def hold(
        state: PlantState, act: Action, acting: Disturbance
    ) -> tuple[PlantState, Summary]:
        def body(carry: PlantState, _: None) -> tuple[PlantState, Summary]:
            return run_interval(carry, act, acting, site().plant)

        state, summaries = jax.lax.scan(body, state, None, length=intervals)
        return state, jax.tree.map(lambda x: x[-1], summaries)

    return jax.jit(hold)


def held(
    act: Action, acting: Disturbance, intervals: int = 48
) -> tuple[PlantState, Summary]:
    """Return plant and last interval after an action was held for hours."""
    return _holder(intervals)(fresh(acting), act, acting)


@functools.cache
def _settled() -> Observation:
    params = task_params(*CITIES, noise=0.0)
    seen, state = start(jax.random.key(0), places(4, 2, 180), params)
    for k in range(24):
        seen, state, *_ = step(jax.random.key(k), state, state.applied, params)
    return seen


def observed(**changes: float) -> Observation:
    """Return what the instruments say of four plants, some readings replaced."""
    seen = _settled()
    value = np.array(seen.value)
    for name, reading in changes.items():
        value[:, POINT_INDEX[name]] = reading
    return dataclasses.replace(seen, value=jnp.asarray(value))
