"""`mpc-arx`: its plan is the optimum of the program that it states, and it holds."""

import dataclasses
import functools
from typing import Any

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import observed, places, site, task_params

from coolbound_controllers.arx import ArxModel
from coolbound_controllers.arx_data import shipped_models
from coolbound_controllers.arx_plant import INPUTS, OUTPUTS
from coolbound_controllers.g36_tuned import g36_tuned
from coolbound_controllers.mpc_arx import LEARN, ArxMpc, arx_mpc
from coolbound_controllers.mpc_condensed import (
    Aim,
    Past,
    Weights,
    best_plan,
    condense,
    ends,
    in_shares,
    run_ahead,
)
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.limit_table import LIMIT_NAMES, TOLERANCE
from coolbound_envs.spec import channel_array
from coolbound_envs.types import Action, action_to_vector

N, M, D, LAGS, HORIZON = 3, 2, 1, 2, 5
ROUNDS = 4000
"""ADMM steps where the exact optimum is asked for. [1]"""

SIZE = len(INPUTS)


@dataclasses.dataclass(frozen=True)
class Case:
    """One random program, in float64. Static."""

    model: ArxModel
    weights: Weights
    past: Past
    aim: Aim


def single(values: Any) -> jax.Array:
    return jnp.asarray(values, jnp.float32)


def random_case(seed: int) -> Case:
    """Return a program whose box and rates bind here and there."""
    draw = np.random.default_rng(seed)
    model = ArxModel(
        outputs=single(draw.uniform(-0.3, 0.3, (LAGS, N, N))),
        inputs=single(draw.normal(0.0, 1.0, (LAGS, N, M))),
        disturbances=single(draw.normal(0.0, 1.0, (N, D))),
        bias=single(draw.normal(0.0, 1.0, N)),
    )
    weights = Weights(
        tracked=draw.normal(0.0, 1.0, (2, N)),
        tracking=draw.uniform(0.2, 2.0, 2),
        effort=draw.uniform(0.05, 1.0, M),
        change=draw.uniform(0.05, 1.0, M),
    )
    in_force = draw.uniform(0.2, 0.9, M)
    past = Past(
        outputs=single(draw.normal(0.0, 1.0, (LAGS, N))),
        inputs=single(np.tile(in_force, (LAGS, 1))),
        disturbance=single(draw.normal(0.0, 1.0, D)),
        bias=single(draw.normal(0.0, 0.2, N)),
    )
    aim = Aim(
        target=single(draw.normal(0.0, 2.0, 2)),
        cheap=single(draw.integers(0, 2, M)),
        low=single([0.0, 0.2]),
        high=single([1.0, 0.9]),
        ramp=single(draw.uniform(0.05, 0.2, M)),
        in_force=single(in_force),
    )
    return Case(model, weights, past, aim)


def by_cvxpy(case: Case) -> tuple[np.ndarray, float]:
    """Return plan and cost of the same program with the states left in it."""
    model, past, aim, weights = case.model, case.past, case.aim, case.weights
    a, b, c = (
        np.asarray(x, np.float64)
        for x in (model.outputs, model.inputs, model.disturbances)
    )
    constant = np.asarray(model.bias + past.bias, np.float64)
    constant = constant + c @ np.asarray(past.disturbance, np.float64)
    x, v = cp.Variable((HORIZON, N)), cp.Variable((HORIZON, M))
    xs = [np.asarray(row, np.float64) for row in past.outputs]
    vs = [np.asarray(row, np.float64) for row in past.inputs]
    now = np.asarray(aim.in_force, np.float64)
    rules: list[Any] = []
    cost: Any = 0.0
    for j in range(HORIZON):
        history = [x[i] for i in range(j - 1, -1, -1)] + xs
        given = [v[i] for i in range(j, -1, -1)] + vs
        rules.append(
            x[j]
            == sum(a[k] @ history[k] + b[k] @ given[k] for k in range(LAGS)) + constant
        )
        before = v[j - 1] if j else now
        rules += [
            v[j] >= np.asarray(aim.low, np.float64),
            v[j] <= np.asarray(aim.high, np.float64),
            cp.abs(v[j] - before) <= np.asarray(aim.ramp, np.float64),
        ]
        error = weights.tracked @ x[j] - np.asarray(aim.target, np.float64)
        cost += weights.tracking @ cp.square(error)
        cost += weights.effort @ cp.square(v[j] - np.asarray(aim.cheap, np.float64))
        cost += weights.change @ cp.square(v[j] - before)
    problem = cp.Problem(cp.Minimize(0.5 * cost), rules)
    problem.solve(solver=cp.CLARABEL)
    assert problem.status == cp.OPTIMAL
    assert v.value is not None
    return np.asarray(v.value), float(np.asarray(problem.value))


def cost_of(plan: np.ndarray, case: Case) -> float:
    """Return the cost that the module states, of any plan, in numpy."""
    x = np.asarray(run_ahead(case.model, case.past, single(plan)), np.float64)
    aim, weights = case.aim, case.weights
    error = x @ weights.tracked.T - np.asarray(aim.target)
    change = np.diff(np.vstack([np.asarray(aim.in_force), plan]), axis=0)
    cheap = plan - np.asarray(aim.cheap)
    return 0.5 * float(
        (weights.tracking * error**2).sum()
        + (weights.effort * cheap**2).sum()
        + (weights.change * change**2).sum()
    )


planned = jax.jit(best_plan, static_argnums=3)


@functools.cache
def solved(seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    case = random_case(seed)
    condensed = condense(case.model, case.weights, HORIZON)
    plan, _ = planned(condensed, case.past, case.aim, ROUNDS)
    return np.asarray(plan, np.float64), *by_cvxpy(case)


@pytest.mark.parametrize("seed", range(8))
def test_the_plan_is_that_of_cvxpy(seed: int) -> None:
    ours, theirs, _ = solved(seed)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


@pytest.mark.parametrize("seed", range(8))
def test_the_plan_costs_what_the_optimum_costs(seed: int) -> None:
    ours, _, least = solved(seed)
    assert cost_of(ours, random_case(seed)) <= least * 1.001 + 1e-3


def test_box_and_rates_bind_in_these_cases() -> None:
    bound = []
    for seed in range(8):
        theirs, aim = solved(seed)[1], random_case(seed).aim
        before = np.vstack([np.asarray(aim.in_force), theirs[:-1]])
        at_rate = np.abs(theirs - before) > np.asarray(aim.ramp) - 1e-4
        at_end = (theirs < np.asarray(aim.low) + 1e-4) | (
            theirs > np.asarray(aim.high) - 1e-4
        )
        bound.append([at_rate.any(), at_end.any()])
    assert np.all(np.sum(bound, axis=0) >= 3)


def test_few_rounds_come_close_enough_for_a_set_point() -> None:
    """The controller's own number of rounds, on its own program."""
    case, controller = plant_case(), made()
    rough, _ = planned(controller.plans[0], *case, controller.settings.rounds)
    exact, _ = planned(controller.plans[0], *case, 4000)
    ramp = (
        channel_array("ramp")[:SIZE]
        / (channel_array("upper") - channel_array("lower"))[:SIZE]
    )
    assert np.max(np.abs(np.asarray(rough - exact))[..., 0, :] / ramp) < 0.1


def test_ends_that_ramps_cannot_reach_give_way() -> None:
    case = random_case(0)
    aim = dataclasses.replace(
        case.aim,
        in_force=single([0.05, 0.95]),
        low=single([0.6, 0.0]),
        high=single([1.0, 0.3]),
        ramp=single([0.1, 0.1]),
    )
    low, high = ends(aim, HORIZON)
    assert np.all(np.asarray(low) <= np.asarray(high) + 1e-6)
    condensed = condense(case.model, case.weights, HORIZON)
    plan, _ = planned(condensed, case.past, aim, ROUNDS)
    np.testing.assert_allclose(plan[:, 0], [0.15, 0.25, 0.35, 0.45, 0.55], atol=0.01)
    np.testing.assert_allclose(plan[:, 1], [0.85, 0.75, 0.65, 0.55, 0.45], atol=0.01)


def test_shares_and_units_make_the_same_model() -> None:
    case = random_case(1)
    lower, span = np.asarray([10.0, -3.0]), np.asarray([4.0, 7.0])
    shares = in_shares(case.model, lower, span)
    before = case.past.inputs * single(span)[None] + single(lower)[None]
    past = dataclasses.replace(case.past, inputs=before)
    plan = single(np.random.default_rng(1).uniform(0.0, 1.0, (4, M)))
    units = plan * single(span)[None] + single(lower)[None]
    in_units = run_ahead(case.model, past, units)
    np.testing.assert_allclose(
        run_ahead(shares, case.past, plan), in_units, rtol=1e-4, atol=1e-3
    )


def test_an_offset_that_lasts_is_learned_and_removed() -> None:
    """x = 0.5 x + v + 0.4, a model without the 0.4: the target is reached."""
    one = single([[[0.5]]])
    model = ArxModel(one, single([[[1.0]]]), single([[0.0]]), single([0.0]))
    weights = Weights(np.eye(1), np.ones(1), np.full(1, 1e-3), np.full(1, 1e-2))
    condensed = condense(model, weights, 6)
    x, v, bias, expected = 0.0, 0.0, 0.0, 0.0
    nothing, all_of_it = single([0.0]), single([1.0])
    for _ in range(60):
        past = Past(single([[x]]), single([[v]]), nothing, single([bias]))
        aim = Aim(all_of_it, nothing, nothing, all_of_it, single([0.2]), single([v]))
        plan, predicted = planned(condensed, past, aim, 100)
        v, expected = float(plan[0, 0]), float(predicted[0])
        x = 0.5 * x + v + 0.4
        bias += LEARN * (x - expected)
    np.testing.assert_allclose(x, 1.0, atol=0.02)
    np.testing.assert_allclose(bias, 0.4, atol=0.02)


@functools.cache
def made() -> ArxMpc:
    return arx_mpc(g36_tuned(parse_operator(site())), shipped_models())


def plant_case() -> tuple[Past, Aim]:
    """Return where a plant stands that is too warm, with its pumps at full speed."""
    values = {"inlet": 25.6, "valve": 0.9, "chw_supply": 14.0, "cw_supply": 24.0}
    row = [values.get(name.partition("_hall")[0], 29.0) for name in OUTPUTS]
    lags = made().plans[0].model.outputs.shape[0]
    shares = jnp.full((SIZE,), 0.6)
    past = Past(
        outputs=jnp.tile(single(row), (lags, 1)),
        inputs=jnp.tile(shares, (lags, 1)),
        disturbance=single([1600.0, 1500.0, 18.0]),
        bias=jnp.zeros(len(OUTPUTS)),
    )
    settings = made().settings
    halls = [settings.inlet] * 2 + [settings.valve] * 2
    span = channel_array("upper") - channel_array("lower")
    aim = Aim(
        target=single([*halls, settings.lift]),
        cheap=single([1.0, 1.0, 0.5, 0.5, 1.0, 0.0, 0.2, 0.2]),
        low=single([0.0, 0.0, 0.5, 0.5, 0.1, 0.0, 0.2, 0.2]),
        high=jnp.ones((SIZE,)),
        ramp=single((channel_array("ramp") / span)[:SIZE]),
        in_force=shares,
    )
    return past, aim


@functools.cache
def decide() -> Any:
    return jax.jit(made().act)


def twice_ruled(seen: Any) -> Action:
    """Return what the rule asks for when it sees the same thing again."""
    rule, memory = jax.jit(made().rule.act), made().rule.init((4,))
    _, memory = rule(jax.random.key(0), memory, seen)
    action, _ = rule(jax.random.key(0), memory, seen)
    return action


def asked(**readings: float) -> np.ndarray:
    memory, seen = made().init((4,)), observed(**readings)
    action = action_to_vector(seen_action(seen, memory))
    return np.asarray(action)


def seen_action(seen: Any, memory: Any) -> Any:
    action, memory = decide()(jax.random.key(0), memory, seen)
    action, _ = decide()(jax.random.key(0), memory, seen)
    return action


def test_a_reading_that_never_came_leaves_everything_to_the_rule() -> None:
    seen = observed(cw_return_temp=float("nan"))
    action = action_to_vector(seen_action(seen, made().init((4,))))
    ruled = twice_ruled(seen)
    found = np.asarray(action)[:, [0, 1, 2, 3, 5, 6]]
    theirs = np.asarray(action_to_vector(ruled))[:, [0, 1, 2, 3, 5, 6]]
    np.testing.assert_allclose(found, theirs, rtol=1e-5)


def test_hot_halls_get_colder_air_than_cool_ones() -> None:
    def air(inlet: float) -> np.ndarray:
        zones = {
            f"inlet_temp_hall{h}_zone{z}": inlet for h in (1, 2) for z in (1, 2, 3)
        }
        return asked(**zones)[:, 0]

    assert np.all(air(26.5) < air(23.5) - 0.05)


def test_machines_are_those_of_the_rule() -> None:
    assert made().rule.is_guest
    seen = observed()
    ours = asked()
    action = twice_ruled(seen)
    np.testing.assert_array_equal(
        ours[:, 8:], np.asarray(action_to_vector(action))[:, 8:]
    )


@functools.cache
def day() -> dict[str, np.ndarray]:
    """Return limits, ramps and power of a day, its hours after the start last."""
    task, params = CoolingTask(settle_steps=12), task_params("chicago", "phoenix")
    place = places(4, 2, 200, spread=86400)
    controller = made()

    @jax.jit
    def run(key: jax.Array) -> Any:
        seen, state = task.start_at(key, place, params)

        def body(carry: Any, key: jax.Array) -> Any:
            seen, state, memory = carry
            action, memory = controller.act(key, memory, seen)
            later, state, *_, info = task.step(key, state, action, params)
            record = {
                "limits": info["limits"],
                "moved": later.applied - seen.applied,
                "inlet": info["summary"].inlet_temp_max,
            }
            return (later, state, memory), record

        carry = (seen, state, controller.init((4,)))
        return jax.lax.scan(body, carry, jax.random.split(key, 288))[1]

    return jax.tree.map(np.asarray, run(jax.random.key(0)))


def test_mpc_arx_keeps_every_limit_for_a_day() -> None:
    worst = day()["limits"].max(axis=(0, 1))
    broken = {
        n: float(h) for n, h in zip(LIMIT_NAMES, worst, strict=True) if h > TOLERANCE
    }
    assert not broken


def test_mpc_arx_moves_within_ramps_and_holds_the_halls() -> None:
    ramp = channel_array("ramp")
    ramp[7] = 0.2
    assert np.max(np.abs(day()["moved"]) - ramp) < 1e-5
    late = day()["inlet"][36:]
    # The hottest zone of both halls, noise and steps of the load included.
    assert abs(late.mean() - made().settings.inlet) < 0.8
