"""Readings and their middle, and a site that meters its water but not its halls."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seen_plants import applied_now, model, seen

from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.spec import POINT_INDEX
from coolbound_envs.types import Observation, Quality
from coolbound_safety.estimate import Estimate
from coolbound_safety.estimator import observe
from coolbound_safety.estimator_state import first_state
from coolbound_safety.judge import judge
from coolbound_safety.readings import AGE_MAX, first_known, middle, oldest_of, usable

NAN = float("nan")
FINITE = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)
ANY = st.one_of(FINITE, st.sampled_from([NAN, float("inf"), -1e30, 1e30]))
middle_of = jax.jit(middle)
look = jax.jit(judge)


@functools.cache
def program() -> Any:
    """Return the estimate after three like observations."""

    def run(seen: Observation, safety: Any) -> Estimate:
        memory = first_state()
        for _ in range(2):
            _, memory = observe(memory, seen, safety)
        return observe(memory, seen, safety)[0]

    return jax.jit(run)


def estimate(observation: Observation) -> Estimate:
    return program()(observation, model())


def judged(observation: Observation, safety: Any = None) -> np.ndarray:
    safety = safety or model()
    now = program()(observation, safety)
    return np.asarray(look(observation, observation.applied, now, safety))


def exactly(*values: float) -> float:
    return float(middle_of(*(jnp.float32(value) for value in values)))


@given(two=st.tuples(FINITE, FINITE), wrong=ANY, place=st.integers(0, 2))
@settings(max_examples=300, deadline=None)
def test_one_wrong_of_three_never_moves_the_middle_outside_the_other_two(
    two: tuple[float, float], wrong: float, place: int
) -> None:
    three = list(two)
    three.insert(place, wrong)
    assert min(two) <= exactly(*three) <= max(two)


@given(three=st.permutations([1.0, 5.0, 7.0]))
def test_the_middle_of_three_does_not_depend_on_their_order(
    three: list[float],
) -> None:
    assert exactly(*three) == 5.0


@pytest.mark.parametrize(
    ("three", "expected"),
    [((NAN, 2.0, 3.0), 2.0), ((1.0, NAN, 3.0), 1.0), ((1.0, 2.0, NAN), 1.0),
     ((NAN, NAN, 3.0), 3.0), ((NAN, 2.0, NAN), 2.0), ((1.0, NAN, NAN), 1.0)],
)  # fmt: skip
def test_of_two_the_earlier_is_taken_and_of_one_that(
    three: tuple[float, float, float], expected: float
) -> None:
    assert exactly(*three) == expected


def test_of_none_nothing_is_known() -> None:
    assert np.isnan(exactly(NAN, NAN, NAN))
    assert np.isnan(float(first_known(jnp.float32(NAN), jnp.float32(np.inf) * NAN)))


@pytest.mark.parametrize(
    ("quality", "age", "is_used"),
    [(Quality.GOOD, 0.0, True), (Quality.UNCERTAIN, 0.0, True),
     (Quality.BAD, 0.0, False), (Quality.MISSING, 0.0, False),
     (Quality.GOOD, AGE_MAX, True), (Quality.GOOD, AGE_MAX + 1.0, False)],
)  # fmt: skip
def test_a_reading_is_used_while_it_is_sound_and_fresh(
    quality: Quality, age: float, is_used: bool
) -> None:
    base = seen()
    index = POINT_INDEX["chw_supply_temp"]
    one = dataclasses.replace(
        base,
        quality=base.quality.at[index].set(int(quality)),
        age=base.age.at[index].set(age),
    )
    assert bool(np.isfinite(usable(one, "chw_supply_temp"))) == is_used
    found = float(oldest_of(one, ("chw_supply_temp",)))
    assert found == (age if is_used else np.inf)


HALLS = {
    f"{name}_hall{h}": NAN for name in ("it_power", "return_air_temp") for h in (1, 2)
}


def water_side() -> Observation:
    """Return an observation without halls and without a water set-point."""
    observation = seen(
        **HALLS,
        economizer_running=0.0,
        chillers_running=2.0,
        chw_flow=100.0,
        chw_supply_temp=12.0,
        chw_return_temp=20.0,
    )
    return applied_now(observation, chw_supply_setpoint=NAN)


def test_without_metered_halls_the_heat_is_what_the_water_carries() -> None:
    assert float(estimate(water_side()).heat) == pytest.approx(100.0 * 4.186 * 8.0)


def test_metered_halls_go_before_the_water() -> None:
    assert float(estimate(seen(chw_flow=0.0)).heat) > 3000.0


def test_tower_and_lift_limits_are_observable_on_the_water_side_alone() -> None:
    observation = water_side()
    values = judged(observation)
    found = dict(zip(LIMIT_NAMES, values, strict=True))
    for name in ("ECWT_MIN", "ECWT_CWRT_MAX", "LIFT_MIN", "SURGE_LINE"):
        assert np.isfinite(found[name]), name
    for name in ("AIRFLOW_RATIO", "CHW_DP_MIN", "DEWPOINT_MARGIN"):
        assert np.isnan(found[name]), name


def test_lift_is_judged_from_the_metered_water_where_no_setpoint_is_logged() -> None:
    observation = water_side()
    told = applied_now(observation, chw_supply_setpoint=12.0)
    index = LIMIT_NAMES.index("LIFT_MIN")
    assert judged(observation)[index] == pytest.approx(judged(told)[index], abs=1e-3)


def test_a_plant_without_an_economizer_needs_no_reading_of_one() -> None:
    observation = dataclasses.replace(water_side())
    blind = dataclasses.replace(
        observation, value=seen(**HALLS, economizer_running=NAN).value
    )
    plain = model()
    condenser = dataclasses.replace(
        plain.plant.condenser,
        economizer_effectiveness=plain.plant.condenser.economizer_effectiveness * 0,
    )
    none = dataclasses.replace(
        plain, plant=dataclasses.replace(plain.plant, condenser=condenser)
    )
    index = LIMIT_NAMES.index("LIFT_MIN")
    assert np.isnan(judged(blind)[index])
    assert np.isfinite(judged(blind, none)[index])
