"""A state that cannot be is noticed, reported with its culprit, never given as data."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import CITIES, places, start, step, task_params

from coolbound_envs.accounts import DIVERGED_COST, TRIP_PRICE
from coolbound_envs.episode import TaskState
from coolbound_envs.soundness import (
    STATE_BOUNDS,
    DivergenceError,
    is_sound,
    require_sound,
    state_fields,
)
from coolbound_envs.state import PlantState
from coolbound_envs.types import Quality

LANES = 4
HURT = 2


@functools.cache
def begun() -> TaskState:
    return start(jax.random.key(0), places(LANES, 2, 180), params())[1]


@functools.cache
def params() -> Any:
    return task_params(*CITIES, noise=0.0)


def hurt(plant: PlantState, name: str, value: float, lane: int = HURT) -> PlantState:
    """Return a plant with one number of one field replaced in one lane."""
    part, _, inner = name.rpartition(".")
    whole = getattr(plant, part) if part else plant
    field = getattr(whole, inner)
    place = (0,) * (field.ndim - 1) + (lane,)
    changed = dataclasses.replace(whole, **{inner: field.at[place].set(value)})
    return dataclasses.replace(plant, **{part: changed}) if part else changed


def test_every_field_of_the_state_has_bounds_and_starts_inside_them() -> None:
    assert set(state_fields(begun().plant)) == set(STATE_BOUNDS)
    assert np.all(np.asarray(is_sound(begun().plant)))
    for bounds in STATE_BOUNDS.values():
        assert bounds.lower < bounds.upper


@pytest.mark.parametrize("name", sorted(STATE_BOUNDS))
def test_a_number_that_cannot_be_is_noticed_in_its_lane_alone(name: str) -> None:
    for value in (np.nan, np.inf, -np.inf, 1.1e9, -1e9):
        found = np.asarray(is_sound(hurt(begun().plant, name, value)))
        assert list(found) == [lane != HURT for lane in range(LANES)], value


def after(plant: PlantState) -> tuple[Any, ...]:
    state = dataclasses.replace(begun(), plant=plant)
    return step(jax.random.key(1), state, state.applied, params())


@pytest.mark.parametrize(
    ("name", "value"),
    [("server_temp", np.nan), ("basin_temp", 1e9), ("room_dew_point", np.inf)],
)
def test_a_diverged_lane_is_ended_priced_and_blank(name: str, value: float) -> None:
    seen, state, reward, terminated, truncated, info = after(
        hurt(begun().plant, name, value)
    )
    is_hurt = np.arange(LANES) == HURT
    np.testing.assert_array_equal(info["diverged"], is_hurt)
    np.testing.assert_array_equal(terminated, is_hurt)
    assert not np.any(truncated)
    assert np.all(np.isnan(seen.value[HURT]))
    assert np.all(np.asarray(seen.quality[HURT]) == Quality.MISSING)
    assert float(reward[HURT]) == -TRIP_PRICE
    np.testing.assert_array_equal(info["costs"][HURT], DIVERGED_COST)
    blank = (
        info["limits"][HURT],
        [x[HURT] for x in info["power"].values()],
        [x[HURT] for x in info["water"].values()],
        info["summary"].mean.inlet_temp[..., HURT],
        info["final_observation"].value[HURT],
    )
    for leaf in jax.tree.leaves(blank):
        assert np.all(np.isnan(leaf))
    with pytest.raises(DivergenceError):
        require_sound(state)


def test_the_other_lanes_do_not_notice() -> None:
    fine, broken = after(begun().plant), after(hurt(begun().plant, "buffer_temp", 1e9))
    keep = np.arange(LANES) != HURT
    for index in (0, 2, 5):
        a = jax.tree.leaves(fine[index].value if index == 0 else fine[index])
        b = jax.tree.leaves(broken[index].value if index == 0 else broken[index])
        for one, other in zip(a, b, strict=True):
            axis = 0 if np.shape(one)[0] == LANES else -1
            np.testing.assert_array_equal(
                np.compress(keep, one, axis), np.compress(keep, other, axis)
            )


def test_a_lane_that_has_diverged_stays_ended() -> None:
    _, state, *_ = after(hurt(begun().plant, "hot_aisle_temp", np.nan))
    _, _, reward, terminated, _, info = step(
        jax.random.key(2), state, state.applied, params()
    )
    assert bool(terminated[HURT])
    assert bool(info["diverged"][HURT])
    assert np.all(np.isfinite(reward))
    assert np.all(np.isfinite(info["costs"]))


def test_the_report_names_lane_field_value_and_time() -> None:
    plant = hurt(begun().plant, "server_temp", np.nan)
    plant = hurt(plant, "buffer_temp", 1e9)
    state = dataclasses.replace(
        begun(), plant=plant, steps=jnp.full((LANES,), 12, jnp.int32)
    )
    with pytest.raises(DivergenceError) as caught:
        require_sound(state)
    error, text = caught.value, str(caught.value)
    assert error.lane == HURT
    assert set(error.fields) == {"server_temp", "buffer_temp"}
    assert error.seconds == 3600.0
    assert np.isnan(error.plant.server_temp[0, 0])
    for word in ("1 of 4 lanes", "lane 2", "1.00 h", "server_temp is nan", "1e+09"):
        assert word in text, text
    assert text.count(". ") == 0
    require_sound(begun())


def test_what_a_step_told_counts_though_the_state_looks_sound() -> None:
    info = {"diverged": np.arange(LANES) == HURT}
    with pytest.raises(DivergenceError, match=r"lane 2.*not finite"):
        require_sound(begun(), info)
    require_sound(begun(), {"diverged": np.zeros(LANES, bool)})


def test_a_single_plant_can_be_asked_too() -> None:
    one = jax.tree.map(lambda x: x[..., 0], begun())
    require_sound(one)
    with pytest.raises(DivergenceError, match="1 of 1 lanes"):
        require_sound(
            dataclasses.replace(
                one,
                plant=dataclasses.replace(
                    one.plant, basin_temp=jnp.asarray(np.nan, jnp.float32)
                ),
            )
        )
