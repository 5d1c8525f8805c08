"""What a SAC-Lagrangian run can be told, and what it refuses."""

import dataclasses
from typing import Any

import pytest

from coolbound_controllers.lagrangian import pricing
from coolbound_controllers.sac_settings import LOG_STD_RANGE, RANGES, SacSettings
from coolbound_envs.tables import InputError


def test_every_setting_has_a_range_and_a_default_within_it() -> None:
    names = {field.name for field in dataclasses.fields(SacSettings)}
    assert names == set(RANGES)
    assert SacSettings().updates == 2_000_000 // (64 * 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma": 1.0}, "gamma: found 1.0, expected 0 to 0.99999; correct it"),
        ({"gamma": float("nan")}, "gamma: found nan, expected"),
        ({"batch": 0}, "batch: found 0, expected 1 to"),
        ({"cost_pessimism": -0.1}, "cost_pessimism: found -0.1, expected 0 to 1"),
        ({"target_entropy": 1.0}, "target_entropy: found 1.0, expected -20 to"),
        ({"temperature": 0.0}, "temperature: found 0.0, expected 1e-08 to"),
        ({"integral": ()}, r"integral: found \(\), expected 0 to"),
        ({"envs": 64, "capacity": 500}, "capacity: found 500, expected at least one"),
    ],
)
def test_a_setting_out_of_range_is_refused_in_one_sentence(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        SacSettings(**change)


def test_first_spread_lies_within_what_the_actor_can_say() -> None:
    lower, upper = RANGES["log_std"]
    assert LOG_STD_RANGE[0] < lower < upper < LOG_STD_RANGE[1]


def test_one_gain_serves_all_constraints_and_a_wrong_count_is_refused() -> None:
    assert pricing(SacSettings(integral=(0.1,)), 3).integral == (0.1, 0.1, 0.1)
    with pytest.raises(InputError, match=r"integral: found 2 gains, expected 1 or 3"):
        pricing(SacSettings(integral=(0.1, 0.2)), 3)
