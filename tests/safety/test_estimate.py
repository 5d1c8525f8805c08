"""The estimate on a site that meters its water but not its halls."""

import dataclasses

import numpy as np
import pytest
from seen_plants import applied_now, model, seen

from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.types import Observation
from coolbound_safety.estimate import estimate
from coolbound_safety.judge import judge

NAN = float("nan")
HALLS = {f"it_power_hall{h}": NAN for h in (1, 2)}


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
    observation = seen(chw_flow=0.0)
    assert float(estimate(observation).heat) > 3000.0


def test_tower_and_lift_limits_are_observable_on_the_water_side_alone() -> None:
    observation = water_side()
    values = np.asarray(judge(observation, observation.applied, model()))
    found = dict(zip(LIMIT_NAMES, values, strict=True))
    for name in ("ECWT_MIN", "ECWT_CWRT_MAX", "LIFT_MIN", "SURGE_LINE"):
        assert np.isfinite(found[name]), name
    for name in ("AIRFLOW_RATIO", "CHW_DP_MIN", "DEWPOINT_MARGIN"):
        assert np.isnan(found[name]), name


def test_lift_is_judged_from_the_metered_water_where_no_setpoint_is_logged() -> None:
    observation = water_side()
    told = applied_now(observation, chw_supply_setpoint=12.0)
    index = LIMIT_NAMES.index("LIFT_MIN")
    metered = judge(observation, observation.applied, model())[index]
    assert float(metered) == pytest.approx(
        float(judge(told, told.applied, model())[index]), abs=1e-4
    )


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
    assert np.isnan(float(judge(blind, blind.applied, plain)[index]))
    assert np.isfinite(float(judge(blind, blind.applied, none)[index]))
