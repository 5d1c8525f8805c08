"""Features name what they hold, and the start rule proposes a plant that runs."""

import dataclasses

import numpy as np
import pytest
from made_plants import observed, site

from coolbound_envs.features import FEATURE_NAMES, FEATURE_SIZE, feature_map
from coolbound_envs.spec import ACTION_SIZE, CHANNEL_NAMES, POINT_INDEX


def feature(name: str, values: np.ndarray) -> np.ndarray:
    return values[..., FEATURE_NAMES.index(name)]


def test_features_have_one_name_each_and_no_gaps() -> None:
    values = np.asarray(feature_map(site())(observed()))
    assert values.shape == (4, FEATURE_SIZE)
    assert len(set(FEATURE_NAMES)) == FEATURE_SIZE
    assert np.all(np.isfinite(values))


def test_features_repeat_readings_and_applied_set_points() -> None:
    seen = observed()
    values = np.asarray(feature_map(site())(seen))
    for name in ("chw_supply_temp", "inlet_temp_hall1_zone1"):
        np.testing.assert_array_equal(
            feature(name, values), seen.value[:, POINT_INDEX[name]]
        )
    for i, name in enumerate(CHANNEL_NAMES):
        np.testing.assert_array_equal(
            feature(f"applied.{name}", values), seen.applied[:, i]
        )


def test_the_clock_turns_once_a_day() -> None:
    seen = observed()
    values = feature_map(site())(seen)
    later = feature_map(site())(dataclasses.replace(seen, time=seen.time + 86400.0))
    np.testing.assert_allclose(values, later, atol=2e-3)
    half = np.asarray(
        feature_map(site())(dataclasses.replace(seen, time=seen.time + 43200.0))
    )
    np.testing.assert_allclose(
        feature("hour_cosine", half),
        -feature("hour_cosine", np.asarray(values)),
        atol=2e-3,
    )


def test_the_start_rule_stays_inside_the_range() -> None:
    action = np.asarray(feature_map(site()).start(observed()))
    assert action.shape == (4, ACTION_SIZE)
    assert np.all((action >= 0.01) & (action <= 0.99))


@pytest.mark.parametrize(("wet_bulb", "wanted"), [(0.0, 1.0), (20.0, 0.0)])
def test_the_start_rule_asks_for_free_cooling_in_the_cold_only(
    wet_bulb: float, wanted: float
) -> None:
    action = np.asarray(feature_map(site()).start(observed(outdoor_wet_bulb=wet_bulb)))
    assert np.all(np.round(action[:, 9]) == wanted)


def test_more_load_asks_for_more_air() -> None:
    rule = feature_map(site()).start
    few = np.asarray(rule(observed(it_power_hall1=1200.0)))[:, 2]
    many = np.asarray(rule(observed(it_power_hall1=1900.0)))[:, 2]
    assert np.all(many > few)
