"""Margins are read strictly, and what cannot be kept is refused before it starts."""

import dataclasses
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_plants import limits, scalar, site

from coolbound_envs.limit_numbers import MARGIN_KEYS, LimitValues, parse_limits
from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS
from coolbound_envs.site import Site, load_site
from coolbound_envs.tables import InputError, Table
from coolbound_safety.margins import (
    FIELDS,
    Margins,
    parse_margins,
    price_of,
    safety_model,
)
from coolbound_safety.types import PRICE_MAX


def with_limits(**tables: dict[str, Any]) -> Site:
    """Return the reference site with another `[limits]` section."""
    data = dict(site().root.data) | {"limits": tables}
    return dataclasses.replace(site(), root=Table(data, "mine.toml"))


def numbers_of(found: Site) -> LimitValues:
    return parse_limits(found.root, found.feeder_power)


def test_a_site_without_margins_has_those_of_the_table() -> None:
    found = parse_margins(with_limits().root)
    for name, row in FIELDS.items():
        np.testing.assert_allclose(getattr(found, name), row[-1], rtol=1e-6)
    assert set(FIELDS) == {f.name for f in dataclasses.fields(Margins)}


def test_margins_are_read_with_their_unit() -> None:
    found = with_limits(
        CA_T_MAX={"margin": "1.8 delta_degF"},
        CHW_DP_MIN={"margin": 0.05, "coil_margin": 0.1},
    )
    margins = safety_model(found, numbers_of(found)).margins
    np.testing.assert_allclose(margins.inlet_max, 1.0, rtol=1e-5)
    np.testing.assert_allclose(margins.valve, 0.05)
    np.testing.assert_allclose(margins.coil, 0.1)


def refusal(**tables: Any) -> str:
    found = with_limits(**tables)
    numbers = numbers_of(found)
    with pytest.raises(InputError) as caught:
        safety_model(found, numbers)
    return str(caught.value)


WRONG = [
    ({"CRAH_FAN": {"margin": 0.1}}, "CRAH_FAN.margin"),
    ({"CA_T_MAX": {"margin": 0.5}}, "CA_T_MAX.margin"),
    ({"CA_T_MAX": {"margin": "0.5 kPa"}}, "CA_T_MAX.margin"),
    ({"CA_T_MAX": {"margin": "-1 delta_degC"}}, "CA_T_MAX.margin"),
    ({"CA_T_MAX": {"margin": "9 delta_degC"}}, "CA_T_MAX.margin"),
    ({"CA_T_MAX": {"margin": "nan delta_degC"}}, "CA_T_MAX.margin"),
    ({"AIRFLOW_RATIO": {"margin": True}}, "AIRFLOW_RATIO.margin"),
    ({"AIRFLOW_RATIO": {"margin": float("nan")}}, "AIRFLOW_RATIO.margin"),
    ({"AIRFLOW_RATIO": {"margin": "0.1"}}, "AIRFLOW_RATIO.margin"),
    ({"EVAP_FLOW_MIN": {"value": 0.6}}, "EVAP_FLOW_MIN"),
    ({"EVAP_FLOW_MAX": {"value": 1.1}}, "EVAP_FLOW_MAX"),
    ({"CW_FLOW_MIN": {"value": 0.7}}, "CW_FLOW_MIN"),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "where"), WRONG)
def test_a_margin_or_limit_that_cannot_be_kept_is_refused(
    tables: dict[str, dict[str, Any]], where: str
) -> None:
    text = refusal(**tables)
    assert where in text
    assert "expected" in text


def degrees(number: float) -> str:
    return f"{number:g} delta_degC"


EMPTY = [
    ({"CA_T_MAX": {"margin": degrees(4.6)}, "CA_T_MIN": {"margin": degrees(4.2)}},
     "CA_T_MAX and CA_T_MIN"),
    ({"CA_T_MAX": {"value": "20 degC", "margin": degrees(3.5)},
      "CA_T_MIN": {"value": "10 degC"}}, "CA_T_MAX"),
    ({"CA_T_MAX": {"value": "40 degC"}, "CA_T_MIN": {"value": "22 degC",
      "margin": degrees(2.5)}}, "CA_T_MIN"),
    ({"CA_ROC": {"value": degrees(2.0), "margin": degrees(2.0)}}, "CA_ROC"),
    ({"AIRFLOW_RATIO": {"value": 1.1, "recovery_growth": 0.6}}, "AIRFLOW_RATIO"),
    ({"AIRFLOW_RATIO": {"value": 1.4}}, "AIRFLOW_RATIO"),
    ({"AIRFLOW_RATIO": {"margin": 0.3, "recovery_growth": 0.2}}, "AIRFLOW_RATIO"),
    ({"CHW_DP_MIN": {"value": "130 kPa"}}, "CHW_DP_MIN"),
    ({"CHW_DP_MIN": {"valve": 0.5, "margin": 0.3}}, "CHW_DP_MIN"),
    ({"ECWT_MIN": {"value": "20 degC", "margin": degrees(4)},
      "ECWT_CWRT_MAX": {"value": "28 degC", "margin": degrees(3)}},
     "ECWT_MIN and ECWT_CWRT_MAX"),
    ({"ECWT_MIN": {"value": "20 degC"},
      "ECWT_CWRT_MAX": {"value": "26 degC", "wet_bulb_rise": degrees(5)}},
     "ECWT_MIN and ECWT_CWRT_MAX"),
    ({"LIFT_MIN": {"value": degrees(12), "margin": degrees(4)}},
     "LIFT_MIN and SURGE_LINE"),
    ({"SURGE_LINE": {"value": degrees(8), "margin": degrees(2)}},
     "LIFT_MIN and SURGE_LINE"),
    ({"LIFT_MIN": {"value": degrees(18)}, "SURGE_LINE": {"value": degrees(20)},
      "ECWT_CWRT_MAX": {"value": "27 degC", "leaving": "28 degC"}},
     "LIFT_MIN and ECWT_CWRT_MAX"),
    ({"CAPACITY_N1_POWER": {"part_load": 0.4, "part_load_margin": 0.1}},
     "CAPACITY_N1_POWER"),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "names"), EMPTY)
def test_margins_that_leave_no_action_are_refused_with_the_limits(
    tables: dict[str, dict[str, Any]], names: str
) -> None:
    text = refusal(**tables)
    assert f"limits.{names} with margins leave" in text
    assert "expected at least" in text
    first = names.partition(" ")[0]
    off = with_limits(**tables | {first: tables.get(first, {}) | {"on": False}})
    assert safety_model(off, numbers_of(off))


def test_a_dew_point_beyond_the_chilled_water_is_refused_with_its_limit() -> None:
    room = dataclasses.replace(site().plant.room, dew_point_max=scalar(13.0))
    plant = dataclasses.replace(site().plant, room=room)
    wet = dataclasses.replace(
        with_limits(DEWPOINT_MARGIN={"value": degrees(5)}), plant=plant
    )
    numbers = numbers_of(wet)
    with pytest.raises(InputError, match=r"limits\.DEWPOINT_MARGIN with margins leave"):
        safety_model(wet, numbers)


@pytest.mark.parametrize(
    ("name", "tables", "largest"),
    [
        # 25 K - m - (20 + 0.4) K leaves 1 K.
        ("CA_T_MAX", {"CA_T_MAX": {"value": "25 degC"},
                      "CA_T_MIN": {"value": "20 degC"}}, 3.4),
        # 14 + 16 x 0.23 - 1.5 - (12 + m) leaves 1 K.
        ("LIFT_MIN", {"LIFT_MIN": {"value": degrees(12)}}, 3.18),
    ],
)  # fmt: skip
def test_a_margin_is_accepted_up_to_the_last_kelvin(
    name: str, tables: dict[str, dict[str, Any]], largest: float
) -> None:
    def with_margin(number: float) -> Site:
        return with_limits(
            **tables | {name: tables[name] | {"margin": degrees(number)}}
        )

    room = with_margin(largest - 0.01)
    assert safety_model(room, numbers_of(room))
    none = with_margin(largest + 0.01)
    numbers = numbers_of(none)
    with pytest.raises(InputError, match=name):
        safety_model(none, numbers)


KEYS = sorted({key for keys in MARGIN_KEYS.values() for key in keys} | {"value"})
TEXTS = st.builds(degrees, st.floats(-1.0, 30.0)) | st.builds(
    "{} degC".format, st.floats(0.0, 50.0)
)
TABLES = st.dictionaries(
    st.sampled_from(LIMIT_NAMES),
    st.dictionaries(
        st.sampled_from(KEYS), TEXTS | st.floats(-0.1, 1.5) | st.booleans(), max_size=3
    ),
    max_size=4,
)


@given(TABLES)
@settings(max_examples=200, deadline=None)
def test_no_table_of_margins_does_anything_but_be_read_or_be_refused(
    tables: dict[str, Any],
) -> None:
    text, room = "", float("nan")
    try:
        found = with_limits(**tables)
        model = safety_model(found, numbers_of(found))
        hottest = model.limits.inlet_max - model.margins.inlet_max
        room = float(hottest - model.limits.inlet_min - model.margins.inlet_min)
    except InputError as error:
        text = str(error)
    assert any(name in text for name in tables) or room >= 1.0 - 1e-5
    assert "\n" not in text


def test_the_keys_of_margins_are_those_that_the_limits_let_pass() -> None:
    keys: dict[str, set[str]] = {}
    for limit, key, *_ in FIELDS.values():
        keys.setdefault(limit, set()).add(key)
    expected = {name: {"margin"} for name in keys} | MARGIN_KEYS
    assert keys == {name: set(expected[name]) for name in keys}
    assert set(MARGIN_KEYS) <= set(keys)


def test_priorities_reach_the_model_and_set_the_price_of_slack() -> None:
    found = with_limits(CA_T_MAX={"priority": 0}, LIFT_MIN={"priority": 1})
    priority = safety_model(found, numbers_of(found)).priority
    assert priority.dtype == np.int32
    by_name = dict(zip(LIMIT_NAMES, np.asarray(priority), strict=True))
    expected = {limit.name: limit.priority for limit in LIMITS}
    assert by_name == expected | {"CA_T_MAX": 0, "LIFT_MIN": 1}
    np.testing.assert_array_equal(price_of(jnp.asarray([0, 1, 2])), [1e3, 1e3, 1e2])
    assert float(np.max(price_of(priority))) <= PRICE_MAX


def test_every_shipped_site_leaves_room_within_its_margins() -> None:
    root = Path(__file__).parents[2]
    paths = list(root.glob("*/coolbound_*/sites/*.toml"))
    assert {path.stem for path in paths} >= {"reference", "december_plant"}
    for path in paths:
        found = load_site(path)
        assert safety_model(found, numbers_of(found))


def test_the_reference_site_can_keep_its_limits() -> None:
    found = safety_model(site(), limits())
    assert found.limits is limits()
    assert float(found.margins.inlet_max) > float(scalar(0.0))
