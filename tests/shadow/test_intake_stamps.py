"""Time stamps: read as strptime reads them, told as the zone's own rules tell them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_exports import Export, bring_in, kinds_of, made_export, made_map, stamps

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.file_types import FileMap
from coolbound_shadow.intake.map_types import TimeMap
from coolbound_shadow.intake.order import swap_day_month
from coolbound_shadow.intake.reasons import NONEXISTENT, ROW_GOOD
from coolbound_shadow.intake.stamp_formats import check_format
from coolbound_shadow.intake.stamps import NO_STAMP, Stamps, read_stamps
from coolbound_shadow.intake.zones import Instants, Place, to_utc

FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%m/%d/%y %I:%M:%S %p",
    "%d-%b-%Y %H:%M:%S",
    "%Y%m%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S.%f",
)
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2068, 12, 31))


def epoch_ms(stamp: datetime) -> int:
    return (stamp - datetime(1970, 1, 1)) // timedelta(milliseconds=1)


@settings(deadline=None)
@given(st.sampled_from(FORMATS), st.lists(MOMENTS, min_size=1, max_size=5))
def test_stamps_are_read_as_strptime_reads_them(
    form: str, moments: list[datetime]
) -> None:
    texts = [f"{moment:{form}}" for moment in moments]
    wanted = [epoch_ms(datetime.strptime(text, form)) for text in texts]
    found = read_stamps(pa.array(texts), form)
    np.testing.assert_array_equal(found.wall_ms, wanted)


@settings(deadline=None)
@given(st.text(max_size=24))
def test_no_text_is_read_that_strptime_would_not_read(text: str) -> None:
    [found] = read_stamps(pa.array([text], pa.string()), "%d.%m.%Y %H:%M").wall_ms
    if found != NO_STAMP:
        wanted = datetime.strptime(text.strip(), "%d.%m.%Y %H:%M")
        assert found == epoch_ms(wanted)


@pytest.mark.parametrize(
    "text",
    ["31.02.2024 10:00", "01.13.2024 10:00", "01.01.2024 25:00", "1.1.24 10:00", ""],
)
def test_what_is_no_date_is_not_read(text: str) -> None:
    [found] = read_stamps(pa.array([text]), "%d.%m.%Y %H:%M").wall_ms
    assert found == NO_STAMP


def test_midnight_written_as_24_ends_the_day() -> None:
    [found] = read_stamps(pa.array(["31.12.2023 24:00"]), "%d.%m.%Y %H:%M").wall_ms
    assert found == epoch_ms(datetime(2024, 1, 1))


@pytest.mark.parametrize(
    ("text", "hour"),
    [("12:05 AM", 0), ("12:05 pm", 12), ("1:05 p.m.", 13), ("11:05 a.m.", 11)],
)
def test_noon_and_midnight_of_twelve_hours(text: str, hour: int) -> None:
    column = pa.array([f"2024-05-01 {text}"])
    [found] = read_stamps(column, "%Y-%m-%d %I:%M %p").wall_ms
    assert found == epoch_ms(datetime(2024, 5, 1, hour, 5))


@pytest.mark.parametrize(
    ("text", "month"),
    [("3. März 2024", 3), ("3. Dez 2024", 12), ("3 août 2024", 8), ("3 ene 2024", 1)],
)
def test_months_by_name_in_several_languages(text: str, month: int) -> None:
    form = "%d. %b %Y" if "." in text else "%d %b %Y"
    [found] = read_stamps(pa.array([text]), form).wall_ms
    assert found == epoch_ms(datetime(2024, month, 3))


def test_iso_text_with_offsets_fractions_and_without_time() -> None:
    texts = ["2024-05-01T10:00:00+02:00", "2024-05-01 10:00:00.25Z", "2024-05-01"]
    found = read_stamps(pa.array(texts), "iso")
    tens = epoch_ms(datetime(2024, 5, 1, 10))
    assert list(found.wall_ms) == [tens, tens + 250, epoch_ms(datetime(2024, 5, 1))]
    assert found.offset_s is not None
    assert list(found.offset_s) == [7200, 0, NO_STAMP]


@pytest.mark.parametrize(
    ("form", "text", "wanted"),
    [
        ("unix_s", "1714557600", datetime(2024, 5, 1, 10)),
        ("unix_ms", "1714557600250", datetime(2024, 5, 1, 10, 0, 0, 250_000)),
        ("excel_serial", "45413.41667", datetime(2024, 5, 1, 10)),
        ("excel_serial", "45413,5", datetime(2024, 5, 1, 12)),
        ("excel_serial_1904", "43951.5", datetime(2024, 5, 1, 12)),
    ],
)
def test_numbers_that_stand_for_time(form: str, text: str, wanted: datetime) -> None:
    [found] = read_stamps(pa.array([text]), form).wall_ms
    assert found == epoch_ms(wanted)


@pytest.mark.parametrize(
    "form", ["%H:%M", "%Y-%m", "%Y-%m-%d %Q", "%Y-%m-%d %d", "excel"]
)
def test_a_format_that_leaves_the_day_open_is_refused(form: str) -> None:
    with pytest.raises(InputError, match="expected a strptime format"):
        check_format(form, "map.time")


ZONES = ("Europe/Berlin", "America/New_York", "Asia/Singapore", "Australia/Lord_Howe")


def localised(moments: list[datetime], zone: str, policy: str) -> Instants:
    walls = np.asarray([epoch_ms(m.replace(tzinfo=None)) for m in moments])
    time = TimeMap(
        zone=zone, on_ambiguous=policy, min_utc=-(10**9), max_future_s=10**10
    )
    place = Place("made.csv", np.arange(len(walls)))
    return to_utc(Stamps(walls), FileMap("f", "*"), time, 0, place)


@settings(deadline=None)
@given(st.sampled_from(ZONES), st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)))
def test_a_local_stamp_becomes_what_the_zones_rules_say(
    zone: str, moment: datetime
) -> None:
    moment = moment.replace(second=0, microsecond=0)
    rules = ZoneInfo(zone)
    folds = [moment.replace(tzinfo=rules, fold=fold).astimezone(UTC) for fold in (0, 1)]
    found = localised([moment], zone, "flag_both")
    is_skipped = folds[0].astimezone(rules).replace(tzinfo=None) != moment
    if is_skipped:
        assert found.row_reason[0] == NONEXISTENT
        return
    assert found.row_reason[0] == ROW_GOOD
    assert found.is_ambiguous[0] == (folds[0] != folds[1])
    assert found.utc_ms[0] == folds[0].timestamp() * 1000


def night(skipped: tuple[int, ...] = ()) -> list[datetime]:
    """Return the faces of an autumn night in Berlin, ten minutes apart."""
    start = datetime(2024, 10, 26, 22, tzinfo=UTC)
    moments = [start + i * timedelta(minutes=10) for i in range(30)]
    kept = [m for i, m in enumerate(moments) if i not in skipped]
    return [m.astimezone(ZoneInfo("Europe/Berlin")) for m in kept]


@pytest.mark.parametrize("skipped", [(), (13, 14), (17,), (18,), (20, 22)])
def test_the_order_of_rows_tells_the_two_autumn_hours_apart(
    skipped: tuple[int, ...],
) -> None:
    moments = night(skipped)
    found = localised(moments, "Europe/Berlin", "ordered")
    wanted = [m.timestamp() * 1000 for m in moments]
    np.testing.assert_array_equal(found.utc_ms, wanted)
    assert not np.any(found.is_ambiguous)


def test_where_one_of_the_two_hours_is_absent_order_proves_nothing() -> None:
    moments = night(tuple(range(12, 18)))
    found = localised(moments, "Europe/Berlin", "ordered")
    assert found.is_ambiguous.sum() == 6


def in_winter_time(export: Export) -> Export:
    export.times[:] = stamps(432, datetime(2024, 10, 26))
    return export


def test_ordered_rows_of_an_autumn_night_lose_nothing(tmp_path: Path) -> None:
    export = made_export()
    first = datetime(2024, 10, 26, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    moments = [first + i * timedelta(minutes=10) for i in range(432)]
    faces = [m.astimezone(ZoneInfo("Europe/Berlin")) for m in moments]
    export.times[:] = [f"{m:%Y-%m-%d %H:%M:%S}" for m in faces]
    data = bring_in(
        export.write(tmp_path), made_map('on_ambiguous = "ordered"'), tmp_path / "out"
    )
    assert data["rows"]["accepted"] == 432
    assert "ambiguous_time" not in kinds_of(data)
    read = pq.read_table(tmp_path / "out" / "canonical.parquet")
    time = np.asarray(read["ts_utc"].cast(pa.int64())[:432])
    np.testing.assert_array_equal(time, [int(m.timestamp() * 1000) for m in moments])


def test_flagged_hours_stay_empty_in_the_regular_log(tmp_path: Path) -> None:
    export = in_winter_time(made_export())
    text = made_map('on_ambiguous = "flag_both"')
    data = bring_in(export.write(tmp_path), text, tmp_path / "out")
    assert kinds_of(data)["ambiguous_time"][0]["count"] == 6
    log = pq.read_table(tmp_path / "out" / "log.parquet")
    night = [t for t in log["time"].to_pylist() if t.startswith("2024-10-27T02")]
    assert night == []


def test_the_zones_abbreviation_in_the_stamp_settles_the_hour(tmp_path: Path) -> None:
    export = made_export()
    first = datetime(2024, 10, 26, 12, tzinfo=UTC)
    moments = [first + i * timedelta(minutes=10) for i in range(432)]
    faces = [m.astimezone(ZoneInfo("Europe/Berlin")) for m in moments]
    export.times[:] = [f"{m:%Y-%m-%d %H:%M:%S %Z}" for m in faces]
    text = made_map(file='formats = ["%Y-%m-%d %H:%M:%S %Z"]')
    data = bring_in(export.write(tmp_path), text, tmp_path / "out")
    assert data["rows"]["accepted"] == 432
    assert data["period"]["start_utc"] == "2024-10-26T12:00:00Z"


def test_utc_and_a_fixed_offset_know_no_summer(tmp_path: Path) -> None:
    path = in_winter_time(made_export()).write(tmp_path)
    for i, (time, start) in enumerate(
        (
            ('stamps = "utc"', "2024-10-26T00:00:00Z"),
            (
                'stamps = "fixed_offset"\nfixed_offset = "+01:00"',
                "2024-10-25T23:00:00Z",
            ),
        )
    ):
        data = bring_in(path, made_map(time), tmp_path / f"out{i}")
        assert data["rows"]["accepted"] == 432
        assert data["period"]["start_utc"] == start


@settings(deadline=None)
@given(st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)))
def test_swapping_day_and_month_twice_gives_the_day_back(moment: datetime) -> None:
    wall = np.asarray([epoch_ms(moment)])
    swapped = swap_day_month(wall)
    np.testing.assert_array_equal(swap_day_month(swapped), wall)
    if moment.day <= 12:
        other = moment.replace(day=moment.month, month=moment.day)
        assert swapped[0] == epoch_ms(other)
