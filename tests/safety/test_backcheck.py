"""Where the tangents were too kind the action moves to the backup, and no further."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from seen_plants import LOWER, UPPER, actions, model, situation, situations

from coolbound_safety.backcheck import STEPS, BackCheck, back_check, excess
from coolbound_safety.coordinates import to_coordinates
from coolbound_safety.envelope import row_prices
from coolbound_safety.estimate import Estimate
from coolbound_safety.rows import IS_RECOVERY, NOTICEABLE, ROW_NAMES, row_values

LANES = 64
GENTLE = (22.0, 22.0, 0.9, 0.9, 11.5, 110.0, 0.9, 0.6, 2.0, 0.0)
HOT = (25.0, 25.0, 0.9, 0.9, 11.5, 110.0, 0.9, 0.6, 2.0, 0.0)

WARM = {"rise_max": (2.0, 2.0), "supply_air": (22.0, 22.0)}
"""Inlets 2 K above the air that the coils make."""


@functools.cache
def program() -> Any:
    """Return the check, what it says of five shares, and the rows, for many lanes."""

    def one(unit: Any, backup: Any, slack: Any, now: Estimate, safety: Any) -> Any:
        machines = now.running
        found = back_check(unit, backup, slack, now, safety, machines)
        shares = jnp.asarray(STEPS)[:, None]
        points = backup[None] + shares * (unit - backup)[None]
        tried = jax.vmap(lambda u: excess(u, slack, now, safety, machines))(points)
        return found, tried

    return jax.jit(jax.vmap(one, in_axes=(0, 0, 0, 0, None)))


@functools.cache
def rows_of() -> Any:
    lanes = jax.vmap(lambda a, n, m: row_values(a, n, m, n.running), (0, 0, None))
    return jax.jit(lanes)


def wide(x: Any) -> jax.Array:
    x = jnp.asarray(x, jnp.float32)
    return jnp.broadcast_to(x, (LANES, *x.shape))


def many(now: Estimate) -> Estimate:
    return jax.tree.map(wide, now) if now.heat.ndim == 0 else now


def check(
    action: Any, backup: Any, now: Estimate, slack: Any = 0.0
) -> tuple[BackCheck, np.ndarray]:
    given = np.broadcast_to(np.asarray(slack, np.float32), (LANES, len(ROW_NAMES)))
    unit = to_coordinates(
        jnp.broadcast_to(jnp.asarray(action, jnp.float32), (LANES, 10))
    )
    safe = to_coordinates(
        jnp.broadcast_to(jnp.asarray(backup, jnp.float32), (LANES, 10))
    )
    found = program()(unit, safe, jnp.asarray(given), many(now), model())
    return jax.tree.map(np.asarray, found)


def test_an_answer_that_the_model_agrees_with_is_kept_to_the_bit() -> None:
    found, _ = check(GENTLE, HOT, situation())
    np.testing.assert_array_equal(found.share, 1.0)
    np.testing.assert_array_equal(found.excess, 0.0)
    np.testing.assert_array_equal(found.u, to_coordinates(wide(GENTLE)))


def test_an_answer_that_is_too_hot_moves_to_the_backup_as_far_as_it_must() -> None:
    """Air at 25 degC is too hot for its inlets; some share of the way is not."""
    now = situation(**WARM)
    found, tried = check(HOT, GENTLE, now)
    assert tried[0, 0] > 0.0
    share = found.share[0]
    assert 0.0 < share < 1.0
    holds = {s for s, beyond in zip(STEPS, tried[0], strict=True) if beyond == 0.0}
    assert share == max(holds)
    np.testing.assert_allclose(found.excess, 0.0)


def test_what_was_declared_relaxed_is_not_held_against_the_answer() -> None:
    now = situation(**WARM)
    value = np.asarray(rows_of()(wide(HOT), many(now), model()))[0]
    slack = np.nan_to_num(np.maximum(value, 0.0))
    found, _ = check(HOT, GENTLE, now, slack)
    np.testing.assert_array_equal(found.share, 1.0)
    half, _ = check(HOT, GENTLE, now, 0.5 * slack)
    assert np.all(half.share < 1.0)


def test_foresight_alone_moves_nothing() -> None:
    """Fans at 0.8 that could not follow a rise of load by two moves."""
    now = situation(air_factor=(1.0, 1.0), load_spread=(0.0, 0.0))
    for fan in np.linspace(0.3, 1.0, 71):
        action = np.array(GENTLE, np.float32)
        action[2:4] = fan
        value = np.asarray(rows_of()(wide(action), many(now), model()))[0]
        broken = value > np.asarray(NOTICEABLE)
        foresees = np.asarray(IS_RECOVERY)
        if np.any(broken & foresees) and not np.any(broken & ~foresees):
            found, _ = check(action, HOT, now)
            np.testing.assert_array_equal(found.share, 1.0)


def test_the_answer_is_never_worse_than_the_one_that_came() -> None:
    now = situations(LANES, seed=3)
    found, tried = check(actions(LANES, 1), actions(LANES, 2), now)
    assert np.all(found.excess <= tried[:, 0] * (1.0 + 1e-5) + 1e-4)
    assert np.all(found.excess <= tried.min(axis=1) * (1.0 + 1e-5) + 1e-3)
    assert 0 < np.sum(found.share < 1.0) < LANES
    # All that was tried lies between two actions in the box.
    low, high = (to_coordinates(jnp.asarray(x, jnp.float32)) for x in (LOWER, UPPER))
    assert np.all(
        (found.u >= np.asarray(low) - 1e-6) & (found.u <= np.asarray(high) + 1e-6)
    )


def test_the_measure_is_the_price_of_noticeable_differences() -> None:
    now = situations(LANES, seed=4)
    action = actions(LANES, 5)
    _, tried = check(action, action, now)
    value = np.asarray(rows_of()(jnp.asarray(action), now, model()), np.float64)
    least = np.asarray(NOTICEABLE)
    counted = np.isfinite(value) & ~np.asarray(IS_RECOVERY)
    beyond = np.where(counted, np.maximum(value - least, 0.0) / least, 0.0)
    expected = beyond @ np.asarray(row_prices(model()).price, np.float64)
    np.testing.assert_allclose(tried[:, 0], expected, rtol=2e-3, atol=2.0)


def test_limits_that_are_switched_off_move_nothing() -> None:
    now = situation(**WARM)
    off = dataclasses.replace(model().limits, is_on=jnp.zeros((21,)))
    safety = dataclasses.replace(model(), limits=off)
    unit = to_coordinates(wide(HOT))
    slack = jnp.zeros((LANES, len(ROW_NAMES)))
    found, _ = program()(unit, to_coordinates(wide(GENTLE)), slack, many(now), safety)
    np.testing.assert_array_equal(found.share, 1.0)
