"""`mpc`: its state agrees with the plant, its slope with differences, its plan pays."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import limits, observed, places, site, start, step, task_params

from coolbound_controllers.g36_tuned import g36_tuned
from coolbound_controllers.mpc import Mpc, plant_mpc
from coolbound_controllers.mpc_plan import (
    PLANNED,
    Outlook,
    PlanSettings,
    feasible,
    plan_cost,
    to_shares,
    to_vector,
)
from coolbound_controllers.mpc_reconstruct import disturbance_now, reconstruct
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.cooling import acting_disturbance
from coolbound_envs.interval import run_interval
from coolbound_envs.limit_table import LIMIT_NAMES, TOLERANCE
from coolbound_envs.spec import CHANNELS, channel_array
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Observation, action_from_vector, action_to_vector

LANES = 4
QUICK = PlanSettings(horizon=3, rounds=4)
RAMP = (
    channel_array("ramp")[:PLANNED]
    / (channel_array("upper") - channel_array("lower"))[:PLANNED]
)


@functools.cache
def made() -> Mpc:
    rule = g36_tuned(parse_operator(site()))
    return plant_mpc(rule, site().plant, limits(), QUICK)


@functools.cache
def resting() -> tuple[Observation, Any, Any]:
    """Return four plants that rest under their first set-points, without noise."""
    params = task_params("phoenix", "chicago", noise=0.0)
    seen, state = start(jax.random.key(0), places(LANES, 2, 180), params)
    for k in range(24):
        seen, state, *_ = step(jax.random.key(k), state, state.applied, params)
    return seen, state, params


@functools.cache
def outlook() -> Outlook:
    seen = resting()[0]
    look = jax.jit(made().outlook)
    with jax.numpy_rank_promotion("allow"):
        return look(seen, seen.applied[:, PLANNED:])


@functools.cache
def judged() -> Any:
    """Return the compiled cost and slope of a plan, the limits' price as given."""

    def judge(plan: jax.Array, outlook: Outlook, price: jax.Array) -> Any:
        settings = dataclasses.replace(QUICK, price=price)

        def total(plan: jax.Array) -> tuple[jax.Array, jax.Array]:
            cost = plan_cost(plan, outlook, site().plant, limits(), settings)
            return jnp.sum(cost), cost

        (_, cost), slope = jax.value_and_grad(total, has_aux=True)(plan)
        return cost, slope

    return jax.jit(judge)


def judge(plan: jax.Array, price: float = QUICK.price) -> tuple[np.ndarray, np.ndarray]:
    with jax.numpy_rank_promotion("allow"):
        cost, slope = judged()(plan, outlook(), jnp.float32(price))
    return np.asarray(cost, np.float64), np.asarray(slope)


def cost_of(plan: jax.Array, price: float = QUICK.price) -> np.ndarray:
    return judge(plan, price)[0]


def held() -> jax.Array:
    return jnp.tile(outlook().in_force[None], (QUICK.horizon, 1, 1))


@jax.jit
def now(seen: Observation) -> Disturbance:
    return disturbance_now(seen, site().plant)


@jax.jit
def rebuilt(seen: Observation) -> PlantState:
    return reconstruct(seen, disturbance_now(seen, site().plant), site().plant)


def test_the_load_that_acts_is_found_from_power_and_inlets() -> None:
    seen, state, params = resting()
    found = now(seen)
    # The reading is of the interval before: load that has not moved since.
    before = dataclasses.replace(state.place, time=state.place.time - 300)
    true, _ = acting_disturbance(dataclasses.replace(state, place=before), params)
    np.testing.assert_allclose(found.it_work, true.it_work, rtol=5e-3)
    np.testing.assert_allclose(found.wet_bulb, true.wet_bulb, atol=0.11)


@functools.cache
def both_ahead() -> tuple[Any, Any, Any, Any]:
    """Return true and reconstructed plants a quarter of an hour on."""
    seen, state, _ = resting()
    acting = now(seen)
    action = action_from_vector(seen.applied)

    @jax.jit
    def ahead(plant_state: Any) -> Any:
        def body(plant_state: Any, _: None) -> Any:
            return run_interval(plant_state, action, acting, site().plant)

        last, summaries = jax.lax.scan(body, plant_state, None, length=3)
        return last, jax.tree.map(lambda x: x[-1], summaries)

    with jax.numpy_rank_promotion("allow"):
        return (*ahead(state.plant), *ahead(rebuilt(seen)))


@pytest.mark.parametrize(
    ("field", "tolerance"),
    [
        ("supply_air_temp", 0.3),
        ("return_air_temp", 0.6),
        ("valve", 0.04),
        ("basin_temp", 0.4),
        ("buffer_temp", 0.5),
        ("tower_cells", 0.0),
        ("pressure_setpoint", 1.0),
    ],
)
def test_a_reconstructed_plant_goes_where_the_true_one_goes(
    field: str, tolerance: float
) -> None:
    true, _, found, _ = both_ahead()
    np.testing.assert_allclose(
        getattr(found, field), getattr(true, field), atol=tolerance + 1e-6
    )


def test_a_reconstructed_plant_takes_the_power_that_the_true_one_takes() -> None:
    _, true, _, found = both_ahead()
    np.testing.assert_allclose(
        found.mean.mechanical_power, true.mean.mechanical_power, rtol=0.03
    )
    np.testing.assert_allclose(
        found.mean.facility_power, true.mean.facility_power, rtol=0.005
    )
    np.testing.assert_allclose(found.mean.inlet_temp, true.mean.inlet_temp, atol=0.3)


def test_machines_are_reconstructed_as_they_are_counted() -> None:
    seen = observed(chillers_running=1, chillers_starting=1, economizer_running=1)
    with jax.numpy_rank_promotion("allow"):
        machines = rebuilt(seen).sequencer
    assert np.all(np.asarray(machines.running_count) == 1.0)
    assert np.all(np.asarray(machines.commanded_count) == 2.0)
    assert np.all(np.asarray(machines.economizer) == 1.0)
    assert np.all(np.asarray(machines.stage_age) == 0.0)


@pytest.mark.parametrize("channel", range(PLANNED))
def test_the_slope_of_the_cost_is_that_of_differences(channel: int) -> None:
    """Central differences of the whole chain: air, coils, machines, towers.

    Of power alone: the price of the limits has kinks where they begin to count.
    """
    slope = judge(held(), 0.0)[1][:, :, channel].sum(axis=0)
    nudge = 4e-3
    push = jnp.zeros((PLANNED,)).at[channel].set(nudge)[None, None]
    up, down = (cost_of(held() + sign * push, 0.0) for sign in (1.0, -1.0))
    by_differences = (up - down) / (2.0 * nudge)
    scale = max(0.05, float(np.abs(by_differences).max()))
    np.testing.assert_allclose(slope, by_differences, atol=0.03 * scale)


def test_slopes_have_the_sign_of_the_physics() -> None:
    """Warmer air and less pump cost less here; a colder plant costs more."""
    names = [channel.name for channel in CHANNELS]
    slope = judge(held(), 0.0)[1].sum(axis=0).mean(axis=0)
    assert slope[names.index("crah_fan_speed_hall1")] > 0.0
    assert slope[names.index("cw_pump_speed")] > 0.0
    assert slope[names.index("chw_supply_setpoint")] < 0.0


def test_ranges_and_ramps_hold_for_any_plan() -> None:
    draw = np.random.default_rng(0)
    begin = jnp.asarray(draw.uniform(0.2, 1.0, (200, PLANNED)), jnp.float32)
    wild = jnp.asarray(draw.uniform(-1.0, 2.0, (6, 200, PLANNED)), jnp.float32)
    plan = np.asarray(feasible(wild, begin))
    before = np.concatenate([np.asarray(begin)[None], plan[:-1]])
    assert np.all(np.abs(plan - before) <= RAMP + 1e-6)
    assert np.all((plan >= -1e-6) & (plan <= 1.0 + 1e-6))
    assert np.all(plan[..., 7] >= 0.2 - 1e-6)
    np.testing.assert_allclose(feasible(jnp.asarray(plan), begin), plan, atol=1e-6)


def test_a_plan_that_is_allowed_is_left_as_it_is() -> None:
    np.testing.assert_allclose(feasible(held(), outlook().in_force), held(), atol=1e-6)


def test_shares_and_vectors_are_two_names_of_one_action() -> None:
    vector = resting()[0].applied
    again = to_vector(to_shares(vector), vector[:, PLANNED:])
    np.testing.assert_allclose(again, vector, rtol=1e-5)


def test_an_improved_plan_costs_less_than_holding_everywhere() -> None:
    memory = made().init((LANES,))
    _, memory = decide()(jax.random.key(0), memory, resting()[0])
    plan = memory.plan
    assert np.all(cost_of(plan) < cost_of(held()) - 0.05)
    np.testing.assert_allclose(feasible(plan, outlook().in_force), plan, atol=1e-5)


def test_a_plan_that_would_break_a_limit_costs_more_than_it_gains() -> None:
    """Fans at their lowest save power and starve the servers."""
    starved = feasible(held().at[..., 2:4].set(0.0), outlook().in_force)
    assert np.all(cost_of(starved, 0.0) < cost_of(held(), 0.0))
    assert np.all(cost_of(starved) > cost_of(held()))


@functools.cache
def six_hours(controlled: bool) -> dict[str, np.ndarray]:
    """Return power and limits of the made plants, held or controlled."""
    seen, state, params = resting()
    controller = made()

    @jax.jit
    def run(keys: jax.Array, seen: Any, state: Any) -> Any:
        def body(carry: Any, key: jax.Array) -> Any:
            seen, state, memory = carry
            action, memory = controller.act(key, memory, seen)
            chosen = action if controlled else state.applied
            later, state, *_, info = step(key, state, chosen, params)
            record = {
                "power": info["summary"].mean.facility_power,
                "limits": info["limits"],
                "moved": later.applied - seen.applied,
            }
            return (later, state, memory), record

        carry = (seen, state, controller.init((LANES,)))
        return jax.lax.scan(body, carry, keys)[1]

    keys = jax.random.split(jax.random.key(3), 72)
    return jax.tree.map(np.asarray, run(keys, seen, state))


@pytest.mark.long
def test_a_receding_horizon_beats_holding_on_the_true_plant() -> None:
    ours, theirs = (
        six_hours(flag)["power"][12:].mean(axis=0) for flag in (True, False)
    )
    assert np.all(ours < 0.99 * theirs)


@pytest.mark.long
def test_a_receding_horizon_keeps_every_limit_and_ramp() -> None:
    run, ramp = six_hours(True), channel_array("ramp")
    ramp[7] = 0.2
    assert np.max(np.abs(run["moved"]) - ramp) < 1e-5
    worst = run["limits"].max(axis=(0, 1))
    broken = {
        n: float(h) for n, h in zip(LIMIT_NAMES, worst, strict=True) if h > TOLERANCE
    }
    assert not broken


@functools.cache
def decide() -> Any:
    return jax.jit(made().act)


def asked(seen: Observation, steps: int = 1) -> np.ndarray:
    memory, vector = made().init((LANES,)), jnp.zeros(())
    for _ in range(steps):
        action, memory = decide()(jax.random.key(0), memory, seen)
        vector = action_to_vector(action)
    return np.asarray(vector)


def test_decisions_are_within_ramps_and_cheaper_than_holding() -> None:
    seen = resting()[0]
    shares = to_shares(jnp.asarray(asked(seen)))
    assert np.all(np.abs(np.asarray(shares - outlook().in_force)) <= RAMP + 1e-5)
    plan = jnp.tile(shares[None], (QUICK.horizon, 1, 1))
    assert np.all(cost_of(feasible(plan, outlook().in_force)) < cost_of(held()))


def test_the_last_plan_is_where_the_next_one_starts() -> None:
    memory = made().init((LANES,))
    assert np.all(np.isnan(np.asarray(memory.plan)))
    _, memory = decide()(jax.random.key(0), memory, resting()[0])
    assert memory.plan.shape == (QUICK.horizon, LANES, PLANNED)
    assert np.all(np.isfinite(np.asarray(memory.plan)))


def test_a_reading_that_never_came_leaves_everything_to_the_rule() -> None:
    seen = observed(chw_return_temp=float("nan"))
    rule = made().rule
    ruled, _ = jax.jit(rule.act)(jax.random.key(0), rule.init((LANES,)), seen)
    theirs = np.asarray(action_to_vector(ruled))
    np.testing.assert_allclose(asked(seen), theirs, rtol=1e-6)
