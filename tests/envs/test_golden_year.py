"""A year of both operators is what it was: nothing changed the plant unseen.

An intended change is blessed with `coolbound validate --bless tests/envs/golden`, and
then read in the diff.
"""

import copy
import functools
import json
from pathlib import Path
from typing import Any

import jax
import pytest
from made_plants import site

from coolbound.validation.golden import (
    CITIES,
    OPERATORS,
    SPANS,
    changes,
    digest,
    measure,
)

FOLDER = Path(__file__).parent / "golden"


def golden(city: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{city}.json").read_text(encoding="utf-8"))


@functools.cache
def measured(span: str) -> dict[str, Any]:
    # As a command runs it: lanes of one batch meet machines and halls.
    with jax.numpy_rank_promotion("allow"):
        return measure(site(), span)


def differences(city: str, operator: str, span: str) -> list[str]:
    found = measured(span)[city][operator]
    return [str(change) for change in changes(golden(city)[span][operator], found)]


@pytest.mark.parametrize("city", CITIES)
def test_nobody_edited_a_golden_file(city: str) -> None:
    content = golden(city)
    assert content["sha256"] == digest(content)
    assert set(SPANS) <= set(content)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("city", CITIES)
def test_thirty_days_are_what_they_were(city: str, operator: str) -> None:
    assert differences(city, operator, "month") == []


@pytest.mark.long
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("city", CITIES)
def test_a_year_is_what_it_was(city: str, operator: str) -> None:
    assert differences(city, operator, "year") == []


def test_the_golden_month_stages_and_changes_to_free_cooling() -> None:
    times = golden("chicago")["month"]["g36"]["times"]
    assert times["chiller starts"] > 5
    assert 48 < times["hours without a chiller"] < 29 * 24


def changed(**figures: float) -> list[str]:
    """Return what is noticed when some figures of a year are multiplied."""
    old = golden("phoenix")["year"]["g36"]
    new = copy.deepcopy(old)
    for name, factor in figures.items():
        if name in new["MWh"]:
            new["MWh"][name] = [factor * value for value in new["MWh"][name]]
        else:
            group = "degC" if name == "worst inlet" else "times"
            new[group][name] *= factor
    return sorted({change.name.split("/")[1] for change in changes(old, new)})


def test_a_change_of_half_a_percent_is_noticed_and_rounding_is_not() -> None:
    assert changed(chiller=1.005) == ["chiller"]
    assert changed(tower=0.99) == ["tower"]
    assert changed(**{"chiller starts": 1.1}) == ["chiller starts"]
    assert changed(**{"worst inlet": 1.01}) == ["worst inlet"]
    assert changed(chiller=1.0002, crah=0.9999, tower=1.0002) == []


def test_a_figure_that_is_new_or_gone_is_noticed() -> None:
    old = golden("phoenix")["year"]["g36"]
    new = copy.deepcopy(old)
    new["times"]["CA_T_MAX"] = 40.0
    del new["MWh"]["crah"]
    names = {change.name for change in changes(old, new)}
    assert "times/CA_T_MAX" in names
    assert "MWh/crah/1" in names
