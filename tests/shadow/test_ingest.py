"""Logs of plants nobody here has seen: flagged, counted, never repaired."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_logs import made_log

import coolbound_shadow
from coolbound_envs.spec import CHANNEL_NAMES, POINT_INDEX
from coolbound_envs.tables import InputError, read_toml
from coolbound_envs.types import Quality
from coolbound_shadow.ingest import read_log
from coolbound_shadow.log_types import Log, local_text
from coolbound_shadow.log_writer import write_log
from coolbound_shadow.point_types import FileSpec, PointMap, PointSpec
from coolbound_shadow.points import parse_point_map

SUPPLY = POINT_INDEX["chw_supply_temp"]


def site_map(
    step_s: int = 300,
    on_ambiguous: str = "refuse",
    file: FileSpec | None = None,
    **point: object,
) -> PointMap:
    """Return a map of one file with one column in degC, in Berlin."""
    spec = PointSpec("chw_supply_temp", "plant", ("T",), lower=0.0, upper=40.0)
    for name, value in point.items():
        object.__setattr__(spec, name, value)
    file = file or FileSpec("plant", "plant.csv", "Time")
    return PointMap(
        "site.toml.points", "Europe/Berlin", step_s, (file,), (spec,), on_ambiguous
    )


def write_csv(tmp_path: Path, *rows: str, header: str = "Time,T") -> Path:
    path = tmp_path / "plant.csv"
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def stamps(*minutes: int) -> list[str]:
    return [f"2024-05-01T{m // 60:02d}:{m % 60:02d}:00" for m in minutes]


def test_a_written_log_reads_back_as_it_was(tmp_path: Path) -> None:
    log = made_log(50)
    log.values[3, 0] = np.nan
    log.quality[3, 0] = Quality.MISSING
    log.quality[7, SUPPLY] = Quality.UNCERTAIN
    log.applied[5, 2] = np.nan
    for path in write_log(log, tmp_path):
        again = read_log(path)
        np.testing.assert_array_equal(again.time_utc, log.time_utc)
        np.testing.assert_array_equal(again.offset, log.offset)
        np.testing.assert_array_equal(again.quality, log.quality)
        np.testing.assert_allclose(again.values, log.values, atol=1e-4)
        np.testing.assert_allclose(again.applied, log.applied, atol=1e-4)
        assert again.observable == log.observable
        assert again.step_s == log.step_s


def test_a_missing_cell_stays_missing_and_text_is_bad(tmp_path: Path) -> None:
    t = stamps(5, 10, 15, 20)
    path = write_csv(tmp_path, f"{t[0]},7.0", f"{t[1]},", f"{t[2]},n/a", f"{t[3]},8.0")
    keep = PointSpec("chw_return_temp", "plant", ("U",), lower=0.0, upper=50.0)
    path.write_text(
        "\n".join(
            f"{line},{'U' if i == 0 else 9.0}"
            for i, line in enumerate(path.read_text().splitlines())
        )
    )
    points = site_map()
    object.__setattr__(points, "points", (*points.points, keep))
    log = read_log(path, points)
    expected = [Quality.GOOD, Quality.MISSING, Quality.BAD, Quality.GOOD]
    np.testing.assert_array_equal(log.quality[:, SUPPLY], expected)
    assert np.isnan(log.values[1:3, SUPPLY]).all()
    assert log.flagged == {"chw_supply_temp": {"missing": 1, "no number": 1}}


def test_a_row_without_any_usable_reading_is_counted_and_left_out(
    tmp_path: Path,
) -> None:
    t = stamps(5, 10, 15)
    path = write_csv(tmp_path, f"{t[0]},7.0", f"{t[1]},NaN", f"{t[2]},8.0")
    log = read_log(path, site_map())
    assert log.rows == 2
    assert log.rejected == {"no usable reading": 1}
    assert log.missing_steps == 1


def test_a_row_with_another_number_of_cells_is_counted(tmp_path: Path) -> None:
    t = stamps(5, 10, 15)
    path = write_csv(tmp_path, f"{t[0]},7.0", "end of shift", f"{t[1]},7.1")
    log = read_log(path, site_map())
    assert (log.rows, log.rows_read) == (2, 3)
    assert log.rejected == {"wrong number of cells": 1}


def test_a_malformed_row_does_not_shift_the_row_named_in_an_error(
    tmp_path: Path,
) -> None:
    t = stamps(5, 10)
    path = write_csv(tmp_path, f"{t[0]},7.0", "end of shift", f"{t[1]},7.1", "x,7.2")
    with pytest.raises(InputError, match=r"plant\.csv, row 5: found 'x'"):
        read_log(path, site_map())


def test_a_dropout_value_is_bad_and_keeps_what_was_logged(tmp_path: Path) -> None:
    rows = [f"{t},{v}" for t, v in zip(stamps(5, 10, 15), (47, 32, 48), strict=True)]
    points = site_map(bad_values=(32.0,), gain=5 / 9, bias=-160 / 9)
    log = read_log(write_csv(tmp_path, *rows, f"{stamps(20)[0]},49"), points)
    assert log.flagged == {"chw_supply_temp": {"dropout value": 1}}
    # The row has nothing else, so it is left out and counted.
    assert log.rejected == {"no usable reading": 1}


def test_a_stuck_value_is_bad_only_once_it_has_stood_too_long(tmp_path: Path) -> None:
    values = [7.0, 7.5, 7.5, 7.5, 7.5, 8.0]
    rows = [f"{t},{v},9" for t, v in zip(stamps(*range(5, 35, 5)), values, strict=True)]
    keep = PointSpec("chw_return_temp", "plant", ("U",))
    points = site_map(stuck_s=600.0)
    object.__setattr__(points, "points", (*points.points, keep))
    log = read_log(write_csv(tmp_path, *rows, header="Time,T,U"), points)
    bad = log.quality[:, SUPPLY] == Quality.BAD
    np.testing.assert_array_equal(bad, [False, False, False, True, True, False])
    assert log.episodes[0].reason == "stuck"
    assert log.episodes[0].start == log.time_utc[1]
    assert np.isnan(log.usable()[3, SUPPLY])
    assert log.values[3, SUPPLY] == 7.5


def test_a_constant_value_is_not_stuck_where_the_check_is_off(tmp_path: Path) -> None:
    rows = [f"{t},7.0" for t in stamps(*range(5, 300, 5))]
    assert not read_log(write_csv(tmp_path, *rows), site_map()).flagged


@pytest.mark.parametrize(("resample", "expected"), [("mean", 8.0), ("last", 9.0)])
def test_a_step_takes_the_readings_since_the_step_before(
    tmp_path: Path, resample: str, expected: float
) -> None:
    pairs = zip(stamps(5, 6, 8, 10), (1.0, 7.0, 8.0, 9.0), strict=True)
    rows = [f"{t},{v}" for t, v in pairs]
    log = read_log(write_csv(tmp_path, *rows), site_map(resample=resample))
    np.testing.assert_array_equal(log.values[:, SUPPLY], [1.0, expected])


def test_a_second_file_is_held_only_while_it_is_young(tmp_path: Path) -> None:
    rows = [f"{t},7.{i}" for i, t in enumerate(stamps(5, 10, 15, 20, 25))]
    path = write_csv(tmp_path, *rows)
    sensor = "DateTime;A\n01.05.2024 00:04:34;20,5\n01.05.2024 00:24:00;21,5\n"
    (tmp_path / "sensor.csv").write_text("\ufeff" + sensor, encoding="utf-8")
    points = site_map()
    file = FileSpec(
        "sensor",
        "sensor.csv",
        "DateTime",
        formats=("%d.%m.%Y %H:%M:%S",),
        delimiter=";",
        decimal=",",
        max_age=600.0,
    )
    air = PointSpec("outdoor_temp", "sensor", ("A",), lower=-45.0, upper=60.0)
    object.__setattr__(points, "files", (*points.files, file))
    object.__setattr__(points, "points", (*points.points, air))
    log = read_log(path, points)
    column = POINT_INDEX["outdoor_temp"]
    good, held, gone = Quality.GOOD, Quality.UNCERTAIN, Quality.MISSING
    np.testing.assert_array_equal(
        log.quality[:, column], [good, held, gone, gone, good]
    )
    np.testing.assert_array_equal(
        log.values[:, column], [20.5, 20.5, np.nan, np.nan, 21.5]
    )
    assert log.flagged["outdoor_temp"] == {"held": 1}


def test_states_and_sums_become_numbers(tmp_path: Path) -> None:
    t = stamps(5, 10)
    path = write_csv(tmp_path, f"{t[0]},on,off", f"{t[1]},on,on", header="Time,CH1,CH2")
    points = site_map()
    spec = PointSpec(
        "chiller_demand",
        "plant",
        ("CH1", "CH2"),
        "action",
        states=(("off", 0.0), ("on", 1.0)),
    )
    status = PointSpec("chillers_running", "plant", ("CH1",), states=spec.states)
    object.__setattr__(points, "points", (spec, status))
    log = read_log(path, points)
    demand = log.applied[:, CHANNEL_NAMES.index("chiller_demand")]
    np.testing.assert_array_equal(demand, [1.0, 2.0])
    assert log.observable == ("chillers_running", "chiller_demand")


AUTUMN = ("2024-10-27T01:55:00", "2024-10-27T02:30:00", "2024-10-27T03:05:00")


def test_the_repeated_autumn_hour_is_refused_by_default(tmp_path: Path) -> None:
    path = write_csv(tmp_path, *(f"{t},7.0" for t in AUTUMN))
    with pytest.raises(InputError, match=r"row 3: .* occurs twice in Europe/Berlin"):
        read_log(path, site_map(step_s=3600))


def test_the_repeated_autumn_hour_is_counted_where_the_site_says_flag(
    tmp_path: Path,
) -> None:
    path = write_csv(tmp_path, *(f"{t},7.0" for t in AUTUMN))
    log = read_log(path, site_map(step_s=7200, on_ambiguous="flag"))
    assert log.rejected == {"ambiguous time": 1}
    np.testing.assert_array_equal(log.offset, [7200, 3600])


def test_the_skipped_spring_hour_is_counted_and_many_of_them_are_refused(
    tmp_path: Path,
) -> None:
    hours = [
        f"2024-03-{d:02d}T{h:02d}:30:00,7.0" for d in range(27, 32) for h in range(24)
    ]
    log = read_log(write_csv(tmp_path, *hours), site_map(step_s=3600))
    assert log.rejected == {"time does not exist": 1}
    with pytest.raises(InputError, match="which Europe/Berlin skips"):
        read_log(write_csv(tmp_path, *hours[96:]), site_map(step_s=3600))


def test_stamps_of_1970_are_counted_and_a_repeated_row_too(tmp_path: Path) -> None:
    t = stamps(5, 10)
    path = write_csv(
        tmp_path, "1970-01-01T00:00:00,7", f"{t[0]},7", f"{t[0]},8", f"{t[1]},9"
    )
    log = read_log(path, site_map())
    assert log.rejected == {"repeated time": 1, "time out of range": 1}
    np.testing.assert_array_equal(log.values[:, SUPPLY], [7.0, 9.0])


def test_day_and_month_that_could_be_swapped_are_refused(tmp_path: Path) -> None:
    file = FileSpec("plant", "plant.csv", "Time", formats=("%d/%m/%Y", "%m/%d/%Y"))
    path = write_csv(tmp_path, "01/02/2024,7", "02/02/2024,7")
    with pytest.raises(InputError, match="with different days"):
        read_log(path, site_map(step_s=86400, file=file))


T5, T10, T15 = stamps(5, 10, 15)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            (f"{T5},7", f"{T15},7", f"{T10},7"),
            "row 4: found 2024-04-30T22:10:00Z after",
        ),
        ((f"{T5},7", ",7"), "row 3: found ''"),
        ((f"{T5},7", "NaN,7"), "row 3: found 'NaN'"),
        ((f"{T5}+02:00,7", f"{T10}+02:00,7"), "row 2: found '2024-05-01T00:05:00"),
        ((), "found no data row"),
        ((f"{T5},7",), "found 1 usable rows of 1"),
        ((f"{T5},warm", f"{T10},cold"), "no number at all"),
        ((f"{T5},99", f"{T10},99"), "found no usable reading in 2 rows"),
        ((f"{T5},7", f"{T15},7", "2024-05-01T00:25:00,7"), "rows 600 s apart"),
    ],
)
def test_a_log_that_cannot_be_trusted_is_refused_in_one_sentence(
    tmp_path: Path, rows: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError) as error:
        read_log(write_csv(tmp_path, *rows), site_map())
    assert message in str(error.value)
    assert "plant.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_files_and_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        read_log(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"found 0 files for 'plant\.csv'"):
        read_log(tmp_path, site_map())
    path = write_csv(tmp_path, f"{T5},7", f"{T10},7")
    with pytest.raises(InputError, match="found no column 'CHWS'"):
        read_log(path, site_map(columns=("CHWS",)))
    file = FileSpec("plant", "plant.csv", "Stamp")
    with pytest.raises(InputError, match="found no column 'Stamp'"):
        read_log(path, site_map(file=file))


def test_a_header_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path, f"{T5},7,8", f"{T10},7,8", header="Time,T,T")
    with pytest.raises(InputError, match="found column 'T' 2 times"):
        read_log(path, site_map())


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_log(path)


def test_a_decimal_comma_is_no_thousands_mark(tmp_path: Path) -> None:
    file = FileSpec("plant", "plant.csv", "Time", delimiter=";", decimal=",")
    path = write_csv(tmp_path, f"{T5};7,125", f"{T10};7,250", header="Time;T")
    log = read_log(path, site_map(file=file))
    np.testing.assert_array_equal(log.values[:, SUPPLY], [7.125, 7.25])


def test_parquet_stamps_in_utc_get_the_offset_of_the_site(tmp_path: Path) -> None:
    start = 1_711_846_800  # 2024-03-31T01:00:00Z, when Berlin's clocks change
    time = pa.array([start - 300, start], pa.timestamp("s", tz="UTC"))
    path = tmp_path / "plant.parquet"
    pq.write_table(pa.table({"Time": time, "T": pa.array([7, 8])}), path)
    log = read_log(path, site_map())
    assert [local_text(*p) for p in zip(log.time_utc, log.offset, strict=True)] == [
        "2024-03-31T01:55:00+01:00",
        "2024-03-31T03:00:00+02:00",
    ]


def december() -> Log:
    """Return the real plant's log, or skip where it is not at hand."""
    root = Path(__file__).parents[2]
    default = root.parent / "shared" / "data" / "operator_logs"
    folder = Path(os.environ.get("COOLBOUND_OPERATOR_LOGS", default))
    if not (folder / "TableData23_12.csv").is_file():
        pytest.skip(
            "the December plant log is not part of the repository; set "
            "COOLBOUND_OPERATOR_LOGS to its folder"
        )
    site = Path(coolbound_shadow.__file__).parent / "sites" / "december_plant.toml"
    table = read_toml(site)
    zone = table.table("site").text("zone")
    points = parse_point_map(table.table("points"), zone)
    return read_log(folder / "TableData23_12.csv", points)


def test_the_defects_of_a_real_log_are_found_and_counted() -> None:
    log = december()
    assert (log.rows, log.missing_steps, log.rows_read) == (4441, 24, 4441 + 4451)
    assert log.rejected == {}
    assert log.flagged["plant_wet_bulb"]["dropout value"] == 47
    assert log.flagged["chw_flow"] == {"dropout value": 152}
    stuck = log.episodes[0]
    assert (stuck.point, stuck.reason) == ("plant_wet_bulb", "stuck")
    assert local_text(stuck.start, 8 * 3600) == "2023-12-20T00:00:00+08:00"
    assert "outdoor_wet_bulb" in log.observable
    assert "chw_supply_setpoint" not in log.observable


def test_a_real_log_comes_out_in_the_units_of_the_spec() -> None:
    log = december()
    means = np.nanmean(log.usable()[:, [SUPPLY, POINT_INDEX["chw_flow"]]], axis=0)
    assert 7.0 < means[0] < 9.0  # 43 to 64 degF
    assert 77.0 < means[1] < 89.0  # 1233 to 1402 gal/min
    speed = log.applied[:, CHANNEL_NAMES.index("cw_pump_speed")]
    running = speed[speed > 0.0]
    assert 0.9 < np.min(running) < np.max(running) < 1.0
