"""The point map: what is wrong in it is said once, with the key and a way out."""

from pathlib import Path

import pytest

from coolbound_envs.tables import InputError, read_toml
from coolbound_shadow.point_types import PointMap
from coolbound_shadow.points import affine, own_point_map, parse_point_map

FILE = """
[[points.file]]
name = "plant"
match = "plant.csv"
time_column = "Time"
"""
POINT = """
[[points.point]]
id = "chw_supply_temp"
columns = ["CHWS"]
unit_in = "degF"
"""


def parse(tmp_path: Path, text: str, zone: str = "Europe/Berlin") -> PointMap:
    path = tmp_path / "site.toml"
    path.write_text("[points]\nstep = '300 s'\n" + text, encoding="utf-8")
    return parse_point_map(read_toml(path).table("points"), zone)


def test_a_value_is_scaled_then_converted_then_signed(tmp_path: Path) -> None:
    text = FILE + POINT + "scale = 0.1\noffset = 32.0\nsign = -1\n"
    point = parse(tmp_path, text).points[0]
    # 180 raw: 0.1 * 180 + 32 = 50 degF = 10 degC, sign reversed.
    assert point.gain * 180.0 + point.bias == pytest.approx(-10.0)


def test_a_volume_flow_becomes_a_mass_flow_with_its_density_stated() -> None:
    gain, bias = affine("gpm * kg / L", "kg/s", "here")
    assert gain == pytest.approx(0.0630902)
    assert bias == 0.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FILE + POINT.replace("supply", "suply"), "did you mean 'chw_supply_temp'"),
        (FILE + POINT.replace('"degF"', '"kW"'), "found unit 'kW'"),
        (FILE + POINT.replace('"degF"', '"delta_degF"'), "found unit 'delta_degF'"),
        (FILE + POINT.replace('"degF"', '"furlong"'), "found unit 'furlong'"),
        (FILE + POINT + "stuk = '2 h'\n", "found unknown key 'stuk'"),
        (FILE + POINT + "stuck = 7200\n", "expected text with a unit"),
        (FILE + POINT + "file = 'weather'\n", "expected one of plant"),
        (FILE + POINT + "role = 'actuator'\n", "expected one of point, status"),
        (FILE + POINT + "bad_values = 'zero'\n", "expected a list of"),
        (FILE + POINT + POINT, "found point 'chw_supply_temp' twice"),
        (POINT, "found no [[points.file]]"),
        ("earliest = 'yesterday'\n" + FILE + POINT, "found 'yesterday'"),
        ("on_ambiguous = 'guess'\n" + FILE + POINT, "expected one of refuse, flag"),
    ],
)
def test_a_wrong_key_is_refused_in_one_sentence(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError) as error:
        parse(tmp_path, text)
    assert message in str(error.value)
    assert "site.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_zone_that_iana_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found time zone 'Berlin'"):
        parse(tmp_path, FILE + POINT, zone="Berlin")


def test_a_channel_is_no_point_and_a_point_is_no_channel(tmp_path: Path) -> None:
    channel = POINT.replace("chw_supply_temp", "cw_pump_speed").replace("degF", "1")
    with pytest.raises(InputError, match="expected the name of a point"):
        parse(tmp_path, FILE + channel)
    assert parse(tmp_path, FILE + channel + "role = 'action'\n").points[0].file


def test_an_own_log_with_an_unknown_column_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'chw_flow'"):
        own_point_map(["time", "chw_flw [kg/s]"], "log.csv", "log.csv")


def test_an_own_log_is_converted_from_the_unit_in_its_header() -> None:
    points = own_point_map(["time", "chw_supply_temp [degF]"], "log.csv", "log.csv")
    point = points.points[0]
    assert point.gain * 50.0 + point.bias == pytest.approx(10.0)
