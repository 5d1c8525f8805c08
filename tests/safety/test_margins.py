"""Margins are read strictly, and what cannot be kept is refused before it starts."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from made_plants import limits, scalar, site

from coolbound_envs.limit_numbers import LimitValues, parse_limits
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError, Table
from coolbound_safety.margins import FIELDS, Margins, parse_margins, safety_model


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


REFUSED = [
    ({"CRAH_FAN": {"margin": 0.1}}, "CRAH_FAN.margin"),
    ({"CA_T_MAX": {"margin": 0.5}}, "CA_T_MAX.margin"),
    ({"CA_T_MAX": {"margin": "-1 delta_degC"}}, "CA_T_MAX.margin"),
    ({"CA_T_MAX": {"margin": "9 delta_degC"}}, "CA_T_MAX.margin"),
    ({"CA_T_MAX": {"margin": "4.6 delta_degC"},
      "CA_T_MIN": {"margin": "4.2 delta_degC"}}, "CA_T_MAX and CA_T_MIN"),
    ({"EVAP_FLOW_MIN": {"value": 0.6}}, "EVAP_FLOW_MIN"),
    ({"EVAP_FLOW_MAX": {"value": 1.1}}, "EVAP_FLOW_MAX"),
    ({"CW_FLOW_MIN": {"value": 0.7}}, "CW_FLOW_MIN"),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "where"), REFUSED, ids=[r[1] for r in REFUSED])
def test_a_margin_or_limit_that_cannot_be_kept_is_refused(
    tables: dict[str, dict[str, Any]], where: str
) -> None:
    found = with_limits(**tables)
    numbers = numbers_of(found)
    with pytest.raises(InputError, match=where) as caught:
        safety_model(found, numbers)
    assert "expected" in str(caught.value)


def test_the_reference_site_can_keep_its_limits() -> None:
    found = safety_model(site(), limits())
    assert found.limits is limits()
    assert float(found.margins.inlet_max) > float(scalar(0.0))
