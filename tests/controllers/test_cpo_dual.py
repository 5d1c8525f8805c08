"""The small problem of CPO against cvxpy, the published algebra, and itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cpo_problems import Problems, judge, published_step, random_problems
from hypothesis import given, settings
from hypothesis import strategies as st

from coolbound_controllers.cpo_dual import (
    BOUNDED,
    FREE,
    RECOVERY,
    RETURN,
    UNCONSTRAINED,
    Plan,
    plan_step,
)
from coolbound_controllers.cpo_step import planned_step

Found = tuple[np.ndarray, Plan]


def solve(problems: Problems) -> Found:
    """Every step by our solver in float32, natural gradients and all."""

    def one(g: jax.Array, b: jax.Array, h: jax.Array, c: jax.Array):
        rows = jnp.concatenate([g[None], b])
        step, plan, _ = planned_step(
            rows, lambda v: h @ v, c, problems.delta, 2 * g.shape[0]
        )
        return step, plan

    arrays = (problems.g, problems.b, problems.h, problems.c)
    single = [jnp.asarray(x, jnp.float32) for x in arrays]
    step, plan = jax.jit(jax.vmap(one))(*single)
    return np.asarray(step, np.float64), jax.device_get(plan)


def plain_case(problems: Problems, i: int, gap: float) -> int:
    if gap > 0:
        return RECOVERY
    if (problems.c[i] >= 0).any():
        return RETURN
    return FREE if (problems.c[i] < -problems.reach()[i]).all() else BOUNDED


def assert_equals_the_referee(problems: Problems, found: Found) -> None:
    steps, plan = found
    priced: list[float] = []
    for i, step in enumerate(steps):
        verdict = judge(problems, i)
        off = np.linalg.norm(step - verdict.step) / np.linalg.norm(verdict.step)
        assert off < 1e-3, (i, off, plan.case[i], verdict.gap)
        assert plan.case[i] == plain_case(problems, i, verdict.gap), i
        if verdict.prices is not None:
            reach = problems.reach()[i]
            gain = np.abs(problems.g[i] @ step)
            error = np.abs(plan.multipliers[i] - verdict.prices) * reach
            priced.append(error.max() / max((verdict.prices * reach).max(), gain))
    # a constraint that all but empties the trust region has a steep price
    assert np.quantile(priced, 0.95) < 1e-3
    assert max(priced) < 2e-2


def assert_within_the_trust_region(problems: Problems, steps: np.ndarray) -> None:
    kl = np.einsum("pn,pnm,pm->p", steps, problems.h, steps) / 2
    assert (kl <= problems.delta * (1 + 1e-6)).all()


def assert_keeps_all_constraints(problems: Problems, found: Found) -> None:
    steps, plan = found
    after = problems.c + np.einsum("pkn,pn->pk", problems.b, steps)
    is_kept = np.asarray(plan.case) != RECOVERY
    assert (after[is_kept] <= 0).all()
    assert (plan.level[is_kept] == 0).all()
    # in recovery the plan says what violation is left
    promised = plan.level[~is_kept] + 2e-5 * problems.reach()[~is_kept]
    assert (after[~is_kept] <= promised).all()


@pytest.mark.parametrize(("seed", "size"), [(1, 4), (2, 12)])
def test_one_constraint_equals_cvxpy_in_every_case(seed: int, size: int) -> None:
    """AC16, K = 1: 520 problems, both sizes together; recovery minimises b.x."""
    problems = random_problems(seed, 260, size, 1)
    found = solve(problems)
    assert set(found[1].case) == {RECOVERY, RETURN, BOUNDED, FREE}
    assert_equals_the_referee(problems, found)
    assert_within_the_trust_region(problems, found[0])
    assert_keeps_all_constraints(problems, found)


@pytest.mark.parametrize("constraints", [2, 3, 4, 5])
def test_more_constraints_equal_cvxpy_in_every_case(constraints: int) -> None:
    """AC16, K = 2 to 5: 200 problems each; recovery minimises the largest share."""
    problems = random_problems(constraints, 200, 9, constraints)
    found = solve(problems)
    assert {RECOVERY, RETURN, BOUNDED} <= set(found[1].case)
    assert_equals_the_referee(problems, found)
    assert_within_the_trust_region(problems, found[0])
    assert_keeps_all_constraints(problems, found)


@pytest.mark.parametrize(("constraints", "size"), [(3, 2), (4, 3)])
def test_more_constraints_than_dimensions_equal_cvxpy(
    constraints: int, size: int
) -> None:
    """AC16 where the best step is a corner inside the trust region, or none is."""
    problems = random_problems(40 + size, 100, size, constraints)
    steps, plan = solve(problems)
    length = np.sqrt(2 * problems.delta)
    for i, step in enumerate(steps):
        verdict = judge(problems, i)
        assert plan.case[i] == plain_case(problems, i, verdict.gap), (i, verdict.gap)
        root = np.linalg.cholesky(problems.h[i])
        off = np.linalg.norm(root.T @ (step - verdict.step)) / length
        assert off < 1e-3, (i, off, plan.case[i], verdict.gap)
    assert_within_the_trust_region(problems, steps)
    assert_keeps_all_constraints(problems, (steps, plan))


def test_one_constraint_equals_the_published_algebra() -> None:
    """AC16, K = 1, a second referee: the closed form with its signs put right."""
    problems = random_problems(5, 600, 6, 1)
    steps, plan = solve(problems)
    for i, step in enumerate(steps):
        expected, case, price = published_step(
            problems.g[i],
            problems.b[i, 0],
            problems.h[i],
            problems.c[i, 0],
            problems.delta,
        )
        assert plan.case[i] == case, i
        off = np.linalg.norm(step - expected) / np.linalg.norm(expected)
        assert off < 1e-3, (i, off, case)
        weight = float(np.linalg.norm(problems.g[i]) / np.linalg.norm(problems.b[i]))
        assert float(plan.multipliers[i, 0]) == pytest.approx(
            price, rel=2e-3, abs=1e-3 * weight
        )


def single(g: list[float], b: list[list[float]], c: list[float]) -> Found:
    """One problem in three dimensions with H = I and delta = 1/2: the unit ball.

    Where there is one constraint, a second is added that is never met.
    """
    rows = np.array(b if len(b) == 2 else [*b, [0.0, 0.0, 1.0]])
    limits = np.array(c if len(c) == 2 else [*c, -9.0])
    unit = Problems(
        g=np.array([g]), b=rows[None], h=np.eye(3)[None], c=limits[None], delta=0.5
    )
    return alone(unit)


@jax.jit
def _solved(g: jax.Array, b: jax.Array, h: jax.Array, c: jax.Array, radius: jax.Array):
    rows = radius * jnp.concatenate([g[None], b])
    step, plan, _ = planned_step(rows, lambda v: h @ v, c, 0.5, 12)
    return radius * step, plan


def alone(problem: Problems) -> Found:
    """One problem, compiled once for each shape whatever delta is."""
    radius = np.sqrt(2 * problem.delta)
    arrays = (problem.g[0], problem.b[0], problem.h[0], problem.c[0], radius)
    step, plan = _solved(*(jnp.asarray(x, jnp.float32) for x in arrays))
    return np.asarray(step, np.float64), jax.device_get(plan)


def test_a_constraint_without_gradient_leaves_the_step_of_trpo() -> None:
    step, plan = single([3.0, 4.0, 0.0], [[0.0] * 3, [0.0] * 3], [-0.2, -0.1])
    assert plan.case == UNCONSTRAINED
    assert not plan.multipliers.any()
    np.testing.assert_allclose(step, [0.6, 0.8, 0.0], atol=1e-4)


def test_a_violation_that_no_step_can_mend_does_not_stop_the_others() -> None:
    step, plan = single([3.0, 4.0, 0.0], [[0.0] * 3, [-1.0, 0.0, 0.0]], [0.2, 0.8])
    assert plan.case == RETURN
    np.testing.assert_allclose(step, [0.8, 0.6, 0.0], atol=1e-4)


def test_at_the_limit_the_step_slides_along_the_constraint() -> None:
    step, plan = single([1.0, 1.0, 0.0], [[0.0, 2.0, 0.0]], [0.0])
    assert plan.case == RETURN
    np.testing.assert_allclose(step, [1.0, 0.0, 0.0], atol=1e-4)
    np.testing.assert_allclose(plan.multipliers, [0.5, 0.0], rtol=1e-3)


def test_a_constraint_said_twice_changes_nothing() -> None:
    once, plan = single([1.0, 2.0, 0.0], [[1.0, 1.0, 1.0]], [-0.1])
    twice, both = single([1.0, 2.0, 0.0], [[1.0, 1.0, 1.0]] * 2, [-0.1] * 2)
    np.testing.assert_allclose(twice, once, atol=1e-4)
    assert both.multipliers.sum() == pytest.approx(plan.multipliers.sum(), rel=1e-3)


def test_opposed_constraints_that_cannot_both_be_kept_share_the_violation() -> None:
    step, plan = single(
        [0.0, 1.0, 0.0], [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], [0.1, 0.3]
    )
    assert plan.case == RECOVERY
    assert step[0] == pytest.approx(0.1, abs=1e-3)
    np.testing.assert_allclose(plan.level, 0.2, atol=1e-3)
    assert plan.multipliers.sum() == pytest.approx(1.0, rel=1e-3)


def test_a_reward_gradient_along_the_constraint_stops_at_the_limit() -> None:
    step, plan = single([2.0, 0.0, 0.0], [[1.0, 0.0, 0.0]], [-0.25])
    assert plan.case == BOUNDED
    assert step[0] == pytest.approx(0.25, abs=1e-4)
    assert np.linalg.norm(step) <= 1.0 + 1e-6
    assert plan.multipliers[0] == pytest.approx(2.0, rel=1e-3)


def test_what_is_not_a_number_stays_visible() -> None:
    step, _ = single([np.nan, 0.0, 0.0], [[1.0, 0.0, 0.0]], [-0.25])
    assert np.isnan(step).any()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(-2, 2), st.floats(-2, 2))
def test_units_and_order_of_constraints_do_not_matter(
    seed: int, first: float, second: float
) -> None:
    problem = random_problems(seed, 1, 6, 2)
    units = 10.0 ** np.array([first, second])
    other = Problems(
        g=problem.g,
        b=(problem.b * units[None, :, None])[:, ::-1],
        h=problem.h,
        c=(problem.c * units[None])[:, ::-1],
        delta=problem.delta,
    )
    (here, plan), (there, same) = alone(problem), alone(other)
    if plan.case == same.case:  # a tie between cases may fall to either side
        np.testing.assert_allclose(here, there, atol=2e-3 * float(np.linalg.norm(here)))


def test_exact_in_its_span_even_where_natural_gradients_are_not() -> None:
    """AC16 with three conjugate steps in 40 dimensions: constraint and KL hold."""
    problems = random_problems(8, 50, 40, 3)

    def one(g: jax.Array, b: jax.Array, h: jax.Array, c: jax.Array):
        rows = jnp.concatenate([g[None], b])
        return planned_step(rows, lambda v: h @ v, c, problems.delta, 3)

    arrays = (problems.g, problems.b, problems.h, problems.c)
    step, plan, residuals = jax.jit(jax.vmap(one))(
        *(jnp.asarray(x, jnp.float32) for x in arrays)
    )
    assert float(jnp.median(residuals)) > 0.05
    steps = np.asarray(step, np.float64)
    assert_within_the_trust_region(problems, steps)
    assert_keeps_all_constraints(problems, (steps, jax.device_get(plan)))


def test_plans_of_a_batch_are_those_of_its_members() -> None:
    """So many seeds can be trained side by side."""
    metric = jnp.stack([jnp.eye(3), 2.0 * jnp.eye(3)])
    violation = jnp.asarray([[0.1, -0.2], [-0.3, 0.4]])
    plan = jax.jit(lambda m, c: plan_step(m, m, c, 0.1).weights)
    many = jax.jit(jax.vmap(plan))(metric, violation)
    for i in range(2):
        np.testing.assert_allclose(many[i], plan(metric[i], violation[i]), atol=1e-6)
