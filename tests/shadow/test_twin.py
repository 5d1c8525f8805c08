"""Operator and policy in one model: what must be nothing is exactly nothing."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_envs.cooling import CoolingTask
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.site import Site
from coolbound_envs.spec import POINT_INDEX
from coolbound_envs.types import Quality
from coolbound_safety.margins import safety_model
from coolbound_shadow.closed_loop import roll_out, start_plant
from coolbound_shadow.controller_calls import plain_view
from coolbound_shadow.log_types import Log
from coolbound_shadow.proposals import logged_operator
from coolbound_shadow.refusal_limits import Floors
from coolbound_shadow.replay import Policy
from coolbound_shadow.simulate import task_params
from coolbound_shadow.statistics import paired_difference
from coolbound_shadow.twin import Twin, compare_in_model
from coolbound_shadow.twin_inputs import Refusal, twin_inputs


@pytest.fixture(scope="module")
def twin(site: Site, two_days: Log, start_rule: Any) -> Twin:
    model = safety_model(site, parse_limits(site.root, site.feeder_power))
    policy = Policy(start_rule, "start", "0" * 64, plain_view())
    return compare_in_model(site, two_days, policy, model)


def test_the_operator_in_the_policys_place_differs_by_exactly_nothing(
    twin: Twin,
) -> None:
    assert twin.replay_percent == 0.0
    assert twin.operator == "the logged set-points"


def test_two_days_are_too_few_for_a_number(twin: Twin) -> None:
    assert "at least 7 needed" in twin.potential.refused
    assert "at least 7 needed" in twin.null_test.refused


def test_the_policy_behind_the_safety_layer_keeps_the_limits_of_the_model(
    twin: Twin,
) -> None:
    assert len(twin.limits) == 21
    assert [x.name for x in twin.limits if x.policy.violations] == []


def test_the_model_repeats_the_measured_operator(site: Site, two_days: Log) -> None:

    inputs = twin_inputs(site, two_days)
    params = task_params(site, inputs.scenario)
    assert inputs.actions is not None
    first = jnp.asarray(inputs.actions[:1])
    start = start_plant(jax.random.key(0), inputs.place, first, params)
    operator = logged_operator(inputs.actions)
    run = roll_out(
        CoolingTask(), operator, params, start, inputs.steps, 0, plain_view()
    )
    measured = two_days.usable()[1:, POINT_INDEX["facility_power"]]
    modelled = run.facility[inputs.last_step]
    known = np.isfinite(measured)
    error = np.sum(measured[known] - modelled[known]) / np.sum(measured[known])
    assert abs(error) < 0.01


def test_a_log_without_weather_has_no_number_and_says_why(
    site: Site, two_days: Log
) -> None:
    quality = two_days.quality.copy()
    quality[:, POINT_INDEX["outdoor_wet_bulb"]] = Quality.MISSING
    with pytest.raises(Refusal, match="outdoor_wet_bulb is known in 0 % of the rows"):
        twin_inputs(site, dataclasses.replace(two_days, quality=quality))


def test_a_step_that_the_model_cannot_take_is_refused(
    site: Site, two_days: Log
) -> None:
    with pytest.raises(Refusal, match="420 s is no multiple"):
        twin_inputs(site, dataclasses.replace(two_days, step_s=420))


def test_less_energy_is_a_positive_potential(two_days: Log) -> None:
    power = 1000.0 + np.arange(two_days.rows) % 7
    clock = two_days.time_utc, two_days.offset, two_days.step_s
    floors = Floors(days=1, effective_days=0.0, blocks=0)
    assert paired_difference(power, 0.9 * power, *clock, floors).percent > 9.9
