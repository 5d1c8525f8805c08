"""The optimum at rest is a rest of the plant, keeps its limits, and is the cheapest."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import limits, site

from coolbound_controllers.evolution import minimise
from coolbound_controllers.optimum import MODES, Freedom, Optimum, as_action, solve
from coolbound_controllers.steady_limits import steady_limits, violation
from coolbound_controllers.steady_load import SetPoints
from coolbound_controllers.steady_state import steady_state
from coolbound_envs.faults import no_faults
from coolbound_envs.interval import run_interval
from coolbound_envs.limit_table import LIMIT_NAMES, TOLERANCE
from coolbound_envs.limits import Moment, limit_values
from coolbound_envs.scenario import HALL_LOAD
from coolbound_envs.settling import initial_state
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Action

HOURS = 20
ROOM = Freedom(24.0, 24.0)
WIDE = Freedom(20.0, 25.0)
FIXED_PUMPS = Freedom(24.0, 24.0, moves_cw_pumps=False)
APART = Freedom(24.0, 24.0, combines=False)


@functools.cache
def acting() -> Disturbance:
    """Return weather from frost to the tropics, at loads from half to full."""
    spread = np.random.default_rng(3)
    bulb = np.linspace(-15.0, 26.0, HOURS)
    work = float(site().plant.it.design_power) * spread.uniform(0.5, 1.0, HOURS)
    single = jnp.float32
    return Disturbance(
        it_work=jnp.asarray(np.outer(HALL_LOAD, work), single),
        dry_bulb=jnp.asarray(bulb + 4.0, single),
        wet_bulb=jnp.asarray(bulb, single),
        dew_point=jnp.asarray(bulb - 3.0, single),
        pressure=jnp.full((HOURS,), 101325.0, single),
        faults=no_faults((HOURS,)),
    )


@functools.cache
def found(freedom: Freedom) -> Optimum:
    return solve(acting(), site().plant, limits(), freedom)


def facility(freedom: Freedom) -> np.ndarray:
    return np.asarray(found(freedom).state.facility_power, np.float64)


@functools.cache
def held() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return power, machines with economizer, and h after twelve hours at ROOM."""
    plant = site().plant

    @jax.jit
    def hold(action: Action) -> tuple[jax.Array, jax.Array, jax.Array]:
        def body(state: PlantState, _: None) -> tuple[PlantState, None]:
            return run_interval(state, action, acting(), plant)[0], None

        start = initial_state(acting(), plant, (HOURS,))
        before = jax.lax.scan(body, start, None, length=144)[0]
        after, summary = run_interval(before, action, acting(), plant)
        inlets = summary.mean.inlet_temp
        moment = Moment(summary, before, after, inlets, inlets, action, action)
        machines = after.sequencer.running_count, after.sequencer.economizer
        h = limit_values(moment, limits(), plant)
        return summary.mean.facility_power, jnp.stack(machines), h

    action = as_action(found(ROOM))
    # As in `cooling`: machine fields meet fields of the batch alone.
    with jax.numpy_rank_promotion("allow"):
        power, machines, h = hold(action)
    return np.asarray(power, np.float64), np.asarray(machines), np.asarray(h)


def test_the_plant_comes_to_rest_where_the_equations_say() -> None:
    power, machines, _ = held()
    plan = found(ROOM).plan
    np.testing.assert_array_equal(machines, [plan.chillers, plan.economizer])
    mechanical = np.asarray(found(ROOM).state.mechanical_power)
    np.testing.assert_array_less(np.abs(power - facility(ROOM)), 2e-3 * mechanical)


def test_all_three_modes_of_cooling_are_among_the_hours() -> None:
    plan = found(ROOM).plan
    kinds = {
        (bool(n > 0.5), bool(e > 0.5))
        for n, e in zip(plan.chillers, plan.economizer, strict=True)
    }
    assert kinds == {(False, True), (True, True), (True, False)}


@pytest.mark.parametrize("limit", LIMIT_NAMES)
def test_the_plant_at_rest_keeps_every_limit(limit: str) -> None:
    assert np.all(np.asarray(found(ROOM).violation) == 0.0)
    assert np.max(held()[2][LIMIT_NAMES.index(limit)]) <= TOLERANCE


def test_no_random_set_points_that_keep_the_limits_are_cheaper() -> None:
    draws, spread = 4000, np.random.default_rng(5)
    modes = np.asarray(MODES)[spread.integers(len(MODES), size=draws)].T

    def column(values: np.ndarray) -> jax.Array:
        return jnp.asarray(values, jnp.float32)[:, None]

    plan = SetPoints(
        supply_air=column(np.full(draws, 24.0)),
        airflow_ratio=column(spread.uniform(1.001, 1.15, draws)),
        chw_supply=column(spread.uniform(9.0, 17.5, draws)),
        cw_pump_speed=column(spread.uniform(0.4, 1.0, draws)),
        tower_fan_speed=column(spread.uniform(0.2, 1.0, draws)),
        chillers=column(modes[0]),
        economizer=column(modes[1]),
        pressure=column(np.zeros(draws)),
    )
    met = jax.tree.map(lambda x: x.reshape((*x.shape[:-1], 1, HOURS)), acting())
    plant = site().plant
    state = steady_state(plan, met, plant, limits())
    broken = violation(state, plan, steady_limits(state, plan, met, limits(), plant))
    power = np.where(np.asarray(broken) > 0.0, np.inf, state.facility_power)
    assert np.isfinite(power).any(axis=0).mean() > 0.8, "too few of them count"
    assert np.all(power.min(axis=0) >= facility(ROOM) * (1.0 - 1e-4))


@pytest.mark.parametrize("less", [FIXED_PUMPS, APART])
def test_less_freedom_never_costs_less(less: Freedom) -> None:
    slack = 2e-3 * np.asarray(found(ROOM).state.mechanical_power)
    is_solved = np.asarray(found(less).violation) == 0.0
    assert np.all((facility(less) + slack >= facility(ROOM))[is_solved])
    assert facility(less).sum() > facility(ROOM).sum()


def test_a_warmer_room_may_be_chosen_and_never_costs_more() -> None:
    slack = 1e-2 * np.asarray(found(ROOM).state.mechanical_power)
    assert np.all(facility(WIDE) <= facility(ROOM) + slack)
    air = np.asarray(found(WIDE).plan.supply_air)
    assert air.min() >= 20.0
    assert air.max() <= 25.0


def test_freedoms_that_are_taken_away_are_not_used() -> None:
    plan = found(FIXED_PUMPS).plan
    staged = np.where(plan.chillers > 0.5, np.clip(plan.chillers / 2.0, 0.5, 1.0), 1.0)
    np.testing.assert_allclose(plan.cw_pump_speed, staged, rtol=1e-6)
    apart = found(APART).plan
    assert not np.any((apart.chillers > 0.5) & (apart.economizer > 0.5))


def test_a_stricter_limit_is_kept_and_never_cheaper() -> None:
    strict = dataclasses.replace(limits(), lift_min=jnp.asarray(13.0, jnp.float32))
    stricter = solve(acting(), site().plant, strict, ROOM)
    runs = np.asarray(stricter.plan.chillers) > 0.5
    assert np.all(np.asarray(stricter.state.condenser.lift)[runs] >= 13.0)
    power = np.asarray(stricter.state.facility_power, np.float64)
    slack = 2e-3 * np.asarray(stricter.state.mechanical_power)
    assert np.all(power + slack >= facility(ROOM))
    assert power.sum() > facility(ROOM).sum()


def test_an_hour_is_solved_as_it_is_alone() -> None:
    alone = jax.tree.map(lambda x: x[..., 7:8], acting())
    power = solve(alone, site().plant, limits(), ROOM).state.facility_power
    np.testing.assert_allclose(power, facility(ROOM)[7:8], rtol=1e-5)


def test_evolution_follows_a_narrow_valley_to_the_corner_of_its_bounds() -> None:
    def valley(points: jax.Array) -> jax.Array:
        x, y = points
        return (1.0 - x) ** 2 + 100.0 * (y - x * x) ** 2

    ends = [jnp.asarray(e, jnp.float32) for e in ((-2.0, -1.0), (0.8, 3.0))]
    best = minimise(jax.random.key(1), valley, (ends[0], ends[1]), (2, 3), 32, 150)
    assert best.shape == (2, 2, 3)
    # Rosenbrock's least with x held at 0.8 lies at y = 0.64.
    np.testing.assert_allclose(best[0], 0.8, atol=1e-3)
    np.testing.assert_allclose(best[1], 0.64, atol=2e-3)
