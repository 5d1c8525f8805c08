"""EPW files give the same weather as the CSV of the same year, or say why not."""

import datetime
import gzip
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_weather import (
    CHICAGO,
    DALLAS,
    PHOENIX,
    epw_rows,
    rows_of,
    write_epw,
)

from coolbound_envs.energyplus.weather_file import write_epw as write_run
from coolbound_envs.tables import InputError
from coolbound_envs.weather import Weather, load_weather

FIELDS = ("dry_bulb", "wet_bulb", "dew_point", "pressure")
YEARS = (1986, 1999, 1979, 2001, 1990, 2000, 1988, 2002, 1976, 1983, 1995, 1977)


def assert_same(found: Weather, wanted: Weather) -> None:
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(found, field), getattr(wanted, field))
    assert found.start == wanted.start
    assert found.utc_offset_s == wanted.utc_offset_s
    assert found.hours == wanted.hours


@pytest.mark.parametrize("minute", ["0", "60"])
def test_typical_year_of_mixed_years_equals_its_csv(
    tmp_path: Path, minute: str
) -> None:
    lines = epw_rows(rows_of(PHOENIX), minute, lambda month: YEARS[month - 1])
    found = load_weather(write_epw(tmp_path / "phoenix.epw", lines))
    assert_same(found, load_weather("phoenix"))
    assert "label" in found.notes[0]
    assert "1976" in found.notes[0]


def test_a_file_of_the_energyplus_package_equals_the_shipped_csv() -> None:
    """Both come from NREL's TMY3, by two ways that share no code of ours."""
    package = importlib.util.find_spec("pyenergyplus")
    if package is None or package.origin is None:
        pytest.skip("the optional EnergyPlus package is not installed")
    folder = Path(package.origin).parent / "data" / "weather"
    for pattern, name in (("*Phoenix*TMY3.epw", "phoenix"), ("*OHare*.epw", "chicago")):
        (path,) = folder.glob(pattern)
        assert_same(load_weather(path), load_weather(name))


def test_every_file_of_the_energyplus_package_is_plausible() -> None:
    package = importlib.util.find_spec("pyenergyplus")
    if package is None or package.origin is None:
        pytest.skip("the optional EnergyPlus package is not installed")
    paths = sorted((Path(package.origin).parent / "data" / "weather").glob("*.epw"))
    assert len(paths) >= 10
    for path in paths:
        assert load_weather(path).hours == 8760


def test_calendar_year_keeps_its_year_and_missing_pressure_its_elevation(
    tmp_path: Path,
) -> None:
    """The observed file begins at 23:00 and has neither pressure nor dew point."""
    place = {"zone": "-6", "longitude": "-96.8", "elevation": "142"}
    path = write_epw(tmp_path / "dallas.epw", epw_rows(rows_of(DALLAS)), **place)
    found, wanted = load_weather(path), load_weather("dallas-2021")
    assert_same(found, wanted)
    assert found.start == "2021-01-01T00:00:00-06:00"
    assert "142 m" in found.notes[-1]


def test_what_the_energyplus_adapter_writes_is_read_again(tmp_path: Path) -> None:
    """Two authors of one format: Honolulu, where humidity over ice plays no part."""
    year = load_weather("honolulu")
    fields = (year.dry_bulb, year.dew_point, year.pressure)
    dry_bulb, dew_point, pressure = (np.roll(np.asarray(x), -1) for x in fields)
    path = tmp_path / "run.epw"
    write_run(path, dry_bulb, dew_point, pressure)
    found = load_weather(path)
    np.testing.assert_allclose(found.dry_bulb, year.dry_bulb, atol=6e-4)
    np.testing.assert_allclose(found.dew_point, year.dew_point, atol=0.03)
    np.testing.assert_allclose(found.pressure, year.pressure, atol=0.6)


def test_elevation_of_the_caller_goes_before_the_files_own(tmp_path: Path) -> None:
    place = {"zone": "-6", "longitude": "-96.8", "elevation": "142"}
    path = write_epw(tmp_path / "dallas.epw", epw_rows(rows_of(DALLAS)), **place)
    found = load_weather(path, elevation_m=1600.0)
    assert float(found.pressure[0]) == pytest.approx(83524.0, abs=100.0)


@pytest.mark.parametrize(
    ("zone", "longitude", "hours"),
    [("5.5", "77.1", 5.5), ("5.75", "85.3", 5.75), ("-3.5", "-52.7", -3.5)],
)
def test_zones_of_half_and_quarter_hours(
    tmp_path: Path, zone: str, longitude: str, hours: float
) -> None:
    lines = epw_rows(rows_of(PHOENIX)[:48])
    path = write_epw(tmp_path / "city.epw", lines, zone=zone, longitude=longitude)
    found = load_weather(path, allow_partial=True)
    assert found.utc_offset_s == hours * 3600.0
    stamp = datetime.datetime.fromisoformat(found.start)
    assert stamp.utcoffset() == datetime.timedelta(hours=hours)
    assert (stamp.hour, stamp.minute) == (1, 0)


def leap_rows(first: str) -> list[dict[str, str]]:
    """Return 8784 hours: Phoenix and a day of it again, with new stamps."""
    source = rows_of(PHOENIX)
    start = datetime.datetime.fromisoformat(first)
    rows = [dict(source[i % 8760]) for i in range(8784)]
    for hour, row in enumerate(rows):
        row["time"] = (start + datetime.timedelta(hours=hour)).isoformat()
    return rows


def test_leap_year_is_whole_and_so_is_a_typical_one(tmp_path: Path) -> None:
    rows = leap_rows("2016-01-01T01:00:00")
    found = load_weather(write_epw(tmp_path / "leap.epw", epw_rows(rows)))
    assert (found.hours, found.start[:16]) == (8784, "2016-01-01T00:00")
    lines = epw_rows(rows, year_of_month=lambda month: YEARS[month - 1])
    found = load_weather(write_epw(tmp_path / "typical.epw", lines))
    assert (found.hours, found.start[:16]) == (8784, "2004-01-01T00:00")


def test_leap_year_without_its_day_is_a_year_of_8760_hours(tmp_path: Path) -> None:
    rows = leap_rows("2016-01-01T01:00:00")
    cut = [line for line in epw_rows(rows) if line.split(",")[1:3] != ["2", "29"]]
    found = load_weather(write_epw(tmp_path / "cut.epw", cut))
    assert (found.hours, found.start[:4]) == (8760, "2001")


def test_year_from_july_to_june_is_turned_to_start_in_january(tmp_path: Path) -> None:
    lines = epw_rows(rows_of(PHOENIX), year_of_month=lambda month: YEARS[month - 1])
    july = next(i for i, line in enumerate(lines) if line.split(",")[1] == "7")
    turned = lines[july:] + lines[:july]
    found = load_weather(write_epw(tmp_path / "phoenix.epw", turned))
    wanted = load_weather("phoenix")
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(found, field), getattr(wanted, field))


def test_gzip_line_ends_spaces_and_latin_letters_are_read(tmp_path: Path) -> None:
    lines = epw_rows(rows_of(PHOENIX)[:48])
    padded = [line.replace(",1,1,", ", 1, 1, ", 1) for line in lines]
    path = write_epw(tmp_path / "city.epw", padded, city="M\u00e9xico")
    plain = load_weather(path, allow_partial=True)
    text = path.read_text(encoding="utf-8").replace("\n", "\r\n") + "\r\n"
    packed = tmp_path / "CITY.EPW.GZ"
    packed.with_suffix(".gz").write_bytes(gzip.compress(text.encode("latin-1")))
    assert_same(load_weather(tmp_path / "CITY.EPW.gz", allow_partial=True), plain)


def test_dew_points_may_be_missing_and_a_note_says_so(tmp_path: Path) -> None:
    rows = rows_of(PHOENIX)[:48]
    rows[7]["dew_point_c"] = ""
    path = write_epw(tmp_path / "city.epw", epw_rows(rows))
    found = load_weather(path, allow_partial=True)
    assert "missing in 1 of 48 hours" in found.notes[0]


def day(**changes: str) -> Callable[[Path], Path]:
    """Return a writer of two days with the place changed."""
    lines = epw_rows(rows_of(CHICAGO)[:48])
    return lambda path: write_epw(path, lines, **changes)


def cells(row: int, **changes: str) -> Callable[[Path], Path]:
    """Return a writer of two days with fields of one row changed, by position."""
    lines = epw_rows(rows_of(PHOENIX)[:48])
    fields = lines[row].split(",")
    for name, text in changes.items():
        fields[int(name.removeprefix("f"))] = text
    lines[row] = ",".join(fields)
    return lambda path: write_epw(path, lines)


def lines_of(change: Callable[[list[str]], list[str]]) -> Callable[[Path], Path]:
    lines = change(epw_rows(rows_of(PHOENIX)[:48]))
    return lambda path: write_epw(path, lines)


def text_of(change: Callable[[str], str]) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        write_epw(path, epw_rows(rows_of(PHOENIX)[:48]))
        text = path.read_text(encoding="utf-8")
        path.write_text(change(text), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (cells(3, f6="99.9"), r"line 12, column 'dry bulb.*'99.9', the code for miss"),
        (cells(3, f8="999"), r"line 12, column 'relative humidity.*code for missing"),
        (cells(3, f9="999999"), r"line 12, column 'pressure.*code for missing"),
        (cells(3, f6=""), r"line 12, column 'dry bulb.*found '', expected -60 to 60"),
        (cells(3, f8="104"), r"line 12, column 'relative.*'104', expected 0 to 100 %"),
        (cells(3, f7="17"), r"line 12, column 'dew point.*'17', expected at most the"),
        (cells(3, f4="30"), r"line 12, column 'minute': found '30', expected 0 or 60"),
        (cells(3, f3="0"), r"line 12, column 'hour': found '0', expected 1 to 24"),
        (cells(3, f3="3"), r"line 12, column 'month-day-hour': found '1-1-3'"),
        (cells(3, f1="13"), r"line 12, column 'month': found '13'"),
        (cells(3, f2="x"), r"line 12, column 'day': found 'x'"),
        (cells(0, f1="2", f2="30"), r"line 9, column 'month-day-hour': found '2-30-1'"),
        (lines_of(lambda x: x[:9] + x[10:]), r"line 18.*'1-1-11'.*one hour after"),
        (lines_of(lambda x: [*x[:9], x[8], *x[9:]]), r"line 18.*'1-1-9'.*one hour"),
        (lines_of(lambda x: [*x[:9], "2001,1,1"]), r"line 18: found 3 fields, expecte"),
        (lines_of(lambda _: []), r"expected hourly rows after line 8"),
        (day(per_hour="4"), r"line 8, field 'records per hour': found '4'.*resample"),
        (day(periods="2"), r"line 8, field 'data periods': found '2'"),
        (day(zone="7.0"), r"line 1, field 'time zone': found '7.0'.*east is positive"),
        (day(zone="-7.3"), r"line 1, field 'time zone'.*quarters of an hour"),
        (day(zone=""), r"line 1, field 'time zone': found ''.*from -12 to 14"),
        (day(elevation="high"), r"line 1, field 'elevation': found 'high'"),
        (day(elevation="2400"), r"expected within 4% of the \d+ Pa.*at 2400 m"),
        (text_of(lambda x: x[9:]), r"line 1: found 'Phoenix.*expected 'LOCATION'"),
        (text_of(lambda x: x.replace("DATA P", "P")), r"line 8.*'DATA PERIODS'"),
        (text_of(lambda x: x.replace(",337.0", "")), r"line 1: found 8 fields"),
        (text_of(lambda _: ""), r"line 1: found '', expected 'LOCATION'"),
    ],
)
def test_bad_file_is_refused_with_place_found_and_expected(
    tmp_path: Path, write: Callable[[Path], Path], expected: str
) -> None:
    path = write(tmp_path / "city.epw")
    with pytest.raises(InputError, match=expected) as refused:
        load_weather(path, allow_partial=True)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_part_of_a_year_is_refused(tmp_path: Path) -> None:
    lines = epw_rows(rows_of(PHOENIX))[:-24]
    path = write_epw(tmp_path / "city.epw", lines)
    with pytest.raises(InputError, match=r"found 8736 rows.*8760 or 8784"):
        load_weather(path)
