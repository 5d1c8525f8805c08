"""Every numeric field of every record says its unit, in its own docstring entry."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Iterator

import jax
import numpy as np
import pytest

PACKAGES = (
    "coolbound_envs",
    "coolbound_controllers",
    "coolbound_safety",
    "coolbound_shadow",
    "coolbound",
)
ENTRY = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
UNIT = re.compile(r"\[[^\[\]]+\]\.?$")
KNOWN = re.compile(
    r"\[(1(/K|/s|/min)?|K( h)?|degC|%|percent|h|d|s|ms|min|kg/s|kg/kg|kg|g|L(/kWh)?"
    r"|kW h|kWh|MWh|Pa|kPa|W|kW|J|W/K|kW/K|J/K|J/\(kg K\)|J/\(K W\)|J/kg|Pa/s"
    r"|rows|bytes|MB|px|mixed units|per raw unit"
    r"|(square of )?(each |the |a )?[a-z]+('s|s')? (own )?unit)\]"
)
# Flags, codes, indices and keys are arrays too, and have no unit.
CODE = re.compile(
    r"(True where|`Quality`|Rows? |Indices|Place of|Line or row|Why |Source of all"
    r"|IDLE, )"
)
NUMBERS = (jax.Array, float, int, np.ndarray, jax.Array | np.ndarray)


def modules() -> Iterator[str]:
    for package in PACKAGES:
        found = importlib.import_module(package)
        for info in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not info.name.endswith("__main__"):
                yield info.name


def records() -> dict[str, type]:
    found: dict[str, type] = {}
    for name in modules():
        module = importlib.import_module(name)
        for _, record in inspect.getmembers(module, inspect.isclass):
            is_own = dataclasses.is_dataclass(record) and record.__module__ == name
            if is_own and not record.__name__.startswith("_"):
                found[f"{name}.{record.__qualname__}"] = record
    return found


RECORDS = records()


def numeric_fields(record: type) -> list[str]:
    hints = typing.get_type_hints(record)
    names = [field.name for field in dataclasses.fields(record)]
    return [name for name in names if hints[name] in NUMBERS]


def fields_without_unit(record: type) -> list[str]:
    entries = dict(ENTRY.findall(inspect.getdoc(record) or ""))
    said = {name: entries.get(name, "") for name in numeric_fields(record)}
    return [
        n for n, text in said.items() if not UNIT.search(text) and not CODE.match(text)
    ]


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_numeric_field_names_its_unit(name: str) -> None:
    assert fields_without_unit(RECORDS[name]) == []


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_units_are_ones_that_a_reader_knows(name: str) -> None:
    entries = dict(ENTRY.findall(inspect.getdoc(RECORDS[name]) or ""))
    for field in numeric_fields(RECORDS[name]):
        found = UNIT.search(entries.get(field, ""))
        assert found is None or KNOWN.search(found.group(0)), (field, found)


def test_records_of_all_packages_are_seen() -> None:
    seen = {name.partition(".")[0] for name in RECORDS}
    assert seen >= set(PACKAGES) - {"coolbound"}
    assert "coolbound_envs.params.ChwParams" in RECORDS


def test_the_check_notices_a_missing_unit_and_the_next_fields_unit() -> None:
    @dataclasses.dataclass
    class Wrong:
        """One record.

        Attributes:
            flow: Water.
            mass: Water. [kg]
        """

        flow: float
        mass: float

    assert fields_without_unit(Wrong) == ["flow"]
