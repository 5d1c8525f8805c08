"""The point map: every key known, every choice checked, every mistake one sentence."""

import re
from importlib import resources
from pathlib import Path

import pytest
from made_exports import made_map

from coolbound_envs.tables import InputError
from coolbound_envs.types import Quality
from coolbound_shadow.intake import file_types, map_types
from coolbound_shadow.intake.map_reader import parse_map, read_map
from coolbound_shadow.intake.reasons import READING_REASONS, ROW_MEANINGS

PAGE = Path(__file__).parents[2] / "docs" / "logs.md"

WRONG = {
    "no TOML": ("schema = ", "expected TOML"),
    "another schema": (made_map().replace("schema = 1", "schema = 9"), "expected 1"),
    "an unknown key": (made_map('zoen = "x"\nzone = "UTC"'), "did you mean 'zone'?"),
    "an unknown key of a point": (made_map(kW="stuck = 5"), "unknown key 'stuck'"),
    "an unknown choice": (made_map('stamps = "guess"'), "expected one of local"),
    "no file": (made_map().split("[[file]]")[0], "found no [[file]]"),
    "no point": (made_map().split("[[point]]")[0], "found no [[point]]"),
    "two points of one name": (
        made_map(
            points=['[[point]]\nid = "kw"\nsource = { column = "x" }\nunit_in = "1"']
        ),
        "found point 'kw' twice",
    ),
    "a decimal mark for thousands": (
        made_map(file='csv = { decimal = ",", thousands = "," }'),
        "the decimal mark",
    ),
    "a long delimiter": (made_map(file='csv = { delimiter = "::" }'), "one character"),
    "a unit row below the header": (
        made_map(file="csv = { header_rows = 1, unit_row = 2 }"),
        "unit_row",
    ),
    "a format without a day": (made_map('formats = ["%H:%M"]'), "year, month and day"),
    "a bad offset": (
        made_map('stamps = "fixed_offset"\nfixed_offset = "1h"'),
        "'+01:00'",
    ),
    "an instant without an offset": (
        made_map("min_utc = 2015-01-01T00:00:00"),
        "date and time with an offset",
    ),
    "a tall file without a tag column": (
        made_map(file='shape = "tall"\nvalue_column = "v"'),
        "'tag_column' is missing",
    ),
    "two sources": (
        made_map(kW="").replace(
            '{ column = "kW" }', '{ column = "kW", tall_tag = "x" }'
        ),
        "expected one of `column`",
    ),
    "a status map that is not there": (
        made_map(kW='status = { column = "S", map = "q" }'),
        "status.map",
    ),
    "a range upside down": (
        made_map(kW="limits = { range = [5.0, 1.0] }"),
        "lower end first",
    ),
    "a point that feeds nothing known": (
        made_map(kW='=unit_in = "kW"\nfeeds = "chiler_power"'),
        "did you mean 'chiller_power'?",
    ),
    "an energy without a counter": (
        made_map(kW='=unit_in = "kWh"\nfeeds = "chiller_power"'),
        "expected 'counter'",
    ),
    "a role that is none": (made_map(kW='role = "gizmo"'), "Brick class"),
    "a report zone that is none": (
        made_map().replace('id = "made"', 'id = "made", report_zone = "Nowhere"'),
        "report_zone",
    ),
    "a column that is none": (made_map(file="time_column = 3"), "expected a header"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_in_the_map_is_one_sentence_with_its_place(name: str) -> None:
    text, said = WRONG[name]
    with pytest.raises(InputError) as refused:
        parse_map(text, "map.toml")
    sentence = str(refused.value)
    assert said in sentence
    assert sentence.startswith("map.toml")
    assert "\n" not in sentence


def test_a_map_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="coolbound log inspect"):
        read_map(tmp_path / "gone.toml")


def test_units_scale_offset_and_sign_make_one_line() -> None:
    text = made_map(
        kW='=unit_in = "kW"\ntransform = { scale = 2, offset = 5, sign = -1 }'
    )
    [tap] = parse_map(text, "m").points[2].taps
    assert (tap.gain, tap.bias) == (-2.0, -5.0)
    warm = made_map(kW='=unit_in = "degF"\ntransform = { scale = 0.1 }')
    [tap] = parse_map(warm, "m").points[2].taps
    # 500 tenths are 50 degF are 10 degC.
    assert tap.gain * 500 + tap.bias == pytest.approx(10.0)


def test_a_difference_loses_its_offset_only_where_the_map_says_so() -> None:
    text = made_map(kW='=unit_in = "degF"\nquantity = "temperature_difference"')
    point = parse_map(text, "m").points[2]
    assert point.unit == "delta_degC"
    assert point.taps[0].bias == 0.0
    assert point.taps[0].gain == pytest.approx(5.0 / 9.0)


def test_validity_intervals_may_change_source_unit_and_sign() -> None:
    text = made_map(
        kW="valid = [\n{ to = 2024-01-01T00:00:00Z, source = { column = 'old' }, "
        "unit_in = 'W', sign = -1 },\n{ from = 2024-01-01T00:00:00Z }]"
    )
    old, new = parse_map(text, "m").points[2].taps
    assert (old.column, new.column) == (
        file_types.ColumnRef("old"),
        file_types.ColumnRef("kW"),
    )
    assert (old.gain, new.gain) == (pytest.approx(-0.001), 1.0)
    assert old.end == new.start == 1_704_067_200


def test_roles_and_feeds_come_from_brick_and_haystack_text() -> None:
    text = made_map(
        points=[
            '[[point]]\nid = "a"\nsource = { column = "a" }\nunit_in = "degC"\n'
            'role = "Leaving_Chilled_Water_Temperature_Sensor"',
            '[[point]]\nid = "b"\nsource = { column = "b" }\nunit_in = "kW"\n'
            'tags = { haystack = "chiller elec power sensor" }',
        ]
    )
    a, b = parse_map(text, "m").points[-2:]
    assert (a.role, a.feeds, a.unit) == ("obs", "chw_supply_temp", "degC")
    assert (b.role, b.feeds) == ("meter", "chiller_power")


def test_resampling_follows_the_sort_of_a_point() -> None:
    text = made_map(
        points=[
            '[[point]]\nid = "c"\nsource = { column = "c" }\nunit_in = "kWh"\n'
            'kind = "counter"',
            '[[point]]\nid = "s"\nsource = { column = "s" }\nunit_in = "1"\n'
            'kind = "binary"',
            '[[point]]\nid = "v"\nsource = { column = "v" }\nunit_in = "degC"\n'
            'sampling = "cov"',
        ]
    )
    points = {p.id: p for p in parse_map(text, "m").points}
    assert {n: points[n].resample for n in ("chws", "sp", "c", "s", "v")} == {
        "chws": "time_mean",
        "sp": "last",
        "c": "delta",
        "s": "last",
        "v": "last",
    }


def test_statuses_become_reasons_of_their_own() -> None:
    text = made_map(
        more='[quality.v]\nok = { q = "GOOD" }\ndown = { q = "BAD", reason = "down" }\n'
        '"*" = { q = "UNCERTAIN" }'
    )
    parsed = parse_map(text, "m")
    down = parsed.reasons[parsed.statuses["v"]["down"].reason]
    assert (down.name, down.quality) == ("down", Quality.BAD)
    assert parsed.statuses["v"]["ok"].reason == 0


def test_the_shipped_map_and_the_map_of_the_page_can_be_read() -> None:
    folder = resources.files("coolbound_shadow.intake") / "maps"
    shipped = parse_map((folder / "december_plant.toml").read_text("utf-8"), "shipped")
    assert len(shipped.points) == 18
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    parsed = parse_map(blocks[0], "docs/logs.md")
    assert parsed.time.zone == "Europe/Berlin"


def test_the_page_names_every_reason_and_every_choice() -> None:
    text = PAGE.read_text("utf-8")
    for reason in READING_REASONS[1:]:
        assert f"`{reason.name}`" in text, reason.name
    for name in ROW_MEANINGS:
        assert not name or f"`{name}`" in text, name
    choices = (file_types.SHAPES, map_types.STAMPS, map_types.ON_AMBIGUOUS)
    choices += (map_types.ON_BACKWARDS, map_types.KINDS, map_types.RESAMPLES)
    for choice in (each for group in choices for each in group):
        assert choice in text, choice
