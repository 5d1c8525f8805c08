"""Features name what they hold."""

import dataclasses

import numpy as np
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


def test_the_last_features_are_the_start_rules_action() -> None:
    seen = observed()
    values = np.asarray(feature_map(site())(seen))
    start = np.asarray(feature_map(site()).start(seen))
    assert start.shape == (4, ACTION_SIZE)
    np.testing.assert_array_equal(values[:, -ACTION_SIZE:], start)
