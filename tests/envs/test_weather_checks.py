"""Weather that cannot be is refused with its row; no true year is."""

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_weather import CHICAGO, DALLAS, PHOENIX, Row, rows_of, write_csv

from coolbound_envs.tables import InputError
from coolbound_envs.weather import load_weather

SHARED = Path(__file__).parents[3] / "shared" / "data" / "weather"
Change = Callable[[list[Row]], list[Row]]


def saturation(temperature: float) -> float:
    """Return the vapour pressure of saturated air, Magnus form [Pa]."""
    return 610.94 * float(np.exp(17.625 * temperature / (temperature + 243.04)))


def humidity_of(dew_point: float, dry_bulb: float) -> str:
    return f"{min(100.0, 100.0 * saturation(dew_point) / saturation(dry_bulb)):.2f}"


def at(rows: list[Row], first: int, count: int = 1, **cells: str) -> list[Row]:
    """Return rows with cells of some hours replaced, by column without unit."""
    names = {
        "dry": "dry_bulb_c",
        "humidity": "relative_humidity_pct",
        "pressure": "pressure_pa",
        "dew": "dew_point_c",
    }
    for row in rows[first : first + count]:
        row.update({names[name]: text for name, text in cells.items()})
    return rows


def each(rows: list[Row], column: str, change: Callable[[float], float]) -> list[Row]:
    for row in rows:
        row[column] = f"{change(float(row[column])):.3f}"
    return rows


def without(rows: list[Row], *columns: str) -> list[Row]:
    for row in rows:
        row.update(dict.fromkeys(columns, ""))
    return rows


def humid(
    rows: list[Row], dew_point: float, is_humid: Callable[[int, float], bool]
) -> list[Row]:
    """Return rows with a dew point where `is_humid` of hour and dry bulb says so."""
    for hour, row in enumerate(rows):
        dry_bulb = float(row["dry_bulb_c"])
        if is_humid(hour, dry_bulb):
            row["relative_humidity_pct"] = humidity_of(dew_point, dry_bulb)
            row["dew_point_c"] = f"{min(dew_point, dry_bulb):.1f}"
    return rows


def swapped(rows: list[Row]) -> list[Row]:
    names = ("dry_bulb_c", "relative_humidity_pct")
    for row in rows:
        row[names[0]], row[names[1]] = row[names[1]], row[names[0]]
    return rows


BAD: dict[str, tuple[str, Change, str]] = {
    "share": (
        PHOENIX,
        lambda rows: each(rows, "relative_humidity_pct", lambda x: x / 100.0),
        r"line 2, column 'relative_humidity_pct'.*a share: multiply it by 100",
    ),
    "kelvin": (
        PHOENIX,
        lambda rows: each(rows, "dry_bulb_c", lambda x: x + 273.15),
        r"column 'dry_bulb_c'.*expected -60 to 60 degC.*kelvin: subtract 273.15",
    ),
    "fahrenheit": (
        CHICAGO,
        lambda rows: each(rows, "dry_bulb_c", lambda x: 32.0 + 1.8 * x),
        r"column 'dry_bulb_c'.*expected -60 to 60 degC.*looks like Fahrenheit",
    ),
    "swapped": (
        PHOENIX,
        swapped,
        r"column 'dry_bulb_c'.*look swapped: swap the two columns",
    ),
    "hectopascal": (
        PHOENIX,
        lambda rows: each(rows, "pressure_pa", lambda x: x / 100.0),
        r"line 2, column 'pressure_pa'.*looks like hPa: multiply it by 100",
    ),
    "kilopascal": (
        PHOENIX,
        lambda rows: each(rows, "pressure_pa", lambda x: x / 1000.0),
        r"line 2, column 'pressure_pa'.*looks like kPa: multiply it by 1000",
    ),
    "above saturation": (
        PHOENIX,
        lambda rows: at(rows, 4000, humidity="100.4"),
        r"line 4002, column 'relative_humidity_pct': found '100.4', expected 0 to 100",
    ),
    "dew point above dry bulb": (
        PHOENIX,
        lambda rows: at(rows, 10, dry="20.0", humidity="90", dew="21.0"),
        r"line 12, column 'dew_point_c': found '21.0', expected at most.* 20 degC",
    ),
    "dew points of another place": (
        PHOENIX,
        lambda rows: each(rows, "dew_point_c", lambda x: x - 4.0),
        r"column 'dew_point_c'.*as dry bulb and humidity.*contradict",
    ),
    "beyond the record": (
        DALLAS,
        lambda rows: at(rows, 4800, dry="44", humidity="65"),
        r"line 4802.*dew point up to 35 degC, the highest on record",
    ),
    "jump": (
        PHOENIX,
        lambda rows: at(rows, 30, dry="-15.0", humidity="80", dew="-17.7"),
        r"line 32, column 'dry_bulb_c': found '-15.0', expected at most 25 K",
    ),
    "stuck": (
        PHOENIX,
        lambda rows: at(rows, 700, 49, dry="12.0", humidity="40", dew="-1.2"),
        r"line 702.*at most 48 hours of equal temperature and humidity.* 49 are",
    ),
    "stuck thermometer": (
        CHICAGO,
        lambda rows: without(at(rows, 2900, 73, dry="12.0"), "dew_point_c"),
        r"line 2902.*at most 72 hours of equal temperature, and from here on 7\d are",
    ),
    "constant": (
        DALLAS,
        lambda rows: at(rows, 0, 8760, humidity="60"),
        r"line 2, column 'relative_humidity_pct'.*all 8760 rows are equal",
    ),
    "one humid hour in the desert": (
        PHOENIX,
        lambda rows: humid(rows, 30.0, lambda hour, _: hour == 4600),
        r"line 4602, column 'relative_humidity_pct'.*in a climate as dry",
    ),
    "a humid day in the desert": (
        PHOENIX,
        lambda rows: humid(rows, 30.0, lambda hour, _: 4590 <= hour < 4614),
        r"line 459\d, column 'relative_humidity_pct'.*in a climate as dry",
    ),
    "a humid month in the desert": (
        PHOENIX,
        lambda rows: humid(rows, 30.0, lambda hour, _: 4344 <= hour < 5088),
        r"line 43\d\d, column 'relative_humidity_pct'.*in a climate as dry",
    ),
    "humid afternoons in the desert": (
        PHOENIX,
        lambda rows: humid(rows, 30.0, lambda _, dry_bulb: dry_bulb > 36.0),
        r"column 'relative_humidity_pct'.*no air so much wetter",
    ),
    "a desert that tells no pressure": (
        PHOENIX,
        lambda rows: without(
            humid(rows, 30.0, lambda hour, dry: hour % 100 == 40 and dry > 31.0),
            "pressure_pa",
            "dew_point_c",
        ),
        r"column 'relative_humidity_pct'",
    ),
    "only the given dew points are a desert's impossible": (
        PHOENIX,
        lambda rows: at(rows, 4600, 3, dew="30.0"),
        r"line 4602, column 'dew_point_c': found '30.0', expected a dew point below 28",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_refused_with_its_row(tmp_path: Path, name: str) -> None:
    source, change, expected = BAD[name]
    path = write_csv(tmp_path / "city.csv", change(rows_of(source)))
    with pytest.raises(InputError, match=expected) as refused:
        load_weather(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_one_wild_cell_is_not_taken_for_another_unit(tmp_path: Path) -> None:
    rows = at(rows_of(PHOENIX), 30, dry="99")
    with pytest.raises(InputError, match=r"'99'.*correct that cell"):
        load_weather(write_csv(tmp_path / "city.csv", rows))


def test_pressure_reduced_to_sea_level_is_refused_at_height(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "city.csv", rows_of(PHOENIX))
    assert load_weather(path, elevation_m=337.0).hours == 8760
    with pytest.raises(InputError, match=r"'pressure_pa'.*not reduced to sea level"):
        load_weather(path, elevation_m=1600.0)


def gulf_rows(summer: float, winter: float) -> list[Row]:
    """Return a dry coast: humid nights and sea breezes all summer, deserts inland.

    Dew points as at Dhahran or Bandar Mahshahr: the wind of the day decides
    between the sea's and the desert's.
    """
    rows = rows_of(PHOENIX)
    draw = np.random.default_rng(0)
    sea = np.convolve(draw.normal(size=8760 + 72), np.ones(72) / 72.0, "valid")[:8760]
    from_sea = 1.0 / (1.0 + np.exp(-12.0 * sea / np.std(sea)))
    for hour, row in enumerate(rows):
        warmth = 0.5 - 0.5 * np.cos(2.0 * np.pi * (hour / 8760.0 - 0.06))
        dry_bulb = 17.0 + 21.0 * warmth + 0.45 * (float(row["dry_bulb_c"]) - 23.8)
        vapour = saturation(winter) + from_sea[hour] * warmth**2 * (
            saturation(summer) - saturation(winter)
        )
        share = min(1.0, vapour / saturation(dry_bulb))
        row["dry_bulb_c"] = f"{dry_bulb:.1f}"
        row["relative_humidity_pct"] = f"{100.0 * share:.1f}"
    return without(rows, "pressure_pa", "dew_point_c")


def test_a_dry_coast_of_a_warm_sea_is_weather(tmp_path: Path) -> None:
    rows = gulf_rows(summer=31.0, winter=2.0)
    year = load_weather(write_csv(tmp_path / "gulf.csv", rows), elevation_m=17.0)
    points = np.asarray(year.dew_point)
    humidity = [float(row["relative_humidity_pct"]) for row in rows]
    # As hard as the rule can be met: dry, and far above its own median.
    assert np.max(points) > 29.5
    assert np.max(points) - np.median(points) > 20.0
    assert np.median(humidity) < 45.0


def test_the_same_dew_points_on_a_high_plain_are_not(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "gulf.csv", gulf_rows(summer=31.0, winter=2.0))
    with pytest.raises(InputError, match=r"in a climate as dry as this year's"):
        load_weather(path, elevation_m=600.0)


def test_a_prairie_heat_wave_is_weather(tmp_path: Path) -> None:
    """Chicago, July 1995: dew points of 28 degC, 23 K above the year's median."""
    rows = rows_of(CHICAGO)
    for hour in range(4590, 4650):
        rise = min(1.0, (hour - 4589) / 12.0, (4650 - hour) / 12.0)
        dew_point = 20.0 + 8.4 * rise
        dry_bulb = max(float(rows[hour]["dry_bulb_c"]), dew_point + 3.0)
        rows[hour]["dry_bulb_c"] = f"{dry_bulb:.1f}"
        rows[hour]["relative_humidity_pct"] = humidity_of(dew_point, dry_bulb)
        rows[hour]["dew_point_c"] = f"{dew_point:.1f}"
    year = load_weather(write_csv(tmp_path / "city.csv", rows))
    points = np.asarray(year.dew_point)
    assert np.max(points) > 28.0
    assert np.max(points) - np.median(points) > 20.0


@pytest.mark.skipif(not SHARED.is_dir(), reason="the project's data folder is absent")
def test_every_year_at_hand_is_weather() -> None:
    with (SHARED / "sites.csv").open(newline="") as file:
        sites = {row["file"]: float(row["elevation_m"]) for row in csv.DictReader(file)}
    assert len(sites) == 30
    for name, elevation in sites.items():
        path = SHARED / name.removeprefix("weather/")
        year = load_weather(path, elevation_m=elevation)
        with gzip.open(path, "rt") as file:
            assert year.hours == sum(1 for _ in file) - 1
