"""Weather years: shipped ones are the sources', bad ones are refused in words."""

import datetime
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import psychrolib
import pytest

from coolbound_envs.tables import InputError
from coolbound_envs.weather import (
    Weather,
    interpolate,
    load_weather,
    stack_weather,
    weather_names,
)

HEADER = "time,dry_bulb_c,relative_humidity_pct,pressure_pa,dew_point_c"
FIELDS = ("dry_bulb", "wet_bulb", "dew_point", "pressure")


def hourly(count: int, first: str = "2021-01-01T00:00:00+01:00") -> list[str]:
    start = datetime.datetime.fromisoformat(first)
    stamps = [start + datetime.timedelta(hours=h) for h in range(count)]
    return [
        f"{stamp.isoformat()},{'21,49' if h % 24 == 12 else '20,50'},,"
        for h, stamp in enumerate(stamps)
    ]


def written(folder: Path, rows: list[str], header: str = HEADER) -> Path:
    path = folder / "city.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def total(values: jax.Array) -> float:
    return float(np.sum(np.asarray(values, np.float64)))


@pytest.fixture(scope="module")
def phoenix() -> Weather:
    return load_weather("phoenix")


def test_shipped_years_are_the_documented_ones() -> None:
    assert weather_names() == (
        "chicago",
        "dallas",
        "dallas-2021",
        "frankfurt-2021",
        "honolulu",
        "london-2021",
        "phoenix",
        "san-jose-2021",
        "singapore-2021",
        "tokyo-2021",
        "toronto-2021",
    )


@pytest.mark.parametrize(
    ("name", "dry_bulb", "pressure"),
    [
        ("phoenix", 208511.7, 853233400.0),
        ("chicago", 87494.8, 868892900.0),
        ("singapore-2021", 236463.0, None),
    ],
)
def test_shipped_year_has_the_sums_of_its_source(
    name: str, dry_bulb: float, pressure: float | None
) -> None:
    year = load_weather(name)
    assert total(year.dry_bulb) == pytest.approx(dry_bulb, rel=1e-7)
    if pressure is not None:
        assert total(year.pressure) == pytest.approx(pressure, rel=1e-7)


@pytest.mark.parametrize("name", weather_names())
def test_shipped_year_is_whole_ordered_and_starts_on_new_year(name: str) -> None:
    year = load_weather(name)
    start = datetime.datetime.fromisoformat(year.start)
    assert (start.month, start.day, start.hour) == (1, 1, 0)
    assert start.utcoffset() == datetime.timedelta(seconds=year.utc_offset_s)
    for field in FIELDS:
        values = getattr(year, field)
        assert values.shape == (8760,)
        assert values.dtype == jnp.float32
        assert bool(jnp.all(jnp.isfinite(values)))
    assert bool(jnp.all(year.wet_bulb <= year.dry_bulb))
    assert bool(jnp.all(year.dew_point <= year.dry_bulb + 1e-3))


def test_last_hour_of_a_typical_year_becomes_its_first(phoenix: Weather) -> None:
    """The file runs from 01:00 to 24:00; both ends as read from the file."""
    np.testing.assert_allclose(phoenix.dry_bulb[:2], [11.1, 10.0], atol=1e-4)


def test_wet_bulb_agrees_with_psychrolib_also_in_frost() -> None:
    """Humidity of weather data stands over water, psychrolib's below 0 over ice."""
    psychrolib.SetUnitSystem(psychrolib.SI)
    year = load_weather("chicago")
    for hour in range(0, 8760, 97):
        dry, dew, pressure = (
            float(getattr(year, field)[hour])
            for field in ("dry_bulb", "dew_point", "pressure")
        )
        vapour = 610.94 * np.exp(17.625 * dew / (dew + 243.04))
        saturated = psychrolib.GetSatVapPres(dry)
        expected = psychrolib.GetTWetBulbFromRelHum(
            dry, min(vapour / saturated, 1.0), pressure
        )
        assert float(year.wet_bulb[hour]) == pytest.approx(expected, abs=0.05)


def test_empty_pressure_is_the_standard_atmosphere_of_the_elevation() -> None:
    year = load_weather("frankfurt-2021")
    assert float(year.pressure[0]) == pytest.approx(99997.0, abs=10.0)
    assert "111 m" in year.notes[0]


def test_unknown_elevation_is_sea_level_and_is_noted(tmp_path: Path) -> None:
    path = written(tmp_path, hourly(24))
    year = load_weather(path, allow_partial=True)
    assert float(year.pressure[0]) == pytest.approx(101325.0)
    assert "sea level" in year.notes[0]
    high = load_weather(path, allow_partial=True, elevation_m=1600.0)
    assert float(high.pressure[0]) == pytest.approx(83524.0, abs=100.0)


def test_interpolation_is_linear_and_wraps_at_the_end() -> None:
    values = jnp.asarray([0.0, 12.0, 24.0], jnp.float32)
    times = jnp.asarray([0.0, 300.0, 3600.0, 9000.0, 10800.0, 14400.0], jnp.float32)
    found = jax.jit(interpolate)(values, times)
    np.testing.assert_allclose(found, [0.0, 1.0, 12.0, 12.0, 0.0, 12.0], atol=1e-3)


def test_interpolation_meets_every_hour_of_the_year(phoenix: Weather) -> None:
    times = jnp.arange(8760, dtype=jnp.int32) * 3600
    found = interpolate(phoenix.dry_bulb, times)
    np.testing.assert_allclose(found, phoenix.dry_bulb, atol=1e-3)


def test_stacked_years_interpolate_as_each_alone(phoenix: Weather) -> None:
    years = [phoenix, load_weather("dallas-2021")]
    both = stack_weather(years)
    assert both.wet_bulb.shape == (2, 8760)
    time = jnp.float32(4.5e6)
    found = jax.vmap(interpolate, (0, None))(both.wet_bulb, time)
    alone = [interpolate(year.wet_bulb, time) for year in years]
    np.testing.assert_allclose(found, jnp.stack(alone), rtol=1e-6)


def test_years_of_different_length_do_not_stack(
    tmp_path: Path, phoenix: Weather
) -> None:
    day = load_weather(written(tmp_path, hourly(24)), allow_partial=True)
    with pytest.raises(InputError, match="expected one length"):
        stack_weather([phoenix, day])


def test_part_of_a_year_is_refused_unless_allowed(tmp_path: Path) -> None:
    path = written(tmp_path, hourly(24, "2021-07-01T05:00:00+01:00"))
    with pytest.raises(InputError, match=r"found 24 rows.*8760 or 8784"):
        load_weather(path)
    part = load_weather(path, allow_partial=True)
    assert part.start == "2021-07-01T05:00:00+01:00"
    assert part.hours == 24


def test_year_from_july_to_june_is_turned_to_start_in_january(tmp_path: Path) -> None:
    rows = hourly(8760, "2021-07-01T00:00:00+01:00")
    january = next(i for i, row in enumerate(rows) if row.startswith("2022-01-01T00"))
    rows[january] = rows[january].replace(",20,", ",7,")
    year = load_weather(written(tmp_path, rows))
    assert float(year.dry_bulb[0]) == 7.0
    assert total(year.dry_bulb) == 20.0 * 8759 + 7.0 + 365.0


def test_leap_year_is_a_whole_year(tmp_path: Path) -> None:
    rows = hourly(8784, "2024-01-01T00:00:00+01:00")
    assert load_weather(written(tmp_path, rows)).hours == 8784


def changed(row: int, old: str, new: str) -> list[str]:
    rows = hourly(48)
    assert old in rows[row]
    rows[row] = rows[row].replace(old, new)
    return rows


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (changed(3, ",20,", ",,"), r"line 5, column 'dry_bulb_c': found ''"),
        (changed(3, ",20,", ",nan,"), r"line 5, column 'dry_bulb_c': found 'nan'"),
        (changed(3, ",20,", ",68 F,"), r"found '68 F', expected -60 to 60 degC"),
        (changed(3, ",20,", ",293,"), r"found '293', expected -60 to 60 degC"),
        (changed(0, ",50,", ",101,"), r"line 2.*'101', expected 0 to 100 %"),
        (changed(3, "+01:00", "+02:00"), r"line 5, column 'time'.*summer time"),
        (changed(3, "+01:00", ""), r"line 5, column 'time'.*UTC offset such as"),
        (changed(3, "03:00:00", "03:30:00"), r"line 5.*full hour"),
        (
            changed(3, "T03:", "T02:"),
            r"line 5.*after 2021-01-01T02.*stands there twice",
        ),
        (changed(3, "T03:", "T01:"), r"line 5.*one hour after.*sort the rows"),
        (changed(3, "T03:", "T06:"), r"line 5.*one hour after.*3 hours are missing"),
        (changed(3, "2021-01-01T03:00:00+01:00", "noon"), r"line 5.*'noon'"),
        (
            hourly(48)[:9] + hourly(48)[10:],
            r"line 11, column 'time'.*1 hour is missing",
        ),
        (changed(0, ",20,50,", ",45,70,"), r"line 2.*dew point up to 35 degC"),
        ([row + "21" for row in hourly(48)], r"'dew_point_c'.*at most the dry bulb"),
        ([r[:-1] + "1013," for r in hourly(48)], r"'1013', expected 50000 to 110000"),
        ([*hourly(4)[:3], hourly(4)[3][:-1] + "101325,"], r"line 2.*'pressure_pa'"),
        (changed(3, ",,", ""), r"line 5: found 3 cells, expected 5"),
    ],
)
def test_bad_row_is_refused_with_place_found_and_expected(
    tmp_path: Path, rows: list[str], expected: str
) -> None:
    with pytest.raises(InputError, match=expected) as refused:
        load_weather(written(tmp_path, rows), allow_partial=True)
    assert "city.csv" in str(refused.value)


def test_unknown_or_missing_column_is_refused(tmp_path: Path) -> None:
    strange = HEADER.replace("dry_bulb_c", "dry_bulb_f")
    with pytest.raises(InputError, match="no column 'dry_bulb_c'"):
        load_weather(written(tmp_path, hourly(24), strange))
    extra = [row + "," for row in hourly(24)]
    with pytest.raises(InputError, match="unknown column 'wind'"):
        load_weather(written(tmp_path, extra, HEADER + ",wind"))


def test_optional_columns_may_be_absent(tmp_path: Path) -> None:
    rows = [row[:-2] for row in hourly(24)]
    path = written(tmp_path, rows, "time,dry_bulb_c,relative_humidity_pct")
    assert load_weather(path, allow_partial=True).hours == 24


def test_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(InputError, match=r"'pheonix'.*one of chicago"):
        load_weather("pheonix")
