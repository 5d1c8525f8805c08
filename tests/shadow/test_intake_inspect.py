"""Unknown exports: what inspect proposes is imported and gives the readings back.

One small plant is written in every form that exports come in. Nothing but the zone,
which is never guessed, is told to inspect.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from made_exports import NOW_S, bring_in, write_rows
from made_logs import made_log

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.guess_points import own_name
from coolbound_shadow.intake.handover import import_site
from coolbound_shadow.intake.inspecting import inspect_logs
from coolbound_shadow.intake.map_reader import parse_map
from coolbound_shadow.log_writer import write_log

ZONE = "Europe/Berlin"
START = datetime(2024, 5, 28, 0, 0)
ROWS = 720
STEP = timedelta(minutes=10)
TIMES = [START + i * STEP for i in range(ROWS)]


def plant() -> dict[str, np.ndarray]:
    """Return what the plant did, by the point of coolbound, in its unit."""
    rng = np.random.default_rng(5)
    wave = np.sin(2 * np.pi * np.arange(ROWS) / 144.0)
    supply = np.round(8.0 + wave + rng.normal(0, 0.15, ROWS), 2)
    return {
        "chw_supply_temp": supply,
        "chw_return_temp": np.round(supply + 5.0 + 0.5 * wave, 2),
        "chiller_power": np.round(1180.0 + 300.0 * wave + rng.normal(0, 5, ROWS), 1),
    }


PLANT = plant()

Written = tuple[list[Path], dict[str, str]]
"""Files, and the column or tag that holds each point."""


def table(
    names: list[str], form: str, number: Callable[[float], str]
) -> list[list[str]]:
    cells = [[number(x) for x in column] for column in PLANT.values()]
    rows = [[t.strftime(form), *row] for t, row in zip(TIMES, zip(*cells), strict=True)]  # noqa: B905
    return [names, *rows]


ENGLISH = [
    "Timestamp",
    "CHW Supply Temp [degC]",
    "CHW Return Temp [degC]",
    "CH-1 Power [kW]",
]
GERMAN = [
    "Zeit",
    "Kaltwasser Vorlauf Temp. [°C]",
    "Kaltwasser Rücklauf Temp. [°C]",
    "Leistung Kältemaschine 1 [kW]",
]
FRENCH = [
    "Date",
    "Température départ eau glacée (°C)",
    "Température retour eau glacée (°C)",
    "Puissance groupe froid (kW)",
]
SPANISH = [
    "Fecha",
    "Temperatura impulsión agua helada (°C)",
    "Temperatura retorno agua helada (°C)",
    "Potencia enfriadora (kW)",
]
CHINESE = ["时间", "冷冻水供水温度(℃)", "冷冻水回水温度(℃)", "冷水机组功率(kW)"]


def points(names: list[str]) -> dict[str, str]:
    return dict(zip(PLANT, names[1:], strict=True))


def comma(value: float) -> str:
    return f"{value:.2f}".replace(".", ",")


def grouped(value: float) -> str:
    return f"{value:,.2f}"


def swiss(value: float) -> str:
    return f"{value:,.2f}".replace(",", "'")


def plain(value: float) -> str:
    return f"{value:.2f}"


def wide(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M:%S", plain)
    return [write_rows(folder / "a.csv", rows)], points(ENGLISH)


def german(folder: Path) -> Written:
    rows = table(GERMAN, "%d.%m.%Y %H:%M", comma)
    return [write_rows(folder / "a.csv", rows, ";")], points(GERMAN)


def legacy_encoding(folder: Path) -> Written:
    [path], named = german(folder)
    path.write_bytes(path.read_text("utf-8").encode("cp1252"))
    return [path], named


def french_tabs_utf16(folder: Path) -> Written:
    rows = table(FRENCH, "%d/%m/%Y %H:%M:%S", comma)
    path = write_rows(folder / "a.txt", rows, "\t")
    path.write_bytes(path.read_text("utf-8").encode("utf-16"))
    return [path], points(FRENCH)


def spanish(folder: Path) -> Written:
    rows = table(SPANISH, "%d-%m-%Y %H:%M", comma)
    return [write_rows(folder / "a.csv", rows, ";")], points(SPANISH)


def chinese_gb(folder: Path) -> Written:
    path = write_rows(folder / "a.csv", table(CHINESE, "%Y/%m/%d %H:%M", plain))
    path.write_bytes(path.read_text("utf-8").encode("gb18030"))
    return [path], points(CHINESE)


def chinese(folder: Path) -> Written:
    rows = table(CHINESE, "%Y/%m/%d %H:%M", plain)
    return [write_rows(folder / "a.csv", rows)], points(CHINESE)


def american(folder: Path) -> Written:
    rows = table(ENGLISH, "%m/%d/%Y %I:%M:%S %p", grouped)
    return [write_rows(folder / "a.csv", rows)], points(ENGLISH)


def apostrophes(folder: Path) -> Written:
    rows = table(ENGLISH, "%d.%m.%y %H:%M", swiss)
    return [write_rows(folder / "a.csv", rows, ";")], points(ENGLISH)


def month_names(folder: Path) -> Written:
    rows = table(ENGLISH, "%d-%b-%y %I:%M:%S %p", plain)
    return [write_rows(folder / "a.csv", rows)], points(ENGLISH)


def date_and_time(folder: Path) -> Written:
    rows = table(ENGLISH, "%d.%m.%Y|%H:%M:%S", plain)
    split = [[*row[0].split("|"), *row[1:]] for row in rows[1:]]
    header = ["Date", "Time", *ENGLISH[1:]]
    return [write_rows(folder / "a.csv", [header, *split])], points(ENGLISH)


def with_offset(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y-%m-%dT%H:%M:%S+02:00", plain)
    return [write_rows(folder / "a.csv", rows)], points(ENGLISH)


def epoch(scale: int) -> Callable[[Path], Written]:
    def write(folder: Path) -> Written:
        rows = table(ENGLISH, "%Y", plain)
        for row, time in zip(rows[1:], TIMES, strict=True):
            seconds = time.replace(tzinfo=ZoneInfo(ZONE)).timestamp()
            row[0] = str(int(seconds) * scale)
        return [write_rows(folder / "a.csv", rows)], points(ENGLISH)

    return write


def serial(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y", plain)
    for row, time in zip(rows[1:], TIMES, strict=True):
        days = (time - datetime(1899, 12, 30)) / timedelta(days=1)
        row[0] = f"{days:.6f}"
    return [write_rows(folder / "a.csv", rows)], points(ENGLISH)


def odd_header(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M:%S", plain)
    above = [["Trend report"], ["Site", "Plant 7"], ["From", "2024"], []]
    below = [["Total records:", str(ROWS)], [], ["--- end ---"]]
    return [write_rows(folder / "a.csv", [*above, *rows, *below])], points(ENGLISH)


def unit_row(folder: Path) -> Written:
    rows = table(
        ["Time", "CHWS Temp", "CHWR Temp", "CH1 Power"], "%Y-%m-%d %H:%M", plain
    )
    units = ["", "degC", "degC", "kW"]
    path = write_rows(folder / "a.csv", [rows[0], units, *rows[1:]])
    return [path], points(rows[0])


def two_header_rows(folder: Path) -> Written:
    top = ["", "Chilled Water", "Chilled Water", "Chiller 1"]
    low = ["Time", "Supply Temp [degC]", "Return Temp [degC]", "Power [kW]"]
    rows = table(low, "%Y-%m-%d %H:%M", plain)
    joined = [f"{a} | {b}" if a else b for a, b in zip(top, low, strict=True)]
    return [write_rows(folder / "a.csv", [top, *rows])], points(joined)


def repeated_header(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M:%S", plain)
    joined = [*rows[:300], rows[0], *rows[300:]]
    return [write_rows(folder / "a.csv", joined)], points(ENGLISH)


def units_in_cells(folder: Path) -> Written:
    names = ["Time", "CHW Supply Temp", "CHW Return Temp", "Chiller Power"]
    rows = table(names, "%Y-%m-%d %H:%M", plain)
    for row in rows[1:]:
        row[1:] = [f"{row[1]} °C", f"{row[2]} °C", f"{row[3]} kW"]
    return [write_rows(folder / "a.csv", rows)], points(names)


def modes_and_remarks(folder: Path) -> Written:
    rows = table([*ENGLISH[:2], ENGLISH[2], ENGLISH[3]], "%Y-%m-%d %H:%M:%S", plain)
    more = [["Mode", "Remarks"], *([["Auto", "Eco"][i % 2], ""] for i in range(ROWS))]
    joined = [[r[0], m[0], *r[1:], m[1]] for r, m in zip(rows, more, strict=True)]
    joined[7][-1] = "filter changed; ok, see book"
    return [write_rows(folder / "a.csv", joined)], points(ENGLISH)


def trailing_delimiters(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M:%S", plain)
    joined = [rows[0], *([*row, ""] for row in rows[1:])]
    return [write_rows(folder / "a.csv", joined)], points(ENGLISH)


def comment_lines(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M:%S", plain)
    above = [["# exported, by the BMS, on 2024-06-03"], ["# quality: raw"]]
    return [write_rows(folder / "a.csv", [*above, *rows])], points(ENGLISH)


def padded_numbers(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M:%S", lambda x: f"{x:12.2f}")
    return [write_rows(folder / "a.csv", rows)], points(ENGLISH)


def old_mac_line_ends(folder: Path) -> Written:
    [path], named = wide(folder)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    return [path], named


def windows_line_ends(folder: Path) -> Written:
    [path], named = german(folder)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    return [path], named


def newest_first(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M:%S", plain)
    return [write_rows(folder / "a.csv", [rows[0], *rows[:0:-1]])], points(ENGLISH)


TAGS = ["t", "Plant/CHWS Temp [degC]", "Plant/CHWR Temp [degC]", "Plant/CH1 Power [kW]"]


def tall(folder: Path) -> Written:
    wide_rows = table(TAGS, "%Y-%m-%d %H:%M:%S", plain)
    rows = [["Timestamp", "Point Name", "Value"]]
    for row in wide_rows[1:]:
        rows += [
            [row[0], tag, cell] for tag, cell in zip(TAGS[1:], row[1:], strict=True)
        ]
    return [write_rows(folder / "a.csv", rows)], points(TAGS)


def tall_by_point_with_status(folder: Path) -> Written:
    wide_rows = table(TAGS, "%d.%m.%Y %H:%M", comma)
    rows = [["Zeit", "Datenpunkt", "Wert", "Status"]]
    for i, tag in enumerate(TAGS[1:], 1):
        rows += [[row[0], tag, row[i], "{ok}"] for row in wide_rows[1:]]
    return [write_rows(folder / "a.csv", rows, ";")], points(TAGS)


def opc_quality_codes(folder: Path) -> Written:
    names = ["Time", "CHWS Temp [degC]", "CHWR Temp [degC]", "CH1 Power [kW]"]
    rows = table(names, "%Y-%m-%d %H:%M:%S", plain)
    header = [names[0], *(x for n in names[1:] for x in (n, f"{n[:4]} Quality"))]
    body = [[r[0], *(x for c in r[1:] for x in (c, "192"))] for r in rows[1:]]
    return [write_rows(folder / "a.csv", [header, *body])], points(names)


def per_point(folder: Path) -> Written:
    names = ["t", "CHWS_Temp_degC", "CHWR_Temp_degC", "CH1_Power_kW"]
    rows = table(names, "%d-%b-%y %I:%M:%S %p CEST", plain)
    header = ["Timestamp", "Trend Flags", "Status", "Value"]
    paths = []
    for i, name in enumerate(names[1:], 1):
        part = [[row[0], "{ }", "{ok}", row[i]] for row in rows[1:]]
        paths.append(write_rows(folder / f"{name}.csv", [header, *part]))
    return paths, points(names)


def interleaved(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M:%S", plain)
    header, *body = rows
    pairs = [x for i in (1, 2, 3) for x in (f"Time {i}", header[i])]
    part = [[x for i in (1, 2, 3) for x in (row[0], row[i])] for row in body]
    return [write_rows(folder / "a.csv", [pairs, *part])], points(ENGLISH)


def months_to_join(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M:%S", plain)
    first = write_rows(folder / "plant_2024-05.csv", rows[:500])
    second = write_rows(folder / "plant_2024-06.csv", [rows[0], *rows[480:]])
    return [second, first], points(ENGLISH)


def two_kinds_to_join(folder: Path) -> Written:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M:%S", plain)
    water = write_rows(folder / "water.csv", [row[:3] for row in rows])
    power = write_rows(folder / "meter.csv", [[r[0], r[3]] for r in rows], ";")
    return [water, power], points(ENGLISH)


def excel(folder: Path) -> Written:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Export of the plant"])
    sheet.append([])
    sheet.append(ENGLISH)
    for time, row in zip(TIMES, zip(*PLANT.values(), strict=True), strict=True):
        sheet.append([time, *map(float, row)])
    book.save(folder / "a.xlsx")
    return [folder / "a.xlsx"], points(ENGLISH)


def excel_text_dates_second_sheet(folder: Path) -> Written:
    book = openpyxl.Workbook()
    cover = book.active
    assert cover is not None
    cover.append(["Prepared for the audit"])
    sheet = book.create_sheet("Trend")
    for i, row in enumerate(table(ENGLISH, "%d.%m.%Y %H:%M", plain)):
        sheet.append(row if i == 0 else [row[0], *map(float, row[1:])])
    book.save(folder / "a.xlsx")
    return [folder / "a.xlsx"], points(ENGLISH)


def parquet(folder: Path) -> Written:
    columns = {"time": pa.array(TIMES, pa.timestamp("us"))}
    columns |= {
        n: pa.array(v) for n, v in zip(ENGLISH[1:], PLANT.values(), strict=True)
    }
    pq.write_table(pa.table(columns), folder / "a.parquet", row_group_size=100)
    return [folder / "a.parquet"], points(ENGLISH)


def parquet_tall(folder: Path) -> Written:
    count = len(TAGS) - 1
    instants = [t.replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC) for t in TIMES]
    pq.write_table(
        pa.table(
            {
                "ts": pa.array(
                    np.repeat(np.asarray(instants), count), pa.timestamp("ms", "UTC")
                ),
                "tag": pa.array(TAGS[1:] * ROWS).dictionary_encode(),
                "value": np.stack(list(PLANT.values()), axis=1).ravel(),
            }
        ),
        folder / "a.parquet",
    )
    return [folder / "a.parquet"], points(TAGS)


FORMS = {
    "wide": wide,
    "German, semicolons, decimal comma": german,
    "German in Windows' encoding": legacy_encoding,
    "French, tabs, UTF-16": french_tabs_utf16,
    "Spanish": spanish,
    "Chinese": chinese,
    "Chinese in GB 18030": chinese_gb,
    "American dates, AM and PM, thousands": american,
    "Swiss apostrophes, two-digit years": apostrophes,
    "months by name": month_names,
    "date and time apart": date_and_time,
    "offset in the text": with_offset,
    "epoch seconds": epoch(1),
    "epoch milliseconds": epoch(1000),
    "Excel serial dates as text": serial,
    "header below a report's title, footer": odd_header,
    "a row of units": unit_row,
    "two header rows": two_header_rows,
    "the header repeated": repeated_header,
    "units behind the numbers": units_in_cells,
    "columns of modes and remarks": modes_and_remarks,
    "a delimiter behind every row": trailing_delimiters,
    "comments above the header": comment_lines,
    "numbers padded with blanks": padded_numbers,
    "old Mac line ends": old_mac_line_ends,
    "Windows line ends": windows_line_ends,
    "newest row first": newest_first,
    "tall": tall,
    "tall, point after point, with status": tall_by_point_with_status,
    "quality codes of OPC beside each column": opc_quality_codes,
    "one file per point, as Niagara": per_point,
    "columns with times of their own": interleaved,
    "months that overlap": months_to_join,
    "two kinds of file": two_kinds_to_join,
    "Excel": excel,
    "Excel, text dates on the second sheet": excel_text_dates_second_sheet,
    "Parquet": parquet,
    "tall Parquet": parquet_tall,
}


def imported(paths: list[Path], text: str, folder: Path) -> dict[str, pa.Table]:
    """Import by a proposed map and return the readings by what they feed."""
    intake = parse_map(text, "map.toml")
    import_site(paths, intake, folder / "out", now_s=NOW_S)
    readings = pq.read_table(folder / "out" / "canonical.parquet")
    names = {point.id: point.feeds for point in intake.points}
    ids = np.asarray(readings["point_id"].cast(pa.string()))
    return {names[i]: readings.filter(pa.array(ids == i)) for i in names if names[i]}


@pytest.mark.parametrize("form", FORMS)
def test_a_proposed_map_gives_the_plants_readings_back(
    form: str, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    paths, named = FORMS[form](source)
    found = inspect_logs(paths, ZONE)
    fed = {p.name: p.feeds for p in found.points if p.feeds}
    assert fed == {name: point for point, name in named.items()}
    readings = imported(paths, found.text, tmp_path)
    expected = [int(t.replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1000) for t in TIMES]
    for point, values in PLANT.items():
        table_of = readings[point]
        good = table_of.filter(pc.field("reason") == "")
        time = np.asarray(good["ts_utc"].cast(pa.int64()))
        np.testing.assert_array_equal(time, expected)
        np.testing.assert_allclose(good["value"], values, atol=0.006)


def test_the_zone_is_never_guessed_and_what_the_file_says_is_quoted(
    tmp_path: Path,
) -> None:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M:%S", plain)
    path = write_rows(tmp_path / "a.csv", [["Exported in CET"], *rows])
    found = inspect_logs([path])
    assert 'zone = ""' in found.text
    assert any(
        "which time zone" in doubt and "'CET'" in doubt for doubt in found.doubts
    )
    with pytest.raises(InputError, match="never guessed"):
        bring_in(path, found.text, tmp_path / "out")


def test_stamps_with_an_offset_are_reported_in_the_zone_that_was_told(
    tmp_path: Path,
) -> None:
    path = write_rows(tmp_path / "a.csv", table(ENGLISH, "%Y-%m-%dT%H:%M:%SZ", plain))
    assert "Reports will speak UTC" in inspect_logs([path]).text
    found = inspect_logs([path], ZONE)
    assert parse_map(found.text, "map.toml").report_zone == ZONE
    data = bring_in(path, found.text, tmp_path / "out")
    assert data["period"]["start"].endswith("+02:00")


def test_coolbounds_own_headers_are_taken_as_they_stand(tmp_path: Path) -> None:
    """The log of a simulation comes back whole: no point is left to guesses."""
    log = made_log(300)
    found = inspect_logs([write_log(log, tmp_path)[1]], ZONE)
    assert {point.feeds for point in found.points} == set(log.observable)
    assert not any(point.doubts for point in found.points)


@pytest.mark.parametrize(
    ("header", "feeds"),
    [
        ("chw_flow [kg/s]", "chw_flow"),
        ("applied.cw_pump_speed [1]", "cw_pump_speed"),
        ("applied.chw_flow [kg/s]", ""),
        ("cw_pump_speed [1]", ""),
        ("chw_flow", ""),
        ("CHW_FLOW [kg/s]", ""),
    ],
)
def test_only_a_header_written_so_is_coolbounds_own(header: str, feeds: str) -> None:
    assert own_name(header) == feeds


def test_a_date_that_can_be_read_twice_is_left_open(tmp_path: Path) -> None:
    rows = table(ENGLISH, "%Y", plain)[:100]
    for row, time in zip(rows[1:], TIMES, strict=False):
        row[0] = f"03/04/2024 {time:%H:%M}"
    path = write_rows(tmp_path / "a.csv", rows)
    found = inspect_logs([path], ZONE)
    assert 'formats = ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"]' in found.text
    assert any("Leave one in `formats`" in doubt for doubt in found.doubts)
    with pytest.raises(InputError, match="with different days"):
        bring_in(path, found.text, tmp_path / "out")


def test_hours_of_twelve_without_a_marker_are_asked_about(tmp_path: Path) -> None:
    rows = table(ENGLISH, "%d.%m.%Y %I:%M", plain)
    found = inspect_logs([write_rows(tmp_path / "a.csv", rows)], ZONE)
    assert any("AM and PM" in doubt for doubt in found.doubts)


def test_three_digits_behind_every_mark_are_asked_about(tmp_path: Path) -> None:
    rows = table(["Time", "A", "B", "C"], "%Y-%m-%d %H:%M", plain)
    for i, row in enumerate(rows[1:]):
        row[1:] = [f"1,{100 + i % 800}", f"2,{100 + i % 800}", f"3,{100 + i % 700}"]
    found = inspect_logs([write_rows(tmp_path / "a.csv", rows, ";")], ZONE)
    assert any("thousands, or has it three decimals" in doubt for doubt in found.doubts)


def test_a_unit_that_only_the_numbers_tell_is_named_and_marked(tmp_path: Path) -> None:
    rows = [["Time", "CHWS", "CHWR"]]
    rows += [
        [f"{t:%Y-%m-%d %H:%M}", f"{44 + 1.8 * a:.1f}", f"{53 + 1.8 * a:.1f}"]
        for t, a in zip(TIMES, PLANT["chw_supply_temp"] - 8.0, strict=True)
    ]
    found = inspect_logs([write_rows(tmp_path / "a.csv", rows)], ZONE)
    assert {p.unit_in for p in found.points} == {"degF"}
    assert all(any("can only be 'degF'" in d for d in p.doubts) for p in found.points)


def test_two_columns_that_claim_one_point_are_not_both_taken(tmp_path: Path) -> None:
    names = ["Time", "CHWS Temp A [degC]", "Old CHWS Temp [degC]", "kW"]
    found = inspect_logs(
        [write_rows(tmp_path / "a.csv", table(names, "%Y-%m-%d %H:%M", plain))], ZONE
    )
    assert sum(p.feeds == "chw_supply_temp" for p in found.points) == 1
    assert any("too, as" in d and "which?" in d for p in found.points for d in p.doubts)


def test_machines_told_apart_by_a_number_are_summed(tmp_path: Path) -> None:
    names = ["Time", "CH-1 Power [kW]", "CH-2 Power [kW]", "CH-3 Power [kW]"]
    path = write_rows(tmp_path / "a.csv", table(names, "%Y-%m-%d %H:%M", plain))
    found = inspect_logs([path], ZONE)
    assert [p.feeds for p in found.points] == ["chiller_power"] * 3


def test_reports_on_change_are_known_by_their_steps(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    steps = np.cumsum(rng.integers(1, 900, ROWS))
    rows = [["Timestamp", "Tag", "Value"]]
    for i, seconds in enumerate(steps):
        stamp = START + timedelta(seconds=int(seconds))
        rows.append([str(stamp), "CHWS Temp [degC]", f"{7 + i % 5 * 0.5:.1f}"])
        rows.append([str(stamp), "CHWR Temp [degC]", f"{12 + i % 5 * 0.5:.1f}"])
    found = inspect_logs([write_rows(tmp_path / "a.csv", rows)], ZONE)
    assert {p.sampling for p in found.points} == {"cov"}
    assert "max_age_s" in found.text


def test_what_looks_wrong_stands_beside_its_point_in_the_map(tmp_path: Path) -> None:
    rows = table(ENGLISH, "%Y-%m-%d %H:%M", plain)
    for row in rows[200:]:
        row[1] = "7.77"
    for row in rows[20:26]:
        row[2] = "-99.9"
    found = inspect_logs([write_rows(tmp_path / "a.csv", rows)], ZONE)
    assert {f.kind for f in found.findings} >= {"stuck_sensor", "suspected_sentinel"}
    assert "# UNSURE: stuck_sensor: stands at 7.77 for" in found.text
    assert "bad_values = [-99.9]" in found.text


def test_a_file_without_stamps_is_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.csv", [["A", "B"], *[["1", "x"]] * 30])
    with pytest.raises(InputError, match="no column of time stamps"):
        inspect_logs([path])
