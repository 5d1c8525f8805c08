"""A load that has jumped is expected to jump again, for a while and within reason."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seen_plants import model, one

from coolbound_safety.load_growth import (
    HALL_MAX,
    MEMORY,
    RISE_MAX,
    possible_growth,
    remembered_rise,
)

STEP = 300.0
NONE = jnp.zeros(2)


def halls(first: float, second: float) -> jnp.ndarray:
    return jnp.asarray([first, second], jnp.float32)


def test_the_largest_rise_is_remembered_and_fades() -> None:
    rise = remembered_rise(NONE, halls(1300.0, 1000.0), halls(1000.0, 1000.0), STEP)
    np.testing.assert_allclose(rise, [0.3, 0.0], atol=1e-6)
    for _ in range(2016):
        rise = remembered_rise(rise, halls(1e3, 1e3), halls(1e3, 1e3), STEP)
    faded = 0.3 * (1.0 - STEP / MEMORY) ** 2016
    np.testing.assert_allclose(rise, [faded, 0.0], rtol=1e-4)
    assert 0.3 * np.exp(-0.26) < faded < 0.3 * np.exp(-0.24)
    smaller = remembered_rise(rise, halls(1050.0, 1e3), halls(1e3, 1e3), STEP)
    assert float(smaller[0]) == pytest.approx(faded, rel=1e-3)


def test_a_fall_is_no_rise_and_an_unknown_load_teaches_nothing() -> None:
    last = halls(0.2, 0.2)
    for before in (halls(2000.0, 2000.0), halls(np.nan, np.nan)):
        found = remembered_rise(last, halls(1000.0, 1000.0), before, STEP)
        np.testing.assert_allclose(found, 0.2 * (1.0 - STEP / MEMORY), rtol=1e-6)


@settings(deadline=None)
@given(
    power=st.lists(st.floats(0.0, 5e4) | st.just(np.nan), min_size=2, max_size=2),
    before=st.lists(st.floats(0.0, 5e4) | st.just(np.nan), min_size=2, max_size=2),
    last=st.lists(st.floats(0.0, RISE_MAX, width=32), min_size=2, max_size=2),
)
def test_whatever_is_metered_a_rise_stays_within_its_range(
    power: list[float], before: list[float], last: list[float]
) -> None:
    found = remembered_rise(halls(*last), halls(*power), halls(*before), STEP)
    growth = possible_growth(found, halls(*power), model().plant)
    assert np.all((np.asarray(found) >= 0.0) & (np.asarray(found) <= RISE_MAX))
    assert np.all((np.asarray(growth) >= 0.0) & (np.asarray(growth) <= found))


def test_a_hall_cannot_draw_more_than_it_has() -> None:
    most = HALL_MAX * float(model().plant.it.design_power) / 2e3
    power = halls(0.9 * most, 0.5 * most)
    found = possible_growth(halls(0.4, 0.4), power, model().plant)
    np.testing.assert_allclose(found, [1.0 / 0.9 - 1.0, 0.4], rtol=1e-5)


def test_the_estimate_carries_what_was_seen() -> None:
    from made_plants import observed

    from coolbound_safety.estimator import observe
    from coolbound_safety.estimator_state import first_state

    memory = first_state()
    found = []
    for power in (1200.0, 1200.0, 1500.0, 1500.0):
        readings = {"it_power_hall1": power, "facility_power": np.nan}
        now, memory = observe(memory, one(observed(**readings), 1), model())
        found.append(np.asarray(now.load_growth))
    assert np.all(found[1] < 0.02)
    assert 0.05 < found[2][0] <= 0.26
    assert found[3][0] == pytest.approx(found[2][0], rel=0.01)
    assert found[3][1] < 0.02
