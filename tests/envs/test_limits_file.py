"""A `[limits]` table is read strictly: each mistake is named with its limit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coolbound_envs.limit_numbers import FIELDS, MARGIN_KEYS, LimitValues, parse_limits
from coolbound_envs.limit_policy import parse_limit_policy
from coolbound_envs.limit_table import HARD, KINDS, LIMIT_NAMES, LIMITS, PRIORITIES
from coolbound_envs.tables import InputError, Table


def read(**tables: Any) -> LimitValues:
    return parse_limits(Table({"limits": tables}, "mine.toml"), 1.2e6)


def refusal(**tables: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(**tables)
    return str(caught.value)


def test_every_limit_has_a_kind_a_priority_and_a_source() -> None:
    assert len(LIMITS) == 21
    for limit in LIMITS:
        assert set(limit.kinds) <= set(KINDS), limit.name
        assert limit.kinds, limit.name
        assert limit.priority in PRIORITIES, limit.name
        assert limit.source.strip(), limit.name


def test_a_site_that_says_nothing_has_the_priorities_and_sources_of_the_table() -> None:
    found = parse_limit_policy(Table({}, "mine.toml"))
    assert found.priority == tuple(limit.priority for limit in LIMITS)
    assert found.source == tuple(limit.source for limit in LIMITS)
    assert found.limits_off == ()


def test_a_site_chooses_priority_source_and_switch() -> None:
    tables = {
        "CA_T_MAX": {"priority": 0, "source": "contract 4711, clause 3"},
        "SURGE_LINE": {"priority": 1, "on": False},
        "CRAH_FAN": {"priority": 0},
    }
    found = parse_limit_policy(Table({"limits": tables}, "mine.toml"))
    by_name = dict(zip(LIMIT_NAMES, found.priority, strict=True))
    assert (by_name["CA_T_MAX"], by_name["SURGE_LINE"]) == (0, 1)
    assert by_name["LIFT_MIN"] == 2
    assert found.source[LIMIT_NAMES.index("CA_T_MAX")] == "contract 4711, clause 3"
    assert found.limits_off == ("SURGE_LINE",)
    assert np.sum(np.asarray(read(**tables).is_on) < 0.5) == 1


HARD_NAMES = [limit.name for limit in LIMITS if limit.priority == HARD]


@pytest.mark.parametrize("name", HARD_NAMES)
def test_a_limit_that_is_never_relaxed_cannot_be_softened(name: str) -> None:
    for priority in (1, 2):
        text = refusal(**{name: {"priority": priority}})
        assert f"limits.{name}.priority: found {priority}, expected 0" in text


CROSSED = [
    ({"CA_T_MAX": {"value": "20 degC"}, "CA_T_MIN": {"value": "20 degC"}},
     ("CA_T_MIN.value 20", "CA_T_MAX.value 20")),
    ({"ECWT_CWRT_MAX": {"value": "40 degC"}},
     ("ECWT_CWRT_MAX.value 40", "ECWT_CWRT_MAX.leaving 38")),
    ({"ECWT_MIN": {"value": "25 degC"}, "ECWT_CWRT_MAX": {"value": "25 degC"}},
     ("ECWT_MIN.value 25", "ECWT_CWRT_MAX.value 25")),
    ({"ECWT_MIN": {"free_cooling": "14 degC"}},
     ("ECWT_MIN.free_cooling 14", "ECWT_MIN.value 12.8")),
    ({"LIFT_MIN": {"value": "18 delta_degC"}},
     ("LIFT_MIN.value 18", "SURGE_LINE.value at part load 0.2 17.2")),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "words"), CROSSED)
def test_crossed_limits_are_refused_by_name(
    tables: dict[str, Any], words: tuple[str, ...]
) -> None:
    text = refusal(**tables)
    assert all(word in text for word in words), text
    assert "expected" in text
    off = {name: {"on": False} for name in ("CA_T_MIN", "ECWT_MIN", "LIFT_MIN")}
    off["ECWT_CWRT_MAX"] = {"on": False}
    read(**{name: table | off.get(name, {}) for name, table in tables.items()})


@pytest.mark.parametrize("value", [0.45, 1.3])
def test_evaporator_flows_cannot_cross(value: float) -> None:
    other = "EVAP_FLOW_MAX" if value < 1.0 else "EVAP_FLOW_MIN"
    assert f"limits.{other}.value" in refusal(**{other: {"value": value}})


WRONG_NUMBERS = (
    float("nan"), float("inf"), -float("inf"), True, "nan", "inf degC", "nan degC",
    "27", "27 kg", "27 degC degC", "27 9**9**9**9", "27 nan", "27 1/0", "27 (", "27 '",
    "27 inf*degC", "x degC", "", " degC", [], {}, [27], None,
)  # fmt: skip


@pytest.mark.parametrize("found", WRONG_NUMBERS, ids=repr)
def test_what_is_no_number_is_refused_for_every_number_of_every_limit(
    found: object,
) -> None:
    for limit, key, *_ in FIELDS.values():
        text = refusal(**{limit: {key: found}})
        assert f"limits.{limit}.{key}: found" in text


def test_every_number_outside_its_range_is_refused() -> None:
    for limit, key, unit, low, high, _ in FIELDS.values():
        for value in (low - 0.01 * (high - low) - 0.01, high + 0.02 * high):
            given_as = f"{value} {unit}" if unit else value
            assert f"limits.{limit}.{key}" in refusal(**{limit: {key: given_as}})


@pytest.mark.parametrize("name", LIMIT_NAMES)
def test_an_unknown_key_is_refused_with_its_limit(name: str) -> None:
    text = refusal(**{name: {"valeu": 1.0}})
    assert f"limits.{name}: found unknown key 'valeu'" in text


MISTAKES = [
    ({"CA_T_MAXX": {}}, "unknown limit 'CA_T_MAXX'"),
    ({"CA_T_MAX": 27}, "limits.CA_T_MAX: found 27"),
    ({"CA_T_MAX": {"on": 1}}, "limits.CA_T_MAX.on: found 1"),
    ({"CA_T_MAX": {"priority": 3}}, "limits.CA_T_MAX.priority: found 3"),
    ({"CA_T_MAX": {"priority": True}}, "limits.CA_T_MAX.priority: found True"),
    ({"CA_T_MAX": {"priority": 1.0}}, "limits.CA_T_MAX.priority: found 1.0"),
    ({"CA_T_MAX": {"source": " "}}, "limits.CA_T_MAX.source: found ' '"),
    ({"CA_T_MAX": {"source": "a\nb"}}, "limits.CA_T_MAX.source: found 'a\\nb'"),
    ({"CA_T_MAX": {"source": 3}}, "limits.CA_T_MAX.source: found 3"),
    ({"CA_T_MAX": {"source": 201 * "x"}}, "limits.CA_T_MAX.source: found 'x"),
]


@pytest.mark.parametrize(("tables", "words"), MISTAKES)
def test_a_mistake_is_told_with_its_limit(tables: dict[str, Any], words: str) -> None:
    text = refusal(**tables)
    assert words in text
    assert "expected" in text


def test_a_section_that_is_no_table_is_refused() -> None:
    with pytest.raises(InputError, match=r"mine\.toml\.limits"):
        parse_limits(Table({"limits": [1]}, "mine.toml"), 1.2e6)


UNITS = ("degC", "delta_degC", "K", "degF", "kPa", "psi", "s", "min", "kg", "1/K", "%")
KEYS = sorted(
    {row[1] for row in FIELDS.values()}
    | {key for keys in MARGIN_KEYS.values() for key in keys}
    | {"margin", "on", "priority", "source", "valeu"}
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.builds("{} {}".format, st.floats(), st.sampled_from(UNITS) | st.text())
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2)
NAMES = st.sampled_from((*LIMIT_NAMES, "CA_T_MAXX"))
TABLES = st.dictionaries(
    NAMES, st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4) | SCALARS
)


@given(TABLES)
@settings(max_examples=300, deadline=None)
def test_no_table_of_limits_does_anything_but_be_read_or_be_refused(
    tables: dict[str, Any],
) -> None:
    text, numbers = "", []
    try:
        found = read(**tables)
        numbers = [float(getattr(found, field)) for field in FIELDS]
    except InputError as error:
        text = str(error)
    # One sentence that says where, or finite numbers.
    assert text.startswith("mine.toml.limits") or numbers
    assert "\n" not in text
    assert np.all(np.isfinite(numbers))
