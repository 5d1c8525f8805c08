"""Words and units of many plants: each read as its one meaning, or not at all."""

import pytest

from coolbound_envs.spec import CHANNEL_NAMES, POINT_NAMES
from coolbound_envs.tables import InputError, convert
from coolbound_shadow.intake.file_types import NULL_TOKENS
from coolbound_shadow.intake.ingestion_page import _number
from coolbound_shadow.intake.roles import feed_of, placed, role_of
from coolbound_shadow.intake.units import (
    conversion,
    known_unit,
    quantity_of,
    unit_in_name,
)
from coolbound_shadow.intake.words import (
    concepts,
    month_of,
    state_of,
    targets,
    unit_of,
    vocabulary,
)

VALUES = [
    ("degF", "degC", 50.0, 10.0),
    ("degF", "degC", -40.0, -40.0),
    ("K", "degC", 273.15, 0.0),
    ("RT", "kW", 100.0, 351.68528420667),
    ("kW/RT", "1", 0.6, 0.6 / 3.516852842),
    ("gpm", "L/s", 1000.0, 63.0901964),
    ("psi", "kPa", 10.0, 68.9475729),
    ("inHg", "kPa", 29.92, 101.3207),
    ("ftH2O", "kPa", 40.0, 119.5627),
    ("percent", "1", 85.0, 0.85),
    ("m**3/h", "L/s", 3.6, 1.0),
    ("BTU/h", "kW", 12_000.0, 3.5168528),
    ("kWh", "MWh", 2500.0, 2.5),
]
"""From unit, to unit, value, and what tables of units give."""


@pytest.mark.parametrize(("unit_in", "unit", "value", "wanted"), VALUES)
def test_units_convert_as_tables_of_units_say(
    unit_in: str, unit: str, value: float, wanted: float
) -> None:
    gain, bias = conversion(unit_in, unit, "", 1.0, "test")
    assert gain * value + bias == pytest.approx(wanted, rel=2e-5, abs=1e-9)


def test_a_difference_of_temperatures_has_no_offset() -> None:
    assert conversion("degF", "degC", "temperature_difference", 1.0, "t") == (
        pytest.approx(5.0 / 9.0),
        0.0,
    )
    assert conversion("K", "degF", "temperature_difference", 1.0, "t") == (
        pytest.approx(1.8),
        0.0,
    )


def test_a_volume_of_water_becomes_a_mass_at_the_declared_density() -> None:
    gain, bias = conversion("L/s", "kg/s", "", 0.998, "t")
    assert (gain, bias) == (pytest.approx(0.998), 0.0)


SPELLINGS = {
    "degC": ["°C", "℃", "C", "Grad C", "[degC]", "degrees-celsius"],
    "degF": ["°F", "F", "deg F", "(degF)"],
    "RT": ["Tons", "TR", "USRT", "冷吨"],
    "gpm": ["GPM", "gal/min", "US gpm"],
    "ft**3/min": ["CFM"],
    "m**3/h": ["m³/h", "m3/h", "CMH"],
    "percent": ["%", "pct", "Prozent", "%RH"],
    "kW/RT": ["kW/ton", "kW/RT"],
    "inHg": ["inHg", "in Hg"],
    "psi": ["PSI", "psig"],
    "MW": ["MW"],
    "1": ["-", "no-units"],
}


@pytest.mark.parametrize("unit", SPELLINGS)
def test_spellings_of_a_unit_mean_that_unit(unit: str) -> None:
    for text in SPELLINGS[unit]:
        assert unit_of(text) == unit
        assert known_unit(text, "test") == unit


def test_traps_of_the_unit_library_are_not_fallen_into() -> None:
    # Coulomb, farad, a mass, a very short length, milliwatts: none is meant.
    assert quantity_of(known_unit("C", "t")) == "temperature"
    assert quantity_of(known_unit("F", "t")) == "temperature"
    assert quantity_of(known_unit("ton", "t")) == "power"
    assert quantity_of(known_unit("cfm", "t")) == "volume_flow"
    assert convert(1.0, known_unit("MW", "t"), "kW", "t") == 1000.0


@pytest.mark.parametrize("text", ["parsec", "furlong", "degX", "kWW", "m", "eV/s^9"])
def test_what_no_plant_measures_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="correct the unit"):
        known_unit(text, "test")


def test_every_unit_of_the_vocabulary_is_one_that_converts() -> None:
    for unit in vocabulary()["unit"]:
        assert unit in ("1", "machines") or quantity_of(unit) or unit == "ppm", unit


NAMES = {
    "CHWS Temp": "chw_supply_temp",
    "Kaltwasser-Vorlauftemperatur": "chw_supply_temp",
    "Température retour eau glacée": "chw_return_temp",
    "Temperatura de impulsión de agua helada": "chw_supply_temp",
    "Temperatura mandata acqua refrigerata": "chw_supply_temp",
    "冷却水回水温度": "cw_return_temp",
    "冷水往温度": "chw_supply_temp",
    "Leaving_Chilled_Water_Temperature_Sensor": "chw_supply_temp",
    "Entering_Chilled_Water_Temperature_Sensor": "chw_return_temp",
    "Entering_Condenser_Water_Temperature_Sensor": "cw_supply_temp",
    "Leaving_Condenser_Water_Temperature_Sensor": "cw_return_temp",
    "chilled water leaving temp sensor point": "chw_supply_temp",
    "Cooling Tower 2 Leaving Water Temp": "cw_supply_temp",
    "Chilled_Water_Differential_Pressure_Sensor": "chw_pressure",
    "CHW Supply Temp Setpoint": "chw_supply_setpoint",
    "CHWST_SP": "chw_supply_setpoint",
    "Chiller 2 Power": "chiller_power",
    "Leistung Kältemaschine 3": "chiller_power",
    "CT-1 Fan Speed": "tower_fan_speed",
    "CWP-2 VFD Speed": "cw_pump_speed",
    "CHW Flow": "chw_flow",
    "Außentemperatur": "outdoor_temp",
    "Outside Air Wet Bulb": "outdoor_wet_bulb",
    "Hall 2 Supply Air Temp": "supply_air_temp_hall2",
    "Hall 1 Zone 3 Cold Aisle Temp": "inlet_temp_hall1_zone3",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_and_tags_speak_of_one_point(name: str) -> None:
    assert feed_of(name) == NAMES[name]


@pytest.mark.parametrize(
    "name",
    [
        "CHW Delta T",
        "Chiller 1 Alarm",
        "Water Temp",
        "Supply Air Temp",
        "Hall 9 Supply Air Temp",
        "kW per ton",
        "Elevator 3",
        "",
    ],
)
def test_names_that_say_too_little_or_something_else_speak_of_none(name: str) -> None:
    assert feed_of(name) == ""


def test_every_target_of_the_vocabulary_is_in_the_spec() -> None:
    known = (*POINT_NAMES, *CHANNEL_NAMES)
    for target in targets():
        assert placed(target.name, "hall 1 zone 1") in known
        assert target.needs <= set(vocabulary()["concept"])
        assert target.bars <= set(vocabulary()["concept"])


def test_a_role_is_a_word_a_brick_class_or_haystack_tags() -> None:
    assert role_of("meter", "chiller_power", (), "t") == "meter"
    assert role_of("Chilled_Water_Temperature_Setpoint", "", (), "t") == "act"
    assert role_of("", "chillers_running", (), "t") == "status"
    assert role_of("outside air temp sensor", "outdoor_temp", (), "t") == "context"
    with pytest.raises(InputError, match="Brick class or Haystack tags"):
        role_of("gizmo", "", (), "t")
    with pytest.raises(InputError, match="expected a channel"):
        role_of("act", "chw_supply_temp", (), "t")
    with pytest.raises(InputError, match="expected 'act'"):
        role_of("obs", "cw_pump_speed", (), "t")


@pytest.mark.parametrize(
    ("header", "unit", "rest"),
    [
        ("CHW Temp [°F]", "degF", "CHW Temp"),
        ("Power (kW)", "kW", "Power"),
        ("kW_CHH", "kW", "CHH"),
        ("kW_RT", "kW/RT", ""),
        ("WBT_C", "degC", "WBT"),
        ("CHWS", None, "CHWS"),
        ("Valve C", None, "Valve C"),
        ("GPM", "gpm", ""),
    ],
)
def test_the_unit_in_a_header_is_taken_only_where_it_can_be_one(
    header: str, unit: str | None, rest: str
) -> None:
    assert unit_in_name(header) == (unit, rest)


def test_states_and_months_of_several_languages() -> None:
    assert [state_of(t) for t in ("On", "EIN", "marche", "OFF", "Aus", "停止")] == [
        1.0,
        1.0,
        1.0,
        0.0,
        0.0,
        0.0,
    ]
    assert state_of("maybe") is None
    assert [month_of(m) for m in ("Mai", "déc.", "Oktober", "giugno", "xyz")] == [
        5,
        12,
        10,
        6,
        0,
    ]


def test_a_word_is_found_inside_a_compound_only_if_it_is_long() -> None:
    assert "fan" not in concepts("Elefanten")
    assert "supply" in concepts("Kaltwasservorlauf")
    assert not concepts("Item 4")
    assert "" in NULL_TOKENS


@pytest.mark.parametrize("value", [3.553e-14, -3.553e-14, 0.0, -0.0])
def test_what_a_conversion_rounds_off_is_not_shown_as_a_reading(value: float) -> None:
    assert _number(value) == "0"
